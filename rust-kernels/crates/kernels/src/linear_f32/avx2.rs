//! Tiles in `ymm` registers: 6 rows × 16 tokens dense, 4 × 16 sparse, four times across the panel.
//!
//! Dense, per input and quarter: 2 loads, 6 broadcasts, 12 `vfmadd231ps` — 6 cycles at two a cycle, and 4 of the load ports.

use super::dense::TILE;
use super::sparse::{Ascending, BLOCK};
use super::tile::Tile;
use crate::panel::TOKENS;
use core::arch::x86_64::*;
use neural_engine_isa::Avx2;

/// Tokens of one pass.
const QUARTER: usize = 16;

impl Tile for Avx2 {
    fn dense(self, w: &[f32], next: &[f32], x: &[f32], y: &mut [f32; TILE * TOKENS]) {
        let (n, []) = (x.len() / TOKENS, &x[x.len() / TOKENS * TOKENS..]) else { panic!("x is not made of panel rows") };
        assert!(w.len() >= n * TILE);
        for at in (0..TOKENS).step_by(QUARTER) {
            // SAFETY: the token proves the features; w holds n·6 values, and rows of x from `at` on hold 16 each.
            unsafe { dense(w.as_ptr(), next.as_ptr(), x.as_ptr().wrapping_add(at), n, &mut y[at..]) }
        }
    }

    fn sparse(self, inputs: Ascending<'_>, w: &[[f32; BLOCK]], x: &[f32], y: &mut [f32; BLOCK * TOKENS]) {
        let inputs = inputs.get();
        assert_eq!(inputs.len(), w.len());
        assert!(inputs.last().is_none_or(|last| (*last as usize) < x.len() / TOKENS));
        for at in (0..TOKENS).step_by(QUARTER) {
            // SAFETY: the token proves the features; inputs ascend and the last one's row lies in x.
            unsafe { sparse(inputs, w, x.as_ptr().wrapping_add(at), &mut y[at..]) }
        }
    }
}

/// # Safety
/// AVX2 and FMA; `n · 6` values at `w`; 16 values at each of `x`, `x + 64`, … (n rows). `next` is only prefetched.
#[target_feature(enable = "avx2,fma")]
unsafe fn dense(w: *const f32, next: *const f32, x: *const f32, n: usize, y: &mut [f32]) {
    let mut sums = [[_mm256_setzero_ps(); 2]; TILE];
    for k in 0..n {
        // SAFETY: k < n; the prefetched address is not accessed.
        unsafe {
            let (w, x) = (w.add(k * TILE), x.add(k * TOKENS));
            let x = [_mm256_loadu_ps(x), _mm256_loadu_ps(x.add(8))];
            for (r, sums) in sums.iter_mut().enumerate() {
                let w = _mm256_set1_ps(*w.add(r));
                for i in 0..2 {
                    sums[i] = _mm256_fmadd_ps(w, x[i], sums[i]);
                }
            }
            _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(k * TILE).cast());
        }
    }
    add(y, &sums);
}

/// # Safety
/// AVX2 and FMA; as many values as inputs; 16 values lie at `x + 64 · inputs[i]` for each i.
#[target_feature(enable = "avx2,fma")]
unsafe fn sparse(inputs: &[u32], w: &[[f32; BLOCK]], x: *const f32, y: &mut [f32]) {
    let mut sums = [[_mm256_setzero_ps(); 2]; BLOCK];
    for (input, w) in inputs.iter().zip(w) {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.add(*input as usize * TOKENS);
            let x = [_mm256_loadu_ps(x), _mm256_loadu_ps(x.add(8))];
            for (w, sums) in w.iter().zip(&mut sums) {
                let w = _mm256_set1_ps(*w);
                for i in 0..2 {
                    sums[i] = _mm256_fmadd_ps(w, x[i], sums[i]);
                }
            }
        }
    }
    add(y, &sums);
}

/// y ← y + sums, for 16 tokens of each row.
#[inline]
#[target_feature(enable = "avx2")]
fn add<const R: usize>(y: &mut [f32], sums: &[[__m256; 2]; R]) {
    for (y, sums) in y.chunks_mut(TOKENS).zip(sums) {
        for (y, sum) in y.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
            // SAFETY: 8 values are read and written in an array of 8.
            unsafe { _mm256_storeu_ps(y.as_mut_ptr(), _mm256_add_ps(_mm256_loadu_ps(y.as_ptr()), *sum)) }
        }
    }
}
