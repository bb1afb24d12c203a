//! The memory of released cells: files that say of which units something was released, of which version of which data.
//!
//! A file for each dataset. What a question releases is durable before anything of it leaves; after a crash in between,
//! sets count as released that were not, which withholds more. When a node starts, what was released of other versions
//! of the data is dropped: no later question can be answered from them.
//!
//! The files hold keyed sums over units, never a unit. They are as secret as the node's state folder: with the node's
//! secret somebody could ask whether a person they know is in a set.

use crate::records::{Records, RecordsError};
use mayag_disclosure::{DataVersion, Memory, Remembered};
use mayag_protocol::names::DatasetName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What one question released of one dataset.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// As [`Remembered::to_bytes`] writes them, in hexadecimal digits.
    sets: Vec<String>,
}

/// The memory, open. Used by one question at a time: of two at once each would be judged without the other.
#[derive(Debug)]
pub struct Released {
    folder: PathBuf,
    memory: Memory,
    files: BTreeMap<DatasetName, Records>,
}

impl Released {
    /// Opens the memory of these datasets, and drops what is of another version of the data.
    pub fn open(
        folder: &Path,
        datasets: &[&DatasetName],
        version: &DataVersion,
    ) -> Result<Self, RecordsError> {
        let mut released =
            Self { folder: folder.to_owned(), memory: Memory::default(), files: BTreeMap::new() };
        for dataset in datasets {
            released.open_one(dataset, version)?;
        }
        Ok(released)
    }

    fn open_one(
        &mut self,
        dataset: &DatasetName,
        version: &DataVersion,
    ) -> Result<(), RecordsError> {
        let path = self.folder.join(format!("released-{dataset}.log"));
        let (mut kept, mut dropped, mut unreadable) = (Vec::new(), 0_u64, false);
        let records = Records::open(&path, |record: Record| {
            for set in record.sets {
                let bytes = mayag_protocol::names::unhex(&set);
                match bytes.and_then(|bytes| Remembered::from_bytes(&bytes)) {
                    Some(set) if set.version == *version => kept.push(set),
                    Some(_) => dropped += 1,
                    None => unreadable = true,
                }
            }
        })?;
        if unreadable {
            return Err(RecordsError::Broken { path, line: 0 });
        }
        let records = if dropped == 0 {
            records
        } else {
            // Written anew beside it; a crash before the rename leaves the old file, which says more.
            records.replace(&kept.chunks(MOST_IN_A_LINE).map(record).collect::<Vec<_>>())?
        };
        for set in kept {
            self.memory.remember(set);
        }
        self.files.insert(dataset.clone(), records);
        Ok(())
    }

    /// What was released before.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Remembers what a question releases, durably. What is known already costs nothing.
    pub fn remember(&mut self, sets: &[Remembered]) -> Result<(), RecordsError> {
        let mut of_datasets: BTreeMap<&str, Vec<Remembered>> = BTreeMap::new();
        for set in sets.iter().filter(|set| !self.knows(set)) {
            of_datasets.entry(&set.dataset).or_default().push(set.clone());
        }
        for (dataset, sets) in of_datasets {
            let missing = || RecordsError::Closed(self.folder.join(dataset));
            let file = self.files.iter_mut().find(|(name, _)| name.as_str() == dataset);
            let (_, file) = file.ok_or_else(missing)?;
            for sets in sets.chunks(MOST_IN_A_LINE) {
                file.append(&record(sets))?;
            }
            for set in sets {
                self.memory.remember(set);
            }
        }
        Ok(())
    }

    fn knows(&self, set: &Remembered) -> bool {
        use mayag_disclosure::Earlier as _;
        let mut known = false;
        let units = set.set.units();
        self.memory.near(set, units..=units, &mut |descriptor, other| {
            known |= *descriptor == set.descriptor && other.is_same(&set.set);
        });
        known
    }
}

/// Sets in one line at most: ten megabytes.
const MOST_IN_A_LINE: usize = 10_000;

fn record(sets: &[Remembered]) -> Record {
    Record { sets: sets.iter().map(|set| mayag_protocol::names::hex(&set.to_bytes())).collect() }
}

#[cfg(test)]
mod tests {
    use super::Released;
    use crate::records::RecordsError;
    use mayag_disclosure::{DataVersion, Descriptor, Remembered, UnitDigest, UnitSet};
    use mayag_protocol::names::DatasetName;
    use std::path::Path;

    fn set(version: u8, descriptor: u8, units: u8) -> Remembered {
        let mut of_units = UnitSet::empty();
        for unit in 0..units {
            of_units.add(&UnitDigest([unit; 16]));
        }
        Remembered {
            dataset: "a".to_owned(),
            version: DataVersion([version; 32]),
            kind: 0,
            descriptor: Descriptor([descriptor; 16]),
            set: of_units,
        }
    }

    fn open(folder: &Path, version: u8) -> Result<Released, RecordsError> {
        let name: DatasetName = "a".parse().unwrap();
        Released::open(folder, &[&name], &DataVersion([version; 32]))
    }

    #[test]
    fn what_was_released_survives_a_restart_and_not_a_change_of_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("released-a.log");
        let mut released = open(folder.path(), 1).unwrap();
        released.remember(&[set(1, 1, 20), set(1, 2, 30)]).unwrap();
        let length = std::fs::metadata(&file).unwrap().len();
        released.remember(&[set(1, 1, 20)]).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().len(), length, "known already");
        assert!(matches!(open(folder.path(), 1), Err(RecordsError::Locked(_))));
        drop(released);
        assert_eq!(open(folder.path(), 1).unwrap().memory().len(), 2);
        assert_eq!(open(folder.path(), 2).unwrap().memory().len(), 0);
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 0, "dropped from the file too");
        let mut released = open(folder.path(), 2).unwrap();
        released.remember(&[set(2, 1, 21)]).unwrap();
        released.remember(&[set(3, 1, 22)]).unwrap();
        drop(released);
        assert_eq!(open(folder.path(), 3).unwrap().memory().len(), 1);
        assert_eq!(open(folder.path(), 3).unwrap().memory().len(), 1);
    }

    #[test]
    fn a_memory_that_was_changed_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let mut released = open(folder.path(), 1).unwrap();
        released.remember(&[set(1, 1, 20)]).unwrap();
        drop(released);
        let file = folder.path().join("released-a.log");
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[90] ^= 1;
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), &bytes).unwrap();
        assert!(matches!(open(folder.path(), 1), Err(RecordsError::Broken { .. })));
    }
}
