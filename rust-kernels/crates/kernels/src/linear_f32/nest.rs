//! The loops around the tiles: which part of the weight meets which part of the panels, and when.

use super::WeightF32;
use super::dense::{DenseF32, TILE};
use super::run::{LONG, run};
use super::sparse::{BLOCK, Sparse4x1F32};
use super::tile::{Base, Row, Tile, TileOp};
use crate::panel::{Io, Residual, TOKENS};
use std::ops::Range;

/// Rows of a dense block: 32 tiles pass one after another over the same run of inputs, which stay in the first-level cache. With 12 it
/// took a sixth of the time to bring the run there from the third level, where a panel of 3072 inputs lies.
const DENSE_ROWS: usize = 192;

/// Rows of a sparse block: they pass over a chunk of one panel before the next panel's turn. With 192 rows at 3072 inputs, waiting for
/// the chunk to come from the third level took a fifth of the time; with 768 the output rows still lie in the second level.
const SPARSE_ROWS: usize = 768;

/// Most inputs of one run of a dense sum: 128 rows of a panel are 32 KiB, which leaves room beside them in a first-level cache of 48.
const DENSE_RUN: usize = 128;

/// Rows that are taken from start to end before the next ones, a multiple of [`super::ROW_GRANULE`].
pub(super) fn block_rows(weight: &WeightF32<'_>) -> usize {
    match weight {
        WeightF32::Dense(_) => DENSE_ROWS,
        WeightF32::Sparse(_) => SPARSE_ROWS,
    }
}

/// y = bias + residual + W · x for the rows of one block.
pub(super) struct Product<'a, 'b, const AHEAD: bool> {
    pub weight: &'a WeightF32<'a>,
    /// Of all rows.
    pub bias: Option<&'a [f32]>,
    /// The block.
    pub rows: Range<usize>,
    /// The row that `y` and the residuals begin with.
    pub first: usize,
    pub ios: &'a mut [Io<'b, f32, f32>],
}

impl<const AHEAD: bool> TileOp for Product<'_, '_, AHEAD> {
    fn eval<T: Tile>(self, tile: T) {
        match self.weight {
            WeightF32::Dense(weight) => self.dense(tile, weight),
            WeightF32::Sparse(weight) => self.sparse(tile, weight),
        }
    }
}

impl<const AHEAD: bool> Product<'_, '_, AHEAD> {
    fn dense<T: Tile>(self, tile: T, weight: &DenseF32<'_>) {
        let k = weight.inputs();
        let tiles = self.rows.start / TILE..self.rows.end.div_ceil(TILE);
        for input in (0..k).step_by(dense_run(k)) {
            let inputs = input..k.min(input + dense_run(k));
            for io in &mut *self.ios {
                let x = &io.x.as_chunks().0[inputs.clone()];
                for t in tiles.clone() {
                    let next = match t + 1 < tiles.end {
                        true => weight.tile(t + 1, input),
                        false if inputs.end < k => weight.tile(tiles.start, inputs.end),
                        false => weight.tile(tiles.end, 0),
                    };
                    let begin = (input == 0).then_some(self.bias);
                    with_tile(io, t * TILE, self.first, begin, |base, y| tile.dense::<AHEAD>(weight.tile(t, input), next, x, base, y));
                }
            }
        }
    }

    fn sparse<T: Tile>(self, tile: T, weight: &Sparse4x1F32<'_>) {
        for chunk in 0..weight.chunks() {
            for io in &mut *self.ios {
                let x = io.x.as_chunks().0;
                for group in self.rows.start / BLOCK..self.rows.end.div_ceil(BLOCK) {
                    let mut begin = (chunk == 0).then_some(self.bias);
                    for (inputs, values) in weight.runs(chunk, group) {
                        with_tile(io, group * BLOCK, self.first, begin.take(), |base, y| tile.sparse(inputs, values, x, base, y));
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

/// Gives `f` the `R` rows from `row` on and what their sums are added to: bias and residual in the first run (`begin`), else the output.
#[inline]
fn with_tile<const R: usize>(
    io: &mut Io<'_, f32, f32>,
    row: usize,
    first: usize,
    begin: Option<Option<&[f32]>>,
    f: impl FnOnce(Base<'_, R>, &mut [Row; R]),
) {
    let at = row - first;
    let y = &mut io.y.as_chunks_mut().0[at..];
    let residual = match io.residual {
        Residual::Panel(panel) => &panel.as_chunks().0[at..],
        Residual::None | Residual::Half(_) | Residual::InPlace => &[],
    };
    let bias = begin.map(|bias| bias.map_or([0.0; R], |bias| std::array::from_fn(|r| bias.get(row + r).copied().unwrap_or(0.0))));
    let Some(whole) = y.first_chunk_mut() else {
        return with_ragged_tile(y, residual, &io.residual, bias, f);
    };
    f(base(&io.residual, bias, residual.first_chunk()), whole);
}

/// The same for fewer rows at the end of the weight: on copies whose surplus is dropped.
#[cold]
fn with_ragged_tile<const R: usize>(
    y: &mut [Row],
    residual: &[Row],
    kind: &Residual<'_>,
    bias: Option<[f32; R]>,
    f: impl FnOnce(Base<'_, R>, &mut [Row; R]),
) {
    let (mut whole, mut panel) = ([[0.0; TOKENS]; R], [[0.0; TOKENS]; R]);
    whole[..y.len()].copy_from_slice(y);
    panel[..residual.len()].copy_from_slice(residual);
    f(base(kind, bias, Some(&panel)), &mut whole);
    y.copy_from_slice(&whole[..y.len()]);
}

/// What sums are added to; `panel` is the rows of a [`Residual::Panel`].
#[inline]
fn base<'a, const R: usize>(residual: &Residual<'_>, bias: Option<[f32; R]>, panel: Option<&'a [Row; R]>) -> Base<'a, R> {
    match (bias, residual) {
        (None, _) => Base::Output,
        // The entry refuses bf16.
        (Some(bias), Residual::None | Residual::Half(_)) => Base::Bias(bias),
        (Some(bias), Residual::InPlace) => Base::BiasAndOutput(bias),
        (Some(bias), Residual::Panel(_)) => Base::BiasAndPanel(bias, panel.expect("a residual has the rows of the output")),
    }
}
