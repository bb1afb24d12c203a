//! A TLS client without scruples: believes every server and shows any certificate.

use mayag_transport::trust::IdentityFiles;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What an HTTP/2 client says first: the preface and empty settings.
pub(crate) const HELLO: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Long enough for anything on loopback.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Believer;

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A configuration that offers `h2`, with everything that would allow a session to be resumed.
pub(crate) fn config(certificate: Option<&IdentityFiles>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer));
    let mut config = match certificate {
        Some(files) => {
            let chain = CertificateDer::pem_file_iter(&files.certificate)
                .unwrap()
                .map(Result::unwrap)
                .collect();
            builder
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&files.key).unwrap())
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::in_memory_sessions(8);
    config.enable_early_data = true;
    config
}

/// What became of a connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) kind: HandshakeKind,
    pub(crate) tickets: u32,
}

/// Connects, says hello, and waits for the first byte of HTTP/2. A server that refuses closes instead.
pub(crate) async fn knock(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Accepted> {
    timeout(PATIENCE, async {
        let mut stream = connect(address, config).await?;
        stream.write_all(HELLO).await?;
        let mut first = [0; 1];
        stream.read_exact(&mut first).await?;
        let session = stream.get_ref().1;
        let (kind, tickets) = (session.handshake_kind().unwrap(), session.tls13_tickets_received());
        Ok(Accepted { stream, kind, tickets })
    })
    .await
    .expect("the server neither accepts nor refuses")
}

/// Connects and says nothing after the handshake.
pub(crate) async fn connect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("gateway-1.demo.mayag.invalid").unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// Whether a party with this certificate is let in; an error is the server's refusal.
pub(crate) async fn let_in(address: SocketAddr, certificate: &IdentityFiles) -> bool {
    knock(address, &Arc::new(config(Some(certificate)))).await.is_ok()
}
