//! A party's own certificate and private key, exchangeable while it runs.

use crate::files::{self, FilesError};
use crate::peer::{self, Use};
use crate::tls;
use crate::trust::{IdentityFiles, one_in_pem, timestamp};
use mayag_protocol::identity::Identity;
use mayag_protocol::timestamp::{Clock, Timestamp};
use parking_lot::RwLock;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The longest certificate that is read; one with a single identity has about a kilobyte.
const LONGEST_CERTIFICATE: usize = 64 * 1024;

/// Why a party's own certificate is not used. At a reload, what was in force before still is.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file was not read.
    #[error(transparent)]
    File(#[from] FilesError),
    /// It does not hold one certificate.
    #[error("`{path}` is not exactly one certificate in PEM (`BEGIN CERTIFICATE`)")]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// The certificate could not be used here.
    #[error("`{path}`: {fault}")]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: peer::PeerFault,
    },
    /// It does not hold a private key.
    #[error(
        "`{path}` is not a private key in PKCS#8 PEM (`BEGIN PRIVATE KEY`) for TLS: ECDSA P-256"
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The two do not belong together.
    #[error(
        "private key `{key}` does not belong to certificate `{certificate}`: replace both together"
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// A party's own certificate and private key.
pub struct Credentials {
    files: IdentityFiles,
    purpose: Use,
    clock: Arc<dyn Clock>,
    loaded: RwLock<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    identity: Identity,
    expires_at: Timestamp,
    certified: Arc<CertifiedKey>,
}

impl Credentials {
    /// Reads a certificate for this use that is valid now, and its key.
    pub fn load(
        files: &IdentityFiles,
        purpose: Use,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, CredentialsError> {
        let loaded = load(files, purpose, clock.now())?;
        Ok(Arc::new(Self { files: files.clone(), purpose, clock, loaded: RwLock::new(loaded) }))
    }

    /// Reads the files again, for new connections; an error leaves everything as it was.
    ///
    /// Replace the key first and the certificate second: a reload between the two is refused as a mismatch.
    pub fn reload(&self) -> Result<(), CredentialsError> {
        let loaded = load(&self.files, self.purpose, self.clock.now())?;
        *self.loaded.write() = loaded;
        Ok(())
    }

    /// Whom the certificate names.
    pub fn identity(&self) -> Identity {
        self.loaded.read().identity.clone()
    }

    /// When the certificate expires; renew it well before.
    pub fn expires_at(&self) -> Timestamp {
        self.loaded.read().expires_at
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.loaded.read().certified)
    }
}

fn load(files: &IdentityFiles, purpose: Use, now: Timestamp) -> Result<Loaded, CredentialsError> {
    let path = || files.certificate.clone();
    let der: CertificateDer<'static> =
        one_in_pem(&files::read(&files.certificate, LONGEST_CERTIFICATE)?)
            .ok_or_else(|| CredentialsError::Certificate { path: path() })?;
    let fault = |fault| CredentialsError::Fault { path: path(), fault };
    let certificate = peer::parse(&der).map_err(fault)?;
    let identity = peer::identity(&certificate, purpose).map_err(fault)?;
    let validity = certificate.validity();
    let expires_at = timestamp(validity.not_after);
    if now < timestamp(validity.not_before) {
        return Err(fault(peer::PeerFault::NotYetValid));
    }
    if expires_at < now {
        return Err(fault(peer::PeerFault::Expired));
    }
    let wrong_key = || CredentialsError::Key { path: files.key.clone() };
    let pem = files::read_secret(&files.key)?;
    let key: PrivateKeyDer<'static> = one_in_pem(pem.as_bytes()).ok_or_else(wrong_key)?;
    let key = tls::provider().key_provider.load_private_key(key).map_err(|_| wrong_key())?;
    let certified = CertifiedKey::new(vec![der.clone()], key);
    certified
        .keys_match()
        .map_err(|_| CredentialsError::Mismatch { certificate: path(), key: files.key.clone() })?;
    Ok(Loaded { identity, expires_at, certified: Arc::new(certified) })
}

impl ResolvesServerCert for Credentials {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(
        &self,
        _authorities: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials([redacted], {:?})", self.files.certificate)
    }
}
