//! Generators, guard-page buffers and comparisons that all kernel tests share.

pub mod aligned;
pub mod compare;
pub mod guard;
pub mod oracle;
pub mod rng;

pub use aligned::Aligned;
pub use compare::{assert_close, assert_same_bits, ulps};
pub use guard::{Edge, Guarded};
pub use neural_engine_isa::rate;
pub use rng::Rng;
