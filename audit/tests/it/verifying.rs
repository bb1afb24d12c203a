//! Logs of every awkward size verify; a log that was changed in any way of the table does not, and the fault is named.

use crate::mutations::{Mutation, mutations};
use crate::sample::{Folder, Keys, entries, entry, now};
use mayag_audit::receipt::{Receipt, ReceiptError};
use mayag_audit::tree::{Hash, Head, leaf_hash};
use mayag_audit::verify::{Against, Fault, Verified, Watch, Wrong, verify};

fn check(folder: &Folder, keys: &Keys) -> Result<Verified, Fault> {
    let older = folder.0.get("older").map(Vec::as_slice);
    verify(folder, &Against { policy: &keys.policy(), now: now(), older }, &mut ())
}

/// Sees every entry once, in order, and how far it is.
#[derive(Default)]
struct Seen {
    entries: u64,
    progress: Vec<(u64, u64)>,
}

impl Watch for Seen {
    fn entry(&mut self, index: u64, bytes: &[u8], hash: &Hash) -> Result<(), String> {
        assert_eq!(
            (index, bytes, *hash),
            (self.entries, entry(index).as_slice(), leaf_hash(bytes))
        );
        self.entries += 1;
        Ok(())
    }
    fn progress(&mut self, done: u64, of: u64) {
        self.progress.push((done, of));
    }
}

#[test]
fn logs_of_every_awkward_size_verify() {
    let keys = Keys::new(2);
    for size in [0, 1, 2, 3, 255, 256, 257, 65_535, 65_536, 70_000] {
        let folder = Folder::log(&keys, &entries(size));
        let mut seen = Seen::default();
        let older = Some(folder.0["older"].as_slice());
        let policy = keys.policy();
        let against = Against { policy: &policy, now: now(), older };
        let verified = verify(&folder, &against, &mut seen).unwrap();
        assert_eq!((seen.entries, verified.frontier().size()), (size, size));
        assert_eq!(seen.progress.last().copied(), (size > 0).then_some((size, size)));
        assert_eq!(verified.checkpoint().cosigned().len(), 2);
        for index in [0, size / 2, size.saturating_sub(1)] {
            if index < size {
                let receipt = Receipt::parse(&folder.receipt(index).to_bytes()).unwrap();
                let proven = receipt.verify(&entry(index), &keys.policy(), now()).unwrap();
                assert_eq!(proven.index(), index);
            }
        }
    }
}

/// Partial tiles may be gone once the full ones are there: the log grew after the checkpoint that is verified.
#[test]
fn a_log_that_has_grown_past_its_checkpoint_verifies() {
    let keys = Keys::new(1);
    let old = Folder::log(&keys, &entries(300));
    let mut grown = Folder::log(&keys, &entries(600));
    grown.0.insert("checkpoint".to_owned(), old.0["checkpoint"].clone());
    grown.0.insert("older".to_owned(), old.0["older"].clone());
    grown.0.insert("tile/1/000.p/1".to_owned(), old.0["tile/1/000.p/1"].clone());
    assert_eq!(check(&grown, &keys).unwrap().frontier().size(), 300);
}

/// Entries dropped, swapped, inserted, duplicated, replaced with and without their hashes; files torn and missing; signature
/// lines dropped; forks: everything that is a change of a whole log is refused, and named.
#[test]
fn every_change_of_the_table_is_refused_and_named() {
    let keys = Keys::new(2);
    let good = Folder::log(&keys, &entries(600));
    check(&good, &keys).unwrap();
    let table = mutations(&keys, &good);
    for Mutation { name, folder, file, entry, reason } in &table {
        let fault = check(folder, &keys).unwrap_err();
        assert_eq!((fault.file.as_str(), fault.entry), (*file, *entry), "{name}: {fault}");
        assert!(fault.to_string().contains(reason), "{name}: {fault}");
    }
}

