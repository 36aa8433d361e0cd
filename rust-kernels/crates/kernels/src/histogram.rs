//! What calibration sees of a value: its extent, and how often it falls into bins.
//!
//! A bin is `[i · 2ᵉ, (i + 1) · 2ᵉ)`: widths are powers of two and zero is always an edge. Dividing by the width is exact, and joining
//! bins in pairs is the same as counting with the doubled width, so that counts depend on the values alone and never on their order.
//!
//! ```
//! use neural_engine_isa::Isa;
//! use neural_engine_kernels::histogram::{BINS, count, extent};
//!
//! let x = [-0.25, 0.5, 3.0, f32::NAN];
//! let seen = extent(Isa::best(), &x);
//! assert_eq!((seen.min, seen.max, seen.non_finite), (-0.25, 3.0, 1));
//!
//! let mut counts = [0.0; BINS];
//! count(Isa::best(), &x, 0, &mut counts)?; // width 1
//! assert_eq!(counts[BINS / 2 - 1..BINS / 2 + 4], [1.0, 1.0, 0.0, 0.0, 1.0]);
//! # Ok::<(), neural_engine_kernels::KernelError>(())
//! ```

#[cfg(test)]
mod tests;

use crate::error::{KernelError, expect_len};
use neural_engine_isa::{Isa, Simd, SimdOp};
use std::ops::RangeInclusive;

/// Bins of a histogram; half of them lie below zero.
pub const BINS: usize = 8192;

/// Exponents of widths whose reciprocal is a normal f32.
pub const EXPONENTS: RangeInclusive<i32> = -126..=126;

/// Smallest and largest finite element, and how many elements are not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// +∞ where nothing is finite.
    pub min: f32,
    /// −∞ where nothing is finite.
    pub max: f32,
    /// NaN and ±∞.
    pub non_finite: usize,
}

/// Looks at every element once.
pub fn extent(isa: Isa, x: &[f32]) -> Extent {
    isa.dispatch(Look(x))
}

/// `counts[⌊x / 2ᵉ⌋ + BINS / 2] += 1` for each finite element that falls into a bin.
///
/// # Errors
/// `Length` for anything but [`BINS`] counts, `Invalid` for an exponent outside [`EXPONENTS`].
pub fn count(isa: Isa, x: &[f32], exponent: i32, counts: &mut [f64]) -> Result<(), KernelError> {
    expect_len("counts", counts.len(), BINS)?;
    if !EXPONENTS.contains(&exponent) {
        return Err(KernelError::Invalid { name: "exponent", reason: format!("{exponent} is not from −126 to 126") });
    }
    // A u32 counts to 2³², and a piece is shorter.
    for piece in x.chunks(1 << 30) {
        let mut table = [0u32; BINS];
        isa.dispatch(Count { x: piece, reciprocal: f32::from_bits(((127 - exponent) as u32) << 23), table: &mut table });
        for (sum, &more) in counts.iter_mut().zip(&table) {
            *sum += f64::from(more);
        }
    }
    Ok(())
}

struct Look<'a>(&'a [f32]);

impl SimdOp for Look<'_> {
    type Output = Extent;
    #[inline(always)]
    fn eval<S: Simd>(self, simd: S) -> Extent {
        let (mut low, mut high) = (simd.splat(f32::INFINITY), simd.splat(f32::NEG_INFINITY));
        let largest = simd.splat(f32::MAX);
        let mut finite = 0;
        let whole = self.0.chunks_exact(S::LANES);
        let rest = whole.remainder();
        for chunk in whole {
            let x = simd.load(chunk);
            let good = simd.le(simd.abs(x), largest);
            finite += simd.bits(good).count_ones() as usize;
            low = simd.min(simd.select(good, x, low), low);
            high = simd.max(simd.select(good, x, high), high);
        }
        if !rest.is_empty() {
            let x = simd.load_partial(rest, f32::NAN);
            let good = simd.le(simd.abs(x), largest);
            finite += simd.bits(good).count_ones() as usize;
            low = simd.min(simd.select(good, x, low), low);
            high = simd.max(simd.select(good, x, high), high);
        }
        Extent { min: -simd.largest(simd.neg(low)), max: simd.largest(high), non_finite: self.0.len() - finite }
    }
}

struct Count<'a> {
    x: &'a [f32],
    reciprocal: f32,
    table: &'a mut [u32; BINS],
}

impl SimdOp for Count<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, simd: S) {
        let reciprocal = simd.splat(self.reciprocal);
        let (zero, just_below) = (simd.splat(0.0), simd.splat(-f32::MIN_POSITIVE));
        let one = simd.splat_i32(1);
        let middle = simd.splat_i32(BINS as i32 / 2);
        let mut bins = [0i32; 16];
        for chunk in self.x.chunks(S::LANES) {
            // NaN fills the tail: it falls into no bin.
            let x = if chunk.len() == S::LANES { simd.load(chunk) } else { simd.load_partial(chunk, f32::NAN) };
            // A negative value stays negative where the product underflows.
            let product = simd.mul(x, reciprocal);
            let at = simd.select(simd.lt(x, zero), simd.min(product, just_below), product);
            let near = simd.to_i32(at);
            let floor = simd.select_i32(simd.lt(at, simd.to_f32(near)), simd.sub_i32(near, one), near);
            simd.store_i32(&mut bins, simd.add_i32(floor, middle));
            for &bin in &bins {
                // What is not finite or too large has become i32::MIN, or wrapped around it: no bin either way.
                if let Some(slot) = self.table.get_mut(bin as u32 as usize) {
                    *slot += 1;
                }
            }
        }
    }
}
