//! What a caller can use up, and that it is not more.

use crate::support::stranger::{HELLO, PATIENCE, config, connect, knock};
use crate::support::{GATEWAY, HANA, World, id};
use bytes::Bytes;
use http::Request;
use http_body_util::StreamBody;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mayag_transport::client::{self, ClientError};
use mayag_transport::server::Limits;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const LIMIT: Duration = Duration::from_millis(300);

/// How long it takes until the server closes.
async fn closed_after(mut stream: impl AsyncRead + Unpin) -> Duration {
    let begun = Instant::now();
    let mut sink = vec![0; 4096];
    timeout(PATIENCE, async {
        while matches!(stream.read(&mut sink).await, Ok(read) if 0 < read) {}
    })
    .await
    .expect("the server never closes");
    begun.elapsed()
}

fn about(found: Duration) -> bool {
    LIMIT / 2 <= found && found <= LIMIT * 8
}

async fn until(done: impl Fn() -> bool) {
    timeout(PATIENCE, async {
        while !done() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("never came true");
}

#[tokio::test]
async fn a_stalled_handshake_is_closed() {
    let world = World::new();
    let limits = Limits { handshake: LIMIT, ..Limits::default() };
    let gateway = world.gateway(&world.trust(), limits).await;
    let silent = TcpStream::connect(gateway.socket()).await.unwrap();
    assert!(about(closed_after(silent).await));
    let mut half = TcpStream::connect(gateway.socket()).await.unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    assert!(about(closed_after(half).await));
}

#[tokio::test]
async fn stalled_headers_are_closed() {
    let world = World::new();
    let limits = Limits { header: LIMIT, ..Limits::default() };
    let gateway = world.gateway(&world.trust(), limits).await;
    let hana = Arc::new(config(Some(&world.files(HANA, "tls"))));
    // Nothing at all, half a preface, a hello without a request, and headers that never end.
    let endless: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    for said in [b"", &HELLO[..10], HELLO, &[HELLO, endless].concat()] {
        let mut stream = connect(gateway.socket(), &hana).await.unwrap();
        stream.write_all(said).await.unwrap();
        stream.flush().await.unwrap();
        let after = closed_after(stream).await;
        assert!(about(after), "{} bytes: {after:?}", said.len());
    }
    assert!(gateway.desk.ports().is_empty());
}

/// An HTTP/2 client of hyper's, for what ours cannot be made to do.
async fn hyper_client<B>(
    address: SocketAddr,
    world: &World,
    tasks: &mut JoinSet<()>,
) -> SendRequest<B>
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream =
        connect(address, &Arc::new(config(Some(&world.files(HANA, "tls"))))).await.unwrap();
    let (sender, driver) =
        Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
    tasks.spawn(async move {
        let _ended = driver.await;
    });
    sender
}

fn to(path: &str) -> http::request::Builder {
    Request::post(format!("https://gateway-1.demo.mayag.invalid{path}"))
}

#[tokio::test]
async fn a_stalled_body_is_given_up() {
    let world = World::new();
    let limits = Limits { body: LIMIT, ..Limits::default() };
    let gateway = world.gateway(&world.trust(), limits).await;
    let mut tasks = JoinSet::new();
    let mut sender = hyper_client(gateway.socket(), &world, &mut tasks).await;
    let begun = Instant::now();
    let never =
        StreamBody::new(futures::stream::pending::<Result<http_body::Frame<Bytes>, Infallible>>());
    let answer = timeout(PATIENCE, sender.send_request(to("/echo").body(never).unwrap()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.status().as_u16(), 408);
    assert!(about(begun.elapsed()));
}

#[tokio::test]
async fn a_long_body_is_refused_announced_or_not() {
    let world = World::new();
    let limits = Limits { body_bytes: 1000, ..Limits::default() };
    let trust = world.trust();
    let gateway = world.gateway(&trust, limits).await;
    let hana = world.hana(&trust);
    let echo = async |length: usize| {
        let body = Bytes::from(vec![b'x'; length]);
        hana.post(&gateway.address(), &id(GATEWAY), "/echo", body).await.unwrap().status().as_u16()
    };
    assert_eq!((echo(1000).await, echo(1001).await, echo(100_000).await), (200, 413, 413));
    let mut tasks = JoinSet::new();
    let mut sender = hyper_client(gateway.socket(), &world, &mut tasks).await;
    let pieces =
        (0..3).map(|_| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from(vec![b'x'; 400]))));
    let unannounced = StreamBody::new(futures::stream::iter(pieces));
    let answer = timeout(PATIENCE, sender.send_request(to("/echo").body(unannounced).unwrap()))
        .await
        .unwrap();
    assert_eq!(answer.unwrap().status().as_u16(), 413);
}