/// The same of a log with three levels of tiles.
#[test]
fn missing_files_of_every_level_are_named() {
    let keys = Keys::new(2);
    let good = Folder::log(&keys, &entries(70_000));
    for path in
        ["tile/entries/273.p/112", "tile/0/000", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    {
        let mut folder = good.clone();
        folder.0.remove(path).unwrap();
        let fault = check(&folder, &keys).unwrap_err();
        assert_eq!(fault.file, path, "{fault}");
        assert!(matches!(fault.wrong, Wrong::Missing), "{fault}");
    }
}

/// Every bit of every file of a log, one at a time.
#[test]
fn every_changed_bit_is_refused_in_the_file_it_is_in() {
    let keys = Keys::new(2);
    let good = Folder::log(&keys, &entries(260));
    for (path, bytes) in &good.0 {
        let step = if bytes.len() > 2000 { 97 } else { 1 };
        let cosignatures = String::from_utf8_lossy(bytes).find("— witness").unwrap_or(bytes.len());
        for place in (0..bytes.len()).step_by(step) {
            let mut folder = good.clone();
            folder.0.get_mut(path).unwrap()[place] ^= 1 << (place % 8);
            let checked = check(&folder, &keys);
            if path == "older" && place > cosignatures && checked.is_ok() {
                // Of an older checkpoint only the log's signature is asked for; a line that names nobody is ignored.
                continue;
            }
            let fault = checked.unwrap_err();
            let file = if path == "older" { "older checkpoint" } else { path };
            // A bit of a leaf hash may be read as a changed entry: both are named in the reason.
            let named = fault.file == file || fault.to_string().contains(file);
            assert!(named, "{path}, byte {place}: {fault}");
        }
    }
}

#[test]
fn a_reader_of_entries_may_refuse_one() {
    struct Picky;
    impl Watch for Picky {
        fn entry(&mut self, index: u64, _: &[u8], _: &Hash) -> Result<(), String> {
            if index == 300 { Err("not an entry".to_owned()) } else { Ok(()) }
        }
    }
    let keys = Keys::new(0);
    let folder = Folder::log(&keys, &entries(600));
    let policy = keys.policy();
    let against = Against { policy: &policy, now: now(), older: None };
    let fault = verify(&folder, &against, &mut Picky).unwrap_err();
    assert_eq!(fault.to_string(), "`tile/entries/001`, entry 300: not an entry");
}

/// A receipt is for one entry at one place under one checkpoint.
#[test]
fn a_receipt_for_anything_else_is_refused() {
    let keys = Keys::new(2);
    let folder = Folder::log(&keys, &entries(600));
    let (receipt, policy) = (folder.receipt(264), keys.policy());
    receipt.verify(&entry(264), &policy, now()).unwrap();
    for (what, bytes) in
        [("changed", b"forged".to_vec()), ("the next", entry(265)), ("none", Vec::new())]
    {
        let error = receipt.verify(&bytes, &policy, now()).unwrap_err();
        assert!(matches!(error, ReceiptError::Proof { index: 264, .. }), "{what}: {error}");
    }
    let text = String::from_utf8(receipt.to_bytes()).unwrap();
    let verify = |text: &str| {
        Receipt::parse(text.as_bytes())
            .and_then(|receipt| receipt.verify(&entry(264), &policy, now()))
    };
    verify(&text.replace("index 264", "extra AAECAw==\nindex 264")).unwrap();
    for (from, to) in [
        ("index 264", "index 265"),
        ("index 264", "index 8"),
        ("index 264", "index 600"),
        ("index 264", "index 0264"),
        ("index 264", "index"),
        ("@v1", "@v2"),
        ("index 264", "extra x\nindex 264"),
        ("index 264", "index 264\nx"),
        ("\n\n", "\n"),
        ("\n600\n", "\n601\n"),
    ] {
        assert_ne!(text.replacen(from, to, 1), text);
        verify(&text.replacen(from, to, 1)).unwrap_err();
    }
    let bytes = text.as_bytes();
    for place in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1 << (place % 8);
        let verified = Receipt::parse(&changed)
            .and_then(|receipt| receipt.verify(&entry(264), &policy, now()));
        assert!(verified.is_err(), "byte {place}");
    }
    let fork = Head { size: 600, root: leaf_hash(b"another") };
    let signed = keys.sign(fork);
    let forged = Receipt::new(264, Vec::new(), signed);
    forged.verify(&entry(264), &policy, now()).unwrap_err();
}
