//! How far ahead of a weight stream to prefetch.
//!
//! Every kernel has a constant of its own, and calls compile to it. The `run_…_ahead` calls take another: they exist for
//! `examples/prefetch.rs` of the runtime, which measures what the constants are chosen by, and compile where they are used.

/// The kernel's own distance.
pub(crate) const OWN: usize = usize::MAX;

/// Bytes for a call that asks for `asked`; 0 is no prefetch.
pub(crate) const fn or_own(asked: usize, own: usize) -> usize {
    if asked == OWN { own } else { asked }
}
