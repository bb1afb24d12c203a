//! The secrets that lookup tables are hidden by: one seed for each table, which moves on with the epochs.
//!
//! `state/lookups/<table>.key` holds the seed of the oldest epoch that still answers, and nothing older: the seed of the next
//! epoch follows from it (HKDF-Expand of RFC 5869, with the seed as the pseudorandom key), the one before does not. What was
//! published in an ended epoch cannot be tested against guesses any more, not even by who takes the state folder.

use mayag_audit::keys::{Mac, RandomError, random_secret};
use mayag_matching::voprf::Seed;
use mayag_protocol::names::{TableName, hex, unhex};
use mayag_transport::files::{self, FilesError, Mode};
use std::path::{Path, PathBuf};

/// What the seed of the next epoch is derived with.
const NEXT: &[u8] = b"mayag lookup next epoch";

/// More epochs than this at once are not walked: the clock is wrong.
const FURTHEST: u32 = 10_000;

/// Why a table has no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeedError {
    /// The file holds the seed of a later epoch than the present one.
    #[error(
        "`{path}` holds the key of epoch {found}, but the present one is {now}: is the clock right, and was `epoch_days` changed? Remove the file to begin with a new key"
    )]
    Ahead {
        /// The file.
        path: PathBuf,
        /// Its epoch.
        found: u32,
        /// The present one.
        now: u32,
    },
    /// The file cannot be read or written, or others can read it.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// It holds something else.
    #[error(
        "`{0}` does not hold an epoch and 64 hexadecimal digits: restore it, or remove it to begin with a new key"
    )]
    Format(PathBuf),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The seed of a table, from the oldest epoch that still answers.
pub(crate) struct TableSeed {
    table: TableName,
    epoch: u32,
    seed: Seed,
}

impl TableSeed {
    /// Reads the seed of a table, or makes one for the epoch `now`; forgets what is older than the epoch `oldest`, durably.
    pub(crate) fn open(
        folder: &Path,
        table: &TableName,
        oldest: u32,
        now: u32,
    ) -> Result<Self, SeedError> {
        let path = folder.join(format!("{table}.key"));
        if !path.exists() {
            let seed =
                Self { table: table.clone(), epoch: now, seed: Seed::from_bytes(random_secret()?) };
            seed.write(&path)?;
        }
        let kept = Self::read(&path, table)?;
        if kept.epoch > now || oldest.saturating_sub(kept.epoch) > FURTHEST {
            return Err(SeedError::Ahead { path, found: kept.epoch, now });
        }
        if kept.epoch >= oldest {
            return Ok(kept);
        }
        let moved = kept.at(oldest).ok_or_else(|| SeedError::Format(path.clone()))?;
        let moved = Self { table: table.clone(), epoch: oldest, seed: moved };
        moved.write(&path)?;
        Ok(moved)
    }

    /// The oldest epoch that there is a key for.
    pub(crate) fn oldest(&self) -> u32 {
        self.epoch
    }

    /// The seed of an epoch; none of one that is forgotten.
    pub(crate) fn at(&self, epoch: u32) -> Option<Seed> {
        let steps = epoch.checked_sub(self.epoch).filter(|steps| *steps <= FURTHEST)?;
        let mut seed = Seed::from_bytes(*self.seed.as_bytes());
        for step in 0..steps {
            let next = self.epoch.saturating_add(step).saturating_add(1);
            // The first block of HKDF-Expand: info, and the block's number.
            let info =
                [NEXT, b"|", self.table.as_str().as_bytes(), b"|", &next.to_be_bytes(), &[1]];
            seed = Seed::from_bytes(Mac::new(seed.as_bytes()).code(&info.concat()));
        }
        Some(seed)
    }

    fn read(path: &Path, table: &TableName) -> Result<Self, SeedError> {
        let text = files::read_secret(path)?;
        let parsed = text.trim().split_once(' ').and_then(|(epoch, seed)| {
            let seed: [u8; 32] = unhex(seed)?.try_into().ok()?;
            Some((epoch.parse().ok()?, Seed::from_bytes(seed)))
        });
        let (epoch, seed) = parsed.ok_or_else(|| SeedError::Format(path.to_owned()))?;
        Ok(Self { table: table.clone(), epoch, seed })
    }

    fn write(&self, path: &Path) -> Result<(), SeedError> {
        let text = format!("{} {}\n", self.epoch, hex(self.seed.as_bytes()));
        Ok(files::replace(path, text.as_bytes(), Mode::Secret)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{SeedError, TableSeed};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    fn open(folder: &Path, oldest: u32, now: u32) -> Result<TableSeed, SeedError> {
        TableSeed::open(folder, &"documents".parse().unwrap(), oldest, now)
    }

    fn bytes(seed: &TableSeed, epoch: u32) -> Option<[u8; 32]> {
        seed.at(epoch).map(|seed| *seed.as_bytes())
    }

    #[test]
    fn a_seed_moves_on_and_never_back() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), 9, 10).unwrap();
        let of: Vec<_> = (9..13).map(|epoch| bytes(&first, epoch)).collect();
        assert_eq!(of[0], None, "nobody knows the key of an epoch before the first");
        assert!(of[1] != of[2] && of[2] != of[3]);
        let later = open(folder.path(), 11, 12).unwrap();
        assert_eq!((later.oldest(), bytes(&later, 10)), (11, None));
        assert_eq!((bytes(&later, 11), bytes(&later, 12)), (of[2], of[3]));
        let text = std::fs::read_to_string(folder.path().join("documents.key")).unwrap();
        assert!(text.starts_with("11 "), "the older seed is gone");
        assert!(matches!(open(folder.path(), 10, 10), Err(SeedError::Ahead { .. })));
    }

    #[test]
    fn only_its_owner_reads_it_and_tables_differ() {
        let folder = tempfile::tempdir().unwrap();
        let documents = open(folder.path(), 1, 1).unwrap();
        let path = folder.path().join("documents.key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::copy(&path, folder.path().join("phones.key")).unwrap();
        let phones = TableSeed::open(folder.path(), &"phones".parse().unwrap(), 2, 2).unwrap();
        assert_ne!(bytes(&documents, 2), bytes(&phones, 2));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(open(folder.path(), 1, 1), Err(SeedError::Files(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), b"1 x\n").unwrap();
        assert!(matches!(open(folder.path(), 1, 1), Err(SeedError::Format(_))));
    }
}
