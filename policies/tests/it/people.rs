//! Datasets that protect persons, and levels of columns: what a policy over them says, and what it is decided to allow.

use mayag_policies::catalogue::{Catalogue, Named};
use mayag_policies::decide::{Bounds, Budget, Noise, Permit, Subject, Switch, decide};
use mayag_policies::document::{Policy, Problem};
use mayag_policies::shape::{Aggregate, Grain, LevelRef, Literal, MeasureRef, ReleaseShape};
use mayag_policies::shared::shared;
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::{Code, Refusal};
use serde_json::{Value, json};

fn catalogue() -> Catalogue {
    Catalogue::parse(include_bytes!("../people.json")).unwrap()
}

fn grant() -> Value {
    json!({
        "id": "people", "why": "x", "to": { "countries": "any", "roles": ["analyst"] }, "purposes": ["TREND"],
        "dataset": "arrests", "waiver": "Police Act, section 12",
        "columns": {
            "person_id": { "unit": { "count": true } },
            "seized_on": { "dimension": { "finest": "month" } },
            "substance": { "dimension": {} },
            "hs6_chapter": { "dimension": {} },
            "grams": { "measure": { "aggregates": ["sum", "avg", "count"], "high": 100_000 } },
            "grams_size": { "dimension": {} },
            "route": { "dimension": {} },
            "officers": { "dimension": {} }
        }
    })
}

fn parsed(grants: &[Value]) -> Result<Policy, Vec<Problem>> {
    let document = json!({
        "policy": "kr", "serial": 1, "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z",
        "why": "x", "grants": grants
    });
    let text = document.to_string();
    Policy::parse(text.as_bytes(), &catalogue(), |_| Digest::from_bytes([0; 32]))
}

fn policy(grants: &[Value]) -> Policy {
    parsed(grants).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut grant = grant();
    for (key, value) in changes {
        grant[*key] = value.clone();
    }
    grant
}

fn analyst() -> Subject {
    Subject {
        country: "au".parse().unwrap(),
        roles: vec!["analyst".parse().unwrap()],
        purpose: Purpose::Trend,
    }
}

fn level(text: &str) -> LevelRef {
    let (column, grain) = text.split_once('@').map_or((text, None), |(a, b)| (a, Some(b)));
    let grain =
        grain.map(|word| Grain::ALL.into_iter().find(|grain| grain.as_str() == word).unwrap());
    LevelRef { column: column.parse().unwrap(), grain }
}

fn measure(aggregate: Aggregate, column: &str) -> MeasureRef {
    MeasureRef { aggregate, column: (!column.is_empty()).then(|| level(column)) }
}

fn shape(keys: &[&str], measures: &[MeasureRef]) -> ReleaseShape {
    ReleaseShape {
        dataset: "arrests".parse().unwrap(),
        keys: keys.iter().map(|key| level(key)).collect(),
        filters: vec![],
        measures: measures.to_vec(),
    }
}

fn decided(grants: &[Value], shape: &ReleaseShape) -> Result<Permit, Refusal> {
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    decide(&policy(grants), &catalogue(), &analyst(), now, shape)
}

/// `permit`, or the code, the subject and the hint of the refusal.
fn said(grant: Value, keys: &[&str], measures: &[MeasureRef]) -> String {
    match decided(&[grant], &shape(keys, measures)) {
        Ok(_) => "permit".to_owned(),
        Err(refusal) => {
            format!(
                "{} {}: {}",
                refusal.code.name(),
                refusal.subject.unwrap_or_default(),
                refusal.hint
            )
        }
    }
}

