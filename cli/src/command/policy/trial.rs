//! `mayag policy test`: questions and lookups with the decision and the rule that an administrator expects.

use super::asking::{Asker, decided};
use super::site::{self, PolicyFault};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::Subject;
use mayag_policies::document::Policy;
use mayag_policies::expectation::{
    Asked, Expectation, Expected, ExpectedLookup, TestFile, WhoCountry,
};
use mayag_policies::lookups::decide_lookup;
use mayag_protocol::names::{Country, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use mayag_transport::files;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Decide the questions and lookups of test files and compare with what they expect
#[derive(Debug, Args)]
#[command(after_help = "\
A test names who asks or searches what for which purpose, and expects `allow` or `refuse`, perhaps with the rule and the code that
decide. No data is read. Grants that no test exercises are listed. Ends with 0 if every expectation holds, with 1 if one
does not, or if there is no test at all. `mayag policy schema --tests` prints the schema of the files.

Example:
  mayag policy test ./kr/policy.json ./kr/policy.tests.json")]
pub(super) struct TestArgs {
    /// The policy, signed or not
    policy: PathBuf,
    /// The test files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The catalogue; the one built in if not given
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Decide as of this instant, such as 2026-01-01T00:00:00Z; now if not given
    #[arg(long, value_name = "INSTANT")]
    at: Option<Timestamp>,
}

pub(super) fn run(args: &TestArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let catalogue = site::catalogue(args.catalogue.as_deref())?;
    let policy = site::policy(&args.policy, &catalogue)?;
    let now = args.at.unwrap_or_else(|| SystemClock.now());
    let mut trial = Trial { policy: &policy, catalogue: &catalogue, now, used: BTreeSet::new() };
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for path in &args.files {
        let bytes = files::read(path, mayag_policies::expectation::LONGEST).map_err(site::file)?;
        let tests = TestFile::parse(&bytes)
            .map_err(|error| PolicyFault::File(format!("{}: {error}", path.display())))?;
        for test in &tests.tests {
            let faults = trial.faults(test);
            let verdict = if faults.is_empty() { "PASS" } else { "FAIL" };
            let mut lines = vec![format!("{verdict}  {}", test.name)];
            lines.extend(faults.iter().map(|fault| format!("      {fault}")));
            site::print(printer, &lines)?;
            if faults.is_empty() { passed += 1 } else { failed += 1 }
        }
    }
    let untested: Vec<String> = policy
        .grant_ids()
        .filter(|grant| !trial.used.contains(grant.as_str()))
        .map(ToString::to_string)
        .collect();
    if !untested.is_empty() {
        let line = format!("grants that no test exercises: {}", untested.join(", "));
        printer.line(&line).map_err(site::file)?;
    }
    printer.line(&format!("{passed} passed, {failed} failed")).map_err(site::file)?;
    if passed + failed == 0 {
        return Err(PolicyFault::Refused("there is no test in these files".to_owned()));
    }
    Ok(if failed == 0 { Exit::Complete } else { Exit::Error })
}

/// Decides tests, and remembers which grants decided.
struct Trial<'a> {
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    now: Timestamp,
    used: BTreeSet<String>,
}

/// What a question or lookup came to.
struct Came {
    answered: bool,
    rules: Vec<String>,
    code: Option<String>,
}

impl Trial<'_> {
    /// Where the decisions of a test are not the expected ones: at most three, the others are alike.
    fn faults(&mut self, test: &Expectation) -> Vec<String> {
        let mut faults = Vec::new();
        for (asker, purpose) in self.people(test) {
            let subject = asker.for_purpose(purpose);
            let came = match &test.asked {
                Asked::Lookup(lookup) => self.came_of_lookup(&subject, lookup),
                Asked::Sql(sql) => self.came(&subject, sql),
            };
            faults.extend(
                fault(test, &came).map(|fault| format!("{} for {purpose}: {fault}", asker.words())),
            );
        }
        faults.truncate(MOST_FAULTS);
        faults
    }

    fn came(&mut self, subject: &Subject, sql: &str) -> Came {
        match decided(self.policy, self.catalogue, subject, self.now, sql) {
            Ok(permits) => {
                let rules: Vec<String> =
                    permits.iter().map(mayag_policies::decide::Permit::grants).collect();
                self.used.extend(rules.iter().cloned());
                Came { answered: true, rules, code: None }
            }
            Err(refusal) => self.refused(refusal),
        }
    }

    fn came_of_lookup(&mut self, subject: &Subject, lookup: &ExpectedLookup) -> Came {
        let ExpectedLookup { table, kind, elements } = lookup;
        match decide_lookup(self.policy, subject, self.now, table, kind, *elements) {
            Ok(permit) => {
                let rules: Vec<String> = permit.grants().iter().map(ToString::to_string).collect();
                self.used.extend(rules.iter().cloned());
                Came { answered: true, rules, code: None }
            }
            Err(refusal) => self.refused(refusal),
        }
    }

    /// A grant that says how fine or how large it goes decides too.
    fn refused(&mut self, refusal: Refusal) -> Came {
        self.used.insert(refusal.rule.clone());
        Came { answered: false, rules: vec![refusal.rule], code: Some(refusal.code.to_string()) }
    }

    /// Everybody a test is about: what it leaves open stands for all.
    fn people(&self, test: &Expectation) -> Vec<(Asker, Purpose)> {
        let countries: Vec<Country> = match &test.who.country {
            // Every country that the policy names, and one that stands for all others.
            WhoCountry::Any => {
                self.policy.named_countries().into_iter().chain("zz".parse().ok()).collect()
            }
            WhoCountry::This(country) => vec![country.clone()],
        };
        let roles: Vec<Vec<Role>> = match &test.who.role {
            Some(role) => vec![vec![role.clone()]],
            None => self
                .policy
                .named_roles()
                .into_iter()
                .map(|role| vec![role])
                .chain([vec![]])
                .collect(),
        };
        let purposes: Vec<Purpose> =
            test.purpose.map_or_else(|| Purpose::ALL.to_vec(), |one| vec![one]);
        let mut people = Vec::new();
        for country in &countries {
            for roles in &roles {
                let asker = Asker { country: country.clone(), roles: roles.clone() };
                people.extend(purposes.iter().map(|purpose| (asker.clone(), *purpose)));
            }
        }
        people
    }
}

/// More people than this are not listed under a failed test.
const MOST_FAULTS: usize = 3;

fn fault(test: &Expectation, came: &Came) -> Option<String> {
    let how = |came: &Came| match &came.code {
        None => format!("allowed by {}", came.rules.join(", ")),
        Some(code) => format!("refused with {code} by {}", came.rules.join(", ")),
    };
    let expected = match (test.expect, &test.rule, &test.code) {
        (Expected::Allow, None, _) => "allow".to_owned(),
        (Expected::Allow, Some(rule), _) => format!("allow by {rule}"),
        (Expected::Refuse, None, None) => "refuse".to_owned(),
        (Expected::Refuse, rule, code) => {
            let code = code.map(|code| format!(" with {code}")).unwrap_or_default();
            let rule = rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
            format!("refuse{code}{rule}")
        }
    };
    let verdict = came.answered == (test.expect == Expected::Allow);
    let rule = test.rule.as_ref().is_none_or(|rule| came.rules.contains(rule));
    let code = test.code.is_none_or(|code| came.code == Some(code.to_string()));
    (!(verdict && rule && code)).then(|| format!("expected {expected}, was {}", how(came)))
}
