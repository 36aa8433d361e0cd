//! The loops around the tiles: which part of the weight meets which part of the panels, and when.

use super::WeightF32;
use super::dense::{DenseF32, TILE, run};
use super::sparse::{BLOCK, Sparse4x1F32};
use super::tile::{Tile, TileOp};
use crate::panel::{Io, TOKENS};
use std::ops::Range;

/// Tiles of a group: they pass one after another over the same run of inputs, which stay in the first-level cache.
const GROUP: usize = 12;

/// y += W · x for the rows of a range.
pub(super) struct Product<'a, 'b> {
    pub weight: &'a WeightF32<'a>,
    pub rows: Range<usize>,
    pub ios: &'a mut [Io<'b, f32, f32>],
}

impl TileOp for Product<'_, '_> {
    fn eval<T: Tile>(self, tile: T) {
        match self.weight {
            WeightF32::Dense(weight) => dense(tile, weight, self.rows, self.ios),
            WeightF32::Sparse(weight) => sparse(tile, weight, self.rows, self.ios),
        }
    }
}

fn dense<T: Tile>(tile: T, weight: &DenseF32<'_>, rows: Range<usize>, ios: &mut [Io<'_, f32, f32>]) {
    let (k, step) = (weight.inputs(), run(weight.inputs()));
    let tiles = rows.start / TILE..rows.end.div_ceil(TILE);
    for group in tiles.clone().step_by(GROUP) {
        let group = group..tiles.end.min(group + GROUP);
        for input in (0..k).step_by(step) {
            let inputs = input..k.min(input + step);
            for io in &mut *ios {
                let x = &io.x[inputs.start * TOKENS..inputs.end * TOKENS];
                for t in group.clone() {
                    let next = match t + 1 < group.end {
                        true => weight.tile(t + 1, input),
                        false if inputs.end < k => weight.tile(group.start, inputs.end),
                        false => weight.tile(group.end, 0),
                    };
                    with_rows(io.y, t * TILE - rows.start, |y| tile.dense(weight.tile(t, input), next, x, y));
                }
            }
        }
    }
}

fn sparse<T: Tile>(tile: T, weight: &Sparse4x1F32<'_>, rows: Range<usize>, ios: &mut [Io<'_, f32, f32>]) {
    for chunk in 0..weight.chunks() {
        for group in rows.start / BLOCK..rows.end.div_ceil(BLOCK) {
            for io in &mut *ios {
                for (inputs, values) in weight.runs(chunk, group) {
                    with_rows(io.y, group * BLOCK - rows.start, |y| tile.sparse(inputs, values, io.x, y));
                }
            }
        }
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
