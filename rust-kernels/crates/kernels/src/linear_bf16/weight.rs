//! A weight in either packed form.

use super::{DenseBf16, ROW_GRANULE, Sparse4x1Bf16};
use std::ops::Range;

/// bf16 weights `[M][K]`.
#[derive(Clone, Copy, Debug)]
pub enum WeightBf16<'a> {
    /// Every weight is stored.
    Dense(DenseBf16<'a>),
    /// Blocks of four rows by one input that are all zero are left out.
    Sparse(Sparse4x1Bf16<'a>),
}

impl WeightBf16<'_> {
    /// Output rows.
    pub fn m(&self) -> usize {
        match self {
            WeightBf16::Dense(weight) => weight.m(),
            WeightBf16::Sparse(weight) => weight.m(),
        }
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        match self {
            WeightBf16::Dense(weight) => weight.k(),
            WeightBf16::Sparse(weight) => weight.k(),
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

    /// Where the first `part` of `parts` ends.
    fn cut(&self, part: usize, parts: usize) -> usize {
        let granules = self.m().div_ceil(ROW_GRANULE);
        let granule = match self {
            WeightBf16::Dense(_) => granules * part / parts,
            WeightBf16::Sparse(_) if part == parts => granules,
            WeightBf16::Sparse(weight) => {
                // Row-blocks cost their groups and one for what follows: find the granule where that sum passes the share.
                let cost = |granule: usize| {
                    let block = (granule * ROW_GRANULE).min(weight.m()) / 4;
                    weight.start(block) + block
                };
                let share = cost(granules) * part / parts;
                let (mut low, mut high) = (0, granules);
                while low < high {
                    let middle = low.midpoint(high);
                    if cost(middle) < share { low = middle + 1 } else { high = middle }
                }
                low
            }
        };
        (granule * ROW_GRANULE).min(self.m())
    }

    /// The end of the rows from `first` on whose weights have about `bytes`; at least one granule, at most up to `end`.
    pub(super) fn reach(&self, first: usize, end: usize, bytes: usize) -> usize {
        let mut last = end.min(first + ROW_GRANULE);
        let size = |to: usize| match self {
            WeightBf16::Dense(weight) => (to - first) * weight.k() * 2,
            WeightBf16::Sparse(weight) => (weight.start(to / 4) - weight.start(first / 4)) * 20,
        };
        while last < end && size(end.min(last + ROW_GRANULE)) <= bytes {
            last = end.min(last + ROW_GRANULE);
        }
        last
    }
}