#[test]
fn persons_are_protected_by_noise_and_the_guard_unless_the_grant_says_more() {
    let shape = shape(&["substance"], &[measure(Aggregate::Sum, "grams")]);
    let permit = decided(&[grant()], &shape).unwrap();
    let protections = permit.protections();
    assert_eq!(protections.noise, Noise::On { largest: 5, variance: 3 });
    assert_eq!(protections.difference_guard, Switch::On);
    assert_eq!((protections.most_rows, protections.most_levels, protections.round_to), (3, 4, 1));
    assert_eq!((protections.dominance.units, protections.dominance.percent), (2, 85));
    assert_eq!(permit.bounds(&"grams".parse().unwrap()), Some(Bounds { low: 0, high: 100_000 }));
    assert_eq!(permit.waiver(), Some("Police Act, section 12"));
    assert_eq!(permit.budget(), Budget::default());

    let other = with(&[
        ("id", json!("stricter")),
        ("noise", json!({ "largest": 8, "variance": 2 })),
        ("difference_guard", json!("off")),
        ("most_rows", json!(1)),
        ("dominance", json!({ "units": 1 })),
        ("budget", json!({ "person": 7 })),
        ("most_levels", json!(2)),
        (
            "columns",
            json!({ "substance": { "dimension": {} }, "grams": { "measure": { "aggregates": ["sum"], "low": -5, "high": 50 } } }),
        ),
    ]);
    let permit = decided(&[grant(), other], &shape).unwrap();
    let protections = permit.protections();
    assert_eq!(permit.grant().as_str(), "people");
    assert_eq!(protections.noise, Noise::On { largest: 8, variance: 3 });
    assert_eq!(protections.difference_guard, Switch::On);
    assert_eq!((protections.most_rows, protections.most_levels), (1, 2));
    assert_eq!(protections.dominance.units, 2);
    assert_eq!(permit.bounds(&"grams".parse().unwrap()), Some(Bounds { low: 0, high: 50 }));
    assert_eq!(permit.budget().person, Some(7));
}

#[test]
fn without_persons_noise_and_guard_are_off_unless_they_are_switched_on() {
    let goods = json!({
        "id": "goods", "why": "x", "to": { "countries": "any", "roles": ["analyst"] }, "purposes": ["TREND"],
        "dataset": "goods", "columns": { "colour": { "dimension": {} } }
    });
    let shape = ReleaseShape {
        dataset: "goods".parse().unwrap(),
        ..shape(&["colour"], &[measure(Aggregate::Max, "colour")])
    };
    let protections = decided(std::slice::from_ref(&goods), &shape).unwrap().protections();
    assert_eq!((protections.noise, protections.difference_guard), (Noise::Off, Switch::Off));
    let mut noisy = goods;
    noisy["noise"] = json!({ "largest": 5, "variance": 3 });
    let refusal = decided(&[noisy], &shape).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.hint.as_str()),
        (Code::AggregateNotShared, "permitted in its place: count")
    );
}

#[test]
fn where_noise_is_on_single_values_and_squares_are_refused() {
    for (aggregate, column) in [(Aggregate::Max, "seized_on@month"), (Aggregate::Min, "substance")]
    {
        let said = said(grant(), &["substance"], &[measure(aggregate, column)]);
        assert!(said.starts_with("aggregate-not-shared"), "{said}");
    }
    let stddev = said(grant(), &[], &[measure(Aggregate::Stddev, "grams")]);
    assert_eq!(
        stddev,
        "aggregate-not-shared stddev(grams): permitted in its place: avg, count, sum"
    );
    for aggregate in [Aggregate::Correlation, Aggregate::Covariance] {
        let said = said(grant(), &[], &[measure(aggregate, "grams")]);
        assert!(said.starts_with("aggregate-not-shared"), "{said}");
    }
    assert_eq!(said(grant(), &[], &[measure(Aggregate::Avg, "grams")]), "permit");
    assert_eq!(said(grant(), &[], &[measure(Aggregate::CountDistinct, "")]), "permit");
    // The second unit is protected as well, but it is not counted.
    let other = said(grant(), &[], &[measure(Aggregate::CountDistinct, "seizure_id")]);
    assert!(other.starts_with("column-not-shared seizure_id"), "{other}");
}

/// `median(grams)` as the planner has it: with the level that it is read off.
fn median_of_grams() -> ReleaseShape {
    let mut shape = shape(&["substance"], &[measure(Aggregate::Quantile, "grams")]);
    shape.filters.push(level("grams_band"));
    shape
}

