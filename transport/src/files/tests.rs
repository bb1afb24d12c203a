//! Files on a temporary disk.

use super::{FilesError, Mode, create_folder, read, read_secret, replace};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls.key");
    replace(&path, b"secret", Mode::Secret).unwrap();
    assert_eq!((read_secret(&path).unwrap().as_str(), mode_of(&path)), ("secret", 0o600));
    for open in [0o640, 0o604, 0o644, 0o620, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
        let fault = read_secret(&path).unwrap_err();
        assert!(matches!(fault, FilesError::Exposed { .. }), "{open:o}");
        let message = fault.to_string();
        assert!(message.contains("chmod 600") && message.contains("tls.key"), "{message}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert_eq!(read_secret(&path).unwrap().as_str(), "secret");
}

#[test]
fn a_link_is_as_secret_as_its_target() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    replace(&target, b"secret", Mode::Public).unwrap();
    symlink(&target, &link).unwrap();
    assert!(matches!(read_secret(&link), Err(FilesError::Exposed { .. })));
    fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read_secret(&link).unwrap().as_str(), "secret");
}

#[test]
fn replacing_leaves_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    replace(&path, b"one", Mode::Public).unwrap();
    assert_eq!(mode_of(&path), 0o644);
    replace(&path, b"two", Mode::Secret).unwrap();
    assert_eq!((read(&path, 3).unwrap(), mode_of(&path)), (b"two".to_vec(), 0o600));
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["state.json"]);
}

#[test]
fn a_failed_replacement_leaves_the_old_file_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taken");
    fs::create_dir(&path).unwrap();
    assert!(matches!(replace(&path, b"x", Mode::Public), Err(FilesError::Write { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(matches!(
        replace(&folder.path().join("no/such"), b"x", Mode::Public),
        Err(FilesError::Write { .. })
    ));
}

#[test]
fn only_short_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long");
    replace(&path, b"1234", Mode::Public).unwrap();
    assert!(matches!(read(&path, 3), Err(FilesError::Long { limit: 3, .. })));
    assert!(matches!(read(folder.path(), 3), Err(FilesError::NotAFile { .. })));
    assert!(matches!(read(Path::new("/dev/zero"), 3), Err(FilesError::NotAFile { .. })));
    assert!(matches!(read(&folder.path().join("none"), 3), Err(FilesError::Read { .. })));
    replace(&path, &[0xff, 0xfe], Mode::Secret).unwrap();
    assert!(matches!(read_secret(&path), Err(FilesError::NotText { .. })));
}

#[test]
fn a_new_folder_is_its_owner_s_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    create_folder(&path).unwrap();
    assert_eq!((mode_of(&path), mode_of(&folder.path().join("a"))), (0o700, 0o700));
    create_folder(&path).unwrap();
    assert!(create_folder(Path::new("/dev/null/x")).is_err());
}
