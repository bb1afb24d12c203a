//! A narrower policy never shows more: whatever it permits, the wider one permits too, with protections that ask for no
//! more, and over rows that are no fewer. At nodes that answer, every cell that is shown under the narrower one is shown
//! under the wider one too, and is the same.

use super::catalogues::{Setting, parsed};
use super::dice::Dice;
use mayag_integration_tests::attacks::corpus::Statement;
use mayag_integration_tests::attacks::federation::{Crew, Federation, Regime};
use mayag_integration_tests::attacks::fixture::Database;
use mayag_integration_tests::attacks::said::{Answer, Said};
use mayag_policies::decide::{Dominance, Noise, Permit, Protections, Switch, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::{Predicate, ReleaseShape};
use mayag_protocol::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Policies that are drawn in each setting.
const POLICIES: u64 = 60;

/// Questions for each of them.
const QUESTIONS: u64 = 40;

#[test]
fn a_narrower_policy_never_shows_more() {
    let (mut both, mut wide_only) = (0, 0);
    for setting in [Setting::persons(), Setting::parcels()] {
        let shapes = shapes(&setting);
        for seed in 0..POLICIES {
            let mut dice = Dice::new(7_000_000 + seed);
            // The wider one is itself one of many: narrowed at random already.
            let wide = narrowed(&setting, setting.document.clone(), &mut dice);
            let narrow = narrowed(&setting, wide.0.clone(), &mut dice);
            for shape in dice.some(&shapes, usize::try_from(QUESTIONS).unwrap()) {
                let (wider, narrower) =
                    (decided(&setting, &wide.1, &shape), decided(&setting, &narrow.1, &shape));
                match (wider, narrower) {
                    (Ok(wider), Ok(narrower)) => {
                        no_more(&wider, &narrower);
                        both += 1;
                    }
                    (Err(_), Err(_)) => {}
                    (Ok(_), Err(_)) => wide_only += 1,
                    (Err(refusal), Ok(_)) => {
                        panic!(
                            "seed {seed}: only the narrower policy permits {shape:?}: {refusal}\n{}\n{}",
                            wide.0, narrow.0
                        )
                    }
                }
            }
        }
    }
    // The test says something only where policies differ in what they permit.
    assert!(500 < both && 200 < wide_only, "{both} permitted by both, {wide_only} by one");
}

/// Policies that nodes answer under, each narrower than the first, and questions to each.
const EXECUTED: (usize, usize) = (4, 30);

#[test]
fn no_cell_is_shown_only_by_the_narrower_policy() {
    let setting = Setting::parcels();
    let questions = answerable(&setting);
    let mut federation =
        Federation::start(Database::Whole, Regime::Exact, &Crew::of(&[&statement("")]));
    federation.grant(setting.document["grants"][0].clone());
    let ask =
        |federation: &mut Federation, sql: &String| federation.send(&statement(sql)).remove(0);
    let wide: Vec<Said> = questions.iter().map(|sql| ask(&mut federation, sql)).collect();
    let mut seen = Seen::default();
    let mut dice = Dice::new(9_000_000);
    for _ in 0..EXECUTED.0 {
        let narrow = loop {
            let narrow = narrowed(&setting, setting.document.clone(), &mut dice).0;
            // Other rows are other numbers, and so are rounded ones.
            let grant = &narrow["grants"][0];
            if grant.get("rows").is_none() && grant.get("round_to").is_none() {
                break narrow;
            }
        };
        federation.grant(narrow["grants"][0].clone());
        for (sql, wide) in questions.iter().zip(&wide) {
            let narrow = ask(&mut federation, sql);
            seen.compare(wide, &narrow, sql);
        }
    }
    seen.enough();
}

fn statement(sql: &str) -> Statement {
    Statement { sql: sql.to_owned(), ..Statement::parse("") }
}

/// Questions that the grammar means to be answered.
fn answerable(setting: &Setting) -> Vec<String> {
    let draw = |seed: u64| setting.table.question(&mut Dice::new(30_000_000 + seed));
    let meant = (0..).map(draw).filter(|question| question.meaning.is_some());
    meant.map(|question| question.sql).take(EXECUTED.1).collect()
}

/// Cells under the narrower policy.
#[derive(Debug, Default)]
struct Seen {
    shown: usize,
    hidden: usize,
}

impl Seen {
    fn compare(&mut self, wide: &Said, narrow: &Said, sql: &str) {
        let Said::Answered(narrow) = narrow else { return };
        let Said::Answered(wide) = wide else { panic!("only the narrower policy answers {sql}") };
        let (wide, narrow) = (shown(wide), shown(narrow));
        for (cell, value) in &narrow {
            assert_eq!(wide.get(cell), Some(value), "{sql}\n{cell:?}");
        }
        self.shown += narrow.len();
        self.hidden += wide.len() - narrow.len();
    }

    /// The comparison says something only where there is something to compare.
    fn enough(&self) {
        assert!(200 < self.shown && 50 < self.hidden, "{self:?}");
    }
}

/// Which country, release, key and measure.
type Place<'a> = (&'a str, usize, Vec<String>, &'a str);

/// Every number that a country shows.
fn shown(answer: &Answer) -> BTreeMap<Place<'_>, String> {
    let mut shown = BTreeMap::new();
    for (country, release, part) in &answer.signed {
        for row in &part.rows {
            let key: Vec<String> = part.keys.iter().map(|i| row[*i].text()).collect();
            for (name, value) in part.columns.iter().zip(row) {
                let measure = name.strip_prefix('m').is_some_and(|i| i.parse::<usize>().is_ok());
                if measure && value.number().is_some() {
                    shown.insert(
                        (country.as_str(), *release, key.clone(), name.as_str()),
                        value.text(),
                    );
                }
            }
        }
    }
    shown
}

