//! Filters below a release: boolean combinations of comparisons of levels with constants, and nothing else.
//!
//! A comparison of a date becomes one at the coarsest grain that means the same: `seized_on >= DATE '2024-04-01'` needs
//! quarters only, because that day begins one. A bound that begins no period needs days.

use super::calendar::{coarsest, first_of_year, number, start};
use super::listed::listed;
use super::refuse;
use super::rows::{Level, Rows, Source, Values};
use super::spelling::Texts;
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_protocol::refusal::Refusal;

const DAY_SECONDS: i64 = 86_400;

/// How deep a predicate may be, in levels of the JSON that a worker is sent: less than its reader can take.
const DEEPEST: usize = 100;

/// The predicate that an expression over rows is.
pub(super) fn predicate(
    expr: &Expr,
    rows: &Rows<'_>,
    schema: &DFSchema,
) -> Result<Predicate, Refusal> {
    let read = read(expr, rows, schema)?;
    if depth(&read) <= DEEPEST { Ok(read) } else { Err(refuse::too_deep()) }
}

/// Lists are an object and an array, everything else is an object.
fn depth(part: &Predicate) -> usize {
    match part {
        Predicate::All(parts) | Predicate::Any(parts) => {
            parts.iter().map(depth).max().unwrap_or(0).saturating_add(2)
        }
        Predicate::Not(part) => depth(part).saturating_add(1),
        // A level, or a value, in an object.
        Predicate::Compare { .. } | Predicate::In { .. } | Predicate::IsNull { .. } => 4,
    }
}

fn read(expr: &Expr, rows: &Rows<'_>, schema: &DFSchema) -> Result<Predicate, Refusal> {
    let inner = |expr: &Expr| read(expr, rows, schema);
    if is_computed(expr, rows, schema)
        && let Some(listed) = listed(expr, rows, schema)
    {
        return Ok(listed);
    }
    #[expect(deprecated, reason = "an exhaustive match has to name the deprecated variant")]
    match expr {
        Expr::Alias(alias) => inner(&alias.expr),
        Expr::BinaryExpr(binary) => self::binary(binary, rows, schema),
        Expr::Not(part) => Ok(not(inner(part)?)),
        Expr::IsNull(part) => Ok(Predicate::IsNull { level: level(part, rows, schema)?.level }),
        Expr::IsNotNull(part) => {
            let level = level(part, rows, schema)?.level;
            Ok(Predicate::Not(Box::new(Predicate::IsNull { level })))
        }
        Expr::Between(between) => {
            let level = level(&between.expr, rows, schema)?;
            let low = compare(&level, Comparison::GreaterOrEqual, &between.low, rows)?;
            let high = compare(&level, Comparison::LessOrEqual, &between.high, rows)?;
            let both = Predicate::All(vec![low, high]);
            Ok(if between.negated { Predicate::Not(Box::new(both)) } else { both })
        }
        Expr::InList(list) => {
            let level = level(&list.expr, rows, schema)?;
            let any = any_of(&level, &list.list, rows)?;
            Ok(if list.negated { Predicate::Not(Box::new(any)) } else { any })
        }
        Expr::IsTrue(part) => Ok(is_true(inner(part)?)),
        Expr::IsFalse(part) => Ok(is_false(inner(part)?)),
        Expr::IsNotTrue(part) => Ok(not(is_true(inner(part)?))),
        Expr::IsNotFalse(part) => Ok(not(is_false(inner(part)?))),
        Expr::IsUnknown(part) => Ok(not(is_decided(&inner(part)?))),
        Expr::IsNotUnknown(part) => Ok(is_decided(&inner(part)?)),
        Expr::Literal(ScalarValue::Boolean(Some(true)), _) => Ok(Predicate::everything()),
        Expr::Literal(ScalarValue::Boolean(Some(false)), _) => Ok(Predicate::Any(Vec::new())),
        Expr::Like(_) | Expr::SimilarTo(_) => Err(refuse::like()),
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::ScalarVariable(..)
        | Expr::Negative(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::ScalarFunction(_)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::ScalarSubquery(_)
        | Expr::Wildcard { .. }
        | Expr::GroupingSet(_)
        | Expr::Placeholder(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Unnest(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => Err(refuse::predicate(refuse::compared(expr))),
    }
}

/// Whether a condition is about something that is worked out, not a level as it stands.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other condition is made of conditions, or is none"
)]
fn is_computed(expr: &Expr, rows: &Rows<'_>, schema: &DFSchema) -> bool {
    let computed = |expr: &Expr| rows.source(expr, schema).is_none();
    match expr {
        Expr::Between(Between { expr, .. })
        | Expr::InList(InList { expr, .. })
        | Expr::IsNotNull(expr)
        | Expr::IsNull(expr) => computed(expr),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            !matches!(op, Operator::And | Operator::Or) && (computed(left) || computed(right))
        }
        Expr::Case(_) | Expr::Like(_) | Expr::ScalarFunction(_) => true,
        _ => false,
    }
}

