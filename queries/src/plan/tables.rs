//! The catalogue as the engine's planner sees it: tables without data.

use super::refuse;
use crate::merge::natural_type;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use mayag_policies::catalogue::{COUNTRY_COLUMN, Catalogue, Column, Dataset, Kind, Level, Number};
use mayag_policies::shape::Grain;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a column of a planned table stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning<'a> {
    /// The answering country.
    Country,
    /// A column of the dataset.
    Own(&'a Column),
    /// A coarser view of a column, such as `hs6_chapter`.
    Coarser(&'a Column, &'a Level),
    /// A date column at a grain, such as `seized_on_month`.
    Period(&'a Column, Grain),
}

/// The columns of a dataset that exist in plans, in order. Hidden columns do not exist.
pub(super) fn columns(dataset: &Dataset) -> Vec<(String, Meaning<'_>)> {
    let mut columns = vec![(COUNTRY_COLUMN.to_owned(), Meaning::Country)];
    let visible =
        || dataset.columns.iter().filter(|column| !matches!(column.kind, Kind::Hidden {}));
    columns.extend(visible().map(|column| (column.name.to_string(), Meaning::Own(column))));
    for column in visible().filter(|column| matches!(column.kind, Kind::Date {})) {
        for grain in [Grain::Month, Grain::Quarter, Grain::Year] {
            columns.push((
                format!("{}_{}", column.name, grain.as_str()),
                Meaning::Period(column, grain),
            ));
        }
    }
    for column in visible() {
        for level in &column.levels {
            let name = format!("{}_{}", column.name, level.name);
            columns.push((name, Meaning::Coarser(column, level)));
        }
    }
    // A column of the dataset wins over a period of the same name.
    let mut seen = BTreeSet::new();
    columns.retain(|(name, _)| seen.insert(name.clone()));
    columns
}

fn schema(dataset: &Dataset) -> SchemaRef {
    let fields = columns(dataset).into_iter().map(|(name, meaning)| {
        let data_type = match meaning {
            Meaning::Coarser(..) | Meaning::Country => DataType::Utf8,
            Meaning::Period(..) => DataType::Date32,
            Meaning::Own(column) => match &column.kind {
                Kind::Category { .. } | Kind::Hidden {} | Kind::Unit {} => DataType::Utf8,
                Kind::Date {} => DataType::Date32,
                Kind::Measure { number, .. } => measure_type(*number),
                Kind::Number {} => DataType::Int64,
            },
        };
        Field::new(name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn measure_type(number: Number) -> DataType {
    match number {
        Number::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
        Number::Float | Number::Integer => natural_type(number).0,
    }
}

/// A table of which only the columns are known.
#[derive(Debug)]
struct Columns(SchemaRef);

impl TableSource for Columns {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }
}

/// Gives the planner the catalogue's tables and the session's functions.
pub(super) struct Tables<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) state: &'a SessionState,
}

impl Tables<'_> {
    /// Every function that can be named, with aliases.
    pub(super) fn functions(&self) -> BTreeSet<String> {
        let names = [self.udf_names(), self.udaf_names(), self.udwf_names()];
        names.into_iter().flatten().collect()
    }
}

impl ContextProvider for Tables<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let dataset = match &name {
            TableReference::Bare { table } => self.catalogue.dataset(table),
            // As `information_schema` says it.
            TableReference::Partial { schema, table } if schema.as_ref() == "public" => {
                self.catalogue.dataset(table)
            }
            TableReference::Partial { .. } | TableReference::Full { .. } => None,
        };
        match dataset {
            Some(dataset) => Ok(Arc::new(Columns(schema(dataset)))),
            None => Err(DataFusionError::External(Box::new(refuse::dataset(&name.to_string())))),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
