//! Asking on paper: SQL, a person and a purpose, decided under a policy as a node would, without data.

use super::site::PolicyFault;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Permit, Subject, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::{MeasureRef, ReleaseShape};
use mayag_protocol::names::{Country, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::Timestamp;
use std::str::FromStr;

/// Who asks: `kr/analyst`, or `kr/analyst+liaison`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) country: Country,
    pub(super) roles: Vec<Role>,
}

impl FromStr for Asker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not of the form `kr/analyst`");
        let (country, roles) = text.split_once('/').ok_or_else(form)?;
        let roles = roles.split('+').map(str::parse).collect::<Result<_, _>>();
        Ok(Self {
            country: country.parse().map_err(|_| form())?,
            roles: roles.map_err(|_| form())?,
        })
    }
}

impl Asker {
    pub(super) fn for_purpose(&self, purpose: Purpose) -> Subject {
        Subject { country: self.country.clone(), roles: self.roles.clone(), purpose }
    }

    pub(super) fn words(&self) -> String {
        let roles: Vec<&str> = self.roles.iter().map(Role::as_str).collect();
        format!("{}/{}", self.country, roles.join("+"))
    }
}

/// What a node would decide on a question: the permits of its releases, or the first refusal.
pub(super) fn decided(
    policy: &Policy,
    catalogue: &Catalogue,
    subject: &Subject,
    now: Timestamp,
    sql: &str,
) -> Result<Vec<Permit>, Refusal> {
    let shapes = shapes(sql, catalogue)?;
    shapes.iter().map(|shape| decide(policy, catalogue, subject, now, shape)).collect()
}

/// The releases of a question.
pub(super) fn shapes(sql: &str, catalogue: &Catalogue) -> Result<Vec<ReleaseShape>, Refusal> {
    let plan = mayag_queries::plan::plan(sql, catalogue)?;
    Ok(plan.releases.iter().map(mayag_queries::release::Release::shape).collect())
}

/// One thing that a release needs, as a release of its own.
pub(super) struct Part {
    pub(super) verb: &'static str,
    pub(super) what: String,
    pub(super) shape: ReleaseShape,
}

/// The parts of a release: each can be decided alone.
pub(super) fn parts(shape: &ReleaseShape) -> Vec<Part> {
    let alone = |keys: &[_], filters: &[_], measures: &[MeasureRef]| ReleaseShape {
        dataset: shape.dataset.clone(),
        keys: keys.to_vec(),
        filters: filters.to_vec(),
        measures: measures.to_vec(),
    };
    let mut parts = Vec::new();
    for key in &shape.keys {
        let of = alone(std::slice::from_ref(key), &[], &[]);
        parts.push(Part { verb: "group by", what: key.to_string(), shape: of });
    }
    for filter in &shape.filters {
        let of = alone(&[], std::slice::from_ref(filter), &[]);
        parts.push(Part { verb: "filter by", what: filter.to_string(), shape: of });
    }
    for measure in &shape.measures {
        let column = measure.column.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string);
        let what = format!("{}({column})", measure.aggregate.as_str());
        let of = alone(&[], &[], std::slice::from_ref(measure));
        parts.push(Part { verb: "measure", what, shape: of });
    }
    parts
}

/// SQL from the command line or from a file.
pub(super) fn sql(
    command: Option<&str>,
    file: Option<&std::path::Path>,
) -> Result<String, PolicyFault> {
    match (command, file) {
        (Some(sql), _) => Ok(sql.to_owned()),
        (None, Some(path)) => {
            let bytes =
                mayag_transport::files::read(path, mayag_protocol::question::LONGEST_ENVELOPE)
                    .map_err(super::site::file)?;
            String::from_utf8(bytes)
                .map_err(|_| PolicyFault::File(format!("{} is not UTF-8", path.display())))
        }
        (None, None) => Err(PolicyFault::File("give the question with -c or -f".to_owned())),
    }
}
