//! Waiting for a counter: spin briefly, then park.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread spins before it parks. A barrier between regions of an encoder is reached within this by balanced threads, and
/// a parked thread costs tens of microseconds to wake; longer spins take the core from others on shared machines.
const SPIN: Duration = Duration::from_micros(40);
/// How long it spins where the last wait was shorter than this. A caller that sends one run after the other needs so long to take an
/// answer and queue the next run, and waking two parked threads would cost it about as much again; one that pauses is not worth it.
const BUSY_SPIN: Duration = Duration::from_micros(200);

/// A number that only grows; threads wait for it to leave a value.
#[derive(Debug)]
pub struct Event {
    spins: bool,
    /// The last wait was short.
    busy: AtomicBool,
    value: AtomicU32,
    parked: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Event {
    /// At 0. Without `spin` waiters park at once: right where there are more threads than CPUs to run them.
    pub fn new(spin: bool) -> Self {
        let busy = AtomicBool::new(false);
        Event { spins: spin, busy, value: AtomicU32::new(0), parked: AtomicUsize::new(0), lock: Mutex::new(()), wake: Condvar::new() }
    }

    /// The value now. What was written before the [`advance`](Self::advance) that made it is visible.
    pub fn now(&self) -> u32 {
        self.value.load(Ordering::Acquire)
    }

    /// Moves on by one and wakes who waits.
    pub fn advance(&self) {
        // Sequentially consistent with `wait`: either the waiter sees the new value or this sees the waiter.
        self.value.fetch_add(1, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }

    /// Returns once the value is not `seen` any more.
    pub fn wait(&self, seen: u32) {
        if self.moved_soon(seen) {
            return;
        }
        let start = Instant::now();
        if !self.spin(seen, start) {
            self.park(seen);
        }
        self.busy.store(start.elapsed() < BUSY_SPIN, Ordering::Relaxed);
    }

    /// Spins from `start` for as long as it is worth; true when the value moved on.
    fn spin(&self, seen: u32, start: Instant) -> bool {
        let patience = match (self.spins, self.busy.load(Ordering::Relaxed)) {
            (false, _) => return false,
            (true, false) => SPIN,
            (true, true) => BUSY_SPIN,
        };
        loop {
            if self.moved_soon(seen) {
                return true;
            }
            if start.elapsed() >= patience {
                return false;
            }
        }
    }

    /// Whether the value moves on within a fraction of a microsecond.
    fn moved_soon(&self, seen: u32) -> bool {
        for _ in 0..64 {
            if self.now() != seen {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    fn park(&self, seen: u32) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.parked.fetch_add(1, Ordering::SeqCst);
        while self.value.load(Ordering::SeqCst) == seen {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.parked.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_sees_what_was_written_before_the_event() {
        // Two threads take turns; a lost wake-up hangs, a missing fence shows an old number.
        let (ping, pong) = (Event::new(true), Event::new(true));
        let shared = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 0..2000u32 {
                    ping.wait(turn);
                    assert_eq!(shared.load(Ordering::Relaxed), turn as usize + 1);
                    pong.advance();
                }
            });
            for turn in 0..2000u32 {
                if turn % 500 == 0 {
                    std::thread::sleep(Duration::from_millis(1)); // long enough for the other to park
                }
                shared.store(turn as usize + 1, Ordering::Relaxed);
                ping.advance();
                pong.wait(turn);
            }
        });
    }
}
