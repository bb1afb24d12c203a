//! Whom a certificate names, and why one is refused.
//!
//! The chain, the signature, the dates and the revocation list are `rustls-webpki`'s to check. What it leaves open is
//! checked here: exactly one identity, exactly one use, and no power to issue.

use mayag_protocol::identity::{Identity, Party};
use std::net::SocketAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName};
use x509_parser::prelude::FromDer as _;

/// Whoever is at the other end of a connection, with an identity that was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub identity: Identity,
    /// From where it connected; proves nothing.
    pub address: SocketAddr,
}

/// What a certificate is for; one is never for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To connect: `clientAuth`.
    Connect,
    /// To be connected to: `serverAuth`.
    Listen,
}

/// Why a peer's certificate is refused. Names nobody, so that it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    /// The certificate could issue others.
    #[error("the certificate belongs to an authority, not to a party")]
    Authority,
    /// Its authority's own certificate is not valid at this time.
    #[error("the authority that issued the certificate is no longer valid: renew the authority")]
    AuthorityExpired,
    /// Certificates between the party's and the authority's.
    #[error("the certificate was not issued directly by an authority")]
    Chain,
    /// Its date of expiry has passed.
    #[error("the certificate has expired: renew it")]
    Expired,
    /// The authority's revocation list has expired.
    #[error("the authority's revocation list has expired: fetch the current one")]
    ExpiredList,
    /// No URI, several, or one that is not an identity.
    #[error("the certificate does not name exactly one identity")]
    Identity,
    /// The issuer table does not let the authority name this identity.
    #[error(
        "the authority that issued the certificate may not name this identity: see the roster's issuer table"
    )]
    Issuer,
    /// A kind of party that has no business here.
    #[error("this kind of party may not take part in this connection")]
    Kind,
    /// Other names than the identity demands.
    #[error("the certificate has other names than its identity allows")]
    Names,
    /// Another identity than the one expected.
    #[error("the certificate names another identity than the expected one")]
    Other,
    /// Its validity has not begun.
    #[error("the certificate is not valid yet: compare the clocks")]
    NotYetValid,
    /// Revoked.
    #[error("the certificate is revoked")]
    Revoked,
    /// Not a certificate of version 3, or with a signature that does not verify.
    #[error("the certificate is malformed or wrongly signed")]
    Malformed,
    /// No authority of ours issued it.
    #[error("no authority of this federation issued the certificate")]
    UnknownAuthority,
    /// For connecting instead of listening, for listening instead of connecting, or for both.
    #[error(
        "the certificate is for another use: `clientAuth` connects, `serverAuth` listens, none does both"
    )]
    Use,
}

impl PeerFault {
    /// It in a word, for the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::AuthorityExpired => "authority_expired",
            Self::Chain => "chain",
            Self::Expired => "expired",
            Self::ExpiredList => "expired_list",
            Self::Identity => "identity",
            Self::Issuer => "issuer",
            Self::Kind => "kind",
            Self::Names => "names",
            Self::Other => "other",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::Malformed => "malformed",
            Self::UnknownAuthority => "unknown_authority",
            Self::Use => "use",
        }
    }
}

/// The name by which a node or gateway is verified beside its identity; it follows from the identity, so that neither a
/// resolver nor a typing error is involved. `None` for people, who do not listen.
pub fn server_name(identity: &Identity) -> Option<String> {
    let federation = &identity.federation;
    match &identity.party {
        Party::Gateway(number) => Some(format!("gateway-{number}.{federation}.mayag.invalid")),
        Party::Node(country) => Some(format!("node.{country}.{federation}.mayag.invalid")),
        Party::Administrator(..) | Party::Analyst(..) | Party::Auditor(_) => None,
    }
}

/// Reads a certificate and nothing after it.
pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, PeerFault> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(PeerFault::Malformed),
    }
}

/// The one identity that a certificate names, if it is a certificate of a party for this use.
pub(crate) fn identity(
    certificate: &X509Certificate<'_>,
    purpose: Use,
) -> Result<Identity, PeerFault> {
    if may_issue(certificate)? {
        return Err(PeerFault::Authority);
    }
    // A certificate without extended key usage passes webpki's check for either use.
    match certificate.extended_key_usage().map_err(|_| PeerFault::Malformed)? {
        Some(usage) if is_exactly(usage.value, purpose) => {}
        Some(_) | None => return Err(PeerFault::Use),
    }
    let names = certificate.subject_alternative_name().map_err(|_| PeerFault::Malformed)?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let mut uris = Vec::new();
    let mut hosts = Vec::new();
    for name in names {
        match name {
            GeneralName::URI(uri) => uris.push(*uri),
            GeneralName::DNSName(host) => hosts.push(*host),
            GeneralName::OtherName(..)
            | GeneralName::RFC822Name(_)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => return Err(PeerFault::Names),
        }
    }
    let [uri] = uris.as_slice() else { return Err(PeerFault::Identity) };
    let identity: Identity = uri.parse().map_err(|_| PeerFault::Identity)?;
    let expected = match purpose {
        Use::Connect => None,
        Use::Listen => Some(server_name(&identity).ok_or(PeerFault::Kind)?),
    };
    if hosts.iter().copied().eq(expected.as_deref()) { Ok(identity) } else { Err(PeerFault::Names) }
}

/// Whether a certificate could be used to issue others.
pub(crate) fn may_issue(certificate: &X509Certificate<'_>) -> Result<bool, PeerFault> {
    let constraints = certificate.basic_constraints().map_err(|_| PeerFault::Malformed)?;
    let usage = certificate.key_usage().map_err(|_| PeerFault::Malformed)?;
    Ok(constraints.is_some_and(|constraints| constraints.value.ca)
        || usage.is_some_and(|usage| usage.value.key_cert_sign()))
}

fn is_exactly(usage: &ExtendedKeyUsage<'_>, purpose: Use) -> bool {
    let others = usage.any
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing
        || !usage.other.is_empty();
    let (connect, listen) = (usage.client_auth, usage.server_auth);
    !others
        && match purpose {
            Use::Connect => connect && !listen,
            Use::Listen => listen && !connect,
        }
}

#[cfg(test)]
mod tests {
    use super::{PeerFault, parse, server_name};

    #[test]
    fn a_server_s_name_follows_from_its_identity() {
        let name = |identity: &str| server_name(&identity.parse().unwrap());
        assert_eq!(
            name("spiffe://demo/country/kr/node").as_deref(),
            Some("node.kr.demo.mayag.invalid")
        );
        assert_eq!(
            name("spiffe://demo/gateway/2").as_deref(),
            Some("gateway-2.demo.mayag.invalid")
        );
        assert_eq!(name("spiffe://demo/country/kr/analyst/hana"), None);
    }

    #[test]
    fn what_is_no_certificate_is_malformed() {
        for der in [&b""[..], b"\x30", b"\x30\x80", &[0xff; 64]] {
            assert_eq!(parse(der).err(), Some(PeerFault::Malformed));
        }
    }
}
