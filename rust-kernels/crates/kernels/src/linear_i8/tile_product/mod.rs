//! Products on tiles: 32 rows × 32 tokens in four accumulators, written once for the CPU's tiles and for those in software.
//!
//! Each of the four is one product of a tile of weights, 16 rows × 64 inputs, and one of inputs, 64 inputs × 16 tokens; a step is four
//! loads and four products. What else there is to do happens in between, in the shadow of the products, which take 16 cycles each:
//! the rows before are scaled and stored, and compressed weights of the next 32 rows become tiles ([`shadow`]).

mod machine;
mod shadow;

pub(super) use machine::Machine;
pub(super) use shadow::AHEAD;

use super::compressed::Compressed4x1U8S8;
use super::element::Element;
use super::epilogue::Epilogue;
use super::tiled::{BLOCK_K, GROUP_ROWS, TiledU8S8};
use crate::panel::{Io, TOKENS};
use crate::tiles::{Lanes, SIDE, TILE};
use shadow::{Expansion, Finish, Shadow};
use std::mem::swap;
use std::ops::Range;

/// The tiles that hold 64 inputs of a panel: 16 tokens each, in lane order.
const ACROSS: usize = TOKENS / SIDE;

/// The accumulators of 32 rows × 64 tokens: for each half of the lanes, two tiles of rows by two of lanes.
#[repr(align(64))]
struct Sums([[[Lanes; SIDE]; 4]; 2]);

/// A weight in either form for tiles.
#[derive(Clone, Copy)]
pub(super) enum TileWeight<'a> {
    Tiled(&'a TiledU8S8<'a>),
    Compressed(&'a Compressed4x1U8S8<'a>),
}

/// A checked call.
pub(super) struct Call<'a, 'b, 'c, Y> {
    pub weight: TileWeight<'a>,
    pub init: &'a [i32],
    pub epilogue: &'a Epilogue<'a>,
    pub rows: Range<usize>,
    pub ios: &'b mut [Io<'c, u8, Y>],
    pub scratch: &'b mut [u8],
}

/// Bytes of scratch: every panel as tiles and, where weights are to be expanded, twice 32 rows of them.
pub(super) fn scratch_len(k: usize, panels: usize, compressed: bool) -> usize {
    let blocks = k.div_ceil(BLOCK_K);
    (panels * ACROSS + if compressed { 4 } else { 0 }) * blocks * TILE
}

impl<Y: Element> Call<'_, '_, '_, Y> {
    #[inline(always)]
    pub fn run<M: Machine, const A: usize>(self, m: &mut M) {
        let Call { weight, init, epilogue, rows, ios, scratch } = self;
        let k = match weight {
            TileWeight::Tiled(weight) => weight.k(),
            TileWeight::Compressed(weight) => weight.k(),
        };
        if rows.is_empty() {
            return;
        }
        let blocks = k.div_ceil(BLOCK_K);
        let (inputs, buffers) = scratch.as_chunks_mut::<TILE>().0.split_at_mut(ios.len() * ACROSS * blocks);
        for (io, tiles) in ios.iter().zip(inputs.chunks_exact_mut(ACROSS * blocks)) {
            interleave_panel(m, io.x, tiles);
        }
        let groups = rows.start / GROUP_ROWS..rows.end.div_ceil(GROUP_ROWS);
        let (mut expanded, mut ahead): (&mut [_], &mut [_]) = match weight {
            TileWeight::Tiled(_) => (&mut [], &mut []),
            TileWeight::Compressed(weight) => {
                let (first, second) = buffers[..4 * blocks].split_at_mut(2 * blocks);
                Expansion::new(weight, groups.start, first, ios.len()).finish::<M, A>(m);
                (first, second)
            }
        };
        let mut sums = Sums([[[[0; SIDE]; SIDE]; 4]; 2]);
        // The rows and the panel whose sums these are.
        let mut pending: Option<(usize, usize)> = None;
        let finish = |row| Finish { epilogue, init, rows: &rows, row, done: 0 };
        for group in groups.clone() {
            let weights = match weight {
                TileWeight::Tiled(weight) => weight.group(group),
                TileWeight::Compressed(_) => &*expanded,
            };
            let mut expansion = match weight {
                TileWeight::Compressed(weight) if group + 1 < groups.end => Some(Expansion::new(weight, group + 1, ahead, ios.len())),
                _ => None,
            };
            for (panel, tiles) in inputs.chunks_exact(ACROSS * blocks).enumerate() {
                let (low, high) = tiles.split_at(2 * blocks);
                // The sums of the rows before are used up in the first half, whose own sums then take their place.
                let finish = pending.map(|(row, panel)| (finish(row), &sums, &mut ios[panel]));
                half::<M, Y, A>(m, weights, low, &mut Shadow::new(expansion.as_mut(), finish, blocks));
                store(m, &mut sums.0[0]);
                half::<M, Y, A>(m, weights, high, &mut Shadow::<Y>::new(expansion.as_mut(), None, blocks));
                store(m, &mut sums.0[1]);
                pending = Some((group * GROUP_ROWS, panel));
            }
            swap(&mut expanded, &mut ahead);
        }
        if let Some((row, panel)) = pending {
            let mut last = finish(row);
            while last.step(m, &sums, &mut ios[panel]) {}
        }
    }
}

