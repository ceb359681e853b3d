//! Threads that take tiles, as the writer's do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Seconds that so many threads take to do every tile, each with a buffer of its own.
pub(crate) fn run(
    threads: usize,
    tiles: usize,
    buffer_bytes: usize,
    tile: impl Fn(usize, &mut [u8]) + Sync,
) -> f64 {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; buffer_bytes];
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= tiles {
                break;
            }
            tile(index, &mut buffer);
        }
    };
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    started.elapsed().as_secs_f64()
}
