//! The types that `node.toml` can give a column of a text file.

use datafusion::arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The type of a column of a CSV or NDJSON file: `text`, `integer`, `float`, `date`, `boolean` or `decimal(28,16)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `date`: `2024-03-01`.
    Date,
    /// `decimal(precision,scale)`
    Decimal(u8, i8),
    /// `float`: 64 bits.
    Float,
    /// `integer`: 64 bits.
    Integer,
    /// `text`
    Text,
}

/// A text that is not a column type.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a column type: text, integer, float, date, boolean or decimal(precision,scale)"
)]
pub struct UnknownColumnType(String);

impl ColumnType {
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            Self::Float => DataType::Float64,
            Self::Integer => DataType::Int64,
            Self::Text => DataType::Utf8,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::Float => f.write_str("float"),
            Self::Integer => f.write_str("integer"),
            Self::Text => f.write_str("text"),
        }
    }
}

impl From<ColumnType> for String {
    fn from(kind: ColumnType) -> Self {
        kind.to_string()
    }
}

impl TryFrom<String> for ColumnType {
    type Error = UnknownColumnType;

    fn try_from(text: String) -> Result<Self, UnknownColumnType> {
        let decimal = || {
            let (precision, scale) =
                text.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            let (precision, scale): (u8, i8) =
                (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
            let fits =
                (1..=38).contains(&precision) && 0 <= scale && scale.unsigned_abs() <= precision;
            fits.then_some(Self::Decimal(precision, scale))
        };
        match text.as_str() {
            "boolean" => Ok(Self::Boolean),
            "date" => Ok(Self::Date),
            "float" => Ok(Self::Float),
            "integer" => Ok(Self::Integer),
            "text" => Ok(Self::Text),
            _ => decimal().ok_or(UnknownColumnType(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ColumnType;

    #[test]
    fn types_read_back_and_others_are_refused() {
        for text in ["boolean", "date", "decimal(28,16)", "float", "integer", "text"] {
            assert_eq!(ColumnType::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for text in
            ["decimal(0,0)", "decimal(39,2)", "decimal(4,5)", "decimal(4,-1)", "varchar", ""]
        {
            assert!(ColumnType::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
