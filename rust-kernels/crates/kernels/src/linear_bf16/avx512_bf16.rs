//! AVX512_BF16: one `vdpbf16ps` for 16 tokens × 2 inputs.

use super::dot::{Dot, DotOp, Half};
use core::arch::x86_64::*;
use core::mem::transmute;
use neural_engine_isa::{Avx512Bf16, Avx512Vnni};

/// Runs `op` with the features enabled: 16 sums, 4 pairs of inputs and a weight fill 21 registers.
pub(super) fn enter(bf16: Avx512Bf16, avx512: Avx512Vnni, op: impl DotOp) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx512bf16")]
    fn featured(bf16: Avx512Bf16, avx512: Avx512Vnni, op: impl DotOp) {
        op.eval::<_, 4>(Instruction(bf16, avx512));
    }
    // SAFETY: the tokens exist only where these features do.
    unsafe { featured(bf16, avx512, op) }
}

#[derive(Clone, Copy)]
struct Instruction(Avx512Bf16, Avx512Vnni);

impl Dot for Instruction {
    type S = Avx512Vnni;
    type Pairs = __m512i;
    type Weights = __m512i;

    #[inline(always)]
    fn simd(self) -> Avx512Vnni {
        self.1
    }
    #[inline(always)]
    fn pairs(self, even: &Half, odd: &Half, vector: usize) -> __m512i {
        let (even, odd) = (&even[vector / 2 * 32..][..32], &odd[vector / 2 * 32..][..32]);
        // SAFETY: both slices hold the 64 bytes that are read; the token proves the features.
        unsafe {
            let (even, odd) = (_mm512_loadu_si512(even.as_ptr().cast()), _mm512_loadu_si512(odd.as_ptr().cast()));
            if vector.is_multiple_of(2) { _mm512_unpacklo_epi16(even, odd) } else { _mm512_unpackhi_epi16(even, odd) }
        }
    }
    #[inline(always)]
    fn weights(self, pair: u32) -> __m512i {
        // SAFETY: a register-only intrinsic of a feature that the token proves.
        unsafe { _mm512_set1_epi32(pair as i32) }
    }
    #[inline(always)]
    fn add(self, sum: __m512, x: __m512i, w: __m512i) -> __m512 {
        // SAFETY: a register-only intrinsic of a feature that the token proves; both vector types are 64 bytes of any value.
        unsafe { _mm512_dpbf16_ps(sum, transmute::<__m512i, __m512bh>(x), transmute::<__m512i, __m512bh>(w)) }
    }
}
