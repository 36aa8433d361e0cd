//! AVX2, with AVX-VNNI where there is one: 64 tokens are eight `ymm` of 8 lanes, worked on two at a time so that four rows of
//! accumulators, the inputs and a weight fit 16 registers. What all four pairs need of a few weights is prepared once, on the stack.

use super::MAX_PANELS;
use super::dense::DenseU8S8;
use super::element::Element;
use super::epilogue::Epilogue;
use super::packed::LINE;
use super::sparse::{GROUP, Sparse4x1U8S8, index, weights as weights_of};
use super::tier::Tier;
use crate::Activation;
use crate::ahead::or_own;
use crate::bf16;
use crate::dot_u8s8::avx2::{Dot, DotOp, dispatch, interleave, interleave_half, load, load_i32, prefetch, splat, store, store_i32};
use crate::dot_u8s8::each;
use crate::dot_u8s8::steps::{Acc, QUAD, add_pairs, add_wide};
use crate::panel::{Io, TOKENS};
use core::arch::x86_64::__m256;
use neural_engine_isa::{Avx2, Isa, Simd};
use std::ops::Range;

/// Rows that one panel meets before the next takes its place in L1 and L2.
const ROWS: usize = 32;

/// Groups of a sparse weight that are prepared together: 1 KB of places, and at most 16 KB of a panel, which all passes find in L1.
const GROUPS: usize = 64;

/// Steps of a dense weight that are prepared together, with 8 KB of a panel.
const DENSE_STEPS: usize = 32;

/// How far ahead of the weight stream to prefetch, in bytes: 3 to 6% faster than without where weights come from L3 or memory, and no
/// slower where they are in L2 (Zen 3, `examples/prefetch.rs` of the runtime; 1024 to 4096 are 0 to 2% apart).
pub(super) const AHEAD: usize = 2048;

/// Accumulators of four rows, tokens in lane order.
type Block = [[i32; TOKENS]; 4];

/// Sparse product; the entry has checked every length.
pub(super) struct Sparse<'a, 'b, 'c, Y, const A: usize> {
    pub weight: &'a Sparse4x1U8S8<'a>,
    pub init: &'a [i32],
    pub epilogue: &'a Epilogue<'a>,
    pub rows: Range<usize>,
    pub ios: &'b mut [Io<'c, u8, Y>],
}

impl<Y: Element, const A: usize> Sparse<'_, '_, '_, Y, A> {
    pub fn run(self, token: Avx2, isa: Isa) {
        dispatch(token, isa, self);
    }
}

impl<Y: Element, const A: usize> DotOp for Sparse<'_, '_, '_, Y, A> {
    #[inline(always)]
    fn eval<D: Dot>(self, dot: D) {
        let mut room = Room { places: [[0; 4]; GROUPS], weights: [D::Four::default(); GROUPS] };
        for first in self.rows.clone().step_by(ROWS) {
            for io in self.ios.iter_mut() {
                assert!(io.x.len() == self.weight.k() * TOKENS);
                for row in (first..self.rows.end.min(first + ROWS)).step_by(4) {
                    let mut block = each!([0, 1, 2, 3], |i| [self.init[row + i]; TOKENS]);
                    let groups = self.weight.block(row / 4);
                    let fitting = if D::ALL_PAIRS { groups.len() } else { self.weight.fitting(row / 4) * GROUP };
                    let (pairs, others) = groups.split_at(fitting);
                    // SAFETY: the view has checked that every index is below k, and x holds k rows of 64 tokens.
                    unsafe {
                        add_groups::<D, A, true>(dot, pairs, io.x, &mut room, &mut block);
                        if !D::ALL_PAIRS {
                            add_groups::<D, A, false>(dot, others, io.x, &mut room, &mut block);
                        }
                    }
                    finish(dot.avx2(), self.epilogue, row, row - self.rows.start, &block, io);
                }
            }
        }
    }
}

