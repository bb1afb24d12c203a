//! A country with one table, made of crate `matching`, and everything around it that a lookup needs.

use super::compare::{Evaluated, Hidden, compare};
use super::plan::{Choice, Chosen, Declared, Needs, choose};
use super::{CountryAnswered, Identifiers, LookupAnswer, Reason, Tables};
use crate::fixture::{Federation, country};
use crate::lookup::line::finish;
use crate::table::CountryReport;
use mayag_audit::keys::sha256;
use mayag_matching::batch::{Batch, BatchSeed};
use mayag_matching::index::{Builder, Row};
use mayag_matching::input::Input;
use mayag_matching::normalise::{Element, Kind, normalise, rules};
use mayag_matching::reference::Reference;
use mayag_matching::scope::Scope;
use mayag_matching::voprf::{Elements, SecretKey, Seed};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::lookup::{
    Band, Directory, DirectoryEntry, Legend, Mode, Published, PublishedIndex,
};
use mayag_protocol::names::EvaluationKey;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::Ask;
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ONE: NonZero<usize> = NonZero::<usize>::MIN;

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

/// A record: the identifier as typed, and what names it.
pub(super) type Record<'a> = (&'a str, u8);

/// A country's table in one epoch.
pub(super) struct Table {
    pub(super) scope: Scope,
    pub(super) secret: SecretKey,
    pub(super) filter: Vec<u8>,
    pub(super) boxes: Vec<u8>,
}

