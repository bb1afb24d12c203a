//! The few ways in which work on a release fails.

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use serde::{Deserialize, Serialize};
use std::error::Error;

/// Why a release has no result. It carries no text of the engine: that text quotes row values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum WorkFailure {
    /// The worker process ended or answered something else, or the release does not fit the catalogue.
    #[error("the worker broke")]
    Broken,
    /// The memory of a worker did not suffice.
    #[error("the memory limit was reached")]
    Memory,
    /// A sum did not fit its type.
    #[error("a sum did not fit its type")]
    Overflow,
    /// More rows passed the barrier than one release may read.
    #[error("the scan limit was reached")]
    ScanLimit,
    /// A source could not be read, or a value of it could not be converted as the view asks.
    #[error("a source could not be read")]
    Source,
    /// It has more cells than are judged.
    #[error("more cells than are judged")]
    TooFine,
    /// The deadline came first.
    #[error("the deadline came first")]
    TimedOut,
}

/// Marks an engine error as one of ours on its way up through the operators.
#[derive(Debug, thiserror::Error)]
#[error("marked failure")]
struct Marked(WorkFailure);

impl WorkFailure {
    /// This failure as an error of the engine, to be found again by [`WorkFailure::of`].
    pub(crate) fn mark(self) -> DataFusionError {
        DataFusionError::External(Box::new(Marked(self)))
    }

    /// What an error of the engine comes to. The error and its text are dropped here.
    pub(crate) fn of(error: &DataFusionError) -> Self {
        let mut step: Option<&(dyn Error + 'static)> = Some(error);
        let mut found = Self::Broken;
        while let Some(error) = step {
            if let Some(Marked(failure)) = error.downcast_ref::<Marked>() {
                return *failure;
            }
            if let Some(error) = error.downcast_ref::<DataFusionError>() {
                found = Self::of_engine(error).unwrap_or(found);
            } else if let Some(error) = error.downcast_ref::<ArrowError>() {
                found = Self::of_arrow(error).unwrap_or(found);
            }
            step = error.source();
        }
        found
    }

    fn of_engine(error: &DataFusionError) -> Option<Self> {
        match error {
            DataFusionError::ArrowError(error, _) => Self::of_arrow(error),
            DataFusionError::ResourcesExhausted(_) => Some(Self::Memory),
            // Execution errors below the barrier are conversions of the operator's view; above it nothing can raise one.
            DataFusionError::Execution(_)
            | DataFusionError::IoError(_)
            | DataFusionError::ObjectStore(_)
            | DataFusionError::ParquetError(_) => Some(Self::Source),
            DataFusionError::Collection(_)
            | DataFusionError::Configuration(_)
            | DataFusionError::Context(..)
            | DataFusionError::Diagnostic(..)
            | DataFusionError::ExecutionJoin(_)
            | DataFusionError::External(_)
            | DataFusionError::Ffi(_)
            | DataFusionError::Internal(_)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Plan(_)
            | DataFusionError::SQL(..)
            | DataFusionError::SchemaError(..)
            | DataFusionError::Shared(_)
            | DataFusionError::Substrait(_) => None,
        }
    }

    fn of_arrow(error: &ArrowError) -> Option<Self> {
        match error {
            ArrowError::ArithmeticOverflow(_)
            | ArrowError::CastError(_)
            | ArrowError::CsvError(_)
            | ArrowError::DivideByZero
            | ArrowError::IoError(..)
            | ArrowError::JsonError(_)
            | ArrowError::ParquetError(_)
            | ArrowError::ParseError(_) => Some(Self::Source),
            ArrowError::MemoryError(_) => Some(Self::Memory),
            ArrowError::AvroError(_)
            | ArrowError::CDataInterface(_)
            | ArrowError::ComputeError(_)
            | ArrowError::DictionaryKeyOverflowError
            | ArrowError::ExternalError(_)
            | ArrowError::InvalidArgumentError(_)
            | ArrowError::IpcError(_)
            | ArrowError::NotYetImplemented(_)
            | ArrowError::OffsetOverflowError(_)
            | ArrowError::RunEndIndexOverflowError
            | ArrowError::SchemaError(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WorkFailure;
    use datafusion::arrow::error::ArrowError;
    use datafusion::error::DataFusionError;
    use std::sync::Arc;

    #[test]
    fn a_mark_is_found_under_any_wrapping() {
        let marked = WorkFailure::ScanLimit.mark().context("somewhere");
        let wrapped = DataFusionError::Shared(Arc::new(DataFusionError::ArrowError(
            Box::new(ArrowError::ExternalError(Box::new(marked))),
            None,
        )));
        assert_eq!(WorkFailure::of(&wrapped), WorkFailure::ScanLimit);
    }

    #[test]
    fn engine_errors_collapse() {
        let of = |error: DataFusionError| WorkFailure::of(&error.context("c"));
        assert_eq!(of(DataFusionError::ResourcesExhausted("x".into())), WorkFailure::Memory);
        assert_eq!(of(ArrowError::CastError("x".into()).into()), WorkFailure::Source);
        assert_eq!(of(DataFusionError::Internal("x".into())), WorkFailure::Broken);
    }
}
