//! Which keys a filter fixes.

use super::is_fixed;
use mayag_policies::shape::{Comparison, LevelRef, Literal, Predicate};

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
fn a_filter_fixes_a_key_where_it_leaves_one_value() {
    let drug = level("drug");
    let both = |part: Predicate| Predicate::All(vec![is("route", "sea"), part]);
    for fixes in [is("drug", "a"), both(one_of("drug", &["a"]))] {
        assert!(is_fixed(&fixes, &drug), "{fixes:?}");
    }
    let leaves = [
        both(one_of("drug", &["a", "b"])),
        is("route", "sea"),
        not(is("drug", "a")),
        Predicate::Any(vec![is("drug", "a"), is("route", "sea")]),
        Predicate::everything(),
    ];
    for leaves in leaves {
        assert!(!is_fixed(&leaves, &drug), "{leaves:?}");
    }
}
