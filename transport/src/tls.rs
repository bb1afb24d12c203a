//! TLS 1.3 with a certificate at both ends: every decision that rustls leaves to its caller.
//!
//! * TLS 1.3 only (the `tls12` feature of rustls is not built), the `ring` provider passed explicitly.
//! * No resumption, no tickets, no early data: a resumed session would let a revoked certificate in.
//! * ALPN is exactly `h2`; a peer that offers nothing or something else is refused.
//! * Secrets are never logged to a key log.

use crate::credentials::Credentials;
use crate::peer::PeerFault;
use crate::trust::{Trust, unix_time};
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::timestamp::Clock;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error as TlsError,
    NoKeyLog, OtherError, PeerIncompatible, ServerConfig, SignatureScheme,
};
use std::sync::Arc;

/// The only application protocol.
pub const ALPN: &[u8] = b"h2";

/// Whose listener it is; the server's own certificate and those of its callers must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A gateway's, called by people.
    Gateway,
    /// A country's node's, called by gateways.
    Node,
}

impl Usage {
    /// Whether this kind of party listens so.
    pub fn listens(self, kind: Kind) -> bool {
        match self {
            Self::Gateway => kind == Kind::Gateway,
            Self::Node => kind == Kind::Node,
        }
    }

    /// Whether this kind of party may connect.
    pub fn calls(self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Gateway, Kind::Administrator | Kind::Analyst | Kind::Auditor)
            | (Self::Node, Kind::Gateway) => true,
            (Self::Gateway, Kind::Gateway | Kind::Node)
            | (Self::Node, Kind::Administrator | Kind::Analyst | Kind::Auditor | Kind::Node) => {
                false
            }
        }
    }
}

/// The one place where cryptography for TLS is chosen.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How a server takes connections. Trust and credentials may change afterwards; new handshakes see it.
pub fn server(
    credentials: Arc<Credentials>,
    trust: &Arc<Trust>,
    usage: Usage,
) -> Result<Arc<ServerConfig>, TlsError> {
    let verifier = CallerVerifier { trust: Arc::clone(trust), usage };
    let mut config = ServerConfig::builder_with_provider(Arc::clone(trust.provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(credentials);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.send_half_rtt_data = false;
    config.key_log = Arc::new(NoKeyLog {});
    config.time_provider = time_of(trust);
    Ok(Arc::new(config))
}

/// How a client connects to `expected` and to nobody else.
pub fn client(
    credentials: Arc<Credentials>,
    trust: &Arc<Trust>,
    expected: &Identity,
) -> Result<Arc<ClientConfig>, TlsError> {
    let verifier = ListenerVerifier { trust: Arc::clone(trust), expected: expected.clone() };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(trust.provider()))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(credentials);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.send_ticket_request = None;
    // A server has one certificate; whom somebody is about to ask is nobody else's business.
    config.enable_sni = false;
    config.key_log = Arc::new(NoKeyLog {});
    config.time_provider = time_of(trust);
    Ok(Arc::new(config))
}

/// What was wrong with the peer's certificate, if that is what ended the handshake.
pub(crate) fn peer_fault(fault: &TlsError) -> Option<PeerFault> {
    // Only what `refuse` made carries a fault of a certificate.
    let TlsError::InvalidCertificate(CertificateError::Other(OtherError(fault))) = fault else {
        return None;
    };
    fault.downcast_ref().copied()
}

/// Whether a caller showed no certificate at all.
pub(crate) fn no_certificate(fault: &TlsError) -> bool {
    matches!(fault, TlsError::NoCertificatesPresented)
}

/// Verifies those who connect, always against what is in force at that moment.
#[derive(Debug)]
struct CallerVerifier {
    trust: Arc<Trust>,
    usage: Usage,
}

/// Verifies the one to whom a client connects, always against what is in force at that moment.
#[derive(Debug)]
struct ListenerVerifier {
    trust: Arc<Trust>,
    expected: Identity,
}

impl ClientCertVerifier for CallerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Whoever connects has one certificate; the names of our authorities would help strangers only.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        if !others.is_empty() {
            return Err(refuse(PeerFault::Chain));
        }
        let identity =
            self.trust.check_connecting(std::slice::from_ref(certificate)).map_err(refuse)?;
        if !self.usage.calls(identity.kind()) {
            return Err(refuse(PeerFault::Kind));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_signature(&self.trust, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes(&self.trust)
    }
}

impl ServerCertVerifier for ListenerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if !others.is_empty() {
            return Err(refuse(PeerFault::Chain));
        }
        self.trust
            .check_listening(std::slice::from_ref(certificate), &self.expected)
            .map_err(refuse)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_signature(&self.trust, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes(&self.trust)
    }
}

fn refuse(fault: PeerFault) -> TlsError {
    TlsError::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
}

fn verify_signature(
    trust: &Trust,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, TlsError> {
    verify_tls13_signature(
        message,
        certificate,
        signature,
        &trust.provider().signature_verification_algorithms,
    )
}

fn schemes(trust: &Trust) -> Vec<SignatureScheme> {
    trust.provider().signature_verification_algorithms.supported_schemes()
}

#[derive(Debug)]
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}

fn time_of(trust: &Trust) -> Arc<dyn TimeProvider> {
    Arc::new(ClockTime(Arc::clone(trust.clock())))
}

#[cfg(test)]
mod tests {
    use super::{Usage, provider};
    use mayag_protocol::identity::Kind;
    use rustls::ProtocolVersion;

    #[test]
    fn only_tls_1_3_is_built() {
        let suites = provider().cipher_suites.clone();
        assert!(!suites.is_empty());
        assert!(suites.iter().all(|suite| suite.version().version == ProtocolVersion::TLSv1_3));
    }

    #[test]
    fn gateways_call_nodes_and_people_call_gateways() {
        let kinds = [Kind::Administrator, Kind::Analyst, Kind::Auditor, Kind::Gateway, Kind::Node];
        let callers =
            |usage: Usage| kinds.into_iter().filter(|kind| usage.calls(*kind)).collect::<Vec<_>>();
        assert_eq!(callers(Usage::Node), [Kind::Gateway]);
        assert_eq!(callers(Usage::Gateway), [Kind::Administrator, Kind::Analyst, Kind::Auditor]);
        assert!(Usage::Node.listens(Kind::Node) && !Usage::Node.listens(Kind::Gateway));
        assert!(Usage::Gateway.listens(Kind::Gateway) && !Usage::Gateway.listens(Kind::Node));
    }
}
