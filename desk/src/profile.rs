//! `<person>.toml`: who asks, through which gateway, with which keys. Unknown keys are refused; paths are relative to
//! the profile's folder.
//!
//! Every file it names is trusted by the desk: who can write the roster keys decides whose answers count as signed, who
//! can read the question key can ask in the person's name.

use mayag_protocol::identity::Identity;
use mayag_protocol::names::Federation;
use mayag_protocol::purpose::Purpose;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The longest profile that is read.
const LONGEST: usize = 64 * 1024;

/// The longest file that holds an address.
const LONGEST_ADDRESS: u64 = 1024;

/// A person's profile.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The federation's name, as in its identities.
    pub federation: Federation,
    /// Who asks.
    pub identity: Identity,
    /// The purpose used where none is given.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// The catalogue; the one built in if absent.
    #[serde(default)]
    pub catalogue: Option<PathBuf>,
    /// Folder that remembers the highest roster version and the directories of tables that were seen, and keeps what lookups
    /// fetched, and sealed for auditors; nothing is remembered if absent.
    #[serde(default)]
    pub state: Option<PathBuf>,
    /// The gateway.
    pub gateway: Gateway,
    /// Keys, certificates and roster.
    pub pki: Pki,
}

/// The gateway questions are sent to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Who it must be. Questions are signed for this gateway alone.
    pub identity: Identity,
    /// Where it listens, such as `127.0.0.1:7443`.
    #[serde(default)]
    pub address: Option<String>,
    /// A file that holds the address, read at every question; instead of `address`.
    #[serde(default)]
    pub address_file: Option<PathBuf>,
}

/// Keys, certificates and roster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pki {
    /// Folder of the authorities' certificates, `*.crt`.
    pub authorities: PathBuf,
    /// Folder of their revocation lists, `*.crl`; one per authority.
    pub revocations: PathBuf,
    /// The person's TLS certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The private key that signs questions.
    pub question_key: PathBuf,
    /// The signed roster.
    pub roster: PathBuf,
    /// The trusted roster keys.
    pub roster_keys: PathBuf,
}

/// Why a profile is not used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Neither `address` nor `address_file`, or both.
    #[error("gateway: give either `address` or `address_file`")]
    Address,
    /// The file that holds the gateway's address could not be read.
    #[error("the gateway's address file {path}: {reason}: is the gateway running?")]
    AddressFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An identity of another federation or kind.
    #[error("`{found}` is not {expected}")]
    Identity {
        /// The identity found.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// The file is no profile.
    #[error("{path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The file could not be read.
    #[error("reading the profile {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Profile {
    /// Reads a profile and resolves its paths against its folder.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ProfileError::Read { path: path.to_owned(), source })?;
        let mut profile = Self::parse(&text)
            .map_err(|reason| ProfileError::Parse { path: path.to_owned(), reason })?;
        profile.check()?;
        profile.resolve(path.parent().unwrap_or_else(|| Path::new(".")));
        Ok(profile)
    }

    /// Parses a profile; its paths stay as written.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("longer than {LONGEST} bytes"));
        }
        toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', " "))
    }

    /// Where the gateway listens, read from its file if the profile names one.
    pub fn gateway_address(&self) -> Result<String, ProfileError> {
        let path = match (&self.gateway.address, &self.gateway.address_file) {
            (Some(address), None) => return Ok(address.clone()),
            (None, Some(path)) => path,
            (Some(_), Some(_)) | (None, None) => return Err(ProfileError::Address),
        };
        let failed = |reason: String| ProfileError::AddressFile { path: path.clone(), reason };
        let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if length > LONGEST_ADDRESS {
            return Err(failed("longer than an address".to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Ok(text.trim().to_owned())
    }

    fn check(&self) -> Result<(), ProfileError> {
        use mayag_protocol::identity::Kind;
        let refused = |identity: &Identity, expected| ProfileError::Identity {
            found: identity.to_string(),
            expected,
        };
        if self.identity.federation != self.federation || self.identity.kind() != Kind::Analyst {
            return Err(refused(&self.identity, "an analyst of this federation"));
        }
        let gateway = &self.gateway.identity;
        if gateway.federation != self.federation || gateway.kind() != Kind::Gateway {
            return Err(refused(gateway, "a gateway of this federation"));
        }
        if self.gateway.address.is_some() == self.gateway.address_file.is_some() {
            return Err(ProfileError::Address);
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        let Pki { authorities, revocations, certificate, key, question_key, roster, roster_keys } =
            &mut self.pki;
        let pki = [authorities, revocations, certificate, key, question_key, roster, roster_keys];
        let optional =
            self.catalogue.iter_mut().chain(&mut self.state).chain(&mut self.gateway.address_file);
        for path in pki.into_iter().chain(optional) {
            *path = folder.join(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Profile, ProfileError};
    use std::path::Path;

    const SAMPLE: &str = include_str!("../sample/profile.toml");

    #[test]
    fn the_sample_is_a_profile() {
        let mut profile = Profile::parse(SAMPLE).unwrap();
        profile.check().unwrap();
        profile.resolve(Path::new("/etc/mayag"));
        assert_eq!(profile.identity.to_string(), "spiffe://demo/country/kr/analyst/hana");
        assert_eq!(profile.purpose, None, "a purpose is stated, never assumed");
        assert_eq!(profile.pki.roster, Path::new("/etc/mayag/../pki/roster.json"));
        assert_eq!(profile.gateway_address().unwrap(), "127.0.0.1:7443");
    }

    #[test]
    fn unknown_keys_and_wrong_parties_are_refused() {
        let changed = |from: &str, to: &str| {
            assert!(SAMPLE.contains(from), "{from}");
            SAMPLE.replace(from, to)
        };
        Profile::parse(&changed("[gateway]", "[gateway]\nverify = false")).unwrap_err();
        let check = |from: &str, to: &str| Profile::parse(&changed(from, to)).unwrap().check();
        for (from, to) in
            [("demo/gateway/1", "demo/country/kr/node"), ("demo/gateway/1", "other/gateway/1")]
        {
            assert!(matches!(check(from, to), Err(ProfileError::Identity { .. })), "{to}");
        }
        assert!(matches!(
            check("kr/analyst/hana", "kr/administrator/min"),
            Err(ProfileError::Identity { .. })
        ));
        assert!(matches!(check("address =", "# address ="), Err(ProfileError::Address)));
        assert!(matches!(
            check("address =", "address_file = \"x\"\naddress ="),
            Err(ProfileError::Address)
        ));
    }
}
