//! `CASE` that equals a declared level: `CASE WHEN kg < 1 THEN 'under 1 kg' ..` for the bands of `kg`.
//!
//! A `CASE` whose conditions compare one column with constants is constant between those constants. So it equals a level
//! exactly if it does so at every constant, at every edge, between any two neighbours of them, beyond both ends, and for
//! null. Whoever names the last band by `ELSE` names null with it: that is the level only of a column that every row has.

use super::predicate::constant;
use super::rows::{Rows, Source, Values};
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator};
use mayag_policies::catalogue::{Column, Kind, Level, LevelRule, Number};
use mayag_policies::shape::Literal;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// A value of the column that a `CASE` is about.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Point {
    Number(f64),
    Text(String),
}

impl Rows<'_> {
    /// The column and its level that a `CASE` equals.
    pub(super) fn cased<'d>(
        &'d self,
        case: &Case,
        schema: &DFSchema,
    ) -> Option<(&'d Column, &'d Level)> {
        let (column, level) = self.cased_where_known(case, schema)?;
        let reader = Reader { rows: self, schema, column };
        (column.required || reader.same(case, level, None)).then_some((column, level))
    }

    /// The same of the rows that have a value.
    pub(super) fn cased_where_known<'d>(
        &'d self,
        case: &Case,
        schema: &DFSchema,
    ) -> Option<(&'d Column, &'d Level)> {
        let mut found = Found { rows: self, schema, column: None, constants: Vec::new() };
        for part in case.expr.iter().chain(case.when_then_expr.iter().map(|(when, _)| when)) {
            found.look(part)?;
        }
        let Found { column, constants, .. } = found;
        let column = self.dataset.column(column?.as_str())?;
        let reader = Reader { rows: self, schema, column };
        let level = column.levels.iter().find(|level| {
            let points = points(&level.is, &column.kind, &constants);
            points.iter().all(|point| reader.same(case, level, Some(point)))
        })?;
        Some((column, level))
    }
}

/// The one column of a `CASE`, and the constants it is compared with.
struct Found<'r, 's> {
    rows: &'r Rows<'r>,
    schema: &'s DFSchema,
    column: Option<String>,
    constants: Vec<Point>,
}

impl Found<'_, '_> {
    /// `None` where there is a second column or anything but comparisons.
    fn look(&mut self, expr: &Expr) -> Option<()> {
        if let Some(value) = constant(expr) {
            self.constants.extend(point(&value));
            return Some(());
        }
        if let Some(name) = column_of(self.rows, expr, self.schema) {
            return (*self.column.get_or_insert_with(|| name.clone()) == name).then_some(());
        }
        parts(expr)?.into_iter().try_for_each(|part| self.look(part))
    }
}

/// The parts of a condition that may stand in such a `CASE`.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed makes no level of a CASE")]
fn parts(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            (is_logic(*op) || ordering(*op).is_some()).then(|| vec![&**left, &**right])
        }
        Expr::Not(part) | Expr::IsNull(part) | Expr::IsNotNull(part) => Some(vec![part]),
        Expr::Between(between) => Some(vec![&*between.expr, &*between.low, &*between.high]),
        Expr::InList(list) => Some(std::iter::once(&*list.expr).chain(&list.list).collect()),
        _ => None,
    }
}

fn is_logic(op: Operator) -> bool {
    matches!(op, Operator::And | Operator::Or)
}

/// The orders of the two sides for which a comparison is true.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other operator compares")]
fn ordering(op: Operator) -> Option<&'static [Ordering]> {
    use Ordering::{Equal, Greater, Less};
    match op {
        Operator::Eq => Some(&[Equal]),
        Operator::NotEq => Some(&[Less, Greater]),
        Operator::Lt => Some(&[Less]),
        Operator::LtEq => Some(&[Less, Equal]),
        Operator::Gt => Some(&[Greater]),
        Operator::GtEq => Some(&[Greater, Equal]),
        _ => None,
    }
}

