//! What is going on on one connection, so that idle and stalled ones are noticed.

use super::limits::Limits;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// What is going on on one connection.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests begun so far; names them too.
    begun: u64,
    /// Requests in progress.
    open: usize,
    /// Since when there is none.
    quiet_since: Instant,
    /// Responses of which a piece waits for the caller to take it, and since when.
    waiting: BTreeMap<u64, Instant>,
}

/// One request in progress, until this is dropped.
#[derive(Debug)]
pub(super) struct Open {
    activity: Arc<Activity>,
    number: u64,
}

/// What is to be done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Keep,
    /// Take no more requests and close it when those in progress are done.
    Retire(&'static str),
    /// Close it now.
    Close(&'static str),
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let state =
            State { begun: 0, open: 0, quiet_since: Instant::now(), waiting: BTreeMap::new() };
        Arc::new(Self(Mutex::new(state)))
    }

    pub(super) fn begin(self: &Arc<Self>) -> Open {
        let mut state = self.0.lock();
        state.begun += 1;
        state.open += 1;
        Open { activity: Arc::clone(self), number: state.begun }
    }

    /// Which limit this connection, opened at `opened`, oversteps now.
    pub(super) fn verdict(&self, opened: Instant, now: Instant, limits: &Limits) -> Verdict {
        let state = self.0.lock();
        let since = |then| now.saturating_duration_since(then);
        if state.waiting.values().any(|then| limits.send < since(*then)) {
            Verdict::Close("the caller does not take its response")
        } else if state.begun == 0 && limits.header < since(opened) {
            Verdict::Close("no whole request came")
        } else if state.open == 0 && limits.idle < since(state.quiet_since) {
            Verdict::Retire("idle")
        } else if limits.age < since(opened) {
            Verdict::Retire("age")
        } else {
            Verdict::Keep
        }
    }
}

impl Open {
    /// A piece of the response was handed over: it is the caller's turn.
    pub(super) fn handed(&self) {
        self.activity.0.lock().waiting.entry(self.number).or_insert_with(Instant::now);
    }

    /// The last piece was taken: it is ours.
    pub(super) fn taken(&self) {
        self.activity.0.lock().waiting.remove(&self.number);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.activity.0.lock();
        state.waiting.remove(&self.number);
        state.open = state.open.saturating_sub(1);
        state.quiet_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::{Activity, Verdict};
    use crate::server::limits::Limits;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn each_limit_has_its_verdict() {
        let limits = Limits { age: Duration::from_secs(1000), ..Limits::default() };
        let (activity, opened) = (Activity::new(), Instant::now());
        let later = |by: Duration| activity.verdict(opened, Instant::now() + by, &limits);
        assert_eq!(later(limits.header / 2), Verdict::Keep);
        assert!(matches!(later(limits.header * 2), Verdict::Close(_)), "no request");
        let open = activity.begin();
        assert_eq!(
            later(limits.idle * 2),
            Verdict::Keep,
            "a request in progress is not idle, however long it takes"
        );
        open.handed();
        assert_eq!(later(limits.send / 2), Verdict::Keep);
        assert!(matches!(later(limits.send * 2), Verdict::Close(_)), "the response is not taken");
        open.taken();
        assert_eq!(later(limits.send * 2), Verdict::Keep);
        open.handed();
        drop(open);
        assert_eq!(later(limits.idle / 2), Verdict::Keep);
        assert_eq!(later(limits.idle * 2), Verdict::Retire("idle"));
        let _open = activity.begin();
        assert_eq!(later(limits.age * 2), Verdict::Retire("age"));
    }
}
