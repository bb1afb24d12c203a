//! The five national formats: every country keeps its incidents in its own file format, under its own column names, in
//! its own units, and maps them to the catalogue with a view.

mod write;

pub(crate) use write::NotWritten;

use super::invented::{self, Profile};
use super::published::{self, LineError};
use super::{Incident, decimal};
use chrono::NaiveDate;

/// One country's data.
#[derive(Debug)]
pub(crate) struct National {
    /// The country's code.
    pub(crate) country: &'static str,
    /// The name of its file of incidents.
    pub(crate) file: &'static str,
    /// How its node reads the file: `csv`, `ndjson` or `parquet`.
    pub(crate) format: &'static str,
    /// The view that maps it to the dataset `seizures`; the file's table is called `incidents`.
    pub(crate) view: &'static str,
    columns: &'static [(&'static str, Field)],
    /// The catalogue's word and its own for every substance it calls differently.
    pub(super) drugs: &'static [(&'static str, &'static str)],
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    Invented(&'static Profile),
    Published,
}

/// What a national column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Agency,
    Area,
    Destination,
    Drug,
    FiscalYear,
    /// The mass in grams, a whole number.
    Grams,
    Id,
    Informant,
    /// The mass in kilograms, with three digits after the point.
    Kilograms,
    LandFilter,
    Month,
    Note,
    Origin,
    /// The mass in pounds, with sixteen digits after the point.
    Pounds,
    Purity,
    Region,
    SeizedOn,
    Transport,
}

/// The value of a national column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value<'a> {
    Date(NaiveDate),
    Decimal(i128, u32),
    Number(i128),
    Text(&'a str),
    Unknown,
}

/// Every country of the demonstration, by code.
pub(crate) const ALL: [National; 5] = [AU, KR, MX, TH, US];

impl National {
    /// Its incidents.
    pub(crate) fn incidents(&self) -> Result<Vec<Incident>, LineError> {
        match self.origin {
            Origin::Invented(profile) => Ok(invented::incidents(profile)),
            Origin::Published => published::incidents(),
        }
    }

    /// The columns of a text file and their types, as `node.toml` names them; Parquet files know their own.
    pub(crate) fn column_types(&self) -> Vec<(&'static str, String)> {
        if self.format == "parquet" {
            return Vec::new();
        }
        self.columns.iter().map(|(name, field)| (*name, field.column_type())).collect()
    }

    /// The bytes of its file.
    pub(crate) fn encode(&self, incidents: &[Incident]) -> Result<Vec<u8>, NotWritten> {
        write::encode(self, incidents)
    }

    fn value<'a>(&self, field: Field, incident: &'a Incident) -> Value<'a> {
        let optional = |text: Option<&'static str>| text.map_or(Value::Unknown, Value::Text);
        match field {
            Field::Agency => Value::Text(incident.place.agency),
            Field::Area => Value::Text(incident.place.area),
            Field::Destination => optional(incident.destination),
            Field::Drug => Value::Text(self.national_drug(incident.drug)),
            Field::FiscalYear => Value::Number(incident.fiscal_year.into()),
            Field::Grams => Value::Number(incident.quantity),
            Field::Id => Value::Text(&incident.id),
            Field::Informant => Value::Text(&incident.informant),
            Field::Kilograms => Value::Decimal(incident.quantity, invented::SCALE),
            Field::LandFilter => optional(incident.place.land_filter),
            Field::Month => Value::Text(incident.month()),
            Field::Note => Value::Text(&incident.note),
            Field::Origin => optional(incident.origin),
            Field::Pounds => Value::Decimal(incident.quantity, published::SCALE),
            Field::Purity => {
                incident.purity.map_or(Value::Unknown, |tenths| Value::Decimal(tenths.into(), 1))
            }
            Field::Region => Value::Text(incident.place.region),
            Field::SeizedOn => Value::Date(incident.seized_on),
            Field::Transport => Value::Text(incident.transport),
        }
    }

    fn national_drug(&self, drug: &'static str) -> &'static str {
        self.drugs
            .iter()
            .find(|(catalogue, _)| *catalogue == drug)
            .map_or(drug, |(_, national)| national)
    }
}

impl Field {
    fn column_type(self) -> String {
        match self {
            Self::FiscalYear | Self::Grams => "integer".to_owned(),
            Self::Kilograms => format!("decimal(12,{})", invented::SCALE),
            Self::Pounds => format!("decimal(28,{})", published::SCALE),
            Self::Purity => "decimal(4,1)".to_owned(),
            Self::SeizedOn => "date".to_owned(),
            Self::Agency
            | Self::Area
            | Self::Destination
            | Self::Drug
            | Self::Id
            | Self::Informant
            | Self::LandFilter
            | Self::Month
            | Self::Note
            | Self::Origin
            | Self::Region
            | Self::Transport => "text".to_owned(),
        }
    }
}

