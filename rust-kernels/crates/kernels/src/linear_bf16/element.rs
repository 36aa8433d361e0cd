//! The types a linear kernel writes.

use super::nest::Row;
use crate::bf16;
use crate::panel::TOKENS;
use neural_engine_isa::{Simd, SimdOp};

/// f32 in lane order, or the 16 bits of bf16 in the order of 16-bit panels.
pub(super) trait Element: Copy {
    /// Stored as bf16.
    const HALF: bool;
    /// What a row holds, where it is f32; zeros else.
    fn old(y: &[Self]) -> Row;
    /// Writes rows of 64.
    fn store<S: Simd>(simd: S, rows: &[Row], y: &mut [Self]);
}

impl Element for f32 {
    const HALF: bool = false;
    #[inline(always)]
    fn old(y: &[f32]) -> Row {
        y.first_chunk().copied().unwrap_or([0.0; TOKENS])
    }
    #[inline(always)]
    fn store<S: Simd>(_simd: S, rows: &[Row], y: &mut [f32]) {
        y.copy_from_slice(rows.as_flattened());
    }
}

impl Element for u16 {
    const HALF: bool = true;
    #[inline(always)]
    fn old(_y: &[u16]) -> Row {
        [0.0; TOKENS] // the entry refuses a residual in place
    }
    #[inline(always)]
    fn store<S: Simd>(simd: S, rows: &[Row], y: &mut [u16]) {
        bf16::Narrow { x: rows.as_flattened(), y }.eval(simd);
    }
}
