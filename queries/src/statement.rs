//! What a text asks for: data, or to be told what there is to ask for.
//!
//! Catalogue questions never reach the engine's catalogue: `SHOW TABLES`, `DESCRIBE`, `EXPLAIN` and `information_schema` are
//! answered from the catalogue and the policies, by the same words as `mayag datasets` and `mayag ask --dry-run`. Told by
//! tokens alone, so that a text is what it looks like.

use crate::guard::{check_text, unreadable};
use crate::information::{SCHEMA, TABLES};
use crate::plan::refuse;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};
use mayag_protocol::names::DatasetName;
use mayag_protocol::refusal::Refusal;

/// What a text asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `DESCRIBE dataset`, `DESC dataset`, `SHOW COLUMNS FROM dataset`: what is shared of it.
    Describe(DatasetName),
    /// `EXPLAIN SELECT ..`: what would be answered. Holds the question, as written.
    Explain(String),
    /// `SELECT .. FROM information_schema.tables` or `.columns`: SQL over the list of what is shared
    /// ([`crate::information`]). Holds the question, as written.
    Information(String),
    /// A question about data; [`crate::plan()`] says whether it can be asked.
    Select,
    /// `SHOW TABLES`: the datasets.
    ShowTables,
}

/// Tells what a text asks for. `EXPLAIN` with any option and every other statement are refused.
pub fn statement(sql: &str) -> Result<Statement, Refusal> {
    check_text(sql)?;
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| unreadable(Some((error.location.line, error.location.column))))?;
    let tokens: Vec<&TokenWithSpan> = significant(&tokens);
    let kinds: Vec<&Token> = tokens.iter().map(|token| &token.token).collect();
    match kinds.as_slice() {
        [Token::LParen, ..] if reads_information(&kinds) => {
            Ok(Statement::Information(sql.to_owned()))
        }
        [Token::LParen, ..] => Ok(Statement::Select),
        [Token::Word(first), rest @ ..] => match (first.keyword, rest) {
            (Keyword::SELECT | Keyword::WITH, _) if reads_information(&kinds) => {
                Ok(Statement::Information(sql.to_owned()))
            }
            (Keyword::SELECT | Keyword::WITH, _) => Ok(Statement::Select),
            (Keyword::SHOW, [Token::Word(what)]) if what.keyword == Keyword::TABLES => {
                Ok(Statement::ShowTables)
            }
            (Keyword::SHOW, [Token::Word(what), Token::Word(from), Token::Word(name)])
                if what.keyword == Keyword::COLUMNS
                    && matches!(from.keyword, Keyword::FROM | Keyword::IN) =>
            {
                described(name)
            }
            (Keyword::DESCRIBE | Keyword::DESC, [Token::Word(name)]) => described(name),
            (Keyword::DESCRIBE | Keyword::DESC, [Token::Word(table), Token::Word(name)])
                if table.keyword == Keyword::TABLE =>
            {
                described(name)
            }
            (Keyword::EXPLAIN, [second, ..]) if begins_a_query(second) => {
                let rest = tokens.get(1).and_then(|token| from(sql, token));
                rest.map(|rest| Statement::Explain(rest.to_owned()))
                    .ok_or_else(refuse::not_one_select)
            }
            _ => Err(refuse::not_one_select()),
        },
        _ => Err(refuse::not_one_select()),
    }
}

/// The tokens without white space, comments and final semicolons.
fn significant(tokens: &[TokenWithSpan]) -> Vec<&TokenWithSpan> {
    let mut kept: Vec<_> = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect();
    while kept.last().is_some_and(|token| token.token == Token::SemiColon) {
        kept.pop();
    }
    kept
}

/// Whether any table that is read is one of the information schema.
fn reads_information(kinds: &[&Token]) -> bool {
    kinds.windows(4).any(|tokens| match tokens {
        [from, Token::Word(schema), Token::Period, Token::Word(table)] => {
            let reads = matches!(from, Token::Comma)
                || matches!(from, Token::Word(word) if matches!(word.keyword, Keyword::FROM | Keyword::JOIN));
            reads && named(schema) == SCHEMA && TABLES.contains(&named(table).as_str())
        }
        _ => false,
    })
}

fn begins_a_query(token: &Token) -> bool {
    // `EXPLAIN (ANALYZE) SELECT ..` is no query in brackets, and not told apart from one here.
    matches!(token, Token::Word(word) if matches!(word.keyword, Keyword::SELECT | Keyword::WITH))
}