impl Value<'_> {
    /// The value as text; nothing where it is not known.
    fn text(&self) -> String {
        match self {
            Self::Date(date) => date.format("%Y-%m-%d").to_string(),
            Self::Decimal(units, scale) => decimal(*units, *scale),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => (*text).to_owned(),
            Self::Unknown => String::new(),
        }
    }
}

/// Australia: Parquet, grams.
const AU: National = National {
    country: "au",
    file: "detections.parquet",
    format: "parquet",
    view: "\
SELECT incident_no AS seizure_id, incident_date AS seized_on, substance AS drug, agency, state AS region, facility AS area,
  conveyance AS transport, export_country AS origin_country, destination AS destination_country,
  reporting_year AS fiscal_year, reporting_month AS month, CAST(NULL AS VARCHAR) AS land_filter,
  CAST(CAST(mass_g AS DECIMAL(12, 0)) * CAST('0.00220462262' AS DECIMAL(12, 11)) AS DECIMAL(28, 16)) AS quantity,
  CAST(purity AS DOUBLE) AS purity_pct, notes AS officer_note, source_ref AS informant_ref
FROM incidents",
    columns: &[
        ("incident_no", Field::Id),
        ("incident_date", Field::SeizedOn),
        ("reporting_year", Field::FiscalYear),
        ("reporting_month", Field::Month),
        ("substance", Field::Drug),
        ("agency", Field::Agency),
        ("state", Field::Region),
        ("facility", Field::Area),
        ("conveyance", Field::Transport),
        ("export_country", Field::Origin),
        ("destination", Field::Destination),
        ("mass_g", Field::Grams),
        ("purity", Field::Purity),
        ("notes", Field::Note),
        ("source_ref", Field::Informant),
    ],
    drugs: &[],
    origin: Origin::Invented(&invented::AUSTRALIA),
};

/// Korea: CSV, kilograms; empty means not known.
const KR: National = National {
    country: "kr",
    file: "apsu.csv",
    format: "csv",
    view: "\
SELECT sagun_beonho AS seizure_id, apsu_ilja AS seized_on, yakmul AS drug, gigwan AS agency,
  jiyeok AS region, segwan AS area, unsong AS transport, chulbalji AS origin_country, dochakji AS destination_country,
  hoegye_yeondo AS fiscal_year, wol AS month, CAST(NULL AS VARCHAR) AS land_filter,
  CAST(jungryang_kg * CAST('2.20462262' AS DECIMAL(9, 8)) AS DECIMAL(28, 16)) AS quantity,
  CAST(sundo AS DOUBLE) AS purity_pct, damdang_memo AS officer_note, jebo_beonho AS informant_ref
FROM incidents",
    columns: &[
        ("sagun_beonho", Field::Id),
        ("apsu_ilja", Field::SeizedOn),
        ("hoegye_yeondo", Field::FiscalYear),
        ("wol", Field::Month),
        ("yakmul", Field::Drug),
        ("gigwan", Field::Agency),
        ("jiyeok", Field::Region),
        ("segwan", Field::Area),
        ("unsong", Field::Transport),
        ("chulbalji", Field::Origin),
        ("dochakji", Field::Destination),
        ("jungryang_kg", Field::Kilograms),
        ("sundo", Field::Purity),
        ("damdang_memo", Field::Note),
        ("jebo_beonho", Field::Informant),
    ],
    drugs: &[],
    origin: Origin::Invented(&invented::KOREA),
};

