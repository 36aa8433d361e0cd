//! Linear layers on bf16 activations and bf16 weights: y = act(W · x + bias + residual) over panels of 64 tokens.
//!
//! W is dense ([`DenseBf16`]) or sparse in 4x1 blocks ([`Sparse4x1Bf16`]). Sums are f32, begin with bias + residual and grow by *runs*:
//! each run is summed in registers from zero, two inputs at a time, the odd input's product first, with one rounding (to nearest even)
//! a product. That is what `vdpbf16ps` does. Other tiers do the same with multiply-adds and give the same bits, because [weights and
//! activations](crate::bf16) are such that no sum is subnormal. The length of a run bounds the rounding error to 8 · 2⁻²⁴ · Σ|w·x| for
//! K ≤ 4096, 16 above, of the product of the *rounded* numbers.
//!
//! On AMX, dense weights run on tiles, which sum in an order of their own: within the same bound, not the same bits.
//!
//! The y of bf16 is rounded to nearest even, after the activation.

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod amx;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx512_bf16;
mod check;
mod dense;
mod dot;
mod element;
mod nest;
mod sparse;
#[cfg(test)]
mod tests;
mod tile_product;
mod weight;

pub use dense::DenseBf16;
pub use sparse::Sparse4x1Bf16;
pub use weight::WeightBf16;

use crate::panel::Io;
use crate::{Activation, KernelError};
use element::Element;
use neural_engine_isa::Isa;
use std::ops::Range;

/// A range of output rows starts and ends at a multiple of this, or at the last row: whole tiles of 16 rows.
pub const ROW_GRANULE: usize = 16;
/// Fewest rows of a weight that runs on tiles, which take 32 at a time.
const TILED_ROWS: usize = 32;
/// Panels that one call may share the weight stream over.
pub const MAX_PANELS: usize = 4;

/// One linear layer; see the [module](self) for what it computes.
#[derive(Clone, Copy, Debug)]
pub struct LinearBf16<'a> {
    /// `[M][K]`.
    pub weight: WeightBf16<'a>,
    /// f32, one value for each of all M rows.
    pub bias: Option<&'a [f32]>,
    /// Applied last, before rounding to bf16.
    pub act: Activation,
}

impl LinearBf16<'_> {
    /// Computes output rows `rows` of 1 to 4 panels as f32 in lane order; each `x` is a bf16 panel `[K][64]`, each `y` and residual
    /// `[rows.len()][64]`.
    ///
    /// # Errors
    /// `Length` for a wrong buffer; `Invalid` for a range that is not cut at multiples of [`ROW_GRANULE`], for no or too many panels, and
    /// for a bf16 residual of an f32 output.
    pub fn run_f32(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, u16, f32>], scratch: &mut [i32]) -> Result<(), KernelError> {
        self.run(isa, rows, ios, scratch)
    }

    /// The same as bf16.
    ///
    /// # Errors
    /// As [`run_f32`](Self::run_f32).
    pub fn run_bf16(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, u16, u16>], scratch: &mut [i32]) -> Result<(), KernelError> {
        self.run(isa, rows, ios, scratch)
    }

    /// Words of scratch for a call on `panels` panels: copies of the inputs where the weight runs on tiles.
    pub fn scratch_len(&self, isa: Isa, panels: usize) -> usize {
        if self.on_tiles(isa) { panels * tile_product::scratch_len(self.weight.k()) } else { 0 }
    }

    /// Whether tiles do it: by the weight alone, so that every call on one CPU sums in the same order.
    fn on_tiles(&self, isa: Isa) -> bool {
        isa.amx().is_some() && matches!(&self.weight, WeightBf16::Dense(weight) if weight.m() >= TILED_ROWS)
    }

    /// The kernel that `isa` selects, for logs and reports.
    pub fn kernel(&self, isa: Isa) -> &'static str {
        let sparse = matches!(self.weight, WeightBf16::Sparse(_));
        if self.on_tiles(isa) {
            return "dense_bf16_32x32_amx";
        }
        let tier = if isa.avx512_bf16().is_some() {
            ["dense_bf16_4x64_avx512_bf16", "spmm_bf16_4x1_avx512_bf16"]
        } else if isa.avx512_vnni().is_some() {
            ["dense_bf16_4x64_avx512", "spmm_bf16_4x1_avx512"]
        } else if isa.avx2().is_some() {
            ["dense_bf16_4x16_avx2", "spmm_bf16_4x1_avx2"]
        } else {
            ["dense_bf16_scalar", "spmm_bf16_4x1_scalar"]
        };
        tier[usize::from(sparse)]
    }

    fn run<Y: Element>(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, u16, Y>], scratch: &mut [i32]) -> Result<(), KernelError> {
        check::call(self, &rows, ios)?;
        let needed = self.scratch_len(isa, ios.len());
        if scratch.len() < needed {
            return Err(KernelError::Length { name: "scratch", expected: needed, actual: scratch.len() });
        }
        #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
        if let (true, Some(token), WeightBf16::Dense(weight)) = (self.on_tiles(isa), isa.amx(), &self.weight) {
            amx::run(token, tile_product::Call { linear: self, weight, isa, rows, ios, scratch });
            return Ok(());
        }
        dot::with(isa, nest::Product { linear: self, isa, rows, ios });
        Ok(())
    }
}
