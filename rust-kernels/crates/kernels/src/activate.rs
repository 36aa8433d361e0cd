//! Activations over whole buffers of f32 panels; the order of tokens does not matter.

use crate::activation::Activation;
use crate::error::{KernelError, expect_len};
use crate::panel::TOKENS;
use neural_engine_isa::{Isa, Simd, SimdOp};

/// y = act(x). `x` and `y` have the same length, a whole number of panel rows.
///
/// # Errors
/// [`KernelError::Length`] when the lengths differ or are not whole rows of 64.
pub fn activate(isa: Isa, act: Activation, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    expect_len("x", x.len(), x.len().next_multiple_of(TOKENS))?;
    expect_len("y", y.len(), x.len())?;
    y.copy_from_slice(x);
    activate_in_place(isa, act, y);
    Ok(())
}

/// x ← act(x), any whole number of panel rows.
///
/// # Panics
/// When `x` is not made of whole rows of 64.
pub fn activate_in_place(isa: Isa, act: Activation, x: &mut [f32]) {
    assert!(x.len().is_multiple_of(TOKENS), "{} values are not whole panel rows", x.len());
    isa.dispatch(Apply { act, x });
}

struct Apply<'a> {
    act: Activation,
    x: &'a mut [f32],
}

impl SimdOp for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        // One loop an activation, so that the choice is made once and constants stay in registers.
        macro_rules! each {
            ($act:expr) => {
                for x in self.x.chunks_exact_mut(16) {
                    s.store(x, $act.apply(s, s.load(x)));
                }
            };
        }
        match self.act {
            Activation::None => {}
            Activation::GeluErf => each!(Activation::GeluErf),
            Activation::GeluTanh => each!(Activation::GeluTanh),
            Activation::Relu => each!(Activation::Relu),
            Activation::Tanh => each!(Activation::Tanh),
            Activation::Sigmoid => each!(Activation::Sigmoid),
        }
    }
}