/// Room for what is prepared of some groups.
struct Room<F> {
    /// Where the tokens of each of their inputs are.
    places: [[u32; 4]; GROUPS],
    /// Their weights; those that are added in pairs stay in the stream.
    weights: [F; GROUPS],
}

/// Adds the products of four rows, with PAIRS of groups whose pairs fit.
///
/// # Safety
/// `groups` is whole groups whose indices are below k; `x` holds k rows of 64 tokens.
#[inline(always)]
unsafe fn add_groups<D: Dot, const A: usize, const PAIRS: bool>(
    dot: D,
    groups: &[u8],
    x: &[u8],
    room: &mut Room<D::Four>,
    block: &mut Block,
) {
    for groups in groups.chunks(GROUPS * GROUP) {
        let count = groups.len() / GROUP;
        let (places, weights) = (&mut room.places[..count], &mut room.weights[..count]);
        for ((group, places), prepared) in groups.chunks_exact(GROUP).zip(places.iter_mut()).zip(weights.iter_mut()) {
            let ahead = const { or_own(A, AHEAD) };
            if ahead > 0 {
                prefetch(dot.avx2(), group.as_ptr().wrapping_add(ahead));
            }
            *places = each!([0, 1, 2, 3], |i| (index(group, i) * TOKENS) as u32);
            if !PAIRS {
                *prepared = dot.four(weights_of(group));
            }
        }
        for half in [0, 1] {
            // SAFETY: the caller's promise; `half` is 0 or 1.
            unsafe {
                add_quarter::<D, PAIRS, false>(dot, groups, places, weights, x, half, block);
                add_quarter::<D, PAIRS, true>(dot, groups, places, weights, x, half, block);
            }
        }
    }
}

/// Adds four rows × 16 tokens: registers 0 and 1, or with HIGH 2 and 3, of 32 tokens.
///
/// # Safety
/// Every one of `places` begins 64 tokens of `x`, and `half` is 0 or 1.
#[inline(always)]
unsafe fn add_quarter<D: Dot, const PAIRS: bool, const HIGH: bool>(
    dot: D,
    groups: &[u8],
    places: &[[u32; 4]],
    weights: &[D::Four],
    x: &[u8],
    half: usize,
    block: &mut Block,
) {
    let token = dot.avx2();
    let lanes = 32 * usize::from(HIGH) + 8 * half;
    let mut acc = load_acc(token, block, [lanes, lanes + 16]);
    for ((group, places), weights) in groups.chunks_exact(GROUP).zip(places).zip(weights) {
        // SAFETY: the caller's promise.
        let rows = each!(places, |at| load(token, unsafe { x.get_unchecked(*at as usize + 32 * half..*at as usize + 32 * half + 32) }));
        let x = interleave_half::<HIGH>(token, rows);
        if PAIRS {
            add_pairs(dot, &mut acc, x, weights_of(group));
        } else {
            add_wide(dot, &mut acc, x, weights);
        }
    }
    store_acc(token, block, [lanes, lanes + 16], &acc);
}

/// Two registers of each row.
#[inline(always)]
fn load_acc(token: Avx2, block: &Block, at: [usize; 2]) -> Acc {
    each!([0, 1, 2, 3], |i| [load_i32(token, &block[i][at[0]..]), load_i32(token, &block[i][at[1]..])])
}

#[inline(always)]
fn store_acc(token: Avx2, block: &mut Block, at: [usize; 2], acc: &Acc) {
    for (row, acc) in block.iter_mut().zip(acc) {
        store_i32(token, &mut row[at[0]..], acc[0]);
        store_i32(token, &mut row[at[1]..], acc[1]);
    }
}

/// Dense product; the entry has checked every length.
pub(super) struct Dense<'a, 'b, 'c, Y, const A: usize> {
    pub weight: &'a DenseU8S8<'a>,
    pub init: &'a [i32],
    pub epilogue: &'a Epilogue<'a>,
    pub rows: Range<usize>,
    pub ios: &'b mut [Io<'c, u8, Y>],
    pub scratch: &'b mut [u8],
}

