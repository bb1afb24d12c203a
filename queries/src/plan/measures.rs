//! Cuts an aggregate over rows out of a plan: its release, in the catalogue's words.

mod pairs;
mod quantiles;

use super::keys::{Adding, KeyColumn, Keys};
use super::predicate::{constant, predicate};
use super::refuse;
use super::rows::{Level, Rows, Source, Values};
use crate::merge::natural_type;
use crate::release::{MeasureOf, Output, Release, WireMeasure};
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr};
use mayag_policies::catalogue::{Catalogue, Column, Kind, Number};
use mayag_policies::shape::{LevelRef, Predicate};
use mayag_protocol::names::ColumnName;
use mayag_protocol::refusal::Refusal;

/// A release, and how the aggregate that it replaces reads its columns from it.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) release: Release,
    /// One per group expression of the aggregate.
    pub(super) keys: Vec<KeyColumn>,
    /// The unit of each output's numbers.
    pub(super) units: Vec<Option<String>>,
    /// How each output of several cells becomes one of all of them, if that follows.
    pub(super) adding: Option<Vec<Adding>>,
    /// A group of the aggregate is several cells of the release: why it is refused if they cannot be added up.
    pub(super) several: Option<Refusal>,
}

/// The release that an aggregate over rows is.
pub(super) fn cut(aggregate: &Aggregate, catalogue: &Catalogue) -> Result<Cut, Refusal> {
    let rows = Rows::of(&aggregate.input, catalogue)?;
    let schema = aggregate.input.schema();
    let mut cutter = Cutter { rows: &rows, schema, wire: Vec::new(), counted: None };
    let keys = aggregate.group_expr.iter().map(|key| rows.grouped(key, schema));
    let keys = Keys::of(&keys.collect::<Result<Vec<_>, _>>()?, &rows);
    let (mut outputs, mut units) = (Vec::new(), Vec::new());
    for (i, expr) in aggregate.aggr_expr.iter().enumerate() {
        let field = aggregate
            .schema
            .fields()
            .get(aggregate.group_expr.len() + i)
            .ok_or_else(refuse::internal)?;
        let (output, unit) = cutter.aggregate(expr, field.data_type())?;
        outputs.push(output);
        units.push(unit);
    }
    let adding = outputs.iter().map(|output| cutter.adding(output)).collect();
    let first = &rows.dataset.unit().column;
    let counted = cutter.counted.filter(|counted| counted != first);
    let mut wire = cutter.wire;
    if wire.is_empty() {
        // Groups without a measure: the hidden count carries what a cell is worth.
        wire.push(WireMeasure { of: MeasureOf::Rows, filter: None });
        outputs.push(Output::Direct(0));
    }
    let filter = match <[Predicate; 1]>::try_from(rows.filters) {
        Ok([only]) => only,
        Err(several) => Predicate::All(several),
    };
    let dataset = rows.dataset.name.clone();
    let release = Release { dataset, counted, keys: keys.levels, filter, wire, outputs };
    Ok(Cut { release, keys: keys.columns, units, adding, several: keys.several })
}

/// Where an item is in a list that holds each once.
pub(super) fn position<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

struct Cutter<'r, 'a> {
    rows: &'r Rows<'a>,
    schema: &'r DFSchema,
    wire: Vec<WireMeasure>,
    /// The unit whose distinct values are counted.
    counted: Option<ColumnName>,
}

impl Cutter<'_, '_> {
    /// How an output of several cells becomes one of all of them; `None` where it does not follow from theirs.
    fn adding(&self, output: &Output) -> Option<Adding> {
        let Output::Direct(wire) = output else { return None };
        match &self.wire.get(*wire)?.of {
            MeasureOf::Max(_) => Some(Adding::Largest),
            MeasureOf::Min(_) => Some(Adding::Smallest),
            MeasureOf::NonNull(_) | MeasureOf::Rows | MeasureOf::Sum { .. } => Some(Adding::Sum),
            // Somebody can be in several cells, unless every row is somebody else.
            MeasureOf::DistinctUnits => {
                let unit = self.rows.dataset.units.of(self.counted.as_ref()?)?;
                unit.unique.then_some(Adding::Sum)
            }
            MeasureOf::Pair { .. }
            | MeasureOf::SumCentred { .. }
            | MeasureOf::SumOfSquares { .. } => None,
        }
    }

