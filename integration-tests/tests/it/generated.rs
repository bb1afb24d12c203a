//! Random questions of a grammar, seeded: every run asks the same ones.
//!
//! * Twenty thousand are planned and decided: no panic, nothing slow, no word of the engine in a refusal, and what the
//!   grammar means to be answered is permitted (about half). Many of these are executed and merged, and compared with
//!   an independent implementation ([`thousands`]); a few go through a whole federation ([`executed`]).
//! * Some more are planned and decided with the catalogue that ships with the product.
//! * A column that does not exist and one that is not shared are refused in the same words, whatever it is called and
//!   wherever it stands.
//! * A narrower policy permits nothing that a wider one does not, and asks for no less protection.

mod catalogues;
mod checks;
mod dice;
mod executed;
mod grammar;
mod levels;
mod naive;
mod names;
mod narrower;
mod quantiles;
mod thousands;

use catalogues::Setting;
use dice::Dice;
use grammar::Question;
use mayag_policies::decide::decide;
use mayag_protocol::refusal::Refusal;
use mayag_queries::plan::Plan;
use std::time::Duration;
use tokio::time::Instant;

/// Of the catalogue that ships with the product; the twenty thousand are those of [`thousands`].
const QUESTIONS: usize = 4_000;

/// Far more than any question of the grammar needs, on a busy machine and in a debug build.
const LONGEST: Duration = Duration::from_secs(10);

const THREADS: usize = 2;

/// Words of the engine, and what only rows say.
const NEVER: [&str; 12] = [
    "DataFusion",
    "Arrow error",
    "ArrowError",
    "SchemaError",
    "Schema error",
    "Cannot cast",
    "Valid fields",
    "Execution error",
    "Error during planning",
    "Internal error",
    "ParserError",
    "panicked",
];

/// What became of the questions.
#[derive(Debug, Default)]
struct Tally {
    asked: usize,
    permitted: usize,
    /// Refused although the grammar meant them to be answered.
    unexpected: Vec<String>,
}

#[test]
fn questions_of_the_builtin_catalogue_are_planned_and_decided() {
    let settings = [Setting::builtin()];
    let per_thread = QUESTIONS / THREADS;
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let settings = &settings;
        let threads: [_; THREADS] = std::array::from_fn(|thread| {
            scope.spawn(move || decided(settings, thread, per_thread))
        });
        threads.map(|thread| thread.join().expect("no question panics")).into()
    });
    let asked: usize = tallies.iter().map(|tally| tally.asked).sum();
    let permitted: usize = tallies.iter().map(|tally| tally.permitted).sum();
    let unexpected: Vec<&String> = tallies.iter().flat_map(|tally| &tally.unexpected).collect();
    assert_eq!(asked, QUESTIONS);
    assert!((9 * QUESTIONS / 20..=11 * QUESTIONS / 20).contains(&permitted), "{permitted}");
    let few = unexpected.iter().take(10).collect::<Vec<_>>();
    assert!(unexpected.is_empty(), "{} refused, such as {few:#?}", unexpected.len());
}

fn decided(settings: &[Setting], thread: usize, count: usize) -> Tally {
    let mut tally = Tally::default();
    for i in 0..count {
        let seed = u64::try_from(thread * count + i).unwrap();
        let mut dice = Dice::new(seed);
        let setting = &settings[i % settings.len()];
        let question = setting.table.question(&mut dice);
        let before = Instant::now();
        let outcome = plan_and_decide(setting, &question.sql);
        let took = before.elapsed();
        assert!(took < LONGEST, "seed {seed}: {took:?}: {}", question.sql);
        tally.asked += 1;
        match outcome {
            Ok(plan) => {
                tally.permitted += 1;
                as_meant(&question, &plan);
            }
            Err(refusal) => tally.look_at(&question, &refusal, seed),
        }
    }
    tally
}

impl Tally {
    fn look_at(&mut self, question: &Question, refusal: &Refusal, seed: u64) {
        let text = format!("{refusal}: {}", refusal.hint);
        for word in NEVER {
            let own = question.sql.contains(word);
            assert!(own || !text.contains(word), "seed {seed}: {text}\n{}", question.sql);
        }
        if !question.spoilt {
            self.unexpected.push(format!("seed {seed}: {}\n    {refusal}", question.sql));
        }
    }
}

/// What is planned is what was meant: the keys, and as many releases as there are grouping sets.
fn as_meant(question: &Question, plan: &Plan) {
    let Some(meaning) = &question.meaning else { return };
    assert_eq!(plan.releases.len(), meaning.sets.len(), "{}", question.sql);
    let keys = plan.releases.first().map_or(0, |release| release.keys.len());
    assert_eq!(keys, meaning.keys.len(), "{}", question.sql);
}

/// The plan, if every release of it is permitted.
fn plan_and_decide(setting: &Setting, sql: &str) -> Result<Plan, Refusal> {
    let plan = mayag_queries::plan::plan(sql, &setting.catalogue)?;
    for release in &plan.releases {
        let (subject, now) = (&setting.subject, setting.now);
        decide(&setting.policy, &setting.catalogue, subject, now, &release.shape())
            .map_err(|refusal| mayag_queries::plan::advised(sql, &setting.catalogue, refusal))?;
    }
    Ok(plan)
}
