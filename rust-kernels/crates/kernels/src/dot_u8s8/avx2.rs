//! Four u8 × s8 products per 32-bit lane of a `ymm`, exact on every CPU with AVX2.
//!
//! Without AVX-VNNI there are two ways. `vpmaddubsw` adds products of bytes in pairs, and saturates where 16 bits do not hold the sum
//! (255·127 + 255·127): it serves weights whose [pairs fit](super::pairs_fit). Others are widened to 16 bits, as inputs are, and multiplied by
//! `vpmaddwd`, whose sums fit 32 bits.
//!
//! Where activations are used by many rows, half of these products are saved: x₀·w₀ + x₁·w₁ is (x₀ + w₁)·(x₁ + w₀) less a *surplus*,
//! x₀·x₁ + w₀·w₁, of which one part is the same for all rows and the other for all tokens (Winograd 1968, "A New Algorithm for
//! Inner Product"). All of it wraps around in 32 bits, so that the difference is exact.

use core::arch::x86_64::*;
use neural_engine_isa::{Avx2, Isa};

/// One way to do it; a value proves that the instructions exist.
pub(crate) trait Dot: Copy {
    /// Four u8 per lane, prepared.
    type X: Copy;
    /// Four s8 per lane, prepared.
    type W: Copy;
    /// Four rows of four s8, prepared in memory: worth it for weights that are used again and again.
    type Four: Copy + Default;
    /// Prepares activations.
    fn x(self, x: __m256i) -> Self::X;
    /// Prepares weights.
    fn w(self, w: __m256i) -> Self::W;
    /// Prepares four of each row.
    fn four(self, w: &[u8; 16]) -> Self::Four;
    /// One of four rows, the same in every lane.
    fn row(self, four: &Self::Four, row: usize) -> Self::W;
    /// acc + Σ x · w per lane, wrapping.
    fn add(self, acc: __m256i, x: Self::X, w: Self::W) -> __m256i;
    /// Whether [`add_with_surplus`](Self::add_with_surplus) adds one.
    const SURPLUS: bool;
    /// [`add`](Self::add) plus the surplus of x and that of w.
    fn add_with_surplus(self, acc: __m256i, x: Self::X, w: Self::W) -> __m256i;
    /// acc + surplus of x per lane, wrapping.
    fn x_surplus(self, acc: __m256i, x: Self::X) -> __m256i;
    /// acc + surplus of four rows, wrapping: that of row r in lane 2·r.
    fn w_surplus(self, acc: __m256i, four: &Self::Four) -> __m256i;
    /// Whether [`add_pairs`](Self::add_pairs) is exact for all weights, not only for those whose [pairs fit](super::pairs_fit).
    const ALL_PAIRS: bool;
    /// acc + Σ x · w per lane, wrapping, of bytes as they are.
    fn add_pairs(self, acc: __m256i, x: __m256i, w: __m256i) -> __m256i;
    /// The proof of AVX2 in it.
    fn avx2(self) -> Avx2;
}

/// By AVX2: even and odd bytes apart as 16-bit values, two `vpmaddwd`.
#[derive(Clone, Copy)]
pub(crate) struct Widen(Avx2);

/// By AVX-VNNI: one `vpdpbusd`.
#[derive(Clone, Copy)]
pub(crate) struct Vnni(Avx2);

/// Calls intrinsics. Their one condition is that the CPU has the feature: `self` is the proof.
macro_rules! op {
    ($($body:tt)*) => {
        // SAFETY: register-only intrinsics of features that the value proves.
        unsafe { $($body)* }
    };
}