    fn aggregate(
        &mut self,
        expr: &Expr,
        planned: &DataType,
    ) -> Result<(Output, Option<String>), Refusal> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "an aggregate's list holds aggregate functions, named or not"
        )]
        let function = match expr {
            Expr::Alias(alias) => return self.aggregate(&alias.expr, planned),
            Expr::AggregateFunction(function) => function,
            _ => return Err(refuse::internal()),
        };
        let name = function.func.name();
        let parameters = &function.params;
        let filter = parameters
            .filter
            .as_ref()
            .map(|filter| predicate(filter, self.rows, self.schema))
            .transpose()?;
        if parameters.null_treatment.is_some() {
            return Err(refuse::not_supported(format!("{name} with an order")));
        }
        match name {
            "approx_median" | "approx_percentile_cont" | "median" | "percentile_cont" => {
                return self.quantile(function, filter.as_ref(), planned);
            }
            "corr" | "covar_pop" | "covar_samp" => {
                return self.pair(function, filter.as_ref(), planned).map(|output| (output, None));
            }
            _ => {}
        }
        if !parameters.order_by.is_empty() {
            return Err(refuse::not_supported(format!("{name} with an order")));
        }
        let [argument] = parameters.args.as_slice() else {
            return Err(refuse::not_supported(name));
        };
        let (argument, filter) = match conditional(name, argument) {
            None => (argument, filter),
            Some((when, then)) => {
                let when = predicate(when, self.rows, self.schema)?;
                let filter = match filter {
                    None => when,
                    Some(filter) => Predicate::All(vec![filter, when]),
                };
                if name == "sum" && is_whole(then, 1) && !parameters.distinct {
                    let rows = self.wire(MeasureOf::Rows, Some(&filter));
                    return Ok((Output::Direct(rows), None));
                }
                (then, Some(filter))
            }
        };
        match name {
            "count" => self.count(function, argument, filter.as_ref()).map(|output| (output, None)),
            "min" | "max" => {
                let level = self.extreme(name, argument)?;
                let of = if name == "min" { MeasureOf::Min(level) } else { MeasureOf::Max(level) };
                Ok((Output::Direct(self.wire(of, filter.as_ref())), None))
            }
            "sum" | "avg" | "var" | "var_pop" | "stddev" | "stddev_pop" => {
                let column = self.measure(function, argument)?;
                let output = self.moments(name, &column, filter.as_ref(), planned)?;
                // A variance is in squares of the unit.
                let unit = column.unit.clone().filter(|_| !name.starts_with("var"));
                Ok((output, unit))
            }
            _ => Err(refuse::not_supported(name)),
        }
    }

    fn count(
        &mut self,
        function: &AggregateFunction,
        argument: &Expr,
        filter: Option<&Predicate>,
    ) -> Result<Output, Refusal> {
        let distinct = function.params.distinct;
        let not_distinct = |column: &str| {
            if distinct {
                Err(refuse::aggregate(format!("count(DISTINCT {column})")))
            } else {
                Ok(())
            }
        };
        let of = match self.rows.source(argument, self.schema) {
            Some(Source::Unit(column)) if distinct => {
                let column = self.counted_once(column);
                if *self.counted.get_or_insert_with(|| column.clone()) != column {
                    return Err(refuse::two_counted(column.as_str()));
                }
                MeasureOf::DistinctUnits
            }
            Some(Source::Unit(column)) => MeasureOf::NonNull(column),
            Some(Source::Measure(column)) => {
                not_distinct(column.name.as_str())?;
                MeasureOf::NonNull(column.name)
            }
            Some(Source::Level(level)) => {
                not_distinct(level.level.column.as_str())?;
                // A node always knows which country it is. A coarser view is missing where its column is.
                let named = self.rows.dataset.named(&level.level).ok_or_else(refuse::internal)?;
                named
                    .column()
                    .map_or(MeasureOf::Rows, |column| MeasureOf::NonNull(column.name.clone()))
            }
            Some(Source::Constant(value)) if !distinct && !value.is_null() => MeasureOf::Rows,
            Some(Source::Constant(_)) | None => {
                return Err(refuse::aggregate(format!("count of {}", refuse::written(argument))));
            }
        };
        Ok(Output::Direct(self.wire(of, filter)))
    }

    /// Of two columns that a join makes equal, the one of the rows.
    fn counted_once(&self, column: ColumnName) -> ColumnName {
        let own = self.rows.dataset.joined.as_ref().and_then(|joined| {
            let own = joined
                .on
                .iter()
                .find(|own| joined.own_name(column.as_str()) == Some(own.as_str()))?;
            self.rows.dataset.units.of(own).map(|unit| unit.column.clone())
        });
        own.unwrap_or(column)
    }

    fn extreme(&self, name: &str, argument: &Expr) -> Result<LevelRef, Refusal> {
        match self.rows.source(argument, self.schema) {
            Some(Source::Level(Level {
                level,
                values: Values::Date | Values::Int | Values::Text,
            })) => Ok(level),
            Some(Source::Measure(column)) => {
                Err(refuse::aggregate(format!("{name}({})", column.name)))
            }
            Some(Source::Unit(column)) => Err(refuse::aggregate(format!("{name}({column})"))),
            Some(Source::Constant(_) | Source::Level(_)) | None => {
                Err(refuse::aggregate(format!("{name} of {}", refuse::written(argument))))
            }
        }
    }

    /// Whether a measure that is read as another type says the same: as a float, or as a decimal with more digits.
    fn keeps_measure(&self, expr: &Expr, to: &DataType) -> bool {
        let Some(Source::Measure(column)) = self.rows.source(expr, self.schema) else {
            return to == &DataType::Float64;
        };
        match (column.kind, to) {
            (_, DataType::Float64) => true,
            (
                Kind::Measure { number: Number::Decimal { precision, scale }, .. },
                DataType::Decimal128(digits, places),
            ) => {
                let whole = |digits: u8, places: i8| i16::from(digits) - i16::from(places);
                scale <= *places && whole(precision, scale) <= whole(*digits, *places)
            }
            (_, _) => false,
        }
    }

    /// The measure that an argument is: a bare column, at most read as a wider number.
    fn measure(
        &self,
        function: &AggregateFunction,
        argument: &Expr,
    ) -> Result<Box<Column>, Refusal> {
        let (name, distinct) = (function.func.name(), function.params.distinct);
        let mut inner = argument;
        if let Expr::Cast(cast) = argument
            && self.keeps_measure(&cast.expr, cast.field.data_type())
        {
            inner = &cast.expr;
        }
        let all = if distinct { "DISTINCT " } else { "" };
        match self.rows.source(inner, self.schema) {
            Some(Source::Measure(column)) if self.rows.dataset.repeats(&column.name) => {
                Err(refuse::repeated(format!("{name}({})", column.name)))
            }
            Some(Source::Measure(column)) if !distinct => Ok(column),
            Some(Source::Measure(column)) => {
                Err(refuse::aggregate(format!("{name}({all}{})", column.name)))
            }
            Some(Source::Unit(column)) => Err(refuse::aggregate(format!("{name}({all}{column})"))),
            Some(Source::Level(level)) => {
                Err(refuse::aggregate(format!("{name}({all}{})", level.level.column)))
            }
            Some(Source::Constant(_)) | None => {
                Err(refuse::aggregate(format!("{name} of {}", refuse::written(inner))))
            }
        }
    }

    fn moments(
        &mut self,
        name: &str,
        column: &Column,
        filter: Option<&Predicate>,
        planned: &DataType,
    ) -> Result<Output, Refusal> {
        let Kind::Measure { number, center } = column.kind else { return Err(refuse::internal()) };
        let (sum_type, average_type) = natural_type(number);
        let fits = |natural: &DataType| match (planned, natural) {
            (DataType::Float64, _) => true,
            (DataType::Decimal128(_, places), DataType::Decimal128(_, own)) => own <= places,
            (planned, natural) => planned == natural,
        };
        let column = &column.name;
        let count = MeasureOf::NonNull(column.clone());
        match name {
            "sum" if fits(&sum_type) => Ok(Output::Direct(self.sum(column, number, filter))),
            "avg" if fits(&average_type) => {
                let sum = self.sum(column, number, filter);
                Ok(Output::Avg { sum, count: self.wire(count, filter) })
            }
            "var" | "var_pop" | "stddev" | "stddev_pop" if planned == &DataType::Float64 => {
                let center = center.unwrap_or(0);
                Ok(Output::Spread {
                    squares: self
                        .wire(MeasureOf::SumOfSquares { column: column.clone(), center }, filter),
                    sum: self
                        .wire(MeasureOf::SumCentred { column: column.clone(), center }, filter),
                    count: self.wire(count, filter),
                    sample: !name.ends_with("_pop"),
                    root: name.starts_with("stddev"),
                })
            }
            _ => Err(refuse::not_supported(name)),
        }
    }

    fn sum(&mut self, column: &ColumnName, number: Number, filter: Option<&Predicate>) -> usize {
        self.wire(MeasureOf::Sum { column: column.clone(), number }, filter)
    }

    fn wire(&mut self, of: MeasureOf, filter: Option<&Predicate>) -> usize {
        position(&mut self.wire, WireMeasure { of, filter: filter.cloned() })
    }
}

