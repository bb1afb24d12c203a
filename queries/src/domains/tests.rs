//! SQL's logic of what is not known, and what a filter leaves of a public list.

use super::{combinations, domain, holds};
use mayag_policies::catalogue::Catalogue;
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};

fn level(column: &str) -> LevelRef {
    LevelRef { column: column.parse().unwrap(), grain: None }
}

fn is(column: &str, value: &str) -> Predicate {
    Predicate::Compare {
        level: level(column),
        comparison: Comparison::Equal,
        value: Literal::Text(value.to_owned()),
    }
}

fn one_of(column: &str, values: &[&str]) -> Predicate {
    let values = values.iter().map(|value| Literal::Text((*value).to_owned()));
    Predicate::In { level: level(column), values: values.collect() }
}

fn not(part: Predicate) -> Predicate {
    Predicate::Not(Box::new(part))
}

#[test]
fn nothing_known_is_neither_true_nor_false() {
    let unknown = |_: &LevelRef| None;
    let a = is("drug", "a");
    assert_eq!(holds(&a, &unknown), None);
    assert_eq!(holds(&not(a.clone()), &unknown), None);
    assert_eq!(
        holds(&Predicate::Any(vec![a.clone(), Predicate::everything()]), &unknown),
        Some(true)
    );
    assert_eq!(holds(&Predicate::All(vec![a, Predicate::Any(vec![])]), &unknown), Some(false));
    assert_eq!(holds(&one_of("drug", &[]), &unknown), Some(false));
    assert_eq!(holds(&Predicate::IsNull { level: level("drug") }, &unknown), Some(true));
}

#[test]
fn what_a_filter_excludes_is_not_listed() {
    let text = r#"{"version":1,"datasets":[{"name":"t","about":"t","units":[{"column":"u"}],"columns":[
        {"name":"u","about":"u","kind":{"type":"unit"}},
        {"name":"drug","about":"d","kind":{"type":"category","values":["a","b","c"]},
         "levels":[{"name":"group","about":"g","is":{"groups":{"groups":{"ab":["a","b"]},"other":"rest"}}}]},
        {"name":"route","about":"r","kind":{"type":"category"}},
        {"name":"day","about":"d","kind":{"type":"date"},"required":true,
         "range":{"from":"2024-01-01","to":"2024-12-31"}}]}]}"#;
    let catalogue = Catalogue::parse(text.as_bytes()).unwrap();
    let country = "kr".parse().unwrap();
    let dataset = catalogue.dataset("t").unwrap();
    let listed = |key: &LevelRef, filter: Predicate| -> Option<Vec<Option<String>>> {
        let text =
            |value: Literal| format!("{value:?}").chars().filter(|c| c.is_alphanumeric()).collect();
        Some(
            domain(dataset, &country, key, &filter)?
                .into_iter()
                .map(|value| value.map(text))
                .collect(),
        )
    };
    let texts = |values: &[&str], nothing: bool| {
        let some = values.iter().map(|value| Some(format!("Text{value}")));
        Some(some.chain(nothing.then_some(None)).collect::<Vec<_>>())
    };
    let (drug, group) = (level("drug"), level("drug_group"));
    let either = Predicate::Any(vec![is("drug", "a"), is("route", "sea")]);
    assert_eq!(listed(&drug, Predicate::everything()), texts(&["a", "b", "c"], true));
    assert_eq!(listed(&drug, one_of("drug", &["b", "x"])), texts(&["b"], false));
    assert_eq!(listed(&drug, is("drug_group", "ab")), texts(&["a", "b"], false));
    assert_eq!(listed(&drug, not(is("drug", "a"))), texts(&["b", "c"], false));
    assert_eq!(listed(&drug, either), texts(&["a", "b", "c"], true));
    assert_eq!(listed(&group, one_of("drug", &["c"])), texts(&["rest"], false));
    assert_eq!(listed(&drug, is("country", "jp")), Some(vec![]));
    assert_eq!(listed(&level("route"), is("drug", "a")), None);
    let quarter = LevelRef { column: "day".parse().unwrap(), grain: Some(Grain::Quarter) };
    let late = Predicate::Compare {
        level: LevelRef { column: "day".parse().unwrap(), grain: Some(Grain::Day) },
        comparison: Comparison::GreaterOrEqual,
        value: Literal::Date(19_890),
    };
    assert_eq!(listed(&quarter, late).map(|quarters| quarters.len()), Some(3));
}

#[test]
fn combinations_are_counted_only_where_all_are_public_and_few_enough() {
    let of = |values: usize| Some(vec![None; values]);
    assert_eq!(combinations(&[]), Some(1));
    assert_eq!(combinations(&[of(3), of(4)]), Some(12));
    assert_eq!(combinations(&[of(3), of(0)]), Some(0));
    assert_eq!(combinations(&[of(200), of(100)]), Some(20_000));
    assert_eq!(combinations(&[of(200), of(101)]), None);
    assert_eq!(combinations(&[of(20_001), of(0)]), None, "in the order of the keys");
    assert_eq!(combinations(&[of(3), None]), None);
}