/// 32 rows × 32 tokens, into tiles 0 to 3; both operands are two tiles for each 64 inputs.
#[inline(always)]
fn half<M: Machine, Y: Element, const A: usize>(
    m: &mut M,
    weights: &[[u8; TILE]],
    inputs: &[[u8; TILE]],
    shadow: &mut Shadow<'_, '_, '_, '_, Y>,
) {
    m.zero::<0>();
    m.zero::<1>();
    m.zero::<2>();
    m.zero::<3>();
    for (w, x) in weights.as_chunks::<2>().0.iter().zip(inputs.as_chunks::<2>().0) {
        m.load::<6>(&x[0]);
        m.load::<4>(&w[0]);
        m.dot_s8u8::<0, 4, 6>();
        m.load::<7>(&x[1]);
        m.dot_s8u8::<1, 4, 7>();
        m.load::<5>(&w[1]);
        m.dot_s8u8::<2, 5, 6>();
        m.dot_s8u8::<3, 5, 7>();
        shadow.step::<M, A>(m);
    }
}

/// Writes what [`half`] has added up.
#[inline(always)]
fn store<M: Machine>(m: &M, sums: &mut [[Lanes; SIDE]; 4]) {
    m.store::<0>(&mut sums[0]);
    m.store::<1>(&mut sums[1]);
    m.store::<2>(&mut sums[2]);
    m.store::<3>(&mut sums[3]);
}

/// Copies a panel `[k][64]` to tiles `[2 × 32 lanes][ceil(k/64)][2 × 16 lanes][16][16 lanes][4 k]`, zeros beyond k.
///
/// The two halves lie apart, so that what is read together is contiguous and fills all sets of L1.
#[inline(always)]
fn interleave_panel<M: Machine>(m: &M, x: &[u8], tiles: &mut [[u8; TILE]]) {
    let (low, high) = tiles.split_at_mut(tiles.len() / 2);
    let pairs = low.as_chunks_mut::<2>().0.iter_mut().zip(high.as_chunks_mut::<2>().0);
    for (x, ([a, b], [c, d])) in x.chunks(BLOCK_K * TOKENS).zip(pairs) {
        let mut across = [a, b, c, d];
        let (fours, rest) = x.as_chunks::<{ 4 * TOKENS }>();
        for (quad, four) in fours.iter().enumerate() {
            m.interleave(four, &mut across, quad);
        }
        // Up to three rows are left at the end; then come zeros.
        let mut four = [0; 4 * TOKENS];
        four[..rest.len()].copy_from_slice(rest);
        for quad in fours.len()..SIDE {
            m.interleave(&four, &mut across, quad);
            four = [0; 4 * TOKENS];
        }
    }
}