#[test]
fn a_quantile_needs_its_aggregate_and_its_bins() {
    let aggregates = json!({ "measure": { "aggregates": ["avg", "quantile"], "high": 100_000 } });
    let mut grant = grant();
    let refusal = decided(&[grant.clone()], &median_of_grams()).unwrap_err();
    assert_eq!(refusal.code, Code::AggregateNotShared, "{refusal}");
    grant["columns"]["grams"] = aggregates;
    let refusal = decided(&[grant.clone()], &median_of_grams()).unwrap_err();
    let said = (refusal.code, refusal.subject.as_deref(), refusal.hint.as_str());
    let hint = "leave out the quantiles of grams: they are read off grams_band";
    assert_eq!(said, (Code::LevelTooFine, Some("grams_size"), hint));
    let mut more = median_of_grams();
    more.measures.push(measure(Aggregate::Sum, "officers"));
    let refusal = decided(&[grant.clone()], &more).unwrap_err();
    let alone = "quantiles of grams are read off grams_band; changing that alone is not enough";
    assert_eq!(refusal.hint, alone);
    grant["columns"]["grams_band"] = json!({ "dimension": {} });
    assert!(decided(&[grant.clone()], &median_of_grams()).is_ok(), "noise needs no bounds for it");
    // A measure that is not shared is refused by its own name, and not by that of its bins.
    grant["columns"].as_object_mut().unwrap().remove("grams");
    let refusal = decided(&[grant], &median_of_grams()).unwrap_err();
    let said = (refusal.code, refusal.subject.as_deref());
    assert_eq!(said, (Code::ColumnNotShared, Some("grams")));
}

#[test]
fn a_level_is_shared_with_everything_coarser_and_nothing_finer() {
    for (key, expected) in [
        ("substance_group", "permit"),
        ("hs6_chapter", "permit"),
        ("hs6_heading", "level-too-fine hs6_chapter: write hs6_chapter in place of hs6_heading"),
        ("hs6", "level-too-fine hs6_chapter: write hs6_chapter in place of hs6"),
        ("grams_size", "permit"),
        ("grams_band", "level-too-fine grams_size: write grams_size in place of grams_band"),
    ] {
        assert_eq!(said(grant(), &[key], &[measure(Aggregate::Count, "")]), expected, "{key}");
    }
    for unknown in ["hs6_section", "route_chapter", "grams", "person_id", "seized_on_decade"] {
        let said = said(grant(), &[unknown], &[]);
        assert!(said.starts_with(&format!("column-not-shared {unknown}")), "{said}");
    }
    let narrower = with(&[("columns", json!({ "hs6_heading": { "dimension": {} } }))]);
    assert_eq!(said(narrower.clone(), &["hs6_chapter", "hs6_heading"], &[]), "permit");
    assert!(
        said(narrower, &["substance_group"], &[]).starts_with("column-not-shared substance_group")
    );
}

#[test]
fn so_many_columns_are_combined_and_no_more() {
    let five = ["substance", "route", "officers", "seized_on@month", "hs6_chapter"];
    assert_eq!(
        said(grant(), &five, &[]),
        "too-many-levels 5 columns: group and filter by at most 4 columns together"
    );
    // Levels of one column, and `country`, do not add up.
    let four = [
        "substance",
        "substance_group",
        "seized_on@month",
        "seized_on@year",
        "route",
        "officers",
        "country",
    ];
    assert_eq!(said(grant(), &four, &[]), "permit");
    assert_eq!(said(with(&[("most_levels", json!(5))]), &five, &[]), "permit");
    // A column that is not shared comes first, whether it exists or not.
    for unshared in ["hs6_section", "seizure_id"] {
        let said = said(grant(), &[&five[..], &[unshared]].concat(), &[]);
        assert!(said.starts_with("column-not-shared"), "{said}");
    }
    let several = [grant(), with(&[("id", json!("wider")), ("most_levels", json!(5))])];
    assert_eq!(decided(&several, &shape(&five, &[])).unwrap().grant().as_str(), "wider");
}