impl<Y: Element, const A: usize> Dense<'_, '_, '_, Y, A> {
    pub fn run(self, token: Avx2, isa: Isa) {
        dispatch(token, isa, self);
    }
}

impl<Y: Element, const A: usize> DotOp for Dense<'_, '_, '_, Y, A> {
    #[inline(always)]
    fn eval<D: Dot>(self, dot: D) {
        let mut steps = [D::Four::default(); DENSE_STEPS];
        let len = self.weight.k().div_ceil(4) * QUAD;
        let mut surplus = [[0; TOKENS]; MAX_PANELS];
        for ((io, copy), surplus) in self.ios.iter().zip(self.scratch.chunks_exact_mut(len)).zip(&mut surplus) {
            interleave_panel(dot.avx2(), io.x, copy);
            panel_surplus(dot, copy, surplus);
        }
        for first in self.rows.clone().step_by(ROWS) {
            for ((io, x), surplus) in self.ios.iter_mut().zip(self.scratch.chunks_exact(len)).zip(&surplus) {
                for row in (first..self.rows.end.min(first + ROWS)).step_by(4) {
                    // A pair beyond the last row repeats the one before; its accumulators are not finished.
                    let count = (self.rows.end - row).min(4);
                    let pairs = [self.weight.pair(row / 2), self.weight.pair((row + count - 1) / 2)];
                    let mut block = each!([0, 1, 2, 3], |i| [self.init[row + (count - 1).min(i)]; TOKENS]);
                    let of_rows = dense_block::<D, A>(dot, pairs, x, &mut steps, &mut block);
                    if D::SURPLUS {
                        for (sums, of_row) in block.iter_mut().zip(of_rows) {
                            take_out(dot.avx2(), sums, surplus, of_row);
                        }
                    }
                    finish(dot.avx2(), self.epilogue, row, row - self.rows.start, &block[..count], io);
                }
            }
        }
    }
}

/// Adds the products of four rows by an interleaved panel, with their surplus; returns that of the rows. `steps` is room to prepare weights in.
#[inline(always)]
fn dense_block<D: Dot, const A: usize>(
    dot: D,
    pairs: [&[u8]; 2],
    x: &[u8],
    steps: &mut [D::Four; DENSE_STEPS],
    block: &mut Block,
) -> [i32; 4] {
    let token = dot.avx2();
    let mut surplus = splat(token, 0);
    let streams = pairs[0].chunks(8 * DENSE_STEPS).zip(pairs[1].chunks(8 * DENSE_STEPS));
    for ((first, second), x) in streams.zip(x.chunks(QUAD * DENSE_STEPS)) {
        let ahead = const { or_own(A, AHEAD) };
        if ahead > 0 {
            for line in (0..first.len()).step_by(LINE) {
                prefetch(token, first.as_ptr().wrapping_add(line + ahead));
                prefetch(token, second.as_ptr().wrapping_add(line + ahead));
            }
        }
        let steps = &mut steps[..first.len() / 8];
        for ((step, first), second) in steps.iter_mut().zip(first.chunks_exact(8)).zip(second.chunks_exact(8)) {
            let mut four = [0; 16];
            four[..8].copy_from_slice(first);
            four[8..].copy_from_slice(second);
            *step = dot.four(&four);
            surplus = dot.w_surplus(surplus, step);
        }
        for part in 0..4 {
            let lanes = [16 * part, 16 * part + 8];
            let mut acc = load_acc(token, block, lanes);
            for (quad, step) in x.chunks_exact(QUAD).zip(steps.iter()) {
                let x = [dot.x(load(token, &quad[64 * part..])), dot.x(load(token, &quad[64 * part + 32..]))];
                for (i, acc) in acc.iter_mut().enumerate() {
                    let w = dot.row(step, i);
                    *acc = [dot.add_with_surplus(acc[0], x[0], w), dot.add_with_surplus(acc[1], x[1], w)];
                }
            }
            store_acc(token, block, lanes, &acc);
        }
    }
    let mut lanes = [0; 8];
    store_i32(token, &mut lanes, surplus);
    [lanes[0], lanes[2], lanes[4], lanes[6]]
}

