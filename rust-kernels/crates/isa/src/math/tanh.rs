//! Hyperbolic tangent and the logistic function.

use super::exp::{exp, expm1_positive};
use crate::Simd;

/// tanh(x) = (e²ˣ − 1) / (e²ˣ + 1), from e²ˣ − 1 so that small x lose nothing.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // From 10 on tanh is 1 in f32. The order keeps NaN.
    let t = s.min(s.splat(10.0), s.abs(x));
    let e = expm1_positive(s, s.add(t, t));
    s.copysign(s.div(e, s.add(e, s.splat(2.0))), x)
}

/// 1 / (1 + e⁻ˣ), as e^−|x| / (1 + e^−|x|) for negative x so that the small end keeps its digits.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let one = s.splat(1.0);
    let e = exp(s, s.neg(s.abs(x)));
    s.div(s.select(s.lt(x, s.splat(0.0)), e, one), s.add(one, e))
}
