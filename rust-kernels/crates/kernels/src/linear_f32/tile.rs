//! What a tier must provide: the two innermost products.

use super::dense::TILE;
use super::sparse::{Ascending, BLOCK};
use crate::panel::TOKENS;
use neural_engine_isa::Isa;

/// One row of a panel.
pub(super) type Row = [f32; TOKENS];

/// What the sums of a tile of `R` rows are added to. The first run of a row begins with its bias and residual, so that no pass of
/// its own writes them; later runs go on with what the run before wrote.
#[derive(Clone, Copy)]
pub(super) enum Base<'a, const R: usize> {
    /// The output.
    Output,
    /// A bias for each row.
    Bias([f32; R]),
    /// Bias + output.
    BiasAndOutput([f32; R]),
    /// Bias + these rows.
    BiasAndPanel([f32; R], &'a [Row; R]),
}

/// The innermost products of one tier. Every implementation sums in the same order with the same roundings.
pub(super) trait Tile: Copy {
    /// `y[r][t] = base + Σ_k w[k][r] · x[k][t]`, summed from zero with fma over k, then added.
    ///
    /// `w` holds at least as many inputs as `x`; `next` is what will be read after it, to be prefetched with `AHEAD`.
    fn dense<const AHEAD: bool>(self, w: &[f32], next: &[f32], x: &[Row], base: Base<'_, TILE>, y: &mut [Row; TILE]);

    /// `y[r][t] = base + Σ_i w[i][r] · x[inputs[i]][t]`, summed from zero with fma over i, then added.
    ///
    /// # Panics
    /// When an input lies outside of `x` or there are not as many values as inputs.
    fn sparse(self, inputs: Ascending<'_>, w: &[[f32; BLOCK]], x: &[Row], base: Base<'_, BLOCK>, y: &mut [Row; BLOCK]);
}

/// A computation over any tier.
pub(super) trait TileOp {
    fn eval<T: Tile>(self, tile: T);
}

/// Runs `op` on the highest tier of `isa`.
pub(super) fn with(isa: Isa, op: impl TileOp) {
    #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
    {
        if let Some(token) = isa.avx512_vnni() {
            return op.eval(token);
        }
        if let Some(token) = isa.avx2() {
            return op.eval(token);
        }
    }
    let _ = isa;
    op.eval(super::reference::Loops)
}
