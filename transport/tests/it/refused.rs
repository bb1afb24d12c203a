//! Whoever must not come in, each for one reason. That it is this reason is tested beside the code that gives it; here
//! it is the server that must not let them in.

use crate::support::stranger::{config, knock, let_in};
use crate::support::{GATEWAY, HANA, HOUR, NODE_KR, World, analysts, id};
use bytes::Bytes;
use mayag_certs_dev::leaf::{LeafPlan, Usage};
use mayag_protocol::identity::Identity;
use mayag_transport::client::{self, ClientError};
use mayag_transport::files::{Mode, replace};
use mayag_transport::server::Limits;
use mayag_transport::trust::IdentityFiles;
use std::sync::Arc;

#[tokio::test]
async fn the_bad_set_is_refused_and_the_good_analyst_is_not() {
    let world = World::new();
    let gateway = world.gateway(&world.trust(), Limits::default()).await;
    assert!(let_in(gateway.socket(), &world.files(HANA, "tls")).await);
    for what in [
        "expired",
        "revoked",
        "self-signed",
        "two-uris",
        "unknown-ca",
        "wrong-country",
        "wrong-usage",
    ] {
        assert!(!let_in(gateway.socket(), &world.bad(what)).await, "{what}");
    }
    assert!(let_in(gateway.socket(), &world.files(HANA, "tls")).await);
}

#[tokio::test]
async fn whoever_shows_no_certificate_is_refused() {
    let world = World::new();
    let gateway = world.gateway(&world.trust(), Limits::default()).await;
    assert!(knock(gateway.socket(), &Arc::new(config(None))).await.is_err());
}

#[tokio::test]
async fn a_server_s_certificate_does_not_connect() {
    let world = World::new();
    let (gateway, node) = (
        world.gateway(&world.trust(), Limits::default()).await,
        world.node(&world.trust(), Limits::default()).await,
    );
    assert!(let_in(node.socket(), &world.files(GATEWAY, "client")).await);
    assert!(!let_in(node.socket(), &world.files(GATEWAY, "tls")).await);
    assert!(!let_in(gateway.socket(), &world.files(NODE_KR, "tls")).await);
}

#[tokio::test]
async fn people_do_not_call_nodes_nor_gateways_gateways() {
    let world = World::new();
    let trust = world.trust();
    let (gateway, node) = (
        world.gateway(&trust, Limits::default()).await,
        world.node(&trust, Limits::default()).await,
    );
    assert!(!let_in(node.socket(), &world.files(HANA, "tls")).await);
    assert!(!let_in(gateway.socket(), &world.files(GATEWAY, "client")).await);
}

#[tokio::test]
async fn a_certificate_with_more_than_its_names_or_uses_is_refused() {
    let world = World::new();
    let gateway = world.gateway(&world.trust(), Limits::default()).await;
    let good = LeafPlan::client(&id(HANA), world.now(), world.now().plus(HOUR));
    assert!(let_in(gateway.socket(), &issued(&world, &good, "good")).await);
    let host = LeafPlan { dns: vec!["gateway-1.demo.mayag.invalid".to_owned()], ..good.clone() };
    let nobody = LeafPlan { uris: Vec::new(), ..good.clone() };
    let twice = LeafPlan { uris: vec![HANA.to_owned(), HANA.to_owned()], ..good.clone() };
    let spelled = LeafPlan { uris: vec![format!("{HANA}/")], ..good.clone() };
    let early = LeafPlan {
        not_before: world.now().plus(HOUR),
        not_after: world.now().plus(2 * HOUR),
        ..good.clone()
    };
    let server = LeafPlan { usage: Usage::Server, ..good };
    let bad = [
        ("host", host),
        ("nobody", nobody),
        ("twice", twice),
        ("spelled", spelled),
        ("early", early),
        ("server", server),
    ];
    for (what, plan) in bad {
        assert!(!let_in(gateway.socket(), &issued(&world, &plan, what)).await, "{what}");
    }
}

#[tokio::test]
async fn a_party_that_is_not_admitted_learns_that_it_was_refused() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits::default()).await;
    gateway.desk.banned.lock().push(id(HANA));
    let fault = world
        .hana(&trust)
        .post(&gateway.address(), &id(GATEWAY), "/who", Bytes::new())
        .await
        .unwrap_err();
    assert!(matches!(fault, ClientError::Refused { .. }), "{fault}");
    assert!(gateway.desk.ports().is_empty(), "no request came through");
}

#[tokio::test]
async fn a_refused_certificate_is_told_from_a_party_that_is_not_there() {
    let world = World::new();
    let trust = world.trust();
    let mut gateway = world.gateway(&trust, Limits::default()).await;
    let hana = world.files(HANA, "tls");
    world.revoke(&analysts("kr"), &hana);
    trust.reload().unwrap();
    let client = world.hana(&trust);
    for _ in 0..20 {
        let fault =
            client.post(&gateway.address(), &id(GATEWAY), "/who", Bytes::new()).await.unwrap_err();
        assert!(matches!(fault, ClientError::Refused { .. }), "{fault}");
    }
    let address = gateway.address();
    gateway.stop().await;
    drop(gateway);
    let fault = client.post(&address, &id(GATEWAY), "/who", Bytes::new()).await.unwrap_err();
    assert!(matches!(fault, ClientError::Unreachable { .. }), "{fault}");
}

#[tokio::test]
async fn a_client_talks_to_the_expected_server_only() {
    let world = World::new();
    let trust = world.trust();
    let node = world.node(&trust, Limits::default()).await;
    let client = world.gateway_client(&trust, client::Limits::default());
    let ask = async |expected: Identity| {
        client
            .post(&node.address(), &expected, "/who", Bytes::new())
            .await
            .expect_err("must be refused")
    };
    for other in ["spiffe://demo/country/us/node", GATEWAY, "spiffe://other/country/kr/node"] {
        let fault = ask(id(other)).await;
        assert!(matches!(fault, ClientError::Untrusted { .. }), "{other}: {fault}");
    }
    let fault = ask(id(HANA)).await;
    assert!(matches!(fault, ClientError::NotAServer(_)), "{fault}");
    assert!(node.desk.ports().is_empty(), "nothing was sent to a stranger");
    client.post(&node.address(), &id(NODE_KR), "/who", Bytes::new()).await.unwrap();
}

/// A certificate issued by the authority of Korea's analysts.
fn issued(world: &World, plan: &LeafPlan, name: &str) -> IdentityFiles {
    let leaf = world.pki.authority(&analysts("kr")).unwrap().issue(plan).unwrap();
    let file = |end: &str| world.dir.path().join(format!("{name}.{end}"));
    replace(&file("crt"), leaf.certificate.as_bytes(), Mode::Public).unwrap();
    replace(&file("key"), leaf.key.as_bytes(), Mode::Secret).unwrap();
    IdentityFiles { certificate: file("crt"), key: file("key") }
}
