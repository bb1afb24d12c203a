//! Two predicates have the same descriptor exactly if the same rows pass both.

use crate::release::{MeasureOf, Output, Release, WireMeasure};
use mayag_policies::catalogue::{Catalogue, Dataset};
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

/// Small public domains, so that all rows can be tried.
const JSON: &str = r#"{"version": 1, "datasets": [{"name": "d", "about": "x",
  "units": [{"column": "who"}], "columns": [
    {"name": "who", "about": "x", "kind": {"type": "unit"}},
    {"name": "region", "about": "x", "kind": {"type": "category", "values": ["a", "b", "c"]}, "required": true},
    {"name": "code", "about": "x", "kind": {"type": "category", "values": ["1", "11", "11a", "11b", "12"]},
      "levels": [{"name": "head", "about": "x", "is": {"prefix": 2}}
        , {"name": "group", "about": "x", "is": {"groups": {"groups": {"one": ["1"], "two": ["11", "11a", "11b"]}, "other": "rest"}}}]},
    {"name": "hour", "about": "x", "kind": {"type": "number"}, "range": {"from": 0, "to": 4},
      "levels": [{"name": "band", "about": "x", "is": {"bands": {"edges": [1, 3], "names": ["low", "mid", "top"]}}}]},
    {"name": "at", "about": "x", "kind": {"type": "date"}, "range": {"from": "2023-12-30", "to": "2024-01-03"}}
  ]}]}"#;

const CODES: [&str; 5] = ["1", "11", "11a", "11b", "12"];
/// 2023-12-30.
const FIRST_DAY: i32 = 19_721;
const DAYS: i32 = 5;
const DAYS_WIDE: i64 = 5;

type Row = BTreeMap<&'static str, Option<Literal>>;

fn dataset() -> Dataset {
    Catalogue::parse(JSON.as_bytes()).unwrap().dataset("d").unwrap().clone()
}

fn level(column: &str, grain: Option<Grain>) -> LevelRef {
    LevelRef { column: column.parse().unwrap(), grain }
}

fn release(filter: Predicate, keys: Vec<LevelRef>) -> Release {
    Release {
        dataset: "d".parse().unwrap(),
        counted: None,
        keys,
        filter,
        wire: vec![WireMeasure { of: MeasureOf::Rows, filter: None }],
        outputs: vec![Output::Direct(0)],
    }
}

/// Every row that the public domains allow.
fn rows() -> Vec<Row> {
    let text = |text: &str| Some(Literal::Text(text.to_owned()));
    let mut rows = Vec::new();
    for region in ["a", "b", "c"] {
        for code in CODES.map(text).into_iter().chain([None]) {
            for hour in (0..5).map(|hour| Some(Literal::Int(hour))).chain([None]) {
                for at in
                    (FIRST_DAY..FIRST_DAY + DAYS).map(|day| Some(Literal::Date(day))).chain([None])
                {
                    rows.push(BTreeMap::from([
                        ("region", text(region)),
                        ("code", code.clone()),
                        ("hour", hour.clone()),
                        ("at", at),
                        ("country", text("kr")),
                    ]));
                }
            }
        }
    }
    rows
}

fn value(row: &Row, of: &LevelRef, dataset: &Dataset) -> Option<Literal> {
    let named = dataset.named(of).unwrap();
    let base = named.column().map_or("country", |column| column.name.as_str());
    named.of(row[base].as_ref())
}

/// SQL's three-valued logic, spelt out.
fn passes(row: &Row, predicate: &Predicate, dataset: &Dataset) -> Option<bool> {
    let inner = |part: &Predicate| passes(row, part, dataset);
    match predicate {
        Predicate::All(parts) => worst(parts.iter().map(inner), Some(false)),
        Predicate::Any(parts) => worst(parts.iter().map(inner), Some(true)),
        Predicate::Not(part) => inner(part).map(|passes| !passes),
        Predicate::IsNull { level } => Some(value(row, level, dataset).is_none()),
        Predicate::In { level, values } => Some(values.contains(&value(row, level, dataset)?)),
        Predicate::Compare { level, comparison, value: with } => {
            Some(super::holds(&value(row, level, dataset)?, *comparison, with))
        }
    }
}

/// `decides` if any part says it, unknown if any is, and otherwise the opposite.
fn worst(parts: impl Iterator<Item = Option<bool>>, decides: Option<bool>) -> Option<bool> {
    let parts: Vec<_> = parts.collect();
    if parts.contains(&decides) {
        decides
    } else {
        decides.filter(|_| !parts.contains(&None)).map(|decides| !decides)
    }
}

