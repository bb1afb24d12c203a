//! The straight line of a lookup: tables -> fetch -> hide -> search -> compare.

use super::answer::{CountryAnswered, LookupAnswer, OfTable, Reason, SentLookup};
use super::compare::{Evaluated, Hidden, compare};
use super::directory::{self, Seen};
use super::index::{IndexError, Named, Store, blocking};
use super::opening::{Sealing, Secret};
use super::plan::{Choice, Chosen, Declared, Needs, choose};
use super::{Identifiers, LookupError, Progress, Tables, Watch};
use crate::ask::{self, AskError, Reply, report};
use crate::connection::Sent;
use crate::desk::{Desk, DeskError, Request, SignedQuestion};
use crate::receipt::ReceiptFile;
use crate::verify::{Checked, CountryAnswer};
use mayag_audit::detail::RecipientKey;
use mayag_audit::keys::{random_question_id, sha256};
use mayag_matching::batch::{self, Batch, BatchSeed};
use mayag_protocol::answer::{Bundle, Decision};
use mayag_protocol::envelope::Envelope;
use mayag_protocol::lookup::{Directory, DirectoryEntry, EvaluatedTable, Search};
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::Ask;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_transport::files::{self, Mode};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

/// The folder inside the state folder.
const FOLDER: &str = "lookups";

/// How often those are asked again who let fewer of their tables be searched than they list: a refusal names one table.
const MOST_ROUNDS: usize = 4;

/// A desk that searches: what it has seen of directories, what it has fetched of tables, and where it keeps what it sealed.
#[derive(Debug)]
pub struct Lookups<'a> {
    pub(super) desk: &'a Desk,
    seen: Seen,
    store: Store,
    sealed: Option<PathBuf>,
    workers: NonZero<usize>,
    declared: Declared,
}

/// What was sealed and signed, and everything that is needed to read the answer.
pub(super) struct Prepared {
    pub(super) signed: SignedQuestion,
    pub(super) body: Vec<u8>,
    pub(super) sealed: PathBuf,
    pub(super) elements: u32,
}

/// What came together so far.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) all: BTreeMap<Country, Vec<OfTable>>,
    pub(super) sent: Vec<SentLookup>,
}

impl<'a> Lookups<'a> {
    /// Lookups of this desk. `sealed` is where to keep what is sealed for auditors, instead of in the state folder.
    pub fn open(desk: &'a Desk, sealed: Option<PathBuf>) -> Result<Self, LookupError> {
        let folder = desk.profile().state.as_ref().map(|state| state.join(FOLDER));
        let store = Store::open(folder.as_deref())?;
        let seen = Seen::new(folder.as_deref());
        let workers = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let (sealed, declared) = (sealed.or(folder), Declared::Left);
        Ok(Self { desk, seen, store, sealed, workers, declared })
    }

    /// Asks declared tables as well: their countries are told what is searched, and who searches.
    #[must_use]
    pub fn and_declared(self) -> Self {
        Self { declared: Declared::Asked, ..self }
    }

    /// Whether what is searched could be sealed and kept; to be asked before anything else is.
    pub fn ready(&self) -> Result<(), LookupError> {
        self.auditors()?;
        self.sealed.as_ref().map(drop).ok_or(LookupError::NoFolder)
    }

    /// Asks which tables can be searched. `request.ask` must be for tables.
    pub async fn tables(
        &mut self,
        request: &Request,
        watch: Watch<'_>,
    ) -> Result<Reply<Tables>, LookupError> {
        if request.ask != (Ask::Tables {}) {
            let what = "this is no question for tables".to_owned();
            return Err(DeskError::Question(what).into());
        }
        let signed = self.desk.sign(request)?;
        let sent = Sent::Question(signed.bytes.clone());
        let mut asked = |progress: ask::Progress<'_>| watch(Progress::Question(progress));
        match self.desk.exchange(&signed, sent, &mut asked).await? {
            Checked::Refused(refusal) => Ok(Reply::Refused(refusal)),
            Checked::Complete { countries, .. } => {
                let outcomes = countries.iter().map(report).collect();
                let mut directories = Vec::new();
                for country in &countries {
                    // Checked to be one part where the decision is one of tables.
                    let Some(envelope) = directory_of(country) else { continue };
                    let directory =
                        directory::open(envelope, &country.country, self.desk.roster())?;
                    let now = self.desk.clock().now();
                    self.seen.accept(&country.country, &directory, now)?;
                    directories.push((country.country.clone(), directory));
                }
                Ok(Reply::Answer(Tables { question: signed.question.id, outcomes, directories }))
            }
        }
    }

