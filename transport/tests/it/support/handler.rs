//! What the servers of the tests do.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mayag_protocol::identity::Identity;
use mayag_transport::peer::Peer;
use mayag_transport::server::{Handler, RequestBody, ResponseBody, read_body};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Answers by path, and remembers.
#[derive(Default)]
pub(crate) struct Desk {
    /// Who is turned away after the handshake.
    pub(crate) banned: Mutex<Vec<Identity>>,
    /// The ports from which requests came, in order.
    pub(crate) ports: Mutex<Vec<u16>>,
    /// Requests in progress.
    pub(crate) busy: Arc<AtomicUsize>,
    /// Lets `/wait` go on.
    pub(crate) go: Notify,
}

/// Counts for as long as it lives.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Desk {
    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::SeqCst)
    }

    pub(crate) fn ports(&self) -> Vec<u16> {
        self.ports.lock().clone()
    }
}

impl Handler for Desk {
    fn admit(&self, peer: &Identity) -> bool {
        !self.banned.lock().contains(peer)
    }

    async fn handle(
        self: Arc<Self>,
        peer: Peer,
        request: Request<RequestBody>,
    ) -> Response<ResponseBody> {
        self.ports.lock().push(peer.address.port());
        let busy = Busy::new(&self.busy);
        let path = request.uri().path().to_owned();
        let body = match path.as_str() {
            "/echo" => match read_body(request.into_body(), usize::MAX, Duration::MAX).await {
                Ok(body) => ResponseBody::full(body),
                Err(fault) => return status(fault.status(), fault.to_string()),
            },
            "/who" => ResponseBody::full(peer.identity.to_string()),
            "/wait" => {
                self.go.notified().await;
                ResponseBody::full("waited")
            }
            "/big" => ResponseBody::full(vec![b'x'; 1024 * 1024]),
            "/lines" => ResponseBody::produced(1, |sender| async move {
                let _busy = busy;
                for line in ["one\n", "two\n", "three\n"] {
                    sender.send(Bytes::from_static(line.as_bytes())).await.unwrap();
                }
            }),
            "/endless" => ResponseBody::produced(1, |sender| async move {
                let _busy = busy;
                while sender.send(Bytes::from(vec![b'x'; 64 * 1024])).await.is_ok() {}
            }),
            "/panic" => panic!("on purpose"),
            _ => return status(StatusCode::NOT_FOUND, String::new()),
        };
        Response::new(body)
    }
}

fn status(status: StatusCode, text: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(text));
    *response.status_mut() = status;
    response
}
