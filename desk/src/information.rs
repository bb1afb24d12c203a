//! `information_schema` out of what the countries share: each country is a catalog, each dataset a table in it.
//!
//! What a country does not list does not exist here, and leaves no gap: positions count what is shared. Types are those of
//! the desk's own catalogue; a column that it does not know has none.

use crate::ask::{AskError, Reply, SharedByCountry, Watch};
use crate::desk::{Desk, DeskError, Request};
use crate::table::{AnswerTable, Column, Table};
use arrow::record_batch::RecordBatch;
use mayag_policies::catalogue::{COUNTRY_COLUMN, Catalogue, Kind, Named, Number};
use mayag_policies::shape::LevelRef;
use mayag_queries::information::{self, InformationError, ListedColumn, ListedTable, Listing};

impl Desk {
    /// Answers SQL over `information_schema`, of what the countries say they share. `request.ask` must be for datasets:
    /// the SQL itself stays here.
    pub async fn information(
        &self,
        request: &Request,
        sql: &str,
        watch: Watch<'_>,
    ) -> Result<Reply<AnswerTable>, AskError> {
        // Nobody is asked for a list that nothing can be done with. Over no rows nothing fails but what always does.
        if let Err(InformationError::Refused(refusal)) =
            information::select(sql, Listing::default()).await
        {
            return Err(unreadable(&refusal.into()));
        }
        let shared = match self.datasets(request, watch).await? {
            Reply::Answer(shared) => shared,
            Reply::Refused(refusal) => return Ok(Reply::Refused(refusal)),
        };
        let listing = listing(&shared, self.catalogue());
        let batch = information::select(sql, listing).await.map_err(|error| match error {
            InformationError::Failed(error) => AskError::Tail(error),
            InformationError::Refused(_) => unreadable(&error),
        })?;
        let SharedByCountry { question, outcomes, .. } = shared;
        let answered = crate::table::answered(&outcomes) > 0;
        Ok(Reply::Answer(AnswerTable { question, table: answered.then(|| table(batch)), outcomes }))
    }
}

fn unreadable(error: &InformationError) -> AskError {
    DeskError::Question(error.to_string()).into()
}

fn table(batch: RecordBatch) -> Table {
    let schema = batch.schema();
    let column = |(value, name): (usize, &String)| Column {
        name: name.clone(),
        value,
        status: None,
        deviation: None,
        unit: None,
    };
    let names = schema.fields().iter().map(|field| field.name());
    let columns = names.enumerate().map(column).collect();
    Table { batch, columns, undecided: 0 }
}

/// Every dataset of every country once, with every column that any of its grants shares.
fn listing(shared: &SharedByCountry, catalogue: &Catalogue) -> Listing {
    let mut listing = Listing::default();
    for (country, datasets) in &shared.shared {
        let catalog = country.to_string();
        for name in each_once(datasets.iter().map(|dataset| dataset.name.as_str())) {
            listing.tables.push(ListedTable { catalog: catalog.clone(), name: name.to_owned() });
            let grants = datasets.iter().filter(|dataset| dataset.name == name);
            let columns = grants.flat_map(|dataset| &dataset.columns);
            let columns = each_once(columns.map(|column| column.name.as_str()));
            listing.columns.extend((1..).zip(columns).map(|(position, column)| ListedColumn {
                catalog: catalog.clone(),
                table: name.to_owned(),
                name: column.to_owned(),
                position,
                nullable: column != COUNTRY_COLUMN,
                data_type: data_type(catalogue, name, column),
            }));
        }
    }
    listing
}

fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once: Vec<&str> = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

fn data_type(catalogue: &Catalogue, dataset: &str, name: &str) -> Option<String> {
    let dataset = catalogue.dataset(dataset)?;
    let text = "VARCHAR".to_owned();
    let Some(column) = dataset.column(name) else {
        let named = dataset.named(&LevelRef { column: name.parse().ok()?, grain: None })?;
        return match named {
            Named::Coarser(..) | Named::Country => Some(text),
            Named::Period(..) | Named::Plain(_) => None,
        };
    };
    Some(match &column.kind {
        Kind::Category { .. } | Kind::Hidden {} | Kind::Unit {} => text,
        Kind::Date {} => "DATE".to_owned(),
        Kind::Measure { number: Number::Decimal { precision, scale }, .. } => {
            format!("DECIMAL({precision}, {scale})")
        }
        Kind::Measure { number: Number::Float, .. } => "DOUBLE".to_owned(),
        Kind::Measure { number: Number::Integer, .. } | Kind::Number {} => "BIGINT".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::listing;
    use crate::ask::SharedByCountry;
    use mayag_policies::catalogue::Catalogue;
    use mayag_policies::decide::Subject;
    use mayag_policies::document::Policy;
    use mayag_policies::shared::shared;
    use mayag_protocol::names::Digest;
    use mayag_protocol::purpose::Purpose;

    #[test]
    fn what_is_not_shared_leaves_no_trace() {
        let catalogue = Catalogue::builtin();
        let text = include_bytes!("../../policies/examples/several.json");
        let policy = Policy::parse(text, &catalogue, |_| Digest::from_bytes([0; 32])).unwrap();
        let subject = Subject {
            country: "th".parse().unwrap(),
            roles: vec!["analyst".parse().unwrap()],
            purpose: Purpose::Investigate,
        };
        let datasets =
            shared(&policy, &catalogue, &subject, "2026-03-01T00:00:00Z".parse().unwrap());
        // Two grants of the same dataset.
        assert_eq!(datasets.len(), 2);
        let listing = listing(
            &SharedByCountry {
                question: "00".repeat(16).parse().unwrap(),
                outcomes: Vec::new(),
                shared: vec![
                    ("kr".parse().unwrap(), datasets),
                    ("mx".parse().unwrap(), Vec::new()),
                ],
            },
            &catalogue,
        );
        let tables: Vec<String> = listing
            .tables
            .iter()
            .map(|table| format!("{} {}", table.catalog, table.name))
            .collect();
        assert_eq!(tables, ["kr seizures"]);
        let columns: Vec<String> = listing
            .columns
            .iter()
            .map(|column| {
                let data_type = column.data_type.as_deref().unwrap_or("-");
                let null = if column.nullable { "" } else { " NOT NULL" };
                format!("{} {} {data_type}{null}", column.position, column.name)
            })
            .collect();
        assert_eq!(
            columns,
            [
                "1 country VARCHAR NOT NULL",
                "2 seized_on DATE",
                "3 drug VARCHAR",
                "4 region VARCHAR",
                "5 transport VARCHAR",
                "6 seizure_id VARCHAR",
                "7 fiscal_year BIGINT",
                "8 quantity DECIMAL(28, 16)",
            ]
        );
    }
}
