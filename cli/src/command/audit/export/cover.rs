//! The page on top of a bundle of evidence: for people who did not make it, and who may have no `mayag`.

use super::ExportArgs;
use mayag_audit::note::Stamp;
use mayag_audit::quorum::Accepted;
use mayag_audit::search::Asked;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use std::fmt;

/// What the page says.
#[derive(Debug)]
pub(super) struct Cover {
    made: Timestamp,
    about: String,
    pub(super) logs: Vec<CoverLog>,
    pub(super) entries: Vec<CoverEntry>,
    pub(super) receipts: Vec<String>,
}

/// A log in the bundle.
#[derive(Debug)]
pub(super) struct CoverLog {
    folder: String,
    origin: String,
    size: u64,
    root: String,
    key: String,
    quorum: usize,
    cosigned: Vec<String>,
}

/// An entry in the bundle.
#[derive(Debug)]
pub(super) struct CoverEntry {
    pub(super) at: Timestamp,
    pub(super) line: String,
    pub(super) leaf_hash: String,
    pub(super) proof: String,
}

impl Cover {
    pub(super) fn new(args: &ExportArgs) -> Self {
        let question = match &args.question {
            Some(Asked::Id(id)) => format!("the question {id}"),
            Some(Asked::Digest(digest)) => format!("the question with the digest {digest}"),
            None => "all entries".to_owned(),
        };
        let from = args.from.map(|from| format!(", from {from}")).unwrap_or_default();
        let to = args.to.map(|to| format!(", before {to}")).unwrap_or_default();
        Self {
            made: SystemClock.now(),
            about: format!("{question}{from}{to}"),
            logs: Vec::new(),
            entries: Vec::new(),
            receipts: Vec::new(),
        }
    }
}

impl CoverLog {
    pub(super) fn of(folder: &str, quorum: usize, accepted: &Accepted) -> Self {
        let checkpoint = accepted.note().checkpoint();
        let cosigned = accepted.cosigned().iter().map(|signed| match signed.stamp {
            Stamp::At(at) => format!("{} at {at}", signed.key.name()),
            Stamp::None => signed.key.name().to_string(),
        });
        Self {
            folder: folder.to_owned(),
            origin: checkpoint.origin.to_string(),
            size: checkpoint.head.size,
            root: checkpoint.head.root.to_string(),
            key: accepted.log().to_string(),
            quorum,
            cosigned: cosigned.collect(),
        }
    }
}

impl fmt::Display for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, about, logs, entries, receipts } = self;
        writeln!(f, "EVIDENCE FROM THE SIGNED LOGS OF A FEDERATION\n")?;
        writeln!(f, "about   {about}")?;
        writeln!(f, "made    {made}, by mayag {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "times   UTC; those of entries by the clock of the party that wrote them")?;
        writeln!(f, "files   SHA-256 of each in SHA256SUMS: `sha256sum -c SHA256SUMS`\n")?;

        writeln!(f, "ENTRIES ({}), in the order of time\n", entries.len())?;
        let mut sorted: Vec<&CoverEntry> = entries.iter().collect();
        sorted.sort_by_key(|entry| entry.at);
        for CoverEntry { line, leaf_hash, proof, .. } in sorted {
            writeln!(f, "{line}\n    leaf hash {leaf_hash}\n    proof     {proof}")?;
        }
        for receipt in receipts {
            writeln!(f, "receipt of the person who asked: {receipt}")?;
        }

        writeln!(f, "\nLOGS ({}), whole\n", logs.len())?;
        for CoverLog { folder, origin, size, root, key, quorum, cosigned } in logs {
            writeln!(f, "{origin}\n    folder    {folder}/log, keys {folder}/keys")?;
            writeln!(f, "    entries   {size}, root {root}\n    signed by {key}")?;
            writeln!(f, "    cosigned  {} of {quorum} needed", cosigned.len())?;
            for line in cosigned {
                writeln!(f, "              {line}")?;
            }
        }
        let first = logs.first().map(|log| log.folder.as_str()).unwrap_or_default();
        f.write_str(WHAT)?;
        writeln!(f, "  mayag audit verify --list verify.txt")?;
        writeln!(f, "  mayag audit reconcile --list verify.txt --as-of {made}\n")?;
        writeln!(
            f,
            "without it, for each line `LOG KEYS QUORUM` of verify.txt (sources and set-up: `integration-tests/verifiers` of mayag):\n"
        )?;
        writeln!(
            f,
            "  tlog-verify LOG KEYS QUORUM          in Go, over golang.org/x/mod/sumdb, every entry of the log"
        )?;
        writeln!(
            f,
            "  tlog-verify LOG KEYS QUORUM LOG/checkpoint {first}/entries/INDEX.tlog-proof {first}/entries/INDEX.entry"
        )?;
        writeln!(
            f,
            "  aics-tlog verify-inclusion --index INDEX --tiles LOG --log-key KEY --quorum 0      in Python"
        )
    }
}

/// What follows from the files, and what does not.
const WHAT: &str = "
WHO

A person is a pseudonym, made by the party that wrote the entry with a key that it keeps; it can name the person. A case is a
commitment in the same way. Countries, datasets, purposes, rules, and what became of a question are in the entries as they are.

WHAT IS PROVEN, if everything verifies with keys that you have from elsewhere (the federation's signed roster)

- The parties whose keys these are wrote these entries, in this order, and no other before the checkpoint.
- The witnesses named above had seen each log as it is here at the times named above: later, nothing was put in, taken out or
  changed before the checkpoint.
- An entry names, by position and hash, the entries of other parties that it follows.

WHAT IS NOT PROVEN

- That what a party wrote about its own data is true, and the time of an entry within the minutes between two cosignatures.
- That nothing was done outside of the product, with the database itself.
- Anything, with keys that you have from this folder alone: whoever made it could have made them up.
- Anything against a federation all of whose parties and witnesses lie together.

HOW TO VERIFY, offline

";
