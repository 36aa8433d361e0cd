//! The Gaussian error linear unit, exact and by tanh.
//!
//! Both are max(x, 0) − |x|·Φ(−|x|) with their own Φ: no cancellation, no branch, and the limits at ±∞ come out right.
//! Hendrycks & Gimpel 2016, "Gaussian Error Linear Units".

use super::{exp2, horner};
use crate::Simd;

/// x · (1 + erf(x / √2)) / 2
#[inline(always)]
pub fn gelu_erf<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // From 16 on Φ(−|x|) is 0 in f32. The order keeps NaN.
    let t = s.min(s.splat(16.0), s.abs(x));
    // log₂ Φ(−t); fitted to 1e-8 of t·Φ(−t) on 0..6, falling ever faster beyond.
    let log = [-1.0, -1.151111, -0.45916238, -0.052627046, 0.0072447597, -0.00027165146, -0.0001316241, 2.8084736e-5, -1.9041272e-6];
    let phi = exp2(s, horner(s, t, log));
    s.fnma(t, phi, s.max(s.splat(0.0), x))
}

/// x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2
#[inline(always)]
pub fn gelu_tanh<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let t = s.min(s.splat(16.0), s.abs(x));
    // (1 + tanh(−u))/2 = e / (1 + e) with e = 2^(−2u·log₂e); the constants are −2·√(2/π)·log₂e and 0.044715 times that.
    let argument = s.mul(t, s.fma(s.mul(t, t), s.splat(-0.10294324), s.splat(-2.3022082)));
    let e = exp2(s, argument);
    let phi = s.div(e, s.add(s.splat(1.0), e));
    s.fnma(t, phi, s.max(s.splat(0.0), x))
}