    /// Searches identifiers in the tables of their kind. Purpose, case and legal basis are those of the request.
    pub async fn search(
        &mut self,
        request: &Request,
        tables: &Tables,
        identifiers: &Arc<Identifiers>,
        watch: Watch<'_>,
    ) -> Result<Reply<LookupAnswer>, LookupError> {
        self.ready()?;
        let rules = identifiers.rules();
        let searched = identifiers.elements().len();
        let elements = batch::elements(searched).and_then(|all| u32::try_from(all).ok());
        let elements = elements.ok_or(LookupError::TooMany { elements: searched })?;
        let (purpose, now) = (request.purpose, self.desk.clock().now());
        let declared = self.declared;
        let longest = identifiers.elements().iter().map(|element| element.text().len()).max();
        let longest = longest.unwrap_or_default();
        let needs = Needs { rules: &rules, purpose, elements, searched, longest, declared, now };
        let mut choice = choose(tables, needs);
        self.fetch(&mut choice, watch).await?;
        let mut gathered = Gathered::default();
        if !choice.chosen.is_empty() {
            let (of, all) = (&mut choice, &mut gathered);
            if let Some(refusal) = self.search_blinded(request, of, identifiers, all, watch).await?
            {
                return Ok(Reply::Refused(refusal));
            }
        }
        if !choice.declared.is_empty() {
            let (of, all) = (&mut choice, &mut gathered);
            if let Some(refusal) =
                self.search_declared(request, of, identifiers, all, watch).await?
            {
                return Ok(Reply::Refused(refusal));
            }
        }
        self.store.tidy(self.desk.clock().now());
        let Gathered { all, sent } = gathered;
        let answer = LookupAnswer::new(identifiers.len(), finish(choice.lacking, all), sent);
        Ok(Reply::Answer(answer))
    }

    /// Asks the blinded tables that were chosen, and fetched. Returns the refusal of the gateway if nothing was asked before.
    async fn search_blinded(
        &mut self,
        request: &Request,
        choice: &mut Choice,
        identifiers: &Arc<Identifiers>,
        gathered: &mut Gathered,
        watch: Watch<'_>,
    ) -> Result<Option<Refusal>, LookupError> {
        let auditors = self.auditors()?;
        let Gathered { all, sent } = gathered;
        let searched = identifiers.elements().len();
        watch(Progress::Hiding { elements: batch::elements(searched).unwrap_or_default() });
        let seed = Arc::new(BatchSeed::generate()?);
        let hidden = Arc::new(self.hide(&seed, identifiers).await?);
        for _ in 0..MOST_ROUNDS {
            let prepared = self.prepare(request, choice, (&seed, &hidden), &auditors)?;
            let Prepared { signed, body, sealed, elements } = prepared;
            let mut asked = |progress: ask::Progress<'_>| watch(Progress::Question(progress));
            match self.desk.exchange(&signed, Sent::Lookup(body), &mut asked).await? {
                Checked::Refused(refusal) if sent.is_empty() => return Ok(Some(refusal)),
                Checked::Refused(refusal) => {
                    choice.leave(&Reason::Refused(refusal));
                }
                Checked::Complete { countries, release, .. } => {
                    let outcomes = countries.iter().map(report).collect();
                    let receipt = receipt(&signed, &countries, release);
                    self.compare_all(request, &hidden, choice, &countries, all).await?;
                    let question = signed.question.id;
                    sent.push(SentLookup { question, elements, outcomes, receipt, sealed });
                }
            }
            if choice.chosen.is_empty() {
                break;
            }
        }
        choice.leave(&Reason::Outcome(Outcome::NotAsked));
        Ok(None)
    }