fn binary(binary: &BinaryExpr, rows: &Rows<'_>, schema: &DFSchema) -> Result<Predicate, Refusal> {
    let comparison = match binary.op {
        Operator::And | Operator::Or => {
            let parts = vec![read(&binary.left, rows, schema)?, read(&binary.right, rows, schema)?];
            return Ok(if binary.op == Operator::And { all(parts) } else { any(parts) });
        }
        Operator::IsNotDistinctFrom => return same(&binary.left, &binary.right, rows, schema),
        Operator::IsDistinctFrom => {
            return same(&binary.left, &binary.right, rows, schema).map(not);
        }
        Operator::Eq => Comparison::Equal,
        Operator::NotEq => Comparison::NotEqual,
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::LessOrEqual,
        Operator::Gt => Comparison::Greater,
        Operator::GtEq => Comparison::GreaterOrEqual,
        Operator::Plus
        | Operator::Minus
        | Operator::Multiply
        | Operator::Divide
        | Operator::Modulo
        | Operator::RegexMatch
        | Operator::RegexIMatch
        | Operator::RegexNotMatch
        | Operator::RegexNotIMatch
        | Operator::LikeMatch
        | Operator::ILikeMatch
        | Operator::NotLikeMatch
        | Operator::NotILikeMatch
        | Operator::BitwiseAnd
        | Operator::BitwiseOr
        | Operator::BitwiseXor
        | Operator::BitwiseShiftRight
        | Operator::BitwiseShiftLeft
        | Operator::StringConcat
        | Operator::AtArrow
        | Operator::ArrowAt
        | Operator::Arrow
        | Operator::LongArrow
        | Operator::HashArrow
        | Operator::HashLongArrow
        | Operator::AtAt
        | Operator::IntegerDivide
        | Operator::HashMinus
        | Operator::AtQuestion
        | Operator::Question
        | Operator::QuestionAnd
        | Operator::QuestionPipe
        | Operator::Colon => return Err(refuse::predicate(format!("operator {}", binary.op))),
    };
    if let (Some(a), Some(b)) = (constant(&binary.left), constant(&binary.right)) {
        return decided(comparison, &a, &b);
    }
    if constant(&binary.left).is_some() {
        let level = level(&binary.right, rows, schema)?;
        return compare(&level, turned(comparison), &binary.left, rows);
    }
    compare(&level(&binary.left, rows, schema)?, comparison, &binary.right, rows)
}

/// `1 = 1`: a comparison of two constants. Null has no place in a predicate.
fn decided(comparison: Comparison, a: &ScalarValue, b: &ScalarValue) -> Result<Predicate, Refusal> {
    let order = if a.is_null() || b.is_null() { None } else { a.partial_cmp(b) };
    let order = order.ok_or_else(|| refuse::predicate("a constant"))?;
    Ok(if comparison.holds(order) { Predicate::everything() } else { Predicate::Any(Vec::new()) })
}

/// `a IS NOT DISTINCT FROM b`: equal, or both nothing; never null.
fn same(a: &Expr, b: &Expr, rows: &Rows<'_>, schema: &DFSchema) -> Result<Predicate, Refusal> {
    let (of, with) = if constant(a).is_some() { (b, a) } else { (a, b) };
    let level = level(of, rows, schema)?;
    if constant(with).is_some_and(|value| value.is_null()) {
        return Ok(Predicate::IsNull { level: level.level });
    }
    Ok(compare(&level, Comparison::Equal, with, rows)?.when_true())
}

/// Twice not is what it was, also where it is null.
fn not(part: Predicate) -> Predicate {
    match part {
        Predicate::Not(part) => *part,
        part @ (Predicate::All(_)
        | Predicate::Any(_)
        | Predicate::Compare { .. }
        | Predicate::In { .. }
        | Predicate::IsNull { .. }) => Predicate::Not(Box::new(part)),
    }
}

/// A chain of `AND` is one list: a predicate is as deep as its brackets, not as long as its text.
fn all(parts: Vec<Predicate>) -> Predicate {
    let list = |part: &mut Predicate| {
        if let Predicate::All(of) = part { std::mem::take(of) } else { Vec::new() }
    };
    Predicate::All(flat(parts, list))
}

