//! The types a linear kernel writes.

use super::nest::Row;
use crate::bf16;
use crate::dot_u8s8::each;
use crate::panel::TOKENS;
use neural_engine_isa::{Simd, SimdOp};

/// f32 in lane order, or the 16 bits of bf16 in the order of 16-bit panels.
pub(super) trait Element: Copy {
    /// Stored as bf16.
    const HALF: bool;
    /// What a row of 64 holds.
    fn old<S: Simd>(simd: S, y: &[Self]) -> Row;
    /// Writes rows of 64.
    fn store<S: Simd>(simd: S, rows: &[Row], y: &mut [Self]);
}

impl Element for f32 {
    const HALF: bool = false;
    #[inline(always)]
    fn old<S: Simd>(_simd: S, y: &[f32]) -> Row {
        *y.first_chunk().expect("a row has 64 tokens")
    }
    #[inline(always)]
    fn store<S: Simd>(_simd: S, rows: &[Row], y: &mut [f32]) {
        y.copy_from_slice(rows.as_flattened());
    }
}

impl Element for u16 {
    const HALF: bool = true;
    #[inline(always)]
    fn old<S: Simd>(simd: S, y: &[u16]) -> Row {
        let lanes = bf16::load_row(simd, y.first_chunk().expect("a row has 64 tokens"));
        let mut row = [0.0; TOKENS];
        each!([0, 1, 2, 3], |j| simd.store(&mut row[16 * j..], lanes[j]));
        row
    }
    #[inline(always)]
    fn store<S: Simd>(simd: S, rows: &[Row], y: &mut [u16]) {
        bf16::Narrow { x: rows.as_flattened(), y }.eval(simd);
    }
}
