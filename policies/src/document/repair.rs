//! What the rest of a document says, where some of it does not fit the schema.
//!
//! An administrator should see every problem in one run, so what is misspelt must not hide what is wrong elsewhere. Each
//! faulty place is replaced by a harmless value, names are looked up in the result, and what is found at a replaced
//! place is dropped again. Nothing is ever decided under a repaired document.

mod lookups;

use crate::catalogue::Catalogue;
use crate::document::check;
use crate::document::position::token;
use crate::document::problem::{Problem, quoted};
use crate::document::rule::Rule;
use crate::document::written::Document;
use mayag_protocol::timestamp::Timestamp;
use serde_json::{Map, Value, json};

/// What names and uses are wrong in a document that has these problems already.
pub(super) fn problems(document: &Value, known: &[Problem], catalogue: &Catalogue) -> Vec<Problem> {
    let mut repair = Repair { known, replaced: Vec::new() };
    let Ok(repaired) = serde_json::from_value::<Document>(repair.document(document)) else {
        return Vec::new();
    };
    let found = check::meant(&repaired, catalogue).err().unwrap_or_default();
    found.into_iter().filter(|problem| !repair.caused(problem)).collect()
}

/// Instants that have the form of one and are none, such as the 30th of February. Not where something is `known` to be
/// wrong already.
pub(super) fn instants(document: &Value, known: &[Problem]) -> Vec<Problem> {
    let ends = ["grants", "lookups"].into_iter().flat_map(|list| {
        let grants = document.get(list).and_then(Value::as_array).into_iter().flatten();
        let places = grants.enumerate().map(move |(i, grant)| (format!("/{list}/{i}"), grant));
        places.map(|(place, grant)| (format!("{place}/valid_until"), grant.get("valid_until")))
    });
    let own = ["valid_from", "valid_until"].map(|key| (format!("/{key}"), document.get(key)));
    let written = own.into_iter().chain(ends);
    let texts = written.filter_map(|(place, value)| Some((place, value?.as_str()?)));
    texts
        .filter_map(|(place, text)| {
            text.parse::<Timestamp>().err()?;
            let message = format!("{} is no day and time of the calendar", quoted(text));
            Some(Problem::new(Rule::WrongForm, place, message))
        })
        .filter(|problem| !known.iter().any(|known| known.pointer == problem.pointer))
        .collect()
}

struct Repair<'a> {
    known: &'a [Problem],
    replaced: Vec<String>,
}

impl Repair<'_> {
    fn document(&mut self, document: &Value) -> Value {
        let grants = document.get("grants").and_then(Value::as_array).cloned().unwrap_or_default();
        let grants: Vec<Value> =
            grants.iter().enumerate().map(|(i, grant)| self.grant(i, grant)).collect();
        let mut repaired = Map::new();
        for (key, value) in [("policy", json!("xx")), ("serial", json!(1)), ("why", json!("x"))] {
            repaired.insert(key.to_owned(), value);
        }
        repaired.insert("grants".to_owned(), Value::Array(grants));
        repaired.insert("lookups".to_owned(), lookups::repaired(self, document));
        for (key, otherwise) in
            [("valid_from", "2000-01-01T00:00:00Z"), ("valid_until", "2999-01-01T00:00:00Z")]
        {
            let value = self.kept("", document, key).unwrap_or_else(|| json!(otherwise));
            repaired.insert(key.to_owned(), value);
        }
        if let Some(version) = self.kept("", document, "catalogue") {
            repaired.insert("catalogue".to_owned(), version);
        }
        Value::Object(repaired)
    }

    fn grant(&mut self, i: usize, grant: &Value) -> Value {
        let place = format!("/grants/{i}");
        let mut repaired = Map::new();
        let necessary = [
            ("id", json!(format!("repaired-{i}"))),
            ("why", json!("x")),
            ("to", json!({ "countries": "any", "roles": ["x"] })),
            ("purposes", json!(["TREND"])),
            ("dataset", json!("x")),
        ];
        for (key, otherwise) in necessary {
            let value = self.kept(&place, grant, key).unwrap_or(otherwise);
            repaired.insert(key.to_owned(), value);
        }
        for key in OPTIONAL {
            if let Some(value) = self.kept(&place, grant, key) {
                repaired.insert(key.to_owned(), value);
            }
        }
        // A reason that cannot be read is still one.
        if grant.get("waiver").is_some() && !repaired.contains_key("waiver") {
            repaired.insert("waiver".to_owned(), json!("x"));
        }
        repaired.insert("columns".to_owned(), self.columns(&place, grant.get("columns")));
        repaired.insert("rows".to_owned(), self.rows(&place, grant.get("rows")));
        Value::Object(repaired)
    }

    fn columns(&mut self, place: &str, columns: Option<&Value>) -> Value {
        let place = format!("{place}/columns");
        let Some(columns) = columns.and_then(Value::as_object) else {
            self.replaced.push(place);
            return json!({});
        };
        let mut repaired = Map::new();
        for (name, used) in columns {
            let at = format!("{place}/{}", token(name));
            if !self.faulty(&at) {
                repaired.insert(name.clone(), used.clone());
                continue;
            }
            self.replaced.push(at.clone());
            // Whether the column exists can still be said, if what is there can be the name of one.
            if !self.known.iter().any(|known| known.pointer == at && known.rule == Rule::WrongForm)
            {
                repaired.insert(name.clone(), json!("hidden"));
            }
        }
        Value::Object(repaired)
    }

    fn rows(&mut self, place: &str, rows: Option<&Value>) -> Value {
        let rows = rows.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let kept = rows.iter().enumerate().map(|(i, row)| {
            let place = format!("{place}/rows/{i}");
            if !self.faulty(&place) {
                return row.clone();
            }
            self.replaced.push(place);
            json!({ "column": "x", "is": "in", "values": ["x"] })
        });
        kept.collect()
    }

    /// The value of a key, if there is one and nothing is wrong with it.
    fn kept(&mut self, place: &str, object: &Value, key: &str) -> Option<Value> {
        let at = format!("{place}/{key}");
        let value = object.get(key).filter(|_| !self.faulty(&at)).cloned();
        if value.is_none() {
            self.replaced.push(at);
        }
        value
    }

    /// Whether something is wrong at this place or inside of it.
    fn faulty(&self, place: &str) -> bool {
        self.known.iter().any(|known| within(&known.pointer, place))
    }

    /// Whether a problem might come from the repair alone.
    fn caused(&self, problem: &Problem) -> bool {
        let grant: String = problem.pointer.split_inclusive('/').take(3).collect();
        let grant = grant.trim_end_matches('/');
        let touched = || self.known.iter().any(|known| within(&known.pointer, grant));
        if matches!(problem.rule, Rule::SameGrantTwice | Rule::SharesNothing) {
            return touched();
        }
        if problem.rule == Rule::TableDisagrees {
            return lookups::table_touched(self.known);
        }
        let names_a_column = matches!(problem.rule, Rule::UnknownColumn | Rule::ImpliedColumn);
        if names_a_column && problem.pointer.contains("/columns/") {
            return false;
        }
        self.replaced.iter().any(|place| within(&problem.pointer, place))
    }
}

/// Keys of a grant that may be missing; `columns` and `rows` are repaired piece by piece.
const OPTIONAL: [&str; 12] = [
    "budget",
    "difference_guard",
    "dominance",
    "min_units",
    "most_levels",
    "most_rows",
    "noise",
    "one_category_percent",
    "p_percent",
    "round_to",
    "valid_until",
    "waiver",
];

/// Whether `pointer` is `place` or inside of it.
fn within(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
