//! How fast a log appends, against the least that a durable append can cost.
//!
//! The peer is a loop that writes as many bytes at the end of a file and syncs them, one group after the other, on the same
//! disk in the same run: before and after the log, because disks change their mind. Everything else counts against the
//! log: hashing, handing entries over between threads, tiles, checkpoints and their syncs.

use crate::clock::SystemClock;
use crate::files::FilesError;
use crate::log_files::LogFolders;
use crate::log_keeper::{EVERY, LogKeeper};
use mayag_audit::keys::{KeyError, SigningKey};
use mayag_audit::log::Log;
use mayag_audit::log::commit::Kind;
use mayag_audit::log::error::{AppendError, IntegrateError};
use mayag_audit::log::start::{Settings, StartError};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tokio::time::Instant;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Entries appended altogether.
    pub entries: u64,
    /// Bytes of one.
    pub entry_bytes: usize,
    /// Callers at once, each of which waits for its receipt before it appends again.
    pub callers: u64,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Durable appends a second.
    pub appends_per_second: f64,
    /// The same by the raw loop, with groups of `group` entries.
    pub raw_per_second: f64,
    /// Entries in one sync of the log, on average.
    pub group: u64,
}

impl Measured {
    /// The log's part of what the raw loop does.
    pub fn ratio(&self) -> f64 {
        self.appends_per_second / self.raw_per_second
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// An entry was refused.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A file was not written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The last checkpoint was not made.
    #[error(transparent)]
    Integrate(#[from] IntegrateError),
    /// The raw loop failed.
    #[error("the raw loop: {0}")]
    Raw(#[from] io::Error),
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The log did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The name of the log was refused.
    #[error("the name of the measured log was refused")]
    Name,
}

/// Measures in a new folder below `folder`, which must not have been measured in before.
pub fn append_against_raw(folder: &Path, load: &Load) -> Result<Measured, MeasureError> {
    let folders = LogFolders::under(&folder.join("log"));
    folders.create()?;
    let settings = Settings {
        origin: "measured.example/log".parse().map_err(|_| MeasureError::Name)?,
        key: Arc::new(SigningKey::from_pem(&SigningKey::generate()?)?),
        clock: Arc::new(SystemClock),
        witnessing: None,
    };
    Log::init(&folders.door()?, &settings)?;
    let log = Arc::new(Log::open(folders.door()?, settings, &[])?);
    let raw_file = folder.join("raw");
    // A first look at the disk, to know neither loop by its first writes.
    raw(&raw_file, load, 64, load.entries / 8)?;

    let (time, appended) = appends(&log, load)?;
    let group = (appended / log.syncs().max(1)).max(1);
    let before = raw(&raw_file, load, group, load.entries / 2)?;
    let (time_again, appended_again) = appends(&log, load)?;
    let after = raw(&raw_file, load, group, load.entries / 2)?;
    Ok(Measured {
        appends_per_second: rate(appended + appended_again, time + time_again),
        raw_per_second: rate(before.1 + after.1, before.0 + after.0),
        group,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Appends from many threads until everything is durable and published.
fn appends(log: &Arc<Log>, load: &Load) -> Result<(Duration, u64), MeasureError> {
    let taken = AtomicU64::new(0);
    let start = Instant::now();
    let keeper = LogKeeper::start(Arc::clone(log), EVERY, |_| ())?;
    let outcomes: Vec<Result<(), AppendError>> = thread::scope(|scope| {
        let callers: Vec<_> =
            (0..load.callers).map(|_| scope.spawn(|| append_all(log, load, &taken))).collect();
        callers.into_iter().filter_map(|caller| caller.join().ok()).collect()
    });
    outcomes.into_iter().collect::<Result<(), AppendError>>()?;
    keeper.stop()?;
    Ok((start.elapsed(), load.entries))
}

fn append_all(log: &Log, load: &Load, taken: &AtomicU64) -> Result<(), AppendError> {
    loop {
        let number = taken.fetch_add(1, Ordering::Relaxed);
        if load.entries <= number {
            return Ok(());
        }
        log.append(Kind::Record, entry(load, number))?;
    }
}

/// An entry of which no two are the same.
fn entry(load: &Load, number: u64) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(load.entry_bytes).collect()
}

/// The raw loop: appends at least `entries` entries, a group at a time.
fn raw(
    path: &Path,
    load: &Load,
    group: u64,
    entries: u64,
) -> Result<(Duration, u64), MeasureError> {
    let mut file = File::options().append(true).create(true).open(path)?;
    let bytes: Vec<u8> = (0..group).flat_map(|number| entry(load, number)).collect();
    let start = Instant::now();
    let mut written = 0;
    while written < entries {
        file.write_all(&bytes)?;
        file.sync_data()?;
        written += group;
    }
    Ok((start.elapsed(), written))
}
