//! Bounds a question's text before anything recursive or quadratic sees it.
//!
//! The engine overflows the stack on a thousand `OR`s and plans in time quadratic to depth, so nothing unbounded may
//! reach it: [`check_text`] looks at the tokens before parsing, [`check_tree`] at what the parser made of them. Both say
//! which limit was passed, and both depend on the text alone.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    GroupByExpr, ObjectName, Query, Select, Statement, TableFactor, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use mayag_protocol::refusal::{Code, Refusal};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// The rule that the refusals of this module name.
const RULE: &str = "token-guard";

/// Bytes of SQL. The longest question of the domain has 500.
pub const LONGEST_SQL: usize = 16 * 1024;
/// Tokens, without white space and comments.
pub const MOST_TOKENS: usize = 8192;
/// Operators, and the words that act like one. The engine's own recursion survives 256 with the planner's stack.
pub const MOST_OPERATORS: usize = 256;
/// Open brackets and `CASE`s at one place.
pub const DEEPEST_NESTING: usize = 40;
/// `SELECT`s, `VALUES` and `TABLE`s.
pub const MOST_SELECTS: usize = 24;
/// Joins and set operations. A comma in `FROM` counts as a read.
pub const MOST_JOINS: usize = 24;
/// Texts put together with `||` or `concat`: each step may double a text, and the memory pool does not see it.
pub const MOST_TEXTS: usize = 16;
/// What the engine writes out by repeating an argument, such as `coalesce`, inside each other: each step doubles what it
/// plans, before any memory pool sees it.
pub const DEEPEST_REPEATING: usize = 6;
/// Functions of this sort.
const REPEATING: [&str; 5] = ["coalesce", "ifnull", "nullif", "nvl", "nvl2"];
/// Bytes of the format of a date: what stands for a day's name is a third as long as the name.
pub const LONGEST_FORMAT: usize = 32;
/// What a `%` in the format of a date may be followed by. Another letter makes the engine fail when it runs.
const OF_DATES: &str = "%AaBbdeFGjmqUuVYy";
/// Groupings of one `GROUP BY`: each is a release of its own.
pub const MOST_GROUPINGS: usize = 16;
/// Tables and queries read after every `WITH` was put in where it is used: doubling ones multiply.
pub const MOST_READS: u64 = 32;

/// What our own columns in a tail begin with; no question may name one.
pub(crate) const RESERVED: &str = "__mayag";

/// Checks the tokens of a question.
pub fn check_text(sql: &str) -> Result<(), Refusal> {
    at_most(sql.len(), LONGEST_SQL, "bytes of SQL")?;
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .map_err(|error| unreadable(Some((error.location.line, error.location.column))))?;
    let (mut count, mut operators, mut selects, mut joins, mut open, mut cases) =
        (0, 0, 0, 0, 0_usize, 0_usize);
    for token in &tokens {
        match kind(token) {
            Kind::Space => continue,
            Kind::Open => open += 1,
            Kind::Close => open = open.saturating_sub(1),
            Kind::Case => (operators, cases) = (operators + 1, cases + 1),
            Kind::End => cases = cases.saturating_sub(1),
            Kind::Operator => operators += 1,
            Kind::Select => selects += 1,
            Kind::Join => joins += 1,
            Kind::Reserved => {
                return Err(
                    Refusal::new(Code::NotSupported, RULE, "choose another name").about(RESERVED)
                );
            }
            Kind::Other => {}
        }
        count += 1;
        at_most(count, MOST_TOKENS, "tokens")?;
        at_most(operators, MOST_OPERATORS, "operators")?;
        at_most(open + cases, DEEPEST_NESTING, "levels of nesting")?;
        at_most(selects, MOST_SELECTS, "SELECTs")?;
        at_most(joins, MOST_JOINS, "joins and set operations")?;
    }
    Ok(())
}

