//! The table of changes to a whole log of 600 entries. Shared by our verifier's test and by the folders that other
//! verifiers are run on.

use crate::sample::{Folder, Keys, entries};
use mayag_audit::tile::{TilePath, parse_bundle, push_entry};
use mayag_audit::tree::{Hash, leaf_hash};

/// A changed log, and what is said about it.
pub(crate) struct Mutation {
    pub(crate) name: String,
    pub(crate) folder: Folder,
    /// The file that is named.
    pub(crate) file: &'static str,
    /// The entry that is named, if one is.
    pub(crate) entry: Option<u64>,
    /// Part of what is said.
    pub(crate) reason: &'static str,
}

const BUNDLE: &str = "tile/entries/001";
const PARTIAL: &str = "tile/entries/002.p/88";
const CHECKPOINT: &str = "checkpoint";

pub(crate) fn mutations(keys: &Keys, good: &Folder) -> Vec<Mutation> {
    let mut table = changed_entries(good);
    table.extend(changed_with_hashes(good));
    table.extend(torn_files(good));
    table.extend(changed_signatures(good));
    table.extend(forks(keys, good));
    table
}

/// Name, file, change, entry, reason.
type Row = (&'static str, &'static str, fn(&mut Vec<Vec<u8>>), Option<u64>, &'static str);

fn changed_entries(good: &Folder) -> Vec<Mutation> {
    let (hash, early, late) = ("does not have the hash", "ends early", "more than its width");
    let table: [Row; 11] = [
        ("dropped", BUNDLE, |e| drop(e.remove(3)), Some(259), hash),
        ("first-dropped", BUNDLE, |e| drop(e.remove(0)), Some(256), hash),
        ("last-dropped", BUNDLE, |e| drop(e.pop()), Some(511), early),
        ("last-of-all-dropped", PARTIAL, |e| drop(e.pop()), Some(599), early),
        ("swapped", BUNDLE, |e| e.swap(7, 9), Some(263), hash),
        ("inserted", BUNDLE, |e| e.insert(5, b"x".to_vec()), Some(261), hash),
        ("appended", BUNDLE, |e| e.push(b"x".to_vec()), None, late),
        ("appended-at-the-end", PARTIAL, |e| e.push(b"x".to_vec()), None, late),
        ("duplicated", BUNDLE, |e| e.insert(5, e[4].clone()), Some(261), hash),
        ("replaced", BUNDLE, |e| e[8] = b"x".to_vec(), Some(264), hash),
        ("emptied", PARTIAL, |e| e[0].clear(), Some(512), hash),
    ];
    table
        .into_iter()
        .map(|(name, file, change, entry, reason)| {
            let mut folder = good.clone();
            change_bundle(&mut folder, file, change);
            Mutation { name: format!("entry-{name}"), folder, file, entry, reason }
        })
        .collect()
}

/// An entry replaced together with its leaf hash: a verifier that trusts tiles accepts it. Then with all hashes above it.
fn changed_with_hashes(good: &Folder) -> Vec<Mutation> {
    let mut with_leaf = good.clone();
    change_bundle(&mut with_leaf, BUNDLE, |entries| entries[8] = b"forged".to_vec());
    set_hash(&mut with_leaf, "tile/0/001", 8, leaf_hash(b"forged"));
    let mut replaced = entries(600);
    replaced[264] = b"forged".to_vec();
    let (mut with_all, _) = Folder::of(&replaced);
    for kept in [CHECKPOINT, "older"] {
        with_all.0.insert(kept.to_owned(), good.0[kept].clone());
    }
    let mut tile = good.clone();
    set_hash(&mut tile, "tile/0/001", 8, leaf_hash(b"forged"));
    vec![
        Mutation {
            name: "entry-replaced-with-its-leaf-hash".to_owned(),
            folder: with_leaf,
            file: "tile/1/000.p/2",
            entry: None,
            reason: "hash 1 is not that of entries 256 to 511",
        },
        Mutation {
            name: "entry-replaced-with-all-hashes".to_owned(),
            folder: with_all,
            file: CHECKPOINT,
            entry: None,
            reason: "another root",
        },
        Mutation {
            name: "leaf-hash-replaced".to_owned(),
            folder: tile,
            file: "tile/0/001",
            entry: Some(264),
            reason: "hash 8 is not that of entries 264 to 264",
        },
    ]
}

fn torn_files(good: &Folder) -> Vec<Mutation> {
    let mut table = Vec::new();
    for file in [CHECKPOINT, BUNDLE, PARTIAL, "tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"] {
        let bytes = good.0[file].clone();
        let mut row = |what: &str, bytes: Option<Vec<u8>>, reason| {
            let name = format!("{}-{what}", file.replace('/', "-"));
            let mut folder = good.clone();
            match bytes {
                Some(bytes) => folder.0.insert(file.to_owned(), bytes),
                None => folder.0.remove(file),
            };
            let entry = match (file, what) {
                (BUNDLE, "emptied") => Some(256),
                (BUNDLE, "torn") => Some(511),
                (PARTIAL, "emptied") => Some(512),
                (PARTIAL, "torn") => Some(599),
                _ => None,
            };
            table.push(Mutation { name, folder, file, entry, reason });
        };
        row("missing", None, "missing");
        row("emptied", Some(Vec::new()), "");
        row("torn", Some(bytes[..bytes.len() - 1].to_vec()), "");
        row("one-byte-more", Some([bytes.as_slice(), b"\n"].concat()), "");
    }
    table
}

fn changed_signatures(good: &Folder) -> Vec<Mutation> {
    let note = good.checkpoint();
    let lines = note.note().signatures().to_vec();
    let reasons = ["not signed by", "are by: witness-1.sample", "are by: witness-0.sample"];
    reasons
        .into_iter()
        .enumerate()
        .map(|(n, reason)| {
            let kept = lines.iter().enumerate().filter(|(m, _)| *m != n);
            let mut folder = good.clone();
            let changed = note.clone().only(kept.map(|(_, line)| line.clone())).to_bytes();
            folder.0.insert(CHECKPOINT.to_owned(), changed);
            let name = format!("signature-{n}-dropped");
            Mutation { name, folder, file: CHECKPOINT, entry: None, reason }
        })
        .collect()
}

/// Two logs under one key: each verifies by itself, and neither continues the other's checkpoint.
fn forks(keys: &Keys, good: &Folder) -> Vec<Mutation> {
    let mut other = entries(600);
    other[10] = b"another past".to_vec();
    let fork = Folder::log(keys, &other);
    let shorter = Folder::log(keys, &entries(500));
    let row = |name: &str, of: &Folder, older: &str, file, reason| {
        let mut folder = of.clone();
        folder.0.insert("older".to_owned(), good.0[older].clone());
        Mutation { name: name.to_owned(), folder, file, entry: None, reason }
    };
    let (forked, cut) = ("it forked", "its end was cut off");
    vec![
        row("fork", &fork, "older", CHECKPOINT, forked),
        row("fork-of-the-same-size", &fork, CHECKPOINT, CHECKPOINT, forked),
        row("rolled-back", &shorter, CHECKPOINT, "older checkpoint", cut),
    ]
}

fn change_bundle(folder: &mut Folder, path: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let width = path.parse::<TilePath>().unwrap().width();
    let bundle = folder.0.get_mut(path).unwrap();
    let mut entries: Vec<Vec<u8>> =
        parse_bundle(bundle, width).unwrap().into_iter().map(<[u8]>::to_vec).collect();
    change(&mut entries);
    *bundle = entries.iter().fold(Vec::new(), |mut bundle, entry| {
        push_entry(&mut bundle, entry).unwrap();
        bundle
    });
}

fn set_hash(folder: &mut Folder, path: &str, place: usize, hash: Hash) {
    folder.0.get_mut(path).unwrap()[place * 32..][..32].copy_from_slice(hash.as_bytes());
}
