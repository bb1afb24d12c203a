//! A node in a hundred lines: computes a release over plain rows, row by row.

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, UInt8Array,
};
use arrow::datatypes::{DataType, SchemaRef};
use mayag_policies::catalogue::Dataset;
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_queries::merge::wire_schema;
use mayag_queries::release::{Centred, MeasureOf, Power, Release};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One seizure. Texts and numbers may be missing.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) person: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) substance: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) seized_on: Option<i32>,
    pub(crate) hour: Option<i64>,
    pub(crate) quantity_g: Option<f64>,
    pub(crate) kg: Option<i128>,
    pub(crate) items: Option<i64>,
}

impl Row {
    fn level(&self, level: &LevelRef, country: &str) -> Option<Literal> {
        let text = |text: &Option<String>| text.clone().map(Literal::Text);
        match level.column.as_str() {
            "country" => Some(Literal::Text(country.to_owned())),
            "region" => text(&self.region),
            "substance" => text(&self.substance),
            "substance_head" => {
                let head = |text: &String| text.chars().take(2).collect();
                self.substance.as_ref().map(head).map(Literal::Text)
            }
            "route" => text(&self.route),
            "hour" => self.hour.map(Literal::Int),
            "quantity_g_band" => self.quantity_g.map(|quantity| {
                let band = match quantity {
                    ..10.0 => "small",
                    10.0..100.0 => "middle",
                    _ => "large",
                };
                Literal::Text(band.to_owned())
            }),
            "seized_on" => {
                self.seized_on.map(|day| Literal::Date(first_day(day, level.grain.unwrap())))
            }
            other => panic!("{other} is no level"),
        }
    }

    fn passes(&self, predicate: &Predicate, country: &str) -> Option<bool> {
        match predicate {
            Predicate::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.passes(part, country)).collect();
                if parts.contains(&Some(false)) {
                    Some(false)
                } else {
                    (!parts.contains(&None)).then_some(true)
                }
            }
            Predicate::Any(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.passes(part, country)).collect();
                if parts.contains(&Some(true)) {
                    Some(true)
                } else {
                    (!parts.contains(&None)).then_some(false)
                }
            }
            Predicate::Not(part) => self.passes(part, country).map(|passes| !passes),
            Predicate::IsNull { level } => Some(self.level(level, country).is_none()),
            Predicate::In { level, values } => Some(values.contains(&self.level(level, country)?)),
            Predicate::Compare { level, comparison, value } => {
                let own = self.level(level, country)?;
                Some(match comparison {
                    Comparison::Equal => own == *value,
                    Comparison::Greater => own > *value,
                    Comparison::GreaterOrEqual => own >= *value,
                    Comparison::Less => own < *value,
                    Comparison::LessOrEqual => own <= *value,
                    Comparison::NotEqual => own != *value,
                })
            }
        }
    }

    fn float(&self, column: &str) -> Option<f64> {
        match column {
            "quantity_g" => self.quantity_g,
            "kg" => self.kg.map(|kg| kg as f64 / 1000.0),
            "items" => self.items.map(|items| items as f64),
            other => panic!("{other} is no measure"),
        }
    }

    fn present(&self, column: &str) -> bool {
        match column {
            "person_id" => self.person.is_some(),
            "region" => self.region.is_some(),
            "substance" => self.substance.is_some(),
            "route" => self.route.is_some(),
            "seized_on" => self.seized_on.is_some(),
            "hour" => self.hour.is_some(),
            other => self.float(other).is_some(),
        }
    }
}

pub(crate) fn first_day(day: i32, grain: Grain) -> i32 {
    use arrow::temporal_conversions::date32_to_datetime;
    let date = date32_to_datetime(day).unwrap().format("%Y %m %d").to_string();
    let parts: Vec<i32> = date.split(' ').map(|part| part.parse().unwrap()).collect();
    match grain {
        Grain::Day => day,
        Grain::Month => day - (parts[2] - 1),
        Grain::Quarter if (parts[1] - 1) % 3 == 0 => first_day(day, Grain::Month),
        Grain::Year if parts[1] == 1 => first_day(day, Grain::Month),
        Grain::Quarter | Grain::Year => first_day(first_day(day, Grain::Month) - 1, grain),
    }
}

