//! Twenty thousand random questions, planned and decided; every accepted one, about 10,000, is executed and merged in this
//! process by the product's own code: worker processes over a country's file, protections and their memory, parts, the
//! fold, and the tail.
//!
//! Each is asked of two of the six countries: what more countries would add is the fold of more parts. What the
//! countries sign and the merged table are compared with the naive implementation; and what is computed above a release
//! (order, limits, windows, conditions on cells, joins and unions of results) with plain `DataFusion`, over a table of the
//! cells folded by hand, and where no country withholds anything, over the union of the rows. Half of the questions are
//! about exact numbers and half about noisy ones; of these, the same cell has to have the same number whichever
//! question shows it.

pub(super) mod country;
mod plain;

use super::catalogues::Setting;
use super::checks::{Asked, Seen, Signed, alike};
use super::dice::Dice;
use super::grammar::Question;
use super::{LONGEST, NEVER, as_meant};
use country::Countries;
use mayag_integration_tests::attacks::federation::Regime;
use mayag_integration_tests::attacks::fixture::{COUNTRIES, Database, Row};
use mayag_integration_tests::attacks::said::{Cells, cells, signed_cells};
use mayag_policies::decide::{Permit, decide};
use mayag_protocol::answer::Listed;
use mayag_protocol::columns::CellStatus;
use mayag_protocol::refusal::Refusal;
use mayag_queries::merge::{self, check_listed, read_part};
use mayag_queries::plan::{Plan, plan};
use mayag_queries::release::Release;
use mayag_queries::tail::TailError;
use parking_lot::Mutex;
use plain::{Expected, Plain};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Questions of each kind: both kinds together are the twenty thousand.
const QUESTIONS: u64 = 10_000;

/// Questions at once: two more than there are cores, so that one is always ready.
const AT_ONCE: usize = 4;

/// What became of them.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    executed: usize,
    answered: usize,
    /// The tail divides by what is zero or withheld, and says so.
    divided_by_zero: usize,
    /// Cells of countries, and numbers of merged tables.
    shown: usize,
    withheld: usize,
    merged: usize,
    /// Compared with plain SQL over the cells, and over the rows.
    over_cells: usize,
    over_rows: usize,
    /// Noisy numbers that were shown before.
    again: usize,
    longest: Duration,
}

/// A kind of questions, and everything that answers and checks them.
struct Bench {
    setting: Setting,
    regime: Regime,
    rows: Vec<Row>,
    countries: Countries,
    plain: Plain,
    tally: Mutex<Tally>,
    /// The numbers of noisy cells, by what the cells are about.
    noisy: Mutex<BTreeMap<u64, f64>>,
}

/// A question on its way.
struct Asking<'a> {
    question: &'a Question,
    plan: Plan,
    permits: Vec<(Release, Permit)>,
    countries: Vec<&'static str>,
    told: &'a str,
}

/// What the countries answered.
struct Answered {
    /// What was read, and of which release it is.
    parts: Vec<(usize, merge::Part)>,
    signed: Vec<Signed>,
    /// Whether any country withholds anything.
    withheld: bool,
}

#[test]
fn ten_thousand_exact_questions_are_answered_as_by_the_naive_implementation() {
    let tally = ask_everything(Setting::parcels(), Regime::Exact, 40_000_000);
    tally.check();
    assert!(600 < tally.over_rows, "{tally:?}");
}

#[test]
fn ten_thousand_noisy_questions_stay_close_to_the_truth_and_say_the_same_again() {
    let tally = ask_everything(Setting::persons(), Regime::Live, 50_000_000);
    tally.check();
    assert!(2_000 < tally.again, "{tally:?}");
}

/// Asks the questions from this seed on.
fn ask_everything(setting: Setting, regime: Regime, first: u64) -> Tally {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(async {
        let rows = Database::Whole.rows();
        let countries = Countries::start(&setting, &rows).await;
        let (tally, noisy) = (Mutex::default(), Mutex::default());
        let plain = Plain::new(&setting, &rows);
        let bench = Arc::new(Bench { setting, regime, rows, countries, plain, tally, noisy });
        let mut running = JoinSet::new();
        // All are asked: what is wrong with one may be wrong with many, and each says so itself.
        let mut wrong = 0;
        for seed in first..first + QUESTIONS {
            if AT_ONCE <= running.len() {
                wrong += usize::from(running.join_next().await.unwrap().is_err());
            }
            let bench = Arc::clone(&bench);
            running.spawn(async move { bench.ask(seed).await });
        }
        while let Some(ended) = running.join_next().await {
            wrong += usize::from(ended.is_err());
        }
        assert_eq!(wrong, 0, "of {QUESTIONS}; each is told above");
        let bench = Arc::into_inner(bench).unwrap();
        bench.tally.into_inner()
    })
}