#[test]
fn without_a_reason_persons_are_not_answered_about() {
    let mut unreasoned = grant();
    unreasoned.as_object_mut().unwrap().remove("waiver");
    let problems = parsed(std::slice::from_ref(&unreasoned)).unwrap_err();
    assert!(problems[0].message.starts_with("`waiver` is missing"), "{problems:?}");

    // Checked against a catalogue without persons, decided under one that has them.
    let mut before = serde_json::to_value(catalogue()).unwrap();
    before["datasets"][0]["units"][0]["person"] = json!(false);
    let before = Catalogue::parse(before.to_string().as_bytes()).unwrap();
    let document = json!({
        "policy": "kr", "serial": 1, "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z",
        "why": "x", "grants": [unreasoned]
    });
    let policy =
        Policy::parse(document.to_string().as_bytes(), &before, |_| Digest::from_bytes([0; 32]))
            .unwrap();
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let asked = shape(&["substance"], &[]);
    decide(&policy, &before, &analyst(), now, &asked).unwrap();
    let refusal = decide(&policy, &catalogue(), &analyst(), now, &asked).unwrap_err();
    assert_eq!(refusal.code, Code::NoGrant);
    assert!(shared(&policy, &catalogue(), &analyst(), now).is_empty());
}

#[test]
fn what_is_shared_names_the_levels() {
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let datasets = shared(&policy(&[grant()]), &catalogue(), &analyst(), now);
    let names: Vec<&str> = datasets[0].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "country",
            "person_id",
            "seized_on",
            "substance",
            "substance_group",
            "hs6_chapter",
            "route",
            "officers",
            "grams",
            "grams_size"
        ]
    );
}

#[test]
fn domains_are_closed_where_the_catalogue_says_so() {
    let catalogue = catalogue();
    let arrests = catalogue.dataset("arrests").unwrap();
    let shown = |name: &str| -> Option<Vec<String>> {
        let domain = arrests.domain(&level(name))?;
        let text = |value: Option<Literal>| match value {
            None => "-".to_owned(),
            Some(Literal::Text(text)) => text,
            Some(other) => format!("{other:?}"),
        };
        Some(domain.into_iter().map(text).collect())
    };
    assert_eq!(shown("substance").unwrap(), ["cocaine", "fentanyl", "heroin", "nitazene", "-"]);
    assert_eq!(shown("substance_group").unwrap(), ["opioid", "stimulant", "-"]);
    assert_eq!(shown("grams_size").unwrap(), ["large", "small", "-"]);
    assert_eq!(shown("officers").unwrap().len(), 10);
    assert_eq!(shown("seized_on@month").unwrap().len(), 12);
    assert_eq!(shown("seized_on@quarter").unwrap().len(), 4);
    assert_eq!(shown("seized_on@year").unwrap(), ["Date(19723)"]);
    assert_eq!(shown("seized_on").unwrap().len(), 352);
    for open in ["hs6", "hs6_chapter", "route", "country", "person_id", "grams", "nothing"] {
        assert_eq!(shown(open), None, "{open}");
    }
}

#[test]
fn a_coarser_value_follows_from_the_base_value() {
    let catalogue = catalogue();
    let arrests = catalogue.dataset("arrests").unwrap();
    let text = |text: &str| Literal::Text(text.to_owned());
    for (name, base, expected) in [
        ("hs6_chapter", text("293339"), Some(text("29"))),
        ("hs6_heading", text("29"), Some(text("29"))),
        ("substance_group", text("heroin"), Some(text("opioid"))),
        ("substance_group", text("unheard of"), None),
        ("grams_band", Literal::Int(-3), Some(text("under 10 g"))),
        ("grams_band", Literal::Int(10), Some(text("10 g"))),
        ("grams_band", Literal::Int(999), Some(text("100 g"))),
        ("grams_band", Literal::Int(1000), Some(text("1 kg and more"))),
        ("seized_on@quarter", Literal::Date(19_801), Some(Literal::Date(19_723))),
        ("substance", text("heroin"), Some(text("heroin"))),
        ("grams_band", text("10"), None),
    ] {
        let named = arrests.named(&level(name)).unwrap();
        assert_eq!(named.of(Some(&base)), expected, "{name} of {base:?}");
        assert_eq!(named.of(None), None);
    }
    assert_eq!(arrests.named(&level("hs6_chapter@year")), None);
    assert!(matches!(arrests.named(&level("seized_on")), Some(Named::Period(_, Grain::Day))));
    let (column, found) = arrests.level("hs6_chapter").unwrap();
    assert_eq!((column.name.as_str(), found.name.as_str()), ("hs6", "chapter"));
    assert_eq!(column.virtual_name(found).unwrap().as_str(), "hs6_chapter");
}
