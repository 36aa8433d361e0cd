//! A panic that tests plant in a pool thread, to see that it ends one run and nothing else.

use std::sync::atomic::{AtomicU32, Ordering};

/// Which thread panics in the next region of a program; none unless planted.
#[derive(Debug)]
pub struct Planted(AtomicU32);

const NOWHERE: u32 = u32::MAX;

impl Default for Planted {
    fn default() -> Self {
        Planted(AtomicU32::new(NOWHERE))
    }
}

impl Planted {
    /// The pool thread of this number panics once.
    pub fn plant(&self, thread: u32) {
        self.0.store(thread, Ordering::SeqCst);
    }

    /// Panics if it was planted for this thread.
    #[inline]
    pub(super) fn spring(&self, thread: usize) {
        if self.0.load(Ordering::Relaxed) == thread as u32 {
            self.0.store(NOWHERE, Ordering::SeqCst);
            panic!("planted in pool thread {thread}");
        }
    }
}
