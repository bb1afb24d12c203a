//! `mayag audit open`: who asked a question, and what exactly, decrypted with an auditor's key.

use super::found::{Detailed, Redactions, detailed, id_of, redactions};
use super::logs::{Ended, Form, announce, end, json, lines, stamp};
use super::rosters::RosterArgs;
use super::verify::{Job, listed};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_audit::checkpoint::Origin;
use mayag_audit::detail::{self, Content, DetailError, Place, RecipientKey, RecipientSecret};
use mayag_audit::entry::{Entry, ReadFor, Type};
use mayag_audit::search::Asked;
use mayag_desk::lookup::opening::{self, OpeningError};
use mayag_protocol::lookup::{DeclaredSearch, Search};
use mayag_protocol::names::{Country, Digest, LogOrigin, PublicKey};
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::roster::Roster;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::details::{self, Kept};
use mayag_transport::files::{self, Mode};
use mayag_transport::requests::{self, Request};
use serde::Serialize;
use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// Open the details of a question: person, SQL, case and legal basis, with an auditor's private key
#[derive(Debug, Args)]
#[command(after_help = "\
Every log is verified first. A detail is shown only if it is the one that its entry names, holds what the entry committed
to, and is about the question that the entry is about and names the person who is said to have signed it. With `--roster` the
signature must be by a key that a roster lists for that person; without one it is not checked. Details are looked for in `details` and `months` of the state folder
that a log is in (`STATE/query-log/2026/published`), or of a copy that is laid out alike.

Of a lookup the logs hold a digest of the vector that was searched. `--lookup` names what the person's desk sealed for the auditors of
their country (`lookups/QUESTION.sealed` in their state folder): what was searched is shown if the sealed identifiers give that same vector
again, and whoever sealed others is caught. With `--roster`, so is whoever sealed it for others than the auditors that the roster in force
at that time lists for their country.

Reading is logged before anything is shown: a party in whose own folder the details are writes a `log_read` entry. Whoever
reads a copy has `--notice` write the same request into a file; hand it to the party, which puts it into `STATE/requests`.

Ends with 0 if a detail was opened or was erased as the log says, with 1 if none is for this key, with 6 if a detail is
missing, was changed, what was searched is not what was sealed or was sealed for others, or a log does not verify, with 2 if a file cannot be read.

Examples:
  mayag audit open 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list verify.txt --key kr.key --purpose lawfulness --reader ada
  mayag audit open 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list verify.txt --key kr.key --purpose lawfulness --reader ada \
    --roster roster.json --roster-keys roster.keys
  mayag audit open 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list verify.txt --key kr.key --purpose lawfulness --reader ada \
    --lookup 0f1e2d3c4b5a69788796a5b4c3d2e1f0.sealed
  mayag audit open 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list verify.txt --key gateway.key --purpose lawfulness --reader ada \
    --lookup 0f1e2d3c4b5a69788796a5b4c3d2e1f0.sealed --lookup-key kr.key")]
pub(super) struct OpenArgs {
    /// The question's id (32 hexadecimal digits), or the SHA-256 of what the analyst signed (64)
    question: Asked,
    /// A file of lines `LOG KEYS QUORUM`, paths relative to it
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// The auditor's private key: X25519 in PKCS#8 PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What the details are read for (EU 2016/680 Art. 25(2)): `lawfulness`, `self_monitoring`, `integrity_and_security` or
    /// `criminal_proceedings`
    #[arg(long, value_name = "WHY")]
    purpose: ReadFor,
    /// Who reads (at most 200 characters)
    #[arg(long, value_name = "NAME")]
    reader: String,
    #[command(flatten)]
    rosters: RosterArgs,
    /// Where the notice to the parties is written when copies are read
    #[arg(long, value_name = "FILE")]
    notice: Option<PathBuf>,
    /// What the desk sealed of a lookup: proves which identifiers were searched
    #[arg(long, value_name = "FILE")]
    lookup: Option<PathBuf>,
    /// The private key of the auditor of the searcher's country, where `--key` is that of another party's auditor
    #[arg(long, value_name = "FILE", requires = "lookup")]
    lookup_key: Option<PathBuf>,
    /// Sentences, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
}

