//! The integer products that tiers do differently, and the plain form of them.

use super::exp;
use crate::panel::{TOKENS, lane_of};
use crate::tiles::{Lanes, SIDE, TILE};
use neural_engine_isa::{Scalar, Simd};

/// Bytes of four rows of a panel interleaved: 64 lanes × 4.
pub(super) const QUAD: usize = 4 * TOKENS;

/// Quads of a panel's keys.
pub(super) const PANEL_QUADS: usize = TOKENS / 4;

/// A byte of either sign.
pub(super) trait Byte: Copy {
    /// The bits of many.
    fn bytes(many: &[Self]) -> &[u8];
}

impl Byte for u8 {
    #[inline(always)]
    fn bytes(many: &[u8]) -> &[u8] {
        many
    }
}

impl Byte for i8 {
    #[inline(always)]
    fn bytes(many: &[i8]) -> &[u8] {
        // SAFETY: i8 and u8 agree in size, alignment and valid values, and the borrow is kept.
        unsafe { std::slice::from_raw_parts(many.as_ptr().cast(), many.len()) }
    }
}

/// 64 lanes of i32.
pub(super) type Row<P> = [<<P as Products>::S as Simd>::I32; 4];

/// One tier's way to multiply; a value proves that the instructions exist.
pub(super) trait Products: Copy {
    /// Its vectors.
    type S: Simd;

    /// The vectors.
    fn simd(self) -> Self::S;

    /// Copies four rows of 64 tokens to 64 groups of four bytes in lane order.
    fn interleave<B: Byte>(self, rows: &[B], quad: &mut [u8]);

    /// acc\[i\] += Σ over n of the four products x\[n\] · w per lane, for four rows of weights: x is u8 `[steps][64 lanes][4]`, and the
    /// four s8 of row i and step n start at w\[ROW·i + STEP·n\]. Panics when x or w ends before that.
    fn tile<B: Byte, const ROW: usize, const STEP: usize>(self, acc: [Row<Self>; 4], x: &[u8], w: &[B], steps: usize) -> [Row<Self>; 4];

    /// −128 · the sum of all s8 of each lane, over interleaved rows: what q's zero point adds to every score of a key.
    fn zero_point(self, quads: &[u8]) -> Row<Self>;

    /// round(2ˣ) for x ≤ 16 by [`exp::probability`]; 0 for NaN.
    #[inline(always)]
    fn probability(self, x: <Self::S as Simd>::F32) -> <Self::S as Simd>::I32 {
        exp::probability(self.simd(), x)
    }

    /// Interleaves four rows of probabilities, 0 to 255, and adds the four of each lane to `sum`.
    fn pack(self, rows: &[Row<Self>; 4], quad: &mut [u8], sum: Row<Self>) -> Row<Self>;

    /// Whether there are tiles for whole panels of keys; the methods below are called only then.
    const TILES: bool = false;

    /// Σ q·k of 64 keys by 64 queries: tile 4·i + j has the keys of lanes 16·i to 16·i + 15 by the queries of lanes 16·j to 16·j + 15. Both
    /// are interleaved, of a multiple of 64 features.
    fn scores_on_tiles(self, _q: &[u8], _k: &[u8], _scores: &mut [[Lanes; SIDE]; 16]) {
        unreachable!("no tiles");
    }

    /// Begins sums of 16 features by 64 queries.
    fn begin_on_tiles(self) {
        unreachable!("no tiles");
    }

    /// Adds Σ p·v of 64 keys: v is `[16 features][64 keys]`, p `[16][64 queries][4 keys]`.
    fn context_on_tiles(self, _v: &[i8; TILE], _p: &[u8]) {
        unreachable!("no tiles");
    }

    /// Writes the sums, 16 queries a tile.
    fn end_on_tiles(self, _sums: &mut [[Lanes; SIDE]; 4]) {
        unreachable!("no tiles");
    }

    /// Writes the codes of tokens `from..to` of 64, saturated to u8, and leaves the others.
    fn store_tokens(self, y: &mut [u8], codes: Row<Self>, from: usize, to: usize);
}

/// Bytes of `w` that [`Products::tile`] reads.
pub(super) const fn tile_reach(row: usize, step: usize, steps: usize) -> usize {
    if steps == 0 { 0 } else { 3 * row + (steps - 1) * step + 4 }
}

impl Products for Scalar {
    type S = Scalar;

    fn simd(self) -> Scalar {
        self
    }

    fn interleave<B: Byte>(self, rows: &[B], quad: &mut [u8]) {
        for token in 0..TOKENS {
            for i in 0..4 {
                quad[4 * lane_of(token) + i] = B::bytes(rows)[i * TOKENS + token];
            }
        }
    }

    fn tile<B: Byte, const ROW: usize, const STEP: usize>(
        self,
        mut acc: [Row<Self>; 4],
        x: &[u8],
        w: &[B],
        steps: usize,
    ) -> [Row<Self>; 4] {
        let w = &B::bytes(w)[..tile_reach(ROW, STEP, steps)];
        for (n, x) in x[..steps * QUAD].chunks_exact(QUAD).enumerate() {
            for (i, acc) in acc.iter_mut().enumerate() {
                let w = &w[ROW * i + STEP * n..][..4];
                for (lane, x) in x.chunks_exact(4).enumerate() {
                    let products = x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w as i8));
                    let lane = &mut acc[lane / 16][lane % 16];
                    *lane = lane.wrapping_add(products.sum());
                }
            }
        }
        acc
    }

    fn zero_point(self, quads: &[u8]) -> Row<Self> {
        let mut sums = [[0; 16]; 4];
        for quad in quads.chunks_exact(QUAD) {
            for (lane, four) in quad.chunks_exact(4).enumerate() {
                sums[lane / 16][lane % 16] -= four.iter().map(|&k| 128 * i32::from(k as i8)).sum::<i32>();
            }
        }
        sums
    }

    fn pack(self, rows: &[Row<Self>; 4], quad: &mut [u8], mut sum: Row<Self>) -> Row<Self> {
        for lane in 0..TOKENS {
            for (i, row) in rows.iter().enumerate() {
                let p = row[lane / 16][lane % 16];
                quad[4 * lane + i] = p as u8;
                sum[lane / 16][lane % 16] += p;
            }
        }
        sum
    }

    fn store_tokens(self, y: &mut [u8], codes: Row<Self>, from: usize, to: usize) {
        for (token, y) in y.iter_mut().enumerate().take(to).skip(from) {
            let lane = lane_of(token);
            *y = codes[lane / 16][lane % 16].clamp(0, 255) as u8;
        }
    }
}