/// Releases of questions that the grammar means to be answered.
fn shapes(setting: &Setting) -> Vec<ReleaseShape> {
    let mut shapes = Vec::new();
    for seed in 0..400 {
        let question = setting.table.question(&mut Dice::new(5_000_000 + seed));
        let plan = mayag_queries::plan::plan(&question.sql, &setting.catalogue);
        shapes.extend(plan.into_iter().flat_map(|plan| plan.releases).map(|one| one.shape()));
    }
    assert!(150 < shapes.len(), "{}", shapes.len());
    shapes
}

fn decided(setting: &Setting, policy: &Policy, shape: &ReleaseShape) -> Result<Permit, Refusal> {
    decide(policy, &setting.catalogue, &setting.subject, setting.now, shape)
}

fn no_more(wider: &Permit, narrower: &Permit) {
    no_weaker(wider.protections(), narrower.protections());
    let measured = narrower.shape().measures.iter().filter_map(|measure| measure.column.as_ref());
    for column in measured.map(|level| &level.column) {
        match (wider.bounds(column), narrower.bounds(column)) {
            (Some(wide), Some(narrow)) => {
                assert!(wide.low <= narrow.low && narrow.high <= wide.high, "{wide:?} {narrow:?}");
            }
            (wide, narrow) => assert!(wide.is_none(), "no bounds any more: {wide:?} {narrow:?}"),
        }
    }
    let (wide, narrow) = (wider.budget(), narrower.budget());
    for (wide, narrow) in [
        (wide.person, narrow.person),
        (wide.country, narrow.country),
        (wide.dataset, narrow.dataset),
    ] {
        assert!(narrow.unwrap_or(u64::MAX) <= wide.unwrap_or(u64::MAX), "{wide:?} {narrow:?}");
    }
    let everything = Predicate::everything();
    assert!(
        *wider.rows() == everything || wider.rows() == narrower.rows(),
        "{:?} {:?}",
        wider.rows(),
        narrower.rows()
    );
}

