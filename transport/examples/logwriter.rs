//! Appends entries to a log from many threads, and says which were acknowledged: `logwriter FOLDER ENTRIES THREADS MILLIS`.
//!
//! Begins the log if `FOLDER` has no key yet. Each acknowledged entry is one line `INDEX LEAFHASH` on standard output, written
//! after the receipt. Checkpoints are made every MILLIS milliseconds. Tests kill it and make its system calls fail. Exit codes: 0 done,
//! 2 usage, 3 not started, 4 the log closed.

use mayag_audit::keys::SigningKey;
use mayag_audit::log::Log;
use mayag_audit::log::commit::Kind;
use mayag_audit::log::start::Settings;
use mayag_transport::clock::SystemClock;
use mayag_transport::files::{self, Mode};
use mayag_transport::log_files::LogFolders;
use mayag_transport::log_keeper::LogKeeper;
use std::error::Error;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

struct Orders {
    folder: PathBuf,
    entries: u64,
    threads: u64,
    every: Duration,
}

fn main() -> ExitCode {
    let Some(orders) = orders() else {
        say("usage: logwriter FOLDER ENTRIES THREADS MILLIS");
        return ExitCode::from(2);
    };
    let log = match open(&orders.folder) {
        Ok(log) => Arc::new(log),
        Err(error) => {
            say(&format!("not started: {error}"));
            return ExitCode::from(3);
        }
    };
    match append(&log, &orders) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("stopped: {error}"));
            ExitCode::from(4)
        }
    }
}

fn orders() -> Option<Orders> {
    let mut words = std::env::args().skip(1);
    Some(Orders {
        folder: words.next()?.into(),
        entries: words.next()?.parse().ok()?,
        threads: words.next()?.parse().ok()?,
        every: Duration::from_millis(words.next()?.parse().ok()?),
    })
}

fn open(folder: &Path) -> Result<Log, Box<dyn Error>> {
    let folders = LogFolders::under(folder);
    let key_file = folder.join("log.key");
    let begin = !key_file.exists();
    if begin {
        folders.create()?;
        files::replace(&key_file, SigningKey::generate()?.as_bytes(), Mode::Secret)?;
    }
    let settings = Settings {
        origin: "logwriter.example/log".parse()?,
        key: Arc::new(SigningKey::from_pem(&files::read_secret(&key_file)?)?),
        clock: Arc::new(SystemClock),
        witnessing: None,
    };
    if begin {
        Log::init(&folders.door()?, &settings)?;
    }
    Ok(Log::open(folders.door()?, settings, &[])?)
}

fn append(log: &Arc<Log>, orders: &Orders) -> Result<(), Box<dyn Error>> {
    let keeper = LogKeeper::start(Arc::clone(log), orders.every, |_| ())?;
    let taken = AtomicU64::new(0);
    let outcomes: Vec<Result<(), String>> = thread::scope(|scope| {
        let caller = || {
            while taken.fetch_add(1, Ordering::Relaxed) < orders.entries {
                let entry = entry().map_err(|error| error.to_string())?;
                let receipt =
                    log.append(Kind::Question, entry).map_err(|error| error.to_string())?;
                let line = format!("{} {}\n", receipt.index(), receipt.leaf());
                io::stdout().write_all(line.as_bytes()).map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        #[expect(clippy::needless_collect, reason = "all begin before one is waited for")]
        let threads: Vec<_> = (0..orders.threads).map(|_| scope.spawn(caller)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    outcomes.into_iter().collect::<Result<(), String>>()?;
    Ok(keeper.stop()?)
}

/// Random bytes of some length, so that batches end anywhere.
fn entry() -> Result<Vec<u8>, Box<dyn Error>> {
    let seed = mayag_audit::keys::random_secret()?;
    let length = usize::from(seed[0]) * usize::from(seed[1] % 32);
    Ok(seed.into_iter().cycle().take(32 + length).collect())
}

fn say(text: &str) {
    // Nobody may be listening.
    let _said = writeln!(io::stderr(), "{text}");
}