/// The same of `OR`.
fn any(parts: Vec<Predicate>) -> Predicate {
    let list = |part: &mut Predicate| {
        if let Predicate::Any(of) = part { std::mem::take(of) } else { Vec::new() }
    };
    Predicate::Any(flat(parts, list))
}

/// Puts the members of lists in their place. What is no such list, or an empty one (everything, or nothing), stays itself.
fn flat(parts: Vec<Predicate>, list: fn(&mut Predicate) -> Vec<Predicate>) -> Vec<Predicate> {
    let members = |mut part| {
        let of = list(&mut part);
        if of.is_empty() { vec![part] } else { of }
    };
    parts.into_iter().flat_map(members).collect()
}

/// Asking twice whether something is true is asking once, and what is asked must not grow with each time.
fn is_true(part: Predicate) -> Predicate {
    if never_null(&part, &[]) { part } else { part.when_true() }
}

fn is_false(part: Predicate) -> Predicate {
    if never_null(&part, &[]) { not(part) } else { part.when_false() }
}

fn is_decided(part: &Predicate) -> Predicate {
    if never_null(part, &[]) {
        return Predicate::everything();
    }
    Predicate::Any(vec![part.clone().when_true(), part.clone().when_false()])
}

/// Whether a predicate is true or false for every row. `beside` is what it stands beside in an `AND`: a comparison is never
/// null where its level is asked to be something.
fn never_null(part: &Predicate, beside: &[Predicate]) -> bool {
    match part {
        Predicate::All(parts) => parts.iter().all(|part| never_null(part, parts)),
        Predicate::Any(parts) => parts.iter().all(|part| never_null(part, &[])),
        Predicate::Not(part) => never_null(part, beside),
        Predicate::IsNull { .. } => true,
        Predicate::Compare { level, .. } | Predicate::In { level, .. } => {
            beside.contains(&not(Predicate::IsNull { level: level.clone() }))
        }
    }
}

/// What a predicate is where SQL asks whether it is true or false: never null itself.
trait Decided {
    fn when_true(self) -> Self;
    fn when_false(self) -> Self;
}

impl Decided for Predicate {
    fn when_true(self) -> Self {
        match self {
            Self::All(parts) => Self::All(parts.into_iter().map(Self::when_true).collect()),
            Self::Any(parts) => Self::Any(parts.into_iter().map(Self::when_true).collect()),
            Self::Not(part) => part.when_false(),
            part @ Self::IsNull { .. } => part,
            Self::Compare { ref level, .. } | Self::In { ref level, .. } => {
                let something = not(Self::IsNull { level: level.clone() });
                Self::All(vec![something, self])
            }
        }
    }

    fn when_false(self) -> Self {
        match self {
            Self::All(parts) => Self::Any(parts.into_iter().map(Self::when_false).collect()),
            Self::Any(parts) => Self::All(parts.into_iter().map(Self::when_false).collect()),
            Self::Not(part) => part.when_true(),
            part @ Self::IsNull { .. } => not(part),
            Self::Compare { ref level, .. } | Self::In { ref level, .. } => {
                let something = not(Self::IsNull { level: level.clone() });
                Self::All(vec![something, not(self)])
            }
        }
    }
}

/// The same comparison read from the right.
fn turned(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::Equal,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::NotEqual => Comparison::NotEqual,
    }
}

/// The level that an expression is; measures and units cannot be compared.
fn level(expr: &Expr, rows: &Rows<'_>, schema: &DFSchema) -> Result<Level, Refusal> {
    match rows.source(expr, schema) {
        Some(Source::Level(level)) => Ok(level),
        Some(Source::Measure(column)) => Err(refuse::predicate(column.name.as_str())),
        Some(Source::Unit(column)) => Err(refuse::predicate(column.as_str())),
        Some(Source::Constant(_)) | None => Err(refuse::predicate(refuse::compared(expr))),
    }
}

fn any_of(level: &Level, list: &[Expr], rows: &Rows<'_>) -> Result<Predicate, Refusal> {
    if let Values::Part(Grain::Month | Grain::Quarter) = level.values {
        let equal = |value: &Expr| compare(level, Comparison::Equal, value, rows);
        return Ok(Predicate::Any(list.iter().map(equal).collect::<Result<_, _>>()?));
    }
    let values = list.iter().map(|expr| value(level, expr)).collect::<Result<Vec<_>, _>>()?;
    let values = spelled(values, &level.level, rows)?;
    match (level.values, level.level.grain) {
        // Days that do not begin a period are equal to none: let the comparison say so.
        (Values::Date, Some(grain)) if grain != Grain::Day => {
            let equal = |value: Literal| dates(&level.level, grain, Comparison::Equal, &value);
            Ok(Predicate::Any(values.into_iter().map(equal).collect::<Result<_, _>>()?))
        }
        (Values::Date | Values::Int | Values::Part(_) | Values::Text, _) => {
            Ok(Predicate::In { level: level.level.clone(), values })
        }
    }
}

