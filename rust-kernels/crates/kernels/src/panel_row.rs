//! One row of a panel, whatever it is stored as.

use crate::bf16;
use crate::panel::TOKENS;
use neural_engine_isa::Simd;

/// Vectors of one row.
const REGS: usize = TOKENS / 16;

/// One feature of 64 tokens.
pub(crate) trait Row {
    /// `N` vectors in lane order, from lane `at` on, a multiple of 16.
    fn load<S: Simd, const N: usize>(&self, s: S, at: usize) -> [S::F32; N];
    /// Takes 64 values in lane order; gives what they have become.
    fn store<S: Simd>(&mut self, s: S, y: [S::F32; REGS]) -> [S::F32; REGS];
}

impl Row for [f32; TOKENS] {
    #[inline(always)]
    fn load<S: Simd, const N: usize>(&self, s: S, at: usize) -> [S::F32; N] {
        let mut lanes = [s.splat(0.0); N];
        for (i, lanes) in lanes.iter_mut().enumerate() {
            *lanes = s.load(&self[at + 16 * i..]);
        }
        lanes
    }
    #[inline(always)]
    fn store<S: Simd>(&mut self, s: S, y: [S::F32; REGS]) -> [S::F32; REGS] {
        for i in 0..REGS {
            s.store(&mut self[16 * i..], y[i]);
        }
        y
    }
}

impl Row for [u16; TOKENS] {
    #[inline(always)]
    fn load<S: Simd, const N: usize>(&self, s: S, at: usize) -> [S::F32; N] {
        // What is not asked for is not computed once this is inlined.
        let all = bf16::load_row(s, self);
        let mut lanes = [all[at / 16]; N];
        for i in 1..N {
            lanes[i] = all[at / 16 + i];
        }
        lanes
    }
    #[inline(always)]
    fn store<S: Simd>(&mut self, s: S, y: [S::F32; REGS]) -> [S::F32; REGS] {
        bf16::store_row(s, self, y)
    }
}
