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

#[cfg(test)]
mod tests {
    use super::*;
    use neural_engine_isa::Tier;
    use neural_engine_testkit::{Edge, Guarded, Rng, assert_close, assert_same_bits, oracle};

    #[test]
    fn every_activation_follows_its_formula_and_every_tier_gives_the_same_bits() {
        let mut rng = Rng::from_env(46);
        let mut x = rng.f32s(3 * TOKENS, -8.0, 8.0);
        x[..5].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0]);
        type Formula = fn(f64) -> f64;
        let formulas: [(Activation, Formula); 6] = [
            (Activation::None, |x| x),
            (Activation::GeluErf, oracle::gelu64),
            (Activation::GeluTanh, oracle::gelu_tanh64),
            (Activation::Relu, |x| if x < 0.0 { 0.0 } else { x }),
            (Activation::Tanh, f64::tanh),
            (Activation::Sigmoid, oracle::sigmoid64),
        ];
        for (act, formula) in formulas {
            let want: Vec<f64> = x.iter().map(|x| formula(f64::from(*x))).collect();
            let mut scalar = vec![0.0; x.len()];
            activate(Isa::capped(Tier::Scalar), act, &x, &mut scalar).unwrap();
            assert_close(&format!("{act:?}"), &scalar, &want, 1e-7, 5e-7);
            for isa in Isa::available() {
                for edge in Edge::BOTH {
                    let mut y = Guarded::new(x.len(), f32::NAN, edge);
                    activate(isa, act, &Guarded::copy(&x, edge), &mut y).unwrap();
                    assert_same_bits(&format!("{act:?} on {}", isa.tier().name()), &y, &scalar);
                }
            }
        }
    }

    #[test]
    fn lengths_that_differ_or_are_no_whole_rows_are_refused() {
        assert!(activate(Isa::best(), Activation::Relu, &[0.0; 64], &mut [0.0; 128]).is_err());
        assert!(activate(Isa::best(), Activation::Relu, &[0.0; 63], &mut [0.0; 63]).is_err());
        assert!(activate(Isa::best(), Activation::Relu, &[], &mut []).is_ok());
    }
}
