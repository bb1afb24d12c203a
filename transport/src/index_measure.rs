//! Measures an index over a log: how long it takes to make, what it takes on the disk and in memory, and how long searches
//! with it take against reading every entry. The log itself is in memory, so that no disk is measured but the index's.

use crate::index_files::IndexFiles;
use mayag_audit::checkpoint::Checkpoint;
use mayag_audit::entry::{Entry, ResultClass, Type};
use mayag_audit::index::Index;
use mayag_audit::keys::{SigningKey, sha256};
use mayag_audit::note::Signer;
use mayag_audit::quorum::Policy;
use mayag_audit::records::read;
use mayag_audit::search::{Filter, Order, Search};
use mayag_audit::tile::{Level, Tiles, WIDTH, encode_hashes, level_of, paths, push_entry};
use mayag_audit::tree::{Frontier, Hash, Head, leaf_hash};
use mayag_audit::verify::Against;
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// When the first entry was written; one a second follows.
const BEGAN: i64 = 1_767_225_600_000;

/// People who ask.
const PEOPLE: u64 = 997;

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Entries of the log.
    pub entries: u64,
    /// Making the index.
    pub made: Duration,
    /// Opening it again.
    pub opened: Duration,
    /// Bytes of the index for each entry.
    pub bytes_an_entry: f64,
    /// Memory that making it took at most, in bytes, and that a search took.
    pub memory: (u64, u64),
    /// Searches with it: what for, how long, how many were found.
    pub searches: Vec<(&'static str, Duration, usize)>,
    /// The same as the first of them without an index: every entry is read and the log verified.
    pub without: Duration,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEBIBYTE: u64 = 1024 * 1024;
        let Self { entries, made, opened, bytes_an_entry, memory, searches, without } = self;
        let (making, searching) = memory;
        write!(
            f,
            "search index ({entries} entries): made in {:.1} s with {} MiB, {bytes_an_entry:.1} bytes an entry; opened in {:.1} ms",
            made.as_secs_f64(),
            making.div_ceil(MEBIBYTE),
            opened.as_secs_f64() * 1e3
        )?;
        for (what, took, found) in searches {
            write!(f, "; {what}: {:.1} ms, {found} shown", took.as_secs_f64() * 1e3)?;
        }
        write!(
            f,
            "; all searches with {} MiB; one case without an index: {:.0} ms",
            searching.div_ceil(MEBIBYTE),
            without.as_secs_f64() * 1e3
        )
    }
}

/// Measures an index over so many entries, made in this folder.
pub fn measure(folder: &Path, entries: u64) -> Result<Measured, Box<dyn Error>> {
    let log = InMemory::new(entries)?;
    let now = Timestamp::from_millis(BEGAN + 1000 * i64::try_from(entries)?);
    let against = Against { policy: &log.policy, now, older: None };
    let store = IndexFiles::open(folder)?;
    let before = forget_peak()?;
    let began = Instant::now();
    drop(Index::open(&log, &store, &against)?);
    let made = began.elapsed();
    let making = peak()?.saturating_sub(before);

    let before = forget_peak()?;
    let began = Instant::now();
    let mut indexes = [Index::open(&log, &store, &against)?];
    let opened = began.elapsed();
    let mut searches = Vec::new();
    for (what, filter) in filters(entries) {
        let began = Instant::now();
        let mut search = Search::new(filter, Order::Newest, 100);
        search.by_index(&mut indexes).map_err(|(_, error)| error)?;
        searches.push((what, began.elapsed(), search.into_found().len()));
    }
    let searching = peak()?.saturating_sub(before);

    let Some((_, filter)) = filters(entries).into_iter().next() else {
        return Err("nothing to search for".into());
    };
    let began = Instant::now();
    let mut search = Search::new(filter, Order::Newest, 100);
    read(&log, &against, &mut |located| search.look(located))?;
    let without = began.elapsed();
    let bytes: u64 = fs::read_dir(folder)?
        .map(|file| file.and_then(|file| file.metadata()).map(|file| file.len()))
        .sum::<io::Result<u64>>()?;
    #[expect(clippy::cast_precision_loss, reason = "told with one digit")]
    let bytes_an_entry = bytes as f64 / entries as f64;
    Ok(Measured {
        entries,
        made,
        opened,
        bytes_an_entry,
        memory: (making, searching),
        searches,
        without,
    })
}