    /// Whoever can open what is searched: the auditors of the person's country.
    pub(super) fn auditors(&self) -> Result<Vec<RecipientKey>, LookupError> {
        let analyst = &self.desk.profile().identity;
        let country = analyst.country().ok_or(LookupError::NotSealed)?;
        let nobody = || LookupError::NoAuditor(country.clone());
        let node = self.desk.roster().node(country).ok_or_else(nobody)?;
        let keys: Result<Vec<_>, _> =
            node.auditor_keys.iter().map(RecipientKey::try_from).collect();
        keys.ok().filter(|keys| !keys.is_empty()).ok_or_else(nobody)
    }

    /// Fetches what the chosen tables are compared with; one that cannot be had is not asked.
    async fn fetch(&mut self, choice: &mut Choice, watch: Watch<'_>) -> Result<(), LookupError> {
        for chosen in std::mem::take(&mut choice.chosen) {
            let Chosen { country, entry, .. } = &chosen;
            let of = entry.index.filter.bytes.saturating_add(entry.index.boxes.bytes);
            let mut before = 0;
            let mut lacking = None;
            for published in [&entry.index.filter, &entry.index.boxes] {
                let named = Named::published(country, published);
                let mut told = |bytes: u64| {
                    let (table, bytes) = (&entry.table, bytes.saturating_add(before));
                    watch(Progress::Fetching { country, table, bytes, of });
                };
                match self.store.fetch(self.desk.connection(), &named, &mut told).await {
                    Ok(()) => before = published.bytes,
                    Err(error) => {
                        lacking = Some(error.reason()?);
                        break;
                    }
                }
            }
            match lacking {
                None => choice.chosen.push(chosen),
                Some(reason) => choice.lacks(&chosen.country, reason),
            }
        }
        Ok(())
    }

    async fn hide(
        &self,
        seed: &Arc<BatchSeed>,
        identifiers: &Arc<Identifiers>,
    ) -> Result<Hidden, LookupError> {
        let (seed, identifiers, workers) =
            (Arc::clone(seed), Arc::clone(identifiers), self.workers);
        let hidden = blocking(move || {
            let batch = Batch::new(&seed, &identifiers.rules(), identifiers.elements(), workers)?;
            Ok::<_, LookupError>(Hidden { identifiers, batch })
        });
        hidden.await.unwrap_or(Err(LookupError::NoResources))
    }

    /// Seals, keeps what was sealed, and only then signs: nothing is sent that nobody could open.
    fn prepare(
        &self,
        request: &Request,
        choice: &Choice,
        (seed, hidden): (&BatchSeed, &Hidden),
        auditors: &[RecipientKey],
    ) -> Result<Prepared, LookupError> {
        let id = random_question_id().map_err(DeskError::from)?;
        let rules = hidden.identifiers.rules();
        let sealing = Sealing {
            question: &id,
            analyst: &self.desk.profile().identity,
            secret: Secret::Batch(seed),
            rules: &rules,
            identifiers: hidden.identifiers.elements().iter().map(AsRef::as_ref).collect(),
        };
        let file = sealing.seal(auditors).map_err(|_| LookupError::NotSealed)?;
        let sealed = self.keep(&id, &file)?;
        let blinded = hidden.batch.blinded();
        let elements = u32::try_from(blinded.len()).map_err(|_| LookupError::NotSealed)?;
        let search = Search {
            identifiers: rules.kind,
            rules: rules.version,
            elements,
            blinded: blinded.digest(),
            opening: sha256(&file),
            targets: choice.chosen.iter().map(Chosen::target).collect(),
        };
        let countries = Some(choice.countries());
        let request = Request { ask: Ask::Lookup { search }, countries, ..request.clone() };
        let signed = self.desk.sign_as(id, &request)?;
        let bundle = Bundle { envelope: signed.bytes.clone(), parts: vec![blinded.to_bytes()] };
        let body = bundle.to_bytes().map_err(|_| LookupError::NotSealed)?;
        Ok(Prepared { signed, body, sealed, elements })
    }

