//! The barrier between regions.

use super::event::Event;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lets `threads` threads wait for each other, again and again.
#[derive(Debug)]
pub struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    released: Event,
}

impl Barrier {
    /// A barrier for that many threads; see [`Event::new`] for `spin`.
    pub fn new(threads: usize, spin: bool) -> Self {
        Barrier { threads, arrived: AtomicUsize::new(0), released: Event::new(spin) }
    }

    /// Returns once all threads have come. The last one runs `last` first; what any thread wrote before is visible to `last`, and what
    /// `last` wrote is visible to all afterwards.
    pub fn wait(&self, last: impl FnOnce()) {
        let seen = self.released.now();
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            last();
            self.arrived.store(0, Ordering::Relaxed);
            self.released.advance();
        } else {
            self.released.wait(seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_passes_before_all_have_come_and_one_is_last() {
        const THREADS: usize = 4;
        const ROUNDS: usize = 300;
        let barrier = Barrier::new(THREADS, true);
        let (work, lasts) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for round in 1..=ROUNDS {
                        work.fetch_add(1, Ordering::Relaxed);
                        barrier.wait(|| {
                            lasts.fetch_add(1, Ordering::Relaxed);
                        });
                        assert!(work.load(Ordering::Relaxed) >= round * THREADS);
                        barrier.wait(|| {});
                    }
                });
            }
        });
        assert_eq!(lasts.load(Ordering::Relaxed), ROUNDS);
    }
}
