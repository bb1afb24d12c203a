//! Which certificates count: authorities, their revocation lists, and the roster's issuer table.
//!
//! Everything fails closed. Each authority must have exactly one revocation list that is in force and that it signed;
//! each must stand in the issuer table; none may share its name with another, for revocation lists are found by name.
//! A [`Trust`] is reloaded as a whole or not at all, and what is verified afterwards is verified against the new one:
//! handshakes at once, live connections as soon as their owner looks at [`Trust::changes`].

mod load;

use crate::peer::{self, PeerFault, Use};
use load::Loaded;
pub(crate) use load::{one_in_pem, timestamp};
use mayag_protocol::identity::Identity;
use mayag_protocol::names::Digest;
use mayag_protocol::roster::Issuer;
use mayag_protocol::timestamp::{Clock, Timestamp};
use parking_lot::{Mutex, RwLock};
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error as TlsError};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Where the authorities and their revocation lists are. Trusted: who can write here decides whom this party believes,
/// within the bounds of the issuer table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFiles {
    /// A folder with one authority per `*.crt`, in PEM.
    pub authorities: PathBuf,
    /// A folder with one revocation list per `*.crl`, in PEM.
    pub revocations: PathBuf,
}

/// Where a party's own certificate and private key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// One certificate, in PEM.
    pub certificate: PathBuf,
    /// Its private key: PKCS#8 in PEM, readable by its owner alone.
    pub key: PathBuf,
}

/// Why the authorities and revocation lists are not used. At a reload, what was in force before still is.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// An authority that is not valid at this time.
    #[error(
        "authority `{path}` is not valid at this time: renew it, or remove it together with its revocation list"
    )]
    AuthorityExpired {
        /// Its file.
        path: PathBuf,
    },
    /// Two authorities whose revocation lists could not be told apart.
    #[error(
        "authorities `{first}` and `{second}` have the same name or key: keep the one of the issuer table"
    )]
    AuthorityTwice {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Nothing to trust.
    #[error("`{folder}` holds no authority (`*.crt`): copy the federation's authorities there")]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// A file was not read.
    #[error(transparent)]
    File(#[from] crate::files::FilesError),
    /// A folder was not read.
    #[error("folder `{folder}` was not read: {}", source.kind())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file that is something else.
    #[error("`{path}` is not {expected}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// A revocation list whose next one should be there already.
    #[error("revocation list `{path}` expired at {next_update}: fetch the authority's current one")]
    ListExpired {
        /// The file.
        path: PathBuf,
        /// Until when it was in force.
        next_update: Timestamp,
    },
    /// An authority without a revocation list.
    #[error(
        "authority `{path}` has no revocation list: nothing it revokes would be noticed; fetch its current `.crl`"
    )]
    ListMissing {
        /// The authority's file.
        path: PathBuf,
    },
    /// A revocation list of the future.
    #[error(
        "revocation list `{path}` begins at {this_update}, which is in the future: compare the clocks"
    )]
    ListNotYet {
        /// The file.
        path: PathBuf,
        /// From when it is in force.
        this_update: Timestamp,
    },
    /// An older revocation list than the one in force.
    #[error(
        "revocation list `{path}` is older than the one in force: a list never goes back; fetch the current one"
    )]
    ListOlder {
        /// The file.
        path: PathBuf,
    },
    /// A revocation list of nobody.
    #[error(
        "revocation list `{path}` was signed by none of the authorities: remove it, or add its authority"
    )]
    ListStray {
        /// The file.
        path: PathBuf,
    },
    /// Two revocation lists for one authority.
    #[error(
        "revocation lists `{first}` and `{second}` are of the same authority: keep the newer one only"
    )]
    ListTwice {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// An authority that the roster does not know.
    #[error(
        "authority `{path}` stands in no row of the roster's issuer table: remove it, or have the roster amended"
    )]
    Unlisted {
        /// Its file.
        path: PathBuf,
    },
    /// An authority or list that the verifier does not take.
    #[error("the authorities or revocation lists in `{folder}` use a form that is not supported")]
    Unsupported {
        /// The folder of the authorities.
        folder: PathBuf,
    },
}

/// The authorities, revocation lists and issuer table in force.
pub struct Trust {
    files: TrustFiles,
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
    loaded: RwLock<Arc<Loaded>>,
    /// Held while something new is prepared, so that of two reloads the later one wins.
    changing: Mutex<()>,
    version: watch::Sender<u64>,
}

