//! The two steps of the epilogue that tiers do differently: table lookup, and activations kept out of the hot loop.

use crate::Activation;
use crate::dot_u8s8::each;
use neural_engine_isa::{Scalar, Simd};

/// A [`Simd`] that can also finish rows of an integer product.
pub(super) trait Tier: Simd {
    /// `byte ← table[byte]` for every byte.
    #[inline(always)]
    fn lookup(self, table: &[u8; 256], bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
    }

    /// The activation of one row. Its code is large: a tier keeps it in one place rather than in each kernel.
    fn activate(self, act: Activation, f: [Self::F32; 4]) -> [Self::F32; 4];
}

impl Tier for Scalar {
    fn activate(self, act: Activation, f: [Self::F32; 4]) -> [Self::F32; 4] {
        each!(f, |f| act.apply(self, f))
    }
}