fn leaf() -> BoxedStrategy<Predicate> {
    let texts = |words: &'static [&'static str]| {
        proptest::sample::select(words).prop_map(|word| Literal::Text(word.to_owned())).boxed()
    };
    let day = (FIRST_DAY - 3..FIRST_DAY + DAYS + 3).prop_map(Literal::Date).boxed();
    let of = move |column: &str, grain, values: BoxedStrategy<Literal>| {
        (Just(level(column, grain)), values).boxed()
    };
    let mut levels = vec![
        of("region", None, texts(&["a", "b", "c", "d"])),
        of("code", None, texts(&["1", "11", "11a", "0", "11aa"])),
        of("code_head", None, texts(&["1", "11", "12", "112", "", "0"])),
        of("code_group", None, texts(&["one", "two", "rest", "oo"])),
        of("hour", None, (-1..6_i64).prop_map(Literal::Int).boxed()),
        of("hour_band", None, texts(&["low", "mid", "top", "n"])),
        of("country", None, texts(&["kr", "us"])),
    ];
    levels.extend(Grain::ALL.map(|grain| of("at", Some(grain), day.clone())));
    let pick = proptest::strategy::Union::new(levels);
    let comparison = proptest::sample::select(vec![
        Comparison::Equal,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::NotEqual,
    ]);
    (pick, comparison, any::<u8>())
        .prop_map(|((level, value), comparison, kind)| match kind % 8 {
            0 => Predicate::IsNull { level },
            1 => Predicate::In { level, values: vec![value] },
            2 => Predicate::Not(Box::new(Predicate::In { level, values: vec![value] })),
            _ => Predicate::Compare { level, comparison, value },
        })
        .boxed()
}

fn predicates() -> BoxedStrategy<Predicate> {
    leaf()
        .prop_recursive(4, 10, 3, |inner| {
            let several = proptest::collection::vec(inner.clone(), 1..3);
            proptest::prop_oneof![
                several.clone().prop_map(Predicate::All),
                several.prop_map(Predicate::Any),
                inner.prop_map(|part| Predicate::Not(Box::new(part))),
            ]
        })
        .boxed()
}

/// Which rows pass, one bit each.
fn table(rows: &[Row], predicate: &Predicate, dataset: &Dataset) -> Vec<bool> {
    rows.iter().map(|row| passes(row, predicate, dataset) == Some(true)).collect()
}

