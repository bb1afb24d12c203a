//! Certificates of parties and the private keys that belong to them.

use crate::files::{self, Audience};
use crate::instant::whole_seconds;
use crate::{CertsError, MARK};
use mayag_audit::keys::RandomError;
use mayag_protocol::identity::{Identity, Party};
use mayag_protocol::names::hex;
use mayag_protocol::timestamp::Timestamp;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::fmt;
use std::path::Path;
use x509_parser::pem::parse_x509_pem;

/// A certificate to issue. [`LeafPlan::client`] and [`LeafPlan::server`] make the right ones; the fields are public so
/// that tests can make wrong ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafPlan {
    /// The URI names; exactly one in a right certificate.
    pub uris: Vec<String>,
    /// The DNS names; one for servers, none for others.
    pub dns: Vec<String>,
    /// What the certificate is for.
    pub usage: Usage,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// What a certificate is for; never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// `clientAuth`: people, and gateways towards nodes.
    Client,
    /// `serverAuth`: nodes, and gateways towards people.
    Server,
}

/// An issued certificate with its private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The certificate as PEM.
    pub certificate: String,
    /// The private key as PKCS#8 PEM.
    pub key: String,
    /// The serial number, by which it is revoked.
    pub serial: Serial,
}

/// A certificate's serial number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

impl LeafPlan {
    /// A certificate with which `identity` connects to others.
    pub fn client(identity: &Identity, not_before: Timestamp, not_after: Timestamp) -> Self {
        Self {
            uris: vec![identity.to_string()],
            dns: Vec::new(),
            usage: Usage::Client,
            not_before,
            not_after,
        }
    }

    /// A certificate with which `identity`, a node or a gateway, is connected to.
    pub fn server(identity: &Identity, not_before: Timestamp, not_after: Timestamp) -> Self {
        let dns = server_name(identity).into_iter().collect();
        Self { uris: vec![identity.to_string()], dns, usage: Usage::Server, not_before, not_after }
    }

    /// Makes a certificate that its own key signs. No verifier may accept it.
    pub fn self_sign(&self) -> Result<Leaf, CertsError> {
        let key = KeyPair::generate()?;
        let serial = Serial::random()?;
        let certificate = self.params(&serial)?.self_signed(&key)?;
        Ok(Leaf { certificate: certificate.pem(), key: key.serialize_pem(), serial })
    }

    pub(crate) fn params(&self, serial: &Serial) -> Result<CertificateParams, CertsError> {
        let mut params = CertificateParams::default();
        params.not_before = whole_seconds(self.not_before)?;
        params.not_after = whole_seconds(self.not_after)?;
        params.serial_number = Some(serial.to_rcgen());
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, MARK);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match self.usage {
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        for uri in &self.uris {
            params.subject_alt_names.push(SanType::URI(Ia5String::try_from(uri.as_str())?));
        }
        for name in &self.dns {
            params.subject_alt_names.push(SanType::DnsName(Ia5String::try_from(name.as_str())?));
        }
        Ok(params)
    }
}

/// The name by which clients verify a server, beside its URI; derived, so that no resolver and no typing is involved.
fn server_name(identity: &Identity) -> Option<String> {
    let federation = &identity.federation;
    match &identity.party {
        Party::Gateway(number) => Some(format!("gateway-{number}.{federation}.mayag.invalid")),
        Party::Node(country) => Some(format!("node.{country}.{federation}.mayag.invalid")),
        Party::Administrator(..) | Party::Analyst(..) | Party::Auditor(_) => None,
    }
}

impl Leaf {
    /// Writes `<stem>.crt` and `<stem>.key` into an existing folder.
    pub fn write(&self, folder: &Path, stem: &str) -> Result<(), CertsError> {
        files::replace(
            &folder.join(format!("{stem}.crt")),
            &self.certificate,
            Audience::Everybody,
        )?;
        files::replace(&folder.join(format!("{stem}.key")), &self.key, Audience::OwnerOnly)
    }
}

impl Serial {
    /// 127 random bits, of which the first is set: positive, and always 16 bytes long.
    pub(crate) fn random() -> Result<Self, CertsError> {
        let mut bytes = vec![0; 16];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| mayag_audit::keys::KeyError::Random(RandomError))?;
        if let Some(first) = bytes.first_mut() {
            *first = *first & 0x7f | 0x40;
        }
        Ok(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The serial number of the certificate in a PEM file.
    pub fn of_certificate(path: &Path) -> Result<Self, CertsError> {
        let text = files::read(path)?;
        let wrong =
            || CertsError::Format { path: path.to_owned(), expected: "a certificate in PEM" };
        let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|_| wrong())?;
        let certificate = pem.parse_x509().map_err(|_| wrong())?;
        Ok(Self::from_bytes(certificate.raw_serial()))
    }

    pub(crate) fn to_rcgen(&self) -> SerialNumber {
        SerialNumber::from_slice(&self.0)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaf([redacted], serial {})", self.serial)
    }
}
