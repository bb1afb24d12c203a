//! Authorities: one per country and kind of party, each with one certificate and one revocation list.

use crate::instant::whole_seconds;
use crate::leaf::{Leaf, LeafPlan, Serial};
use crate::{CertsError, MARK};
use mayag_audit::keys::sha256;
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::names::{Country, Federation};
use mayag_protocol::roster;
use mayag_protocol::timestamp::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData as _,
    RevocationReason, RevokedCertParams, SerialNumber,
};
use std::fmt;

/// Whom an authority may name: one kind of party, of one country.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The kind of party.
    pub kind: Kind,
    /// The country; absent for gateways and auditors.
    pub country: Option<Country>,
}

/// An authority that can issue and revoke.
pub struct Authority {
    scope: Scope,
    issuer: Issuer<'static, KeyPair>,
}

impl Scope {
    /// The scope that `identity` falls into.
    pub fn of(identity: &Identity) -> Self {
        Self { kind: identity.kind(), country: identity.country().cloned() }
    }

    /// The scope of a country's authority for one kind of party.
    pub fn national(kind: Kind, country: &Country) -> Self {
        Self { kind, country: Some(country.clone()) }
    }

    /// The scope of the federation's authority for gateways or auditors.
    pub fn federal(kind: Kind) -> Self {
        Self { kind, country: None }
    }

    /// The name of the authority's files: `kr-analyst`, `gateway`.
    pub fn stem(&self) -> String {
        match &self.country {
            Some(country) => format!("{country}-{}", self.kind),
            None => self.kind.to_string(),
        }
    }
}

impl Authority {
    /// Makes a new authority; returns its certificate as PEM too.
    pub fn new(
        federation: &Federation,
        scope: Scope,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<(Self, String), CertsError> {
        let key = KeyPair::generate()?;
        let mut params = params(federation, &scope);
        params.not_before = whole_seconds(not_before)?;
        params.not_after = whole_seconds(not_after)?;
        params.serial_number = Some(Serial::random()?.to_rcgen());
        let certificate = params.self_signed(&key)?.pem();
        Ok((Self { scope, issuer: Issuer::new(params, key) }, certificate))
    }

    /// The authority whose private key is `key`, as PKCS#8 PEM: its name follows from federation and scope.
    pub fn from_key(federation: &Federation, scope: Scope, key: &str) -> Result<Self, CertsError> {
        let issuer = Issuer::new(params(federation, &scope), KeyPair::from_pem(key)?);
        Ok(Self { scope, issuer })
    }

    /// Issues a certificate. Does not look at whom it names: a wrong certificate must be refused by those who verify.
    pub fn issue(&self, plan: &LeafPlan) -> Result<Leaf, CertsError> {
        let key = KeyPair::generate()?;
        let serial = Serial::random()?;
        let certificate = plan.params(&serial)?.signed_by(&key, &self.issuer)?;
        Ok(Leaf { certificate: certificate.pem(), key: key.serialize_pem(), serial })
    }

    /// The revocation list, as PEM, that revokes exactly these serial numbers.
    pub fn crl(
        &self,
        revoked: &[Serial],
        issued: Timestamp,
        next_update: Timestamp,
    ) -> Result<String, CertsError> {
        let this_update = whole_seconds(issued)?;
        let revoked_certs = revoked
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: serial.to_rcgen(),
                revocation_time: this_update,
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            })
            .collect();
        let list = CertificateRevocationListParams {
            this_update,
            next_update: whole_seconds(next_update)?,
            // Only has to grow; nobody issues two lists in a millisecond.
            crl_number: SerialNumber::from(issued.millis().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    /// Whom it may name.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Its row of the roster's issuer table.
    pub fn row(&self) -> roster::Issuer {
        roster::Issuer {
            spki_sha256: sha256(&self.issuer.key().subject_public_key_info()),
            kind: self.scope.kind.into(),
            country: self.scope.country.clone(),
        }
    }

    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }
}

/// All of an authority's certificate but its validity.
fn params(federation: &Federation, scope: &Scope) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, federation.as_str());
    params.distinguished_name.push(DnType::CommonName, format!("{MARK} {}", scope.stem()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority([redacted], {})", self.scope.stem())
    }
}