impl Dot for Widen {
    type X = [__m256i; 2];
    type W = [__m256i; 2];
    /// Of each row, the even two and the odd two.
    type Four = [[[i16; 2]; 2]; 4];
    #[inline(always)]
    fn four(self, w: &[u8; 16]) -> Self::Four {
        let mut four = Self::Four::default();
        // SAFETY: 16 bytes are read and 32 written, which is what the arrays hold; the value proves the features.
        unsafe {
            let even_first = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
            let bytes = _mm_shuffle_epi8(_mm_loadu_si128(w.as_ptr().cast()), even_first);
            _mm256_storeu_si256(four.as_mut_ptr().cast(), _mm256_cvtepi8_epi16(bytes));
        }
        four
    }
    #[inline(always)]
    fn row(self, four: &Self::Four, row: usize) -> [__m256i; 2] {
        let pair = |[a, b]: [i16; 2]| splat(self.0, (i32::from(b) << 16) | i32::from(a as u16));
        [pair(four[row][0]), pair(four[row][1])]
    }
    #[inline(always)]
    fn x(self, x: __m256i) -> [__m256i; 2] {
        op!([_mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srli_epi16::<8>(x)])
    }
    #[inline(always)]
    fn w(self, w: __m256i) -> [__m256i; 2] {
        op!([_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w)), _mm256_srai_epi16::<8>(w)])
    }
    #[inline(always)]
    fn add(self, acc: __m256i, x: [__m256i; 2], w: [__m256i; 2]) -> __m256i {
        op!(_mm256_add_epi32(acc, _mm256_add_epi32(_mm256_madd_epi16(x[0], w[0]), _mm256_madd_epi16(x[1], w[1]))))
    }
    const SURPLUS: bool = true;
    #[inline(always)]
    fn add_with_surplus(self, acc: __m256i, x: [__m256i; 2], w: [__m256i; 2]) -> __m256i {
        op!(_mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_add_epi16(x[0], w[1]), _mm256_add_epi16(x[1], w[0]))))
    }
    #[inline(always)]
    fn x_surplus(self, acc: __m256i, x: [__m256i; 2]) -> __m256i {
        op!(_mm256_add_epi32(acc, _mm256_madd_epi16(x[0], x[1])))
    }
    #[inline(always)]
    fn w_surplus(self, acc: __m256i, four: &Self::Four) -> __m256i {
        // SAFETY: reads the 32 bytes of the arrays; the value proves the features.
        unsafe {
            let four = _mm256_loadu_si256(four.as_ptr().cast());
            _mm256_add_epi32(acc, _mm256_madd_epi16(four, _mm256_srli_epi64::<32>(four)))
        }
    }
    const ALL_PAIRS: bool = false;
    #[inline(always)]
    fn add_pairs(self, acc: __m256i, x: __m256i, w: __m256i) -> __m256i {
        op!(_mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1))))
    }
    #[inline(always)]
    fn avx2(self) -> Avx2 {
        self.0
    }
}

impl Dot for Vnni {
    type X = __m256i;
    type W = __m256i;
    type Four = [[u8; 4]; 4];
    #[inline(always)]
    fn four(self, w: &[u8; 16]) -> [[u8; 4]; 4] {
        *w.as_chunks().0.first_chunk().expect("four rows are 16 bytes")
    }
    #[inline(always)]
    fn row(self, four: &[[u8; 4]; 4], row: usize) -> __m256i {
        broadcast(self.0, &four[row])
    }
    #[inline(always)]
    fn x(self, x: __m256i) -> __m256i {
        x
    }
    #[inline(always)]
    fn w(self, w: __m256i) -> __m256i {
        w
    }
    #[inline(always)]
    fn add(self, acc: __m256i, x: __m256i, w: __m256i) -> __m256i {
        op!(_mm256_dpbusd_avx_epi32(acc, x, w))
    }
    const SURPLUS: bool = false;
    #[inline(always)]
    fn add_with_surplus(self, acc: __m256i, x: __m256i, w: __m256i) -> __m256i {
        self.add(acc, x, w)
    }
    #[inline(always)]
    fn x_surplus(self, acc: __m256i, _x: __m256i) -> __m256i {
        acc
    }
    #[inline(always)]
    fn w_surplus(self, acc: __m256i, _four: &[[u8; 4]; 4]) -> __m256i {
        acc
    }
    const ALL_PAIRS: bool = true;
    #[inline(always)]
    fn add_pairs(self, acc: __m256i, x: __m256i, w: __m256i) -> __m256i {
        self.add(acc, x, w)
    }
    #[inline(always)]
    fn avx2(self) -> Avx2 {
        self.0
    }
}