#[tokio::test]
async fn long_headers_are_refused() {
    let world = World::new();
    let gateway =
        world.gateway(&world.trust(), Limits { header_bytes: 2048, ..Limits::default() }).await;
    let mut tasks = JoinSet::new();
    let mut sender = hyper_client(gateway.socket(), &world, &mut tasks).await;
    let request = |length| {
        to("/who").header("x-long", "x".repeat(length)).body(http_body_util::Empty::new()).unwrap()
    };
    assert_eq!(sender.send_request(request(1000)).await.unwrap().status().as_u16(), 200);
    let refused = timeout(PATIENCE, sender.send_request(request(4000))).await.unwrap();
    assert!(refused.is_err() || refused.is_ok_and(|answer| answer.status().as_u16() == 431));
    assert_eq!(gateway.desk.ports().len(), 1);
}

#[tokio::test]
async fn a_caller_who_does_not_take_the_response_is_cut_off() {
    let world = World::new();
    let limits = Limits { send: LIMIT, ..Limits::default() };
    let trust = world.trust();
    let gateway = world.gateway(&trust, limits).await;
    let hana = world.hana(&trust);
    let answer =
        hana.post(&gateway.address(), &id(GATEWAY), "/endless", Bytes::new()).await.unwrap();
    let begun = Instant::now();
    until(|| gateway.desk.busy() == 1).await;
    until(|| gateway.desk.busy() == 0).await;
    assert!(about(begun.elapsed()), "{:?}", begun.elapsed());
    let fault = answer.into_body().read().await.unwrap_err();
    assert!(matches!(fault, ClientError::Broken { .. }), "{fault}");
}

#[tokio::test]
async fn handshakes_at_once_are_limited_in_all_and_by_address() {
    let world = World::new();
    for limits in [
        Limits { handshakes: 2, handshakes_per_address: 16, ..Limits::default() },
        Limits { handshakes: 16, handshakes_per_address: 2, ..Limits::default() },
    ] {
        let gateway = world.gateway(&world.trust(), limits).await;
        let hana = Arc::new(config(Some(&world.files(HANA, "tls"))));
        let first = TcpStream::connect(gateway.socket()).await.unwrap();
        let second = TcpStream::connect(gateway.socket()).await.unwrap();
        assert!(knock(gateway.socket(), &hana).await.is_err());
        drop((first, second));
        timeout(PATIENCE, async { while knock(gateway.socket(), &hana).await.is_err() {} })
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn connections_at_once_are_limited_in_all_and_by_identity() {
    let world = World::new();
    let hana = Arc::new(config(Some(&world.files(HANA, "tls"))));
    let alex = Arc::new(config(Some(&world.files("spiffe://demo/country/us/analyst/alex", "tls"))));
    for (limits, alex_comes_in) in [
        (Limits { connections: 2, connections_per_identity: 8, ..Limits::default() }, false),
        (Limits { connections: 8, connections_per_identity: 2, ..Limits::default() }, true),
    ] {
        let gateway = world.gateway(&world.trust(), limits).await;
        let first = knock(gateway.socket(), &hana).await.unwrap();
        let second = knock(gateway.socket(), &hana).await.unwrap();
        assert!(knock(gateway.socket(), &hana).await.is_err());
        assert_eq!(knock(gateway.socket(), &alex).await.is_ok(), alex_comes_in);
        drop((first, second));
        timeout(PATIENCE, async { while knock(gateway.socket(), &hana).await.is_err() {} })
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_the_client_makes_another() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits { idle: LIMIT, ..Limits::default() }).await;
    let hana = world.hana(&trust);
    let ask = async || {
        hana.post(&gateway.address(), &id(GATEWAY), "/who", Bytes::new()).await.map(drop).unwrap();
    };
    ask().await;
    ask().await;
    sleep(LIMIT * 3).await;
    ask().await;
    let ports = gateway.desk.ports();
    assert!(ports[0] == ports[1] && ports[1] != ports[2], "{ports:?}");
}

#[tokio::test]
async fn an_old_connection_finishes_what_it_does_and_takes_nothing_more() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits { age: LIMIT, ..Limits::default() }).await;
    let hana = world.hana(&trust);
    let ask = async |path| {
        let answer = hana.post(&gateway.address(), &id(GATEWAY), path, Bytes::new()).await.unwrap();
        answer.into_body().read().await.unwrap()
    };
    let (waited, ()) = tokio::join!(ask("/wait"), async {
        sleep(LIMIT * 3).await;
        assert_eq!(ask("/who").await, HANA);
        gateway.desk.go.notify_one();
    });
    assert_eq!(waited, "waited");
    let ports = gateway.desk.ports();
    assert_ne!(ports[0], ports[1]);
}

