//! Every limit is named when it is passed, and nothing hostile crashes the guard.

use super::{DEEPEST_NESTING, LONGEST_SQL, MOST_SELECTS, check_text};
use mayag_protocol::refusal::Code;

fn limit(sql: &str) -> String {
    let refusal = check_text(sql).unwrap_err();
    assert_eq!(refusal.code, Code::TooComplex, "{refusal}");
    refusal.subject.unwrap()
}

#[test]
fn every_limit_is_named() {
    assert_eq!(limit(&"x".repeat(LONGEST_SQL + 1)), "bytes of SQL");
    assert_eq!(limit(&format!("SELECT {}", "1,".repeat(8000))), "tokens");
    assert_eq!(limit(&format!("SELECT 1{}", " OR 1".repeat(2500))), "operators");
    assert_eq!(limit(&format!("SELECT 1{}", "+a".repeat(257))), "operators");
    assert_eq!(limit(&"(".repeat(DEEPEST_NESTING + 1)), "levels of nesting");
    assert_eq!(limit(&"CASE WHEN a THEN ".repeat(DEEPEST_NESTING + 1)), "levels of nesting");
    assert_eq!(limit(&"SELECT ".repeat(MOST_SELECTS + 1)), "SELECTs");
    assert_eq!(limit(&"a JOIN ".repeat(25)), "joins and set operations");
}

#[test]
fn ordinary_questions_pass() {
    for sql in [
        "SELECT region, count(*) FROM seizures GROUP BY region",
        &format!("SELECT a FROM t WHERE b IN ({})", vec!["'x'"; 2000].join(",")),
        "-- only a comment",
        "",
    ] {
        assert_eq!(check_text(sql), Ok(()), "{sql}");
    }
}

#[test]
fn our_own_column_names_cannot_be_used() {
    assert_eq!(check_text("SELECT 1 AS \"__MAYAG_1\"").unwrap_err().code, Code::NotSupported);
}

#[test]
fn text_that_is_no_sql_is_refused_with_its_place() {
    let refusal = check_text("SELECT\n 'open").unwrap_err();
    assert_eq!(
        (refusal.code, refusal.hint.as_str()),
        (Code::SqlNotReadable, "look at line 2, column 2")
    );
}