/// `count(CASE WHEN a THEN x END)` is `count(x) FILTER (WHERE a)`, `sum(CASE WHEN a THEN 1 ELSE 0 END)` counts rows, and
/// `sum(CASE WHEN a THEN x ELSE 0 END)` is `sum(x) FILTER (WHERE a)`, nothing where no `x` is known: the condition, and what
/// is aggregated where it is true.
fn conditional<'e>(name: &str, argument: &'e Expr) -> Option<(&'e Expr, &'e Expr)> {
    let Expr::Case(case) = argument else { return None };
    let (None, [(when, then)]) = (&case.expr, case.when_then_expr.as_slice()) else { return None };
    let nothing = |otherwise: &Expr| constant(otherwise).is_some_and(|value| value.is_null());
    let listed = match case.else_expr.as_deref() {
        None => true,
        Some(otherwise) if nothing(otherwise) => true,
        Some(otherwise) => name == "sum" && is_zero(otherwise),
    };
    listed.then_some((&**when, &**then))
}

fn is_whole(expr: &Expr, number: i64) -> bool {
    constant(expr) == Some(ScalarValue::Int64(Some(number)))
}

/// Zero, in whatever type the planner read it as.
fn is_zero(expr: &Expr) -> bool {
    let number = constant(expr).filter(|value| value.data_type().is_numeric());
    let float = number.and_then(|value| value.cast_to(&DataType::Float64).ok());
    float == Some(ScalarValue::Float64(Some(0.0)))
}
