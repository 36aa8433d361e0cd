//! AVX2, with AVX-VNNI where there is one: 64 tokens are eight `ymm` of 8 lanes, worked on two at a time so that four rows of
//! accumulators, the inputs and a weight fit 16 registers.

use super::dense::DenseU8S8;
use super::element::Element;
use super::epilogue::Epilogue;
use super::sparse::{GROUP, Sparse4x1U8S8, index};
use super::tier::Tier;
use crate::Activation;
use crate::dot_u8s8::avx2::{Dot, DotOp, broadcast, dispatch, interleave, interleave_half, load, splat, store, store_i32};
use crate::dot_u8s8::each;
use crate::panel::{Io, TOKENS};
use core::arch::x86_64::{__m256, __m256i};
use neural_engine_isa::{Avx2, Isa, Simd};
use std::ops::Range;

/// Bytes of a panel's interleaved copy per four inputs.
const QUAD: usize = 4 * TOKENS;

/// Accumulators of four rows, tokens in lane order.
type Block = [[i32; TOKENS]; 4];

/// Sparse product; the entry has checked every length.
pub(super) struct Sparse<'a, 'b, 'c, Y> {
    pub weight: &'a Sparse4x1U8S8<'a>,
    pub init: &'a [i32],
    pub epilogue: &'a Epilogue<'a>,
    pub rows: Range<usize>,
    pub ios: &'b mut [Io<'c, u8, Y>],
}

impl<Y: Element> Sparse<'_, '_, '_, Y> {
    pub fn run(self, token: Avx2, isa: Isa) {
        dispatch(token, isa, self);
    }
}

impl<Y: Element> DotOp for Sparse<'_, '_, '_, Y> {
    #[inline(always)]
    fn eval<D: Dot>(self, dot: D) {
        for row in self.rows.clone().step_by(4) {
            let groups = self.weight.block(row / 4);
            for io in self.ios.iter_mut() {
                let init = std::array::from_fn(|i| self.init[row + i]);
                let mut block: Block = [[0; TOKENS]; 4];
                for half in [0, 1] {
                    sparse_quarter::<D, false>(dot, init, groups, io.x, half, &mut block);
                    sparse_quarter::<D, true>(dot, init, groups, io.x, half, &mut block);
                }
                finish(dot.avx2(), self.epilogue, row, row - self.rows.start, &block, io);
            }
        }
    }
}

/// Four rows × 16 tokens: registers 0 and 1, or with HIGH 2 and 3, of 32 tokens.
#[inline(always)]
fn sparse_quarter<D: Dot, const HIGH: bool>(dot: D, init: [i32; 4], groups: &[u8], x: &[u8], half: usize, block: &mut Block) {
    let token = dot.avx2();
    let mut acc: [[__m256i; 2]; 4] = each!(init, |init| [splat(token, init); 2]);
    for group in groups.chunks_exact(GROUP) {
        let rows = each!([0, 1, 2, 3], |i| load(token, &x[index(group, i) * TOKENS + 32 * half..]));
        let [a, b] = interleave_half::<HIGH>(token, rows);
        let x = [dot.x(a), dot.x(b)];
        for (i, acc) in acc.iter_mut().enumerate() {
            let w = dot.w(broadcast(token, &group[8 + 4 * i..]));
            *acc = [dot.add(acc[0], x[0], w), dot.add(acc[1], x[1], w)];
        }
    }
    let at = 32 * usize::from(HIGH) + 8 * half;
    for (row, acc) in block.iter_mut().zip(&acc) {
        store_i32(token, &mut row[at..], acc[0]);
        store_i32(token, &mut row[at + 16..], acc[1]);
    }
}

/// Dense product; the entry has checked every length.
pub(super) struct Dense<'a, 'b, 'c, Y> {
    pub weight: &'a DenseU8S8<'a>,
    pub init: &'a [i32],
    pub epilogue: &'a Epilogue<'a>,
    pub rows: Range<usize>,
    pub ios: &'b mut [Io<'c, u8, Y>],
    pub scratch: &'b mut [u8],
}

impl<Y: Element> Dense<'_, '_, '_, Y> {
    pub fn run(self, token: Avx2, isa: Isa) {
        dispatch(token, isa, self);
    }
}

impl<Y: Element> DotOp for Dense<'_, '_, '_, Y> {
    #[inline(always)]
    fn eval<D: Dot>(self, dot: D) {
        let len = self.weight.k().div_ceil(4) * QUAD;
        for (io, copy) in self.ios.iter().zip(self.scratch.chunks_exact_mut(len)) {
            interleave_panel(dot.avx2(), io.x, copy);
        }
        for row in self.rows.clone().step_by(4) {
            // A pair beyond the last row repeats the one before; its accumulators are not finished.
            let count = (self.rows.end - row).min(4);
            let pairs = [self.weight.pair(row / 2), self.weight.pair((row + count - 1) / 2)];
            for (io, x) in self.ios.iter_mut().zip(self.scratch.chunks_exact(len)) {
                let init = std::array::from_fn(|i| self.init[row + i.min(count - 1)]);
                let mut block: Block = [[0; TOKENS]; 4];
                for part in 0..4 {
                    dense_quarter(dot, init, pairs, x, part, &mut block);
                }
                finish(dot.avx2(), self.epilogue, row, row - self.rows.start, &block[..count], io);
            }
        }
    }
}

/// Four rows × 16 lanes.
#[inline(always)]
fn dense_quarter<D: Dot>(dot: D, init: [i32; 4], pairs: [&[u8]; 2], x: &[u8], part: usize, block: &mut Block) {
    let token = dot.avx2();
    let mut acc: [[__m256i; 2]; 4] = each!(init, |init| [splat(token, init); 2]);
    for ((quad, first), second) in x.chunks_exact(QUAD).zip(pairs[0].chunks_exact(8)).zip(pairs[1].chunks_exact(8)) {
        let lanes = &quad[64 * part..64 * part + 64];
        let x = [dot.x(load(token, &lanes[..32])), dot.x(load(token, &lanes[32..]))];
        let weights = [&first[..4], &first[4..], &second[..4], &second[4..]];
        for (acc, w) in acc.iter_mut().zip(weights) {
            let w = dot.w(broadcast(token, w));
            *acc = [dot.add(acc[0], x[0], w), dot.add(acc[1], x[1], w)];
        }
    }
    for (row, acc) in block.iter_mut().zip(&acc) {
        store_i32(token, &mut row[16 * part..], acc[0]);
        store_i32(token, &mut row[16 * part + 8..], acc[1]);
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

#[inline(always)]
fn finish<Y: Element>(token: Avx2, epilogue: &Epilogue<'_>, row: usize, at: usize, block: &[[i32; TOKENS]], io: &mut Io<'_, u8, Y>) {
    for (i, acc) in block.iter().enumerate() {
        let acc = each!([0, 16, 32, 48], |lane| token.load_i32(&acc[lane..lane + 16]));
        epilogue.finish(token, row + i, &[acc], io, at + i);
    }
}

impl Tier for Avx2 {
    #[inline(always)]
    fn activate(self, act: Activation, f: [Self::F32; 4]) -> [Self::F32; 4] {
        // SAFETY: the token proves the features.
        unsafe { activate(self, act, f) }
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn activate(token: Avx2, act: Activation, f: [[__m256; 2]; 4]) -> [[__m256; 2]; 4] {
    each!(f, |f| act.apply(token, f))
}
