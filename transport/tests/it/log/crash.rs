//! The program is killed at any moment, and the write-ahead file ends anywhere.

use super::{Place, acknowledged, append, entry, logwriter, nothing_is_missing, put_back};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Kills of one run.
const KILLS: u64 = 12;

#[test]
fn whoever_is_killed_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (mut all, mut unpublished) = (Vec::new(), 0);
    for kill in 0..KILLS {
        // Checkpoints are rare in some rounds and always on the way in others.
        let every = if kill % 3 == 0 { "1000" } else { "3" };
        let mut writer = Command::new(logwriter())
            .arg(folder.path())
            .args(["1000000", "4", every])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = writer.stdout.take().unwrap();
        let (begun, begins) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut bytes = vec![0];
            stdout.read_exact(&mut bytes).unwrap();
            begun.send(()).unwrap();
            stdout.read_to_end(&mut bytes).unwrap();
            bytes
        });
        begins.recv().unwrap();
        std::thread::sleep(Duration::from_millis(17 * kill));
        writer.kill().unwrap();
        assert_eq!(writer.wait().unwrap().signal(), Some(9), "it was killed, it did not end");
        let before = all.len();
        all.extend(acknowledged(&reader.join().unwrap()));
        assert!(before < all.len(), "kill {kill}: something was acknowledged before");
        let note = fs::read(folder.path().join("published/checkpoint")).unwrap();
        let note = mayag_audit::checkpoint::CheckpointNote::parse(&note).unwrap();
        unpublished += u64::from(note.checkpoint().head.size < all.len() as u64);
        nothing_is_missing(folder.path(), &all, &format!("kill {kill}"));
    }
    assert!(0 < unpublished, "no kill hit entries that were only written ahead");
}

#[test]
fn a_write_ahead_file_may_end_at_any_byte_past_what_was_signed() {
    const BLOCK: u64 = 4096;
    let place = Place::begun();
    let log = place.open().unwrap();
    append(&log, 0..4);
    drop(log);
    let folders = place.folders();
    let copies =
        [&folders.published, &folders.ahead, &folders.guard].map(|f| (f.clone(), place.copy(f)));
    let area = folders.ahead.join("a");
    // Every byte of each batch, and some of the zeros that fill its last block.
    let ends = |batch: u64| 96 + 2 + entry(batch).len() as u64;
    let cuts = (0..4).flat_map(|batch| {
        let filled = (ends(batch)..BLOCK).step_by(601);
        (0..ends(batch)).chain(filled).map(move |byte| (batch, byte))
    });
    for (batch, byte) in cuts {
        for (folder, copy) in &copies {
            put_back(folder, copy);
        }
        File::options().write(true).open(&area).unwrap().set_len(batch * BLOCK + byte).unwrap();
        let whole = if byte < ends(batch) { batch } else { batch + 1 };
        drop(place.open().unwrap());
        let expected: Vec<_> = (0..whole).map(entry).collect();
        assert_eq!(place.judged(), expected, "batch {batch} cut at byte {byte}");
    }
}
