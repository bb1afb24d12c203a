//! A folder with the development PKI and Korea's `node.toml`, and `mayag` in it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Makes the folder. The node's configuration is the sample that ships with the product.
pub(crate) fn made() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let said = in_folder(folder.path(), "mayag certs --dir . > /dev/null 2>&1");
    assert_eq!(said, "");
    write(&folder.path().join("kr/node.toml"), include_str!("../../../node/sample/node.toml"));
    folder
}

/// Runs a line as a shell would, with `mayag` in its path; returns everything that it printed and how it ended.
pub(crate) fn in_folder(folder: &Path, line: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_mayag"));
    let bin = binary.parent().expect("a folder").display();
    let output = Command::new("sh")
        .args(["-c", &format!("PATH=\"{bin}:$PATH\"; exec 2>&1; {line}")])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    match output.status.code() {
        Some(0) => said,
        Some(code) => format!("{said}(exit code {code})\n"),
        None => panic!("{line}: killed"),
    }
}

pub(crate) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut file = fs::File::create(path).expect("a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("a file");
}
