//! Activations that linear kernels apply to their sums.

use neural_engine_isa::{Simd, math};

/// What is applied after bias and residual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// x
    #[default]
    None,
    /// x · (1 + erf(x / √2)) / 2
    GeluErf,
    /// x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2
    GeluTanh,
    /// max(x, 0); NaN stays NaN.
    Relu,
    /// tanh(x)
    Tanh,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
}

impl Activation {
    /// act(x), lane by lane, the same bits on every tier.
    #[inline(always)]
    pub fn apply<S: Simd>(self, s: S, x: S::F32) -> S::F32 {
        match self {
            Activation::None => x,
            Activation::GeluErf => math::gelu_erf(s, x),
            Activation::GeluTanh => math::gelu_tanh(s, x),
            // `max` returns its second operand on NaN.
            Activation::Relu => s.max(s.splat(0.0), x),
            Activation::Tanh => math::tanh(s, x),
            Activation::Sigmoid => math::sigmoid(s, x),
        }
    }
}
