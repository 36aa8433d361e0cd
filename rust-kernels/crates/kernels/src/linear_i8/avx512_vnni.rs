//! AVX-512 VNNI: 64 tokens are four `zmm` of 16, in lane order.

use super::dense::DenseU8S8;
use super::element::Element;
use super::epilogue::Epilogue;
use super::sparse::{GROUP, Sparse4x1U8S8};
use super::tier::Tier;
use crate::Activation;
use crate::ahead::or_own;
use crate::bf16;
use crate::dot_u8s8::avx512_vnni::{broadcast, dot, interleave, load, store};
use crate::dot_u8s8::each;
use crate::panel::{Io, TOKENS};
use core::arch::{asm, x86_64::*};
use neural_engine_isa::Avx512Vnni;
use std::ops::Range;

/// Bytes of a panel's interleaved copy per four inputs: 64 tokens × 4.
const QUAD: usize = 4 * TOKENS;

/// How far ahead of the sparse weight stream to prefetch, in bytes: 8 to 10% faster than without where weights come from L3, and no
/// slower where they are in L2 (Ice Lake, 768×768 to 768×3072 at 80% zeros; 768 to 4096 bytes are alike).
pub(super) const AHEAD: usize = 2048;

/// Bytes of weights that one panel is multiplied by before the next panel takes its place in L1 and L2; a chunk stays in L2 for all
/// panels of a call. Without chunks four panels of 3072 inputs are 15% slower when dense.
const CHUNK: usize = 128 << 10;

/// Rows of one dense tile: 6 × 4 accumulators, 4 inputs and 1 weight fill 29 of 32 registers.
const TILE: usize = 6;

type Acc<const R: usize> = [[__m512i; 4]; R];

