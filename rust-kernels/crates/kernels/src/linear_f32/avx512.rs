//! Tiles in `zmm` registers: 6 × 64 dense (24 sums), 4 × 64 sparse (16 sums).
//!
//! Dense, per input: 4 loads, 6 broadcasts, 24 `vfmadd231ps` — 12 cycles at two a cycle, 34 operations.
//! Sparse, per block: 4 loads, 4 broadcasts, 16 `vfmadd231ps`.

use super::dense::TILE;
use super::sparse::{Ascending, BLOCK};
use super::tile::{Base, Row, Tile};
use crate::panel::TOKENS;
use core::arch::x86_64::*;
use neural_engine_isa::Avx512Vnni;

/// Registers of one panel row.
const REGS: usize = TOKENS / 16;

impl Tile for Avx512Vnni {
    fn dense<const AHEAD: bool>(self, w: &[f32], next: &[f32], x: &[Row], base: Base<'_, TILE>, y: &mut [Row; TILE]) {
        assert!(w.len() >= x.len() * TILE);
        // SAFETY: the token proves the features; w holds six values for each row of x.
        unsafe { dense::<AHEAD>(w.as_ptr(), next.as_ptr(), x, base, y) }
    }

    fn sparse(self, inputs: Ascending<'_>, w: &[[f32; BLOCK]], x: &[Row], base: Base<'_, BLOCK>, y: &mut [Row; BLOCK]) {
        let inputs = inputs.get();
        assert_eq!(inputs.len(), w.len());
        assert!(inputs.last().is_none_or(|last| (*last as usize) < x.len()));
        // SAFETY: the token proves the features; inputs ascend and the last one's row lies in x.
        unsafe { sparse(inputs, w, x.as_ptr(), base, y) }
    }
}

/// # Safety
/// AVX-512F; six values at `w` for each row of `x`. `next` is only prefetched.
#[target_feature(enable = "avx512f")]
unsafe fn dense<const AHEAD: bool>(w: *const f32, next: *const f32, x: &[Row], base: Base<'_, TILE>, y: &mut [Row; TILE]) {
    let mut sums = [[_mm512_setzero_ps(); REGS]; TILE];
    for (k, x) in x.iter().enumerate() {
        // SAFETY: x has row k, so w has six values for it; the prefetched address is not accessed.
        unsafe {
            let (w, x) = (w.add(k * TILE), x.as_ptr());
            let x: [__m512; REGS] = std::array::from_fn(|i| _mm512_loadu_ps(x.add(16 * i)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let w = _mm512_set1_ps(*w.add(r));
                for i in 0..REGS {
                    sums[i] = _mm512_fmadd_ps(w, x[i], sums[i]);
                }
            }
            if AHEAD {
                // 24 bytes of weights an input: touches every line of what comes next.
                _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(k * TILE).cast());
            }
        }
    }
    finish(y, base, &sums);
}

/// # Safety
/// AVX-512F; as many values as inputs; row `inputs[i]` lies at `x` for each i.
#[target_feature(enable = "avx512f")]
unsafe fn sparse(inputs: &[u32], w: &[[f32; BLOCK]], x: *const Row, base: Base<'_, BLOCK>, y: &mut [Row; BLOCK]) {
    let mut sums = [[_mm512_setzero_ps(); REGS]; BLOCK];
    // Asking for panel rows ahead of time loses (90% of the fma rate become 80%): the loads themselves run far enough ahead.
    for (input, w) in inputs.iter().zip(w) {
        // SAFETY: the caller's promise.
        unsafe {
            let x = x.add(*input as usize).cast::<f32>();
            let x: [__m512; REGS] = std::array::from_fn(|i| _mm512_loadu_ps(x.add(16 * i)));
            for (w, sums) in w.iter().zip(&mut sums) {
                let w = _mm512_set1_ps(*w);
                for i in 0..REGS {
                    sums[i] = _mm512_fmadd_ps(w, x[i], sums[i]);
                }
            }
        }
    }
    finish(y, base, &sums);
}

/// y ← base + sums
#[inline]
#[target_feature(enable = "avx512f")]
fn finish<const R: usize>(y: &mut [Row; R], base: Base<'_, R>, sums: &[[__m512; REGS]; R]) {
    for r in 0..R {
        let y = y[r].as_chunks_mut::<16>().0;
        for i in 0..REGS {
            let start = match base {
                Base::Output => load(&y[i]),
                Base::Bias(bias) => _mm512_set1_ps(bias[r]),
                Base::BiasAndOutput(bias) => _mm512_add_ps(_mm512_set1_ps(bias[r]), load(&y[i])),
                Base::BiasAndPanel(bias, panel) => _mm512_add_ps(_mm512_set1_ps(bias[r]), load(&panel[r].as_chunks().0[i])),
            };
            store(&mut y[i], _mm512_add_ps(start, sums[r][i]));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &[f32; 16]) -> __m512 {
    // SAFETY: the array holds the 64 bytes that are read.
    unsafe { _mm512_loadu_ps(x.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(y: &mut [f32; 16], x: __m512) {
    // SAFETY: the array holds the 64 bytes that are written.
    unsafe { _mm512_storeu_ps(y.as_mut_ptr(), x) }
}
