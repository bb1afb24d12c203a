//! What a client takes from its servers, and from those that are none.

use crate::support::stranger::PATIENCE;
use crate::support::{NODE_KR, World, id};
use bytes::Bytes;
use mayag_transport::client::{self, ClientError};
use mayag_transport::server::Limits;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let world = World::new();
    let trust = world.trust();
    let node = world.node(&trust, Limits::default()).await;
    let client = world.gateway_client(&trust, client::Limits::default());
    let ask = async || {
        let answer =
            client.post(&node.address(), &id(NODE_KR), "/echo", Bytes::from("x")).await.unwrap();
        answer.into_body().read().await.unwrap()
    };
    let answers = futures::future::join_all((0..20).map(|_| ask())).await;
    assert!(answers.iter().all(|answer| answer == "x"));
    let ports = node.desk.ports();
    assert_eq!(ports.len(), 20);
    assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
}

#[tokio::test]
async fn an_old_connection_is_replaced() {
    let world = World::new();
    let trust = world.trust();
    let node = world.node(&trust, Limits::default()).await;
    let client = world.gateway_client(
        &trust,
        client::Limits { age: Duration::ZERO, ..client::Limits::default() },
    );
    for _ in 0..3 {
        client.post(&node.address(), &id(NODE_KR), "/who", Bytes::new()).await.unwrap();
    }
    let mut ports = node.desk.ports();
    ports.dedup();
    assert_eq!(ports.len(), 3);
}

#[tokio::test]
async fn a_restarted_server_is_found_again() {
    let world = World::new();
    let trust = world.trust();
    let client = world.gateway_client(&trust, client::Limits::default());
    let mut node = world.node(&trust, Limits::default()).await;
    client.post(&node.address(), &id(NODE_KR), "/who", Bytes::new()).await.unwrap();
    node.stop().await;
    let fault = {
        let address = node.address();
        drop(node);
        client.post(&address, &id(NODE_KR), "/who", Bytes::new()).await.unwrap_err()
    };
    assert!(matches!(fault, ClientError::Unreachable { .. }), "{fault}");
    let node = world.node(&trust, Limits::default()).await;
    client.post(&node.address(), &id(NODE_KR), "/who", Bytes::new()).await.unwrap();
}

#[tokio::test]
async fn an_answer_longer_than_the_cap_ends_the_connection() {
    let world = World::new();
    let trust = world.trust();
    let node = world.node(&trust, Limits::default()).await;
    let limits = client::Limits { answer_bytes: 100_000, ..client::Limits::default() };
    let client = world.gateway_client(&trust, limits);
    for path in ["/big", "/endless"] {
        let answer = client.post(&node.address(), &id(NODE_KR), path, Bytes::new()).await.unwrap();
        let fault = timeout(PATIENCE, answer.into_body().read()).await.unwrap().unwrap_err();
        assert!(matches!(fault, ClientError::Long { limit: 100_000, .. }), "{fault}");
        timeout(PATIENCE, async {
            while node.desk.busy() != 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .expect("the server goes on for nobody");
    }
    let ports = node.desk.ports();
    assert_ne!(ports[0], ports[1], "the connection is not used again");
    let answer = client.post(&node.address(), &id(NODE_KR), "/big", Bytes::new()).await.unwrap();
    assert!(matches!(
        answer.into_body().at_most(10).read().await,
        Err(ClientError::Long { limit: 10, .. })
    ));
}

#[tokio::test]
async fn lines_come_one_by_one() {
    let world = World::new();
    let trust = world.trust();
    let node = world.node(&trust, Limits::default()).await;
    let client = world.gateway_client(&trust, client::Limits::default());
    let lines = async || {
        client
            .post(&node.address(), &id(NODE_KR), "/lines", Bytes::new())
            .await
            .unwrap()
            .into_body()
    };
    let mut answer = lines().await;
    for line in ["one", "two", "three"] {
        assert_eq!(answer.next_line(5).await.unwrap().unwrap(), line);
    }
    assert_eq!(answer.next_line(5).await.unwrap(), None);
    let mut answer = lines().await;
    assert!(matches!(answer.next_line(2).await, Err(ClientError::Long { limit: 2, .. })));
    // A last line without its end was cut off.
    let mut cut = client
        .post(&node.address(), &id(NODE_KR), "/echo", Bytes::from("one\ntw"))
        .await
        .unwrap()
        .into_body();
    assert_eq!(cut.next_line(9).await.unwrap().unwrap(), "one");
    assert!(matches!(cut.next_line(9).await, Err(ClientError::Broken { .. })));
}

#[tokio::test]
async fn silence_has_an_end() {
    let world = World::new();
    let trust = world.trust();
    let node = world.node(&trust, Limits::default()).await;
    let limit = Duration::from_millis(200);
    let client =
        world.gateway_client(&trust, client::Limits { answer: limit, ..client::Limits::default() });
    let fault =
        client.post(&node.address(), &id(NODE_KR), "/wait", Bytes::new()).await.unwrap_err();
    assert!(matches!(fault, ClientError::Slow { .. }), "{fault}");
}

#[tokio::test]
async fn whoever_does_not_speak_tls_is_told_apart() {
    let world = World::new();
    let limits =
        client::Limits { connect: Duration::from_millis(200), ..client::Limits::default() };
    let client = world.gateway_client(&world.trust(), limits);
    // Takes connections (its queue does) and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let begun = Instant::now();
    let fault = client.post(&address, &id(NODE_KR), "/who", Bytes::new()).await.unwrap_err();
    let timed_out = std::io::ErrorKind::TimedOut;
    assert!(matches!(fault, ClientError::Unreachable { kind, .. } if kind == timed_out), "{fault}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Closes at once.
    let rude = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = rude.local_addr().unwrap().to_string();
    let expected = id(NODE_KR);
    let (fault, ()) = tokio::join!(client.post(&address, &expected, "/who", Bytes::new()), async {
        drop(rude.accept().await.unwrap());
    });
    let fault = fault.unwrap_err();
    assert!(matches!(fault, ClientError::Handshake { .. }), "{fault}");
    let fault = client.post(&address, &id(NODE_KR), "no path\n", Bytes::new()).await.unwrap_err();
    assert!(matches!(fault, ClientError::Path(_)), "{fault}");
}
