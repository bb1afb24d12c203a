//! The entries of logs that verify, one by one, each with its place: what every command of an auditor begins with.
//!
//! Entries are handed over while the log is read, so no log is held in memory. What was made of them counts only if
//! [`read`] returns [`Verified`].

use crate::checkpoint::Origin;
use crate::entry::Entry;
use crate::party::Book;
use crate::quorum::Accepted;
use crate::tile::Tiles;
use crate::tree::Hash;
use crate::verify::{Against, Fault, Verified, Watch, verify};
use mayag_protocol::names::{Country, LogOrigin};
use serde::Serialize;
use std::fmt;

/// What the name of a log says: `node-kr.demo/query-log/2026` is the log of questions of the node of `kr`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogName {
    origin: LogOrigin,
    party: String,
    book: Option<Book>,
    country: Option<Country>,
}

impl LogName {
    /// The name as text; `None` if no entry could name such a log.
    pub fn of(origin: &Origin) -> Option<Self> {
        let origin: LogOrigin = origin.as_str().parse().ok()?;
        let mut words = origin.as_str().split('/');
        let party = words.next().unwrap_or_default().to_owned();
        let book = words.next().and_then(Book::of);
        let node = party.strip_prefix("node-").and_then(|rest| rest.split('.').next());
        let country = node.and_then(|code| code.parse().ok());
        Some(Self { origin, party, book, country })
    }

    /// The whole name.
    pub fn origin(&self) -> &LogOrigin {
        &self.origin
    }

    /// Whose log it is, such as `node-kr.demo`.
    pub fn party(&self) -> &str {
        &self.party
    }

    /// Which log of the party.
    pub fn book(&self) -> Option<Book> {
        self.book
    }

    /// The country whose node writes it; `None` for a gateway.
    pub fn country(&self) -> Option<&Country> {
        self.country.as_ref()
    }
}

/// The place of an entry: a log and an index, from 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The log.
    pub log: LogOrigin,
    /// The index.
    pub index: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entry {}", self.log, self.index)
    }
}

/// An entry at its place.
#[derive(Debug)]
pub struct Located<'a> {
    /// The log.
    pub log: &'a LogName,
    /// The index, from 0.
    pub index: u64,
    /// Its leaf hash.
    pub hash: Hash,
    /// Its bytes, which the hash is over.
    pub bytes: &'a [u8],
    /// What they say.
    pub entry: Entry,
}

impl Located<'_> {
    /// Where it is.
    pub fn place(&self) -> Place {
        Place { log: self.log.origin.clone(), index: self.index }
    }
}

/// Verifies a log and shows every entry. O(entries) time, and memory for one bundle.
pub fn read<T: Tiles + ?Sized>(
    tiles: &T,
    against: &Against<'_>,
    each: &mut dyn FnMut(Located<'_>),
) -> Result<Verified, Fault> {
    verify(tiles, against, &mut Reader { log: None, each })
}

struct Reader<'a> {
    log: Option<LogName>,
    each: &'a mut dyn FnMut(Located<'_>),
}

impl Watch for Reader<'_> {
    fn begins(&mut self, checkpoint: &Accepted) {
        self.log = LogName::of(&checkpoint.note().checkpoint().origin);
    }

    fn entry(&mut self, index: u64, bytes: &[u8], hash: &Hash) -> Result<(), String> {
        let log = self.log.as_ref().ok_or("no entry could name this log")?;
        let entry = Entry::parse(bytes).map_err(|error| error.to_string())?;
        (self.each)(Located { log, index, hash: *hash, bytes, entry });
        Ok(())
    }
}

/// Small logs in memory, for tests of what is made of logs.
#[cfg(test)]
pub(crate) mod written {
    use crate::checkpoint::Checkpoint;
    use crate::cosignature::Cosigner;
    use crate::entry::{Entry, SeenLog, Type};
    use crate::keys::{SigningKey, sha256};
    use crate::note::Signer;
    use crate::quorum::Policy;
    use crate::tile::{Level, TilePath, Tiles, WIDTH, encode_hashes, push_entry};
    use crate::tree::{Frontier, Hash, Head, leaf_hash};
    use crate::verify::Against;
    use mayag_protocol::answer::LogPosition;
    use mayag_protocol::names::{Digest, QuestionId};
    use mayag_protocol::timestamp::Timestamp;
    use std::collections::BTreeMap;
    use std::io;

