//! Writes logs for verifiers that are not ours: `sample_log FOLDER`.
//!
//! Below `FOLDER` come `good/SIZE` for the awkward sizes and `changed/NAME` for every row of the table of changes. Each
//! holds `log` (the folder to verify), `keys`, `older` (a checkpoint that was kept), `receipt.tlog-proof` and `entry`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    dead_code,
    reason = "a tool for tests, which shares their samples and ends at the first thing that fails"
)]

#[path = "../tests/it/mutations.rs"]
mod mutations;
#[path = "../tests/it/sample.rs"]
mod sample;

use sample::{Folder, Keys, entries, entry};
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap());
    let keys = Keys::new(2);
    for size in [1, 2, 3, 255, 256, 257, 65_536, 70_000] {
        let log = Folder::log(&keys, &entries(size));
        let at = folder.join("good").join(size.to_string());
        write(&at, &log, &keys);
        let index = size / 2;
        file(&at.join("receipt.tlog-proof"), &log.receipt(index).to_bytes());
        file(&at.join("entry"), &entry(index));
    }
    let good = Folder::log(&keys, &entries(600));
    let receipt = good.receipt(264).to_bytes();
    let mut count = 0;
    let mut changed = |name: &str, log: &Folder, receipt: &[u8], entry: &[u8]| {
        let at = folder.join("changed").join(name);
        write(&at, log, &keys);
        file(&at.join("receipt.tlog-proof"), receipt);
        file(&at.join("entry"), entry);
        count += 1;
    };
    for mutation in mutations::mutations(&keys, &good) {
        changed(&mutation.name, &mutation.folder, &receipt, &entry(264));
    }
    changed("receipt-of-a-changed-entry", &good, &receipt, b"forged");
    let index = String::from_utf8(receipt.clone()).unwrap().replace("index 264", "index 265");
    changed("receipt-at-another-index", &good, index.as_bytes(), &entry(264));
    for (place, bits) in flips(&receipt) {
        changed(&format!("receipt-byte-{place}"), &good, &bits, &entry(264));
    }
    for (path, bytes) in &good.0 {
        // Of the older checkpoint only the log's signature is asked for.
        let signed = String::from_utf8_lossy(bytes).find("— witness").filter(|_| path == "older");
        for (place, bits) in flips(bytes) {
            if signed.is_none_or(|end| place < end) {
                let mut log = good.clone();
                log.0.insert(path.clone(), bits);
                let name = format!("{}-byte-{place}", path.replace('/', "-"));
                changed(&name, &log, &receipt, &entry(264));
            }
        }
    }
    println!("{count} changed logs");
}

/// One bit changed in some 40 places of a file.
fn flips(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let step = (bytes.len() / 40).max(1);
    let flip = |place: usize| {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1 << (place % 8);
        (place, changed)
    };
    (0..bytes.len()).step_by(step).map(flip).collect()
}

fn write(at: &Path, log: &Folder, keys: &Keys) {
    for (path, bytes) in &log.0 {
        let below = if path == "older" { at.join(path) } else { at.join("log").join(path) };
        file(&below, bytes);
    }
    file(&at.join("keys"), keys.file().as_bytes());
}

fn file(path: &Path, bytes: &[u8]) {
    DirBuilder::new().recursive(true).create(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().write_all(bytes).unwrap();
}