impl Bench {
    async fn ask(&self, seed: u64) {
        let mut dice = Dice::new(seed);
        let question = self.setting.table.question(&mut dice);
        let countries = dice.some(&COUNTRIES, 2);
        let told = format!("seed {seed}: {}\n{countries:?}\n", question.sql);
        let began = Instant::now();
        match plan_and_decide(&self.setting, &question.sql) {
            Ok((plan, permits)) => {
                as_meant(&question, &plan);
                self.tally.lock().accepted += 1;
                let question = &question;
                let asking = Asking { question, plan, permits, countries, told: &told };
                self.answer(&asking).await;
            }
            Err(refusal) => {
                assert!(question.spoilt, "{told}{refusal}");
                said(&question.sql, &format!("{refusal}: {}", refusal.hint));
            }
        }
        let took = began.elapsed();
        assert!(took < LONGEST, "{took:?}: {told}");
        let mut tally = self.tally.lock();
        tally.longest = tally.longest.max(took);
    }

    /// Asks the countries, merges, and compares everything there is to compare.
    async fn answer(&self, asking: &Asking<'_>) {
        let answered = self.asked_of_countries(asking).await;
        let merged = self.merged(asking, &answered).await;
        let merged = match merged {
            Ok(merged) => Some(merged),
            Err(error @ TailError::DivideByZero) => {
                said(&asking.question.sql, &error.to_string());
                None
            }
            Err(error) => panic!("{}{error}", asking.told),
        };
        let above = asking.question.above.as_ref();
        let meaning =
            asking.question.meaning.as_ref().or_else(|| above.map(|above| &above.meaning));
        let mut seen = Seen::default();
        // What was to be spoilt and is answered all the same has no meaning to compare with.
        if let Some(meaning) = meaning {
            let asked = Asked {
                setting: &self.setting,
                sql: asking.told,
                meaning,
                releases: &asking.plan.releases,
                rows: &self.rows,
                countries: &asking.countries,
                regime: self.regime,
            };
            asked.check_signed(&answered.signed, &mut seen);
            if let Some(merged) = &merged {
                self.compare(asking, &answered, &asked, merged, &mut seen).await;
            }
        }
        self.remember(&seen, asking.told);
        let mut tally = self.tally.lock();
        tally.executed += 1;
        tally.answered += usize::from(merged.is_some());
        tally.divided_by_zero += usize::from(merged.is_none());
        tally.shown += seen.shown;
        tally.withheld += seen.withheld;
        tally.merged += seen.merged;
    }

    /// The result, with the cells folded by hand and with plain SQL.
    async fn compare(
        &self,
        asking: &Asking<'_>,
        answered: &Answered,
        asked: &Asked<'_>,
        merged: &Cells,
        seen: &mut Seen,
    ) {
        let Asking { question, told, .. } = asking;
        let visible = asking.plan.tail.columns.len();
        let limit = question.above.as_ref().and_then(|above| above.limit);
        match &question.above {
            None => asked.check_merged(merged, &answered.signed, seen),
            Some(above) => {
                let folded = asked.folded(&answered.signed, 0);
                let found = self.plain.over_cells(asked.meaning, &folded, &above.sql).await;
                let expected = Expected { found, all: false, limit };
                expected.compare(merged, visible, told);
                self.tally.lock().over_cells += 1;
            }
        }
        if self.regime == Regime::Exact && !answered.withheld {
            let sql = &question.sql;
            let whole = if limit.is_some() { sql.rsplit_once(" LIMIT ") } else { None };
            let sql = whole.map_or(sql.as_str(), |(whole, _)| whole);
            let found = self.plain.over_rows(&asking.countries, sql).await;
            Expected { found, all: true, limit }.compare(merged, visible, told);
            self.tally.lock().over_rows += 1;
        }
    }

    /// The same cell has the same number, whichever question shows it: averages say nothing more.
    fn remember(&self, seen: &Seen, told: &str) {
        let mut noisy = self.noisy.lock();
        for (cell, number) in &seen.noisy {
            if let Some(before) = noisy.insert(*cell, *number) {
                assert!(alike(Some(before), Some(*number)), "{told}{number}, before {before}");
                self.tally.lock().again += 1;
            }
        }
    }

