//! Exponentials: x = n·ln 2 + r with |r| ≤ ½ ln 2, a polynomial in r, and a power of two.

use super::horner;
use crate::Simd;
use std::f32::consts::{LN_2, LOG2_E};

/// ln 2 in two parts: the first has few enough bits that n times it is exact.
const LN2_HIGH: f32 = 355.0 / 512.0;
const LN2_LOW: f32 = -2.1219444e-4;

/// x split as (n, r) with x = n·ln 2 + r; n is integral. x is within ±200.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let n = s.round_even(s.mul(x, s.splat(LOG2_E)));
    let r = s.fnma(n, s.splat(LN2_HIGH), x);
    (n, s.fnma(n, s.splat(LN2_LOW), r))
}

/// eʳ − 1 for |r| ≤ 0.347.
#[inline(always)]
fn expm1_reduced<S: Simd>(s: S, r: S::F32) -> S::F32 {
    let q = horner(s, r, [0.49999994, 0.16666521, 0.041668296, 0.008368716, 0.0013818365]);
    s.fma(s.mul(r, r), q, r)
}

/// `x` within \[low, high\], NaN kept.
#[inline(always)]
fn clamp<S: Simd>(s: S, x: S::F32, low: f32, high: f32) -> S::F32 {
    s.max(s.splat(low), s.min(s.splat(high), x))
}

/// eˣ.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // Beyond these the result is 0 or ∞ whatever x is.
    let (n, r) = reduce(s, clamp(s, x, -104.0, 89.0));
    s.scale_by_power(s.add(s.splat(1.0), expm1_reduced(s, r)), n)
}

/// 2ˣ.
#[inline(always)]
pub fn exp2<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let x = clamp(s, x, -151.0, 129.0);
    let n = s.round_even(x);
    let f = s.sub(x, n);
    let q = horner(s, f, [LN_2, 0.24022648, 0.055503596, 0.009618506, 0.0013391025, 0.00015326793]);
    s.scale_by_power(s.fma(f, q, s.splat(1.0)), n)
}

/// eˣ − 1 for 0 ≤ x ≤ 40, exact to about one ULP near 0 too.
#[inline(always)]
pub(super) fn expm1_positive<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let (n, r) = reduce(s, x);
    let power = s.scale_by_power(s.splat(1.0), n);
    s.fma(power, expm1_reduced(s, r), s.sub(power, s.splat(1.0)))
}
