//! Two `ymm` per vector: lanes 0..8 and 8..16.

use crate::Avx2;
use crate::simd::{Simd, SimdOp, head, head_mut};
use core::arch::x86_64::*;

/// Runs `op` with the features enabled.
pub(crate) fn enter<Op: SimdOp>(token: Avx2, op: Op) -> Op::Output {
    #[target_feature(enable = "avx2,fma")]
    fn featured<Op: SimdOp>(token: Avx2, op: Op) -> Op::Output {
        op.eval(token)
    }
    // SAFETY: the token exists only where these features do.
    unsafe { featured(token, op) }
}

/// Calls intrinsics. Their one condition is that the CPU has the feature: `self` is the proof.
macro_rules! op {
    ($($body:tt)*) => {
        // SAFETY: register-only intrinsics of features that the token proves.
        unsafe { $($body)* }
    };
}

/// One intrinsic over both halves of its arguments.
macro_rules! halves {
    ($f:ident $(::<$n:tt>)?, $($x:expr),+) => { op!([$f$(::<$n>)?($($x[0]),+), $f$(::<$n>)?($($x[1]),+)]) };
}

impl Simd for Avx2 {
    const REGISTERS: usize = 8;
    type F32 = [__m256; 2];
    type I32 = [__m256i; 2];
    type Mask = [__m256; 2];

