//! AVX2, with AVX-VNNI where there is one: a tile works on 16 lanes at a time, so that four rows of accumulators stay in registers.

use super::head::Job;
use super::products::{Byte, Products, QUAD, Row, tile_reach};
use crate::dot_u8s8::avx2::{Dot, DotOp, dispatch, interleave, load, splat, store};
use crate::dot_u8s8::each;
use crate::dot_u8s8::steps::Steps;
use crate::panel::TOKENS;
use neural_engine_isa::{Avx2, Isa, Simd};

/// Steps whose weights are prepared together, half a KB of them: a panel's groups of keys, or the features of a head of 64.
const STEPS: usize = 16;

/// All heads of a checked call.
pub(super) fn run(token: Avx2, isa: Isa, job: Job<'_>) {
    dispatch(token, isa, Heads(job));
}

struct Heads<'a>(Job<'a>);

impl DotOp for Heads<'_> {
    #[inline(always)]
    fn eval<D: Dot>(self, dot: D) {
        self.0.run(By(dot));
    }
}

/// Products by one of the two kinds of instructions.
#[derive(Clone, Copy)]
struct By<D>(D);

impl<D: Dot> Products for By<D> {
    type S = Avx2;

    #[inline(always)]
    fn simd(self) -> Avx2 {
        self.0.avx2()
    }

    #[inline(always)]
    fn interleave<B: Byte>(self, rows: &[B], quad: &mut [u8]) {
        let token = self.simd();
        for half in [0, 32] {
            let row = |i: usize| load(token, B::bytes(&rows[i * TOKENS + half..]));
            let lanes = interleave(token, [row(0), row(1), row(2), row(3)]);
            for (j, lanes) in lanes.iter().enumerate() {
                store(token, &mut quad[64 * j + half..], *lanes);
            }
        }
    }

    #[inline(always)]
    fn tile<B: Byte, const ROW: usize, const STEP: usize>(
        self,
        mut acc: [Row<Self>; 4],
        x: &[u8],
        w: &[B],
        steps: usize,
    ) -> [Row<Self>; 4] {
        let dot = self.0;
        let w = &B::bytes(w)[..tile_reach(ROW, STEP, steps)];
        let (mut at, mut prepared) = (0, Steps::<D::Four, STEPS>::new());
        for x in x[..steps * QUAD].chunks(STEPS * QUAD) {
            // Each row is used for four times 16 lanes: prepared once, it costs a load then.
            prepared.clear();
            for quad in 0..x.len() / QUAD {
                let mut bytes = [0; 16];
                for i in 0..4 {
                    bytes[4 * i..4 * i + 4].copy_from_slice(&w[at + ROW * i..at + ROW * i + 4]);
                }
                prepared.push(dot, quad, &bytes);
                at += STEP;
            }
            for j in 0..4 {
                let mut part = [acc[0][j], acc[1][j], acc[2][j], acc[3][j]];
                prepared.add(dot, &mut part, x, j);
                for (acc, part) in acc.iter_mut().zip(part) {
                    acc[j] = part;
                }
            }
        }
        acc
    }

    #[inline(always)]
    fn zero_point(self, quads: &[u8]) -> Row<Self> {
        let (dot, simd) = (self.0, self.simd());
        let x = dot.x(splat(simd, i32::from_ne_bytes([128; 4])));
        let mut sums = [simd.splat_i32(0); 4];
        for quad in quads.chunks_exact(QUAD) {
            for j in 0..4 {
                for half in 0..2 {
                    sums[j][half] = dot.add(sums[j][half], x, dot.w(load(simd, &quad[64 * j + 32 * half..])));
                }
            }
        }
        each!(sums, |sum| simd.sub_i32(simd.splat_i32(0), sum))
    }

    #[inline(always)]
    fn pack(self, rows: &[Row<Self>; 4], quad: &mut [u8], mut sum: Row<Self>) -> Row<Self> {
        let simd = self.simd();
        for j in 0..4 {
            let low = simd.or_i32(rows[0][j], simd.shl::<8>(rows[1][j]));
            let high = simd.or_i32(simd.shl::<16>(rows[2][j]), simd.shl::<24>(rows[3][j]));
            let lanes = simd.or_i32(low, high);
            store(simd, &mut quad[64 * j..], lanes[0]);
            store(simd, &mut quad[64 * j + 32..], lanes[1]);
            for row in rows {
                sum[j] = simd.add_i32(sum[j], row[j]);
            }
        }
        sum
    }

    #[inline(always)]
    fn store_tokens(self, y: &mut [u8], codes: Row<Self>, from: usize, to: usize) {
        if to - from == TOKENS {
            return self.simd().store_u8(y, codes);
        }
        let mut row = [0; TOKENS];
        self.simd().store_u8(&mut row, codes);
        y[from..to].copy_from_slice(&row[from..to]);
    }
}
