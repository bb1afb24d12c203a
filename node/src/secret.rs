//! The node's secret: the key of everything about units that must look random to everybody else.
//!
//! It is made when the node first starts and lives in the state folder. Losing it redraws all noise, so that answers
//! from before and after can be averaged: it is kept like the signing keys. The workers know it, because they hold the
//! rows anyway; no log, no answer and no `Debug` ever does.

use mayag_audit::keys::{RandomError, random_secret};
use mayag_protocol::names::{hex, unhex};
use mayag_transport::files::{self, FilesError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The file inside the state folder.
const FILE: &str = "noise.key";

/// 32 random bytes. Serialised for the pipe to the node's own workers, and for nothing else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret([u8; 32]);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or written, or others can read it.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// It holds something else.
    #[error("`{0}` does not hold 64 hexadecimal digits: restore it; a new one redraws all noise")]
    Format(PathBuf),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Secret {
    /// These bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the secret of a state folder, or makes it.
    pub(crate) fn open(state: &Path) -> Result<Self, SecretError> {
        let path = state.join(FILE);
        if !path.exists() {
            let secret = random_secret()?;
            files::replace(&path, format!("{}\n", hex(&secret)).as_bytes(), files::Mode::Secret)?;
        }
        let text = files::read_secret(&path)?;
        Self::try_from(text.trim().to_owned()).map_err(|_| SecretError::Format(path))
    }
}

/// A text that is not 64 hexadecimal digits. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hexadecimal digits")]
pub struct SecretFormat;

impl TryFrom<String> for Secret {
    type Error = SecretFormat;

    fn try_from(text: String) -> Result<Self, SecretFormat> {
        let bytes = unhex(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(SecretFormat)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        hex(&secret.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE, Secret, SecretError};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::open(folder.path()).unwrap();
        assert_eq!(Secret::open(folder.path()).unwrap(), secret);
        assert_eq!(format!("{secret:?}"), "Secret([redacted])");
        let path = folder.path().join(FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Secret::open(folder.path()), Err(SecretError::Files(_))));
        std::fs::remove_file(&path).unwrap();
        assert_ne!(Secret::open(folder.path()).unwrap(), secret, "a lost one is another one");
    }
}