    pub(super) fn keep(&self, id: &QuestionId, file: &[u8]) -> Result<PathBuf, LookupError> {
        let folder = self.sealed.as_ref().ok_or(LookupError::NoFolder)?;
        files::create_folder(folder)?;
        let path = folder.join(format!("{id}.sealed"));
        files::replace(&path, file, Mode::Secret)?;
        Ok(path)
    }

    /// What each country that evaluated says, table by table. What is left to be chosen are the tables of countries that refused
    /// only another one.
    async fn compare_all(
        &mut self,
        request: &Request,
        hidden: &Arc<Hidden>,
        choice: &mut Choice,
        countries: &[CountryAnswer],
        all: &mut BTreeMap<Country, Vec<OfTable>>,
    ) -> Result<(), LookupError> {
        let chosen = std::mem::take(&mut choice.chosen);
        for answer in countries {
            let country = &answer.country;
            let own: Vec<&Chosen> = chosen.iter().filter(|one| one.country == *country).collect();
            let Some(tables) = evaluated(answer) else {
                let refusal = report(answer).refusal;
                let rest = refusal.as_ref().map(|refusal| without(&own, refusal));
                match (rest, refusal) {
                    (Some(rest), _) if !rest.is_empty() => choice.chosen.extend(rest),
                    // What it did now counts for more than what was left out before.
                    (_, Some(refusal)) => {
                        choice.lacking.insert(country.clone(), Reason::Refused(refusal));
                    }
                    (_, None) => {
                        choice.lacking.insert(country.clone(), Reason::Outcome(answer.outcome));
                    }
                }
                continue;
            };
            // Checked to be those that were asked, in their order, each with its vector.
            let own: Vec<_> = own.into_iter().zip(tables).collect();
            let since = if own.iter().all(|(chosen, table)| names(&chosen.entry, table)) {
                Ok(None)
            } else {
                self.directory_now(request, country).await?.map(Some)
            };
            for ((chosen, table), vector) in own.into_iter().zip(&answer.parts) {
                let entry = in_force(&chosen.entry, since.as_ref(), table);
                let compared = match entry {
                    Ok(entry) => self.compare_one(hidden, chosen, entry, table, vector).await?,
                    Err(reason) => Err(reason),
                };
                match compared {
                    Ok(said) => all.entry(country.clone()).or_default().push(said),
                    Err(reason) => choice.lacks(country, reason),
                }
            }
        }
        Ok(())
    }

    async fn compare_one(
        &mut self,
        hidden: &Arc<Hidden>,
        chosen: &Chosen,
        entry: &DirectoryEntry,
        table: &EvaluatedTable,
        vector: &[u8],
    ) -> Result<Result<OfTable, Reason>, LookupError> {
        let (filter, boxes) = match self.index(&chosen.country, entry).await {
            Ok(index) => index,
            Err(error) => return error.reason().map(Err),
        };
        let evaluated =
            Evaluated { vector: vector.to_vec(), proof: table.proof.0.clone(), filter, boxes };
        let chosen = Chosen { entry: entry.clone(), ..chosen.clone() };
        let (hidden, workers) = (Arc::clone(hidden), self.workers);
        let compared = blocking(move || compare(&hidden, &chosen, &evaluated, workers));
        compared.await.ok_or(LookupError::NoResources)
    }

    /// Filter and boxes that an entry names.
    async fn index(
        &mut self,
        country: &Country,
        entry: &DirectoryEntry,
    ) -> Result<(Vec<u8>, Vec<u8>), IndexError> {
        let (source, now) = (self.desk.connection(), self.desk.clock().now());
        let [filter, boxes] = [&entry.index.filter, &entry.index.boxes]
            .map(|published| Named::published(country, published));
        let filter = self.store.read(source, &filter, now).await?;
        let boxes = self.store.read(source, &boxes, now).await?;
        Ok((filter, boxes))
    }

