//! The story of one question: what every log says of it, in the order of time, each entry in a sentence.

use crate::entry::{CountryEnd, Entry, Erased, Type};
use crate::records::Located;
use crate::search::{Asked, Found};
use mayag_protocol::names::{Country, DatasetName, Digest};
use std::collections::BTreeSet;

/// Collects the entries about one question. Every log is shown twice: an entry that refuses a question whose signature does
/// not hold knows only its digest, so the digests are learned first.
#[derive(Debug)]
pub struct Story {
    asked: Asked,
    digests: BTreeSet<Digest>,
    found: Vec<Found>,
}

impl Story {
    /// The story of this question.
    pub fn of(asked: Asked) -> Self {
        let digests = match &asked {
            Asked::Digest(digest) => [digest.clone()].into(),
            Asked::Id(_) => BTreeSet::new(),
        };
        Self { asked, digests, found: Vec::new() }
    }

    /// First pass: learns under which digests the question is logged.
    pub fn learn(&mut self, entry: &Entry) {
        if self.asked.is_of(entry) {
            self.digests.extend(entry.question_digest.clone());
        }
    }

    /// Second pass: keeps what is about the question.
    pub fn look(&mut self, located: Located<'_>) {
        if self.is_about(&located.entry) {
            self.found.push(Found::of(located));
        }
    }

    /// Whether an entry is about the question, once its digests are learned.
    pub fn is_about(&self, entry: &Entry) -> bool {
        let known = entry.question_digest.as_ref().is_some_and(|it| self.digests.contains(it));
        known || self.asked.is_of(entry)
    }

    /// What was found, the earliest first.
    pub fn into_found(mut self) -> Vec<Found> {
        self.found.sort_by(|a, b| (a.entry.at, &a.place).cmp(&(b.entry.at, &b.place)));
        self.found
    }
}

/// What an entry says, in one line. Words of other parties are in it: a terminal must not act on them.
pub fn sentence(entry: &Entry) -> String {
    let mut line = entry.kind.to_string();
    let mut say = |words: String| {
        line.push_str("; ");
        line.push_str(&words);
    };
    if let Some(recipient) = &entry.recipient {
        say(format!("asked by {recipient}"));
    }
    if let Some(purpose) = &entry.purpose {
        say(format!("purpose {}", purpose.as_str()));
    }
    if let Some(decision) = entry.decision.as_ref().filter(|word| *word != entry.kind.as_str()) {
        say(decision.clone());
    }
    if let Some(rule) = &entry.rule {
        say(format!("by {rule}"));
    }
    if !entry.datasets.is_empty() {
        let names: Vec<&str> = entry.datasets.iter().map(DatasetName::as_str).collect();
        say(format!("datasets {}", names.join(", ")));
    }
    if let Some(result) = entry.result {
        say(format!("result {}", result.as_str()));
    }
    if let Some(cells) = entry.cells {
        // A gateway counts the rows of the merged table.
        let what = if entry.kind == Type::Released { "rows" } else { "cells" };
        say(format!("{cells} {what}"));
    }
    if let Some(read_for) = entry.read_for {
        say(format!("for {read_for}"));
    }
    if let Some(about) = &entry.about {
        say(about.clone());
    }
    if let Some(count) = entry.count {
        say(format!("{count} times"));
    }
    if let Some(Erased { details, reason, authority }) = &entry.erased {
        say(format!("{} details erased by order of {authority}: {reason}", details.len()));
    }
    for (country, end) in &entry.countries {
        say(did(country, end));
    }
    if let Some(peer) = &entry.peer {
        say(format!("for {} entry {}", peer.origin, peer.index));
    }
    line
}

fn did(country: &Country, end: &CountryEnd) -> String {
    let at = end.log.as_ref().map(|log| format!(" ({} entry {})", log.origin, log.index));
    format!("{country} {}{}", end.outcome, at.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Story, sentence};
    use crate::entry::{CountryEnd, Entry, ResultClass, Type};
    use crate::records::read;
    use crate::records::written::{GATEWAY, KR, Written, about, digest};
    use mayag_protocol::outcome::Outcome;

    #[test]
    fn a_story_has_every_entry_about_the_question_also_those_that_know_only_its_digest() {
        let (mut gateway, mut kr) = (Written::new(GATEWAY), Written::new(KR));
        let received = gateway.push(&about(Type::Received, 0, 1));
        gateway.push(&about(Type::Received, 1, 2));
        let peer = Some(received);
        kr.push(&Entry { question: None, peer: peer.clone(), ..about(Type::Refused, 2, 1) });
        let answered = kr.push(&Entry {
            peer,
            datasets: vec!["seizures".parse().unwrap()],
            result: Some(ResultClass::Aggregate),
            cells: Some(4),
            ..about(Type::Answered, 3, 1)
        });
        let end = CountryEnd {
            outcome: Outcome::Answered,
            answer: None,
            log: Some(answered),
            signed: None,
        };
        gateway.push(&Entry {
            countries: [("kr".parse().unwrap(), end)].into(),
            cells: Some(2),
            ..about(Type::Released, 4, 1)
        });
        let logs = [kr.published(), gateway.published()];
        for asked in ["01".repeat(16), digest("question 1").to_string()] {
            let mut story = Story::of(asked.parse().unwrap());
            for log in &logs {
                read(log, &log.against(), &mut |located| story.learn(&located.entry)).unwrap();
            }
            for log in &logs {
                read(log, &log.against(), &mut |located| story.look(located)).unwrap();
            }
            let lines: Vec<String> =
                story.into_found().iter().map(|found| sentence(&found.entry)).collect();
            assert_eq!(
                lines,
                [
                    "received; purpose TREND",
                    "refused; purpose TREND; for gateway-1.demo/query-log/2026 entry 0",
                    "answered; purpose TREND; datasets seizures; result aggregate; 4 cells; for gateway-1.demo/query-log/2026 entry 0",
                    "released; purpose TREND; 2 rows; kr answered (node-kr.demo/query-log/2026 entry 1)",
                ]
            );
        }
    }
}