/// Sparse product; the entry has checked every length.
pub(super) fn sparse<Y: Element, const A: usize>(
    token: Avx512Vnni,
    weight: &Sparse4x1U8S8<'_>,
    init: &[i32],
    epilogue: &Epilogue<'_>,
    rows: Range<usize>,
    ios: &mut [Io<'_, u8, Y>],
) {
    // SAFETY: the token exists only where the features do.
    unsafe { sparse_rows::<Y, A>(token, weight, init, epilogue, rows, ios) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn sparse_rows<Y: Element, const A: usize>(
    token: Avx512Vnni,
    weight: &Sparse4x1U8S8<'_>,
    init: &[i32],
    epilogue: &Epilogue<'_>,
    rows: Range<usize>,
    ios: &mut [Io<'_, u8, Y>],
) {
    let mut first = rows.start;
    while first < rows.end {
        let mut last = first + 4;
        while last < rows.end && (weight.start(last / 4 + 1) - weight.start(first / 4)) * GROUP <= CHUNK {
            last += 4;
        }
        for io in ios.iter_mut() {
            assert!(io.x.len() == weight.k() * TOKENS);
            for row in (first..last).step_by(4) {
                // SAFETY: the view has checked that every index is below k, and x holds k rows of 64 bytes.
                let acc = unsafe { sparse_block::<A>(weight.block(row / 4), io.x.as_ptr(), start(init, row)) };
                epilogue.finish(token, row, &acc, io, row - rows.start);
            }
        }
        first = last;
    }
}

/// The accumulators of rows `row..row + R` before any product.
#[inline]
#[target_feature(enable = "avx512f")]
fn start<const R: usize>(init: &[i32], row: usize) -> Acc<R> {
    let mut acc = [[_mm512_setzero_si512(); 4]; R];
    for (acc, &init) in acc.iter_mut().zip(&init[row..row + R]) {
        *acc = [_mm512_set1_epi32(init); 4];
    }
    acc
}

/// acc[i][j] += Σ over the groups; per group 4 loads, 8 unpacks and 16 `vpdpbusd`.
///
/// # Safety
/// `groups` is whole groups whose indices times 64, plus 63, are readable at `x`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn sparse_block<const A: usize>(groups: &[u8], x: *const u8, mut acc: Acc<4>) -> Acc<4> {
    for group in groups.chunks_exact(GROUP) {
        let group = group.as_ptr();
        let ahead = const { or_own(A, AHEAD) };
        if ahead > 0 {
            _mm_prefetch::<_MM_HINT_T0>(group.wrapping_add(ahead).cast());
        }
        // SAFETY: a group holds four u16 and 16 weights; the caller vouches for the rows at `x`.
        unsafe {
            let [a, b, c, d] = offsets(group);
            let x = interleave([load(x.add(a)), load(x.add(b)), load(x.add(c)), load(x.add(d))]);
            for (i, acc) in acc.iter_mut().enumerate() {
                dot(acc, x, broadcast(group.add(8 + 4 * i)));
            }
        }
    }
    acc
}

/// The four indices of a group times 64.
///
/// Written out because the compiler would widen all four in one vector and take them out again, on the two ports that the
/// products need: 40% of the `vpdpbusd` rate in place of 60%. `imul` runs on a third.
///
/// # Safety
/// Eight bytes are readable at `group`.
#[inline(always)]
unsafe fn offsets(group: *const u8) -> [usize; 4] {
    let (a, b, c, d): (usize, usize, usize, usize);
    // SAFETY: reads the eight bytes that the caller vouches for; a 32-bit result clears the register's upper half.
    unsafe {
        asm!(
            "movzx {a:e}, word ptr [{group}]",
            "movzx {b:e}, word ptr [{group} + 2]",
            "movzx {c:e}, word ptr [{group} + 4]",
            "movzx {d:e}, word ptr [{group} + 6]",
            "imul {a:e}, {a:e}, 64",
            "imul {b:e}, {b:e}, 64",
            "imul {c:e}, {c:e}, 64",
            "imul {d:e}, {d:e}, 64",
            group = in(reg) group,
            a = out(reg) a,
            b = out(reg) b,
            c = out(reg) c,
            d = out(reg) d,
            options(pure, readonly, nostack)
        );
    }
    [a, b, c, d]
}

/// Dense product; the entry has checked every length.
pub(super) fn dense<Y: Element>(
    token: Avx512Vnni,
    weight: &DenseU8S8<'_>,
    init: &[i32],
    epilogue: &Epilogue<'_>,
    rows: Range<usize>,
    ios: &mut [Io<'_, u8, Y>],
    scratch: &mut [u8],
) {
    // SAFETY: the token exists only where the features do.
    unsafe { dense_rows(token, weight, init, epilogue, rows, ios, scratch) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn dense_rows<Y: Element>(
    token: Avx512Vnni,
    weight: &DenseU8S8<'_>,
    init: &[i32],
    epilogue: &Epilogue<'_>,
    rows: Range<usize>,
    ios: &mut [Io<'_, u8, Y>],
    scratch: &mut [u8],
) {
    let quads = weight.k().div_ceil(4);
    for (io, copy) in ios.iter().zip(scratch.chunks_exact_mut(quads * QUAD)) {
        interleave_panel(io.x, copy);
    }
    let step = (CHUNK / weight.k() / TILE).max(1) * TILE;
    for first in rows.clone().step_by(step) {
        let last = rows.end.min(first + step);
        for (io, x) in ios.iter_mut().zip(scratch.chunks_exact(quads * QUAD)) {
            let mut row = first;
            while row < last {
                let at = row - rows.start;
                match last - row {
                    TILE.. => epilogue.finish(token, row, &dense_tile::<TILE, 3>(weight, row, x, start(init, row)), io, at),
                    4.. => epilogue.finish(token, row, &dense_tile::<4, 2>(weight, row, x, start(init, row)), io, at),
                    2.. => epilogue.finish(token, row, &dense_tile::<2, 1>(weight, row, x, start(init, row)), io, at),
                    // The last row of an odd number: its pair's second row is padding.
                    _ => {
                        let acc = dense_tile::<2, 1>(weight, row, x, [[_mm512_set1_epi32(init[row]); 4]; 2]);
                        epilogue.finish(token, row, &[acc[0]], io, at);
                    }
                }
                row += match last - row {
                    TILE.. => TILE,
                    4.. => 4,
                    _ => 2,
                };
            }
        }
    }
}

/// Copies a panel `[k][64]` to `[ceil(k/4)][64 tokens in lane order][4 k]`, zeros beyond k.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn interleave_panel(x: &[u8], copy: &mut [u8]) {
    for (four, quad) in x.chunks(4 * TOKENS).zip(copy.chunks_exact_mut(QUAD)) {
        let mut rows = [_mm512_setzero_si512(); 4];
        for (row, tokens) in rows.iter_mut().zip(four.chunks_exact(TOKENS)) {
            // SAFETY: 64 tokens are 64 bytes.
            *row = unsafe { load(tokens.as_ptr()) };
        }
        for (j, lanes) in interleave(rows).iter().enumerate() {
            // SAFETY: `quad` has 256 bytes.
            unsafe { store(quad.as_mut_ptr().add(64 * j), *lanes) };
        }
    }
}

/// acc[i][j] += rows `row..row + R` of the weight times an interleaved panel; R = 2·P, `row` is even.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn dense_tile<const R: usize, const P: usize>(weight: &DenseU8S8<'_>, row: usize, x: &[u8], mut acc: Acc<R>) -> Acc<R> {
    let quads = weight.k().div_ceil(4);
    let pairs: [&[u8]; P] = std::array::from_fn(|p| weight.pair(row / 2 + p));
    assert!(x.len() == quads * QUAD && pairs.iter().all(|pair| pair.len() == 8 * quads));
    for q in 0..quads {
        // SAFETY: x holds `quads` times 256 bytes and each pair `quads` times 8; checked above.
        unsafe {
            let lanes = each!([0, 1, 2, 3], |j| load(x.as_ptr().add(QUAD * q + 64 * j)));
            for (i, acc) in acc.iter_mut().enumerate() {
                dot(acc, lanes, broadcast(pairs[i / 2].as_ptr().add(8 * q + 4 * (i % 2))));
            }
        }
    }
    acc
}

impl Tier for Avx512Vnni {
    #[inline(always)]
    fn lookup(self, table: &[u8; 256], bytes: &mut [u8]) {
        for bytes in bytes.chunks_exact_mut(64) {
            // SAFETY: the token proves the features; a chunk holds the 64 bytes read and written.
            unsafe { store(bytes.as_mut_ptr(), look_up(table, load(bytes.as_ptr()))) }
        }
    }

    #[inline(always)]
    fn activate(self, act: Activation, f: [__m512; 4]) -> [__m512; 4] {
        // SAFETY: the token proves the features.
        unsafe { activate(self, act, f) }
    }

    #[inline(always)]
    fn store_half(self, y: &mut [u16; TOKENS], f: [__m512; 4]) {
        // SAFETY: the token proves the features.
        unsafe { store_half(self, y, f) }
    }
}

/// table\[byte\]: the low seven bits choose in each half of the table, the eighth between the halves.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn look_up(table: &[u8; 256], bytes: __m512i) -> __m512i {
    // SAFETY: the table holds four times 64 bytes.
    let quarter = |i: usize| unsafe { load(table.as_ptr().add(64 * i)) };
    let low = _mm512_permutex2var_epi8(quarter(0), bytes, quarter(1));
    let high = _mm512_permutex2var_epi8(quarter(2), bytes, quarter(3));
    _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high)
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn activate(token: Avx512Vnni, act: Activation, f: [__m512; 4]) -> [__m512; 4] {
    each!(f, |f| act.apply(token, f))
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn store_half(token: Avx512Vnni, y: &mut [u16; TOKENS], f: [__m512; 4]) {
    bf16::store_row(token, y, f);
}
