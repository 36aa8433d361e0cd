//! The few AVX-512 VNNI steps that all int8 kernels are built from.

use core::arch::x86_64::*;

/// 64 bytes.
///
/// # Safety
/// 64 bytes are readable at `p`, of any alignment.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn load(p: *const u8) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe { _mm512_loadu_si512(p.cast()) }
}

/// Writes 64 bytes.
///
/// # Safety
/// 64 bytes are writable at `p`, of any alignment.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn store(p: *mut u8, x: __m512i) {
    // SAFETY: the caller's promise.
    unsafe { _mm512_storeu_si512(p.cast(), x) }
}

/// Four bytes in every 32-bit lane.
///
/// # Safety
/// Four bytes are readable at `p`, of any alignment.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn broadcast(p: *const u8) -> __m512i {
    // SAFETY: the caller's promise.
    _mm512_set1_epi32(unsafe { p.cast::<i32>().read_unaligned() })
}

/// Four rows of 64 tokens to 64 groups of four, in lane order: 16 per register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn interleave(rows: [__m512i; 4]) -> [__m512i; 4] {
    let low01 = _mm512_unpacklo_epi8(rows[0], rows[1]);
    let high01 = _mm512_unpackhi_epi8(rows[0], rows[1]);
    let low23 = _mm512_unpacklo_epi8(rows[2], rows[3]);
    let high23 = _mm512_unpackhi_epi8(rows[2], rows[3]);
    [
        _mm512_unpacklo_epi16(low01, low23),
        _mm512_unpackhi_epi16(low01, low23),
        _mm512_unpacklo_epi16(high01, high23),
        _mm512_unpackhi_epi16(high01, high23),
    ]
}

/// acc[j] += Σ of four products u8 × s8 per lane, wrapping.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(crate) fn dot(acc: &mut [__m512i; 4], x: [__m512i; 4], w: __m512i) {
    for (acc, x) in acc.iter_mut().zip(x) {
        *acc = _mm512_dpbusd_epi32(*acc, x, w);
    }
}
