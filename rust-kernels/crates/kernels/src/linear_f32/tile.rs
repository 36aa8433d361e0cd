//! What a tier must provide: the two innermost products.

use super::dense::TILE;
use super::sparse::{Ascending, BLOCK};
use crate::panel::TOKENS;
use neural_engine_isa::Isa;

/// The innermost products of one tier. Every implementation sums in the same order with the same roundings.
pub(super) trait Tile: Copy {
    /// `y[r][t] += Σ_k w[k][r] · x[k][t]`, summed from zero with fma over k, then added.
    ///
    /// `w` holds at least as many inputs as `x`; `next` is what will be read after it, worth prefetching.
    fn dense(self, w: &[f32], next: &[f32], x: &[f32], y: &mut [f32; TILE * TOKENS]);

    /// `y[r][t] += Σ_i w[i][r] · x[inputs[i]][t]`, summed from zero with fma over i, then added.
    ///
    /// # Panics
    /// When an input lies outside of `x` or there are not as many values as inputs.
    fn sparse(self, inputs: Ascending<'_>, w: &[[f32; BLOCK]], x: &[f32], y: &mut [f32; BLOCK * TOKENS]);
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
