//! The error function: a polynomial near 0, one minus an exponential of a polynomial beyond.

use super::{exp, horner};
use crate::Simd;

/// Where the two forms meet: below it the series converges quickly, above it erfc is small enough to subtract from 1.
const SPLIT: f32 = 0.9;

/// 2/√π ∫₀ˣ e^(−t²) dt
#[inline(always)]
pub fn erf<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // From 4 on erf is 1 in f32. The order keeps NaN.
    let t = s.min(s.splat(4.0), s.abs(x));
    let square = s.mul(t, t);
    let near = horner(s, square, [0.12837915, -0.37612507, 0.11281961, -0.026772097, 0.0050014965, -0.0006034507]);
    let near = s.fma(near, t, t);
    let log = [-0.00015281467, -1.1278546, -0.6368779, -0.1042012, 0.022358004, -0.0030763645, 0.00019934123];
    let far = s.sub(s.splat(1.0), exp(s, horner(s, t, log)));
    s.copysign(s.select(s.lt(t, s.splat(SPLIT)), near, far), x)
}
