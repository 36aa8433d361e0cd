//! The loops around the tiles: which part of the weight meets which part of the panels, and when.

use super::WeightF32;
use super::dense::{DenseF32, TILE};
use super::run::{LONG, run};
use super::sparse::{BLOCK, Sparse4x1F32};
use super::tile::{Tile, TileOp};
use crate::panel::{Io, TOKENS};
use std::ops::Range;

/// Rows of a dense block: 12 tiles pass one after another over the same run of inputs, which stay in the first-level cache.
const DENSE_ROWS: usize = 72;

/// Rows of a sparse block: few enough that their weights stay in the second-level cache while several panels take turns, many enough
/// that the rows of a panel are used more often than they are loaded.
const SPARSE_ROWS: usize = 192;

/// Most inputs of one run of a dense sum: 128 rows of a panel are 32 KiB, which leaves room beside them in a first-level cache of 48.
const DENSE_RUN: usize = 128;

/// Rows that are taken from start to end before the next ones, a multiple of [`super::ROW_GRANULE`].
pub(super) fn block_rows(weight: &WeightF32<'_>) -> usize {
    match weight {
        WeightF32::Dense(_) => DENSE_ROWS,
        WeightF32::Sparse(_) => SPARSE_ROWS,
    }
}

/// y += W · x for the rows of one block.
pub(super) struct Product<'a, 'b> {
    pub weight: &'a WeightF32<'a>,
    /// The block.
    pub rows: Range<usize>,
    /// The first row of `y`.
    pub first: usize,
    pub ios: &'a mut [Io<'b, f32, f32>],
}

impl TileOp for Product<'_, '_> {
    fn eval<T: Tile>(self, tile: T) {
        match self.weight {
            WeightF32::Dense(weight) => self.dense(tile, weight),
            WeightF32::Sparse(weight) => self.sparse(tile, weight),
        }
    }
}

impl Product<'_, '_> {
    fn dense<T: Tile>(self, tile: T, weight: &DenseF32<'_>) {
        let k = weight.inputs();
        let tiles = self.rows.start / TILE..self.rows.end.div_ceil(TILE);
        for input in (0..k).step_by(dense_run(k)) {
            let inputs = input..k.min(input + dense_run(k));
            for io in &mut *self.ios {
                let x = &io.x[inputs.start * TOKENS..inputs.end * TOKENS];
                for t in tiles.clone() {
                    let next = match t + 1 < tiles.end {
                        true => weight.tile(t + 1, input),
                        false if inputs.end < k => weight.tile(tiles.start, inputs.end),
                        false => weight.tile(tiles.end, 0),
                    };
                    with_rows(io.y, t * TILE - self.first, |y| tile.dense(weight.tile(t, input), next, x, y));
                }
            }
        }
    }

    fn sparse<T: Tile>(self, tile: T, weight: &Sparse4x1F32<'_>) {
        for chunk in 0..weight.chunks() {
            for io in &mut *self.ios {
                for group in self.rows.start / BLOCK..self.rows.end.div_ceil(BLOCK) {
                    for (inputs, values) in weight.runs(chunk, group) {
                        with_rows(io.y, group * BLOCK - self.first, |y| tile.sparse(inputs, values, io.x, y));
                    }
                }
            }
        }
    }
}

/// Inputs of one run; it depends on K alone.
fn dense_run(k: usize) -> usize {
    match run(k) {
        run if k <= LONG => run.min(DENSE_RUN),
        run => run,
    }
}

/// Gives `f` the N/64 rows from `row` on: in place, or at the ragged end through a copy whose surplus is dropped.
fn with_rows<const N: usize>(y: &mut [f32], row: usize, f: impl FnOnce(&mut [f32; N])) {
    let y = &mut y[row * TOKENS..];
    match y.first_chunk_mut() {
        Some(y) => f(y),
        None => {
            let mut copy = [0.0; N];
            copy[..y.len()].copy_from_slice(y);
            f(&mut copy);
            y.copy_from_slice(&copy[..y.len()]);
        }
    }
}
