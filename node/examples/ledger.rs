//! Charges a ledger without end, for the test that kills it: one line for each charge that was granted. With `searches` it
//! charges lookups of one identifier, from eight threads at once.

use mayag_audit::keys::{random_question_id, sha256};
use mayag_node::ledger::{Budget, Charge, Ledger, SearchBudget, SearchCharge};
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

/// Requesters at once.
const REQUESTERS: usize = 8;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(path) = arguments.next() else { return ExitCode::FAILURE };
    let Ok(ledger) = Ledger::open(path.as_ref()) else { return ExitCode::FAILURE };
    let now = Timestamp::from_millis(0);
    if arguments.next().is_none() {
        return charge(|| Some(ledger.charge(now, &one()?).is_ok()));
    }
    std::thread::scope(|scope| {
        for _ in 0..REQUESTERS {
            scope.spawn(|| charge(|| Some(ledger.charge_search(now, &one_search()?).is_ok())));
        }
    });
    ExitCode::SUCCESS
}

/// Says of each charge whether it was granted, until one is not.
fn charge(granted: impl Fn() -> Option<bool>) -> ExitCode {
    loop {
        let Some(spent) = granted() else { return ExitCode::FAILURE };
        let said = writeln!(std::io::stdout(), "{}", u8::from(spent));
        if said.is_err() || !spent {
            return ExitCode::SUCCESS;
        }
    }
}

fn one() -> Option<Charge> {
    let budget = Budget { person: None, country: None, dataset: Some(2_000) };
    Some(Charge {
        question: random_question_id().ok()?,
        person: sha256(b"ana"),
        country: "kr".parse().ok()?,
        datasets: BTreeMap::from([("a".parse().ok()?, budget)]),
    })
}

fn one_search() -> Option<SearchCharge> {
    let budget = SearchBudget { person: None, country: None, table: Some(1_000) };
    Some(SearchCharge {
        question: random_question_id().ok()?,
        person: sha256(b"ana"),
        country: "kr".parse().ok()?,
        identifiers: 1,
        tables: BTreeMap::from([("a".parse().ok()?, budget)]),
    })
}
