//! Quantiles by the product's own countries, in this process: never a wrong number, none of a small group, none of a
//! withheld bin, and none that differs from an earlier one by a few persons.

use super::catalogues::{Setting, parsed};
use super::dice::Dice;
use super::thousands::country::Countries;
use super::thousands::plan_and_decide;
use mayag_integration_tests::attacks::fixture::Row;
use mayag_integration_tests::attacks::said::{Cells, Value, cells, signed_cells};
use mayag_policies::catalogue::Catalogue;
use mayag_protocol::columns::CellStatus;
use mayag_queries::merge::{Part, fold, read_part};
use serde_json::json;

/// The ends of the bins of `quantity_g`.
const ENDS: [f64; 5] = [0.0, 50.0, 500.0, 5_000.0, 100_000.0];

const BY_SUBSTANCE: &str =
    "SELECT substance, median(quantity_g) AS m FROM seizures GROUP BY substance";

/// A setting with bins.
fn binned(setting: Setting) -> Setting {
    let mut catalogue = serde_json::to_value(&setting.catalogue).unwrap();
    for column in catalogue["datasets"][0]["columns"].as_array_mut().unwrap() {
        if column["name"] == "quantity_g" {
            column["required"] = true.into();
            column["levels"] = json!([{ "name": "band", "about": "about how much", "is": { "bands": {
                "edges": [50, 500, 5000], "names": ["a", "b", "c", "d"], "lowest": 0, "highest": 100_000 } } }]);
        }
    }
    let catalogue = Catalogue::parse(catalogue.to_string().as_bytes()).unwrap();
    let mut document = setting.document.clone();
    let columns = &mut document["grants"][0]["columns"];
    columns["quantity_g_band"] = json!({ "dimension": {} });
    let aggregates = columns["quantity_g"]["measure"]["aggregates"].as_array_mut().unwrap();
    aggregates.push("quantile".into());
    let policy = parsed(&document, &catalogue).unwrap_or_else(|faults| panic!("{faults}"));
    Setting { catalogue, policy, document, ..setting }
}

/// One seizure of a person of their own.
fn row(country: &'static str, number: usize, substance: &'static str, grams: f64) -> Row {
    Row {
        seizure: u32::try_from(number).unwrap(),
        person: format!("P-{country}-{number}"),
        day: 19_800,
        country,
        region: "NL-ZE",
        substance,
        form: "powder",
        grams,
        route: "sea",
        concealment: "none",
        precursor: None,
        note: String::new(),
    }
}

/// So many rows of a substance in each bin.
fn in_bins(rows: &mut Vec<Row>, country: &'static str, substance: &'static str, counts: [u32; 4]) {
    for (bin, count) in counts.into_iter().enumerate() {
        let (from, to) = (ENDS[bin], ENDS[bin + 1]);
        for i in 0..count {
            let grams = (from + (to - from) * (f64::from(i) + 0.5) / f64::from(count)).floor();
            rows.push(row(country, rows.len() + 1, substance, grams));
        }
    }
}

struct Asked {
    /// What each country signed.
    signed: Vec<Cells>,
    merged: Cells,
}

async fn ask(setting: &Setting, countries: &Countries, codes: &[&str], sql: &str) -> Asked {
    let (plan, permits) = plan_and_decide(setting, sql).unwrap_or_else(|no| panic!("{sql}: {no}"));
    let [release] = plan.releases.as_slice() else { panic!("one release") };
    let dataset = release.dataset_in(&setting.catalogue).unwrap();
    let (mut parts, mut signed) = (Vec::new(), Vec::new());
    for code in codes {
        let part = countries.answer(code, setting, &permits).await.unwrap().remove(0);
        let cells = read_part(release, &dataset, &part.bytes).unwrap();
        parts.push(Part { country: code.parse().unwrap(), listed: part.listed, cells });
        signed.push(signed_cells(&part.bytes));
    }
    let folded = fold(release, &dataset, &parts).unwrap();
    let merged = plan.tail.run(vec![folded]).await.unwrap();
    let keys = (0..plan.tail.columns.len()).filter(|i| !plan.tail.columns[*i].status);
    Asked { signed, merged: cells(&merged, keys.collect()) }
}

/// The median of a substance and its status.
fn said(merged: &Cells, substance: &str) -> (Option<f64>, String) {
    let at = |name: &str| merged.columns.iter().position(|column| column == name).unwrap();
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Null | Value::Number(_) => String::new(),
    };
    let row = merged.rows.iter().find(|row| text(&row[at("substance")]) == substance);
    let Some(row) = row else { return (None, "missing".to_owned()) };
    (row[at("m")].number(), text(&row[at("m_status")]))
}

/// How many of the bins, the first four measures of the release, are withheld, and how many rows these hold together;
/// `None` where the fifth, all rows, is withheld too.
fn hidden_bins(signed: &Cells, row: &[Value]) -> Option<(usize, f64)> {
    let withheld = f64::from(CellStatus::Suppressed.byte());
    let at = |name: String| signed.columns.iter().position(|column| *column == name).unwrap();
    let shown = |i: usize| {
        let status = row[at(format!("m{i}_status"))].number();
        row[at(format!("m{i}"))].number().filter(|_| status != Some(withheld))
    };
    let bins: Vec<Option<f64>> = (0..4).map(shown).collect();
    let hidden = bins.iter().filter(|bin| bin.is_none()).count();
    Some((hidden, shown(4)? - bins.iter().flatten().sum::<f64>()))
}

