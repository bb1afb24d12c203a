//! `bench log`: durable appends against a raw loop of writes and syncs with the same groups, and verifying a whole log against
//! hashing its bytes; and an index for searches over a log, against reading all of it. An example of this package, because it
//! needs nothing but logs: built in a few minutes, without the engine.

use mayag_audit::checkpoint::{Checkpoint, Origin};
use mayag_audit::keys::SigningKey;
use mayag_audit::note::Signer;
use mayag_audit::quorum::Policy;
use mayag_audit::tile::{Level, TilePath, Tiles, WIDTH, push_entry};
use mayag_audit::tree::{Frontier, Hash, Head, empty_root, leaf_hash, node_hash};
use mayag_audit::verify::{Against, verify};
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::clock::SystemClock;
use mayag_transport::index_measure::measure;
use mayag_transport::log_measure::{Load, append_against_raw};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::Duration;
use tokio::time::Instant;

/// Entries that are verified.
const ENTRIES: u64 = 1_000_000;

/// Bytes of an entry: about what a question's have.
const BYTES: usize = 640;

/// Pairs of runs; the median is told.
const PAIRS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    for callers in [1, 64, 256] {
        let mut ratios = Vec::new();
        let mut last = None;
        for pair in 0..PAIRS {
            let load = Load { entries: 400 * callers.max(4), entry_bytes: BYTES, callers };
            let inside = folder.path().join(format!("{callers}-{pair}"));
            std::fs::create_dir(&inside)?;
            let measured = append_against_raw(&inside, &load)?;
            ratios.push(measured.ratio());
            last = Some(measured);
        }
        let Some(measured) = last else { continue };
        let Some((low, median, high)) = spread(&mut ratios) else { continue };
        line(&format!(
            "append vs raw ({callers} callers): ratio {median:.2} (goal >= 0.8; {low:.2}..{high:.2}; {:.0} appends/s in groups of {})",
            measured.appends_per_second, measured.group
        ));
    }
    against_hashing()?;
    line(&measure(&folder.path().join("index"), ENTRIES)?.to_string());
    Ok(())
}

/// Prints a line. A reader that has gone away does not matter.
fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _gone = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn against_hashing() -> Result<(), Box<dyn std::error::Error>> {
    let key = SigningKey::from_pem(&SigningKey::generate()?)?;
    let log = InMemory::new(&key)?;
    let signer = Signer::log(log.origin.key_name().clone(), &key);
    let policy = Policy::of_keys(&format!("{}\n", signer.verifier()), 0)?;
    let against = Against { policy: &policy, now: SystemClock.now(), older: None };
    let mut ratios = Vec::new();
    let mut took = Duration::ZERO;
    for _ in 0..PAIRS {
        let before = Instant::now();
        for bytes in log.files.iter().filter(|(name, _)| name.starts_with("tile/entries")) {
            std::hint::black_box(ring::digest::digest(&ring::digest::SHA256, bytes.1));
        }
        let hashed = before.elapsed();
        let before = Instant::now();
        verify(&log, &against, &mut ())?;
        took = before.elapsed();
        ratios.push(hashed.as_secs_f64() / took.as_secs_f64());
    }
    let Some((low, median, high)) = spread(&mut ratios) else { return Ok(()) };
    line(&format!(
        "verify vs sha256 ({ENTRIES} entries): ratio {median:.2} (goal >= 0.5; {low:.2}..{high:.2}; {:.0} ms)",
        took.as_secs_f64() * 1e3
    ));
    Ok(())
}

/// A whole log in memory, so that no disk is measured.
struct InMemory {
    origin: Origin,
    files: BTreeMap<String, Vec<u8>>,
}

impl InMemory {
    fn new(key: &SigningKey) -> Result<Self, Box<dyn std::error::Error>> {
        let origin: Origin = "bench.example/query-log/2026".parse()?;
        let mut files = BTreeMap::new();
        let mut frontier = Frontier::default();
        let mut level: Vec<Hash> = Vec::new();
        let mut bundle = Vec::new();
        for index in 0..ENTRIES {
            let mut entry = index.to_be_bytes().to_vec();
            entry.resize(BYTES, b'e');
            push_entry(&mut bundle, &entry)?;
            let hash = leaf_hash(&entry);
            frontier.push(hash, |_| ());
            level.push(hash);
            if (index + 1) % WIDTH == 0 || index + 1 == ENTRIES {
                let path = TilePath::of(Level::Entries, index / WIDTH, ENTRIES);
                let path = path.ok_or("a bundle")?.to_string();
                files.insert(path, std::mem::take(&mut bundle));
            }
        }
        for height in 0_u8.. {
            if level.is_empty() {
                break;
            }
            for (at, hashes) in level.chunks(256).enumerate() {
                let path =
                    TilePath::of(Level::Hashes(height), at as u64, ENTRIES).ok_or("a tile")?;
                let bytes = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
                files.insert(path.to_string(), bytes);
            }
            level = level.chunks_exact(256).map(above).collect();
        }
        let head = Head { size: ENTRIES, root: frontier.root() };
        let checkpoint = Checkpoint { origin: origin.clone(), head };
        let signed = checkpoint.sign(&Signer::log(origin.key_name().clone(), key))?;
        files.insert("checkpoint".to_owned(), signed.to_bytes());
        Ok(Self { origin, files })
    }
}

/// The node above 256 others.
fn above(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.chunks_exact(2).filter_map(node).collect();
    }
    level.first().copied().unwrap_or_else(empty_root)
}

fn node(pair: &[Hash]) -> Option<Hash> {
    let [left, right] = pair else { return None };
    Some(node_hash(left, right))
}

/// The least, the middle and the largest of these.
fn spread(ratios: &mut [f64]) -> Option<(f64, f64, f64)> {
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2)?;
    Some((*ratios.first()?, *median, *ratios.last()?))
}

impl Tiles for InMemory {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(path).cloned())
    }
}
