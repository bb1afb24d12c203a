//! Processes of a federation on this machine: those of the binary `mayag` that Cargo built beside whoever starts them.

use crate::logs;
use crate::world::binary;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a process may take to listen: debug builds on a busy machine are slow.
const START: Duration = Duration::from_mins(1);

/// Where a party's process writes its stderr.
pub fn stderr_path(folder: &Path) -> PathBuf {
    folder.join("stderr.log")
}

/// Starts `mayag node` or `mayag gateway` over the configuration in the party's folder.
pub fn spawn(command: &str, folder: &Path) -> Child {
    logs::begin(command, folder);
    drop(std::fs::remove_file(folder.join("address")));
    let stderr =
        File::options().append(true).create(true).open(stderr_path(folder)).expect("a log file");
    Command::new(binary())
        .arg(command)
        .arg("--config")
        .arg(folder.join(format!("{command}.toml")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .expect("mayag starts")
}

/// Waits until the process has written the address it listens on.
pub fn wait_for_address(folder: &Path, child: &mut Child) {
    let path = folder.join("address");
    let step = Duration::from_millis(5);
    for _ in 0..START.as_millis() / step.as_millis() {
        if path.exists() {
            return;
        }
        if child.try_wait().expect("a child").is_some() {
            break;
        }
        std::thread::sleep(step);
    }
    // Nobody else will: the federation is not whole yet.
    drop(child.kill());
    let said = std::fs::read_to_string(stderr_path(folder)).unwrap_or_default();
    panic!("{} did not listen within {START:?}; it said:\n{said}", folder.display());
}