enum Value {
    Decimal(Option<i128>),
    Float(Option<f64>),
    Int(Option<i64>),
    Level(Option<Literal>),
}

fn measure(of: &MeasureOf, rows: &[&Row], country: &str) -> Value {
    let count = |count: usize| Value::Int(Some(i64::try_from(count).unwrap()));
    match of {
        MeasureOf::Rows => count(rows.len()),
        MeasureOf::NonNull(column) => {
            count(rows.iter().filter(|row| row.present(column.as_str())).count())
        }
        MeasureOf::DistinctUnits => {
            count(rows.iter().filter_map(|row| row.person.as_ref()).collect::<BTreeSet<_>>().len())
        }
        MeasureOf::Max(level) => {
            Value::Level(rows.iter().filter_map(|row| row.level(level, country)).max())
        }
        MeasureOf::Min(level) => {
            Value::Level(rows.iter().filter_map(|row| row.level(level, country)).min())
        }
        MeasureOf::Sum { column, .. } => match column.as_str() {
            "kg" => Value::Decimal(rows.iter().filter_map(|row| row.kg).reduce(|a, b| a + b)),
            "items" => Value::Int(rows.iter().filter_map(|row| row.items).reduce(|a, b| a + b)),
            column => {
                Value::Float(rows.iter().filter_map(|row| row.float(column)).reduce(|a, b| a + b))
            }
        },
        MeasureOf::Pair { x, y, power } => {
            let far = |row: &Row, of: &Centred| {
                row.float(of.column.as_str()).map(|value| value - of.center as f64)
            };
            let pairs = rows.iter().filter_map(|row| far(row, x).zip(far(row, y)));
            let sum = |of: fn((f64, f64)) -> f64| {
                Value::Float(pairs.clone().map(of).reduce(|a, b| a + b))
            };
            match power {
                Power::Rows => count(pairs.count()),
                Power::X => sum(|(x, _)| x),
                Power::Xx => sum(|(x, _)| x * x),
                Power::Xy => sum(|(x, y)| x * y),
                Power::Y => sum(|(_, y)| y),
                Power::Yy => sum(|(_, y)| y * y),
            }
        }
        MeasureOf::SumCentred { column, center } => {
            let far = rows
                .iter()
                .filter_map(|row| row.float(column.as_str()))
                .map(|x| x - *center as f64);
            Value::Float(far.reduce(|a, b| a + b))
        }
        MeasureOf::SumOfSquares { column, center } => {
            let far = rows
                .iter()
                .filter_map(|row| row.float(column.as_str()))
                .map(|x| (x - *center as f64).powi(2));
            Value::Float(far.reduce(|a, b| a + b))
        }
    }
}

/// The part of one country.
pub(crate) fn part(
    release: &Release,
    dataset: &Dataset,
    rows: &[Row],
    country: &str,
) -> RecordBatch {
    let mut groups: BTreeMap<Vec<Option<Literal>>, Vec<&Row>> = BTreeMap::new();
    if release.keys.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    for row in rows.iter().filter(|row| row.passes(&release.filter, country) == Some(true)) {
        groups
            .entry(release.keys.iter().map(|key| row.level(key, country)).collect())
            .or_default()
            .push(row);
    }
    let schema = wire_schema(release, dataset).unwrap();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for i in 0..release.keys.len() {
        columns.push(array(
            schema.field(i).data_type(),
            groups.keys().map(|key| Value::Level(key[i].clone())).collect(),
        ));
    }
    for (i, wire) in release.wire.iter().enumerate() {
        let values = groups.values().map(|rows| {
            let passes = |row: &&&Row| {
                wire.filter.as_ref().is_none_or(|filter| row.passes(filter, country) == Some(true))
            };
            measure(&wire.of, &rows.iter().filter(passes).copied().collect::<Vec<_>>(), country)
        });
        columns.push(array(schema.field(release.keys.len() + 3 * i).data_type(), values.collect()));
        columns.push(Arc::new(UInt8Array::from(vec![0; groups.len()])));
        columns.push(Arc::new(Float64Array::from(vec![None; groups.len()])));
    }
    batch(schema, columns, groups.len())
}

