//! Packed weights: one 64-byte-aligned blob that kernels read in place, in memory or mapped from a file that all processes share.

pub mod cache;
mod digest;
mod file;
mod header;
mod pack;
mod set;
mod spec;
#[cfg(all(test, unix))]
mod tests;
mod tune;

pub use file::OpenOptionsPacked;
pub use set::{TensorView, WeightSet};
pub use spec::{Format, Kind, Order, Section, Spec};
pub use tune::time_formats;
