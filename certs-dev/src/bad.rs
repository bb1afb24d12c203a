//! The deliberately bad set: certificates that must be refused, each for exactly one reason.
//!
//! Where the reason allows it, a bad certificate names the first analyst of the plan and comes with that analyst's real
//! question key, so that nothing but the fault itself can be what refused it.

use crate::CertsError;
use crate::authority::{Authority, Scope};
use crate::files::{self, Audience};
use crate::generation::{Generation, new_key};
use crate::leaf::{Leaf, LeafPlan, Usage};
use crate::pki::folder_name;
use crate::plan::{PlanError, earlier};
use mayag_protocol::identity::{Identity, Kind, Party};
use mayag_protocol::names::Country;
use mayag_protocol::timestamp::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// A country code that ISO 3166-1 leaves to its users.
const NOWHERE: &str = "zz";
const NOBODY: &str = "nobody";

/// Makes `bad/` and everything in it.
pub(crate) fn write(generation: &mut Generation<'_>) -> Result<(), CertsError> {
    files::folder(&generation.folder.join("bad"), Audience::OwnerOnly)?;
    let set = Set::new(generation)?;
    let scope = Scope::of(&set.analyst);
    let revoked = set.authority()?.issue(&set.good(&set.analyst))?;
    let serial = revoked.serial.clone();
    set.save("revoked", &revoked, &set.analyst)?;
    set.wrong_in_time_or_use()?;
    set.wrong_in_name()?;
    set.wrong_in_issuer()?;
    generation.revoked.entry(scope).or_default().push(serial);
    Ok(())
}

struct Set<'a> {
    generation: &'a Generation<'a>,
    analyst: Identity,
    home: Country,
    from: Timestamp,
    until: Timestamp,
}

impl<'a> Set<'a> {
    fn new(generation: &'a Generation<'a>) -> Result<Self, CertsError> {
        let plan = generation.plan;
        let first = plan.people.iter().find_map(|person| match &person.party {
            Party::Analyst(country, _) => Some((plan.identity(&person.party), country.clone())),
            Party::Administrator(..) | Party::Auditor(_) | Party::Gateway(_) | Party::Node(_) => {
                None
            }
        });
        let (analyst, home) = first.ok_or(PlanError::TooSmall)?;
        let (from, until) = (plan.valid_from(), plan.now.plus(plan.lifetimes.people));
        Ok(Self { generation, analyst, home, from, until })
    }

    fn authority(&self) -> Result<&Authority, CertsError> {
        self.generation.authority(&Scope::of(&self.analyst))
    }

    fn good(&self, identity: &Identity) -> LeafPlan {
        LeafPlan::client(identity, self.from, self.until)
    }

    fn wrong_in_time_or_use(&self) -> Result<(), CertsError> {
        let now = self.generation.plan.now;
        let expired = LeafPlan::client(&self.analyst, earlier(now, 2 * DAY), earlier(now, DAY));
        self.save("expired", &self.authority()?.issue(&expired)?, &self.analyst)?;
        let server = LeafPlan { usage: Usage::Server, ..self.good(&self.analyst) };
        self.save("wrong-usage", &self.authority()?.issue(&server)?, &self.analyst)
    }

    fn wrong_in_name(&self) -> Result<(), CertsError> {
        let nobody = self
            .identity(&Party::Analyst(self.home.clone(), NOBODY.parse().map_err(PlanError::Name)?));
        let mut two = self.good(&self.analyst);
        two.uris.push(nobody.to_string());
        self.save("two-uris", &self.authority()?.issue(&two)?, &self.analyst)?;
        self.save("not-in-roster", &self.authority()?.issue(&self.good(&nobody))?, &nobody)?;
        let foreigner = self.foreigner()?;
        self.save("wrong-country", &self.authority()?.issue(&self.good(&foreigner))?, &foreigner)?;
        let administrator = self.administrator()?;
        let authority = self.generation.authority(&Scope::of(&administrator))?;
        self.save("wrong-kind", &authority.issue(&self.good(&administrator))?, &administrator)
    }

    fn wrong_in_issuer(&self) -> Result<(), CertsError> {
        self.save("self-signed", &self.good(&self.analyst).self_sign()?, &self.analyst)?;
        // The same name as the real authority, another key: only the signature tells them apart.
        let scope = Scope::national(Kind::Analyst, &self.home);
        let (impostor, _) = Authority::new(&self.analyst.federation, scope, self.from, self.until)?;
        self.save("unknown-ca", &impostor.issue(&self.good(&self.analyst))?, &self.analyst)
    }

    fn identity(&self, party: &Party) -> Identity {
        self.generation.plan.identity(party)
    }

    /// An analyst of another country, listed in the roster if the plan has one.
    fn foreigner(&self) -> Result<Identity, PlanError> {
        self.listed(|party| matches!(party, Party::Analyst(country, _) if *country != self.home))
            .map_or_else(
                || Ok(self.identity(&Party::Analyst(NOWHERE.parse()?, NOBODY.parse()?))),
                Ok,
            )
    }

    /// An administrator, listed in the roster if the plan has one.
    fn administrator(&self) -> Result<Identity, PlanError> {
        self.listed(|party| matches!(party, Party::Administrator(..))).map_or_else(
            || Ok(self.identity(&Party::Administrator(self.home.clone(), NOBODY.parse()?))),
            Ok,
        )
    }

    fn listed(&self, wanted: impl Fn(&Party) -> bool) -> Option<Identity> {
        let people = &self.generation.plan.people;
        people
            .iter()
            .find(|person| wanted(&person.party))
            .map(|person| self.identity(&person.party))
    }

    /// Writes one bad certificate, with the question key of the person it names.
    fn save(&self, what: &str, leaf: &Leaf, named: &Identity) -> Result<(), CertsError> {
        let folder: PathBuf = self.generation.folder.join("bad").join(what);
        files::folder(&folder, Audience::OwnerOnly)?;
        leaf.write(&folder, "tls")?;
        let question_key = self.generation.folder.join(folder_name(named)).join("question.key");
        if question_key.exists() {
            files::create(
                &folder.join("question.key"),
                &files::read(&question_key)?,
                Audience::OwnerOnly,
            )
        } else {
            new_key(&folder.join("question.key")).map(drop)
        }
    }
}
