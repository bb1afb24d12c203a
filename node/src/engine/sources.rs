//! A node's own tables, and the views that make the catalogue's datasets of them.
//!
//! Nothing is guessed: a CSV column is a text unless `columns` says otherwise, and a view must deliver every column of the
//! dataset with the catalogue's type, by `CAST` where the source has another.

use super::failure::WorkFailure;
use super::session::session;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use mayag_policies::catalogue::{Catalogue, Dataset, Kind, Number};
use mayag_protocol::names::{ColumnName, Country, DatasetName, TableName};
use mayag_queries::engine::sql_options;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod column_type;

pub use column_type::{ColumnType, UnknownColumnType};

/// The tables of a node, as part of `node.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcesConfig {
    /// The views that make datasets of the sources.
    #[serde(default)]
    pub datasets: Vec<View>,
    /// The files.
    #[serde(default)]
    pub sources: Vec<Source>,
}

/// A file, or a folder of files with the same columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The types of columns of CSV and NDJSON files. In CSV, columns that are not listed are texts; NDJSON has no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<SourceColumn>,
    /// What is in the files.
    pub format: Format,
    /// The name in views.
    pub name: DatasetName,
    /// The file or folder, relative to the folder of `node.toml`.
    pub path: PathBuf,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

/// The type of a column of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceColumn {
    /// The column's name in the file.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
}

/// How a dataset of the catalogue follows from the sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The dataset.
    pub name: DatasetName,
    /// One `SELECT` over sources that delivers the dataset's columns. The operator's own SQL: trusted.
    pub view: String,
}

/// What is wrong with the sources or views, for the operator. It quotes the operator's own names, never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum SourceProblem {
    /// The view has a column of another type than the catalogue.
    #[error(
        "dataset `{dataset}`: column `{column}` is {found}, the catalogue says {expected}: add a CAST to the view"
    )]
    ColumnType {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// The type in the view.
        found: String,
        /// The type in the catalogue.
        expected: String,
    },
    /// The view lacks a column.
    #[error("dataset `{dataset}`: the view has no column `{column}`")]
    ColumnMissing {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
    },
    /// A dataset or source is defined twice.
    #[error("`{0}` is defined twice")]
    Duplicate(DatasetName),
    /// Files of one folder have different header lines.
    #[error("source `{0}`: its files do not have the same columns in the same order")]
    HeadersDiffer(DatasetName),
    /// The engine could not be started.
    #[error("starting the engine: {0}")]
    Engine(WorkFailure),
    /// A column of a source is listed that the files do not have.
    #[error("source `{source_name}`: no column `{column}` in the files")]
    SourceColumnMissing {
        /// The source.
        source_name: DatasetName,
        /// The column as written.
        column: String,
    },
    /// The query of a lookup table is no query over the sources.
    #[error("lookup table `{table}`: its SQL {reason}")]
    Lookup {
        /// The table.
        table: TableName,
        /// What kind of mistake it is.
        reason: ViewMistake,
    },
    /// A file could not be read.
    #[error("source `{0}`: no readable file of this format at its path")]
    Unreadable(DatasetName),
    /// The dataset is not in the catalogue.
    #[error("dataset `{0}` is not in the catalogue")]
    UnknownDataset(DatasetName),
    /// The view is no query over the sources.
    #[error("dataset `{dataset}`: the view {reason}")]
    View {
        /// The dataset.
        dataset: DatasetName,
        /// What kind of mistake it is.
        reason: ViewMistake,
    },
}

/// Why a view cannot be planned. A kind, not the engine's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ViewMistake {
    /// It delivers no column `identifier`.
    #[error("has no column `identifier`")]
    NoIdentifier,
    /// The engine does not plan it.
    #[error("is not a query that the engine plans: check its functions, types and tables")]
    NotPlanned,
    /// It is not SQL.
    #[error("is not one SQL query")]
    NotSql,
    /// It names a column that no source has, or an ambiguous one.
    #[error("names a column that its sources do not have, or that several of them have")]
    UnknownColumn,
}

/// The datasets of a node, ready to be scanned.
pub struct Datasets {
    session: SessionContext,
    country: Country,
    catalogue: Catalogue,
    mapped: BTreeMap<DatasetName, Mapped>,
}

/// A dataset and the view that delivers it.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) dataset: Dataset,
    pub(super) view: LogicalPlan,
}

impl fmt::Debug for Datasets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Datasets").field(&self.country).field(&self.mapped.keys()).finish()
    }
}

