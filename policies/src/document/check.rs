//! What the schema cannot say: names that exist in the catalogue, uses that fit the columns, dates in order.

mod limits;
mod lookups;

use crate::catalogue::{COUNTRY_COLUMN, Catalogue, Column, Dataset, Kind, Named};
use crate::document::problem::{Problem, quoted};
use crate::document::rule::Rule;
use crate::document::written::{ColumnUse, Constant, Document, DocumentGrant, RowFilter, RowTest};
use crate::document::{Grant, Meant, Share, Whom};
use crate::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use chrono::{Datelike as _, NaiveDate};
use mayag_protocol::names::{ColumnName, GrantId};
use std::collections::BTreeMap;

/// What the grants of a document mean, or everything that is wrong with it.
pub(super) fn meant(document: &Document, catalogue: &Catalogue) -> Result<Meant, Vec<Problem>> {
    let mut problems = head(document, catalogue);
    let grants = grants(document, catalogue, &mut problems);
    let lookups = lookups::lookups(document, &mut problems);
    if problems.is_empty() { Ok(Meant { grants, lookups }) } else { Err(problems) }
}

/// What is wrong with the document as a whole.
fn head(document: &Document, catalogue: &Catalogue) -> Vec<Problem> {
    let mut problems = Vec::new();
    if document.valid_until <= document.valid_from {
        problems.push(Problem::new(
            Rule::EndsBeforeItBegins,
            "/valid_until",
            "the policy ends before it begins",
        ));
    }
    if let Some(version) = document.catalogue.filter(|version| *version != catalogue.version) {
        let message = format!(
            "the policy was written for version {version} of the catalogue, this is version {}",
            catalogue.version
        );
        let problem = Problem::new(Rule::OtherCatalogue, "/catalogue", message);
        problems.push(problem.help("read what has changed, then state the new version or none"));
    }
    problems
}

/// The grants of datasets, sorted by id.
fn grants(document: &Document, catalogue: &Catalogue, problems: &mut Vec<Problem>) -> Vec<Grant> {
    let mut grants = Vec::with_capacity(document.grants.len());
    let mut said: Vec<DocumentGrant> = Vec::with_capacity(document.grants.len());
    for (i, written) in document.grants.iter().enumerate() {
        let place = format!("/grants/{i}");
        // All with the same id, whichever.
        let id = said.first().map_or(&written.id, |first| &first.id);
        said.push(anonymous(written, &id.clone()));
        problems.extend(duplicate(&place, written, &document.grants, &said));
        if written.valid_until.is_some_and(|until| until <= document.valid_from) {
            let message = "the grant ends before the policy begins";
            problems.push(Problem::new(
                Rule::EndsBeforeItBegins,
                format!("{place}/valid_until"),
                message,
            ));
        }
        if let Some(dataset) = catalogue.dataset(written.dataset.as_str()) {
            grants.push(grant(&place, written, dataset, problems));
        } else {
            let names = catalogue.datasets.iter().map(|dataset| dataset.name.as_str());
            let message =
                format!("the catalogue has no dataset {}", quoted(written.dataset.as_str()));
            let problem = Problem::new(Rule::UnknownDataset, format!("{place}/dataset"), message);
            problems.push(problem.suggest(written.dataset.as_str(), names));
        }
    }
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    grants
}

/// What two grants say the same of if they differ in nothing but id and reason.
fn anonymous(written: &DocumentGrant, id: &GrantId) -> DocumentGrant {
    DocumentGrant { id: id.clone(), why: String::new(), ..written.clone() }
}