/// Checks what the parser made of the text: functions by name, and how often `WITH` queries multiply.
pub(crate) fn check_tree(
    statement: &Statement,
    functions: &BTreeSet<String>,
) -> Result<(), Refusal> {
    let mut reads = Reads { frames: vec![Frame::default()], functions, texts: 0, repeating: 0 };
    match statement.visit(&mut reads) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

/// The refusal of a text that is not SQL, with the place at most: parsers quote what they found.
pub(crate) fn unreadable(place: Option<(u64, u64)>) -> Refusal {
    let hint = match place {
        Some((line, column)) if line > 0 => format!("look at line {line}, column {column}"),
        _ => "check spelling, brackets, GROUP BY and the arguments of functions".to_owned(),
    };
    Refusal::new(Code::SqlNotReadable, "sql", hint)
}

fn at_most<N: Copy + PartialOrd + std::fmt::Display>(
    found: N,
    limit: N,
    what: &str,
) -> Result<(), Refusal> {
    if found <= limit {
        return Ok(());
    }
    let hint = format!("at most {limit} {what}: ask several smaller questions");
    Err(Refusal::new(Code::TooComplex, RULE, hint).about(what))
}

enum Kind {
    Case,
    Close,
    End,
    Join,
    Open,
    Operator,
    Other,
    Reserved,
    Select,
    Space,
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a symbol that is not listed counts as an operator: the strict side"
)]
fn kind(token: &Token) -> Kind {
    match token {
        Token::Whitespace(_) | Token::EOF => Kind::Space,
        Token::LParen | Token::LBracket | Token::LBrace => Kind::Open,
        Token::RParen | Token::RBracket | Token::RBrace => Kind::Close,
        Token::Word(word) if word.value.to_ascii_lowercase().contains(RESERVED) => Kind::Reserved,
        Token::Word(word) => word_kind(word.keyword),
        Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::Number(..)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::TripleSingleQuotedByteStringLiteral(_)
        | Token::TripleDoubleQuotedByteStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_)
        | Token::TripleSingleQuotedRawStringLiteral(_)
        | Token::TripleDoubleQuotedRawStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::QuoteDelimitedStringLiteral(_)
        | Token::NationalQuoteDelimitedStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Placeholder(_) => Kind::Other,
        _ => Kind::Operator,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a thousand keywords, of which these count")]
fn word_kind(keyword: Keyword) -> Kind {
    match keyword {
        Keyword::CASE => Kind::Case,
        Keyword::END => Kind::End,
        Keyword::SELECT | Keyword::VALUES | Keyword::TABLE => Kind::Select,
        Keyword::JOIN
        | Keyword::APPLY
        | Keyword::UNION
        | Keyword::EXCEPT
        | Keyword::INTERSECT
        | Keyword::MINUS => Kind::Join,
        Keyword::AND
        | Keyword::AT
        | Keyword::BETWEEN
        | Keyword::COLLATE
        | Keyword::DIV
        | Keyword::ILIKE
        | Keyword::IN
        | Keyword::IS
        | Keyword::LIKE
        | Keyword::MATCH
        | Keyword::NOT
        | Keyword::NOTNULL
        | Keyword::OPERATOR
        | Keyword::OR
        | Keyword::OVERLAPS
        | Keyword::PRIOR
        | Keyword::REGEXP
        | Keyword::RLIKE
        | Keyword::SIMILAR
        | Keyword::WHEN
        | Keyword::XOR => Kind::Operator,
        _ => Kind::Other,
    }
}

/// One query while its parts are visited.
#[derive(Default)]
struct Frame {
    /// What the query is called, where it is one of a `WITH`.
    name: Option<String>,
    /// Tables and queries it reads so far.
    reads: u64,
    /// What one use of each `WITH` query costs.
    costs: BTreeMap<String, u64>,
    /// The queries of its `WITH` by address: the visitor does not say where it is.
    names: BTreeMap<usize, String>,
}

struct Reads<'a> {
    frames: Vec<Frame>,
    functions: &'a BTreeSet<String>,
    /// Texts put together so far.
    texts: usize,
    /// How many expressions that are repeated the one being read is inside of.
    repeating: usize,
}

