//! Every limit is named when it is passed, and nothing hostile crashes the guard.

use super::{DEEPEST_NESTING, DEEPEST_REPEATING, LONGEST_SQL, MOST_SELECTS, check_text};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
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
fn what_the_engine_writes_out_twice_is_not_nested_deeply() {
    let check = |sql: &str| {
        let functions = ["coalesce", "count", "nullif"].map(str::to_owned).into();
        let mut statements =
            Parser::parse_sql(&GenericDialect {}, sql).expect("the test's own SQL");
        super::check_tree(&statements.remove(0), &functions)
    };
    let nested = |depth: usize| {
        let (open, close) = ("coalesce(".repeat(depth), ",'x')".repeat(depth));
        check(&format!("SELECT {open}drug{close}, count(*) FROM seizures GROUP BY 1"))
    };
    assert_eq!(nested(DEEPEST_REPEATING), Ok(()));
    let refusal = nested(DEEPEST_REPEATING + 1).unwrap_err();
    assert_eq!(refusal.code, Code::TooComplex);
    let others = "((((((coalesce(a, b) BETWEEN 1 AND 2) IN (true)) IN (true)) IN (true)) IN (true)) IN (true)) IN (true)";
    assert_eq!(check(&format!("SELECT {others} FROM t")).unwrap_err().code, Code::TooComplex);
    // Beside each other there may be many.
    let many = vec!["coalesce(nullif(a, 0), 0)"; 40].join(", ");
    assert_eq!(check(&format!("SELECT {many} FROM t")), Ok(()));
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
