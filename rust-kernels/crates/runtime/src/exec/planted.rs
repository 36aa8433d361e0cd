//! A panic that tests plant in a pool thread, to see that it ends one run and nothing else.

use std::sync::atomic::{AtomicU32, Ordering};

const NOWHERE: u32 = u32::MAX;
static THREAD: AtomicU32 = AtomicU32::new(NOWHERE);

/// The pool thread of this number, of whichever session runs next, panics once.
pub fn plant_panic(thread: u32) {
    THREAD.store(thread, Ordering::SeqCst);
}

/// Panics if a panic is planted for this thread.
#[inline]
pub(super) fn spring(thread: usize) {
    if THREAD.load(Ordering::Relaxed) == thread as u32 {
        THREAD.store(NOWHERE, Ordering::SeqCst);
        panic!("planted in pool thread {thread}");
    }
}