impl SourcesConfig {
    /// Makes relative paths relative to `folder`.
    pub fn resolve(&mut self, folder: &Path) {
        for source in &mut self.sources {
            source.path = folder.join(&source.path);
        }
    }
}

impl Datasets {
    /// Opens the sources and plans the views. Files are opened for their columns only.
    pub async fn open(
        config: &SourcesConfig,
        catalogue: &Catalogue,
        country: &Country,
        limits: Limits,
    ) -> Result<Self, SourceProblem> {
        let session = session(limits.cores, limits.memory).map_err(SourceProblem::Engine)?;
        for source in &config.sources {
            let table = source.open(&session).await?;
            let replaced = session.register_table(source.name.as_str(), Arc::new(table));
            if !matches!(replaced, Ok(None)) {
                return Err(SourceProblem::Duplicate(source.name.clone()));
            }
        }
        let mut datasets = BTreeMap::new();
        for view in &config.datasets {
            let dataset = catalogue.dataset(view.name.as_str());
            let dataset =
                dataset.ok_or_else(|| SourceProblem::UnknownDataset(view.name.clone()))?.clone();
            let plan = view.plan(&session).await?;
            check_columns(&dataset, &plan)?;
            if datasets.insert(view.name.clone(), Mapped { dataset, view: plan }).is_some() {
                return Err(SourceProblem::Duplicate(view.name.clone()));
            }
        }
        let (country, catalogue) = (country.clone(), catalogue.clone());
        Ok(Self { session, country, catalogue, mapped: datasets })
    }

    pub(super) fn session(&self) -> &SessionContext {
        &self.session
    }