impl Trust {
    /// Reads the authorities and their revocation lists.
    pub fn load(
        files: &TrustFiles,
        issuers: Vec<Issuer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, TrustError> {
        let provider = crate::tls::provider();
        let loaded = load::load(files, issuers, clock.now(), &provider, None)?;
        Ok(Arc::new(Self {
            files: files.clone(),
            clock,
            provider,
            loaded: RwLock::new(Arc::new(loaded)),
            changing: Mutex::new(()),
            version: watch::Sender::new(0),
        }))
    }

    /// Reads the files again. An error leaves everything as it was: raise an alarm, for revocations may be missing.
    pub fn reload(&self) -> Result<(), TrustError> {
        let issuers = self.loaded.read().issuers.clone();
        self.change(issuers)
    }

    /// Puts another issuer table in force, that of a new roster, and reads the files again.
    pub fn set_issuers(&self, issuers: Vec<Issuer>) -> Result<(), TrustError> {
        self.change(issuers)
    }

    fn change(&self, issuers: Vec<Issuer>) -> Result<(), TrustError> {
        let _one_at_a_time = self.changing.lock();
        let before = self.current();
        let loaded =
            load::load(&self.files, issuers, self.clock.now(), &self.provider, Some(&before))?;
        *self.loaded.write() = Arc::new(loaded);
        self.version.send_modify(|version| *version = version.wrapping_add(1));
        Ok(())
    }

    /// Changes whenever something else is in force; live connections are to be looked at then.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// When the first revocation list in force expires: from then on its authority's certificates are refused.
    pub fn expires_at(&self) -> Timestamp {
        self.current().expires_at
    }

    /// Whom this certificate names, if it may connect now.
    pub(crate) fn check_connecting(
        &self,
        chain: &[CertificateDer<'_>],
    ) -> Result<Identity, PeerFault> {
        let [certificate] = chain else { return Err(PeerFault::Chain) };
        let loaded = self.current();
        let now = self.now();
        loaded
            .connecting
            .verify_client_cert(certificate, &[], now)
            .map_err(|fault| fault_of(&fault))?;
        self.check_issued(&loaded, certificate, Use::Connect)
    }

    /// Whether this certificate may be connected to now as `expected`.
    pub(crate) fn check_listening(
        &self,
        chain: &[CertificateDer<'_>],
        expected: &Identity,
    ) -> Result<(), PeerFault> {
        let [certificate] = chain else { return Err(PeerFault::Chain) };
        let name = peer::server_name(expected).ok_or(PeerFault::Kind)?;
        let name = ServerName::try_from(name).map_err(|_| PeerFault::Names)?;
        let loaded = self.current();
        let now = self.now();
        // The names come last: to somebody with a revoked certificate of another name, it is the revocation that counts.
        loaded
            .listening
            .verify_server_cert(certificate, &[], &name, &[], now)
            .map_err(|fault| fault_of(&fault))?;
        let identity = self.check_issued(&loaded, certificate, Use::Listen)?;
        if identity == *expected { Ok(()) } else { Err(PeerFault::Other) }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    fn check_issued(
        &self,
        loaded: &Loaded,
        der: &CertificateDer<'_>,
        purpose: Use,
    ) -> Result<Identity, PeerFault> {
        let certificate = peer::parse(der)?;
        let identity = peer::identity(&certificate, purpose)?;
        // INVARIANT (one authority per name): webpki has verified the signature with the key of the only authority
        // that has the certificate's issuer name, for there were no certificates between them.
        let issuer = certificate.issuer().as_raw();
        let authority = loaded.authorities.iter().find(|authority| authority.subject == issuer);
        let authority = authority.ok_or(PeerFault::UnknownAuthority)?;
        if !authority.is_valid(self.clock.now()) {
            return Err(PeerFault::AuthorityExpired);
        }
        if loaded.may_name(&authority.spki_sha256, &identity) {
            Ok(identity)
        } else {
            Err(PeerFault::Issuer)
        }
    }

    fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read())
    }

    fn now(&self) -> UnixTime {
        unix_time(self.clock.now())
    }
}

impl Loaded {
    fn may_name(&self, authority: &Digest, identity: &Identity) -> bool {
        self.issuers.iter().any(|row| row.spki_sha256 == *authority && row.may_name(identity))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({} authorities)", self.current().authorities.len())
    }
}

/// The same instant for webpki; what is before 1970 is 1970.
pub(crate) fn unix_time(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0)))
}

/// What webpki said, without the names that its errors carry.
pub(crate) fn fault_of(fault: &TlsError) -> PeerFault {
    let TlsError::InvalidCertificate(fault) = fault else { return PeerFault::Malformed };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "not exhaustive: what is not told apart here is refused as well"
    )]
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => PeerFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            PeerFault::NotYetValid
        }
        CertificateError::Revoked => PeerFault::Revoked,
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => PeerFault::ExpiredList,
        CertificateError::UnknownIssuer | CertificateError::UnknownRevocationStatus => {
            PeerFault::UnknownAuthority
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            PeerFault::Names
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            PeerFault::Use
        }
        _ => PeerFault::Malformed,
    }
}

#[cfg(test)]
mod tests;
