//! The dense product on tiles, 32 rows × 32 tokens at a time.
//!
//! A tile instruction sums 32 inputs, the even and the odd ones apart, and then adds to the accumulator: another order than that of
//! the other kernels, within the same bound.

use super::dense::{DenseBf16, TILE_INPUTS, TILE_ROWS, Tile};
use super::dot::Half;
use super::element::Element;
use super::nest::{CHUNK, Row, begin, finish};
use super::{LinearBf16, WeightBf16};
use crate::bytes;
use crate::panel::{Io, TOKENS};
use crate::tiles::{Lanes, SIDE, TILE, Tiles};
use neural_engine_isa::{Isa, Simd};
use std::ops::Range;

/// Rows whose sums are on tiles together.
const ROWS: usize = 2 * TILE_ROWS;

/// Tiles of inputs summed before they are added to what came before: 32 sums of 32 in a run, and three runs for 3072 inputs, keep the
/// rounding error near that of the other kernels' runs.
const RUN: usize = 32;

/// Words of a tile.
const WORDS: usize = TILE / 4;

/// Words of scratch that one panel of `k` inputs takes.
pub(super) fn scratch_len(k: usize) -> usize {
    k.div_ceil(TILE_INPUTS) * (TOKENS / SIDE) * WORDS
}

/// A checked call.
pub(super) struct Call<'a, 'b, Y> {
    pub linear: &'a LinearBf16<'a>,
    pub weight: &'a DenseBf16<'a>,
    pub isa: Isa,
    pub rows: Range<usize>,
    pub ios: &'a mut [Io<'b, u16, Y>],
    /// At least [`scratch_len`] for each panel.
    pub scratch: &'a mut [i32],
}

impl<Y: Element> Call<'_, '_, Y> {
    /// Runs it on these tiles; `simd` does what is no product.
    #[inline(always)]
    pub fn run<T: Tiles, S: Simd>(self, tiles: &mut T, simd: S) {
        let (weight, len) = (self.weight, scratch_len(self.weight.k()));
        for (io, copy) in self.ios.iter().zip(self.scratch.chunks_exact_mut(len)) {
            pair_up(simd, io.x.as_chunks().0, copy);
        }
        let mut first = self.rows.start;
        while first < self.rows.end {
            let last = WeightBf16::Dense(*weight).reach(first, self.rows.end, CHUNK);
            for (io, x) in self.ios.iter_mut().zip(self.scratch.chunks_exact(len)) {
                for row in (first..last).step_by(ROWS) {
                    let at = row - self.rows.start..last.min(row + ROWS) - self.rows.start;
                    let mut sums: [Row; ROWS] = begin(simd, self.linear.bias, row, io, at.clone());
                    let upper = weight.tiles(row);
                    // A last odd tile is multiplied twice; the second result is dropped.
                    let lower = if row + TILE_ROWS < last { weight.tiles(row + TILE_ROWS) } else { upper };
                    for half in 0..2 {
                        block(tiles, upper, lower, x, half, &mut sums);
                    }
                    finish(self.isa, simd, self.linear.act, &mut sums[..at.len()], &mut io.y[at.start * TOKENS..at.end * TOKENS]);
                }
            }
            first = last;
        }
    }
}

/// Copies a panel `[k][64]` to `[ceil(k/32)][4 vectors][16 pairs of inputs][16 lanes]`: right operands of the tiles, zeros beyond k.
#[inline(always)]
fn pair_up<S: Simd>(s: S, x: &[Half], copy: &mut [i32]) {
    const NOTHING: Half = [0; TOKENS];
    for (x, copy) in x.chunks(TILE_INPUTS).zip(copy.chunks_exact_mut(4 * WORDS)) {
        for pair in 0..TILE_INPUTS / 2 {
            let (even, odd) = (x.get(2 * pair).unwrap_or(&NOTHING), x.get(2 * pair + 1).unwrap_or(&NOTHING));
            for half in 0..2 {
                let part = 32 * half..32 * half + 32;
                let (even, odd) = (s.load_u16(&even[part.clone()]), s.load_u16(&odd[part]));
                for j in 0..2 {
                    let at = (2 * half + j) * WORDS + pair * SIDE;
                    s.store_i32(&mut copy[at..at + SIDE], s.or_i32(even[j], s.shl::<16>(odd[j])));
                }
            }
        }
    }
}

/// sums += 32 rows of the weight times the 32 tokens of vectors 2·half and 2·half + 1.
#[inline(always)]
fn block<T: Tiles>(tiles: &mut T, upper: &[Tile], lower: &[Tile], x: &[i32], half: usize, sums: &mut [Row; ROWS]) {
    let runs = upper.chunks(RUN).zip(lower.chunks(RUN)).zip(x.chunks(RUN * 4 * WORDS));
    for ((upper, lower), x) in runs {
        tiles.zero::<0>();
        tiles.zero::<1>();
        tiles.zero::<2>();
        tiles.zero::<3>();
        for ((upper, lower), x) in upper.iter().zip(lower).zip(x.chunks_exact(4 * WORDS)) {
            let right = bytes::of_i32s(&x[2 * half * WORDS..(2 * half + 2) * WORDS]).as_chunks::<TILE>().0;
            tiles.load::<4>(left(upper));
            tiles.load::<5>(left(lower));
            tiles.load::<6>(&right[0]);
            tiles.load::<7>(&right[1]);
            tiles.dot_bf16::<0, 4, 6>();
            tiles.dot_bf16::<1, 4, 7>();
            tiles.dot_bf16::<2, 5, 6>();
            tiles.dot_bf16::<3, 5, 7>();
        }
        let (above, below) = sums.split_at_mut(TILE_ROWS);
        let column = 2 * half * SIDE;
        let mut lanes = [[0; SIDE]; SIDE];
        tiles.store::<0>(&mut lanes);
        add(&lanes, above, column);
        tiles.store::<1>(&mut lanes);
        add(&lanes, above, column + SIDE);
        tiles.store::<2>(&mut lanes);
        add(&lanes, below, column);
        tiles.store::<3>(&mut lanes);
        add(&lanes, below, column + SIDE);
    }
}

#[inline(always)]
fn left(tile: &Tile) -> &[u8; TILE] {
    bytes::of_u32s(tile.as_flattened()).first_chunk().expect("a tile of weights has the size of a tile")
}

/// sums += an accumulator, whose lanes are the bits of f32.
#[inline(always)]
fn add(lanes: &[Lanes; SIDE], sums: &mut [Row], column: usize) {
    for (lanes, sums) in lanes.iter().zip(sums) {
        for (lane, sum) in lanes.iter().zip(&mut sums[column..column + SIDE]) {
            *sum += f32::from_bits(*lane as u32);
        }
    }
}