fn compare(
    level: &Level,
    comparison: Comparison,
    with: &Expr,
    rows: &Rows<'_>,
) -> Result<Predicate, Refusal> {
    if let Values::Part(part @ (Grain::Month | Grain::Quarter)) = level.values {
        return periods(&level.level, part, comparison, with, rows);
    }
    let mut value = value(level, with)?;
    // Any text is before some and after others.
    if let Comparison::Equal | Comparison::NotEqual = comparison {
        value = spelled(vec![value], &level.level, rows)?.pop().ok_or_else(refuse::internal)?;
    }
    match (level.values, level.level.grain) {
        (Values::Date, Some(grain)) => dates(&level.level, grain, comparison, &value),
        (Values::Date | Values::Int | Values::Part(_) | Values::Text, _) => {
            Ok(Predicate::Compare { level: level.level.clone(), comparison, value })
        }
    }
}

/// The values as the level spells them, where that is public.
fn spelled(
    values: Vec<Literal>,
    level: &LevelRef,
    rows: &Rows<'_>,
) -> Result<Vec<Literal>, Refusal> {
    let Some(texts) = Texts::of(rows.dataset, level) else { return Ok(values) };
    let spelled = |value: Literal| match value {
        Literal::Text(text) => texts.spelled(level.column.as_str(), text).map(Literal::Text),
        other @ (Literal::Bool(_) | Literal::Date(_) | Literal::Int(_)) => Ok(other),
    };
    values.into_iter().map(spelled).collect()
}

/// `extract(month FROM date) <comparison> 3`: one of the periods of the public range for which it is true.
fn periods(
    level: &LevelRef,
    part: Grain,
    comparison: Comparison,
    with: &Expr,
    rows: &Rows<'_>,
) -> Result<Predicate, Refusal> {
    let with = constant(with).as_ref().and_then(whole);
    let with = with.ok_or_else(|| refuse::predicate(level.column.as_str()))?;
    let all = rows.dataset.domain(level).unwrap_or_default();
    let first = all.iter().flatten().next().cloned();
    let first = first.ok_or_else(|| refuse::no_range(level.column.as_str(), part))?;
    let holds = |period: &Literal| match period {
        Literal::Date(day) => comparison.holds(number(*day, part).cmp(&with)),
        Literal::Bool(_) | Literal::Int(_) | Literal::Text(_) => false,
    };
    let values: Vec<Literal> = all.into_iter().flatten().filter(holds).collect();
    if !values.is_empty() {
        return Ok(Predicate::In { level: level.clone(), values });
    }
    // None of them: false, or null where the date is null. Nothing is in an empty list, not even null.
    let at = |comparison| {
        let value = first.clone();
        Predicate::Compare { level: level.clone(), comparison, value }
    };
    Ok(Predicate::All(vec![at(Comparison::LessOrEqual), at(Comparison::Greater)]))
}

/// The constant as a value of the level.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a constant of any other type is no value of a level"
)]
fn value(level: &Level, expr: &Expr) -> Result<Literal, Refusal> {
    let refusal = || refuse::predicate(level.level.column.as_str());
    let value = constant(expr).ok_or_else(refusal)?;
    let literal = match level.values {
        Values::Text => match value {
            ScalarValue::Utf8(text)
            | ScalarValue::LargeUtf8(text)
            | ScalarValue::Utf8View(text) => text.map(Literal::Text),
            _ => None,
        },
        Values::Int => whole(&value).map(Literal::Int),
        Values::Part(Grain::Year) => whole(&value).and_then(first_of_year).map(Literal::Date),
        // Compared by their periods.
        Values::Part(Grain::Day | Grain::Month | Grain::Quarter) => None,
        Values::Date => day(&value).map(Literal::Date),
    };
    literal.ok_or_else(refusal)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a constant of any other type is no value of a level"
)]
fn whole(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int64(value) => *value,
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::Int16(value) => value.map(i64::from),
        ScalarValue::Int8(value) => value.map(i64::from),
        ScalarValue::UInt64(value) => value.and_then(|value| i64::try_from(value).ok()),
        ScalarValue::UInt32(value) => value.map(i64::from),
        _ => None,
    }
}

