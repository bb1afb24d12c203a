//! Runs a corpus: every attack in the three databases, under several secrets, on nodes that remember nothing.

use super::corpus::Entry;
use super::federation::{Crew, Federation, Regime};
use super::fixture::Database;
use super::said::Said;
use super::verdict::{self, Difference, Runs, Verdict};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The family whose tables a country shares merged with others only.
const MERGED_ONLY: &str = "federation";

/// Secrets under which nothing but refusals is expected: one to see them, one to compare.
const SECRETS_OF_REFUSALS: usize = 2;

/// How thoroughly a corpus is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Secrets in each database.
    pub secrets: usize,
    /// Further secrets that a difference has to survive before it is called a leak.
    pub confirmations: usize,
    /// What the nodes share.
    pub regime: Regime,
}

impl Default for Settings {
    fn default() -> Self {
        Self { secrets: 8, confirmations: 12, regime: Regime::Live }
    }
}

/// What one attack came to.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The attack.
    pub attack: &'a Entry,
    /// What it came to.
    pub verdict: Verdict,
    /// What tells the databases apart, or what should not be there.
    pub evidence: Vec<String>,
    /// Whether statements came back without a table and without a refusal.
    pub failed: bool,
    /// Differences that were there at first and not again: chance.
    pub unconfirmed: usize,
}

/// Whether an ordinary question was answered by every country.
#[derive(Debug)]
pub struct Accepted<'a> {
    /// The question.
    pub question: &'a Entry,
    /// Why not, if it was not.
    pub fault: Option<String>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report<'a> {
    /// The attacks.
    pub attacks: Vec<Judged<'a>>,
    /// The ordinary questions.
    pub benign: Vec<Accepted<'a>>,
    /// Files outside the nodes' data that hold something hidden.
    pub spilled: Vec<PathBuf>,
}

/// The three federations.
struct Lanes(Vec<(Database, Federation)>);

/// Runs everything. `tell` hears what is going on.
pub fn run<'a>(
    attacks: &'a [Entry],
    benign: &'a [Entry],
    settings: Settings,
    tell: &(dyn Fn(&str) + Sync),
) -> Report<'a> {
    let statements: Vec<_> =
        attacks.iter().chain(benign).flat_map(|entry| &entry.statements).collect();
    let mut lanes = Lanes::start(&Crew::of(&statements), settings.regime);
    tell("three federations of six countries are up");
    let benign = benign.iter().map(|question| lanes.accepted(question)).collect();
    tell("the ordinary questions were asked");
    let all: Vec<&Entry> = attacks.iter().collect();
    let first = lanes.round(&all, settings.secrets, tell);
    let mut judged: Vec<Judged<'a>> =
        attacks.iter().zip(&first).map(|(attack, runs)| Judged::of(attack, runs)).collect();

    let suspects: Vec<(usize, Vec<Difference>)> = first
        .iter()
        .map(verdict::differences)
        .enumerate()
        .filter(|(_, differences)| !differences.is_empty())
        .collect();
    tell(&format!("{} attacks show a difference, which has to be confirmed", suspects.len()));
    let again: Vec<&Entry> = suspects.iter().map(|(i, _)| &attacks[*i]).collect();
    let second = lanes.round(&again, settings.confirmations, tell);
    for ((i, suspected), runs) in suspects.iter().zip(&second) {
        judged[*i].confirm(suspected, &verdict::differences(runs));
    }

    let merged_only: Vec<usize> =
        (0..attacks.len()).filter(|i| attacks[*i].class == MERGED_ONLY).collect();
    if settings.regime == Regime::Live && !merged_only.is_empty() {
        lanes.govern(Regime::MergedOnly);
        let entries: Vec<&Entry> = merged_only.iter().map(|i| &attacks[*i]).collect();
        for (i, runs) in merged_only.iter().zip(lanes.round(&entries, SECRETS_OF_REFUSALS, tell)) {
            judged[*i].govern(&runs);
        }
    }
    Report { attacks: judged, benign, spilled: lanes.spilled() }
}

impl<'a> Judged<'a> {
    /// What the answers say by themselves; differences are confirmed later.
    fn of(attack: &'a Entry, runs: &Runs) -> Self {
        let sql: Vec<&str> =
            attack.statements.iter().map(|statement| statement.sql.as_str()).collect();
        let spilled = verdict::spilled(runs, &sql.join("\n"));
        let failed = runs.values().flatten().flatten().flatten();
        Self {
            attack,
            verdict: if spilled.is_empty() { verdict::kept(runs) } else { Verdict::Leaked },
            evidence: spilled.iter().map(|word| format!("an answer says `{word}`")).collect(),
            failed: failed.into_iter().any(|said| matches!(said, Said::Failed(_))),
            unconfirmed: 0,
        }
    }

