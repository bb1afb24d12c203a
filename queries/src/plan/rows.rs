//! What lies below a release: one dataset, its columns as the query renamed them, and the filters over it.
//!
//! Rows are not shared, so only what a node can be told in the catalogue's words may stand here: a scan, aliases, plain
//! columns, dates at a grain, and filters that compare levels with constants.

use super::refuse;
use super::tables::{Meaning, columns};
use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, TableScan};
use mayag_policies::catalogue::{COUNTRY_COLUMN, Catalogue, Dataset, Kind, LevelRule};
use mayag_policies::shape::{Grain, LevelRef, Predicate};
use mayag_protocol::names::ColumnName;
use mayag_protocol::refusal::Refusal;

/// What a column below a release stands for.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The same in every row, whatever the rows are.
    Constant(ScalarValue),
    /// Something that people group and filter by.
    Level(Level),
    /// A number that is aggregated.
    Measure(Box<mayag_policies::catalogue::Column>),
    /// The identifier of a unit.
    Unit(ColumnName),
}

/// A level, and how the query sees its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) level: LevelRef,
    pub(super) values: Values,
}

/// What the values of a level are in the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// The first day of the period, as a date or a timestamp.
    Date,
    /// Whole numbers.
    Int,
    /// Texts.
    Text,
    /// The year, or the quarter or month of the year, as a whole number; the level's own values are dates.
    Part(Grain),
}

/// A row-wise part of a plan.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    pub(super) dataset: &'a Dataset,
    /// One per column of the plan.
    pub(super) sources: Vec<Source>,
    pub(super) filters: Vec<Predicate>,
    /// The columns of a join that are still to be compared: somebody wrote `FROM a, b WHERE ..`.
    pub(super) unmet: Vec<ColumnName>,
}

/// Whether a scan of a dataset is reached without passing an aggregate or `DISTINCT`.
pub(super) fn reads_rows(plan: &LogicalPlan) -> bool {
    match plan {
        // `SELECT DISTINCT` of rows is a release like an aggregate.
        LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(Distinct::All(_)) => false,
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Distinct(Distinct::On(_))
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => plan.inputs().into_iter().any(reads_rows),
    }
}

impl<'a> Rows<'a> {
    /// What the plan below a release reads, or why it cannot be one.
    pub(super) fn of(plan: &LogicalPlan, catalogue: &'a Catalogue) -> Result<Self, Refusal> {
        let rows = Self::below(plan, catalogue)?;
        if rows.unmet.is_empty() { Ok(rows) } else { Err(refuse::not_joined(&rows.unmet)) }
    }

    pub(super) fn below(plan: &LogicalPlan, catalogue: &'a Catalogue) -> Result<Self, Refusal> {
        match plan {
            LogicalPlan::TableScan(scan) => Self::scan(scan, catalogue),
            LogicalPlan::SubqueryAlias(alias) => Self::below(&alias.input, catalogue),
            LogicalPlan::Filter(filter) => Self::below(&filter.input, catalogue)?
                .filtered(&filter.predicate, filter.input.schema()),
            LogicalPlan::Projection(projection) => {
                let rows = Self::below(&projection.input, catalogue)?;
                let schema = projection.input.schema();
                let source = |expr| {
                    rows.source(expr, schema).ok_or_else(|| refuse::below(&refuse::written(expr)))
                };
                let sources = projection.expr.iter().map(source).collect::<Result<_, _>>()?;
                Ok(Self { sources, ..rows })
            }
            LogicalPlan::Join(join) => Self::joined(join, catalogue),
            LogicalPlan::Union(_) => Err(refuse::below("UNION")),
            LogicalPlan::Distinct(_) => Err(refuse::below("DISTINCT")),
            LogicalPlan::Limit(_) => Err(refuse::below("LIMIT")),
            LogicalPlan::Sort(_) => Err(refuse::below("ORDER BY")),
            LogicalPlan::Window(_) => Err(refuse::below("a window function")),
            LogicalPlan::Subquery(_) => Err(refuse::below("LATERAL")),
            LogicalPlan::Unnest(_) => Err(refuse::below("unnest")),
            LogicalPlan::RecursiveQuery(_) => Err(refuse::below("WITH RECURSIVE")),
            LogicalPlan::Aggregate(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Extension(_) => Err(refuse::internal()),
            LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => Err(refuse::not_one_select()),
        }
    }

    fn scan(scan: &TableScan, catalogue: &'a Catalogue) -> Result<Self, Refusal> {
        let dataset = catalogue.dataset(scan.table_name.table()).ok_or_else(refuse::internal)?;
        // Nothing pushes filters or limits into a scan before the cut; if something did, it would be lost here.
        if !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(refuse::internal());
        }
        let all = columns(dataset);
        let positions = scan.projection.clone().unwrap_or_else(|| (0..all.len()).collect());
        let source = |i: &usize| {
            all.get(*i).and_then(|(_, meaning)| source(*meaning)).ok_or_else(refuse::internal)
        };
        let sources = positions.iter().map(source).collect::<Result<_, _>>()?;
        Ok(Self { dataset, sources, filters: Vec::new(), unmet: Vec::new() })
    }

