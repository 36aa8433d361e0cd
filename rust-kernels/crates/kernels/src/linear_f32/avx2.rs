//! Tiles in `ymm` registers: 6 rows × 16 tokens dense, 4 × 16 sparse, four times across the panel.
//!
//! Dense, per input and quarter: 2 loads, 6 broadcasts, 12 `vfmadd231ps` — 6 cycles at two a cycle, and 4 of the load ports.

use super::dense::TILE;
use super::sparse::{Ascending, BLOCK};
use super::tile::{Base, Row, Tile};
use crate::panel::TOKENS;
use core::arch::x86_64::*;
use neural_engine_isa::Avx2;

/// Tokens of one pass.
const QUARTER: usize = 16;

impl Tile for Avx2 {
    fn dense<const AHEAD: bool>(self, w: &[f32], next: &[f32], x: &[Row], base: Base<'_, TILE>, y: &mut [Row; TILE]) {
        assert!(w.len() >= x.len() * TILE);
        for quarter in 0..TOKENS / QUARTER {
            // SAFETY: the token proves the features; w holds six values for each row of x.
            unsafe { dense::<AHEAD>(w.as_ptr(), next.as_ptr(), x, base, quarter, y) }
        }
    }

    fn sparse(self, inputs: Ascending<'_>, w: &[[f32; BLOCK]], x: &[Row], base: Base<'_, BLOCK>, y: &mut [Row; BLOCK]) {
        let inputs = inputs.get();
        assert_eq!(inputs.len(), w.len());
        assert!(inputs.last().is_none_or(|last| (*last as usize) < x.len()));
        for quarter in 0..TOKENS / QUARTER {
            // SAFETY: the token proves the features; inputs ascend and the last one's row lies in x.
            unsafe { sparse(inputs, w, x.as_ptr(), base, quarter, y) }
        }
    }
}

/// # Safety
/// AVX2 and FMA; six values at `w` for each row of `x`; `quarter` is below 4. `next` is only prefetched.
#[target_feature(enable = "avx2,fma")]
unsafe fn dense<const AHEAD: bool>(w: *const f32, next: *const f32, x: &[Row], base: Base<'_, TILE>, quarter: usize, y: &mut [Row; TILE]) {
    let mut sums = [[_mm256_setzero_ps(); 2]; TILE];
    for (k, x) in x.iter().enumerate() {
        // SAFETY: x has row k, so w has six values for it; the prefetched address is not accessed.
        unsafe {
            let (w, x) = (w.add(k * TILE), x.as_ptr().add(quarter * QUARTER));
            let x = [_mm256_loadu_ps(x), _mm256_loadu_ps(x.add(8))];
            for (r, sums) in sums.iter_mut().enumerate() {
                let w = _mm256_set1_ps(*w.add(r));
                for i in 0..2 {
                    sums[i] = _mm256_fmadd_ps(w, x[i], sums[i]);
                }
            }
            if AHEAD {
                _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(k * TILE).cast());
            }
        }
    }
    finish(y, base, quarter, &sums);
}

/// # Safety
/// AVX2 and FMA; as many values as inputs; row `inputs[i]` lies at `x` for each i; `quarter` is below 4.
#[target_feature(enable = "avx2,fma")]
unsafe fn sparse(inputs: &[u32], w: &[[f32; BLOCK]], x: *const Row, base: Base<'_, BLOCK>, quarter: usize, y: &mut [Row; BLOCK]) {
    let mut sums = [[_mm256_setzero_ps(); 2]; BLOCK];
    for (input, w) in inputs.iter().zip(w) {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.add(*input as usize).cast::<f32>().add(quarter * QUARTER);
            let x = [_mm256_loadu_ps(x), _mm256_loadu_ps(x.add(8))];
            for (w, sums) in w.iter().zip(&mut sums) {
                let w = _mm256_set1_ps(*w);
                for i in 0..2 {
                    sums[i] = _mm256_fmadd_ps(w, x[i], sums[i]);
                }
            }
        }
    }
    finish(y, base, quarter, &sums);
}

/// y ← base + sums, for 16 tokens of each row.
#[inline]
#[target_feature(enable = "avx2")]
fn finish<const R: usize>(y: &mut [Row; R], base: Base<'_, R>, quarter: usize, sums: &[[__m256; 2]; R]) {
    for r in 0..R {
        for (i, sum) in sums[r].iter().enumerate() {
            let at = 2 * quarter + i;
            let y = &mut y[r].as_chunks_mut::<8>().0[at];
            let start = match base {
                Base::Output => load(y),
                Base::Bias(bias) => _mm256_set1_ps(bias[r]),
                Base::BiasAndOutput(bias) => _mm256_add_ps(_mm256_set1_ps(bias[r]), load(y)),
                Base::BiasAndPanel(bias, panel) => _mm256_add_ps(_mm256_set1_ps(bias[r]), load(&panel[r].as_chunks().0[at])),
            };
            // SAFETY: the array holds the 32 bytes that are written.
            unsafe { _mm256_storeu_ps(y.as_mut_ptr(), _mm256_add_ps(start, *sum)) }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(x: &[f32; 8]) -> __m256 {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}