/// The column that an expression is: a category or a number, at most read as a wider number.
fn column_of(rows: &Rows<'_>, expr: &Expr, schema: &DFSchema) -> Option<String> {
    if let Expr::Cast(cast) = expr {
        let wider = matches!(cast.field.data_type(), DataType::Float64 | DataType::Decimal128(..));
        let number = !matches!(rows.source(&cast.expr, schema), Some(Source::Level(level)) if level.values == Values::Text);
        if wider && number {
            return column_of(rows, &cast.expr, schema);
        }
    }
    match rows.source(expr, schema)? {
        Source::Level(level) if level.level.grain.is_none() => Some(level.level.column.to_string()),
        Source::Measure(column) => Some(column.name.to_string()),
        Source::Constant(_) | Source::Level(_) | Source::Unit(_) => None,
    }
}

/// A constant as a value of the column.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other constant is a number or a text")]
fn point(value: &ScalarValue) -> Option<Point> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.clone().map(Point::Text)
        }
        _ if value.data_type().is_numeric() => match value.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(Some(number))) if number.is_finite() => {
                Some(Point::Number(number))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Every value at which a level or a `CASE` with these constants may begin to be another, and one between any two.
fn points(rule: &LevelRule, kind: &Kind, constants: &[Point]) -> Vec<Point> {
    match rule {
        LevelRule::Bands { edges, lowest, highest, .. } => {
            // No value is beyond the ends, where the catalogue says what they are.
            let turns = edges.iter().chain(lowest).chain(highest);
            #[expect(clippy::cast_precision_loss, reason = "an edge is a small public number")]
            let mut turns: Vec<f64> = turns.map(|edge| *edge as f64).collect();
            turns.extend(constants.iter().filter_map(|point| match point {
                Point::Number(number) => Some(*number),
                Point::Text(_) => None,
            }));
            #[expect(clippy::cast_precision_loss, reason = "an end is a small public number")]
            let possible = |point: &f64| {
                lowest.is_none_or(|lowest| lowest as f64 <= *point)
                    && highest.is_none_or(|highest| *point <= highest as f64)
            };
            turns.sort_by(f64::total_cmp);
            turns.dedup();
            if is_whole(kind) {
                // No value lies between two whole numbers.
                let near = turns
                    .iter()
                    .flat_map(|turn| [turn.ceil() - 1.0, turn.ceil(), turn.floor() + 1.0]);
                return near.filter(possible).map(Point::Number).collect();
            }
            let between = turns.windows(2).filter_map(|pair| match pair {
                [a, b] => Some(a + (b - a) / 2.0),
                _ => None,
            });
            let ends = turns.first().map(|first| first - 1.0);
            let ends = ends.into_iter().chain(turns.last().map(|last| last + 1.0));
            let all = between.chain(ends).chain(turns.iter().copied());
            all.filter(possible).map(Point::Number).collect()
        }
        LevelRule::Groups { groups, .. } => {
            let mut texts: BTreeSet<String> = groups.values().flatten().cloned().collect();
            texts.extend(constants.iter().filter_map(|point| match point {
                Point::Text(text) => Some(text.clone()),
                Point::Number(_) => None,
            }));
            match kind {
                Kind::Category { values: Some(values) } => texts.extend(values.iter().cloned()),
                Kind::Category { values: None }
                | Kind::Date {}
                | Kind::Hidden {}
                | Kind::Measure { .. }
                | Kind::Number {}
                | Kind::Unit {} => {
                    // Before, after and between all that is named.
                    let after = texts.iter().map(|text| format!("{text}\0"));
                    let more: Vec<String> = after.chain([String::new()]).collect();
                    texts.extend(more);
                }
            }
            texts.into_iter().map(Point::Text).collect()
        }
        // No comparisons with constants cut every text.
        LevelRule::Prefix(_) => vec![Point::Text(String::new()), Point::Text("\0".to_owned())],
    }
}

fn is_whole(kind: &Kind) -> bool {
    matches!(kind, Kind::Measure { number: Number::Integer, .. } | Kind::Number {})
}

/// Reads a `CASE` at one value of its column.
struct Reader<'r, 's> {
    rows: &'r Rows<'r>,
    schema: &'s DFSchema,
    column: &'r Column,
}

impl Reader<'_, '_> {
    fn same(&self, case: &Case, level: &Level, at: Option<&Point>) -> bool {
        let expected = match at {
            None => None,
            Some(Point::Number(number)) =>
            {
                #[expect(clippy::cast_precision_loss, reason = "an edge is a small public number")]
                level.is.band(|edge| *number < edge as f64).map(str::to_owned)
            }
            Some(Point::Text(text)) => match level.is.of(&Literal::Text(text.clone())) {
                Some(Literal::Text(level)) => Some(level),
                Some(Literal::Bool(_) | Literal::Date(_) | Literal::Int(_)) | None => None,
            },
        };
        !matches!(level.is, LevelRule::Prefix(_)) && self.result(case, at) == Some(expected)
    }

    /// The text that the `CASE` gives; `Some(None)` for null, `None` for anything but a text.
    #[expect(clippy::option_option, reason = "a text, null, and no text at all are three answers")]
    fn result(&self, case: &Case, at: Option<&Point>) -> Option<Option<String>> {
        let text = |expr: &Expr| match constant(expr)? {
            value if value.is_null() => Some(None),
            value => match point(&value)? {
                Point::Text(text) => Some(Some(text)),
                Point::Number(_) => None,
            },
        };
        for (when, then) in &case.when_then_expr {
            let holds = match &case.expr {
                None => self.holds(when, at)?,
                Some(expr) => self.compared(expr, Operator::Eq, when, at)?,
            };
            if holds == Some(true) {
                return text(then);
            }
        }
        case.else_expr.as_ref().map_or(Some(None), |otherwise| text(otherwise))
    }

    /// What SQL says of a condition: true, false or null. `None` for anything that is no condition.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed is no condition")]
    #[expect(clippy::option_option, reason = "SQL's null is an answer of its own")]
    fn holds(&self, expr: &Expr, at: Option<&Point>) -> Option<Option<bool>> {
        Some(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                both(self.holds(left, at)?, self.holds(right, at)?)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                let (left, right) = (self.holds(left, at)?, self.holds(right, at)?);
                both(left.map(|a| !a), right.map(|b| !b)).map(|neither| !neither)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                self.compared(left, *op, right, at)?
            }
            Expr::Not(part) => self.holds(part, at)?.map(|holds| !holds),
            Expr::IsNull(part) => Some(self.value(part, at)?.is_none()),
            Expr::IsNotNull(part) => Some(self.value(part, at)?.is_some()),
            Expr::Between(between) => {
                let low = self.compared(&between.expr, Operator::GtEq, &between.low, at)?;
                let high = self.compared(&between.expr, Operator::LtEq, &between.high, at)?;
                both(low, high).map(|inside| inside != between.negated)
            }
            Expr::InList(list) => {
                let mut any = Some(false);
                for item in &list.list {
                    let equal = self.compared(&list.expr, Operator::Eq, item, at)?;
                    any = both(any.map(|a| !a), equal.map(|b| !b)).map(|neither| !neither);
                }
                any.map(|any| any != list.negated)
            }
            Expr::Literal(ScalarValue::Boolean(value), _) => *value,
            _ => return None,
        })
    }

    #[expect(clippy::option_option, reason = "SQL's null is an answer of its own")]
    fn compared(
        &self,
        left: &Expr,
        op: Operator,
        right: &Expr,
        at: Option<&Point>,
    ) -> Option<Option<bool>> {
        let (left, right) = (self.value(left, at)?, self.value(right, at)?);
        let orders = ordering(op)?;
        match left.zip(right) {
            None => Some(None),
            Some((left, right)) => Some(Some(orders.contains(&left.partial_cmp(&right)?))),
        }
    }

    /// A constant, or the value of the column; `Some(None)` for null.
    #[expect(clippy::option_option, reason = "null, a value, and neither are three answers")]
    fn value(&self, expr: &Expr, at: Option<&Point>) -> Option<Option<Point>> {
        if let Some(value) = constant(expr) {
            return if value.is_null() { Some(None) } else { point(&value).map(Some) };
        }
        let own = column_of(self.rows, expr, self.schema)?;
        (own == self.column.name.as_str()).then(|| at.cloned())
    }
}

/// `AND` in SQL's logic.
fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, Some(true) | None) | (Some(true), None) => None,
    }
}