#[tokio::test]
async fn an_old_connection_does_not_wait_for_ever() {
    let world = World::new();
    let trust = world.trust();
    let gateway =
        world.gateway(&trust, Limits { age: LIMIT, drain: LIMIT, ..Limits::default() }).await;
    let begun = Instant::now();
    let fault = world
        .hana(&trust)
        .post(&gateway.address(), &id(GATEWAY), "/wait", Bytes::new())
        .await
        .unwrap_err();
    assert!(matches!(fault, ClientError::Broken { .. }), "{fault}");
    assert!(about(begun.elapsed() / 2), "{:?}", begun.elapsed());
    until(|| gateway.desk.busy() == 0).await;
}

#[tokio::test]
async fn a_peer_that_vanished_is_noticed() {
    let world = World::new();
    let limits = Limits { ping: LIMIT / 2, pong: LIMIT / 2, ..Limits::default() };
    let gateway = world.gateway(&world.trust(), limits).await;
    // Says hello and answers no ping.
    let accepted =
        knock(gateway.socket(), &Arc::new(config(Some(&world.files(HANA, "tls"))))).await.unwrap();
    assert!(about(closed_after(accepted.stream).await));
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_within_its_grace() {
    let world = World::new();
    let trust = world.trust();
    for (grace, finishes) in [(PATIENCE, true), (LIMIT, false)] {
        let mut gateway = world.gateway(&trust, Limits { drain: grace, ..Limits::default() }).await;
        let (hana, address) = (world.hana(&trust), gateway.address());
        let asked = async {
            let expected = id(GATEWAY);
            let answer = hana.post(&address, &expected, "/wait", Bytes::new()).await?;
            answer.into_body().read().await
        };
        let desk = Arc::clone(&gateway.desk);
        let (answer, ()) = tokio::join!(asked, async {
            until(|| desk.busy() == 1).await;
            gateway.begin_stop();
            if finishes {
                sleep(LIMIT).await;
                desk.go.notify_one();
            }
        });
        assert_eq!(answer.is_ok(), finishes, "{answer:?}");
        until(|| desk.busy() == 0).await;
    }
}

#[tokio::test]
async fn what_a_caller_started_ends_when_he_goes_away() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits::default()).await;
    let hana = world.hana(&trust);
    let (address, expected) = (gateway.address(), id(GATEWAY));
    let impatient = timeout(LIMIT, hana.post(&address, &expected, "/wait", Bytes::new()));
    let (gave_up, ()) = tokio::join!(impatient, until(|| gateway.desk.busy() == 1));
    gave_up.unwrap_err();
    until(|| gateway.desk.busy() == 0).await;
    let stream = hana.post(&address, &expected, "/endless", Bytes::new()).await.unwrap();
    until(|| gateway.desk.busy() == 1).await;
    drop(stream);
    until(|| gateway.desk.busy() == 0).await;
    // Only the streams were reset: the connection is the same.
    let ports = gateway.desk.ports();
    assert_eq!(ports[0], ports[1]);
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits::default()).await;
    let hana = world.client(
        HANA,
        "tls",
        &trust,
        client::Limits { answer: PATIENCE, ..client::Limits::default() },
    );
    let ask = async |path| hana.post(&gateway.address(), &id(GATEWAY), path, Bytes::new()).await;
    let (panicked, echoed) = tokio::join!(ask("/panic"), ask("/echo"));
    assert!(matches!(panicked, Err(ClientError::Broken { .. })), "{panicked:?}");
    assert!(echoed.is_ok(), "{echoed:?}");
    ask("/who").await.unwrap();
}