    #[inline(always)]
    fn splat(self, x: f32) -> [__m256; 2] {
        op!([_mm256_set1_ps(x); 2])
    }
    #[inline(always)]
    fn load(self, x: &[f32]) -> [__m256; 2] {
        let x = head::<f32, 16>(x);
        // SAFETY: the array holds the 64 bytes that are read; the token proves the feature.
        unsafe { [_mm256_loadu_ps(x.as_ptr()), _mm256_loadu_ps(x.as_ptr().add(8))] }
    }
    #[inline(always)]
    fn store(self, dst: &mut [f32], x: [__m256; 2]) {
        let dst = head_mut::<f32, 16>(dst);
        // SAFETY: the array holds the 64 bytes that are written; the token proves the feature.
        unsafe {
            _mm256_storeu_ps(dst.as_mut_ptr(), x[0]);
            _mm256_storeu_ps(dst.as_mut_ptr().add(8), x[1]);
        }
    }
    #[inline(always)]
    fn load_partial(self, x: &[f32], fill: f32) -> [__m256; 2] {
        let mut lanes = [fill; 16];
        for (lane, x) in lanes.iter_mut().zip(x) {
            *lane = *x;
        }
        self.load(&lanes)
    }
    #[inline(always)]
    fn store_partial(self, dst: &mut [f32], x: [__m256; 2]) {
        let mut lanes = [0.0; 16];
        self.store(&mut lanes, x);
        for (to, lane) in dst.iter_mut().zip(lanes) {
            *to = lane;
        }
    }
    #[inline(always)]
    fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    fn fma(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_fmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn fnma(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_fnmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn sqrt(self, a: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_sqrt_ps, a)
    }
    #[inline(always)]
    fn min(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_min_ps, a, b)
    }
    #[inline(always)]
    fn max(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    fn abs(self, a: [__m256; 2]) -> [__m256; 2] {
        let sign = self.splat(-0.0);
        halves!(_mm256_andnot_ps, sign, a)
    }
    #[inline(always)]
    fn neg(self, a: [__m256; 2]) -> [__m256; 2] {
        let sign = self.splat(-0.0);
        halves!(_mm256_xor_ps, sign, a)
    }
    #[inline(always)]
    fn copysign(self, a: [__m256; 2], sign: [__m256; 2]) -> [__m256; 2] {
        let bit = self.splat(-0.0);
        let sign = halves!(_mm256_and_ps, bit, sign);
        let a = halves!(_mm256_andnot_ps, bit, a);
        halves!(_mm256_or_ps, a, sign)
    }
    #[inline(always)]
    fn round_even(self, a: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>, a)
    }
    #[inline(always)]
    fn scale_by_power(self, a: [__m256; 2], n: [__m256; 2]) -> [__m256; 2] {
        // Two factors, each a normal power of two; the first product is exact, the second rounds once.
        let n = self.to_i32(n);
        let half = self.shr::<1>(n);
        let bias = self.splat_i32(127);
        let low = self.from_bits(self.shl::<23>(self.add_i32(half, bias)));
        let high = self.from_bits(self.shl::<23>(self.add_i32(self.sub_i32(n, half), bias)));
        self.mul(self.mul(a, low), high)
    }
    #[inline(always)]
    fn lt(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_cmp_ps::<_CMP_LT_OQ>, a, b)
    }
    #[inline(always)]
    fn le(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_cmp_ps::<_CMP_LE_OQ>, a, b)
    }
    #[inline(always)]
    fn eq(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_cmp_ps::<_CMP_EQ_OQ>, a, b)
    }
    #[inline(always)]
    fn is_nan(self, a: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_cmp_ps::<_CMP_UNORD_Q>, a, a)
    }
    #[inline(always)]
    fn select(self, mask: [__m256; 2], yes: [__m256; 2], no: [__m256; 2]) -> [__m256; 2] {
        halves!(_mm256_blendv_ps, no, yes, mask)
    }
    #[inline(always)]
    fn mask(self, bits: u16) -> [__m256; 2] {
        op! {
            let lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let low = _mm256_and_si256(_mm256_set1_epi32(i32::from(bits & 0xFF)), lane);
            let high = _mm256_and_si256(_mm256_set1_epi32(i32::from(bits >> 8)), lane);
            [_mm256_castsi256_ps(_mm256_cmpeq_epi32(low, lane)), _mm256_castsi256_ps(_mm256_cmpeq_epi32(high, lane))]
        }
    }
    #[inline(always)]
    fn bits(self, mask: [__m256; 2]) -> u16 {
        op!(_mm256_movemask_ps(mask[0]) as u16 | (_mm256_movemask_ps(mask[1]) as u16) << 8)
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> [__m256i; 2] {
        op!([_mm256_set1_epi32(x); 2])
    }
    #[inline(always)]
    fn load_i32(self, x: &[i32]) -> [__m256i; 2] {
        let x = head::<i32, 16>(x);
        // SAFETY: the array holds the 64 bytes that are read; the token proves the feature.
        unsafe { [_mm256_loadu_si256(x.as_ptr().cast()), _mm256_loadu_si256(x.as_ptr().add(8).cast())] }
    }
    #[inline(always)]
    fn store_i32(self, dst: &mut [i32], x: [__m256i; 2]) {
        let dst = head_mut::<i32, 16>(dst);
        // SAFETY: the array holds the 64 bytes that are written; the token proves the feature.
        unsafe {
            _mm256_storeu_si256(dst.as_mut_ptr().cast(), x[0]);
            _mm256_storeu_si256(dst.as_mut_ptr().add(8).cast(), x[1]);
        }
    }
    #[inline(always)]
    fn add_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        halves!(_mm256_add_epi32, a, b)
    }
    #[inline(always)]
    fn sub_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        halves!(_mm256_sub_epi32, a, b)
    }
    #[inline(always)]
    fn mul_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        halves!(_mm256_mullo_epi32, a, b)
    }
    #[inline(always)]
    fn min_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        halves!(_mm256_min_epi32, a, b)
    }
    #[inline(always)]
    fn max_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        halves!(_mm256_max_epi32, a, b)
    }
    #[inline(always)]
    fn and_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        halves!(_mm256_and_si256, a, b)
    }
    #[inline(always)]
    fn or_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        halves!(_mm256_or_si256, a, b)
    }
    #[inline(always)]
    fn xor_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        halves!(_mm256_xor_si256, a, b)
    }
    #[inline(always)]
    fn shl<const N: u32>(self, a: [__m256i; 2]) -> [__m256i; 2] {
        // The count is an operand because the immediate form wants an i32 constant.
        op! { let n = _mm_cvtsi32_si128(N as i32); [_mm256_sll_epi32(a[0], n), _mm256_sll_epi32(a[1], n)] }
    }
    #[inline(always)]
    fn shr<const N: u32>(self, a: [__m256i; 2]) -> [__m256i; 2] {
        op! { let n = _mm_cvtsi32_si128(N as i32); [_mm256_sra_epi32(a[0], n), _mm256_sra_epi32(a[1], n)] }
    }
    #[inline(always)]
    fn shr_logical<const N: u32>(self, a: [__m256i; 2]) -> [__m256i; 2] {
        op! { let n = _mm_cvtsi32_si128(N as i32); [_mm256_srl_epi32(a[0], n), _mm256_srl_epi32(a[1], n)] }
    }
    #[inline(always)]
    fn select_i32(self, mask: [__m256; 2], yes: [__m256i; 2], no: [__m256i; 2]) -> [__m256i; 2] {
        self.to_bits(self.select(mask, self.from_bits(yes), self.from_bits(no)))
    }
    #[inline(always)]
    fn to_i32(self, a: [__m256; 2]) -> [__m256i; 2] {
        // MXCSR's rounding mode is the default, nearest even: Rust code may not change it.
        halves!(_mm256_cvtps_epi32, a)
    }
    #[inline(always)]
    fn to_f32(self, a: [__m256i; 2]) -> [__m256; 2] {
        halves!(_mm256_cvtepi32_ps, a)
    }
    #[inline(always)]
    fn to_bits(self, a: [__m256; 2]) -> [__m256i; 2] {
        halves!(_mm256_castps_si256, a)
    }
    #[inline(always)]
    fn from_bits(self, a: [__m256i; 2]) -> [__m256; 2] {
        halves!(_mm256_castsi256_ps, a)
    }
    #[inline(always)]
    fn sum(self, a: [__m256; 2]) -> f32 {
        op! {
            let a = _mm256_add_ps(a[0], a[1]);
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn largest(self, a: [__m256; 2]) -> f32 {
        op! {
            let a = _mm256_max_ps(a[0], a[1]);
            let a = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_max_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn store_u8(self, dst: &mut [u8], [a, b, c, d]: [[__m256i; 2]; 4]) {
        let dst = head_mut::<u8, 64>(dst);
        for i in 0..2 {
            // SAFETY: the array holds the two 32-byte halves that are written; the token proves the features.
            unsafe {
                let bytes = _mm256_packus_epi16(_mm256_packs_epi32(a[i], b[i]), _mm256_packs_epi32(c[i], d[i]));
                _mm256_storeu_si256(dst.as_mut_ptr().add(32 * i).cast(), bytes);
            }
        }
    }
    #[inline(always)]
    fn store_s8(self, dst: &mut [i8], [a, b, c, d]: [[__m256i; 2]; 4]) {
        let dst = head_mut::<i8, 64>(dst);
        for i in 0..2 {
            // SAFETY: the array holds the two 32-byte halves that are written; the token proves the features.
            unsafe {
                let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a[i], b[i]), _mm256_packs_epi32(c[i], d[i]));
                _mm256_storeu_si256(dst.as_mut_ptr().add(32 * i).cast(), bytes);
            }
        }
    }
    #[inline(always)]
    fn load_u8(self, x: &[u8]) -> [[__m256i; 2]; 4] {
        let x = head::<u8, 64>(x);
        // SAFETY: the array holds the two 32-byte halves that are read; the token proves the features.
        unsafe {
            let bytes = [_mm256_loadu_si256(x.as_ptr().cast()), _mm256_loadu_si256(x.as_ptr().add(32).cast())];
            let mut lanes = dwords(bytes);
            for [low, high] in &mut lanes {
                (*low, *high) = (_mm256_srli_epi32::<24>(*low), _mm256_srli_epi32::<24>(*high));
            }
            lanes
        }
    }
    #[inline(always)]
    fn load_s8(self, x: &[i8]) -> [[__m256i; 2]; 4] {
        let x = head::<i8, 64>(x);
        // SAFETY: the array holds the two 32-byte halves that are read; the token proves the features.
        unsafe {
            let bytes = [_mm256_loadu_si256(x.as_ptr().cast()), _mm256_loadu_si256(x.as_ptr().add(32).cast())];
            let mut lanes = dwords(bytes);
            for [low, high] in &mut lanes {
                (*low, *high) = (_mm256_srai_epi32::<24>(*low), _mm256_srai_epi32::<24>(*high));
            }
            lanes
        }
    }
    #[inline(always)]
    fn store_u16(self, dst: &mut [u16], [a, b]: [[__m256i; 2]; 2]) {
        let dst = head_mut::<u16, 32>(dst);
        for i in 0..2 {
            // SAFETY: the array holds the two 32-byte halves that are written; the token proves the features.
            unsafe { _mm256_storeu_si256(dst.as_mut_ptr().add(16 * i).cast(), _mm256_packus_epi32(a[i], b[i])) }
        }
    }
    #[inline(always)]
    fn load_u16(self, x: &[u16]) -> [[__m256i; 2]; 2] {
        let x = head::<u16, 32>(x);
        // SAFETY: the array holds the two 32-byte halves that are read; the token proves the features.
        unsafe {
            let (low, high) = (_mm256_loadu_si256(x.as_ptr().cast()), _mm256_loadu_si256(x.as_ptr().add(16).cast()));
            let zero = _mm256_setzero_si256();
            let first = [_mm256_unpacklo_epi16(low, zero), _mm256_unpacklo_epi16(high, zero)];
            [first, [_mm256_unpackhi_epi16(low, zero), _mm256_unpackhi_epi16(high, zero)]]
        }
    }
    #[inline(always)]
    fn transpose(self, rows: [[__m256; 2]; 16]) -> [[__m256; 2]; 16] {
        op!(transpose(rows))
    }
}

/// For each dword of the 128-bit lanes, its bytes moved to the top of one dword each.
#[inline]
#[target_feature(enable = "avx2")]
fn dwords(bytes: [__m256i; 2]) -> [[__m256i; 2]; 4] {
    let mut dwords = [bytes; 4];
    for (dword, j) in dwords.iter_mut().zip(0..4) {
        let at = |e: i32| ((4 * j + e) << 24) | 0x0080_8080;
        let control = _mm256_setr_epi32(at(0), at(1), at(2), at(3), at(0), at(1), at(2), at(3));
        *dword = [_mm256_shuffle_epi8(bytes[0], control), _mm256_shuffle_epi8(bytes[1], control)];
    }
    dwords
}

/// Four 8 × 8 blocks, each transposed; the off-diagonal ones change places.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: [[__m256; 2]; 16]) -> [[__m256; 2]; 16] {
    let mut out = rows;
    for row in [0, 8] {
        for half in 0..2 {
            let mut block = [rows[0][0]; 8];
            for i in 0..8 {
                block[i] = rows[row + i][half];
            }
            let block = transpose8(block);
            for i in 0..8 {
                out[8 * half + i][row / 8] = block[i];
            }
        }
    }
    out
}

/// Three rounds of pairwise interleaving: elements, pairs, 128-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose8(r: [__m256; 8]) -> [__m256; 8] {
    let mut t = r;
    for g in 0..2 {
        let [a, b, c, d] = [r[4 * g], r[4 * g + 1], r[4 * g + 2], r[4 * g + 3]];
        let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        t[4 * g] = _mm256_shuffle_ps::<0x44>(ab_low, cd_low);
        t[4 * g + 1] = _mm256_shuffle_ps::<0xEE>(ab_low, cd_low);
        t[4 * g + 2] = _mm256_shuffle_ps::<0x44>(ab_high, cd_high);
        t[4 * g + 3] = _mm256_shuffle_ps::<0xEE>(ab_high, cd_high);
    }
    let mut out = r;
    for c in 0..4 {
        out[c] = _mm256_permute2f128_ps::<0x20>(t[c], t[4 + c]);
        out[4 + c] = _mm256_permute2f128_ps::<0x31>(t[c], t[4 + c]);
    }
    out
}