impl Table {
    /// The table of `kind` in a country, that holds these records.
    pub(super) fn new(code: &str, kind: Kind, records: &[Record<'_>]) -> Self {
        let node = format!("spiffe://demo/country/{code}/node").parse().unwrap();
        let scope = Scope { node, table: "known".parse().unwrap(), epoch: 3, rules: rules(kind) };
        Self::of(scope, &Seed::from_bytes([7; 32]), records)
    }

    /// The table of a scope, with the key of a seed.
    pub(super) fn of(scope: Scope, seed: &Seed, records: &[Record<'_>]) -> Self {
        let elements = records.iter().flat_map(|(typed, contact)| {
            let elements = normalise(typed).unwrap().indexed();
            elements.into_iter().map(|element| (element, *contact))
        });
        Self::with(scope, seed, elements.collect())
    }

    /// The same of single elements of records.
    pub(super) fn with(scope: Scope, seed: &Seed, elements: Vec<(Element, u8)>) -> Self {
        let secret = SecretKey::derive(seed, &scope).unwrap();
        let mut builder = Builder::new(&secret, &scope, ONE).unwrap();
        for (element, contact) in elements {
            let input = Input::new(&scope.rules, element.text()).unwrap();
            let (band, contact) = (element.band(), [contact; 16]);
            let reference = Reference { band, category: 4, handling: 1, rows: 1, contact };
            builder.push(Row { input, reference });
        }
        let index = builder.finish().unwrap();
        let (filter, boxes) = (index.filter_bytes(), index.box_bytes());
        Self { scope, secret, filter, boxes }
    }

    pub(super) fn entry(&self) -> DirectoryEntry {
        let published =
            |bytes: &[u8]| Published { digest: sha256(bytes), bytes: bytes.len() as u64 };
        DirectoryEntry {
            table: self.scope.table.clone(),
            kind: self.scope.rules.kind.clone(),
            rules: self.scope.rules.version,
            mode: Mode::Blinded,
            epoch: self.scope.epoch,
            from: now(),
            until: now().plus(Duration::from_hours(168)),
            key: EvaluationKey::from_bytes(*self.secret.public().as_bytes()),
            index: PublishedIndex {
                built_at: now(),
                rows: 64,
                left_out: 0,
                filter: published(&self.filter),
                boxes: published(&self.boxes),
            },
            purposes: vec![Purpose::Border],
            most_elements: 10_000,
            categories: vec![Legend { number: 4, text: "stolen document".to_owned() }],
            handling: vec![Legend { number: 1, text: "H1".to_owned() }],
        }
    }

    /// The country's directory, with this table alone.
    pub(super) fn directory(&self, serial: u64) -> Directory {
        let node = self.scope.node.clone();
        Directory {
            v: 1,
            node,
            serial,
            issued_at: now(),
            tables: vec![self.entry()],
            declared: Vec::new(),
            unready: Vec::new(),
        }
    }

    pub(super) fn chosen(&self) -> Chosen {
        let node = self.scope.node.clone();
        let country = node.country().unwrap().clone();
        Chosen { country, node, entry: self.entry() }
    }

    /// What the node answers to a vector.
    pub(super) fn evaluate(&self, hidden: &Hidden) -> Evaluated {
        let vector = Elements::parse(&hidden.batch.blinded().to_bytes()).unwrap();
        let answer = self.secret.evaluate(&vector, ONE).unwrap();
        Evaluated {
            vector: answer.elements().to_vec(),
            proof: answer.proof().to_bytes().to_vec(),
            filter: self.filter.clone(),
            boxes: self.boxes.clone(),
        }
    }

    /// What the desk makes of its honest answer, after a change to it.
    pub(super) fn answered(
        &self,
        hidden: &Hidden,
        change: impl FnOnce(&mut Evaluated),
    ) -> LookupAnswer {
        let mut evaluated = self.evaluate(hidden);
        change(&mut evaluated);
        Self::read(hidden, self.chosen(), &evaluated)
    }

    /// What the desk makes of an answer that it holds against this entry.
    pub(super) fn read(hidden: &Hidden, chosen: Chosen, evaluated: &Evaluated) -> LookupAnswer {
        let (mut lacking, mut said) = (BTreeMap::new(), BTreeMap::new());
        match compare(hidden, &chosen, evaluated, ONE) {
            Ok(one) => drop(said.insert(chosen.country, vec![one])),
            Err(reason) => drop(lacking.insert(chosen.country, reason)),
        }
        answer_of(hidden, finish(lacking, said))
    }
}

pub(super) fn answer_of(hidden: &Hidden, countries: Vec<CountryAnswered>) -> LookupAnswer {
    LookupAnswer::new(hidden.identifiers.len(), countries, Vec::new())
}

pub(super) fn identifiers(typed: &[&str]) -> Arc<Identifiers> {
    let normalised = typed.iter().map(|typed| normalise(typed).unwrap());
    Arc::new(Identifiers::new(normalised.collect()).unwrap())
}

pub(super) const SEED: [u8; 32] = [9; 32];

/// Identifiers, hidden.
pub(super) fn hidden(typed: &[&str]) -> Hidden {
    let identifiers = identifiers(typed);
    let seed = BatchSeed::from_bytes(SEED);
    let batch = Batch::new(&seed, &identifiers.rules(), identifiers.elements(), ONE).unwrap();
    Hidden { identifiers, batch }
}

pub(super) fn report(code: &str, outcome: Outcome) -> CountryReport {
    let country = country(code);
    CountryReport { country, outcome, refusal: None, ms: 1, policy: None, suppressed: false }
}

/// What the countries say they have: these directories, and one country that was not heard.
pub(super) fn tables(directories: Vec<Directory>) -> Tables {
    let named = |directory: Directory| (directory.node.country().unwrap().clone(), directory);
    let directories: Vec<_> = directories.into_iter().map(named).collect();
    let mut outcomes: Vec<CountryReport> =
        directories.iter().map(|(code, _)| report(code.as_str(), Outcome::Answered)).collect();
    outcomes.push(report("zz", Outcome::Unreachable));
    Tables { question: "00".repeat(16).parse().unwrap(), outcomes, directories }
}

/// What is chosen of one directory for a passport, for this purpose.
pub(super) fn choice(directory: Directory, purpose: Purpose, elements: u32) -> Choice {
    choice_of(directory, purpose, elements, (1, Declared::Left))
}

/// The same of so many texts, with declared tables or without.
pub(super) fn choice_of(
    directory: Directory,
    purpose: Purpose,
    elements: u32,
    (searched, declared): (usize, Declared),
) -> Choice {
    choice_of_length(directory, purpose, elements, (searched, 15, declared))
}

/// The same where the longest text has so many bytes.
pub(super) fn choice_of_length(
    directory: Directory,
    purpose: Purpose,
    elements: u32,
    (searched, longest, declared): (usize, usize, Declared),
) -> Choice {
    let rules = rules(Kind::TravelDocument);
    let needs = Needs { rules: &rules, purpose, elements, searched, longest, declared, now: now() };
    choose(&tables(vec![directory]), needs)
}

/// Why the first country of a choice is not asked.
pub(super) fn lacking(choice: &Choice) -> Option<&Reason> {
    choice.lacking.get(&country("kr"))
}

pub(super) fn federation() -> Federation {
    Federation::asked(Ask::Tables {})
}

/// A directory, signed by the node of a country.
pub(super) fn signed(federation: &Federation, by: &str, directory: &Directory) -> Vec<u8> {
    let (_, key) = federation.nodes.iter().find(|(code, _)| code.as_str() == by).unwrap();
    let payload = serde_json::to_vec(directory).unwrap();
    Envelope::seal(PayloadType::Directory, payload, key).to_bytes()
}

/// The band of a verdict, or its word.
pub(super) fn word(answer: &LookupAnswer, identifier: usize) -> String {
    let words = answer.of(identifier).map(|finding| {
        let band: Option<Band> = finding.hits.first().map(|found| found.hit.band);
        band.map_or_else(|| finding.verdict.to_string(), |band| format!("hit {band}"))
    });
    words.collect::<Vec<_>>().join(" ")
}
