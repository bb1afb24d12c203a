//! Charges a ledger without end, for the test that kills it: one line for each charge that was granted.

use mayag_audit::keys::{random_question_id, sha256};
use mayag_node::ledger::{Budget, Charge, Ledger};
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(path) = arguments.next() else { return ExitCode::FAILURE };
    let Ok(ledger) = Ledger::open(path.as_ref()) else { return ExitCode::FAILURE };
    let budget = Budget { person: None, country: None, dataset: Some(2_000) };
    loop {
        let Some(charge) = one(budget) else { return ExitCode::FAILURE };
        let spent = ledger.charge(Timestamp::from_millis(0), &charge).is_ok();
        let said = writeln!(std::io::stdout(), "{}", u8::from(spent));
        if said.is_err() || !spent {
            return ExitCode::SUCCESS;
        }
    }
}

fn one(budget: Budget) -> Option<Charge> {
    Some(Charge {
        question: random_question_id().ok()?,
        person: sha256(b"ana"),
        country: "kr".parse().ok()?,
        datasets: BTreeMap::from([("a".parse().ok()?, budget)]),
    })
}
