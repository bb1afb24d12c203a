//! Work that recurses as deep as a question allows gets a stack that survives it.

use std::io;
use std::thread::{Builder, scope};

/// Stack of planning threads. The guard's limits are safe with it; they are not with the 2 MiB of a runtime's worker.
pub(crate) const STACK: usize = 64 * 1024 * 1024;

/// Runs `work` on a thread of its own and waits. An error also where it panicked.
pub(crate) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    scope(|threads| {
        let thread = Builder::new()
            .name("mayag-plan".to_owned())
            .stack_size(STACK)
            .spawn_scoped(threads, work)?;
        thread.join().map_err(|_| io::Error::other("planning panicked"))
    })
}