pub(crate) fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    RecordBatch::try_new_with_options(
        schema,
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )
    .unwrap()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the wire has these types")]
fn array(data_type: &DataType, values: Vec<Value>) -> ArrayRef {
    let int = |value: &Value| match value {
        Value::Int(value) => *value,
        Value::Level(value) => value.as_ref().map(|value| match value {
            Literal::Int(value) => *value,
            Literal::Date(day) => i64::from(*day),
            Literal::Bool(_) | Literal::Text(_) => panic!("no number"),
        }),
        Value::Decimal(_) | Value::Float(_) => panic!("no whole number"),
    };
    match data_type {
        DataType::Int64 => Arc::new(values.iter().map(int).collect::<Int64Array>()),
        DataType::Date32 => Arc::new(
            values
                .iter()
                .map(|value| int(value).map(|day| i32::try_from(day).unwrap()))
                .collect::<Date32Array>(),
        ),
        DataType::Float64 => {
            let float =
                |value| if let Value::Float(value) = value { value } else { panic!("no float") };
            Arc::new(values.into_iter().map(float).collect::<Float64Array>())
        }
        DataType::Decimal128(precision, scale) => {
            let decimal = |value| {
                if let Value::Decimal(value) = value { value } else { panic!("no decimal") }
            };
            let decimals: Decimal128Array = values.into_iter().map(decimal).collect();
            Arc::new(decimals.with_precision_and_scale(*precision, *scale).unwrap())
        }
        DataType::Utf8 => {
            let text = |value| match value {
                Value::Level(Some(Literal::Text(text))) => Some(text),
                Value::Level(None) => None,
                Value::Decimal(_) | Value::Float(_) | Value::Int(_) | Value::Level(Some(_)) => {
                    panic!("no text")
                }
            };
            Arc::new(values.into_iter().map(text).collect::<StringArray>())
        }
        other => panic!("{other} on the wire"),
    }
}

/// The rows as the engine's own table: with `country` and the periods of dates.
pub(crate) fn table(countries: &[(String, Vec<Row>)]) -> RecordBatch {
    let rows: Vec<(&str, &Row)> = countries
        .iter()
        .flat_map(|(country, rows)| rows.iter().map(move |row| (country.as_str(), row)))
        .collect();
    let text = |of: fn(&Row) -> &Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, row)| of(row).as_deref()).collect::<StringArray>())
    };
    let day = |grain: Grain| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|(_, row)| row.seized_on.map(|day| first_day(day, grain)))
                .collect::<Date32Array>(),
        )
    };
    let kg: Decimal128Array = rows.iter().map(|(_, row)| row.kg).collect();
    RecordBatch::try_from_iter_with_nullable([
        (
            "country",
            Arc::new(rows.iter().map(|(country, _)| Some(*country)).collect::<StringArray>())
                as ArrayRef,
            true,
        ),
        ("person_id", text(|row| &row.person), true),
        ("region", text(|row| &row.region), true),
        ("substance", text(|row| &row.substance), true),
        ("route", text(|row| &row.route), true),
        ("seized_on", day(Grain::Day), true),
        ("seized_on_month", day(Grain::Month), true),
        ("seized_on_quarter", day(Grain::Quarter), true),
        ("seized_on_year", day(Grain::Year), true),
        ("hour", Arc::new(rows.iter().map(|(_, row)| row.hour).collect::<Int64Array>()), true),
        (
            "quantity_g",
            Arc::new(rows.iter().map(|(_, row)| row.quantity_g).collect::<Float64Array>()),
            true,
        ),
        ("kg", Arc::new(kg.with_precision_and_scale(12, 3).unwrap()), true),
        ("items", Arc::new(rows.iter().map(|(_, row)| row.items).collect::<Int64Array>()), true),
    ])
    .unwrap()
}
