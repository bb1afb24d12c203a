//! Random questions to real federations, and the answers against the naive implementation.
//!
//! Every country's signed cells are compared with loops over its rows. Where numbers are exact: what is shown is right
//! and no rule forbids it, and where no rule asks for anything to be withheld, nothing is. Where they are noisy: what is
//! shown is no further from the truth than the noise can be, has enough units, says how noisy it is, and is the same
//! when it is asked again. The merged table is folded again by hand.

use super::catalogues::Setting;
use super::checks::{Asked, Seen};
use super::dice::Dice;
use mayag_integration_tests::attacks::corpus::Statement;
use mayag_integration_tests::attacks::federation::{Crew, Federation, Regime};
use mayag_integration_tests::attacks::fixture::{COUNTRIES, Database};
use mayag_integration_tests::attacks::said::{Answer, Said};
use mayag_queries::plan::plan;

/// Questions to each federation; with all six countries and the gateway on one machine.
const QUESTIONS: u64 = 150;

#[derive(Debug, Default)]
struct Asking {
    answered: usize,
    refused: usize,
    cells: Seen,
}

#[test]
fn exact_answers_are_those_of_a_naive_implementation() {
    let seen = ask_everything(&Setting::parcels(), Regime::Exact);
    assert!(100 < seen.cells.merged, "{seen:?}");
}

#[test]
fn noisy_answers_are_as_close_to_the_truth_as_the_noise_says() {
    ask_everything(&Setting::persons(), Regime::Live);
}

fn ask_everything(setting: &Setting, regime: Regime) -> Asking {
    let statement = |sql: &str| Statement { sql: sql.to_owned(), ..Statement::parse("") };
    let mut federation = Federation::start(Database::Whole, regime, &Crew::of(&[&statement("")]));
    let rows = Database::Whole.rows();
    let mut seen = Asking::default();
    for seed in 0..QUESTIONS {
        let question = setting.table.question(&mut Dice::new(20_000_000 + seed));
        let said = federation.send(&statement(&question.sql)).remove(0);
        let told = format!("seed {seed}: {}\n", question.sql);
        match &said {
            Said::Answered(answer) => {
                seen.answered += 1;
                let silent = answer.countries.iter().any(|(_, outcome)| !outcome.answered());
                assert!(!silent, "{told}{:?}", answer.countries);
                if let Some(meaning) = &question.meaning {
                    let releases = &plan(&question.sql, &setting.catalogue).unwrap().releases;
                    let (sql, rows, countries) = (&question.sql, &rows, &COUNTRIES);
                    let asked = Asked { setting, sql, meaning, releases, rows, countries, regime };
                    check(&asked, answer, &mut seen.cells);
                }
                if regime == Regime::Live && seed % 8 == 0 {
                    let again = federation.send(&statement(&question.sql)).remove(0);
                    assert_eq!(said, again, "{told}");
                }
            }
            Said::Refused(text) => {
                seen.refused += 1;
                assert!(question.spoilt, "{told}{text}");
            }
            // A division by what is withheld, and the like: the tail says so, in words of its own.
            Said::Failed(text) => assert!(text.contains("the countries answered"), "{told}{text}"),
        }
    }
    assert!(50 < seen.answered && 40 < seen.refused && 100 < seen.cells.withheld, "{seen:?}");
    seen
}

fn check(asked: &Asked<'_>, answer: &Answer, seen: &mut Seen) {
    asked.check_signed(&answer.signed, seen);
    if asked.meaning.sets.len() == 1 {
        let merged = answer.merged.as_ref().expect("a table");
        asked.check_merged(merged, &answer.signed, seen);
    }
}
