//! Elementary functions over [`Simd`](crate::Simd), bit-identical on every tier.
//!
//! Largest errors, measured against f64 over every f32 (`NE_ULP_STEP=1 cargo test -p neural-engine-isa --release -- --nocapture`
//! walks all 2³² inputs; without the variable the tests walk one in 509):
//!
//! | function | error | at 0, ±∞, NaN |
//! | --- | --- | --- |
//! | [`exp`] | 1.01 ULP, subnormal results included | 1; 0 and ∞; NaN |
//! | [`exp2`] | 1.65 ULP, subnormal results included | 1; 0 and ∞; NaN |
//! | [`erf`] | 1.6 ULP | ±0; ±1; NaN |
//! | [`tanh`] | 2.8 ULP | ±0; ±1; NaN |
//! | [`sigmoid`] | 2.4 ULP, subnormal results included | ½; 0 and 1; NaN |
//! | [`gelu_erf`] | 1.0e-7 absolute for x ≤ 0, 3 ULP above | ±0 → 0; −∞ → 0, ∞; NaN |
//! | [`gelu_tanh`] | 1.0e-7 absolute for x ≤ 0, 3 ULP above | ±0 → 0; −∞ → 0, ∞; NaN |
//!
//! Coefficients are weighted minimax fits (Lawson's algorithm in 50-digit arithmetic), rounded to f32 one after another.

mod erf;
mod exp;
mod gelu;
mod tanh;

pub use erf::erf;
pub use exp::{exp, exp2};
pub use gelu::{gelu_erf, gelu_tanh};
pub use tanh::{sigmoid, tanh};

use crate::Simd;

/// c₀ + x·(c₁ + x·(c₂ + …)), one fma a coefficient.
#[inline(always)]
pub(crate) fn horner<S: Simd, const N: usize>(s: S, x: S::F32, coefficients: [f32; N]) -> S::F32 {
    let mut y = s.splat(coefficients[N - 1]);
    for i in 1..N {
        y = s.fma(y, x, s.splat(coefficients[N - 1 - i]));
    }
    y
}

#[cfg(test)]
mod tests;