/// The day of a date, or of a timestamp at midnight.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a constant of any other type is no value of a level"
)]
fn day(value: &ScalarValue) -> Option<i32> {
    let midnight = |time: Option<i64>, per_second: i64| {
        let (time, day) = (time?, per_second * DAY_SECONDS);
        (time.rem_euclid(day) == 0).then(|| i32::try_from(time.div_euclid(day)).ok()).flatten()
    };
    match value {
        ScalarValue::Date32(day) => *day,
        ScalarValue::TimestampSecond(time, None) => midnight(*time, 1),
        ScalarValue::Date64(time) | ScalarValue::TimestampMillisecond(time, None) => {
            midnight(*time, 1_000)
        }
        ScalarValue::TimestampMicrosecond(time, None) => midnight(*time, 1_000_000),
        ScalarValue::TimestampNanosecond(time, None) => midnight(*time, 1_000_000_000),
        _ => None,
    }
}

/// A comparison of a date level with a day, at the coarsest grain that means the same.
fn dates(
    level: &LevelRef,
    grain: Grain,
    comparison: Comparison,
    value: &Literal,
) -> Result<Predicate, Refusal> {
    let refusal = || refuse::predicate(level.column.as_str());
    let Literal::Date(day) = value else { return Err(refusal()) };
    let next = day.checked_add(1).ok_or_else(refusal)?;
    let at = |comparison, grain: Grain, day: i32| Predicate::Compare {
        level: LevelRef { column: level.column.clone(), grain: Some(grain) },
        comparison,
        value: Literal::Date(day),
    };
    if grain == Grain::Day {
        return Ok(match comparison {
            Comparison::GreaterOrEqual | Comparison::Less => at(comparison, coarsest(*day), *day),
            // After a day means from the next one on.
            Comparison::Greater => at(Comparison::GreaterOrEqual, coarsest(next), next),
            Comparison::LessOrEqual => at(Comparison::Less, coarsest(next), next),
            Comparison::Equal | Comparison::NotEqual => at(comparison, Grain::Day, *day),
        });
    }
    // The values of the level are first days of periods.
    let first = start(*day, grain).ok_or_else(refusal)?;
    if first == *day {
        return Ok(match comparison {
            // Bounds may begin a coarser period as well.
            Comparison::GreaterOrEqual | Comparison::Less => {
                at(comparison, coarsest(first).max(grain), first)
            }
            Comparison::Equal
            | Comparison::Greater
            | Comparison::LessOrEqual
            | Comparison::NotEqual => at(comparison, grain, first),
        });
    }
    let (before, after) =
        (at(Comparison::LessOrEqual, grain, first), at(Comparison::Greater, grain, first));
    Ok(match comparison {
        Comparison::Less | Comparison::LessOrEqual => before,
        Comparison::Greater | Comparison::GreaterOrEqual => after,
        // No period begins on that day: false, or null where the date is null.
        Comparison::Equal => Predicate::All(vec![before, after]),
        Comparison::NotEqual => Predicate::Any(vec![before, after]),
    })
}

/// The value of a constant expression: a literal, casts and signs around one, or a date moved by an interval.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed is not a constant")]
pub(super) fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Alias(alias) => constant(&alias.expr),
        Expr::Cast(cast) => {
            let (value, to) = (constant(&cast.expr)?, cast.field.data_type());
            // The engine would read 2024 as a day of 1975.
            if is_number_of_days(&value, to) {
                return None;
            }
            value.cast_to(to).ok()
        }
        Expr::Negative(inner) => constant(inner)?.arithmetic_negate().ok(),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => {
            let (date, by) = movable(constant(left)?, constant(right)?)?;
            date.add_checked(by).ok()
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
            let (date, by) = movable(constant(left)?, constant(right)?)?;
            date.sub_checked(by).ok()
        }
        _ => None,
    }
}

/// Whether a whole number is read as a day.
pub(super) fn is_number_of_days(value: &ScalarValue, to: &DataType) -> bool {
    let day = matches!(to, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..));
    day && value.data_type().is_integer()
}

/// A date and an interval of months and days. The engine panics where their sum is no date, so both are small.
fn movable(date: ScalarValue, by: ScalarValue) -> Option<(ScalarValue, ScalarValue)> {
    let (ScalarValue::Date32(Some(day)), ScalarValue::IntervalMonthDayNano(Some(step))) =
        (&date, &by)
    else {
        return None;
    };
    let small = day.unsigned_abs() <= 1_000_000
        && step.months.unsigned_abs() <= 12_000
        && step.days.unsigned_abs() <= 400_000
        && step.nanoseconds == 0;
    small.then_some((date, by))
}