/// sums − surplus of the panel − surplus of the row, wrapping.
#[inline(always)]
fn take_out(token: Avx2, sums: &mut [i32; TOKENS], of_panel: &[i32; TOKENS], of_row: i32) {
    let of_row = token.splat_i32(of_row);
    for (sums, of_panel) in sums.chunks_exact_mut(16).zip(of_panel.chunks_exact(16)) {
        let surplus = token.add_i32(of_row, token.load_i32(of_panel));
        token.store_i32(sums, token.sub_i32(token.load_i32(sums), surplus));
    }
}

/// The surplus of each token of an interleaved panel, in lane order.
#[inline(always)]
fn panel_surplus<D: Dot>(dot: D, copy: &[u8], surplus: &mut [i32; TOKENS]) {
    let token = dot.avx2();
    if D::SURPLUS {
        for (i, surplus) in surplus.chunks_exact_mut(8).enumerate() {
            let mut sum = splat(token, 0);
            for quad in copy.chunks_exact(QUAD) {
                sum = dot.x_surplus(sum, dot.x(load(token, &quad[32 * i..])));
            }
            store_i32(token, surplus, sum);
        }
    }
}

/// Copies a panel `[k][64]` to `[ceil(k/4)][64 tokens in lane order][4 k]`, zeros beyond k.
#[inline(always)]
fn interleave_panel(token: Avx2, x: &[u8], copy: &mut [u8]) {
    for (four, quad) in x.chunks(4 * TOKENS).zip(copy.chunks_exact_mut(QUAD)) {
        for half in [0, 1] {
            let mut rows = [splat(token, 0); 4];
            for (row, tokens) in rows.iter_mut().zip(four.chunks_exact(TOKENS)) {
                *row = load(token, &tokens[32 * half..]);
            }
            for (j, lanes) in interleave(token, rows).iter().enumerate() {
                store(token, &mut quad[64 * j + 32 * half..], *lanes);
            }
        }
    }
}

/// Finishes one to four rows. Kept out of the kernels, of which there are several for each output.
#[inline(always)]
fn finish<Y: Element>(token: Avx2, epilogue: &Epilogue<'_>, row: usize, at: usize, block: &[[i32; TOKENS]], io: &mut Io<'_, u8, Y>) {
    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn featured<Y: Element>(token: Avx2, epilogue: &Epilogue<'_>, row: usize, at: usize, block: &[[i32; TOKENS]], io: &mut Io<'_, u8, Y>) {
        for (i, acc) in block.iter().enumerate() {
            let acc = each!([0, 16, 32, 48], |lane| token.load_i32(&acc[lane..lane + 16]));
            token.finish(epilogue, row + i, &[acc], io, at + i);
        }
    }
    // SAFETY: the token proves the features.
    unsafe { featured(token, epilogue, row, at, block, io) }
}

impl Tier for Avx2 {
    #[inline(always)]
    fn activate(self, act: Activation, f: [Self::F32; 4]) -> [Self::F32; 4] {
        // SAFETY: the token proves the features.
        unsafe { activate(self, act, f) }
    }

    #[inline(always)]
    fn store_half(self, y: &mut [u16; TOKENS], f: [Self::F32; 4]) {
        // SAFETY: the token proves the features.
        unsafe { store_half(self, y, f) }
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn activate(token: Avx2, act: Activation, f: [[__m256; 2]; 4]) -> [[__m256; 2]; 4] {
    each!(f, |f| act.apply(token, f))
}

#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn store_half(token: Avx2, y: &mut [u16; TOKENS], f: [[__m256; 2]; 4]) {
    bf16::store_row(token, y, f);
}