/// `said` are the grants up to this one, anonymous.
fn duplicate(
    place: &str,
    written: &DocumentGrant,
    earlier: &[DocumentGrant],
    said: &[DocumentGrant],
) -> Option<Problem> {
    let (last, before) = said.split_last()?;
    let mut earlier = earlier.iter().zip(before);
    let (other, _) = earlier.find(|(other, said)| other.id == written.id || *said == last)?;
    Some(if other.id == written.id {
        let message = format!("the id `{}` is used by another grant", written.id);
        Problem::new(Rule::IdUsedTwice, format!("{place}/id"), message)
    } else {
        let message = format!("the grant says the same as `{}`", other.id);
        Problem::new(Rule::SameGrantTwice, place, message)
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
        let found = find(&place, name, dataset);
        match found.and_then(|found| shared(&place, name, found, column_use)) {
            Ok(Some(share)) => {
                columns.insert(name.clone(), share);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if columns.is_empty() && problems.len() == before {
        problems.push(Problem::at_key(
            Rule::SharesNothing,
            format!("{place}/columns"),
            "the grant shares no column",
        ));
    }
    let mut rows = Vec::new();
    for (i, filter) in written.rows.iter().enumerate() {
        match row_filter(&format!("{place}/rows/{i}"), filter, dataset) {
            Ok(predicate) => rows.push(predicate),
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(limits::problems(place, written, dataset));
    Grant {
        with: None,
        joined_rows: Predicate::everything(),
        id: written.id.clone(),
        whom: Whom::of(&written.to, &written.purposes, written.valid_until),
        dataset: written.dataset.clone(),
        columns,
        rows: Predicate::All(rows),
        protections: limits::protections(written, dataset),
        budget: limits::budget(written),
        waiver: written.waiver.clone(),
    }
}

/// A column as the catalogue has it, or the level of one.
#[derive(Clone, Copy)]
enum Found<'a> {
    Column(&'a Column),
    Level(&'a Column),
}

fn find<'a>(place: &str, name: &ColumnName, dataset: &'a Dataset) -> Result<Found<'a>, Problem> {
    if name.as_str() == COUNTRY_COLUMN {
        return Err(Problem::at_key(
            Rule::ImpliedColumn,
            place,
            "the column `country` is implied: it is the answering country, and always shared",
        ));
    }
    if let Some(column) = dataset.column(name.as_str()) {
        return Ok(Found::Column(column));
    }
    if let Some((column, _)) = dataset.level(name.as_str()) {
        return Ok(Found::Level(column));
    }
    let levels: Vec<ColumnName> = dataset
        .columns
        .iter()
        .flat_map(|column| column.levels.iter().filter_map(|level| column.virtual_name(level)))
        .collect();
    let names = dataset.columns.iter().map(|column| &column.name).chain(&levels);
    let message = format!("the dataset `{}` has no column `{name}`", dataset.name);
    Err(Problem::at_key(Rule::UnknownColumn, place, message)
        .suggest(name.as_str(), names.map(ColumnName::as_str)))
}

/// How a column or a level is shared; `None` if it is not.
fn shared(
    place: &str,
    name: &ColumnName,
    found: Found<'_>,
    column_use: &ColumnUse,
) -> Result<Option<Share>, Problem> {
    let column = match found {
        Found::Column(column) => return share(place, column, column_use),
        Found::Level(column) => column,
    };
    match column_use {
        ColumnUse::Hidden => Ok(None),
        ColumnUse::Dimension { finest: None } => Ok(Some(Share::Dimension { finest: None })),
        ColumnUse::Dimension { finest: Some(_) } => Err(Problem::new(
            Rule::Grain,
            format!("{place}/dimension/finest"),
            "only a date has a finest grain",
        )),
        ColumnUse::Measure { .. } | ColumnUse::Unit { .. } => {
            let message = format!(
                "`{name}` cannot be shared as a {}: it is a level of `{}`, which people group and filter by",
                use_name(column_use),
                column.name
            );
            Err(Problem::new(
                Rule::UseDoesNotFit,
                format!("{place}/{}", use_name(column_use)),
                message,
            ))
        }
    }
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
            Err(Problem::at_key(Rule::Grain, place, message)
                .help("for example { \"dimension\": { \"finest\": \"month\" } }"))
        }
        (ColumnUse::Dimension { finest: Some(_) }, Kind::Category { .. } | Kind::Number {}) => {
            Err(no_grain(place, column))
        }
        (ColumnUse::Measure { aggregates, low, high }, Kind::Measure { .. }) => {
            let aggregates = aggregates.iter().copied().collect();
            Ok(Some(Share::Measure { aggregates, bounds: limits::bounds(*low, *high) }))
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
            let word = use_name(column_use);
            let message = format!(
                "`{}` cannot be shared as a {word}: the catalogue says it is {}",
                column.name,
                kind_name(&column.kind)
            );
            Err(Problem::new(Rule::UseDoesNotFit, format!("{place}/{word}"), message))
        }
    }
}

/// A grain where there is none; a level of the column may have been meant.
fn no_grain(place: &str, column: &Column) -> Problem {
    let place = format!("{place}/dimension/finest");
    let problem = Problem::new(Rule::Grain, place, "only a date has a finest grain");
    match column.levels.first().and_then(|level| column.virtual_name(level)) {
        Some(level) => {
            problem.help(format!("to share less than every value, share `{level}` instead"))
        }
        None => problem,
    }
}

fn use_name(column_use: &ColumnUse) -> &'static str {
    match column_use {
        ColumnUse::Dimension { .. } => "dimension",
        ColumnUse::Hidden => "hidden",
        ColumnUse::Measure { .. } => "measure",
        ColumnUse::Unit { .. } => "unit",
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
    let column = match find(&format!("{place}/column"), &filter.column, dataset)? {
        Found::Column(column) | Found::Level(column) => column,
    };
    let level = LevelRef { column: filter.column.clone(), grain: filter.grain };
    let named = dataset.named(&level).ok_or_else(|| {
        if filter.grain.is_some()
            && dataset.named(&LevelRef { grain: None, ..level.clone() }).is_some()
        {
            return Problem::new(
                Rule::Grain,
                format!("{place}/grain"),
                "only a date is compared by a grain",
            );
        }
        let message = format!(
            "rows cannot be filtered by `{}`: the catalogue says it is {}",
            column.name,
            kind_name(&column.kind)
        );
        Problem::new(Rule::WrongComparison, format!("{place}/column"), message)
    })?;
    let level = match named {
        Named::Period(_, grain) => LevelRef { grain: Some(grain), ..level },
        Named::Coarser(..) | Named::Country | Named::Plain(_) => level,
    };
    let literals = filter
        .values
        .iter()
        .enumerate()
        .map(|(i, constant)| {
            literal(&format!("{place}/values/{i}"), constant, named, &level, dataset)
        })
        .collect::<Result<Vec<Literal>, Problem>>()?;
    match filter.is {
        RowTest::In => Ok(Predicate::In { level, values: literals }),
        RowTest::NotIn => Ok(Predicate::Not(Box::new(Predicate::In { level, values: literals }))),
        RowTest::Before => ordered(place, named, literals).map(|value| Predicate::Compare {
            level,
            comparison: Comparison::Less,
            value,
        }),
        RowTest::From => ordered(place, named, literals).map(|value| Predicate::Compare {
            level,
            comparison: Comparison::GreaterOrEqual,
            value,
        }),
    }
}

/// The one value of a comparison by order.
fn ordered(place: &str, named: Named<'_>, literals: Vec<Literal>) -> Result<Literal, Problem> {
    let has_order = match named {
        Named::Period(..) => true,
        Named::Plain(column) => matches!(column.kind, Kind::Number {}),
        Named::Coarser(..) | Named::Country => false,
    };
    if !has_order {
        let message = "only dates and numbers are compared by order";
        return Err(Problem::new(Rule::WrongComparison, format!("{place}/is"), message)
            .help("use `in` or `not_in`"));
    }
    let count = literals.len();
    let mut literals = literals.into_iter();
    literals.next().filter(|_| count == 1).ok_or_else(|| {
        Problem::new(
            Rule::WrongComparison,
            format!("{place}/values"),
            format!("`from` and `before` need exactly one value, not {count}"),
        )
    })
}

fn literal(
    place: &str,
    constant: &Constant,
    named: Named<'_>,
    level: &LevelRef,
    dataset: &Dataset,
) -> Result<Literal, Problem> {
    let number = match named {
        Named::Plain(column) => matches!(column.kind, Kind::Number {}),
        Named::Coarser(..) | Named::Country | Named::Period(..) => false,
    };
    match (constant, named) {
        (Constant::Text(text), Named::Period(_, grain)) => date(place, text, grain),
        (Constant::Int(value), Named::Plain(_)) if number => Ok(Literal::Int(*value)),
        (Constant::Text(text), Named::Coarser(..) | Named::Country | Named::Plain(_))
            if !number =>
        {
            known(place, text, level, dataset)
        }
        (Constant::Int(_) | Constant::Text(_), _) => {
            let expected = match named {
                Named::Period(..) => "a date such as \"2024-03-01\"",
                Named::Plain(_) if number => "a whole number",
                Named::Coarser(..) | Named::Country | Named::Plain(_) => "a text",
            };
            Err(Problem::new(
                Rule::UnknownValue,
                place,
                format!("`{}` is compared with {expected}", level.column),
            ))
        }
    }
}

/// A text that the level can have.
fn known(place: &str, text: &str, level: &LevelRef, dataset: &Dataset) -> Result<Literal, Problem> {
    let literal = Literal::Text(text.to_owned());
    let Some(domain) = dataset.domain(level) else { return Ok(literal) };
    if domain.contains(&Some(literal.clone())) {
        return Ok(literal);
    }
    let texts: Vec<String> = domain.into_iter().flatten().filter_map(Literal::into_text).collect();
    let message = format!("`{}` never holds {}", level.column, quoted(text));
    Err(Problem::new(Rule::UnknownValue, place, message)
        .suggest(text, texts.iter().map(String::as_str)))
}

fn date(place: &str, text: &str, grain: Grain) -> Result<Literal, Problem> {
    // Strictly ten characters: chrono alone would also take `2024-3-1`.
    let date =
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| date.to_string() == text);
    let date = date.ok_or_else(|| {
        Problem::new(
            Rule::UnknownValue,
            place,
            format!("{} is not a date such as 2024-03-01", quoted(text)),
        )
    })?;
    let first = match grain {
        Grain::Day => true,
        Grain::Month => date.day() == 1,
        Grain::Quarter => date.day() == 1 && date.month0() % 3 == 0,
        Grain::Year => date.ordinal() == 1,
    };
    if !first {
        let message = format!("{text} is not the first day of a {}", grain.as_str());
        return Err(Problem::new(Rule::UnknownValue, place, message));
    }
    Ok(Literal::Date(date.to_epoch_days()))
}
