//! The planner's refusals. They name what the person wrote, never what the engine said.

use crate::guard::unreadable;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::parser::ParserError;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{DEFAULT_DENY, column_not_shared};
use mayag_policies::shape::Grain;
use mayag_protocol::names::{ColumnName, DatasetName};
use mayag_protocol::refusal::{Code, Refusal};

/// The rule that the walker's refusals name.
const RULE: &str = "planner";

/// The same words as for a dataset that a policy does not share: the two look alike.
pub(crate) fn dataset(name: &str) -> Refusal {
    let hint = "`mayag datasets` lists what this country shares with you, and for which purposes";
    Refusal::new(Code::NoGrant, DEFAULT_DENY, hint).about(name)
}

pub(crate) fn not_one_select() -> Refusal {
    Refusal::new(
        Code::NotOneSelect,
        RULE,
        "ask one SELECT; `mayag datasets` shows what there is to ask about",
    )
}

pub(super) fn rows() -> Refusal {
    Refusal::new(
        Code::RowsNotShared,
        RULE,
        "add count(*), sum(..) or another aggregate, and GROUP BY levels",
    )
}

pub(super) fn not_supported(what: impl AsRef<str>) -> Refusal {
    Refusal::new(Code::NotSupported, RULE, "leave it out; docs/questions.md says what can be asked")
        .about(what)
}

pub(super) fn below(what: &str) -> Refusal {
    let hint = "aggregate each dataset first; everything else can be done with the results";
    Refusal::new(Code::NotSupported, RULE, hint).about(format!("{what} below an aggregate"))
}

/// Two datasets that no declared path joins row by row.
pub(super) fn no_path(a: &str, b: &str) -> Refusal {
    let hint = "aggregate each dataset first and join the results; `mayag datasets` lists the joins of rows";
    Refusal::new(Code::NotSupported, RULE, hint).about(format!("{a} JOIN {b} below an aggregate"))
}

/// A declared join without its condition.
pub(super) fn not_joined(on: &[ColumnName]) -> Refusal {
    let on = on.iter().map(ColumnName::as_str).collect::<Vec<_>>().join(", ");
    let hint = format!("join the two datasets with USING ({on}) and no other equation");
    Refusal::new(Code::NotSupported, RULE, hint).about("this join below an aggregate")
}

/// One dataset in two ways within a question.
pub(super) fn joined_and_alone(a: &DatasetName, b: &DatasetName, catalogue: &Catalogue) -> Refusal {
    let written = |name: &DatasetName| {
        let parts = catalogue.parts_of(name);
        parts.iter().map(DatasetName::as_str).collect::<Vec<_>>().join(" JOIN ")
    };
    let hint = "use the same join wherever the question reads this dataset";
    Refusal::new(Code::NotSupported, RULE, hint).about(format!(
        "{} beside {}",
        written(a),
        written(b)
    ))
}

/// An aggregate of numbers that stand in several rows because of a join.
pub(super) fn repeated(what: impl AsRef<str>) -> Refusal {
    let hint = "the join repeats its rows: aggregate its dataset alone, or count rows";
    Refusal::new(Code::AggregateNotShared, RULE, hint).about(what)
}

/// A quantile of numbers that have no declared bins.
pub(super) fn no_bins(what: &str) -> Refusal {
    let hint = "the catalogue declares no bins for it: ask for avg, or for sum and count";
    Refusal::new(Code::AggregateNotShared, RULE, hint).about(what)
}

/// Conditions inside each other deeper than a worker reads.
pub(super) fn too_deep() -> Refusal {
    let hint = "write the condition with fewer brackets inside each other: `IN` and `BETWEEN` say much in one step";
    Refusal::new(Code::TooComplex, RULE, hint).about("levels of a condition")
}

/// Quantiles that stand for too many counts.
pub(super) fn too_many_measures(most: usize) -> Refusal {
    let hint = format!(
        "at most {most} measures, each bin of a quantile one: ask several smaller questions"
    );
    Refusal::new(Code::TooComplex, RULE, hint).about("measures")
}

/// Two kinds of units counted at once.
pub(super) fn two_counted(column: &str) -> Refusal {
    let hint = "count one kind of unit in each SELECT, and join the results";
    Refusal::new(Code::NotSupported, RULE, hint).about(format!("count(DISTINCT {column})"))
}

pub(super) fn key(what: impl AsRef<str>) -> Refusal {
    let hint = "group by category columns, whole numbers, or date_trunc of dates";
    Refusal::new(Code::KeyNotLevel, RULE, hint).about(what)
}

/// A `CASE` that is a level but for rows without a value, which `ELSE` takes.
pub(super) fn otherwise(column: &str) -> Refusal {
    let hint = "ELSE takes rows without a value as well: name the last band by a condition instead";
    Refusal::new(Code::KeyNotLevel, RULE, hint).about(format!("CASE of {column} with ELSE"))
}

/// A month or quarter of the year whose cells of several years cannot be added up.
pub(super) fn no_year(column: &str, part: Grain) -> Refusal {
    let part = part.as_str();
    let hint =
        "group by the year as well, or filter by one year or less; counts and sums need neither";
    Refusal::new(Code::KeyNotLevel, RULE, hint)
        .about(format!("{part} of {column} without its year"))
}

