//! Spellings of the same cell have one description, other cells another one.

use super::{Describer, Part, holds};
use mayag_disclosure::Descriptor;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};

fn catalogue() -> Catalogue {
    let text = r#"{"version":1,"datasets":[{"name":"t","about":"t","units":[{"column":"u"}],"columns":[
        {"name":"u","about":"u","kind":{"type":"unit"}},
        {"name":"drug","about":"d","kind":{"type":"category","values":["a","b","c"]},
         "levels":[{"name":"group","about":"g","is":{"groups":{"groups":{"ab":["a","b"]},"other":"rest"}}}]},
        {"name":"route","about":"r","kind":{"type":"category"}},
        {"name":"day","about":"d","kind":{"type":"date"},"required":true,"range":{"from":"2024-01-01","to":"2024-12-31"}}]}]}"#;
    Catalogue::parse(text.as_bytes()).unwrap()
}

fn level(column: &str) -> LevelRef {
    LevelRef { column: column.parse().unwrap(), grain: None }
}

fn grain(grain: Grain) -> LevelRef {
    LevelRef { column: "day".parse().unwrap(), grain: Some(grain) }
}

fn text(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

fn is(column: &str, value: &str) -> Predicate {
    Predicate::Compare { level: level(column), comparison: Comparison::Equal, value: text(value) }
}

fn one_of(column: &str, values: &[&str]) -> Predicate {
    Predicate::In { level: level(column), values: values.iter().map(|value| text(value)).collect() }
}

fn not(part: Predicate) -> Predicate {
    Predicate::Not(Box::new(part))
}

fn known(column: &str) -> Predicate {
    not(Predicate::IsNull { level: level(column) })
}

fn described(filter: &Predicate, keys: &[(&LevelRef, Option<Literal>)]) -> Descriptor {
    let catalogue = catalogue();
    let (country, everything) = ("kr".parse().unwrap(), Predicate::everything());
    let dataset = catalogue.dataset("t").unwrap();
    Describer::new(&country, dataset, &everything, filter).describe(keys, Part::Everything)
}

#[test]
fn spellings_of_one_cell_are_one_description() {
    let group = level("drug_group");
    let same = [
        described(&one_of("drug", &["a", "b"]), &[]),
        described(&one_of("drug", &["b", "a", "b"]), &[]),
        described(&Predicate::Any(vec![is("drug", "a"), is("drug", "b")]), &[]),
        described(&is("drug_group", "ab"), &[]),
        described(&Predicate::everything(), &[(&group, Some(text("ab")))]),
        described(&Predicate::All(vec![not(is("drug", "c")), known("drug")]), &[]),
        described(&not(is("drug", "c")), &[]),
        described(&Predicate::All(vec![one_of("drug", &["a", "b"]), is("country", "kr")]), &[]),
        described(&one_of("drug", &["a", "b", "nothing"]), &[]),
    ];
    for (i, other) in same.iter().enumerate() {
        assert_eq!(*other, same[0], "{i}");
    }
    let everything = described(&Predicate::everything(), &[]);
    assert_ne!(same[0], everything);
    let all = Predicate::Any(vec![known("drug"), Predicate::IsNull { level: level("drug") }]);
    assert_eq!(described(&all, &[]), everything, "a condition that all pass vanishes");
    assert_ne!(described(&is("country", "jp"), &[]), everything);
    assert_ne!(described(&known("drug"), &[]), everything);
}

#[test]
fn periods_are_sets_of_days() {
    let quarter = Predicate::Compare {
        level: grain(Grain::Quarter),
        comparison: Comparison::Equal,
        value: Literal::Date(19_723),
    };
    let months = Predicate::In {
        level: grain(Grain::Month),
        values: [19_723, 19_754, 19_783].map(Literal::Date).to_vec(),
    };
    let days = Predicate::Compare {
        level: grain(Grain::Day),
        comparison: Comparison::Less,
        value: Literal::Date(19_814),
    };
    assert_eq!(described(&quarter, &[]), described(&months, &[]));
    assert_eq!(described(&quarter, &[]), described(&days, &[]));
    let month = grain(Grain::Month);
    assert_ne!(
        described(&quarter, &[(&month, Some(Literal::Date(19_754)))]),
        described(&quarter, &[])
    );
}

#[test]
fn open_domains_and_parts_are_described_as_written() {
    let either = |a: &str, b: &str| Predicate::Any(vec![is("route", a), is("drug", b)]);
    assert_eq!(
        described(&Predicate::Any(vec![is("drug", "b"), is("route", "a")]), &[]),
        described(&either("a", "b"), &[])
    );
    assert_ne!(described(&either("a", "b"), &[]), described(&either("b", "a"), &[]));
    let route = level("route");
    assert_eq!(
        described(&is("route", "sea"), &[]),
        described(&Predicate::everything(), &[(&route, Some(text("sea")))])
    );
    assert_eq!(described(&is("route", "sea"), &[]), described(&one_of("route", &["sea"]), &[]));

    let catalogue = catalogue();
    let (country, everything) = ("kr".parse().unwrap(), Predicate::everything());
    let dataset = catalogue.dataset("t").unwrap();
    let mut describer = Describer::new(&country, dataset, &everything, &everything);
    let filter = is("drug", "a");
    let part = describer.describe(&[], Part::Where(&filter));
    let rest = describer.describe(&[], Part::Except(&filter));
    assert_eq!(part, described(&filter, &[]));
    assert_ne!(rest, part);
    assert_eq!(describer.describe(&[], Part::Everything), described(&everything, &[]));
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