    /// What an expression over these rows stands for; `None` where it is more than a level, a measure or a unit.
    pub(super) fn source(&self, expr: &Expr, schema: &DFSchema) -> Option<Source> {
        if let Some(value) = super::predicate::constant(expr) {
            return Some(Source::Constant(value));
        }
        #[expect(deprecated, reason = "an exhaustive match has to name the deprecated variant")]
        match expr {
            Expr::Alias(alias) => self.source(&alias.expr, schema),
            Expr::Column(column) => self.column(column, schema),
            Expr::Cast(cast) => match self.source(&cast.expr, schema)? {
                Source::Level(level) if keeps_values(&level, cast.field.data_type()) => {
                    Some(Source::Level(level))
                }
                Source::Constant(_) | Source::Level(_) | Source::Measure(_) | Source::Unit(_) => {
                    None
                }
            },
            Expr::Case(case) => {
                let (column, level) = self.cased(case, schema)?;
                source(Meaning::Coarser(column, level))
            }
            Expr::ScalarFunction(function) => match (function.name(), function.args.as_slice()) {
                ("date_trunc", [unit, date]) => self.truncated(unit, date, schema),
                ("date_part", [unit, date]) => self.part(unit, date, schema),
                ("left", [text, length]) => self.beginning(text, length, schema),
                ("substr", [text, from, length])
                    if super::predicate::constant(from) == Some(ScalarValue::Int64(Some(1))) =>
                {
                    self.beginning(text, length, schema)
                }
                _ => None,
            },
            Expr::ScalarVariable(..)
            | Expr::Literal(..)
            | Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Negative(_)
            | Expr::Between(_)
            | Expr::TryCast(_)
            | Expr::AggregateFunction(_)
            | Expr::WindowFunction(_)
            | Expr::InList(_)
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
            | Expr::LambdaVariable(_) => None,
        }
    }

    fn column(&self, column: &Column, schema: &DFSchema) -> Option<Source> {
        self.sources.get(schema.maybe_index_of_column(column)?).cloned()
    }

    /// `date_trunc('month', date)`: the coarser of the two grains.
    fn truncated(&self, unit: &Expr, date: &Expr, schema: &DFSchema) -> Option<Source> {
        let unit = text(unit)?;
        let grain = Grain::ALL.into_iter().find(|grain| grain.as_str() == unit)?;
        let mut level = self.date(date, schema)?;
        level.level.grain = level.level.grain.max(Some(grain));
        Some(Source::Level(level))
    }

    /// `date_part('year', date)`, or of its quarter or month.
    fn part(&self, unit: &Expr, date: &Expr, schema: &DFSchema) -> Option<Source> {
        let Level { level, .. } = self.date(date, schema)?;
        let unit = text(unit)?;
        let parts = [Grain::Month, Grain::Quarter, Grain::Year];
        let part = parts.into_iter().find(|grain| grain.as_str() == unit)?;
        let grain = level.grain.max(Some(part));
        let level = LevelRef { grain, ..level };
        Some(Source::Level(Level { level, values: Values::Part(part) }))
    }

    /// `left(category, 2)`, where the catalogue declares that as a level.
    fn beginning(&self, text: &Expr, length: &Expr, schema: &DFSchema) -> Option<Source> {
        let Some(ScalarValue::Int64(Some(length))) = super::predicate::constant(length) else {
            return None;
        };
        let Source::Level(Level { level, values: Values::Text }) = self.source(text, schema)?
        else {
            return None;
        };
        let column = self.dataset.column(level.column.as_str())?;
        let declared = |of: &&mayag_policies::catalogue::Level| match of.is {
            LevelRule::Prefix(characters) => i64::from(characters) == length,
            LevelRule::Bands { .. } | LevelRule::Groups { .. } => false,
        };
        let of = column.levels.iter().find(declared)?;
        source(Meaning::Coarser(column, of))
    }

    fn date(&self, expr: &Expr, schema: &DFSchema) -> Option<Level> {
        match self.source(expr, schema)? {
            Source::Level(level) if level.values == Values::Date => Some(level),
            Source::Constant(_) | Source::Level(_) | Source::Measure(_) | Source::Unit(_) => None,
        }
    }
}

fn source(meaning: Meaning<'_>) -> Option<Source> {
    let level = |column: &ColumnName, grain, values| {
        Source::Level(Level { level: LevelRef { column: column.clone(), grain }, values })
    };
    match meaning {
        Meaning::Country => Some(level(&COUNTRY_COLUMN.parse().ok()?, None, Values::Text)),
        Meaning::Coarser(column, of) => Some(level(&column.virtual_name(of)?, None, Values::Text)),
        Meaning::Period(column, grain) => Some(level(&column.name, Some(grain), Values::Date)),
        Meaning::Own(column) => match &column.kind {
            Kind::Category { .. } => Some(level(&column.name, None, Values::Text)),
            Kind::Date {} => Some(level(&column.name, Some(Grain::Day), Values::Date)),
            Kind::Hidden {} => None,
            Kind::Measure { .. } => Some(Source::Measure(Box::new(column.clone()))),
            Kind::Number {} => Some(level(&column.name, None, Values::Int)),
            Kind::Unit {} => Some(Source::Unit(column.name.clone())),
        },
    }
}

/// Whether a cast keeps every value of a level what it is.
fn keeps_values(level: &Level, to: &DataType) -> bool {
    match level.values {
        Values::Date => matches!(to, DataType::Date32 | DataType::Timestamp(_, None)),
        Values::Int => matches!(to, DataType::Int64),
        Values::Text => matches!(to, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8),
        Values::Part(_) => matches!(to, DataType::Int32 | DataType::Int64),
    }
}

/// The lower-case text of a constant.
#[expect(clippy::wildcard_enum_match_arm, reason = "a constant of any other type is no text")]
fn text(expr: &Expr) -> Option<String> {
    match super::predicate::constant(expr)? {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.map(|text| text.to_ascii_lowercase())
        }
        _ => None,
    }
}
