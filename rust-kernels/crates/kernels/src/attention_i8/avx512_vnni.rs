//! AVX-512 VNNI: 64 queries are four `zmm`; a tile of four weight rows keeps 16 accumulators in registers.

use super::exp::cubic;
use super::head::Job;
use super::products::{Byte, Products, QUAD, Row, tile_reach};
use crate::dot_u8s8::avx512_vnni::{broadcast, dot, interleave, load, store};
use crate::dot_u8s8::each;
use crate::panel::TOKENS;
use core::arch::x86_64::*;
use neural_engine_isa::Avx512Vnni;

/// All heads of a checked call.
pub(super) fn run(token: Avx512Vnni, job: Job<'_>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn featured(token: Avx512Vnni, job: Job<'_>) {
        job.run(token);
    }
    // SAFETY: the token exists only where these features do.
    unsafe { featured(token, job) }
}

impl Products for Avx512Vnni {
    type S = Avx512Vnni;

    #[inline(always)]
    fn simd(self) -> Avx512Vnni {
        self
    }

    #[inline(always)]
    fn interleave<B: Byte>(self, rows: &[B], quad: &mut [u8]) {
        let rows: &[B; 4 * TOKENS] = rows.first_chunk().expect("four rows of a panel");
        let quad: &mut [u8; QUAD] = quad.first_chunk_mut().expect("room for four rows");
        // SAFETY: B is u8 or i8; the arrays hold the 256 bytes that are read and written; the token proves the features.
        unsafe {
            let lanes = interleave(each!([0, 1, 2, 3], |i| load(rows.as_ptr().add(i * TOKENS).cast())));
            each!([0, 1, 2, 3], |j| store(quad.as_mut_ptr().add(64 * j), lanes[j]));
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
        assert!(x.len() >= steps * QUAD && w.len() >= tile_reach(ROW, STEP, steps));
        let (mut x, mut w) = (x.as_ptr(), w.as_ptr().cast::<u8>());
        for _ in 0..steps {
            // SAFETY: B is u8 or i8; the assertion covers every step's 256 bytes of x and four bytes of each row of w, and the
            // pointers move on by wrapping arithmetic; the token proves the features.
            unsafe {
                let lanes = each!([0, 1, 2, 3], |j| load(x.add(64 * j)));
                each!([0, 1, 2, 3], |i| dot(&mut acc[i], lanes, broadcast(w.add(ROW * i))));
            }
            (x, w) = (x.wrapping_add(QUAD), w.wrapping_add(STEP));
        }
        acc
    }

    #[inline(always)]
    fn zero_point(self, quads: &[u8]) -> Row<Self> {
        // SAFETY: a chunk holds the 256 bytes that are read; the token proves the features.
        unsafe {
            let mut sums = [_mm512_setzero_si512(); 4];
            for quad in quads.chunks_exact(QUAD) {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi8(-128), load(quad.as_ptr().add(64 * j)));
                }
            }
            each!(sums, |sum| _mm512_sub_epi32(_mm512_setzero_si512(), sum))
        }
    }

    /// The same steps in fewer instructions: `vreduceps` takes the floor off, `vscalefps` puts it into the exponent. NaN and what
    /// underflows end as 0 like there: NaN converts to the lowest number, which `pack` saturates.
    #[inline(always)]
    fn probability(self, x: __m512) -> __m512i {
        const FLOOR: i32 = 0b1001; // round down, no exceptions, no fraction bits
        // SAFETY: register-only instructions of features that the token proves.
        unsafe { _mm512_cvtps_epi32(_mm512_scalef_ps(cubic(self, _mm512_reduce_ps::<FLOOR>(x)), x)) }
    }

    #[inline(always)]
    fn pack(self, rows: &[Row<Self>; 4], quad: &mut [u8], mut sum: Row<Self>) -> Row<Self> {
        let quad: &mut [u8; QUAD] = quad.first_chunk_mut().expect("room for four rows");
        // SAFETY: register-only instructions, and stores to the array's 256 bytes; the token proves the features.
        unsafe {
            // Within each 128 bits: four lanes of row 0, then of rows 1, 2 and 3, to four groups of four rows.
            let order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
            let ones = _mm512_set1_epi8(1);
            for j in 0..4 {
                let low = _mm512_packs_epi32(rows[0][j], rows[1][j]);
                let high = _mm512_packs_epi32(rows[2][j], rows[3][j]);
                let lanes = _mm512_shuffle_epi8(_mm512_packus_epi16(low, high), order);
                sum[j] = _mm512_dpbusd_epi32(sum[j], lanes, ones);
                store(quad.as_mut_ptr().add(64 * j), lanes);
            }
        }
        sum
    }

    #[inline(always)]
    fn store_tokens(self, y: &mut [u8], [a, b, c, d]: Row<Self>, from: usize, to: usize) {
        let y: &mut [u8; TOKENS] = y.first_chunk_mut().expect("a row of 64 tokens");
        assert!(from < to && to <= TOKENS);
        let mask = (!0u64 >> (TOKENS - (to - from))) << from;
        // SAFETY: masked bytes are not written, the others lie in the array; the token proves the features.
        unsafe {
            let bytes = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            _mm512_mask_storeu_epi8(y.as_mut_ptr().cast(), mask, bytes);
        }
    }
}