/// A computation written for any [`Dot`]; `eval` and what it calls are `#[inline(always)]`.
pub(crate) trait DotOp {
    /// Runs it.
    fn eval<D: Dot>(self, dot: D);
}

/// Runs `op` by the best instructions of `isa`, of which `token` is the proof.
pub(crate) fn dispatch<Op: DotOp>(token: Avx2, isa: Isa, op: Op) {
    if isa.has_avx_vnni() {
        // SAFETY: the token proves AVX2 and FMA, and the ISA was just asked for AVX-VNNI.
        unsafe { by_vnni(token, op) }
    } else {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { by_widening(token, op) }
    }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
fn by_vnni<Op: DotOp>(token: Avx2, op: Op) {
    op.eval(Vnni(token));
}

#[target_feature(enable = "avx2,fma")]
fn by_widening<Op: DotOp>(token: Avx2, op: Op) {
    op.eval(Widen(token));
}

/// The first 32 bytes.
#[inline(always)]
pub(crate) fn load(_: Avx2, bytes: &[u8]) -> __m256i {
    let bytes: &[u8; 32] = bytes.first_chunk().expect("a vector load needs 32 bytes");
    // SAFETY: the array holds the 32 bytes that are read; the token proves the feature.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Writes the first 32 bytes.
#[inline(always)]
pub(crate) fn store(_: Avx2, bytes: &mut [u8], x: __m256i) {
    let bytes: &mut [u8; 32] = bytes.first_chunk_mut().expect("a vector store needs 32 bytes");
    // SAFETY: the array holds the 32 bytes that are written; the token proves the feature.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), x) }
}

/// The first 8 values.
#[inline(always)]
pub(crate) fn load_i32(_: Avx2, values: &[i32]) -> __m256i {
    let values: &[i32; 8] = values.first_chunk().expect("a vector load needs 8 values");
    // SAFETY: the array holds the 32 bytes that are read; the token proves the feature.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

/// Writes the first 8 values.
#[inline(always)]
pub(crate) fn store_i32(_: Avx2, values: &mut [i32], x: __m256i) {
    let values: &mut [i32; 8] = values.first_chunk_mut().expect("a vector store needs 8 values");
    // SAFETY: the array holds the 32 bytes that are written; the token proves the feature.
    unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), x) }
}

/// Brings the line of an address nearer; any address will do.
#[inline(always)]
pub(crate) fn prefetch(_: Avx2, bytes: *const u8) {
    op!(_mm_prefetch::<_MM_HINT_T0>(bytes.cast()));
}

/// The first four bytes in every 32-bit lane.
#[inline(always)]
pub(crate) fn broadcast(_: Avx2, bytes: &[u8]) -> __m256i {
    let bytes: &[u8; 4] = bytes.first_chunk().expect("a broadcast needs 4 bytes");
    op!(_mm256_set1_epi32(i32::from_le_bytes(*bytes)))
}

/// `x` in every 32-bit lane.
#[inline(always)]
pub(crate) fn splat(_: Avx2, x: i32) -> __m256i {
    op!(_mm256_set1_epi32(x))
}

/// Four rows of 32 tokens to groups of four: token 16·l + 4·j + e is lane 4·l + e of register j.
#[inline(always)]
pub(crate) fn interleave(token: Avx2, rows: [__m256i; 4]) -> [__m256i; 4] {
    let [a, b] = interleave_half::<false>(token, rows);
    let [c, d] = interleave_half::<true>(token, rows);
    [a, b, c, d]
}

/// Registers 0 and 1 of [`interleave`], or 2 and 3.
#[inline(always)]
pub(crate) fn interleave_half<const HIGH: bool>(_: Avx2, rows: [__m256i; 4]) -> [__m256i; 2] {
    op!({
        let [a, b] = if HIGH {
            [_mm256_unpackhi_epi8(rows[0], rows[1]), _mm256_unpackhi_epi8(rows[2], rows[3])]
        } else {
            [_mm256_unpacklo_epi8(rows[0], rows[1]), _mm256_unpacklo_epi8(rows[2], rows[3])]
        };
        [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)]
    })
}