/// A month or quarter of the year of dates of which nobody knows the years beforehand.
pub(super) fn no_range(column: &str, part: Grain) -> Refusal {
    let part = part.as_str();
    let hint = "compare date_trunc of it with the first days of periods";
    Refusal::new(Code::PredicateNotAllowed, RULE, hint).about(format!("{part} of {column}"))
}

pub(super) fn predicate(what: impl AsRef<str>) -> Refusal {
    let hint = "compare category columns, whole numbers or dates with constants";
    Refusal::new(Code::PredicateNotAllowed, RULE, hint).about(what)
}

/// A pattern below a release.
pub(super) fn like() -> Refusal {
    let hint = "group by the column as well, and write LIKE in HAVING";
    Refusal::new(Code::PredicateNotAllowed, RULE, hint).about("LIKE")
}

/// A date compared with a number, which the engine takes for days since 1970.
pub(super) fn number_of_days() -> Refusal {
    let hint = "compare extract(year FROM ..) of the date with the number, or the date with a DATE";
    Refusal::new(Code::PredicateNotAllowed, RULE, hint).about("a number in place of a date")
}

/// A text that is a value of the column in another case.
pub(super) fn spelled(column: &str, spelled: &str) -> Refusal {
    let hint = format!("it is spelled '{spelled}' there, and case matters");
    Refusal::new(Code::PredicateNotAllowed, RULE, hint).about(column)
}

/// A column that says `yes` or `no`, compared with something else.
pub(super) fn flag(column: &str) -> Refusal {
    let hint = format!("{column} is a text: compare it with 'yes' or 'no'");
    Refusal::new(Code::PredicateNotAllowed, RULE, hint).about(column)
}

pub(super) fn aggregate(what: impl AsRef<str>) -> Refusal {
    let hint = "use count(*), count(DISTINCT unit), sum, avg, stddev, var or median of a measure, corr of two, min or max of a level";
    Refusal::new(Code::AggregateNotShared, RULE, hint).about(what)
}

/// Something that cannot happen with the engine this was written for. Refusing is the safe side.
pub(super) fn internal() -> Refusal {
    not_supported("this combination")
}

/// What an error of the engine's planner means in our words.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an error that is not listed says only that the SQL is not readable"
)]
pub(crate) fn engine(error: &DataFusionError) -> Refusal {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => engine(inner),
        DataFusionError::Shared(inner) => engine(inner),
        DataFusionError::Collection(errors) => {
            errors.first().map_or_else(|| unreadable(None), engine)
        }
        DataFusionError::External(inner) => {
            inner.downcast_ref::<Refusal>().cloned().unwrap_or_else(|| unreadable(None))
        }
        DataFusionError::SQL(error, _) => parser(error),
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, .. } => column_not_shared(&field.name),
            SchemaError::AmbiguousReference { field } => unreadable(None).about(&field.name),
            SchemaError::DuplicateQualifiedField { name, .. }
            | SchemaError::DuplicateUnqualifiedField { name } => unreadable(None).about(name),
        },
        DataFusionError::NotImplemented(_) => internal(),
        _ => unreadable(None),
    }
}

fn parser(error: &ParserError) -> Refusal {
    match error {
        ParserError::RecursionLimitExceeded => {
            let hint = "at most 50 levels of nesting: ask several smaller questions";
            Refusal::new(Code::TooComplex, "token-guard", hint).about("levels of nesting")
        }
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
            unreadable(place(text))
        }
    }
}

/// The place that a parser's message ends with; the rest of it quotes the question.
fn place(text: &str) -> Option<(u64, u64)> {
    let (_, place) = text.rsplit_once("at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

/// What an expression is, in a word or two of the question.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a word for the person; no decision hangs on it"
)]
pub(super) fn written(expr: &Expr) -> String {
    match expr {
        Expr::Alias(alias) => written(&alias.expr),
        Expr::Column(column) => column.name.clone(),
        Expr::Literal(..) => "a constant".to_owned(),
        Expr::BinaryExpr(binary) => format!("operator {}", binary.op),
        Expr::Like(_) | Expr::SimilarTo(_) => "LIKE".to_owned(),
        Expr::Case(_) => "CASE".to_owned(),
        Expr::Cast(_) | Expr::TryCast(_) => "CAST".to_owned(),
        Expr::ScalarFunction(function) => function.name().to_owned(),
        Expr::AggregateFunction(function) => function.func.name().to_owned(),
        Expr::WindowFunction(function) => function.fun.name().to_owned(),
        Expr::Exists(_) => "EXISTS".to_owned(),
        Expr::InSubquery(_) => "IN (SELECT ..)".to_owned(),
        Expr::SetComparison(_) => "ANY or ALL of a query".to_owned(),
        Expr::ScalarSubquery(_) => "a subquery".to_owned(),
        Expr::Placeholder(_) => "a placeholder".to_owned(),
        Expr::GroupingSet(_) => "GROUPING SETS".to_owned(),
        _ => "this expression".to_owned(),
    }
}

/// The same of what is compared: the engine casts one side to the type of the other, and nobody wrote that.
pub(super) fn compared(expr: &Expr) -> String {
    if let Expr::Cast(cast) = expr { compared(&cast.expr) } else { written(expr) }
}