    /// A difference counts if it is there again, and goes the same way.
    fn confirm(&mut self, suspected: &[Difference], again: &[Difference]) {
        for difference in suspected {
            let same = again.iter().any(|other| {
                other.feature == difference.feature
                    && other.database == difference.database
                    && other.way == difference.way
            });
            if same {
                self.verdict = Verdict::Leaked;
                self.evidence.push(difference.to_string());
            } else {
                self.unconfirmed += 1;
            }
        }
    }

    /// What a country answers that shares merged tables only counts, unless something leaked where it shares more.
    fn govern(&mut self, runs: &Runs) {
        let own = Self::of(self.attack, runs);
        let differences = verdict::differences(runs);
        if !differences.is_empty() {
            self.verdict = Verdict::Leaked;
            self.evidence.extend(differences.iter().map(ToString::to_string));
        } else if own.verdict == Verdict::Leaked || self.verdict != Verdict::Leaked {
            self.verdict = own.verdict;
            self.evidence.extend(own.evidence);
        }
    }
}

impl Report<'_> {
    /// How many attacks have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.attacks.iter().filter(|judged| judged.verdict == verdict).count()
    }

    /// Whether anything leaked, anywhere.
    pub fn leaked(&self) -> bool {
        0 < self.count(Verdict::Leaked) || !self.spilled.is_empty()
    }

    /// The last line.
    pub fn summary(&self) -> String {
        let accepted = self.benign.iter().filter(|accepted| accepted.fault.is_none()).count();
        format!(
            "attacks: {} run, {} refused, {} suppressed, {} protected, {} leaked; benign: {accepted} of {} accepted",
            self.attacks.len(),
            self.count(Verdict::Refused),
            self.count(Verdict::Suppressed),
            self.count(Verdict::Protected),
            self.count(Verdict::Leaked),
            self.benign.len()
        )
    }
}

impl Lanes {
    fn start(crew: &Crew, regime: Regime) -> Self {
        Self(on_threads(Database::ALL.into_iter().collect(), |database| {
            (database, Federation::start(database, regime, crew))
        }))
    }

    fn govern(&mut self, regime: Regime) {
        for (_, federation) in &mut self.0 {
            federation.govern(regime);
        }
    }

    /// Every attack under so many secrets, in all databases at the same time.
    fn round(
        &mut self,
        attacks: &[&Entry],
        secrets: usize,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Vec<Runs> {
        let mut runs: Vec<Runs> = attacks.iter().map(|_| BTreeMap::new()).collect();
        if attacks.is_empty() {
            return runs;
        }
        let lanes = self.0.iter_mut().collect();
        let said = on_threads(lanes, |(database, federation)| {
            let mut of: Vec<Vec<Vec<Vec<Said>>>> = attacks.iter().map(|_| Vec::new()).collect();
            for secret in 0..secrets {
                federation.renew();
                for (attack, of) in attacks.iter().zip(&mut of) {
                    of.push(attempt(federation, attack));
                }
                tell(&format!("{}: secret {} of {secrets}", database.name(), secret + 1));
            }
            (*database, of)
        });
        for (database, of) in said {
            for (runs, of) in runs.iter_mut().zip(of) {
                runs.insert(database, of);
            }
        }
        runs
    }

    fn accepted<'a>(&mut self, question: &'a Entry) -> Accepted<'a> {
        let federation = &mut self.0[0].1;
        let said = attempt(federation, question);
        let fault = said.iter().flatten().find_map(|said| match said {
            Said::Answered(answer) => {
                let silent = answer.countries.iter().find(|(_, outcome)| !outcome.answered());
                silent.map(|(country, outcome)| {
                    format!("{country}: {outcome}; {}", answer.refusals.join("; "))
                })
            }
            Said::Failed(text) | Said::Refused(text) => {
                Some(text.lines().next().unwrap_or("no words").to_owned())
            }
        });
        Accepted { question, fault }
    }

    fn spilled(&self) -> Vec<PathBuf> {
        self.0.iter().flat_map(|(_, federation)| federation.spilled()).collect()
    }
}

/// Sends an attack to nodes that remember nothing; once more if the machine and not a node had a say in what came back.
fn attempt(federation: &mut Federation, attack: &Entry) -> Vec<Vec<Said>> {
    let away = attack.statements.iter().any(|statement| !statement.events.is_empty());
    for left in (0..3).rev() {
        federation.forget();
        let said: Vec<Vec<Said>> =
            attack.statements.iter().map(|statement| federation.send(statement)).collect();
        if left == 0 || away || !said.iter().flatten().any(Said::broken) {
            return said;
        }
    }
    Vec::new()
}

/// Does the work for every item on a thread of its own, and gives the results in the items' order.
fn on_threads<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    })
}
