//! A narrower policy never shows more: whatever it permits, the wider one permits too, with protections that ask for no
//! more, and over rows that are no fewer.

use super::catalogues::{Setting, parsed};
use super::dice::Dice;
use mayag_policies::decide::{Permit, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::{Predicate, ReleaseShape};
use mayag_protocol::refusal::Refusal;
use serde_json::{Value, json};

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
    let (wide, narrow) = (wider.protections(), narrower.protections());
    assert_eq!(wide.strictest(narrow), narrow, "{wide:?} {narrow:?}");
    let everything = Predicate::everything();
    assert!(
        *wider.rows() == everything || wider.rows() == narrower.rows(),
        "{:?} {:?}",
        wider.rows(),
        narrower.rows()
    );
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

fn narrow(grant: &mut Value, dice: &mut Dice) {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    match dice.below(9) {
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
        _ => {
            let unit = &mut grant["columns"]["person_id"];
            if !unit.is_null() {
                *unit = json!({ "unit": { "count": false } });
            }
        }
    }
}