fn generated(cases: usize) -> Vec<Predicate> {
    let mut runner = TestRunner::new(Config::default());
    (0..cases).map(|_| predicates().new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn the_same_rows_and_only_they_have_the_same_descriptor() {
    let (dataset, rows, own) = (dataset(), rows(), "kr".parse().unwrap());
    let (mut by_rows, mut by_descriptor) = (BTreeMap::new(), BTreeMap::new());
    for predicate in generated(3000) {
        let table = table(&rows, &predicate, &dataset);
        let said = release(predicate.clone(), Vec::new()).descriptor(&[], &dataset, &own).unwrap();
        let (known, first) =
            by_rows.entry(table.clone()).or_insert_with(|| (said.clone(), predicate.clone()));
        assert_eq!(*known, said, "the same rows:\n{first:?}\n{predicate:?}");
        let (known, first) =
            by_descriptor.entry(said).or_insert_with(|| (table.clone(), predicate.clone()));
        assert_eq!(*known, table, "different rows:\n{first:?}\n{predicate:?}");
    }
    assert!(by_rows.len() > 300, "only {} different predicates", by_rows.len());
}

#[test]
fn keys_populations_and_the_rows_of_a_policy_are_conditions_like_any_other() {
    let (dataset, rows, own) = (dataset(), rows(), "kr".parse().unwrap());
    let keys =
        vec![level("code_head", None), level("at", Some(Grain::Month)), level("country", None)];
    let text = |text: &str| Some(Literal::Text(text.to_owned()));
    let cells = [
        vec![text("11"), Some(Literal::Date(FIRST_DAY + 2)), text("kr")],
        vec![None, None, text("kr")],
        vec![text("12"), Some(Literal::Date(FIRST_DAY - 29)), text("kr")],
    ];
    let parts = generated(60);
    for [filter, policy, population] in parts.as_chunks::<3>().0 {
        let release = release(filter.clone(), keys.clone());
        let sets = release.row_sets(policy, &dataset, &own).unwrap();
        for cell in &cells {
            let mut all = vec![population.clone(), policy.clone(), filter.clone()];
            for (level, value) in keys.iter().zip(cell) {
                all.push(match value {
                    Some(value) => {
                        Predicate::In { level: level.clone(), values: vec![value.clone()] }
                    }
                    None => Predicate::IsNull { level: level.clone() },
                });
            }
            let whole = self::release(Predicate::All(all), Vec::new());
            assert_eq!(
                sets.descriptor(Some(population), cell).unwrap(),
                whole.descriptor(&[], &dataset, &own).unwrap()
            );
        }
    }
    let everything = release(Predicate::everything(), Vec::new()).descriptor(&[], &dataset, &own);
    let all = Predicate::Not(Box::new(Predicate::Any(Vec::new())));
    assert_eq!(everything, release(all, Vec::new()).descriptor(&[], &dataset, &own));
    assert_eq!(rows.len(), 648);
}

#[test]
fn an_open_domain_keeps_apart_what_could_differ() {
    use Comparison::{Equal, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let (before, rest) = JSON.split_once(", {\"name\": \"group\"").unwrap();
    let (_, after) = rest.split_once("]},\n").unwrap();
    let json = format!("{before}]}},\n{after}")
        .replace(r#", "values": ["1", "11", "11a", "11b", "12"]"#, "");
    let catalogue = Catalogue::parse(json.as_bytes()).unwrap();
    let (dataset, own) = (catalogue.dataset("d").unwrap(), "kr".parse().unwrap());
    let code = |comparison, text: &str| Predicate::Compare {
        level: level("code", None),
        comparison,
        value: Literal::Text(text.to_owned()),
    };
    let head = |comparison, text: &str| Predicate::Compare {
        level: level("code_head", None),
        comparison,
        value: Literal::Text(text.to_owned()),
    };
    let said = |predicate: Predicate| {
        release(predicate, Vec::new()).descriptor(&[], dataset, &own).unwrap()
    };
    let same = [
        (head(Equal, "11"), Predicate::All(vec![code(GreaterOrEqual, "11"), code(Less, "12")])),
        (head(Equal, "1"), code(Equal, "1")),
        (head(LessOrEqual, "112"), head(LessOrEqual, "11")),
        (code(NotEqual, "x"), Predicate::Not(Box::new(code(Equal, "x")))),
        (code(LessOrEqual, "x"), code(Less, "x\0")),
    ];
    for (a, b) in same {
        assert_eq!(said(a.clone()), said(b.clone()), "{a:?} {b:?}");
    }
    let different = [
        (code(LessOrEqual, "x"), code(Less, "x")),
        (code(NotEqual, "x"), Predicate::everything()),
        (head(Equal, "11"), code(Equal, "11")),
        (code(Equal, "x"), code(Equal, "y")),
    ];
    for (a, b) in different {
        assert_ne!(said(a.clone()), said(b.clone()), "{a:?} {b:?}");
    }
}

#[test]
fn the_largest_prefix_has_nothing_behind_it() {
    assert_eq!(super::behind_prefix("a\u{10FFFF}"), Some(Literal::Text("b".to_owned())));
    assert_eq!(super::behind_prefix("\u{10FFFF}"), None);
    assert_eq!(super::behind_prefix("\u{D7FF}"), Some(Literal::Text("\u{E000}".to_owned())));
}

#[test]
fn a_predicate_too_large_for_a_diagram_still_has_a_descriptor() {
    let (dataset, own) = (dataset(), "kr".parse().unwrap());
    // One alternative for each pair of days and codes: more places than a diagram may have is not reached by far.
    let parts = (0..120).map(|i| {
        Predicate::All(vec![
            Predicate::Compare {
                level: level("hour", None),
                comparison: Comparison::Equal,
                value: Literal::Int(i % 5),
            },
            Predicate::Compare {
                level: level("at", Some(Grain::Day)),
                comparison: Comparison::Equal,
                value: Literal::Date(FIRST_DAY + i32::try_from(i % DAYS_WIDE).unwrap()),
            },
            Predicate::Compare {
                level: level("code", None),
                comparison: Comparison::Equal,
                value: Literal::Text(CODES[usize::try_from(i * 7 % 5).unwrap()].to_owned()),
            },
        ])
    });
    let filter = Predicate::Any(parts.collect());
    assert!(release(filter, Vec::new()).descriptor(&[], &dataset, &own).unwrap().len() > 50);
}
