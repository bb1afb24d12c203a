//! Reading authorities and revocation lists from their folders, and everything that is checked while doing so.

use super::{TrustError, TrustFiles};
use crate::files;
use crate::peer;
use mayag_protocol::names::Digest;
use mayag_protocol::roster::Issuer;
use mayag_protocol::timestamp::Timestamp;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;

/// The longest authority that is read; with one key and one name it has about a kilobyte.
const LONGEST_AUTHORITY: usize = 64 * 1024;

/// The longest revocation list that is read: some hundred thousand revoked certificates.
const LONGEST_LIST: usize = 16 * 1024 * 1024;

/// A list may begin this much in the future: clocks differ.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// What is in force together.
pub(super) struct Loaded {
    pub(super) issuers: Vec<Issuer>,
    pub(super) authorities: Vec<Authority>,
    pub(super) connecting: Arc<dyn ClientCertVerifier>,
    pub(super) listening: Arc<WebPkiServerVerifier>,
    /// When the first revocation list expires.
    pub(super) expires_at: Timestamp,
}

/// One authority with its one revocation list.
pub(super) struct Authority {
    /// Its name, in DER.
    pub(super) subject: Vec<u8>,
    pub(super) spki_sha256: Digest,
    not_before: Timestamp,
    not_after: Timestamp,
    /// When the revocation list in force was issued.
    list_issued: Timestamp,
}

struct AuthorityFile {
    path: PathBuf,
    der: CertificateDer<'static>,
    /// The public key as webpki takes it: the bits inside the `SubjectPublicKeyInfo`.
    key: Vec<u8>,
    authority: Authority,
}

struct ListFile {
    path: PathBuf,
    der: CertificateRevocationListDer<'static>,
    issued: Timestamp,
    next_update: Timestamp,
}

/// Reads both folders; `before` is what is in force now, behind which no revocation list may fall.
pub(super) fn load(
    files: &TrustFiles,
    issuers: Vec<Issuer>,
    now: Timestamp,
    provider: &Arc<CryptoProvider>,
    before: Option<&Loaded>,
) -> Result<Loaded, TrustError> {
    let mut authorities = read_authorities(files, &issuers, now)?;
    let lists = read_lists(files, &authorities, now, provider)?;
    let mut roots = RootCertStore::empty();
    let unsupported = || TrustError::Unsupported { folder: files.authorities.clone() };
    for (authority, list) in authorities.iter_mut().zip(&lists) {
        authority.authority.list_issued = list.issued;
        let earlier =
            before.and_then(|before| before.list_issued(&authority.authority.spki_sha256));
        if earlier.is_some_and(|earlier| list.issued < earlier) {
            return Err(TrustError::ListOlder { path: list.path.clone() });
        }
        roots.add(authority.der.clone()).map_err(|_| unsupported())?;
    }
    let roots = Arc::new(roots);
    let crls = || lists.iter().map(|list| list.der.clone());
    // INVARIANT (a list per authority): without any list neither verifier would look at revocation at all.
    let connecting =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
            .with_crls(crls())
            .enforce_revocation_expiration()
            .build()
            .map_err(|_| unsupported())?;
    let listening = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
        .with_crls(crls())
        .enforce_revocation_expiration()
        .build()
        .map_err(|_| unsupported())?;
    let expires_at = lists.iter().map(|list| list.next_update).min().unwrap_or(now);
    let authorities = authorities.into_iter().map(|file| file.authority).collect();
    Ok(Loaded { issuers, authorities, connecting, listening, expires_at })
}

impl Loaded {
    fn list_issued(&self, authority: &Digest) -> Option<Timestamp> {
        let known = self.authorities.iter().find(|known| known.spki_sha256 == *authority);
        known.map(|known| known.list_issued)
    }
}