#[cfg(test)]
mod tests {
    use super::super::pairs_fit;
    use super::*;

    /// Four weights times 8 lanes, added to a start.
    struct Four<'a> {
        x: &'a [u8; 32],
        w: &'a [u8; 4],
        start: i32,
        sums: &'a mut [i32; 8],
        /// As row 2 of four, the others of which are −1, with the surplus, which is then taken out.
        of_rows: &'a mut [i32; 8],
        /// In pairs, where they fit.
        in_pairs: &'a mut [i32; 8],
    }

    impl DotOp for Four<'_> {
        #[inline(always)]
        fn eval<D: Dot>(self, dot: D) {
            let token = dot.avx2();
            let (start, bytes) = (splat(token, self.start), load(token, self.x));
            let (x, w) = (dot.x(bytes), broadcast(token, self.w));
            store_i32(token, self.sums, dot.add(start, x, dot.w(w)));
            let mut rows = [0xff; 16];
            rows[8..12].copy_from_slice(self.w);
            let four = dot.four(&rows);
            let mut of_w = [0; 8];
            store_i32(token, &mut of_w, dot.w_surplus(splat(token, 0), &four));
            store_i32(token, self.of_rows, dot.add_with_surplus(start, x, dot.row(&four, 2)));
            if D::SURPLUS {
                let mut of_x = [0; 8];
                store_i32(token, &mut of_x, dot.x_surplus(splat(token, 0), x));
                for (sum, of_x) in self.of_rows.iter_mut().zip(of_x) {
                    *sum = sum.wrapping_sub(of_x).wrapping_sub(of_w[4]);
                }
            }
            let in_pairs = if D::ALL_PAIRS || pairs_fit(&rows) { dot.add_pairs(start, bytes, w) } else { dot.add(start, x, dot.w(w)) };
            store_i32(token, self.in_pairs, in_pairs);
        }
    }

    #[test]
    fn both_ways_are_exact_at_the_ends_of_the_ranges() {
        let Some(token) = Isa::capped(neural_engine_isa::Tier::Amx).avx2() else { return println!("skipped: no AVX2") };
        let vnni = std::is_x86_feature_detected!("avxvnni");
        if !vnni {
            println!("AVX-VNNI skipped: this CPU has none");
        }
        let ends = [-128i8, -127, -1, 0, 1, 64, 127];
        let x: [u8; 32] = std::array::from_fn(|i| [255, 254, 128, 127, 1, 0, 255, 3][(i * 5 + i / 4) % 8]);
        for code in 0..ends.len().pow(4) {
            let w: [i8; 4] = std::array::from_fn(|i| ends[code / ends.len().pow(i as u32) % ends.len()]);
            let start = [0, i32::MAX - 5, i32::MIN + 5][code % 3];
            let want: [i32; 8] =
                std::array::from_fn(|lane| (0..4).fold(start, |sum, i| sum.wrapping_add(i32::from(x[4 * lane + i]) * i32::from(w[i]))));
            let w = w.map(|w| w as u8);
            let (mut sums, mut of_rows, mut in_pairs) = ([0; 8], [0; 8], [0; 8]);
            // SAFETY: the token proves AVX2 and FMA.
            unsafe { by_widening(token, Four { x: &x, w: &w, start, sums: &mut sums, of_rows: &mut of_rows, in_pairs: &mut in_pairs }) };
            assert_eq!([sums, of_rows, in_pairs], [want; 3], "by widening");
            if vnni {
                // SAFETY: the token proves AVX2 and FMA, and AVX-VNNI was detected.
                unsafe { by_vnni(token, Four { x: &x, w: &w, start, sums: &mut sums, of_rows: &mut of_rows, in_pairs: &mut in_pairs }) };
                assert_eq!([sums, of_rows, in_pairs], [want; 3], "by AVX-VNNI");
            }
        }
    }
}
