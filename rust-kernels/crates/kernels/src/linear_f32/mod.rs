//! Linear layers in f32: y = act(W · x + bias + residual) over panels of 64 tokens.
//!
//! W is dense ([`DenseF32`]) or sparse in 4x1 blocks ([`Sparse4x1F32`]). Sums are fixed sequences of fused multiply-adds: runs
//! of terms, by their number alone, are summed in registers from zero and added to `bias + residual` in order. That bounds the
//! rounding error (8 · 2⁻²⁴ · Σ|w·x| for K ≤ 4096, 16 above) and gives the same bits on every tier and for every split of the rows.

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx512;
mod dense;
mod nest;
mod reference;
pub(crate) mod run;
mod sparse;
#[cfg(test)]
mod tests;
mod tile;

pub use dense::DenseF32;
pub use sparse::Sparse4x1F32;

use crate::activation::Activation;
use crate::error::{KernelError, expect_len};
use crate::panel::{Io, Residual, TOKENS};
use neural_engine_isa::Isa;
use std::ops::Range;

/// Row ranges begin at multiples of this: whole tiles of 6 rows and whole blocks of 4.
pub const ROW_GRANULE: usize = 12;

/// Most panels in one call.
pub const MAX_PANELS: usize = 4;

/// A packed weight of M rows and K inputs.
#[derive(Clone, Copy, Debug)]
pub enum WeightF32<'a> {
    /// All values.
    Dense(DenseF32<'a>),
    /// Only blocks of four output rows × one input that hold a non-zero.
    Sparse(Sparse4x1F32<'a>),
}

impl WeightF32<'_> {
    /// Output rows, M.
    pub fn rows(&self) -> usize {
        match self {
            WeightF32::Dense(weight) => weight.rows(),
            WeightF32::Sparse(weight) => weight.rows(),
        }
    }

    /// Inputs, K.
    pub fn inputs(&self) -> usize {
        match self {
            WeightF32::Dense(weight) => weight.inputs(),
            WeightF32::Sparse(weight) => weight.inputs(),
        }
    }
}

/// y = act(W · x + bias + residual).
#[derive(Clone, Copy, Debug)]
pub struct LinearF32<'a> {
    /// W.
    pub weight: WeightF32<'a>,
    /// One value for each of all M rows.
    pub bias: Option<&'a [f32]>,
    /// Applied last.
    pub act: Activation,
}

impl LinearF32<'_> {
    /// Computes rows `rows` of 1 to 4 panels, which share one pass over the weight.
    ///
    /// Each `x` is `[K][64]`; each `y`, and each residual panel, is `[rows.len()][64]`: the range's own rows. The order of tokens
    /// inside a panel does not matter here.
    ///
    /// # Errors
    /// [`KernelError::Length`] for a wrong buffer; [`KernelError::Invalid`] when the range does not begin at a multiple of
    /// [`ROW_GRANULE`], does not end at one or at M, or when there are no or more than [`MAX_PANELS`] panels.
    pub fn run(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, f32, f32>]) -> Result<(), KernelError> {
        self.run_ahead::<true>(isa, rows, ios)
    }

    /// [`run`](Self::run), for measurements: without `AHEAD` the next dense tile is not prefetched while one is summed.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_ahead<const AHEAD: bool>(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, f32, f32>]) -> Result<(), KernelError> {
        self.check(&rows, ios)?;
        let step = nest::block_rows(&self.weight);
        for start in rows.clone().step_by(step) {
            self.block::<AHEAD>(isa, start..rows.end.min(start + step), rows.start, ios);
        }
        Ok(())
    }

    /// Some rows from start to end, so that they stay in a near cache; `first` is the first row of `y`.
    fn block<const AHEAD: bool>(&self, isa: Isa, rows: Range<usize>, first: usize, ios: &mut [Io<'_, f32, f32>]) {
        let part = (rows.start - first) * TOKENS..(rows.end - first) * TOKENS;
        tile::with(isa, nest::Product::<AHEAD> { weight: &self.weight, bias: self.bias, rows, first, ios });
        if self.act != Activation::None {
            for Io { y, .. } in ios {
                crate::activate::activate_in_place(isa, self.act, &mut y[part.clone()]);
            }
        }
    }

    fn check(&self, rows: &Range<usize>, ios: &[Io<'_, f32, f32>]) -> Result<(), KernelError> {
        let (m, k) = (self.weight.rows(), self.weight.inputs());
        let whole = rows.start.is_multiple_of(ROW_GRANULE) && (rows.end.is_multiple_of(ROW_GRANULE) || rows.end == m);
        if rows.start > rows.end || rows.end > m || !whole {
            let reason = format!("{rows:?} is no range of 0..{m} that begins and ends at multiples of {ROW_GRANULE} or at its end");
            return Err(KernelError::Invalid { name: "rows", reason });
        }
        if ios.is_empty() || ios.len() > MAX_PANELS {
            let reason = format!("expected 1 to {MAX_PANELS} panels, got {}", ios.len());
            return Err(KernelError::Invalid { name: "ios", reason });
        }
        if let Some(bias) = self.bias {
            expect_len("bias", bias.len(), m)?;
        }
        for io in ios {
            expect_len("x", io.x.len(), k * TOKENS)?;
            expect_len("y", io.y.len(), rows.len() * TOKENS)?;
            match io.residual {
                Residual::Panel(residual) => expect_len("residual", residual.len(), rows.len() * TOKENS)?,
                Residual::Half(_) => {
                    return Err(KernelError::Invalid { name: "residual", reason: "bf16 is added to bf16, not to f32".into() });
                }
                Residual::InPlace | Residual::None => {}
            }
        }
        Ok(())
    }
}
