//! The tasks of one connection, which end with it.
//!
//! hyper runs each stream of an HTTP/2 connection as a task of its own. Were those detached, a handler would go on
//! working for a caller who is gone; here they belong to the connection's owner and are dropped with it.

use hyper::rt::Executor;
use parking_lot::Mutex;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::task::JoinSet;

/// Owns the tasks; dropping it drops them.
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Starts tasks for as long as their owner lives. Holds no share of them, so that tasks which hold it do not keep
/// themselves alive.
#[derive(Clone)]
pub(crate) struct Spawner(Weak<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(JoinSet::new())))
    }

    pub(crate) fn spawner(&self) -> Spawner {
        Spawner(Arc::downgrade(&self.0))
    }
}

impl Spawner {
    /// Drops every task now, the calling one included.
    pub(crate) fn stop(&self) {
        if let Some(tasks) = self.0.upgrade() {
            tasks.lock().abort_all();
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        let Some(tasks) = self.0.upgrade() else { return };
        let mut tasks = tasks.lock();
        while let Some(ended) = tasks.try_join_next() {
            if ended.is_err_and(|fault| fault.is_panic()) {
                tracing::error!("a handler panicked; its caller saw the stream reset");
            }
        }
        tasks.spawn(future);
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tasks({})", self.0.lock().len())
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

#[cfg(test)]
mod tests {
    use super::Tasks;
    use hyper::rt::Executor as _;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn tasks_end_with_their_owner() {
        let (held, gone) = oneshot::channel::<()>();
        let tasks = Tasks::new();
        let spawner = tasks.spawner();
        let inside = spawner.clone();
        spawner.execute(async move {
            let _both = (held, inside);
            std::future::pending::<()>().await;
        });
        drop(tasks);
        assert!(gone.await.is_err(), "the task was dropped, and with it the sender");
        let (held, gone) = oneshot::channel::<()>();
        spawner.execute(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(gone.await.is_err(), "nothing starts without an owner");
    }
}