/// The first is rare, the others are more and more frequent.
fn filters(entries: u64) -> Vec<(&'static str, Filter)> {
    let half = entries / 2 / 1000 * 1000;
    let at = Timestamp::from_millis(BEGAN + 1000 * half.cast_signed());
    vec![
        ("one case", Filter { case: Some(number("case", half)), ..Filter::default() }),
        ("one person", Filter { actor: Some(number("person", 7)), ..Filter::default() }),
        (
            "an hour",
            Filter {
                from: Some(at),
                to: Some(at.plus(Duration::from_hours(1))),
                ..Filter::default()
            },
        ),
        (
            "refusals of a policy",
            Filter {
                kind: Some(Type::Refused),
                policy: Some(number("policy", 0)),
                ..Filter::default()
            },
        ),
        (
            "a word that is nowhere",
            Filter { actor: Some(number("nobody", 0)), ..Filter::default() },
        ),
    ]
}

fn number(what: &str, number: u64) -> Digest {
    sha256(format!("{what} {number}").as_bytes())
}

/// What a node writes about a question, without what makes it random: two entries each.
fn entry(index: u64) -> Result<Entry, Box<dyn Error>> {
    let question = index / 2;
    let kind = match (index % 2, question % 50) {
        (0, _) => Type::Admitted,
        (_, 0) => Type::Refused,
        (_, _) => Type::Answered,
    };
    let at = Timestamp::from_millis(BEGAN + 1000 * index.cast_signed());
    Ok(Entry {
        question_digest: Some(number("question", question)),
        actor: Some(number("person", question % PEOPLE)),
        recipient: Some((if question.is_multiple_of(3) { "kr" } else { "us" }).parse()?),
        purpose: Some(Purpose::Trend),
        case: index.is_multiple_of(1000).then(|| number("case", index)),
        policy: Some(number("policy", index / 100_000)),
        rule: Some("trends,partners".to_owned()),
        datasets: vec!["seizures".parse()?],
        result: (kind == Type::Answered).then_some(ResultClass::Aggregate),
        ..Entry::new(kind, at)?
    })
}

/// A whole log in memory.
struct InMemory {
    files: BTreeMap<String, Vec<u8>>,
    policy: Policy,
}

impl InMemory {
    fn new(entries: u64) -> Result<Self, Box<dyn Error>> {
        let key = SigningKey::from_pem(&SigningKey::generate()?)?;
        let origin = "node-kr.bench/query-log/2026";
        let signer = Signer::log(origin.parse()?, &key);
        let policy = Policy::of_keys(&format!("{}\n", signer.verifier()), 0)?;
        let mut levels = BTreeMap::<Level, Vec<Hash>>::new();
        let (mut tree, mut bundles, mut bundle) = (Frontier::default(), Vec::new(), Vec::new());
        for index in 0..entries {
            let bytes = entry(index)?.to_bytes()?;
            push_entry(&mut bundle, &bytes)?;
            tree.push(leaf_hash(&bytes), |node| {
                if let Some(level) = level_of(&node) {
                    levels.entry(level).or_default().push(node.hash);
                }
            });
            if (index + 1) % WIDTH == 0 || index + 1 == entries {
                bundles.push(std::mem::take(&mut bundle));
            }
        }
        let mut files = BTreeMap::new();
        let mut bundles = bundles.into_iter();
        for path in paths(entries) {
            let bytes = match path.level() {
                Level::Entries => bundles.next().ok_or("a bundle")?,
                level @ Level::Hashes(_) => {
                    let from = usize::try_from(path.index() * WIDTH)?;
                    let hashes = levels.get(&level).ok_or("a level")?;
                    let range = from..from + usize::from(path.width());
                    encode_hashes(hashes.get(range).ok_or("a tile")?)
                }
            };
            files.insert(path.to_string(), bytes);
        }
        let head = Head { size: entries, root: tree.root() };
        let note = Checkpoint { origin: origin.parse()?, head }.sign(&signer)?;
        files.insert("checkpoint".to_owned(), note.to_bytes());
        Ok(Self { files, policy })
    }
}

impl Tiles for InMemory {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(path).cloned())
    }
}

/// Has the system forget the peak of this process's memory (Linux); what it has now.
fn forget_peak() -> io::Result<u64> {
    File::options().write(true).open("/proc/self/clear_refs")?.write_all(b"5")?;
    peak()
}

/// The peak of this process's memory in bytes since it was forgotten (Linux).
fn peak() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no peak of memory"))
}

#[cfg(test)]
mod tests {
    use super::measure;

    #[test]
    fn searches_find_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let measured = measure(folder.path(), 3000).unwrap();
        let found: Vec<usize> = measured.searches.iter().map(|(_, _, found)| *found).collect();
        assert_eq!(found, [1, 4, 100, 30, 0]);
    }
}
