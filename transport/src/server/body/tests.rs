//! Bodies without a network.

use super::{BodyError, Broken, PIECE, RequestBody, ResponseBody, read_body};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

async fn collected(body: ResponseBody) -> Result<Bytes, Broken> {
    body.collect().await.map(http_body_util::Collected::to_bytes)
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit() {
    let read = |limit| read_body(RequestBody::whole(&b"1234"[..]), limit, Duration::from_secs(1));
    assert_eq!(read(4).await, Ok(Bytes::from_static(b"1234")));
    assert_eq!(read(3).await, Err(BodyError::TooLong(3)));
}

#[tokio::test]
async fn long_bodies_come_in_pieces() {
    let bytes = Bytes::from(vec![7; 2 * PIECE + 1]);
    let mut body = ResponseBody::full(bytes.clone());
    assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first.len(), PIECE);
    let rest = collected(body).await.unwrap();
    assert_eq!(rest.len(), PIECE + 1);
    assert!(ResponseBody::empty().is_end_stream());
}

#[tokio::test]
async fn a_stream_ends_with_its_sender() {
    let (sender, receiver) = mpsc::channel(2);
    let body = ResponseBody::stream(receiver);
    assert_eq!(body.size_hint().exact(), None);
    sender.send(Bytes::from_static(b"one\n")).await.unwrap();
    sender.send(Bytes::from_static(b"two\n")).await.unwrap();
    drop(sender);
    assert_eq!(collected(body).await, Ok(Bytes::from_static(b"one\ntwo\n")));
}

#[tokio::test]
async fn the_task_that_fills_a_body_ends_with_it() {
    let (held, gone) = oneshot::channel::<()>();
    let body = ResponseBody::produced(1, |sender| async move {
        let _held = held;
        while sender.send(Bytes::from_static(b"more\n")).await.is_ok() {}
        // Sending fails, too, when the body is gone; what must be seen is that the task does not even get here.
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    drop(body);
    assert!(gone.await.is_err());
}

#[tokio::test]
async fn a_panic_is_no_end() {
    let body = ResponseBody::produced(1, |sender| async move {
        sender.send(Bytes::from_static(b"one\n")).await.unwrap();
        panic!("on purpose");
    });
    assert_eq!(collected(body).await, Err(Broken));
    let whole = ResponseBody::produced(1, |sender| async move {
        sender.send(Bytes::from_static(b"one\n")).await.unwrap();
    });
    assert_eq!(collected(whole).await, Ok(Bytes::from_static(b"one\n")));
}