/// Field by field, in the words of the documentation rather than by the product's own comparison: what is added to
/// [`Protections`] does not compile here until somebody says which way is stricter.
fn no_weaker(wide: Protections, narrow: Protections) {
    let Protections {
        min_units,
        p_percent,
        dominance: Dominance { units, percent },
        one_category_percent,
        noise,
        most_rows,
        round_to,
        difference_guard,
        most_levels,
    } = narrow;
    let told = format!("{wide:?}\n{narrow:?}");
    assert!(wide.min_units <= min_units, "{told}");
    assert!(wide.p_percent <= p_percent, "{told}");
    assert!(wide.dominance.units <= units && percent <= wide.dominance.percent, "{told}");
    assert!(one_category_percent <= wide.one_category_percent, "{told}");
    match (wide.noise, noise) {
        (Noise::Off, _) => {}
        (Noise::On { .. }, Noise::Off) => panic!("less noise: {told}"),
        (Noise::On { largest, variance }, Noise::On { largest: more, variance: wider }) => {
            assert!(largest <= more && variance <= wider, "{told}");
        }
    }
    assert!(most_rows <= wide.most_rows, "{told}");
    assert!(wide.round_to <= round_to, "{told}");
    assert!(wide.difference_guard == Switch::Off || difference_guard == Switch::On, "{told}");
    assert!(most_levels <= wide.most_levels, "{told}");
}

/// Narrows a document in one to three random ways; what would be no policy is not done.
fn narrowed(setting: &Setting, mut document: Value, dice: &mut Dice) -> (Value, Policy) {
    for _ in 0..=dice.below(3) {
        let mut changed = document.clone();
        narrow(&mut changed["grants"][0], dice);
        if parsed(&changed, &setting.catalogue).is_ok() {
            document = changed;
        }
    }
    let policy = parsed(&document, &setting.catalogue).unwrap_or_else(|faults| panic!("{faults}"));
    (document, policy)
}

/// Takes something away from a number, which is this where it is not written.
fn smaller(of: &mut Value, key: &str, default: u64, less: u64) {
    let number = of[key].as_u64().unwrap_or(default);
    of[key] = number.saturating_sub(less).max(1).into();
}

fn narrow(grant: &mut Value, dice: &mut Dice) {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    match dice.below(15) {
        0 => grant["min_units"] = (number(&grant["min_units"]) + 1 + dice.below(20) as u64).into(),
        1 => grant["most_levels"] = number(&grant["most_levels"]).saturating_sub(1).max(1).into(),
        2 => {
            let columns = grant["columns"].as_object_mut().unwrap();
            let names: Vec<String> = columns.keys().cloned().collect();
            columns.remove(dice.of(&names).as_str());
        }
        3 => {
            let grain = *dice.of(&["quarter", "year"]);
            let dimension = &mut grant["columns"]["seized_on"]["dimension"];
            if dimension["finest"] != "year" {
                *dimension = json!({ "finest": grain });
            }
        }
        4 => {
            let measure = &mut grant["columns"]["quantity_g"]["measure"]["aggregates"];
            if let Some(list) = measure.as_array_mut()
                && 1 < list.len()
            {
                list.pop();
            }
        }
        5 if grant["to"]["countries"] == "any" => {
            grant["to"]["countries"] = json!([*dice.of(&["de", "fr"])]);
        }
        6 => {
            let percent = (10 + dice.below(20) as u64).max(number(&grant["p_percent"]));
            grant["p_percent"] = percent.into();
        }
        7 if grant.get("rows").is_none() => {
            grant["rows"] =
                json!([{ "column": "substance", "is": "in", "values": ["cocaine", "heroin"] }]);
        }
        8 => smaller(&mut grant["dominance"], "percent", 85, 5 + dice.below(10) as u64),
        9 => smaller(grant, "one_category_percent", 90, 10),
        10 if grant["noise"].is_object() => {
            for key in ["largest", "variance"] {
                let more = number(&grant["noise"][key]) + dice.below(2) as u64;
                grant["noise"][key] = more.into();
            }
        }
        11 => smaller(grant, "most_rows", 3, 1),
        12 => grant["round_to"] = (number(&grant["round_to"]).max(1) * 5).into(),
        13 => smaller(&mut grant["budget"], "person", 100, 10),
        14 if grant["columns"]["quantity_g"]["measure"]["high"].is_u64() => {
            smaller(&mut grant["columns"]["quantity_g"]["measure"], "high", 100_000, 20_000);
        }
        _ => {
            let unit = &mut grant["columns"]["person_id"];
            if !unit.is_null() {
                *unit = json!({ "unit": { "count": false } });
            }
        }
    }
}
