//! Plain loops: the fallback on other CPUs and the oracle of the fast tiles.

use super::dense::TILE;
use super::sparse::{Ascending, BLOCK};
use super::tile::Tile;
use crate::panel::TOKENS;

/// The tier of any CPU.
#[derive(Clone, Copy)]
pub(super) struct Loops;

impl Tile for Loops {
    fn dense(self, w: &[f32], _next: &[f32], x: &[f32], y: &mut [f32; TILE * TOKENS]) {
        let mut sums = [0.0; TILE * TOKENS];
        for (w, x) in w.as_chunks::<TILE>().0.iter().zip(x.as_chunks::<TOKENS>().0) {
            for (w, sums) in w.iter().zip(sums.as_chunks_mut::<TOKENS>().0) {
                multiply_add(*w, x, sums);
            }
        }
        add(y, &sums);
    }

    fn sparse(self, inputs: Ascending<'_>, w: &[[f32; BLOCK]], x: &[f32], y: &mut [f32; BLOCK * TOKENS]) {
        assert_eq!(inputs.get().len(), w.len());
        let x = x.as_chunks::<TOKENS>().0;
        let mut sums = [0.0; BLOCK * TOKENS];
        for (input, w) in inputs.get().iter().zip(w) {
            for (w, sums) in w.iter().zip(sums.as_chunks_mut::<TOKENS>().0) {
                multiply_add(*w, &x[*input as usize], sums);
            }
        }
        add(y, &sums);
    }
}

/// sums ← w · x + sums
fn multiply_add(w: f32, x: &[f32; TOKENS], sums: &mut [f32; TOKENS]) {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = w.mul_add(*x, *sum);
    }
}

/// y ← y + sums
fn add(y: &mut [f32], sums: &[f32]) {
    for (y, sum) in y.iter_mut().zip(sums) {
        *y += sum;
    }
}
