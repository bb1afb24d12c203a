//! A client that obeys no rule: it shows whatever certificate it is told to, or none, and believes any server.
//!
//! Where it shows a gateway's certificate it signs with the gateway's key that it forwards what it sends, so that nodes
//! look at the rest.

use crate::sealed;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mayag_protocol::answer::Bundle;
use mayag_protocol::forward;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than any server here takes to refuse.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends one request with the certificate `tls.crt` (or `stem.crt`) of `folder`, or with none. An error is a connection
/// that did not come to an answer, in words.
pub async fn post(
    address: &str,
    identity: Option<(&Path, &str)>,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), String> {
    timeout(PATIENCE, send(address, identity, path, body))
        .await
        .map_err(|_| "no answer".to_owned())?
}

async fn send(
    address: &str,
    identity: Option<(&Path, &str)>,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), String> {
    let tcp = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config(identity)));
    let name = ServerName::try_from("anybody.invalid").expect("a name");
    let tls = connector.connect(name, tcp).await.map_err(|error| format!("handshake: {error}"))?;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls))
            .await
            .map_err(|error| format!("http: {error}"))?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let mut request = Request::post(format!("https://anybody.invalid{path}"));
    if let Some((folder, _)) = identity.filter(|(_, stem)| *stem == "client") {
        // What goes with a lookup is no part of what is signed.
        let envelope = Bundle::parse(&body).map(|bundle| bundle.envelope);
        let envelope = envelope.as_ref().unwrap_or(&body);
        request = request.header(forward::HEADER, sealed::forward(folder, envelope));
    }
    let request = request.body(Full::new(Bytes::from(body)));
    let response = sender
        .send_request(request.expect("a request"))
        .await
        .map_err(|error| format!("request: {error}"))?;
    let status = response.status();
    let bytes =
        response.into_body().collect().await.map_err(|error| format!("body: {error}"))?.to_bytes();
    Ok((status, bytes))
}

fn config(identity: Option<(&Path, &str)>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((folder, stem)) => {
            let chain = CertificateDer::pem_file_iter(folder.join(format!("{stem}.crt")))
                .expect("a certificate");
            let chain = chain.collect::<Result<Vec<_>, _>>().expect("a certificate");
            let key =
                PrivateKeyDer::from_pem_file(folder.join(format!("{stem}.key"))).expect("a key");
            builder.with_client_auth_cert(chain, key).expect("a certificate with its key")
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
