//! The time of a decision: planning and policy of sixteen questions of analysts, and checking a long policy with errors.
//!
//! The questions are those of the domain's reference, adapted to levels and declared joins (`domain.sql`), decided
//! under the example policy over the wide catalogue. Nothing is read or executed. The limits are times, so the figures
//! are the share of a limit that is used.

use crate::report;
use mayag_audit::keys::sha256;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Subject, decide};
use mayag_policies::document::Policy;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

const QUESTIONS: &str = include_str!("domain.sql");
const POLICY: &str = include_str!("../../../policies/examples/domain.json");

/// Noon of 2026-11-01, when the example is in force.
const NOW: i64 = 1_793_534_400_000;

/// Rounds over all questions; the first few warm up and are not counted.
const ROUNDS: usize = 260;
const WARM: usize = 10;

/// Times of checking the long policy.
const CHECKS: usize = 21;

/// The limit of one decision, at the 99th percentile.
const DECISION: Duration = Duration::from_millis(2);

/// The limit of checking the long policy.
const CHECK: Duration = Duration::from_millis(100);

const LINES: usize = 2_000;
const ERRORS: usize = 20;

/// Runs the benchmark.
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let catalogue = Catalogue::domain_pack();
    let policy = Policy::parse(POLICY.as_bytes(), &catalogue, sha256).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    })?;
    let subject = Subject {
        country: "au".parse()?,
        roles: vec!["analyst".parse()?],
        purpose: Purpose::Trend,
    };
    let one = |sql: &str| -> Result<(), Refusal> {
        let plan = mayag_queries::plan::plan(sql, &catalogue)?;
        for release in &plan.releases {
            let now = Timestamp::from_millis(NOW);
            decide(&policy, &catalogue, &subject, now, &release.shape())?;
        }
        Ok(())
    };
    let questions: Vec<&str> = QUESTIONS.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut times = Vec::new();
    let mut permitted = 0;
    for (i, sql) in questions.iter().enumerate() {
        match one(sql) {
            Ok(()) => permitted += 1,
            Err(refusal) => report::line(&format!("question {}: {refusal}", i + 1)),
        }
    }
    for round in 0..ROUNDS {
        for sql in &questions {
            let before = Instant::now();
            drop(one(sql));
            if WARM <= round {
                times.push(before.elapsed());
            }
        }
    }
    times.sort();
    report::line(&format!(
        "{permitted} of {} questions are permitted; median {:.3} ms",
        questions.len(),
        milliseconds(percentile(&times, 50))
    ));
    let long = long_policy();
    let mut checks = Vec::new();
    let mut found = 0;
    for _ in 0..CHECKS {
        let before = Instant::now();
        found = Policy::parse(long.as_bytes(), &Catalogue::builtin(), sha256)
            .map_or_else(|problems| problems.len(), |_| 0);
        checks.push(before.elapsed());
    }
    checks.sort();
    report::line(&format!(
        "the policy has {} lines; {found} problems found, {ERRORS} made",
        long.lines().count()
    ));
    let decision =
        comparison("decision p99 vs 2 ms", percentile(&times, 99), DECISION, times.len());
    let check = comparison("policy check vs 100 ms", percentile(&checks, 50), CHECK, CHECKS);
    report::line(&decision);
    report::line(&check);
    Ok(())
}

fn comparison(name: &str, time: Duration, limit: Duration, count: usize) -> String {
    let ratio = time.as_secs_f64() / limit.as_secs_f64();
    format!("{name}: ratio {ratio:.2} (goal <= 1.00; {count} runs, {:.3} ms)", milliseconds(time))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The percentile of sorted times.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

/// A policy of about two thousand lines, in which every tenth grant has a column that does not exist: twenty errors.
fn long_policy() -> String {
    let grant = |i: usize| {
        let column = if i % 10 == 9 && i / 10 < ERRORS { "dug" } else { "drug" };
        // No two grants say the same, which would be an error too.
        let min_units = 10 + i;
        format!(
            "    {{\n      \"id\": \"g{i}\",\n      \"why\": \"a long policy\",\n      \"to\": {{ \"countries\": \"any\", \"roles\": [\"analyst\"] }},\n      \"purposes\": [\"TREND\"],\n      \"dataset\": \"seizures\",\n      \"min_units\": {min_units},\n      \"columns\": {{\n        \"{column}\": {{ \"dimension\": {{}} }}\n      }}\n    }}"
        )
    };
    // Ten lines a grant.
    let grants: Vec<String> = (0..LINES / 10).map(grant).collect();
    format!(
        "{{\n  \"policy\": \"kr\",\n  \"serial\": 1,\n  \"valid_from\": \"2026-01-01T00:00:00Z\",\n  \"valid_until\": \"2027-01-01T00:00:00Z\",\n  \"why\": \"a long policy\",\n  \"grants\": [\n{}\n  ]\n}}\n",
        grants.join(",\n")
    )
}
