//! A weight in either packed form.

use super::sparse::{GROUP, weight as group_weight};
use super::tiled::GROUP_ROWS;
use super::{Compressed4x1U8S8, DenseU8S8, FormI8, ROW_GRANULE, Sparse4x1U8S8, TiledU8S8};
use std::ops::Range;

/// s8 weights `[M][K]`.
#[derive(Clone, Copy, Debug)]
pub enum WeightI8<'a> {
    /// Every weight is stored.
    Dense(DenseU8S8<'a>),
    /// Blocks of four rows by one input that are all zero are left out.
    Sparse(Sparse4x1U8S8<'a>),
    /// Every weight is stored, as tiles. Fast with AMX only.
    Tiled(TiledU8S8<'a>),
    /// As sparse, expanded into tiles during the product. Fast with AMX only.
    Compressed(Compressed4x1U8S8<'a>),
}

impl WeightI8<'_> {
    /// How it is stored.
    pub fn form(&self) -> FormI8 {
        match self {
            WeightI8::Dense(_) => FormI8::Dense,
            WeightI8::Sparse(_) => FormI8::Sparse4x1,
            WeightI8::Tiled(_) => FormI8::Tiled,
            WeightI8::Compressed(_) => FormI8::Compressed4x1,
        }
    }

    /// Output rows.
    pub fn m(&self) -> usize {
        match self {
            WeightI8::Dense(weight) => weight.m(),
            WeightI8::Sparse(weight) => weight.m(),
            WeightI8::Tiled(weight) => weight.m(),
            WeightI8::Compressed(weight) => weight.m(),
        }
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        match self {
            WeightI8::Dense(weight) => weight.k(),
            WeightI8::Sparse(weight) => weight.k(),
            WeightI8::Tiled(weight) => weight.k(),
            WeightI8::Compressed(weight) => weight.k(),
        }
    }

    /// The rows of part `part` of `parts`: together all rows, each about equally expensive, cut at [`ROW_GRANULE`].
    ///
    /// # Panics
    /// When `part` is not below `parts`.
    pub fn rows_of(&self, part: usize, parts: usize) -> Range<usize> {
        assert!(part < parts, "part {part} of {parts}");
        self.cut(part, parts)..self.cut(part + 1, parts)
    }

    /// The least and the greatest Σ w·x of a row that inputs 0 to 255 can give.
    pub(super) fn sums(&self, row: usize) -> (i64, i64) {
        let mut sums = (0, 0);
        let mut add = |w: i8| {
            let product = 255 * i64::from(w);
            if w < 0 { sums.0 += product } else { sums.1 += product }
        };
        match self {
            WeightI8::Dense(weight) => {
                let pair = weight.pair(row / 2).chunks_exact(8);
                pair.for_each(|quad| quad[row % 2 * 4..][..4].iter().for_each(|&w| add(w as i8)));
            }
            WeightI8::Sparse(weight) => {
                let groups = weight.block(row / 4).chunks_exact(GROUP);
                groups.for_each(|group| (0..4).for_each(|i| add(group_weight(group, row % 4, i))));
            }
            WeightI8::Tiled(weight) => weight.row(row).for_each(add),
            WeightI8::Compressed(weight) => weight.row(row).for_each(add),
        }
        sums
    }

    /// Where the first `part` of `parts` ends.
    fn cut(&self, part: usize, parts: usize) -> usize {
        let blocks = self.m().div_ceil(ROW_GRANULE);
        let block = match self {
            WeightI8::Dense(_) => blocks * part / parts,
            // Tiles of 32 rows cost the same whatever they hold; a cut inside would have them computed twice.
            WeightI8::Tiled(_) | WeightI8::Compressed(_) => {
                (self.m().div_ceil(GROUP_ROWS) * part / parts * (GROUP_ROWS / ROW_GRANULE)).min(blocks)
            }
            WeightI8::Sparse(_) if part == parts => blocks,
            WeightI8::Sparse(weight) => {
                // Row-blocks cost their groups and one for the epilogue: find where that sum passes the share.
                let cost = |block: usize| weight.start(block) + block;
                let share = cost(blocks) * part / parts;
                let (mut low, mut high) = (0, blocks);
                while low < high {
                    let middle = low.midpoint(high);
                    if cost(middle) < share { low = middle + 1 } else { high = middle }
                }
                low
            }
        };
        (block * ROW_GRANULE).min(self.m())
    }
}