/// An unknown dataset is described like one that is not shared: by the one who answers.
fn described(name: &Word) -> Result<Statement, Refusal> {
    let text = named(name);
    text.parse().map(Statement::Describe).map_err(|_| refuse::dataset(&text))
}

/// A name as the engine reads it.
fn named(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_ascii_lowercase() }
}

/// The text from a token on.
fn from<'a>(sql: &'a str, token: &TokenWithSpan) -> Option<&'a str> {
    let start = token.span.start;
    let lines_before = usize::try_from(start.line).ok()?.checked_sub(1)?;
    let before = usize::try_from(start.column).ok()?.checked_sub(1)?;
    let mut rest = sql;
    for _ in 0..lines_before {
        rest = rest.split_once('\n')?.1;
    }
    let (at, _) = rest.char_indices().nth(before)?;
    rest.get(at..)
}

#[cfg(test)]
mod tests {
    use super::{Statement, statement};
    use mayag_protocol::refusal::Code;

    #[test]
    fn questions_about_the_catalogue_are_told_from_questions_about_data() {
        let labs = || Statement::Describe("labs".parse().unwrap());
        let explain = |sql: &str| Statement::Explain(sql.to_owned());
        let information = |sql: &str| Statement::Information(sql.to_owned());
        for (sql, expected) in [
            ("SELECT 1", Statement::Select),
            ("-- hello\n ( select 1 )", Statement::Select),
            ("with a as (select 1) select * from a", Statement::Select),
            ("show /* all */ tables ;", Statement::ShowTables),
            ("DESCRIBE labs", labs()),
            ("desc LABS;", labs()),
            ("DESCRIBE TABLE labs", labs()),
            ("SHOW COLUMNS FROM labs", labs()),
            ("EXPLAIN SELECT 1", explain("SELECT 1")),
            (
                "SELECT * FROM information_schema.tables",
                information("SELECT * FROM information_schema.tables"),
            ),
            (
                "(with t as (select 1 from a, INFORMATION_SCHEMA . \"columns\") select * from t)",
                information(
                    "(with t as (select 1 from a, INFORMATION_SCHEMA . \"columns\") select * from t)",
                ),
            ),
            // No table of it is read: questions about data, and refused as such.
            ("SELECT 'FROM information_schema.tables' FROM labs", Statement::Select),
            ("SELECT information_schema.tables FROM labs", Statement::Select),
            ("SELECT * FROM \"INFORMATION_SCHEMA\".tables", Statement::Select),
            ("SELECT * FROM information_schema.views", Statement::Select),
            (
                "EXPLAIN SELECT * FROM information_schema.tables",
                explain("SELECT * FROM information_schema.tables"),
            ),
            (
                "/* é\n */ explain\n  WITH a AS (SELECT 'é') SELECT 1",
                explain("WITH a AS (SELECT 'é') SELECT 1"),
            ),
        ] {
            assert_eq!(statement(sql), Ok(expected), "{sql}");
        }
    }

    #[test]
    fn every_other_statement_is_refused() {
        for sql in [
            "",
            ";",
            "EXPLAIN",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN VERBOSE SELECT 1",
            "EXPLAIN FORMAT TREE SELECT 1",
            "EXPLAIN (ANALYZE) SELECT 1",
            "EXPLAIN EXPLAIN SELECT 1",
            "EXPLAIN labs",
            "SHOW ALL",
            "SHOW TABLES FROM x",
            "SHOW FUNCTIONS",
            "SHOW FULL COLUMNS FROM labs",
            "DESCRIBE SELECT 1",
            "DESCRIBE a.b",
            "SET a = 1",
            "DELETE FROM labs",
            "TABLE labs",
            "VALUES (1)",
            "FROM labs",
            "COPY labs TO 'x'",
        ] {
            assert_eq!(statement(sql).unwrap_err().code, Code::NotOneSelect, "{sql}");
        }
        assert_eq!(statement("DESCRIBE \"/etc/passwd\"").unwrap_err().code, Code::NoGrant);
        assert_eq!(statement("SELECT 'open").unwrap_err().code, Code::SqlNotReadable);
        assert_eq!(statement(&" ".repeat(1 << 20)).unwrap_err().code, Code::TooComplex);
    }
}
