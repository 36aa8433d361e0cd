//! 2ˣ as precisely as an 8-bit probability needs.

use neural_engine_isa::Simd;

/// Adding and subtracting it rounds to the nearest integer, which its low bits then hold.
const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³

/// 2ˣ for x ≤ 64, relative error below 7.5·10⁻⁵; below −32, and for NaN, about 2⁻³².
///
/// A minimax cubic on [−½, ½]: at 255 the error is 0.02 of a code.
#[inline(always)]
pub(super) fn exp2_coarse<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    // The second operand is what NaN becomes.
    let x = simd.max(x, simd.splat(-32.0));
    let shifted = simd.add(x, simd.splat(ROUND));
    let f = simd.sub(x, simd.sub(shifted, simd.splat(ROUND)));
    let p = simd.fma(f, simd.splat(0.055_171_669), simd.splat(0.242_611_13));
    let p = simd.fma(p, f, simd.splat(0.693_260_97));
    let p = simd.fma(p, f, simd.splat(0.999_928_06));
    // The whole part goes to the exponent, which has room for −32 to 64.
    let power = simd.shl::<23>(simd.to_bits(shifted));
    simd.from_bits(simd.add_i32(simd.to_bits(p), power))
}
