//! Plain loops: the fallback on other CPUs and the oracle of the fast tiles.

use super::dense::TILE;
use super::sparse::{Ascending, BLOCK};
use super::tile::{Base, Row, Tile};
use crate::panel::TOKENS;

/// The tier of any CPU.
#[derive(Clone, Copy)]
pub(super) struct Loops;

impl Tile for Loops {
    fn dense<const AHEAD: bool>(self, w: &[f32], _next: &[f32], x: &[Row], base: Base<'_, TILE>, y: &mut [Row; TILE]) {
        let mut sums = [[0.0; TOKENS]; TILE];
        for (w, x) in w.as_chunks::<TILE>().0.iter().zip(x) {
            multiply_add(w, x, &mut sums);
        }
        finish(y, base, &sums);
    }

    fn sparse(self, inputs: Ascending<'_>, w: &[[f32; BLOCK]], x: &[Row], base: Base<'_, BLOCK>, y: &mut [Row; BLOCK]) {
        assert_eq!(inputs.get().len(), w.len());
        let mut sums = [[0.0; TOKENS]; BLOCK];
        for (input, w) in inputs.get().iter().zip(w) {
            multiply_add(w, &x[*input as usize], &mut sums);
        }
        finish(y, base, &sums);
    }
}

/// sums[r] ← w[r] · x + sums[r]
fn multiply_add<const R: usize>(w: &[f32; R], x: &Row, sums: &mut [Row; R]) {
    for (w, sums) in w.iter().zip(sums) {
        for (sum, x) in sums.iter_mut().zip(x) {
            *sum = w.mul_add(*x, *sum);
        }
    }
}

/// y ← base + sums
fn finish<const R: usize>(y: &mut [Row; R], base: Base<'_, R>, sums: &[Row; R]) {
    for r in 0..R {
        for t in 0..TOKENS {
            let start = match base {
                Base::Output => y[r][t],
                Base::Bias(bias) => bias[r],
                Base::BiasAndOutput(bias) => bias[r] + y[r][t],
                Base::BiasAndPanel(bias, panel) => bias[r] + panel[r][t],
            };
            y[r][t] = start + sums[r][t];
        }
    }
}