    /// Executes and protects the releases at every country, and reads the parts like a gateway.
    async fn asked_of_countries(&self, asking: &Asking<'_>) -> Answered {
        let mut answered = Answered { parts: Vec::new(), signed: Vec::new(), withheld: false };
        for country in &asking.countries {
            let parts = self.countries.answer(country, &self.setting, &asking.permits).await;
            let parts = parts.unwrap_or_else(|failure| panic!("{}{failure:?}", asking.told));
            assert_eq!(parts.len(), asking.plan.releases.len(), "{}", asking.told);
            for (i, part) in parts.iter().enumerate() {
                let release = &asking.plan.releases[i];
                let dataset = release.dataset_in(&self.setting.catalogue).unwrap();
                let cells = read_part(release, &dataset, &part.bytes).unwrap();
                assert_eq!(part.cells, cells.num_rows() as u64, "{}", asking.told);
                let read =
                    merge::Part { country: country.parse().unwrap(), listed: part.listed, cells };
                check_listed(release, &dataset, &read).unwrap();
                let signed = signed_cells(&part.bytes);
                let withheld = part.listed == Listed::Shown || withholds(&signed);
                assert_eq!(part.suppressed, withheld, "{}", asking.told);
                answered.withheld |= withheld;
                answered.signed.push(((*country).to_owned(), i, signed));
                answered.parts.push((i, read));
            }
        }
        answered
    }

    /// The fold of every release, and the tail over them.
    async fn merged(&self, asking: &Asking<'_>, answered: &Answered) -> Result<Cells, TailError> {
        let Plan { releases, tail } = &asking.plan;
        let mut folded = Vec::new();
        for (i, release) in releases.iter().enumerate() {
            let dataset = release.dataset_in(&self.setting.catalogue).unwrap();
            let parts = answered.parts.iter().filter(|part| part.0 == i);
            let parts: Vec<merge::Part> = parts.map(|part| part.1.clone()).collect();
            folded.push(merge::fold(release, &dataset, &parts)?);
        }
        let merged = tail.run(folded.clone()).await?;
        if tail.undecidable() {
            let undecided = tail.undecided(folded).await?;
            assert!(undecided == 0 || answered.withheld, "{}{undecided}", asking.told);
        }
        let keys = (0..tail.columns.len()).filter(|i| !tail.columns[*i].status);
        Ok(cells(&merged, keys.collect()))
    }
}

impl Tally {
    /// About half are accepted, nearly all of these have a table, and there was something to compare.
    fn check(&self) {
        let accepted = u64::try_from(self.accepted).unwrap();
        assert!((9 * QUESTIONS / 20..=11 * QUESTIONS / 20).contains(&accepted), "{self:?}");
        assert_eq!(self.executed, self.accepted, "{self:?}");
        assert!(49 * self.executed < 50 * self.answered, "{self:?}");
        assert!(6_000 < self.shown && 40_000 < self.withheld, "{self:?}");
        assert!(2_800 < self.merged && 1_000 < self.over_cells, "{self:?}");
    }
}

/// What the person reads has no word of the engine in it, unless the question has.
fn said(sql: &str, text: &str) {
    for word in NEVER {
        assert!(sql.contains(word) || !text.contains(word), "{text}\n{sql}");
    }
}

/// Whether any cell of a part is withheld.
fn withholds(part: &Cells) -> bool {
    let statuses = (0..part.columns.len()).filter(|i| part.columns[*i].ends_with("_status"));
    let withheld = f64::from(CellStatus::Suppressed.byte());
    statuses.into_iter().any(|i| part.rows.iter().any(|row| row[i].number() == Some(withheld)))
}

/// Releases with their permits.
pub(super) type Permitted = Vec<(Release, Permit)>;

/// The plan, and every release with its permit.
pub(super) fn plan_and_decide(setting: &Setting, sql: &str) -> Result<(Plan, Permitted), Refusal> {
    let plan = plan(sql, &setting.catalogue)?;
    let permit = |release: &Release| {
        let (subject, now) = (&setting.subject, setting.now);
        let shape = release.shape();
        decide(&setting.policy, &setting.catalogue, subject, now, &shape)
            .map(|permit| (release.clone(), permit))
    };
    let permits = plan.releases.iter().map(permit).collect::<Result<_, _>>()?;
    Ok((plan, permits))
}
