//! 2ˣ as precisely as an 8-bit probability needs.

use neural_engine_isa::Simd;

/// Minimax cubic for 2ᶠ, 0 ≤ f ≤ 1: relative error below 7.5·10⁻⁵, at 255 two hundredths of a code. Lowest degree first.
pub(super) const CUBIC: [f32; 4] = [0.999_925_2, 0.695_833_56, 0.226_067_16, 0.078_024_52];

/// round(2ˣ) for x ≤ 16, by the cubic of x − ⌊x⌋; 0 for NaN.
#[inline(always)]
pub(super) fn probability<S: Simd>(simd: S, x: S::F32) -> S::I32 {
    // What is lower rounds to 0 all the same; the second operand is what NaN becomes.
    let x = simd.max(x, simd.splat(-32.0));
    let near = simd.round_even(x);
    let floor = simd.select(simd.lt(x, near), simd.sub(near, simd.splat(1.0)), near);
    let p = cubic(simd, simd.sub(x, floor));
    // The whole part goes to the exponent, which has room for −32 to 16.
    let power = simd.shl::<23>(simd.to_i32(floor));
    simd.to_i32(simd.from_bits(simd.add_i32(simd.to_bits(p), power)))
}

/// The polynomial in f.
#[inline(always)]
pub(super) fn cubic<S: Simd>(simd: S, f: S::F32) -> S::F32 {
    let p = simd.fma(f, simd.splat(CUBIC[3]), simd.splat(CUBIC[2]));
    let p = simd.fma(p, f, simd.splat(CUBIC[1]));
    simd.fma(p, f, simd.splat(CUBIC[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention_i8::products::Products;
    use neural_engine_isa::Scalar;

    #[test]
    fn the_cubic_is_as_precise_as_stated() {
        for i in 0..=1 << 16 {
            let f = i as f32 / 65_536.0;
            let error = f64::from(cubic(Scalar, [f; 16])[0]) / f64::from(f).exp2() - 1.0;
            assert!(error.abs() < 7.6e-5, "2^{f}: {error}");
        }
    }

    #[test]
    fn whole_numbers_halves_and_what_no_code_can_hold_are_rounded_right() {
        let of = |x: f32| Scalar.probability([x; 16])[0];
        assert_eq!([8.0f32, 7.994_353_3, 1.0, 0.0, -0.9, -1.1].map(of), [256, 255, 2, 1, 1, 0]);
        assert_eq!([-31.5, -40.0, -1e33, f32::MIN, f32::NEG_INFINITY, f32::NAN].map(of), [0; 6]);
    }
}