/// The same of every row that shows how many rows there are.
fn hidden_of(signed: &Cells) -> Vec<(usize, f64)> {
    signed.rows.iter().filter_map(|row| hidden_bins(signed, row)).collect()
}

fn true_median(rows: &[Row], substance: &str) -> f64 {
    let mut grams: Vec<f64> =
        rows.iter().filter(|row| row.substance == substance).map(|row| row.grams).collect();
    grams.sort_by(f64::total_cmp);
    f64::midpoint(grams[(grams.len() - 1) / 2], grams[grams.len() / 2])
}

/// The bin of a value and its width.
fn width(value: f64) -> f64 {
    let bin = ENDS.windows(2).find(|ends| value <= ends[1]).unwrap();
    bin[1] - bin[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn medians_are_right_up_to_a_bin_and_withheld_for_small_groups() {
    let setting = binned(Setting::parcels());
    let mut rows = Vec::new();
    for country in ["NL", "DE"] {
        in_bins(&mut rows, country, "cocaine", [40, 60, 20, 0]);
        in_bins(&mut rows, country, "heroin", [12, 20, 30, 40]);
        in_bins(&mut rows, country, "carfentanil", [1, 1, 1, 0]);
        in_bins(&mut rows, country, "mdma", [3, 40, 1, 40]);
    }
    in_bins(&mut rows, "NL", "cannabis", [30, 30, 30, 30]);
    let countries = Countries::start(&setting, &rows).await;
    let asked = ask(&setting, &countries, &["nl", "de"], BY_SUBSTANCE).await;
    for substance in ["cocaine", "heroin"] {
        let truth = true_median(&rows, substance);
        let (median, status) = said(&asked.merged, substance);
        assert_eq!(status, "known", "{substance}: {:?}\n{:?}", asked.merged, asked.signed);
        assert!((median.unwrap() - truth).abs() <= width(truth), "{substance}: {median:?} {truth}");
    }
    assert_eq!(said(&asked.merged, "carfentanil").0, None, "three persons in each country");
    assert_eq!(said(&asked.merged, "mdma").0, None, "it is not known which bin it is in");
    let alone = ask(&setting, &countries, &["nl"], BY_SUBSTANCE).await;
    let (median, status) = said(&alone.merged, "cannabis");
    assert_eq!((median, status.as_str()), (Some(500.0), "known"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_withheld_bin_follows_from_the_others() {
    let setting = binned(Setting::parcels());
    let mut dice = Dice::new(77);
    let (mut rows, substances) =
        (Vec::new(), ["cocaine", "heroin", "mdma", "cannabis", "fentanyl"]);
    for country in ["NL", "DE", "FR"] {
        for substance in substances {
            let counts = std::array::from_fn(|_| [0_u32, 2, 4, 9, 30, 60, 60, 60][dice.below(8)]);
            in_bins(&mut rows, country, substance, counts);
        }
    }
    let countries = Countries::start(&setting, &rows).await;
    let codes = ["nl", "de", "fr"];
    let (mut some, mut none) = (0, 0);
    for sql in [
        BY_SUBSTANCE,
        "SELECT substance, median(quantity_g) AS m, avg(quantity_g) AS a, count(quantity_g) AS n FROM seizures GROUP BY substance",
    ] {
        let asked = ask(&setting, &countries, &codes, sql).await;
        let rows_of = |signed| hidden_of(signed).into_iter();
        for (hidden, held) in asked.signed.iter().flat_map(rows_of) {
            // That there is nothing follows from every total, also where cells are grouped by the bins.
            assert!(hidden != 1 || held == 0.0, "the total gives it away: {:?}", asked.signed);
            some += usize::from(1 < hidden && held != 0.0);
            none += usize::from(hidden == 0);
        }
        for substance in substances {
            let (median, status) = said(&asked.merged, substance);
            let truth = true_median(&rows, substance);
            if status == "known" {
                assert!(
                    (median.unwrap() - truth).abs() <= width(truth),
                    "{substance}: {median:?} {truth}"
                );
            }
        }
    }
    assert!(5 < some && 0 < none, "{some} {none}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_median_without_a_few_persons_is_withheld_after_the_one_with_them() {
    let setting = binned(Setting::persons());
    let mut rows = Vec::new();
    in_bins(&mut rows, "NL", "cocaine", [60, 60, 60, 60]);
    in_bins(&mut rows, "NL", "carfentanil", [0, 3, 0, 0]);
    let all = "SELECT median(quantity_g) AS m, 'all' AS substance FROM seizures";
    let but_few = "SELECT median(quantity_g) AS m, 'all' AS substance FROM seizures WHERE substance <> 'carfentanil'";
    let first = Countries::start(&setting, &rows).await;
    let (median, status) = said(&ask(&setting, &first, &["nl"], but_few).await.merged, "all");
    assert!(median.is_some() && status.starts_with("noisy"), "alone it is answered: {status}");

    let countries = Countries::start(&setting, &rows).await;
    let before = said(&ask(&setting, &countries, &["nl"], all).await.merged, "all");
    assert!(before.0.is_some(), "{before:?}");
    let (median, status) = said(&ask(&setting, &countries, &["nl"], but_few).await.merged, "all");
    assert_eq!((median, status.as_str()), (None, "suppressed"), "the difference is three persons");
    let again = said(&ask(&setting, &countries, &["nl"], all).await.merged, "all");
    assert_eq!(again, before, "the same question has the same answer");
}
