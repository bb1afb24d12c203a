//! The disk is full: questions are refused with a reason, what must be written still is, and it passes.

use super::{ORIGIN, entry, judged, key, settings};
use mayag_audit::log::Log;
use mayag_audit::log::commit::Kind;
use mayag_audit::log::error::{AppendError, IntegrateError};
use mayag_transport::log_files::LogFolders;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A small file system in memory, unmounted at the end.
struct Small(tempfile::TempDir);

impl Small {
    /// `None` where this process may not mount.
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status();
        mount.is_ok_and(|status| status.success()).then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left but so many bytes.
    fn fill(&self, but: usize) {
        let mut file = File::create(self.path().join("ballast")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(but as u64)).unwrap();
    }

    fn free(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_questions_and_forgets_nothing() {
    let Some(disk) = Small::new("16m") else {
        eprintln!(
            "SKIPPED: a full disk was not tried, because this process may not mount a tmpfs; run it as root"
        );
        return;
    };
    let key = Arc::new(key());
    let folders = LogFolders::under(disk.path());
    folders.create().unwrap();
    let settings = settings(ORIGIN, Arc::clone(&key));
    Log::init(&folders.door().unwrap(), &settings).unwrap();
    let log = Log::open(folders.door().unwrap(), settings.clone(), &[]).unwrap();
    let mut taken = Vec::new();
    let mut add = |kind, bytes: Vec<u8>| {
        let receipt = log.append(kind, bytes.clone())?;
        assert_eq!(receipt.index(), taken.len() as u64);
        taken.push(bytes);
        Ok(())
    };

    // The write-ahead file may not grow: questions are refused while the reserve takes what must be written.
    disk.fill(0);
    let bulky = || vec![7; 60_000];
    let refused: AppendError = (0..100)
        .find_map(|_| add(Kind::Question, bulky()).err())
        .expect("the disk is full, and questions are taken for ever");
    assert!(matches!(refused, AppendError::Full { .. }), "{refused}");
    assert!(refused.to_string().contains("questions are refused until there is room"), "{refused}");
    add(Kind::Record, entry(1)).unwrap();
    assert!(matches!(log.admits(Kind::Question, 1), Err(AppendError::Full { .. })));
    let refused: AppendError =
        (0..100).find_map(|_| add(Kind::Record, bulky()).err()).expect("the reserve has an end");
    assert!(matches!(refused, AppendError::Full { .. }), "{refused}");

    // Nothing can be published. It is tried again, and succeeds when there is room.
    assert!(matches!(log.integrate(), Err(IntegrateError::Full { .. })));
    assert!(matches!(log.integrate(), Err(IntegrateError::Full { .. })));
    add(Kind::Record, entry(2)).unwrap();
    assert!(log.failed().is_none());
    disk.free();
    log.integrate().unwrap();
    log.integrate().unwrap();
    add(Kind::Question, entry(3)).unwrap();
    log.integrate().unwrap();
    drop(log);
    assert_eq!(judged(&folders.published, ORIGIN, &key), taken);

    // A start on a full disk says so, and the next one goes on.
    let log = Log::open(folders.door().unwrap(), settings.clone(), &[]).unwrap();
    log.append(Kind::Question, entry(4)).unwrap();
    drop(log);
    disk.fill(0);
    let error = Log::open(folders.door().unwrap(), settings.clone(), &[]).unwrap_err();
    assert!(error.to_string().contains("not brought up to date"), "{error}");
    disk.free();
    Log::open(folders.door().unwrap(), settings, &[]).unwrap();
    assert_eq!(judged(&folders.published, ORIGIN, &key).len(), taken.len() + 1);
}
