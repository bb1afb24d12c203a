//! Folders and areas on a temporary disk.

use super::{FileFolder, LogFolders, open_area};
use mayag_audit::log::door::{Area as _, Folder as _, NewFile};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn new_file(name: &str, bytes: &[u8]) -> NewFile {
    NewFile { name: name.to_owned(), bytes: bytes.to_vec() }
}

#[test]
fn everything_is_its_owner_s_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folders = LogFolders::under(&folder.path().join("log"));
    folders.create().unwrap();
    let door = folders.door().unwrap();
    door.published.replace(&[new_file("tile/0/x001/000", b"1")]).unwrap();
    for folder in ["", "tile", "tile/0", "tile/0/x001"] {
        assert_eq!(mode_of(&folders.published.join(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode_of(&folders.published.join("tile/0/x001/000")), 0o600);
    assert_eq!((mode_of(&folders.guard), mode_of(&folders.ahead.join("b"))), (0o700, 0o600));
}

#[test]
fn a_folder_is_opened_only_where_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let folders = LogFolders::under(&folder.path().join("log"));
    let error = folders.door().unwrap_err();
    assert!(error.to_string().contains("ahead/a"), "{error}");
    assert!(!folder.path().join("log").exists());
}

#[test]
fn files_are_replaced_whole_and_leave_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let files = FileFolder::new(folder.path());
    // What a crash left.
    File::create(folder.path().join(".a.new")).unwrap().write_all(b"longer").unwrap();
    for bytes in [b"one", b"two"] {
        files.replace(&[new_file("a", bytes), new_file("b/c", bytes)]).unwrap();
        assert_eq!(files.read("a", 3).unwrap().as_deref(), Some(&bytes[..]));
        assert_eq!(files.read("b/c", 3).unwrap().as_deref(), Some(&bytes[..]));
    }
    files.read("a", 2).unwrap_err();
    assert_eq!(files.read("none", 2).unwrap(), None);
    files.remove("b").unwrap();
    files.remove("b").unwrap();
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn a_lock_is_let_go_even_if_a_child_process_shares_it_for_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (FileFolder::new(folder.path()), FileFolder::new(folder.path()));
    assert!(first.lock().unwrap() && first.lock().unwrap());
    assert!(!second.lock().unwrap());
    let shared = first.lock.lock().as_ref().unwrap().try_clone().unwrap();
    drop(first);
    assert!(second.lock().unwrap());
    drop(shared);
    assert!(!FileFolder::new(folder.path()).lock().unwrap());
}

#[test]
fn an_area_reads_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let area = open_area(&folder.path().join("a")).unwrap();
    area.write_at(4, b"12345678").unwrap();
    area.sync().unwrap();
    assert_eq!(area.length().unwrap(), 12);
    assert_eq!(area.read_at(2, 4).unwrap(), b"\0\x0012");
    assert_eq!(area.read_at(10, 4).unwrap(), b"78");
    assert_eq!(area.read_at(20, 4).unwrap(), b"");
}