    pub(crate) const GATEWAY: &str = "gateway-1.demo/query-log/2026";
    pub(crate) const KR: &str = "node-kr.demo/query-log/2026";

    /// Seconds after a fixed instant.
    pub(crate) fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_867_200_000 + seconds * 1000)
    }

    /// A digest of some words.
    pub(crate) fn digest(words: &str) -> Digest {
        sha256(words.as_bytes())
    }

    /// An entry about the question of this number.
    pub(crate) fn about(kind: Type, seconds: i64, number: u8) -> Entry {
        Entry {
            question: Some(QuestionId::from_bytes([number; 16])),
            question_digest: Some(digest(&format!("question {number}"))),
            actor: Some(digest("ana")),
            purpose: Some(mayag_protocol::purpose::Purpose::Trend),
            ..Entry::new(kind, at(seconds)).unwrap()
        }
    }

    /// A log that is written, and then published whole.
    #[derive(Debug, Clone)]
    pub(crate) struct Written {
        pub(crate) origin: &'static str,
        pub(crate) entries: Vec<Vec<u8>>,
    }

    impl Written {
        pub(crate) fn new(origin: &'static str) -> Self {
            Self { origin, entries: Vec::new() }
        }

        pub(crate) fn push(&mut self, entry: &Entry) -> LogPosition {
            let bytes = entry.to_bytes().unwrap();
            let (index, leaf) = (self.entries.len() as u64, leaf_hash(&bytes).into());
            self.entries.push(bytes);
            LogPosition { origin: self.origin.parse().unwrap(), index, leaf }
        }

        /// The tree of the first `size` entries, as another log mentions it.
        pub(crate) fn seen(&self, size: usize, at: Option<Timestamp>) -> SeenLog {
            let mut tree = Frontier::default();
            for entry in &self.entries[..size] {
                tree.push(leaf_hash(entry), |_| ());
            }
            let (origin, root) = (self.origin.parse().unwrap(), tree.root().into());
            SeenLog { origin, size: size as u64, root, at }
        }

        pub(crate) fn published(&self) -> Published {
            self.cosigned(None)
        }

        /// Published with the cosignature of one witness, if at all.
        pub(crate) fn cosigned(&self, cosigned: Option<Timestamp>) -> Published {
            let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
            let log = Signer::log(self.origin.parse().unwrap(), &key);
            let (mut tree, mut files) = (Frontier::default(), BTreeMap::new());
            assert!((self.entries.len() as u64) < WIDTH, "one bundle is enough for tests");
            let hashes: Vec<Hash> = self.entries.iter().map(|entry| leaf_hash(entry)).collect();
            let mut bundle = Vec::new();
            for (entry, hash) in self.entries.iter().zip(&hashes) {
                tree.push(*hash, |_| ());
                push_entry(&mut bundle, entry).unwrap();
            }
            for (level, bytes) in
                [(Level::Entries, bundle), (Level::Hashes(0), encode_hashes(&hashes))]
            {
                if let Some(path) = TilePath::of(level, 0, tree.size()) {
                    files.insert(path.to_string(), bytes);
                }
            }
            let head = Head { size: tree.size(), root: tree.root() };
            let checkpoint = Checkpoint { origin: self.origin.parse().unwrap(), head };
            let mut note = checkpoint.sign(&log).unwrap();
            let witness = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
            let witness = Cosigner::new("node-us.demo/witness".parse().unwrap(), &witness);
            if let Some(now) = cosigned {
                note = note.with(witness.sign(&checkpoint.to_text(), now));
            }
            files.insert("checkpoint".to_owned(), note.to_bytes());
            let keys = format!("{}\n{}\n", log.verifier(), witness.verifier());
            let policy = Policy::of_keys(&keys, usize::from(cosigned.is_some())).unwrap();
            Published { policy, files }
        }
    }

    /// The files of a log, and whom to believe.
    #[derive(Debug)]
    pub(crate) struct Published {
        pub(crate) policy: Policy,
        pub(crate) files: BTreeMap<String, Vec<u8>>,
    }

    impl Published {
        pub(crate) fn against(&self) -> Against<'_> {
            Against { policy: &self.policy, now: at(1_000_000), older: None }
        }
    }

    impl Tiles for Published {
        fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
            Ok(self.files.get(path).cloned())
        }
    }
}
