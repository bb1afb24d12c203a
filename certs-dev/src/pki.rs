//! A development PKI on disk, opened again: where its files are, and what a test may do to it (issue, revoke, alter the
//! roster).

use crate::CertsError;
use crate::authority::{Authority, Scope};
use crate::files::{self, Audience};
use crate::leaf::Serial;
use mayag_audit::keys::{Ed25519, SigningKey};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::identity::{Identity, Kind, Party};
use mayag_protocol::names::{Country, Federation, PublicKey};
use mayag_protocol::roster::{LONGEST, Roster, SIGNATURES_NEEDED};
use mayag_protocol::timestamp::Timestamp;
use std::path::{Path, PathBuf};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

pub(crate) const ROSTER: &str = "roster.json";
pub(crate) const TRUSTED_KEYS: &str = "roster.keys";
pub(crate) const AUDITORS: &str = "auditors";
pub(crate) const ROSTER_KEYS: [&str; SIGNATURES_NEEDED] = ["roster-1.key", "roster-2.key"];

/// The first policy of a country widens, so two people sign it.
const POLICY_SIGNATURES: usize = 2;

/// An existing `DIR/pki`.
#[derive(Debug, Clone)]
pub struct Pki {
    folder: PathBuf,
    federation: Federation,
}

impl Pki {
    /// Opens `dir/pki`, whose roster must carry its two signatures.
    pub fn open(dir: &Path) -> Result<Self, CertsError> {
        let folder = dir.join("pki");
        let federation = read_roster(&folder)?.federation;
        Ok(Self { folder, federation })
    }

    /// `DIR/pki`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a party of the roster.
    pub fn folder_of(&self, identity: &Identity) -> PathBuf {
        self.folder.join(folder_name(identity))
    }

    /// The file of the private key that opens the details of a node's or gateway's log entries.
    pub fn auditor_key(&self, identity: &Identity) -> PathBuf {
        auditor_key(&self.folder, identity)
    }

    /// The folder of one bad certificate, such as `two-uris`.
    pub fn bad(&self, what: &str) -> PathBuf {
        self.folder.join("bad").join(what)
    }

    /// The authority for this scope.
    pub fn authority(&self, scope: &Scope) -> Result<Authority, CertsError> {
        let key = files::read(&authority_key(&self.folder, scope))?;
        Authority::from_key(&self.federation, scope.clone(), &key)
    }

    /// Replaces an authority's revocation list by one that revokes exactly `revoked`.
    pub fn write_crl(
        &self,
        scope: &Scope,
        revoked: &[Serial],
        issued: Timestamp,
        next_update: Timestamp,
    ) -> Result<(), CertsError> {
        let list = self.authority(scope)?.crl(revoked, issued, next_update)?;
        files::replace(&crl_file(&self.folder, scope), &list, Audience::Everybody)
    }

