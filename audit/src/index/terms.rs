//! The words of an entry that can be searched for, each as a number: FNV-1a of what kind of word it is, a zero byte, and the
//! word. Two words with one number cost a bundle that is read in vain, and nothing else.

use crate::entry::Entry;
use crate::records::LogName;
use crate::search::{Asked, Filter};

/// Hands out every word of an entry.
pub(super) fn of_entry(entry: &Entry, each: &mut dyn FnMut(u64)) {
    let mut word = |kind: &str, word: &str| each(number(kind, word));
    word("type", entry.kind.as_str());
    if let Some(actor) = &entry.actor {
        word("actor", actor.as_str());
    }
    if let Some(case) = &entry.case {
        word("case", case.as_str());
    }
    for country in entry.recipient.iter().chain(entry.countries.keys()) {
        word("country", country.as_str());
    }
    for dataset in &entry.datasets {
        word("dataset", dataset.as_str());
    }
    if let Some(purpose) = entry.purpose {
        word("purpose", purpose.as_str());
    }
    if let Some(decision) = &entry.decision {
        word("outcome", decision);
    }
    if let Some(result) = entry.result {
        word("outcome", result.as_str());
    }
    for end in entry.countries.values() {
        word("outcome", end.outcome.as_str());
    }
    for rule in entry.rule.iter().flat_map(|rules| rules.split(',')) {
        word("rule", rule);
    }
    if let Some(policy) = &entry.policy {
        word("policy", policy.as_str());
    }
    if let Some(question) = &entry.question {
        word("question", &question.to_string());
    }
    if let Some(digest) = &entry.question_digest {
        word("digest", digest.as_str());
    }
}

/// The words that an entry of this log must have to fit. Times are no words.
pub(super) fn of_filter(filter: &Filter, log: &LogName) -> Vec<u64> {
    let Filter {
        from: _,
        to: _,
        country,
        dataset,
        purpose,
        kind,
        outcome,
        rule,
        policy,
        question,
        actor,
        case,
    } = filter;
    let mut terms = Vec::new();
    let mut word = |kind: &str, word: &str| terms.push(number(kind, word));
    // Every entry of a country's own log is about the country.
    if let Some(country) = country.as_ref().filter(|country| log.country() != Some(country)) {
        word("country", country.as_str());
    }
    if let Some(dataset) = dataset {
        word("dataset", dataset.as_str());
    }
    if let Some(purpose) = purpose {
        word("purpose", purpose.as_str());
    }
    if let Some(kind) = kind {
        word("type", kind.as_str());
    }
    if let Some(outcome) = outcome {
        word("outcome", outcome);
    }
    if let Some(rule) = rule {
        word("rule", rule);
    }
    if let Some(policy) = policy {
        word("policy", policy.as_str());
    }
    match question {
        Some(Asked::Id(id)) => word("question", &id.to_string()),
        Some(Asked::Digest(digest)) => word("digest", digest.as_str()),
        None => (),
    }
    if let Some(actor) = actor {
        word("actor", actor.as_str());
    }
    if let Some(case) = case {
        word("case", case.as_str());
    }
    terms
}

fn number(kind: &str, word: &str) -> u64 {
    let bytes = kind.bytes().chain([0]).chain(word.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