/// What became of one detail.
#[derive(Debug, Serialize)]
struct Shown {
    at: Timestamp,
    log: LogOrigin,
    index: u64,
    #[serde(rename = "type")]
    kind: Type,
    detail: Digest,
    #[serde(flatten)]
    what: What,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
enum What {
    Opened {
        person: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<Signature>,
        question: Option<Box<Question>>,
        words: Option<String>,
        /// Every text that was searched, where that is proved.
        #[serde(skip_serializing_if = "Option::is_none")]
        searched: Option<Vec<String>>,
        /// What the node was told of a declared lookup.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        told: Vec<String>,
    },
    Erased {
        at: Timestamp,
        reason: String,
        authority: String,
    },
    ForOthers,
    Wrong {
        why: String,
    },
}

/// What is known of the signature of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Signature {
    /// By a key that a roster lists for the person.
    Verified,
    /// No roster was given.
    Unchecked,
}

pub(super) fn run(args: &OpenArgs, printer: &mut Printer) -> Exit {
    let done = open(args).and_then(|shown| {
        let exit = exit(&shown);
        let mut text = Vec::new();
        for one in &shown {
            match args.format {
                Form::Human => text.extend(human(one)),
                Form::Json => text.push(json(one)?),
            }
        }
        Ok(lines(printer, &text, exit))
    });
    end(printer, done)
}

fn open(args: &OpenArgs) -> Result<Vec<Shown>, Ended> {
    let usage = |why: String| (Exit::Usage, why);
    let secret = read_key(&args.key)?;
    let lookup_key = args.lookup_key.as_deref().map(read_key).transpose()?;
    let rosters = args.rosters.read()?;
    let sealed = args.lookup.as_ref().map(|path| files::read(path, opening::LONGEST)).transpose();
    let sealed = sealed.map_err(|error| usage(error.to_string()))?;
    let jobs = listed(&args.list).map_err(usage)?;
    let found = detailed(&jobs, &args.question)?;
    if found.is_empty() {
        return Err((Exit::Error, "no entry about this question has a detail".to_owned()));
    }
    tell(args, &jobs, &found)?;
    let mine = secret.public().id();
    let wanted = found.iter().filter(|one| one.detail.recipients.contains(&mine));
    let redactions = redactions(&jobs, &wanted.map(Detailed::key).collect())?;
    let mut shown: Vec<Shown> =
        found.iter().map(|one| shown(one, &secret, &redactions, &rosters)).collect();
    if let Some(sealed) = &sealed {
        prove(&mut shown, sealed, lookup_key.as_ref().unwrap_or(&secret), &rosters)?;
    }
    Ok(shown)
}

/// An auditor's private key.
fn read_key(path: &Path) -> Result<RecipientSecret, Ended> {
    let usage = |why: String| (Exit::Usage, why);
    let text = files::read_secret(path).map_err(|error| usage(error.to_string()))?;
    RecipientSecret::from_pem(&text)
        .map_err(|_| usage(format!("{}: no X25519 key in PKCS#8 PEM", path.display())))
}

/// Proves to the first entry that was opened what was searched: all of them are about the same signed question.
fn prove(
    all: &mut [Shown],
    sealed: &[u8],
    secret: &RecipientSecret,
    rosters: &[Roster],
) -> Result<(), Ended> {
    let opened = all.iter_mut().find_map(|one| match &mut one.what {
        What::Opened { question: Some(question), searched, .. } => Some((question, searched)),
        What::Opened { .. } | What::Erased { .. } | What::ForOthers | What::Wrong { .. } => None,
    });
    let Some((question, searched)) = opened else { return Ok(()) };
    let workers = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    match opening::open(sealed, question, secret, workers) {
        Ok(opening) => {
            *searched = Some(opening.identifiers().to_vec());
            Ok(())
        }
        Err(OpeningError::OtherRecipient) if is_kept_from_auditors(sealed, question, rosters) => {
            let why = "the file is sealed for others than the auditors whom the rosters list for the searcher's country";
            Err((Exit::VerificationFailed, why.to_owned()))
        }
        Err(error) => Err((unproved(&error), error.to_string())),
    }
}