    /// What an authority's revocation list revokes now.
    pub fn revoked(&self, scope: &Scope) -> Result<Vec<Serial>, CertsError> {
        let path = crl_file(&self.folder, scope);
        let text = files::read(&path)?;
        let wrong =
            || CertsError::Format { path: path.clone(), expected: "a revocation list in PEM" };
        let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|_| wrong())?;
        let (_, list) = CertificateRevocationList::from_der(&pem.contents).map_err(|_| wrong())?;
        Ok(list
            .iter_revoked_certificates()
            .map(|entry| Serial::from_bytes(entry.raw_serial()))
            .collect())
    }

    /// Revokes the certificate in the file `certificate`, beside what the authority has revoked already.
    pub fn revoke(
        &self,
        scope: &Scope,
        certificate: &Path,
        issued: Timestamp,
        next_update: Timestamp,
    ) -> Result<(), CertsError> {
        let mut revoked = self.revoked(scope)?;
        revoked.push(Serial::of_certificate(certificate)?);
        self.write_crl(scope, &revoked, issued, next_update)
    }

    /// The roster in force.
    pub fn roster(&self) -> Result<Roster, CertsError> {
        read_roster(&self.folder)
    }

    /// The keys that sign the roster.
    pub fn roster_signers(&self) -> Result<Vec<SigningKey>, CertsError> {
        let read = |name: &str| -> Result<SigningKey, CertsError> {
            Ok(SigningKey::from_pem(&files::read(&self.folder.join("private").join(name))?)?)
        };
        ROSTER_KEYS.into_iter().map(read).collect()
    }

    /// A policy document in an envelope signed by the first two administrators of `country`.
    pub fn sign_policy(&self, country: &Country, document: &[u8]) -> Result<String, CertsError> {
        let signers: Vec<SigningKey> = self
            .roster()?
            .people
            .iter()
            .map(|person| &person.identity)
            .filter(|identity| identity.kind() == Kind::Administrator)
            .filter(|identity| identity.country() == Some(country))
            .take(POLICY_SIGNATURES)
            .map(|identity| self.signing_key(identity))
            .collect::<Result<_, _>>()?;
        seal(PayloadType::Policy, document.to_vec(), &signers)
    }

    /// The key with which a person signs questions or policies.
    pub fn signing_key(&self, identity: &Identity) -> Result<SigningKey, CertsError> {
        let pem = files::read(&self.folder_of(identity).join("question.key"))?;
        Ok(SigningKey::from_pem(&pem)?)
    }

    /// Signs `roster` with these keys and puts it in force. Does not look at what it says, nor at its version.
    pub fn write_roster(&self, roster: &Roster, signers: &[SigningKey]) -> Result<(), CertsError> {
        let sealed = seal(PayloadType::Roster, serde_json::to_vec(roster)?, signers)?;
        files::replace(&self.folder.join(ROSTER), &sealed, Audience::Everybody)
    }
}

/// The name of a party's folder: `node-kr`, `gateway-1`, `kr-analyst-hana`, `auditor-ada`.
pub fn folder_name(identity: &Identity) -> String {
    match &identity.party {
        Party::Administrator(country, id) => format!("{country}-administrator-{id}"),
        Party::Analyst(country, id) => format!("{country}-analyst-{id}"),
        Party::Auditor(id) => format!("auditor-{id}"),
        Party::Gateway(number) => format!("gateway-{number}"),
        Party::Node(country) => format!("node-{country}"),
    }
}

pub(crate) fn authority_key(folder: &Path, scope: &Scope) -> PathBuf {
    folder.join("private").join(format!("ca-{}.key", scope.stem()))
}

/// The private key of whoever audits this party.
pub(crate) fn auditor_key(folder: &Path, identity: &Identity) -> PathBuf {
    folder.join(AUDITORS).join(format!("{}.key", folder_name(identity)))
}

pub(crate) fn crl_file(folder: &Path, scope: &Scope) -> PathBuf {
    folder.join("crl").join(format!("{}.crl", scope.stem()))
}

/// A DSSE envelope with one signature of each of `signers`.
pub(crate) fn seal(
    kind: PayloadType,
    payload: Vec<u8>,
    signers: &[SigningKey],
) -> Result<String, CertsError> {
    let mut signers = signers.iter();
    let first = signers.next().ok_or(CertsError::NoSigner)?;
    let sealed = Envelope::seal(kind, payload, first);
    let envelope = signers.fold(sealed, |envelope, signer| envelope.countersign(signer));
    Ok(serde_json::to_string(&envelope)? + "\n")
}

fn read_roster(folder: &Path) -> Result<Roster, CertsError> {
    let keys = folder.join(TRUSTED_KEYS);
    let trusted = files::read(&keys)?
        .lines()
        .map(str::parse)
        .collect::<Result<Vec<PublicKey>, _>>()
        .map_err(|_| CertsError::Format { path: keys, expected: "a list of public keys" })?;
    let envelope = Envelope::parse(files::read(&folder.join(ROSTER))?.as_bytes(), LONGEST * 2)?;
    Ok(envelope.open(PayloadType::Roster, &trusted, SIGNATURES_NEEDED, &Ed25519)?.parse()?)
}
