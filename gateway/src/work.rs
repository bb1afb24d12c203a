//! Work that blocks, owned by the one who waits for it.

use tokio::task::JoinSet;

/// The work panicked, or the one who waited for it went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work broke")]
pub(crate) struct Broken;

/// Runs `work` beside the threads that serve connections. A panic in it is an error here and nothing else: what it reads
/// came from somebody else.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Broken> {
    let mut one = JoinSet::new();
    one.spawn_blocking(work);
    one.join_next().await.and_then(Result::ok).ok_or(Broken)
}

#[cfg(test)]
mod tests {
    use super::{Broken, blocking};

    #[tokio::test]
    async fn a_panic_is_an_error() {
        assert_eq!(blocking(|| 1).await, Ok(1));
        assert_eq!(blocking(|| -> i32 { panic!("on purpose") }).await, Err(Broken));
    }
}