/// Whether one of the auditors whom a roster lists for the searcher's country could not open the file. Rosters that were not in
/// force when the question was signed say nothing; what one of the others allows is right.
fn is_kept_from_auditors(sealed: &[u8], question: &Question, rosters: &[Roster]) -> bool {
    let Ok(to) = opening::sealed_to(sealed) else { return false };
    let at = question.issued_at;
    let in_force = rosters.iter().filter(|it| it.issued_at <= at && at < it.expires_at);
    let nodes = in_force.filter_map(|roster| roster.node(question.analyst.country()?));
    let mut listed = nodes
        .map(|node| {
            let keys = node.auditor_keys.iter().filter_map(|key| RecipientKey::try_from(key).ok());
            keys.map(|key| key.id()).collect::<BTreeSet<_>>()
        })
        .peekable();
    listed.peek().is_some() && listed.all(|keys| !keys.is_subset(&to))
}

/// How a run ends that does not prove what was searched.
fn unproved(error: &OpeningError) -> Exit {
    match error {
        // The wrong file, key or question: nobody is accused.
        OpeningError::NoLookup | OpeningError::OtherFile | OpeningError::OtherRecipient => {
            Exit::Usage
        }
        OpeningError::Garbage | OpeningError::OtherLookup | OpeningError::OtherVector => {
            Exit::VerificationFailed
        }
    }
}

/// Says to whoever keeps the details that they are read. Nothing is opened before.
fn tell(args: &OpenArgs, jobs: &[Job], found: &[Detailed]) -> Result<(), Ended> {
    let request = Request::Read {
        person: args.reader.clone(),
        read_for: args.purpose,
        what: "open".to_owned(),
        question: id_of(found),
    };
    announce(jobs, &request)?;
    let copy = found.iter().any(|one| !requests::is_kept(&one.state));
    match &args.notice {
        Some(path) => notice(path, &request),
        None if copy => {
            let why = "these are copies: name a file with --notice, and hand it to the party whose details are read";
            Err((Exit::Usage, why.to_owned()))
        }
        None => Ok(()),
    }
}

fn notice(path: &Path, request: &Request) -> Result<(), Ended> {
    let text = json(request)? + "\n";
    files::replace(path, text.as_bytes(), Mode::Secret)
        .map_err(|error| (Exit::Error, error.to_string()))
}

fn shown(
    one: &Detailed,
    secret: &RecipientSecret,
    redactions: &Redactions,
    rosters: &[Roster],
) -> Shown {
    let found = &one.found;
    Shown {
        at: found.entry.at,
        log: found.place.log.clone(),
        index: found.place.index,
        kind: found.entry.kind,
        detail: one.detail.ct_sha256.clone(),
        what: what(one, secret, redactions, rosters),
    }
}

fn what(
    one: &Detailed,
    secret: &RecipientSecret,
    redactions: &Redactions,
    rosters: &[Roster],
) -> What {
    if !one.detail.recipients.contains(&secret.public().id()) {
        return What::ForOthers;
    }
    let wrong = |why: String| What::Wrong { why };
    // The program destroys the key of a month only after entries said of all its details that they were erased.
    let gone = |why: &str| match redactions.get(&one.key()) {
        Some((at, erased)) => What::Erased {
            at: *at,
            reason: erased.reason.clone(),
            authority: erased.authority.clone(),
        },
        None => wrong(format!("{why}, and no entry says that it was erased")),
    };
    let Kept { file, month } = match details::find(&one.state, &one.detail.ct_sha256) {
        Ok(Some(found)) => found,
        Ok(None) => return gone("the detail is missing"),
        Err(error) => return wrong(error.to_string()),
    };
    let entry = &one.found.entry;
    let Ok(origin) = one.found.place.log.as_str().parse::<Origin>() else {
        return wrong("the log's name is none".to_owned());
    };
    let place = Place { origin: &origin, question: entry.question.as_ref(), kind: entry.kind };
    let opened = match detail::open(&file, &one.detail, &place, secret, month.as_ref()) {
        Ok(opened) => opened,
        Err(DetailError::Month) => return gone("the key of its month is missing, or another one"),
        Err(error) => return wrong(error.to_string()),
    };
    let content = match Content::parse(opened.plaintext()) {
        Ok(content) => content,
        Err(error) => return wrong(format!("what was sealed is no detail: {error}")),
    };
    let asked = content.asked();
    let digest = asked.as_ref().map(|(_, digest)| digest);
    if content.envelope.is_some() && digest != entry.question_digest.as_ref() {
        return wrong("what was sealed is another question than the entry's".to_owned());
    }
    if let Some(why) = contradicts(entry, &content.person, asked.as_ref().map(|(asked, _)| asked)) {
        return wrong(why.to_owned());
    }
    let signature = match &asked {
        None => None,
        Some(_) if rosters.is_empty() => Some(Signature::Unchecked),
        Some((question, _)) => {
            let known = rosters.iter().filter_map(|roster| roster.person(&question.analyst));
            let keys: Vec<PublicKey> = known.flat_map(|it| it.question_keys.clone()).collect();
            if !content.is_signed_by(&keys) {
                let why = "no key that the rosters list for the person signed the question";
                return wrong(why.to_owned());
            }
            Some(Signature::Verified)
        }
    };
    let question = asked.map(|(question, _)| Box::new(question));
    let (person, words) = (content.person.clone(), content.words.clone());
    let told = content.searched.clone();
    What::Opened { person, signature, question, words, searched: None, told }
}