    pub(super) fn country(&self) -> &Country {
        &self.country
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(super) fn get(&self, name: &DatasetName) -> Option<&Mapped> {
        self.mapped.get(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Mapped> {
        self.mapped.values()
    }
}

/// What the engine of one worker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Partitions, and threads that work on them.
    pub cores: usize,
    /// Bytes of the memory pool.
    pub memory: u64,
    /// Rows that may pass the barrier in one release.
    pub scan_rows: u64,
    /// Cells that one release may have.
    pub cells: usize,
}

impl Source {
    async fn open(&self, session: &SessionContext) -> Result<ListingTable, SourceProblem> {
        let unreadable = || SourceProblem::Unreadable(self.name.clone());
        let url = ListingTableUrl::parse(self.path.to_string_lossy()).map_err(|_| unreadable())?;
        let (format, extension): (Arc<dyn FileFormat>, &str) = match self.format {
            // A quoted value may hold a line break: a file is then never split between them.
            Format::Csv => (
                Arc::new(CsvFormat::default().with_has_header(true).with_newlines_in_values(true)),
                "csv",
            ),
            Format::Ndjson => (Arc::new(JsonFormat::default()), "ndjson"),
            Format::Parquet => (Arc::new(ParquetFormat::default()), "parquet"),
        };
        // A single file may have any name; in a folder only files of the format's extension count.
        let extension = if url.is_collection() { format!(".{extension}") } else { String::new() };
        let options = ListingOptions::new(format).with_file_extension(extension);
        let schema = match self.format {
            Format::Csv => self.csv_schema(session, &options).await?,
            Format::Ndjson => self.declared(),
            Format::Parquet => {
                options.infer_schema(&session.state(), &url).await.map_err(|_| unreadable())?
            }
        };
        if schema.fields().is_empty() {
            return Err(unreadable());
        }
        let config = ListingTableConfig::new(url).with_listing_options(options).with_schema(schema);
        ListingTable::try_new(config).map_err(|_| unreadable())
    }

    fn declared(&self) -> SchemaRef {
        let fields = self
            .columns
            .iter()
            .map(|column| Field::new(&column.name, column.kind.data_type(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The header gives the names in their order, `columns` the types. The engine reads columns by position, so every
    /// file of a folder must have the same header.
    async fn csv_schema(
        &self,
        session: &SessionContext,
        options: &ListingOptions,
    ) -> Result<SchemaRef, SourceProblem> {
        let unreadable = || SourceProblem::Unreadable(self.name.clone());
        let mut names: Option<Vec<String>> = None;
        for file in self.files().map_err(|_| unreadable())? {
            let url = ListingTableUrl::parse(file.to_string_lossy()).map_err(|_| unreadable())?;
            let options = ListingOptions::new(Arc::clone(&options.format)).with_file_extension("");
            let schema =
                options.infer_schema(&session.state(), &url).await.map_err(|_| unreadable())?;
            let of_file: Vec<String> =
                schema.fields().iter().map(|field| field.name().clone()).collect();
            match &names {
                None => names = Some(of_file),
                Some(names) if *names == of_file => {}
                Some(_) => return Err(SourceProblem::HeadersDiffer(self.name.clone())),
            }
        }
        let names = names.ok_or_else(unreadable)?;
        if let Some(column) = self.columns.iter().find(|column| !names.contains(&column.name)) {
            let (source_name, column) = (self.name.clone(), column.name.clone());
            return Err(SourceProblem::SourceColumnMissing { source_name, column });
        }
        let field = |name: &String| {
            let declared = self.columns.iter().find(|column| column.name == *name);
            Field::new(
                name,
                declared.map_or(DataType::Utf8, |column| column.kind.data_type()),
                true,
            )
        };
        Ok(Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>())))
    }

    fn files(&self) -> std::io::Result<Vec<PathBuf>> {
        if !std::fs::metadata(&self.path)?.is_dir() {
            return Ok(vec![self.path.clone()]);
        }
        let entries = std::fs::read_dir(&self.path)?.map(|entry| entry.map(|entry| entry.path()));
        let mut files = entries.collect::<Result<Vec<_>, _>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "csv"));
        files.sort();
        Ok(files)
    }
}

impl ViewMistake {
    /// What an error of planning comes to. The engine's text is dropped here.
    pub(super) fn of(error: &DataFusionError) -> Self {
        let root = error.find_root();
        if matches!(root, DataFusionError::SQL(..)) {
            Self::NotSql
        } else if matches!(root, DataFusionError::SchemaError(..)) {
            Self::UnknownColumn
        } else {
            Self::NotPlanned
        }
    }
}

impl View {
    async fn plan(&self, session: &SessionContext) -> Result<LogicalPlan, SourceProblem> {
        let planned = session.sql_with_options(&self.view, sql_options()).await;
        let frame = planned.map_err(|error| SourceProblem::View {
            dataset: self.name.clone(),
            reason: ViewMistake::of(&error),
        })?;
        Ok(frame.into_unoptimized_plan())
    }
}

/// The catalogue's columns, by name and type. A hidden column may be absent: nothing reads it. More columns than the
/// catalogue's may be there: nothing above the barrier can name them.
fn check_columns(dataset: &Dataset, plan: &LogicalPlan) -> Result<(), SourceProblem> {
    for column in &dataset.columns {
        let named = || (dataset.name.clone(), column.name.clone());
        let mut found =
            plan.schema().fields().iter().filter(|field| field.name() == column.name.as_str());
        match (found.next(), found.next()) {
            (Some(field), None) if fits(&column.kind, field.data_type()) => {}
            (Some(field), None) => {
                let (dataset, column_name) = named();
                let (found, expected) = (field.data_type().to_string(), sql_type(&column.kind));
                return Err(SourceProblem::ColumnType {
                    dataset,
                    column: column_name,
                    found,
                    expected,
                });
            }
            (None, _) if matches!(column.kind, Kind::Hidden {}) => {}
            (None, _) => {
                let (dataset, column) = named();
                return Err(SourceProblem::ColumnMissing { dataset, column });
            }
            (Some(_), Some(_)) => {
                let (dataset, reason) = (dataset.name.clone(), ViewMistake::UnknownColumn);
                return Err(SourceProblem::View { dataset, reason });
            }
        }
    }
    Ok(())
}

fn fits(kind: &Kind, found: &DataType) -> bool {
    match kind {
        Kind::Category { .. } | Kind::Hidden {} | Kind::Unit {} => {
            matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        }
        Kind::Date {} => *found == DataType::Date32,
        Kind::Measure { number, .. } => *found == measure_type(*number),
        Kind::Number {} => *found == DataType::Int64,
    }
}

/// The engine's type of a measure.
pub(super) fn measure_type(number: Number) -> DataType {
    match number {
        Number::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
        Number::Float => DataType::Float64,
        Number::Integer => DataType::Int64,
    }
}

fn sql_type(kind: &Kind) -> String {
    match kind {
        Kind::Category { .. } | Kind::Hidden {} | Kind::Unit {} => "VARCHAR".to_owned(),
        Kind::Date {} => "DATE".to_owned(),
        Kind::Measure { number: Number::Decimal { precision, scale }, .. } => {
            format!("DECIMAL({precision},{scale})")
        }
        Kind::Measure { number: Number::Float, .. } => "DOUBLE".to_owned(),
        Kind::Measure { number: Number::Integer, .. } | Kind::Number {} => "BIGINT".to_owned(),
    }
}
