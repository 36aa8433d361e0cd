//! One `zmm` per vector.

use crate::Avx512Vnni;
use crate::simd::{Simd, SimdOp, head, head_mut};
use core::arch::x86_64::*;

/// Runs `op` with the features enabled.
pub(crate) fn enter<Op: SimdOp>(token: Avx512Vnni, op: Op) -> Op::Output {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn featured<Op: SimdOp>(token: Avx512Vnni, op: Op) -> Op::Output {
        op.eval(token)
    }
    // SAFETY: the token exists only where these features do.
    unsafe { featured(token, op) }
}

/// A mask of the first `n` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    if n >= 16 { !0 } else { (1 << n) - 1 }
}

/// Calls intrinsics. Their one condition is that the CPU has the feature: `self` is the proof.
macro_rules! op {
    ($($body:tt)*) => {
        // SAFETY: register-only intrinsics of features that the token proves.
        unsafe { $($body)* }
    };
}

impl Simd for Avx512Vnni {
    const REGISTERS: usize = 32;
    type F32 = __m512;
    type I32 = __m512i;
    type Mask = __mmask16;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        op!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load(self, x: &[f32]) -> __m512 {
        let x = head::<f32, 16>(x);
        // SAFETY: the array holds the 64 bytes that are read; the token proves the feature.
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, dst: &mut [f32], x: __m512) {
        let dst = head_mut::<f32, 16>(dst);
        // SAFETY: the array holds the 64 bytes that are written; the token proves the feature.
        unsafe { _mm512_storeu_ps(dst.as_mut_ptr(), x) }
    }
    #[inline(always)]
    fn load_partial(self, x: &[f32], fill: f32) -> __m512 {
        // SAFETY: masked lanes are not read, and the mask covers at most the slice; the token proves the feature.
        unsafe { _mm512_mask_loadu_ps(_mm512_set1_ps(fill), first(x.len()), x.as_ptr()) }
    }
    #[inline(always)]
    fn store_partial(self, dst: &mut [f32], x: __m512) {
        // SAFETY: masked lanes are not written, and the mask covers at most the slice; the token proves the feature.
        unsafe { _mm512_mask_storeu_ps(dst.as_mut_ptr(), first(dst.len()), x) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn fnma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fnmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        op!(_mm512_sqrt_ps(a))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        op!(_mm512_andnot_ps(_mm512_set1_ps(-0.0), a))
    }
    #[inline(always)]
    fn neg(self, a: __m512) -> __m512 {
        op!(_mm512_xor_ps(_mm512_set1_ps(-0.0), a))
    }
    #[inline(always)]
    fn copysign(self, a: __m512, sign: __m512) -> __m512 {
        let bit = op!(_mm512_set1_epi32(i32::MIN));
        // 0xCA: bit ? sign : a
        op!(_mm512_castsi512_ps(_mm512_ternarylogic_epi32::<0xCA>(bit, _mm512_castps_si512(sign), _mm512_castps_si512(a))))
    }
    #[inline(always)]
    fn round_even(self, a: __m512) -> __m512 {
        op!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn scale_by_power(self, a: __m512, n: __m512) -> __m512 {
        op!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn lt(self, a: __m512, b: __m512) -> __mmask16 {
        op!(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn le(self, a: __m512, b: __m512) -> __mmask16 {
        op!(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b))
    }
    #[inline(always)]
    fn eq(self, a: __m512, b: __m512) -> __mmask16 {
        op!(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b))
    }
    #[inline(always)]
    fn is_nan(self, a: __m512) -> __mmask16 {
        op!(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a))
    }
    #[inline(always)]
    fn select(self, mask: __mmask16, yes: __m512, no: __m512) -> __m512 {
        op!(_mm512_mask_blend_ps(mask, no, yes))
    }
    #[inline(always)]
    fn mask(self, bits: u16) -> __mmask16 {
        bits
    }
    #[inline(always)]
    fn bits(self, mask: __mmask16) -> u16 {
        mask
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> __m512i {
        op!(_mm512_set1_epi32(x))
    }
    #[inline(always)]
    fn load_i32(self, x: &[i32]) -> __m512i {
        let x = head::<i32, 16>(x);
        // SAFETY: the array holds the 64 bytes that are read; the token proves the feature.
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_i32(self, dst: &mut [i32], x: __m512i) {
        let dst = head_mut::<i32, 16>(dst);
        // SAFETY: the array holds the 64 bytes that are written; the token proves the feature.
        unsafe { _mm512_storeu_si512(dst.as_mut_ptr().cast(), x) }
    }
    #[inline(always)]
    fn add_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_add_epi32(a, b))
    }
    #[inline(always)]
    fn sub_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_sub_epi32(a, b))
    }
    #[inline(always)]
    fn mul_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_mullo_epi32(a, b))
    }
    #[inline(always)]
    fn min_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_min_epi32(a, b))
    }
    #[inline(always)]
    fn max_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_max_epi32(a, b))
    }
    #[inline(always)]
    fn and_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_and_si512(a, b))
    }
    #[inline(always)]
    fn or_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_or_si512(a, b))
    }
    #[inline(always)]
    fn xor_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_xor_si512(a, b))
    }
    #[inline(always)]
    fn shl<const N: u32>(self, a: __m512i) -> __m512i {
        op!(_mm512_slli_epi32::<N>(a))
    }
    #[inline(always)]
    fn shr<const N: u32>(self, a: __m512i) -> __m512i {
        op!(_mm512_srai_epi32::<N>(a))
    }
    #[inline(always)]
    fn shr_logical<const N: u32>(self, a: __m512i) -> __m512i {
        op!(_mm512_srli_epi32::<N>(a))
    }
    #[inline(always)]
    fn select_i32(self, mask: __mmask16, yes: __m512i, no: __m512i) -> __m512i {
        op!(_mm512_mask_blend_epi32(mask, no, yes))
    }
    #[inline(always)]
    fn to_i32(self, a: __m512) -> __m512i {
        op!(_mm512_cvt_roundps_epi32::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn to_f32(self, a: __m512i) -> __m512 {
        op!(_mm512_cvtepi32_ps(a))
    }
    #[inline(always)]
    fn to_bits(self, a: __m512) -> __m512i {
        op!(_mm512_castps_si512(a))
    }
    #[inline(always)]
    fn from_bits(self, a: __m512i) -> __m512 {
        op!(_mm512_castsi512_ps(a))
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        op! {
            let a = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn largest(self, a: __m512) -> f32 {
        op! {
            let a = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            let a = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_max_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn store_u8(self, dst: &mut [u8], [a, b, c, d]: [__m512i; 4]) {
        let dst = head_mut::<u8, 64>(dst);
        // SAFETY: the array holds the 64 bytes that are written; the token proves the features.
        unsafe {
            let bytes = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            _mm512_storeu_si512(dst.as_mut_ptr().cast(), bytes);
        }
    }
    #[inline(always)]
    fn store_s8(self, dst: &mut [i8], [a, b, c, d]: [__m512i; 4]) {
        let dst = head_mut::<i8, 64>(dst);
        // SAFETY: the array holds the 64 bytes that are written; the token proves the features.
        unsafe {
            let bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            _mm512_storeu_si512(dst.as_mut_ptr().cast(), bytes);
        }
    }
    #[inline(always)]
    fn load_u8(self, x: &[u8]) -> [__m512i; 4] {
        let x = head::<u8, 64>(x);
        // SAFETY: the array holds the 64 bytes that are read; the token proves the features.
        unsafe {
            let bytes = _mm512_loadu_si512(x.as_ptr().cast());
            let [a, b, c, d] = [dword::<0>(bytes), dword::<1>(bytes), dword::<2>(bytes), dword::<3>(bytes)];
            [_mm512_srli_epi32::<24>(a), _mm512_srli_epi32::<24>(b), _mm512_srli_epi32::<24>(c), _mm512_srli_epi32::<24>(d)]
        }
    }
    #[inline(always)]
    fn load_s8(self, x: &[i8]) -> [__m512i; 4] {
        let x = head::<i8, 64>(x);
        // SAFETY: the array holds the 64 bytes that are read; the token proves the features.
        unsafe {
            let bytes = _mm512_loadu_si512(x.as_ptr().cast());
            let [a, b, c, d] = [dword::<0>(bytes), dword::<1>(bytes), dword::<2>(bytes), dword::<3>(bytes)];
            [_mm512_srai_epi32::<24>(a), _mm512_srai_epi32::<24>(b), _mm512_srai_epi32::<24>(c), _mm512_srai_epi32::<24>(d)]
        }
    }
    #[inline(always)]
    fn store_u16(self, dst: &mut [u16], [a, b]: [__m512i; 2]) {
        let dst = head_mut::<u16, 32>(dst);
        // SAFETY: the array holds the 64 bytes that are written; the token proves the features.
        unsafe { _mm512_storeu_si512(dst.as_mut_ptr().cast(), _mm512_packus_epi32(a, b)) }
    }
    #[inline(always)]
    fn load_u16(self, x: &[u16]) -> [__m512i; 2] {
        let x = head::<u16, 32>(x);
        // SAFETY: the array holds the 64 bytes that are read; the token proves the features.
        unsafe {
            let (halves, zero) = (_mm512_loadu_si512(x.as_ptr().cast()), _mm512_setzero_si512());
            [_mm512_unpacklo_epi16(halves, zero), _mm512_unpackhi_epi16(halves, zero)]
        }
    }
    #[inline(always)]
    fn transpose(self, r: [__m512; 16]) -> [__m512; 16] {
        op!(transpose(r))
    }
}

/// Bytes of dword `J` of each 128-bit lane, each moved to the top of its own dword.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn dword<const J: i32>(bytes: __m512i) -> __m512i {
    let at = |e: i32| (4 * J + e) << 24 | 0x0080_8080;
    _mm512_shuffle_epi8(bytes, _mm512_set4_epi32(at(3), at(2), at(1), at(0)))
}

/// Four rounds of pairwise interleaving: elements, pairs, then 128-bit lanes twice.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(r: [__m512; 16]) -> [__m512; 16] {
    // Each group of four rows: t[4g + c] holds, in 128-bit lane q, column 4q + c of rows 4g..4g+4.
    let mut t = r;
    for g in 0..4 {
        let [a, b, c, d] = [r[4 * g], r[4 * g + 1], r[4 * g + 2], r[4 * g + 3]];
        let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        t[4 * g] = _mm512_shuffle_ps::<0x44>(ab_low, cd_low);
        t[4 * g + 1] = _mm512_shuffle_ps::<0xEE>(ab_low, cd_low);
        t[4 * g + 2] = _mm512_shuffle_ps::<0x44>(ab_high, cd_high);
        t[4 * g + 3] = _mm512_shuffle_ps::<0xEE>(ab_high, cd_high);
    }
    let mut out = r;
    for c in 0..4 {
        let [a, b, d, e] = [t[c], t[4 + c], t[8 + c], t[12 + c]];
        let (ab01, ab23) = (_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xEE>(a, b));
        let (de01, de23) = (_mm512_shuffle_f32x4::<0x44>(d, e), _mm512_shuffle_f32x4::<0xEE>(d, e));
        out[c] = _mm512_shuffle_f32x4::<0x88>(ab01, de01);
        out[4 + c] = _mm512_shuffle_f32x4::<0xDD>(ab01, de01);
        out[8 + c] = _mm512_shuffle_f32x4::<0x88>(ab23, de23);
        out[12 + c] = _mm512_shuffle_f32x4::<0xDD>(ab23, de23);
    }
    out
}