/// What the detail of an entry must say and does not.
fn contradicts(entry: &Entry, person: &str, asked: Option<&Question>) -> Option<&'static str> {
    if matches!(entry.kind, Type::FailedAuthentication | Type::LogRead) {
        return None;
    }
    match asked {
        None if entry.question.is_some() => {
            Some("the entry is about a question that was signed, and the detail does not hold it")
        }
        // At a gateway a refusal may be of somebody who sent what another one signed.
        Some(question) if entry.kind != Type::Refused && question.analyst.to_string() != person => {
            Some("the detail names another person than the question in it")
        }
        Some(_) | None => None,
    }
}

/// The worst of what was found.
fn exit(shown: &[Shown]) -> Exit {
    let mut opened = false;
    for one in shown {
        match one.what {
            What::Wrong { .. } => return Exit::VerificationFailed,
            What::Opened { .. } | What::Erased { .. } => opened = true,
            What::ForOthers => {}
        }
    }
    if opened { Exit::Complete } else { Exit::Error }
}

/// What can be said of a search that nobody has opened.
fn in_words(search: &Search) -> String {
    let Search { identifiers, elements, targets, .. } = search;
    format!("{identifiers}, {elements} elements, {} tables", targets.len())
}

/// The same of a declared one.
fn declared(search: &DeclaredSearch) -> String {
    let DeclaredSearch { identifiers, elements, targets, .. } = search;
    format!("{identifiers}, declared, {elements} elements, {} tables", targets.len())
}

fn human(shown: &Shown) -> Vec<String> {
    let place = mayag_audit::records::Place { log: shown.log.clone(), index: shown.index };
    let mut text = vec![format!("{}  {}", stamp(shown.at, &place), shown.kind)];
    let mut say = |name: &str, value: &str| text.push(format!("  {name:12} {value}"));
    match &shown.what {
        What::Opened { person, signature, question, words, searched, told } => {
            say("person", person);
            match signature {
                Some(Signature::Verified) => say("signature", "verified with the roster"),
                Some(Signature::Unchecked) => say("signature", "not checked: name a roster"),
                None => (),
            }
            if let Some(words) = words {
                say("did", words);
            }
            if let Some(question) = question {
                let countries: Vec<&str> = question.countries.iter().map(Country::as_str).collect();
                say("purpose", question.purpose.as_str());
                say("case", question.case.as_deref().unwrap_or("-"));
                say("legal basis", question.legal_basis.as_deref().unwrap_or("-"));
                say("countries", &countries.join(" "));
                match &question.ask {
                    Ask::Datasets {} => say("asked", "which datasets there are"),
                    Ask::Declared { search } => say("searched", &declared(search)),
                    Ask::Lookup { search } => say("searched", &in_words(search)),
                    Ask::Preview { sql } => say("preview of", sql),
                    Ask::Sql { sql } => say("sql", sql),
                    Ask::Tables {} => say("asked", "which tables can be searched"),
                }
            }
            for text in told {
                say("told", text);
            }
            if let Some(searched) = searched {
                say("proved", "these are what was searched, and nothing else");
                for text in searched {
                    say("", text);
                }
            }
        }
        What::Erased { at, reason, authority } => {
            say("erased", &format!("{at} by order of {authority}: {reason}"));
        }
        What::ForOthers => say("sealed", "to other auditors than the holder of this key"),
        What::Wrong { why } => say("WRONG", &format!("{why} ({})", shown.detail)),
    }
    text
}

#[cfg(test)]
mod tests;
