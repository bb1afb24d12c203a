//! What the schema cannot say: names that exist in the catalogue, uses that fit the columns, dates in order.

use crate::catalogue::{COUNTRY_COLUMN, Catalogue, Column, Dataset, Kind};
use crate::document::problem::{Problem, quoted};
use crate::document::written::{
    ColumnUse, Constant, Countries, Document, DocumentGrant, RowFilter, RowTest,
};
use crate::document::{Grant, Protections, Share};
use crate::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use chrono::{Datelike as _, NaiveDate};
use mayag_protocol::names::ColumnName;
use std::collections::BTreeMap;

/// The grants of a document, sorted by id, or everything that is wrong with them.
pub(super) fn grants(
    document: &Document,
    catalogue: &Catalogue,
) -> Result<Vec<Grant>, Vec<Problem>> {
    let mut problems = Vec::new();
    if document.valid_until <= document.valid_from {
        problems.push(Problem::new("/valid_until", "the policy ends before it begins"));
    }
    let mut grants = Vec::with_capacity(document.grants.len());
    for (i, written) in document.grants.iter().enumerate() {
        let place = format!("/grants/{i}");
        let earlier = document.grants.get(..i).unwrap_or_default();
        problems.extend(duplicate(&place, written, earlier));
        if written.valid_until.is_some_and(|until| until <= document.valid_from) {
            let message = "the grant ends before the policy begins";
            problems.push(Problem::new(format!("{place}/valid_until"), message));
        }
        if let Some(dataset) = catalogue.dataset(written.dataset.as_str()) {
            grants.push(grant(&place, written, dataset, &mut problems));
        } else {
            let names = catalogue.datasets.iter().map(|dataset| dataset.name.as_str());
            let message =
                format!("the catalogue has no dataset {}", quoted(written.dataset.as_str()));
            let problem = Problem::new(format!("{place}/dataset"), message);
            problems.push(problem.suggest(written.dataset.as_str(), names));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(grants)
}

fn duplicate(place: &str, written: &DocumentGrant, earlier: &[DocumentGrant]) -> Option<Problem> {
    let same = |other: &DocumentGrant| {
        DocumentGrant { id: other.id.clone(), why: other.why.clone(), ..written.clone() } == *other
    };
    earlier.iter().find(|other| other.id == written.id || same(other)).map(|other| {
        if other.id == written.id {
            Problem::new(
                format!("{place}/id"),
                format!("the id `{}` is used by another grant", written.id),
            )
        } else {
            Problem::new(place, format!("the grant says the same as `{}`", other.id))
        }
    })
}

fn grant(
    place: &str,
    written: &DocumentGrant,
    dataset: &Dataset,
    problems: &mut Vec<Problem>,
) -> Grant {
    let before = problems.len();
    let mut columns = BTreeMap::new();
    for (name, column_use) in &written.columns {
        let place = format!("{place}/columns/{name}");
        match find(&place, name, dataset).and_then(|column| share(&place, column, column_use)) {
            Ok(Some(share)) => {
                columns.insert(name.clone(), share);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if columns.is_empty() && problems.len() == before {
        problems.push(Problem::at_key(format!("{place}/columns"), "the grant shares no column"));
    }
    let mut rows = Vec::new();
    for (i, filter) in written.rows.iter().enumerate() {
        match row_filter(&format!("{place}/rows/{i}"), filter, dataset) {
            Ok(predicate) => rows.push(predicate),
            Err(problem) => problems.push(problem),
        }
    }
    Grant {
        id: written.id.clone(),
        countries: match &written.to.countries {
            Countries::Any(_) => None,
            Countries::These(countries) => Some(countries.iter().cloned().collect()),
        },
        roles: written.to.roles.iter().cloned().collect(),
        purposes: written.purposes.iter().copied().collect(),
        dataset: written.dataset.clone(),
        columns,
        rows: Predicate::All(rows),
        protections: Protections { min_units: written.min_units, p_percent: written.p_percent },
        valid_until: written.valid_until,
    }
}

fn find<'a>(place: &str, name: &ColumnName, dataset: &'a Dataset) -> Result<&'a Column, Problem> {
    if name.as_str() == COUNTRY_COLUMN {
        return Err(Problem::at_key(
            place,
            "the column `country` is implied: it is the answering country, and always shared",
        ));
    }
    dataset.column(name.as_str()).ok_or_else(|| {
        let names = dataset.columns.iter().map(|column| column.name.as_str());
        let message = format!("the dataset `{}` has no column `{name}`", dataset.name);
        Problem::at_key(place, message).suggest(name.as_str(), names)
    })
}

/// How a column is shared; `None` if it is not.
fn share(place: &str, column: &Column, column_use: &ColumnUse) -> Result<Option<Share>, Problem> {
    match (column_use, &column.kind) {
        (ColumnUse::Hidden, _) => Ok(None),
        (ColumnUse::Dimension { finest: None }, Kind::Category { .. } | Kind::Number {}) => {
            Ok(Some(Share::Dimension { finest: None }))
        }
        (ColumnUse::Dimension { finest: Some(grain) }, Kind::Date {}) => {
            Ok(Some(Share::Dimension { finest: Some(*grain) }))
        }
        (ColumnUse::Dimension { finest: None }, Kind::Date {}) => {
            let message = "`finest` is missing: a date is shared down to a grain";
            Err(Problem::at_key(place, message)
                .help("for example { \"dimension\": { \"finest\": \"month\" } }"))
        }
        (ColumnUse::Dimension { finest: Some(_) }, Kind::Category { .. } | Kind::Number {}) => {
            Err(Problem::new(format!("{place}/dimension/finest"), "only a date has a finest grain"))
        }
        (ColumnUse::Measure { aggregates }, Kind::Measure { .. }) => {
            Ok(Some(Share::Measure { aggregates: aggregates.iter().copied().collect() }))
        }
        (ColumnUse::Unit { count }, Kind::Unit {}) => Ok(count.then_some(Share::Unit)),
        (ColumnUse::Dimension { .. }, Kind::Hidden {} | Kind::Measure { .. } | Kind::Unit {})
        | (
            ColumnUse::Measure { .. },
            Kind::Category { .. }
            | Kind::Date {}
            | Kind::Hidden {}
            | Kind::Number {}
            | Kind::Unit {},
        )
        | (
            ColumnUse::Unit { .. },
            Kind::Category { .. }
            | Kind::Date {}
            | Kind::Hidden {}
            | Kind::Measure { .. }
            | Kind::Number {},
        ) => {
            let word = match column_use {
                ColumnUse::Dimension { .. } => "dimension",
                ColumnUse::Hidden => "hidden",
                ColumnUse::Measure { .. } => "measure",
                ColumnUse::Unit { .. } => "unit",
            };
            let message = format!(
                "`{}` cannot be shared as a {word}: the catalogue says it is {}",
                column.name,
                kind_name(&column.kind)
            );
            Err(Problem::new(format!("{place}/{word}"), message))
        }
    }
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Category { .. } => "a category",
        Kind::Date {} => "a date",
        Kind::Hidden {} => "hidden in every country",
        Kind::Measure { .. } => "a measure",
        Kind::Number {} => "a number to group by",
        Kind::Unit {} => "the identifier of a unit",
    }
}

fn row_filter(place: &str, filter: &RowFilter, dataset: &Dataset) -> Result<Predicate, Problem> {
    let column = find(&format!("{place}/column"), &filter.column, dataset)?;
    let grain = match (&column.kind, filter.grain) {
        (Kind::Date {}, grain) => Some(grain.unwrap_or(Grain::Day)),
        (Kind::Category { .. } | Kind::Number {}, None) => None,
        (Kind::Category { .. } | Kind::Number {}, Some(_)) => {
            return Err(Problem::new(
                format!("{place}/grain"),
                "only a date is compared by a grain",
            ));
        }
        (Kind::Hidden {} | Kind::Measure { .. } | Kind::Unit {}, _) => {
            let message = format!(
                "rows cannot be filtered by `{}`: the catalogue says it is {}",
                column.name,
                kind_name(&column.kind)
            );
            return Err(Problem::new(format!("{place}/column"), message));
        }
    };
    let literals = filter
        .values
        .iter()
        .enumerate()
        .map(|(i, constant)| literal(&format!("{place}/values/{i}"), constant, column, grain))
        .collect::<Result<Vec<Literal>, Problem>>()?;
    let level = LevelRef { column: filter.column.clone(), grain };
    match filter.is {
        RowTest::In => Ok(Predicate::In { level, values: literals }),
        RowTest::NotIn => Ok(Predicate::Not(Box::new(Predicate::In { level, values: literals }))),
        RowTest::Before => ordered(place, column, literals).map(|value| Predicate::Compare {
            level,
            comparison: Comparison::Less,
            value,
        }),
        RowTest::From => ordered(place, column, literals).map(|value| Predicate::Compare {
            level,
            comparison: Comparison::GreaterOrEqual,
            value,
        }),
    }
}

/// The one value of a comparison by order.
fn ordered(place: &str, column: &Column, literals: Vec<Literal>) -> Result<Literal, Problem> {
    if matches!(column.kind, Kind::Category { .. }) {
        let message = "only dates and numbers are compared by order";
        return Err(Problem::new(format!("{place}/is"), message).help("use `in` or `not_in`"));
    }
    let count = literals.len();
    let mut literals = literals.into_iter();
    literals.next().filter(|_| count == 1).ok_or_else(|| {
        Problem::new(
            format!("{place}/values"),
            format!("`from` and `before` need exactly one value, not {count}"),
        )
    })
}

fn literal(
    place: &str,
    constant: &Constant,
    column: &Column,
    grain: Option<Grain>,
) -> Result<Literal, Problem> {
    match (constant, &column.kind) {
        (Constant::Text(text), Kind::Category { values: Some(values) })
            if !values.contains(text) =>
        {
            let message = format!("`{}` never holds {}", column.name, quoted(text));
            Err(Problem::new(place, message).suggest(text, values.iter().map(String::as_str)))
        }
        (Constant::Text(text), Kind::Category { .. }) => Ok(Literal::Text(text.clone())),
        (Constant::Int(number), Kind::Number {}) => Ok(Literal::Int(*number)),
        (Constant::Text(text), Kind::Date {}) => date(place, text, grain.unwrap_or(Grain::Day)),
        (Constant::Int(_), _)
        | (
            Constant::Text(_),
            Kind::Hidden {} | Kind::Measure { .. } | Kind::Number {} | Kind::Unit {},
        ) => {
            let expected = match &column.kind {
                Kind::Date {} => "a date such as \"2024-03-01\"",
                Kind::Number {} => "a whole number",
                Kind::Category { .. } | Kind::Hidden {} | Kind::Measure { .. } | Kind::Unit {} => {
                    "a text"
                }
            };
            Err(Problem::new(place, format!("`{}` is compared with {expected}", column.name)))
        }
    }
}

fn date(place: &str, text: &str, grain: Grain) -> Result<Literal, Problem> {
    // Strictly ten characters: chrono alone would also take `2024-3-1`.
    let date =
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| date.to_string() == text);
    let date = date.ok_or_else(|| {
        Problem::new(place, format!("{} is not a date such as 2024-03-01", quoted(text)))
    })?;
    let first = match grain {
        Grain::Day => true,
        Grain::Month => date.day() == 1,
        Grain::Quarter => date.day() == 1 && date.month0() % 3 == 0,
        Grain::Year => date.ordinal() == 1,
    };
    if !first {
        let message = format!("{text} is not the first day of a {}", grain.as_str());
        return Err(Problem::new(place, message));
    }
    Ok(Literal::Date(date.to_epoch_days()))
}
