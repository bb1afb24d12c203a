//! Bytes of others: whatever they are, they are refused or read, and what is read is written alike.

use crate::sample::{Folder, Keys, entries, entry, now};
use mayag_audit::checkpoint::CheckpointNote;
use mayag_audit::entry::Entry;
use mayag_audit::note::{Note, VerifierKey};
use mayag_audit::quorum::Policy;
use mayag_audit::receipt::Receipt;
use mayag_audit::tile::{TilePath, parse_bundle, parse_hashes};
use mayag_audit::witness::{Request, cosignatures, stale_size};
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::sample::Index;
use std::sync::OnceLock;

/// Gives bytes to every parser of the crate. None may panic; what has one text is written as it was read.
fn feed(bytes: &[u8], keys: &[VerifierKey]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_bytes(), bytes);
        let _opened = note.open(keys);
    }
    if let Ok(note) = CheckpointNote::parse(bytes) {
        assert_eq!(note.checkpoint().to_text(), note.note().text());
        let _found = cosignatures(bytes, &note, &keys[0]);
    }
    if let Ok(receipt) = Receipt::parse(bytes) {
        assert_eq!(receipt.to_bytes(), bytes);
    }
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(request.to_bytes(), bytes);
    }
    let _policy = Policy::parse(bytes).map(|policy| policy.check(bytes, now()));
    let _entry = Entry::parse(bytes);
    let _size = stale_size(bytes);
    for width in [0, 1, 2, 255, 256] {
        let _entries = parse_bundle(bytes, width);
        let _hashes = parse_hashes(bytes, width);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(path) = text.parse::<TilePath>() {
            assert_eq!(path.to_string(), text);
        }
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
        let _policy = Policy::of_keys(text, 1);
    }
}

/// One good example of everything that is read, and the keys that signed them.
struct Examples {
    files: Vec<Vec<u8>>,
    keys: Vec<VerifierKey>,
}

fn examples() -> &'static Examples {
    static EXAMPLES: OnceLock<Examples> = OnceLock::new();
    EXAMPLES.get_or_init(make_examples)
}

fn make_examples() -> Examples {
    let keys = Keys::new(1);
    let log = Folder::log(&keys, &entries(300));
    let request = Request::new(0, Vec::new(), keys.sign(log.checkpoint().checkpoint().head));
    let (signer, cosigner) = (keys.signer().verifier().clone(), keys.cosigner(0));
    let policy = format!(
        "log {signer}\nwitness w {} https://w\n#@ until 2026-06-01T00:00:00.000Z quorum w\ngroup g 1 w\nquorum g\n",
        cosigner.verifier()
    );
    let files = vec![
        log.0["checkpoint"].clone(),
        log.receipt(7).to_bytes(),
        request.to_bytes(),
        policy.into_bytes(),
        keys.file().into_bytes(),
        b"tile/entries/x001/234.p/5".to_vec(),
        log.0["tile/entries/001.p/44"].clone(),
        entry(1),
    ];
    Examples { files, keys: vec![signer, cosigner.verifier().clone()] }
}

proptest! {
    #[test]
    fn arbitrary_bytes_break_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        feed(&bytes, &examples().keys);
    }

    #[test]
    fn good_bytes_with_changes_break_nothing(
        which in any::<Index>(),
        cut in any::<Index>(),
        places in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        doubled in any::<(Index, Index)>(),
    ) {
        let Examples { files, keys } = examples();
        let mut bytes = files[which.index(files.len())].clone();
        for (place, byte) in &places {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        feed(&bytes, keys);
        feed(&bytes[..cut.index(bytes.len())], keys);
        // A part of it twice.
        let (one, other) = (doubled.0.index(bytes.len()), doubled.1.index(bytes.len()));
        let part = bytes[one.min(other)..one.max(other)].to_vec();
        bytes.splice(one..one, part.iter().copied());
        feed(&bytes, keys);
    }

    #[test]
    fn a_tile_path_reads_as_it_is_written(index in any::<u64>(), size in any::<u64>()) {
        for level in [mayag_audit::tile::Level::Entries, mayag_audit::tile::Level::Hashes(0)] {
            if let Some(path) = TilePath::of(level, index % (1 << 55), size) {
                prop_assert_eq!(path.to_string().parse::<TilePath>(), Ok(path));
            }
        }
    }
}
