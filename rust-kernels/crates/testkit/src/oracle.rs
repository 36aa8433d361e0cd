//! Functions in f64 that the standard library lacks.

unsafe extern "C" {
    safe fn erf(x: f64) -> f64;
    safe fn erfc(x: f64) -> f64;
}

/// 2/√π ∫₀ˣ e^(−t²) dt, from the C library (below one ULP of f64).
pub fn erf64(x: f64) -> f64 {
    erf(x)
}

/// x · Φ(x), without cancellation in the left tail; 0 at −∞.
pub fn gelu64(x: f64) -> f64 {
    if x == f64::NEG_INFINITY { 0.0 } else { x * 0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2) }
}

/// x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2, without cancellation in the left tail; 0 at −∞.
pub fn gelu_tanh64(x: f64) -> f64 {
    let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
    if x == f64::NEG_INFINITY { 0.0 } else { x / (1.0 + (-2.0 * u).exp()) }
}

/// 1 / (1 + e⁻ˣ)
pub fn sigmoid64(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
