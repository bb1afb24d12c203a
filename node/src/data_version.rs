//! Which version of its data a node answers from: a digest of the names, lengths and times of its sources' files.
//!
//! Noise is drawn and released cells are compared within one version. It is taken before a question is worked on and
//! again afterwards: an answer is about one version, or there is none.

use crate::engine::sources::Source;
use mayag_audit::keys::sha256;
use mayag_protocol::names::Digest;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// How deep a folder of files may be: hive partitions of a few columns.
const DEEPEST: u32 = 8;

/// The version of these sources' files now. O(files).
pub fn data_version(sources: &[Source]) -> io::Result<Digest> {
    let mut lines = Vec::new();
    for source in sources {
        describe(source.name.as_str(), &source.path, DEEPEST, &mut lines)?;
    }
    lines.sort();
    Ok(sha256(lines.concat().as_bytes()))
}

fn describe(name: &str, path: &Path, deepest: u32, lines: &mut Vec<String>) -> io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() {
        lines.push(line(name, &metadata));
        return Ok(());
    }
    if deepest == 0 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        // Escaped, so that no name can look like two.
        let name = format!("{name}/{}", entry.file_name().to_string_lossy().escape_default());
        describe(&name, &entry.path(), deepest - 1, lines)?;
    }
    Ok(())
}

fn line(name: &str, metadata: &Metadata) -> String {
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    format!("{name} {} {modified:?}\n", metadata.len())
}

#[cfg(test)]
mod tests {
    use super::data_version;
    use crate::engine::sources::{Format, Source};
    use std::fs::File;
    use std::io::Write as _;
    use std::path::Path;
    use std::time::Duration;

    fn source(path: &Path) -> Source {
        Source {
            columns: Vec::new(),
            format: Format::Csv,
            name: "a".parse().unwrap(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn every_change_of_a_file_is_another_version() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("year=2024");
        std::fs::create_dir(&part).unwrap();
        let write = |name: &str, text: &str| {
            File::create(part.join(name)).unwrap().write_all(text.as_bytes()).unwrap();
        };
        write("one.csv", "a\n1\n");
        let sources = [source(folder.path())];
        let mut versions = vec![data_version(&sources).unwrap()];
        assert_eq!(data_version(&sources).unwrap(), versions[0]);
        let mut changed = |what: &str| {
            let version = data_version(&sources).unwrap();
            assert!(!versions.contains(&version), "{what}");
            versions.push(version);
        };
        write("two.csv", "a\n");
        changed("a file more");
        write("two.csv", "a\n2\n");
        changed("a longer file");
        let later = std::time::UNIX_EPOCH + Duration::from_nanos(1);
        File::options()
            .write(true)
            .open(part.join("two.csv"))
            .unwrap()
            .set_modified(later)
            .unwrap();
        changed("a file of the same length and of another time");
        std::fs::remove_file(part.join("one.csv")).unwrap();
        changed("a file less");
        data_version(&[source(&folder.path().join("nothing"))]).unwrap_err();
    }
}
