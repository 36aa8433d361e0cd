//! Sums of two products of bf16: what a tier must provide, and how tiers without the instruction do it.

use crate::panel::TOKENS;
use neural_engine_isa::{Isa, Simd, SimdOp};

/// One row of a bf16 panel.
pub(super) type Half = [u16; TOKENS];

/// The innermost operations of one tier, for 16 tokens at a time.
pub(super) trait Dot: Copy {
    /// For what is not a product.
    type S: Simd;
    /// Two inputs of 16 tokens.
    type Pairs: Copy;
    /// Two weights in every lane.
    type Weights: Copy;

    fn simd(self) -> Self::S;
    /// Inputs `even` and `odd` of the tokens of vector `vector` (0 to 3), in lane order.
    fn pairs(self, even: &Half, odd: &Half, vector: usize) -> Self::Pairs;
    /// The weight of the even input is the low half.
    fn weights(self, pair: u32) -> Self::Weights;
    /// fma(x.even, w.even, fma(x.odd, w.odd, sum))
    fn add(self, sum: <Self::S as Simd>::F32, x: Self::Pairs, w: Self::Weights) -> <Self::S as Simd>::F32;
}

/// A computation over any tier that keeps sums of four rows × 16·V tokens in registers.
pub(super) trait DotOp {
    fn eval<D: Dot, const V: usize>(self, dot: D);
}

/// Runs `op` on the highest tier of `isa`.
pub(super) fn with(isa: Isa, op: impl DotOp) {
    #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
    if let (Some(bf16), Some(avx512)) = (isa.avx512_bf16(), isa.avx512_vnni()) {
        return super::avx512_bf16::enter(bf16, avx512, op);
    }
    isa.dispatch(Emulate(op));
}

struct Emulate<Op>(Op);

impl<Op: DotOp> SimdOp for Emulate<Op> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, simd: S) {
        if S::REGISTERS >= 32 { self.0.eval::<_, 4>(Widened(simd)) } else { self.0.eval::<_, 1>(Widened(simd)) }
    }
}

/// Any tier: inputs and weights widened to f32, whose products are exact.
#[derive(Clone, Copy)]
struct Widened<S>(S);

impl<S: Simd> Dot for Widened<S> {
    type S = S;
    type Pairs = [S::F32; 2];
    type Weights = [S::F32; 2];

    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }
    #[inline(always)]
    fn pairs(self, even: &Half, odd: &Half, vector: usize) -> [S::F32; 2] {
        let (s, from) = (self.0, vector / 2 * 32);
        let (even, odd) = (s.load_u16(&even[from..from + 32]), s.load_u16(&odd[from..from + 32]));
        [s.from_bits(s.shl::<16>(even[vector % 2])), s.from_bits(s.shl::<16>(odd[vector % 2]))]
    }
    #[inline(always)]
    fn weights(self, pair: u32) -> [S::F32; 2] {
        [self.0.splat(f32::from_bits(pair << 16)), self.0.splat(f32::from_bits(pair & 0xffff_0000))]
    }
    #[inline(always)]
    fn add(self, sum: S::F32, x: [S::F32; 2], w: [S::F32; 2]) -> S::F32 {
        self.0.fma(x[0], w[0], self.0.fma(x[1], w[1], sum))
    }
}
