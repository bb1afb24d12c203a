//! What a column is called is all that a refusal may say about it: whether it exists is not.
//!
//! A column that the catalogue hides exists in no plan, so it can stand anywhere, also where no column can. One that only
//! the policy does not share is in everybody's catalogue; what is compared there is a question that would be answered if
//! it were shared.

use super::catalogues::{Setting, parsed};
use super::dice::Dice;
use super::plan_and_decide;
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
use mayag_protocol::refusal::Refusal;

/// Names that are drawn for every place where a column can stand.
const NAMES: usize = 6;

/// Ways to write the same name.
const WAYS: [fn(&str) -> String; 3] =
    [|name| name.to_owned(), str::to_uppercase, |name| format!("\"{name}\"")];

/// The longest name that a column can have.
const LONGEST: usize = 63;

/// Where a category can stand. `T` is the dataset, `K` another category, `X` the column.
const CATEGORY: [&str; 16] = [
    "SELECT X, count(*) FROM T GROUP BY X",
    "SELECT K, X AS other, count(*) FROM T GROUP BY 2, 1",
    "SELECT DISTINCT X FROM T",
    "SELECT count(*) FROM T WHERE X = 'a'",
    "SELECT count(*) FROM T WHERE K = 'a' OR NOT (X IN ('a', 'b'))",
    "SELECT K, count(*) FROM T WHERE X IS NULL GROUP BY K",
    "SELECT K, count(*) FILTER (WHERE X = 'a') AS n FROM T GROUP BY K",
    "SELECT count(X) FROM T",
    "SELECT K, count(*), count(X) AS n FROM T GROUP BY K",
    "SELECT X, count(*) FROM T GROUP BY X ORDER BY X",
    "SELECT X, count(*) AS n FROM T GROUP BY ROLLUP (X) ORDER BY n DESC LIMIT 3",
    "SELECT q.X FROM (SELECT t.X, count(*) AS n FROM T t GROUP BY t.X) q WHERE n > 3",
    "WITH q AS (SELECT K, count(*) AS n FROM T WHERE X = 'a' GROUP BY K) SELECT max(n) FROM q",
    "SELECT K, count(*) AS n FROM (SELECT K, X FROM T) q GROUP BY K, X",
    "SELECT count(*) AS n FROM T UNION ALL SELECT count(X) FROM T",
    "SELECT K, count(*) AS n FROM T GROUP BY K HAVING count(X) > 3",
];

/// Where a measure can stand.
const MEASURE: [&str; 4] = [
    "SELECT sum(X) FROM T",
    "SELECT K, avg(X) AS v FROM T GROUP BY K ORDER BY v",
    "SELECT K, sum(X) FILTER (WHERE K = 'a') AS v FROM T GROUP BY K",
    "SELECT max(v) FROM (SELECT K, sum(X) AS v FROM T GROUP BY K) q",
];

/// Where a unit can stand.
const UNIT: [&str; 2] =
    ["SELECT count(DISTINCT X) FROM T", "SELECT K, count(DISTINCT X) AS n FROM T GROUP BY K"];

/// Where a date can stand.
const DATE: [&str; 3] = [
    "SELECT date_trunc('month', X) AS m, count(*) FROM T GROUP BY 1",
    "SELECT count(*) FROM T WHERE X >= DATE '2024-01-01'",
    "SELECT K, count(*) FROM T WHERE date_trunc('year', X) = DATE '2024-01-01' GROUP BY K",
];

/// Where nothing of the kind can stand.
const NOWHERE: [&str; 15] = [
    "SELECT X FROM T",
    "SELECT K, count(*) FROM T GROUP BY K ORDER BY X",
    "SELECT min(X), max(X) FROM T",
    "SELECT count(*) FROM T WHERE X = K",
    "SELECT count(*) FROM T WHERE X + 1 = 2",
    "SELECT count(*) FROM T WHERE upper(X) LIKE 'a%'",
    "SELECT K, count(*) FILTER (WHERE cast(X AS int) = 1) FROM T GROUP BY K",
    "SELECT a.K, count(*) FROM T a JOIN T b ON a.X = b.X GROUP BY a.K",
    "SELECT count(*) FROM T a JOIN T b USING (X)",
    "SELECT * EXCEPT (X) FROM T",
    "SELECT count(*) FROM T WHERE K IN (SELECT X FROM T)",
    "SELECT (SELECT max(X) FROM T) AS m, count(*) FROM T",
    // Each with a mistake that has a hint.
    "SELECT X, count(*) FROM T GROUP BY X FETCH FIRST 3 ROWS ONLY",
    "SELECT TOP 3 X, count(*) FROM T GROUP BY X",
    "SELECT X, count(*) FROM T WHERE K = \"nobody\" GROUP BY X",
];