    /// What a country says of its tables now, where it has built one anew since it was asked. What it says is held against
    /// what was seen before, like any directory; one that does not pass is its own fault, and the others have answered.
    pub(super) async fn directory_now(
        &mut self,
        request: &Request,
        country: &Country,
    ) -> Result<Result<Directory, Reason>, LookupError> {
        let countries = Some(vec![country.clone()]);
        let request = Request { ask: Ask::Tables {}, countries, ..request.clone() };
        match self.tables(&request, &mut |_| ()).await {
            Ok(Reply::Answer(Tables { mut directories, .. })) => {
                Ok(directories.pop().map(|(_, directory)| directory).ok_or(Reason::Unfetched))
            }
            Err(LookupError::Ask(AskError::Verification(_))) => Ok(Err(Reason::Index)),
            Ok(Reply::Refused(_)) | Err(LookupError::Ask(_)) => Ok(Err(Reason::Unfetched)),
            Err(error) => Err(error),
        }
    }
}

/// The tables of a country that are left where it does not let one of them be searched. None where that was the only one, or
/// where it refused for another reason.
pub(super) fn without(own: &[&Chosen], refusal: &Refusal) -> Vec<Chosen> {
    let refused = |one: &&&Chosen| refusal.subject.as_deref() == Some(one.entry.table.as_str());
    if refusal.code != Code::TableNotShared || !own.iter().any(|one| refused(&one)) {
        return Vec::new();
    }
    own.iter().filter(|one| !refused(one)).map(|one| (*one).clone()).collect()
}

/// The entry of the filter and boxes that were in force when the node evaluated, as it signed: that of the directory which was
/// chosen from, or of the one that it shows since. What no directory names, that others see and a log knows, may have been made for
/// this person alone, and nobody has said what its numbers stand for.
pub(super) fn in_force<'a>(
    chosen: &'a DirectoryEntry,
    since: Result<&'a Option<Directory>, &Reason>,
    table: &EvaluatedTable,
) -> Result<&'a DirectoryEntry, Reason> {
    if names(chosen, table) {
        return Ok(chosen);
    }
    let scope = |entry: &DirectoryEntry| {
        let DirectoryEntry { table, kind, rules, epoch, key, .. } = entry;
        (table.clone(), kind.clone(), *rules, *epoch, key.clone())
    };
    let since = since.map_err(Clone::clone)?;
    let mut entries = since.iter().flat_map(|directory| &directory.tables);
    entries.find(|entry| scope(entry) == scope(chosen) && names(entry, table)).ok_or(Reason::Index)
}

/// Whether an entry names the filter and boxes of an answer.
fn names(entry: &DirectoryEntry, table: &EvaluatedTable) -> bool {
    entry.index.filter.digest == table.filter && entry.index.boxes.digest == table.boxes
}

/// What all countries say: those that evaluated, and those that did not, with the reason.
pub(super) fn finish(
    mut lacking: BTreeMap<Country, Reason>,
    said: BTreeMap<Country, Vec<OfTable>>,
) -> Vec<CountryAnswered> {
    let mut all = Vec::new();
    for (country, said) in said {
        let reason = lacking.remove(&country);
        all.push(CountryAnswered::evaluated(country, said, reason));
    }
    let silent = |(country, reason)| CountryAnswered::nothing(country, reason);
    all.extend(lacking.into_iter().map(silent));
    all
}

fn directory_of(country: &CountryAnswer) -> Option<&[u8]> {
    match &country.answer.as_ref()?.decision {
        Decision::Tables { .. } => country.parts.first().map(Vec::as_slice),
        Decision::Answered { .. }
        | Decision::Declared { .. }
        | Decision::Evaluated { .. }
        | Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Refused { .. }
        | Decision::Shared { .. } => None,
    }
}

fn evaluated(country: &CountryAnswer) -> Option<&[EvaluatedTable]> {
    match &country.answer.as_ref()?.decision {
        Decision::Evaluated { tables } => Some(tables),
        Decision::Answered { .. }
        | Decision::Declared { .. }
        | Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Refused { .. }
        | Decision::Shared { .. }
        | Decision::Tables { .. } => None,
    }
}

pub(super) fn receipt(
    signed: &SignedQuestion,
    countries: &[CountryAnswer],
    release: Envelope,
) -> ReceiptFile {
    let answers = countries
        .iter()
        .filter_map(|country| Some((country.country.clone(), country.envelope.clone()?)));
    ReceiptFile::new(signed.envelope.clone(), release, answers.collect())
}