impl Authority {
    pub(super) fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

fn read_authorities(
    files: &TrustFiles,
    issuers: &[Issuer],
    now: Timestamp,
) -> Result<Vec<AuthorityFile>, TrustError> {
    let mut authorities: Vec<AuthorityFile> = Vec::new();
    for path in in_folder(&files.authorities, "crt")? {
        let file = read_authority(path)?;
        if !issuers.iter().any(|row| row.spki_sha256 == file.authority.spki_sha256) {
            return Err(TrustError::Unlisted { path: file.path });
        }
        if !file.authority.is_valid(now) {
            return Err(TrustError::AuthorityExpired { path: file.path });
        }
        let same = |known: &&AuthorityFile| {
            known.authority.subject == file.authority.subject
                || known.authority.spki_sha256 == file.authority.spki_sha256
        };
        if let Some(twin) = authorities.iter().find(same) {
            return Err(TrustError::AuthorityTwice { first: twin.path.clone(), second: file.path });
        }
        authorities.push(file);
    }
    if authorities.is_empty() {
        Err(TrustError::Empty { folder: files.authorities.clone() })
    } else {
        Ok(authorities)
    }
}

fn read_authority(path: PathBuf) -> Result<AuthorityFile, TrustError> {
    let expected = "exactly one certificate of an authority in PEM (`BEGIN CERTIFICATE`, CA:true)";
    let format = || TrustError::Format { path: path.clone(), expected };
    let der: CertificateDer<'static> =
        one_in_pem(&files::read(&path, LONGEST_AUTHORITY)?).ok_or_else(format)?;
    let certificate = peer::parse(&der).map_err(|_| format())?;
    if !certificate.is_ca() {
        return Err(format());
    }
    let authority = Authority {
        subject: certificate.subject().as_raw().to_vec(),
        spki_sha256: sha256(certificate.public_key().raw),
        not_before: timestamp(certificate.validity().not_before),
        not_after: timestamp(certificate.validity().not_after),
        list_issued: Timestamp::from_millis(i64::MIN),
    };
    let key = certificate.public_key().subject_public_key.data.to_vec();
    Ok(AuthorityFile { path, der, key, authority })
}

/// The revocation lists in the order of their authorities.
fn read_lists(
    files: &TrustFiles,
    authorities: &[AuthorityFile],
    now: Timestamp,
    provider: &CryptoProvider,
) -> Result<Vec<ListFile>, TrustError> {
    let mut lists: Vec<Option<ListFile>> = authorities.iter().map(|_| None).collect();
    for path in in_folder(&files.revocations, "crl")? {
        let expected =
            "exactly one revocation list in PEM (`BEGIN X509 CRL`) with a date of the next one";
        let format = || TrustError::Format { path: path.clone(), expected };
        let der: CertificateRevocationListDer<'static> =
            one_in_pem(&files::read(&path, LONGEST_LIST)?).ok_or_else(format)?;
        let Ok(([], list)) = CertificateRevocationList::from_der(&der) else {
            return Err(format());
        };
        let signer = |file: &AuthorityFile| {
            file.authority.subject == list.issuer().as_raw()
                && is_signed_by(&list, &file.key, provider)
        };
        let slot = authorities.iter().zip(&mut lists).find(|(file, _)| signer(file));
        let Some((_, slot)) = slot else { return Err(TrustError::ListStray { path }) };
        let issued = timestamp(list.last_update());
        let next_update = list.next_update().map(timestamp).ok_or_else(format)?;
        if let Some(first) = slot {
            return Err(TrustError::ListTwice { first: first.path.clone(), second: path });
        }
        if next_update <= now {
            return Err(TrustError::ListExpired { path, next_update });
        }
        if now.plus(CLOCK_SKEW) < issued {
            return Err(TrustError::ListNotYet { path, this_update: issued });
        }
        *slot = Some(ListFile { path, der, issued, next_update });
    }
    let missing = |file: &AuthorityFile| TrustError::ListMissing { path: file.path.clone() };
    authorities.iter().zip(lists).map(|(file, list)| list.ok_or_else(|| missing(file))).collect()
}

/// The files of a folder with this extension, sorted.
fn in_folder(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, TrustError> {
    let fault = |source| TrustError::Folder { folder: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The one item of a PEM file.
pub(crate) fn one_in_pem<T: PemObject>(pem: &[u8]) -> Option<T> {
    let mut items = T::pem_slice_iter(pem);
    match (items.next(), items.next()) {
        (Some(Ok(item)), None) => Some(item),
        (Some(_) | None, _) => None,
    }
}

/// Whether one of the provider's algorithms verifies the list's signature with this key.
fn is_signed_by(
    list: &CertificateRevocationList<'_>,
    key: &[u8],
    provider: &CryptoProvider,
) -> bool {
    let (message, signature) = (list.tbs_cert_list.as_ref(), list.signature_value.data.as_ref());
    let algorithms = provider.signature_verification_algorithms.all;
    algorithms.iter().any(|algorithm| algorithm.verify_signature(key, message, signature).is_ok())
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    Digest::from_bytes(digest)
}

pub(crate) fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_millis(time.timestamp().saturating_mul(1000))
}
