//! Handshakes: who may come in, with which protocol, and that each proves its identity anew.

use crate::support::stranger::{PATIENCE, config, connect, knock};
use crate::support::{GATEWAY, HANA, NODE_KR, World, id};
use bytes::Bytes;
use mayag_transport::client;
use mayag_transport::server::Limits;
use rustls::HandshakeKind;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn an_analyst_asks_a_gateway_and_a_gateway_asks_a_node() {
    let world = World::new();
    let trust = world.trust();
    let (gateway, node) = (
        world.gateway(&trust, Limits::default()).await,
        world.node(&trust, Limits::default()).await,
    );
    let hana = world.hana(&trust);
    let answer = hana.post(&gateway.address(), &id(GATEWAY), "/who", Bytes::new()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.into_body().read().await.unwrap()),
        (200, Bytes::from(HANA))
    );
    let client = world.gateway_client(&trust, client::Limits::default());
    let answer = client
        .post(&node.address(), &id(NODE_KR), "/echo", Bytes::from("a question"))
        .await
        .unwrap();
    assert_eq!(answer.into_body().read().await.unwrap(), "a question");
    let nothing = client.post(&node.address(), &id(NODE_KR), "/none", Bytes::new()).await.unwrap();
    assert_eq!(nothing.status().as_u16(), 404);
}

#[tokio::test]
async fn no_session_is_resumed_even_if_the_client_would() {
    let world = World::new();
    let gateway = world.gateway(&world.trust(), Limits::default()).await;
    let eager = Arc::new(config(Some(&world.files(HANA, "tls"))));
    for _ in 0..3 {
        let accepted = knock(gateway.socket(), &eager).await.unwrap();
        assert_eq!((accepted.kind, accepted.tickets), (HandshakeKind::Full, 0));
    }
}

#[tokio::test]
async fn whoever_offers_anything_but_h2_is_refused() {
    let world = World::new();
    let gateway = world.gateway(&world.trust(), Limits::default()).await;
    let offers: [&[&[u8]]; 3] = [&[b"http/1.1"], &[], &[b"h3"]];
    for offer in offers {
        let mut other = config(Some(&world.files(HANA, "tls")));
        other.alpn_protocols = offer.iter().map(|name| name.to_vec()).collect();
        assert!(knock(gateway.socket(), &Arc::new(other)).await.is_err(), "{offer:?}");
    }
    let mut both = config(Some(&world.files(HANA, "tls")));
    both.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let accepted = knock(gateway.socket(), &Arc::new(both)).await.unwrap();
    assert_eq!(accepted.stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn a_client_of_tls_1_2_is_refused() {
    let world = World::new();
    let gateway = world.gateway(&world.trust(), Limits::default()).await;
    // The same hello with TLS 1.3 in it is answered, so that it is the version that is refused.
    let newer = first_record(gateway.socket(), &client_hello(&tls_1_3_extensions())).await;
    assert_eq!(newer.first(), Some(&HANDSHAKE));
    let older = first_record(gateway.socket(), &client_hello(&[])).await;
    assert_eq!(older, [ALERT, 3, 3, 0, 2, FATAL, PROTOCOL_VERSION]);
}

#[tokio::test]
async fn plain_http_is_not_answered() {
    let world = World::new();
    let gateway = world.gateway(&world.trust(), Limits::default()).await;
    let answer =
        first_record(gateway.socket(), b"POST /v1/questions HTTP/1.1\r\nhost: gateway\r\n\r\n")
            .await;
    assert!(answer.is_empty() || answer.first() == Some(&ALERT), "{answer:?}");
}

#[tokio::test]
async fn the_server_shows_its_new_certificate_after_a_reload() {
    let world = World::new();
    let gateway = world.gateway(&world.trust(), Limits::default()).await;
    let hana = Arc::new(config(Some(&world.files(HANA, "tls"))));
    let shown = || async {
        let stream = connect(gateway.socket(), &hana).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap().first().unwrap().as_ref().to_vec()
    };
    let before = shown().await;
    let scope = mayag_certs_dev::authority::Scope::of(&id(GATEWAY));
    let (from, until) = (world.now(), world.now().plus(crate::support::HOUR));
    let plan = mayag_certs_dev::leaf::LeafPlan::server(&id(GATEWAY), from, until);
    let renewed = world.pki.authority(&scope).unwrap().issue(&plan).unwrap();
    renewed.write(&world.pki.folder_of(&id(GATEWAY)), "tls").unwrap();
    assert_eq!(shown().await, before, "nothing changes without a reload");
    gateway.server.credentials().reload().unwrap();
    assert_ne!(shown().await, before);
    assert_eq!(gateway.server.credentials().expires_at(), until);
    // A key that does not belong to the certificate leaves the present one in use.
    let after = shown().await;
    plan_only(&world, &plan);
    gateway.server.credentials().reload().unwrap_err();
    assert_eq!(shown().await, after);
}

/// Replaces the gateway's certificate but not its key.
fn plan_only(world: &World, plan: &mayag_certs_dev::leaf::LeafPlan) {
    let scope = mayag_certs_dev::authority::Scope::of(&id(GATEWAY));
    let other = world.pki.authority(&scope).unwrap().issue(plan).unwrap();
    let path = world.files(GATEWAY, "tls").certificate;
    mayag_transport::files::replace(
        &path,
        other.certificate.as_bytes(),
        mayag_transport::files::Mode::Public,
    )
    .unwrap();
}

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const FATAL: u8 = 2;
const PROTOCOL_VERSION: u8 = 70;

/// The first record that comes back, or nothing if the connection is closed.
async fn first_record(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    timeout(PATIENCE, async {
        let mut head = [0; 5];
        if stream.read_exact(&mut head).await.is_err() {
            return Vec::new();
        }
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut body).await.unwrap();
        [&head[..], &body].concat()
    })
    .await
    .unwrap()
}

/// A `ClientHello` of TLS 1.2 (RFC 5246, 7.4.1.2) with `more` extensions.
fn client_hello(more: &[u8]) -> Vec<u8> {
    let groups: &[u8] = &[0, 10, 0, 4, 0, 2, 0, 29];
    let points: &[u8] = &[0, 11, 0, 2, 1, 0];
    let signatures: &[u8] = &[0, 13, 0, 4, 0, 2, 4, 3];
    let protocols: &[u8] = &[0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
    let extensions = [groups, points, signatures, protocols, more].concat();
    // TLS_AES_128_GCM_SHA256 and TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256.
    let suites: &[u8] = &[0, 4, 0x13, 0x01, 0xc0, 0x2b];
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend(suites);
    hello.extend([1, 0]);
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    let mut message = vec![1, 0];
    message.extend(u16::try_from(hello.len()).unwrap().to_be_bytes());
    message.extend(hello);
    let mut record = vec![HANDSHAKE, 3, 1];
    record.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    record.extend(message);
    record
}

/// `supported_versions` with TLS 1.3 and a key share for X25519.
fn tls_1_3_extensions() -> Vec<u8> {
    let versions: &[u8] = &[0, 43, 0, 3, 2, 3, 4];
    let share: &[u8] = &[0, 51, 0, 38, 0, 36, 0, 29, 0, 32];
    [versions, share, &[9; 32]].concat()
}
