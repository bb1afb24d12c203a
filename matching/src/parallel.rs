//! Work on a slice by several threads.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// Fewer items than this are not worth a thread: each costs about 30 µs.
const FEWEST: usize = 64;

/// `work` on consecutive parts of `items`, at the same time on up to `workers` threads; the results in the order of the parts.
pub(crate) fn in_parts<T: Sync, R: Send>(
    items: &[T],
    workers: NonZero<usize>,
    work: impl Fn(&[T]) -> R + Sync,
) -> Vec<R> {
    let part = items.len().div_ceil(workers.get()).max(FEWEST);
    if items.len() <= part {
        return vec![work(items)];
    }
    let work = &work;
    thread::scope(|scope| {
        let parts: Vec<_> =
            items.chunks(part).map(|part| scope.spawn(move || work(part))).collect();
        parts.into_iter().map(joined).collect()
    })
}

/// `work` on consecutive parts of `items` that it may change.
pub(crate) fn on_parts<T: Send, R: Send>(
    items: &mut [T],
    workers: NonZero<usize>,
    work: impl Fn(&mut [T]) -> R + Sync,
) -> Vec<R> {
    let part = items.len().div_ceil(workers.get()).max(FEWEST);
    let work = &work;
    thread::scope(|scope| {
        let parts: Vec<_> =
            items.chunks_mut(part).map(|part| scope.spawn(move || work(part))).collect();
        parts.into_iter().map(joined).collect()
    })
}

/// A panic there is one here.
fn joined<R>(part: thread::ScopedJoinHandle<'_, R>) -> R {
    part.join().unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::{in_parts, on_parts};
    use std::num::NonZero;

    #[test]
    fn parts_keep_their_order_and_cover_everything() {
        for workers in [1, 2, 3, 7] {
            let workers = NonZero::new(workers).unwrap();
            for count in [0, 1, 63, 64, 65, 1000] {
                let mut items: Vec<usize> = (0..count).collect();
                assert_eq!(in_parts(&items, workers, <[usize]>::to_vec).concat(), items);
                on_parts(&mut items, workers, |part| part.iter_mut().for_each(|item| *item += 1));
                assert!(items.into_iter().eq(1..=count));
            }
        }
    }
}
