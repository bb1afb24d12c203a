//! The rule of verdicts on made-up answers.

use super::{Runs, Verdict, Way, differences, kept, spilled};
use crate::attacks::fixture::{Database, TARGET};
use crate::attacks::said::{Answer, Cells, Said, Value};
use mayag_protocol::outcome::Outcome;

fn answer(rows: &[(&str, Option<f64>)]) -> Said {
    let rows = rows
        .iter()
        .map(|(key, number)| {
            let status = if number.is_some() { "noisy" } else { "suppressed" };
            vec![
                Value::Text((*key).to_owned()),
                number.map_or(Value::Null, Value::Number),
                Value::Text(status.to_owned()),
            ]
        })
        .collect();
    let cells = Cells {
        columns: ["region", "n", "n_status"].map(str::to_owned).to_vec(),
        keys: vec![0],
        rows,
    };
    Said::Answered(Answer {
        countries: vec![(TARGET.to_owned(), Outcome::Answered)],
        refusals: Vec::new(),
        merged: Some(cells),
        signed: Vec::new(),
        undecided: 0,
    })
}

/// Eight runs in each database; `said` gets the database and the number of the run.
fn runs(said: impl Fn(Database, u32) -> Vec<Said>) -> Runs {
    Database::ALL
        .into_iter()
        .map(|database| {
            let one = |run| said(database, run).into_iter().map(|said| vec![said]).collect();
            (database, (0..8).map(one).collect())
        })
        .collect()
}

fn noise(database: Database, run: u32) -> f64 {
    f64::from((run * 7 + database as u32 * 3) % 9) - 4.0
}

#[test]
fn an_exact_number_that_differs_leaks() {
    let exact = runs(|database, _| {
        vec![answer(&[("NL-ZE", Some(if database == Database::Minus { 13.0 } else { 14.0 }))])]
    });
    let found = differences(&exact);
    assert!(found.iter().any(|d| d.database == Database::Minus && d.way == Way::Above));
    assert!(!found.iter().any(|d| d.database == Database::Changed), "{found:?}");
}

#[test]
fn noise_of_the_size_of_the_difference_keeps_it() {
    let noisy = runs(|database, run| {
        let truth = if database == Database::Minus { 13.0 } else { 14.0 };
        vec![answer(&[("NL-ZE", Some(truth + noise(database, run)))])]
    });
    assert_eq!(differences(&noisy), []);
    assert_eq!(kept(&noisy), Verdict::Protected);
}

#[test]
fn noise_that_two_statements_share_leaks() {
    let tracker = runs(|database, run| {
        let shared = noise(database, run);
        let truth = if database == Database::Minus { 13.0 } else { 14.0 };
        vec![answer(&[("", Some(truth + shared))]), answer(&[("", Some(13.0 + shared))])]
    });
    let found = differences(&tracker);
    assert!(found.iter().any(|d| d.feature.starts_with("s0 merged - s1 merged")), "{found:?}");
}

#[test]
fn a_row_that_is_there_or_not_leaks() {
    let row = runs(|database, run| {
        let mut rows = vec![("NL-ZH", Some(20.0 + noise(database, run)))];
        if database != Database::Minus {
            rows.push(("NL-ZE", None));
        }
        vec![answer(&rows)]
    });
    assert!(differences(&row).iter().any(|d| d.feature == "s0 merged rows"));
    let withheld = runs(|_, _| vec![answer(&[("NL-ZE", None)])]);
    assert_eq!((differences(&withheld), kept(&withheld)), (Vec::new(), Verdict::Suppressed));
}

#[test]
fn refusals_that_depend_on_data_leak() {
    let same = runs(|_, _| vec![Said::Refused("no".to_owned())]);
    assert_eq!((differences(&same), kept(&same)), (Vec::new(), Verdict::Refused));
    let other = runs(|database, _| vec![Said::Refused(format!("no: {}", database.name()))]);
    assert_eq!(differences(&other).len(), 2);
}

#[test]
fn words_of_the_engine_and_hidden_values_are_found() {
    let say = |text: &str| {
        let text = text.to_owned();
        runs(move |_, _| vec![Said::Refused(text.clone())])
    };
    assert!(spilled(&say("Cannot cast string 'x' to value of Int32"), "").contains("Cannot cast"));
    assert!(spilled(&say("tip of KESTREL"), "").contains("KESTREL"));
    assert!(spilled(&say("person P-1042"), "SELECT 'P-0042'").contains("P-1042"));
    assert!(spilled(&say("column `P-0042`"), "SELECT 'P-0042'").is_empty());
}
