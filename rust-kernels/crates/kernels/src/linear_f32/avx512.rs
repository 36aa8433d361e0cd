//! Tiles in `zmm` registers: 6 × 64 dense (24 sums), 4 × 64 sparse (16 sums).
//!
//! Dense, per input: 4 loads, 6 broadcasts, 24 `vfmadd231ps` — 12 cycles at two a cycle, 34 operations.
//! Sparse, per block: 4 loads, 4 broadcasts, 16 `vfmadd231ps`.

use super::dense::TILE;
use super::sparse::{Ascending, BLOCK};
use super::tile::Tile;
use crate::panel::TOKENS;
use core::arch::x86_64::*;
use neural_engine_isa::Avx512Vnni;

/// Registers of one panel row.
const REGS: usize = TOKENS / 16;

impl Tile for Avx512Vnni {
    fn dense(self, w: &[f32], next: &[f32], x: &[f32], y: &mut [f32; TILE * TOKENS]) {
        let (n, []) = (x.len() / TOKENS, &x[x.len() / TOKENS * TOKENS..]) else { panic!("x is not made of panel rows") };
        assert!(w.len() >= n * TILE);
        // SAFETY: the token proves the features; w holds n·6 and x n·64 values.
        unsafe { dense(w.as_ptr(), next.as_ptr(), x.as_ptr(), n, y) }
    }

    fn sparse(self, inputs: Ascending<'_>, w: &[[f32; BLOCK]], x: &[f32], y: &mut [f32; BLOCK * TOKENS]) {
        let inputs = inputs.get();
        assert_eq!(inputs.len(), w.len());
        assert!(inputs.last().is_none_or(|last| (*last as usize) < x.len() / TOKENS));
        // SAFETY: the token proves the features; inputs ascend and the last one's row lies in x.
        unsafe { sparse(inputs, w, x.as_ptr(), y) }
    }
}

/// # Safety
/// AVX-512F; `n · 6` values at `w`, `n · 64` at `x`. `next` is only prefetched.
#[target_feature(enable = "avx512f")]
unsafe fn dense(w: *const f32, next: *const f32, x: *const f32, n: usize, y: &mut [f32; TILE * TOKENS]) {
    let mut sums = [[_mm512_setzero_ps(); REGS]; TILE];
    for k in 0..n {
        // SAFETY: k < n; the prefetched address is not accessed.
        unsafe {
            let (w, x) = (w.add(k * TILE), x.add(k * TOKENS));
            let x: [__m512; REGS] = std::array::from_fn(|i| _mm512_loadu_ps(x.add(16 * i)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let w = _mm512_set1_ps(*w.add(r));
                for i in 0..REGS {
                    sums[i] = _mm512_fmadd_ps(w, x[i], sums[i]);
                }
            }
            // 24 bytes of weights an input: touches every line of what comes next.
            _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(k * TILE).cast());
        }
    }
    add(&mut y[..], &sums);
}

/// # Safety
/// AVX-512F; as many values as inputs; row `inputs[i]` of 64 values lies at `x` for each i.
#[target_feature(enable = "avx512f")]
unsafe fn sparse(inputs: &[u32], w: &[[f32; BLOCK]], x: *const f32, y: &mut [f32; BLOCK * TOKENS]) {
    let mut sums = [[_mm512_setzero_ps(); REGS]; BLOCK];
    // Asking for panel rows ahead of time loses (90% of the fma rate become 80%): the loads themselves run far enough ahead.
    for (input, w) in inputs.iter().zip(w) {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.add(*input as usize * TOKENS);
            let x: [__m512; REGS] = std::array::from_fn(|i| _mm512_loadu_ps(x.add(16 * i)));
            for (w, sums) in w.iter().zip(&mut sums) {
                let w = _mm512_set1_ps(*w);
                for i in 0..REGS {
                    sums[i] = _mm512_fmadd_ps(w, x[i], sums[i]);
                }
            }
        }
    }
    add(&mut y[..], &sums);
}

/// y ← y + sums
#[inline]
#[target_feature(enable = "avx512f")]
fn add<const R: usize>(y: &mut [f32], sums: &[[__m512; REGS]; R]) {
    for (y, sums) in y.as_chunks_mut::<TOKENS>().0.iter_mut().zip(sums) {
        for (y, sum) in y.as_chunks_mut::<16>().0.iter_mut().zip(sums) {
            // SAFETY: 16 values are read and written in an array of 16.
            unsafe { _mm512_storeu_ps(y.as_mut_ptr(), _mm512_add_ps(_mm512_loadu_ps(y.as_ptr()), *sum)) }
        }
    }
}