#[test]
fn unknown_and_hidden_columns_are_indistinguishable() {
    for setting in Setting::all() {
        let everywhere = CATEGORY.iter().chain(&MEASURE).chain(&UNIT).chain(&DATE).chain(&NOWHERE);
        for hidden in &setting.table.hidden {
            let mut dice = Dice::new(31);
            for template in everywhere.clone() {
                for _ in 0..NAMES {
                    let way = dice.below(WAYS.len());
                    let question = |name: &str| with(&setting, template, &WAYS[way](name));
                    alike(&setting, hidden, &question, &mut dice);
                }
            }
        }
    }
}

#[test]
fn unknown_and_hidden_columns_are_indistinguishable_in_random_questions() {
    for setting in Setting::all() {
        let hidden = setting.table.hidden[0];
        let mut compared = 0;
        for seed in 0..600 {
            let mut dice = Dice::new(1_000_000 + seed);
            let sql = setting.table.question(&mut dice).sql;
            let categories = &setting.table.categories;
            let Some((column, _)) = categories.iter().find(|(name, _)| sql.contains(name)) else {
                continue;
            };
            alike(&setting, hidden, &|name: &str| sql.replace(column, name), &mut dice);
            compared += 1;
        }
        assert!(100 < compared, "{compared}");
    }
}

#[test]
fn unknown_and_unshared_columns_are_indistinguishable() {
    for setting in Setting::all() {
        let table = &setting.table;
        // The first category stays: it is what else is asked for.
        let categories = table.categories.iter().skip(1).map(|(name, _)| (*name, &CATEGORY[..]));
        let others =
            [(table.measure, &MEASURE[..]), (table.unit, &UNIT[..]), (table.date, &DATE[..])];
        for (column, templates) in categories.chain(others) {
            let without = not_sharing(&setting, column);
            let mut dice = Dice::new(57);
            for template in templates {
                let shared = plan_and_decide(&setting, &with(&setting, template, column));
                assert!(shared.is_ok(), "not even if it is shared: {template}: {shared:?}");
                for _ in 0..NAMES {
                    let way = dice.below(WAYS.len());
                    let question = |name: &str| with(&setting, template, &WAYS[way](name));
                    alike(&without, column, &question, &mut dice);
                }
            }
        }
    }
}

/// The same with a policy that does not share this column.
fn not_sharing(setting: &Setting, column: &str) -> Setting {
    let mut document = setting.document.clone();
    let columns = document["grants"][0]["columns"].as_object_mut().unwrap();
    columns.remove(column).expect("a column that is shared");
    let policy = parsed(&document, &setting.catalogue).unwrap_or_else(|faults| panic!("{faults}"));
    Setting { policy, document, ..setting.clone() }
}

fn with(setting: &Setting, template: &str, name: &str) -> String {
    let words = template.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let put = |word: &str| {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_').len();
        let (word, rest) = word.split_at(end);
        let put = match word {
            "K" => setting.table.categories[0].0,
            "T" => setting.table.name,
            "X" => name,
            other => other,
        };
        format!("{put}{rest}")
    };
    words.map(put).collect()
}

/// A name of any length that no column, level or period of the catalogue has, and no word of SQL is.
fn name(setting: &Setting, dice: &mut Dice) -> String {
    const FIRST: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
    const OTHER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
    let columns = || setting.catalogue.datasets.iter().flat_map(|dataset| &dataset.columns);
    loop {
        let length = 1 + dice.below(LONGEST);
        let mut name = String::from(char::from(*dice.of(FIRST)));
        while name.len() < length {
            name.push(char::from(*dice.of(OTHER)));
        }
        let word = ALL_KEYWORDS.contains(&name.to_uppercase().as_str());
        if !word
            && name != "country"
            && columns().all(|column| !name.starts_with(column.name.as_str()))
        {
            return name;
        }
    }
}

/// Refused in the same words, whatever the column that does not exist is called.
fn alike(setting: &Setting, there: &str, question: &dyn Fn(&str) -> String, dice: &mut Dice) {
    let name = name(setting, dice);
    let (known, unknown) = (question(there), question(&name));
    // As it was written, or in small letters.
    let renamed = said(setting, &known)
        .replace(there, &name)
        .replace(&there.to_uppercase(), &name.to_uppercase());
    assert_eq!(renamed, said(setting, &unknown), "{known}\n{unknown}");
}

/// Every word of the refusal. Places in the text move with the length of names, and say nothing else.
fn said(setting: &Setting, sql: &str) -> String {
    match plan_and_decide(setting, sql) {
        Ok(_) => panic!("answered: {sql}"),
        Err(Refusal { code, rule, subject, hint }) => {
            let place = hint.starts_with("look at line ");
            let hint = if place { "look at a place" } else { &hint };
            format!("{code} {rule} {subject:?}: {hint}")
        }
    }
}