impl Visitor for Reads<'_> {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Refusal> {
        let name = self.frames.last().and_then(|frame| frame.names.get(&address(query)).cloned());
        let mut frame = Frame { name, reads: 1, ..Frame::default() };
        if let Some(with) = &query.with {
            if with.recursive {
                return ControlFlow::Break(not_supported("WITH RECURSIVE"));
            }
            for table in &with.cte_tables {
                frame.names.insert(
                    address(&table.query),
                    normal(&table.alias.name.value, table.alias.name.quote_style),
                );
            }
        }
        let ignored = !query.locks.is_empty()
            || query.fetch.is_some()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some();
        if ignored {
            return ControlFlow::Break(not_supported("a clause after the query"));
        }
        self.frames.push(frame);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Refusal> {
        let Some(done) = self.frames.pop() else { return ControlFlow::Continue(()) };
        if let Some(outer) = self.frames.last_mut() {
            match done.name {
                Some(name) => {
                    outer.costs.insert(name, done.reads);
                }
                None => outer.reads = outer.reads.saturating_add(done.reads),
            }
        }
        self.bounded()
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Refusal> {
        let name = match relation.0.as_slice() {
            [part] => part.as_ident().map(|ident| normal(&ident.value, ident.quote_style)),
            _ => None,
        };
        let cost = name.and_then(|name| {
            self.frames.iter().rev().find_map(|frame| frame.costs.get(&name).copied())
        });
        if let Some(frame) = self.frames.last_mut() {
            frame.reads = frame.reads.saturating_add(cost.unwrap_or(1));
        }
        self.bounded()
    }

    /// The engine reads over what it does not know here; an answer must not look as if it had understood.
    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Refusal> {
        let ignored = select.top.is_some()
            || select.select_modifiers.is_some()
            || select.prewhere.is_some()
            || select.value_table_mode.is_some()
            || !select.lateral_views.is_empty()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty();
        if ignored {
            return ControlFlow::Break(not_supported("a clause of a SELECT"));
        }
        match &select.group_by {
            GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => {
                let all = exprs.iter().map(groupings).fold(1_usize, usize::saturating_mul);
                match at_most(all, MOST_GROUPINGS, "groupings") {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(refusal) => ControlFlow::Break(refusal),
                }
            }
            GroupByExpr::Expressions(..) => {
                ControlFlow::Break(not_supported("GROUP BY with a modifier"))
            }
            GroupByExpr::All(_) => ControlFlow::Continue(()),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only tables and queries can be read from")]
    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Refusal> {
        let plain = match factor {
            TableFactor::Table {
                name: _,
                alias: _,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                args.is_none()
                    && version.is_none()
                    && json_path.is_none()
                    && sample.is_none()
                    && !with_ordinality
                    && with_hints.is_empty()
                    && partitions.is_empty()
                    && index_hints.is_empty()
            }
            TableFactor::Derived { lateral, subquery: _, alias: _, sample } => {
                !lateral && sample.is_none()
            }
            TableFactor::NestedJoin { .. } => true,
            _ => false,
        };
        if plain {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(not_supported("this kind of table"))
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the plan walker decides about every other expression"
    )]
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Refusal> {
        if repeats(expr) {
            self.repeating += 1;
            if let Err(refusal) = at_most(
                self.repeating,
                DEEPEST_REPEATING,
                "coalesce and its like inside each other",
            ) {
                return ControlFlow::Break(refusal);
            }
        }
        match expr {
            Expr::Function(function) => {
                let name =
                    function.name.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
                let name = name.to_ascii_lowercase();
                let name = name.trim_matches('"');
                match &function.args {
                    _ if !self.functions.contains(name) => ControlFlow::Break(not_supported(name)),
                    FunctionArguments::List(list)
                        if matches!(name, "to_char" | "date_format") && !formats_dates(list) =>
                    {
                        ControlFlow::Break(no_format(name))
                    }
                    FunctionArguments::List(list) if name.starts_with("concat") => {
                        self.texts(list.args.len())
                    }
                    FunctionArguments::List(_)
                    | FunctionArguments::None
                    | FunctionArguments::Subquery(_) => ControlFlow::Continue(()),
                }
            }
            Expr::BinaryOp { op: BinaryOperator::StringConcat, .. } => self.texts(2),
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Refusal> {
        if repeats(expr) {
            self.repeating = self.repeating.saturating_sub(1);
        }
        ControlFlow::Continue(())
    }
}

/// Whether the engine writes an expression out with an argument in it more than once.
#[expect(clippy::wildcard_enum_match_arm, reason = "the engine repeats nothing in others")]
fn repeats(expr: &Expr) -> bool {
    match expr {
        Expr::Between { .. } | Expr::InList { .. } => true,
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            REPEATING.contains(&name.trim_matches('"'))
        }
        _ => false,
    }
}

impl Reads<'_> {
    fn texts(&mut self, more: usize) -> ControlFlow<Refusal> {
        self.texts = self.texts.saturating_add(more);
        match at_most(self.texts, MOST_TEXTS, "texts put together") {
            Ok(()) => ControlFlow::Continue(()),
            Err(refusal) => ControlFlow::Break(refusal),
        }
    }

    fn bounded(&self) -> ControlFlow<Refusal> {
        let reads = self.frames.iter().map(|frame| frame.reads).max().unwrap_or(0);
        match at_most(reads, MOST_READS, "tables read, counting every use of a WITH query") {
            Ok(()) => ControlFlow::Continue(()),
            Err(refusal) => ControlFlow::Break(refusal),
        }
    }
}

/// Whether the second argument is the format of a date: a short text, so that what it stands for is short as well, and
/// one that says something, which `YYYY-MM` does not.
fn formats_dates(list: &FunctionArgumentList) -> bool {
    let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(format)))] =
        list.args.as_slice()
    else {
        return false;
    };
    let Value::SingleQuotedString(text) = &format.value else { return false };
    let (mut letters, mut parts) = (text.chars(), 0);
    while let Some(letter) = letters.next() {
        if letter == '%' {
            match letters.next() {
                Some(part) if OF_DATES.contains(part) => parts += 1,
                Some(_) | None => return false,
            }
        }
    }
    parts > 0 && text.len() <= LONGEST_FORMAT
}

fn no_format(name: &str) -> Refusal {
    let hint = "formats of dates are written like '%Y-%m' or '%d %b %Y'";
    Refusal::new(Code::NotSupported, RULE, hint).about(format!("{name} with this format"))
}

/// How many ways of grouping an expression of a `GROUP BY` stands for.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other expression is one key")]
fn groupings(expr: &Expr) -> usize {
    match expr {
        Expr::Cube(keys) => u32::try_from(keys.len())
            .ok()
            .and_then(|keys| 1_usize.checked_shl(keys))
            .unwrap_or(usize::MAX),
        Expr::GroupingSets(sets) => sets.len(),
        Expr::Rollup(keys) => keys.len().saturating_add(1),
        _ => 1,
    }
}

fn address(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

/// A name as the engine compares it: unquoted names in lower case.
fn normal(name: &str, quote: Option<char>) -> String {
    if quote.is_some() { name.to_owned() } else { name.to_ascii_lowercase() }
}

fn not_supported(what: &str) -> Refusal {
    Refusal::new(Code::NotSupported, RULE, "leave it out; docs/questions.md says what can be asked")
        .about(what)
}

#[cfg(test)]
mod tests;