/// Mexico: CSV, kilograms, its own words for substances and transport.
const MX: National = National {
    country: "mx",
    file: "aseguramientos.csv",
    format: "csv",
    view: "\
SELECT folio AS seizure_id, fecha AS seized_on,
  CASE droga WHEN 'Cocaina' THEN 'Cocaine' WHEN 'Extasis' THEN 'Ecstasy' WHEN 'Fentanilo' THEN 'Fentanyl'
    WHEN 'Heroina' THEN 'Heroin' WHEN 'Marihuana' THEN 'Marijuana' WHEN 'Metanfetamina' THEN 'Methamphetamine'
    WHEN 'Opio' THEN 'Opium' WHEN 'Precursores' THEN 'Precursors' ELSE 'Other' END AS drug,
  dependencia AS agency, region, lugar AS area, transporte AS transport, pais_origen AS origin_country, pais_destino AS destination_country,
  ejercicio AS fiscal_year, mes AS month, CAST(NULL AS VARCHAR) AS land_filter,
  CAST(cantidad_kg * CAST('2.20462262' AS DECIMAL(9, 8)) AS DECIMAL(28, 16)) AS quantity,
  CAST(pureza AS DOUBLE) AS purity_pct, notas AS officer_note, fuente AS informant_ref
FROM incidents",
    columns: &[
        ("folio", Field::Id),
        ("fecha", Field::SeizedOn),
        ("ejercicio", Field::FiscalYear),
        ("mes", Field::Month),
        ("droga", Field::Drug),
        ("dependencia", Field::Agency),
        ("region", Field::Region),
        ("lugar", Field::Area),
        ("transporte", Field::Transport),
        ("pais_origen", Field::Origin),
        ("pais_destino", Field::Destination),
        ("cantidad_kg", Field::Kilograms),
        ("pureza", Field::Purity),
        ("notas", Field::Note),
        ("fuente", Field::Informant),
    ],
    drugs: &[
        ("Cocaine", "Cocaina"),
        ("Ecstasy", "Extasis"),
        ("Fentanyl", "Fentanilo"),
        ("Heroin", "Heroina"),
        ("Marijuana", "Marihuana"),
        ("Methamphetamine", "Metanfetamina"),
        ("Opium", "Opio"),
        ("Other", "Otras"),
        ("Precursors", "Precursores"),
    ],
    origin: Origin::Invented(&invented::MEXICO),
};

/// Thailand: NDJSON, kilograms; what is not known is left out.
const TH: National = National {
    country: "th",
    file: "khadi.ndjson",
    format: "ndjson",
    view: "\
SELECT khadi_no AS seizure_id, wan_thi AS seized_on, ya_septid AS drug, nuai_ngan AS agency, phak AS region,
  phuen_thi AS area, khonsong AS transport, ton_thang AS origin_country, plai_thang AS destination_country,
  pi_ngop AS fiscal_year, duean AS month, CAST(NULL AS VARCHAR) AS land_filter,
  CAST(nam_nak_kg * CAST('2.20462262' AS DECIMAL(9, 8)) AS DECIMAL(28, 16)) AS quantity,
  CAST(borisut AS DOUBLE) AS purity_pct, banthuek AS officer_note, sai_khao AS informant_ref
FROM incidents",
    columns: &[
        ("khadi_no", Field::Id),
        ("wan_thi", Field::SeizedOn),
        ("pi_ngop", Field::FiscalYear),
        ("duean", Field::Month),
        ("ya_septid", Field::Drug),
        ("nuai_ngan", Field::Agency),
        ("phak", Field::Region),
        ("phuen_thi", Field::Area),
        ("khonsong", Field::Transport),
        ("ton_thang", Field::Origin),
        ("plai_thang", Field::Destination),
        ("nam_nak_kg", Field::Kilograms),
        ("borisut", Field::Purity),
        ("banthuek", Field::Note),
        ("sai_khao", Field::Informant),
    ],
    drugs: &[],
    origin: Origin::Invented(&invented::THAILAND),
};

/// The United States: Parquet, pounds with every published digit.
const US: National = National {
    country: "us",
    file: "events.parquet",
    format: "parquet",
    view: "\
SELECT event_no AS seizure_id, event_date AS seized_on, drug_type AS drug, component AS agency, region,
  area_of_responsibility AS area, conveyance AS transport, origin AS origin_country, destination AS destination_country,
  fiscal_year, month_abbv AS month, land_filter, quantity_lbs AS quantity, CAST(purity AS DOUBLE) AS purity_pct,
  officer_note, informant_ref
FROM incidents",
    columns: &[
        ("event_no", Field::Id),
        ("event_date", Field::SeizedOn),
        ("fiscal_year", Field::FiscalYear),
        ("month_abbv", Field::Month),
        ("component", Field::Agency),
        ("region", Field::Region),
        ("land_filter", Field::LandFilter),
        ("area_of_responsibility", Field::Area),
        ("drug_type", Field::Drug),
        ("quantity_lbs", Field::Pounds),
        ("conveyance", Field::Transport),
        ("origin", Field::Origin),
        ("destination", Field::Destination),
        ("purity", Field::Purity),
        ("officer_note", Field::Note),
        ("informant_ref", Field::Informant),
    ],
    drugs: &[],
    origin: Origin::Published,
};
