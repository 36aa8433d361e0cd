//! Errors in ULP against f64, and equality of tiers.

use super::*;
use crate::{Isa, Scalar, SimdOp, Tier};
use neural_engine_testkit::{assert_same_bits, oracle, ulps};

#[derive(Clone, Copy, Debug)]
enum Function {
    Exp,
    Exp2,
    Erf,
    Tanh,
    Sigmoid,
    GeluErf,
    GeluTanh,
}

use Function::*;

/// A function in f64.
type Oracle = fn(f64) -> f64;

/// The function, its f64 oracle, and its promise in ULP (None: 1e-7 absolute for x ≤ 0 and 4 ULP above).
const TABLE: [(Function, Oracle, Option<f64>); 7] = [
    (Exp, f64::exp, Some(2.0)),
    (Exp2, f64::exp2, Some(2.0)),
    (Erf, oracle::erf64, Some(4.0)),
    (Tanh, f64::tanh, Some(4.0)),
    (Sigmoid, oracle::sigmoid64, Some(4.0)),
    (GeluErf, oracle::gelu64, None),
    (GeluTanh, oracle::gelu_tanh64, None),
];

/// Applies a function to a multiple of 16 values, in place.
struct Apply<'a>(Function, &'a mut [f32]);

impl SimdOp for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        for chunk in self.1.chunks_exact_mut(16) {
            let x = s.load(chunk);
            let y = match self.0 {
                Exp => exp(s, x),
                Exp2 => exp2(s, x),
                Erf => erf(s, x),
                Tanh => tanh(s, x),
                Sigmoid => sigmoid(s, x),
                GeluErf => gelu_erf(s, x),
                GeluTanh => gelu_tanh(s, x),
            };
            s.store(chunk, y);
        }
    }
}

/// Walks every `step`-th f32 and returns the largest error: (ULP, absolute at x ≤ 0, where).
fn worst(isa: Isa, function: Function, oracle: Oracle, step: usize, ulp: Option<f64>) -> (f64, f64) {
    let (mut most, mut most_below) = (0.0f64, 0.0f64);
    let mut values = (0..=u64::from(u32::MAX)).step_by(step).map(|bits| f32::from_bits(bits as u32));
    loop {
        let x: Vec<f32> = values.by_ref().take(4096).collect();
        if x.is_empty() {
            return (most, most_below);
        }
        let mut y = x.clone();
        y.resize(x.len().next_multiple_of(16), 0.0);
        isa.dispatch(Apply(function, &mut y));
        for (x, y) in x.iter().zip(&y) {
            let want = oracle(f64::from(*x));
            if ulp.is_some() || *x > 0.0 || x.is_nan() {
                let error = ulps(*y, want);
                assert!(error <= ulp.unwrap_or(4.0), "{function:?}({x:e}) = {y:e}, expected {want:e}: {error} ULP");
                most = most.max(error);
            } else {
                let error = (f64::from(*y) - want).abs();
                assert!(error <= 1.0e-7, "{function:?}({x:e}) = {y:e}, expected {want:e}: off by {error:e}");
                most_below = most_below.max(error);
            }
        }
    }
}

#[test]
fn errors_stay_within_the_promise_on_evenly_spaced_floats() {
    // NE_ULP_STEP=1 walks all 2^32 inputs of all functions, which takes minutes.
    let step = std::env::var("NE_ULP_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(509);
    for (function, oracle, ulp) in TABLE {
        let (most, below) = worst(Isa::best(), function, oracle, step, ulp);
        println!("{function:?}: at most {most:.2} ULP, below zero {below:.2e}, over every {step}th float");
    }
}

#[test]
fn zero_infinities_and_nan_give_exact_results() {
    let x = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY];
    for (function, want) in [
        (Exp, [1.0, 1.0, f32::INFINITY, 0.0]),
        (Exp2, [1.0, 1.0, f32::INFINITY, 0.0]),
        (Erf, [0.0, -0.0, 1.0, -1.0]),
        (Tanh, [0.0, -0.0, 1.0, -1.0]),
        (Sigmoid, [0.5, 0.5, 1.0, 0.0]),
        (GeluErf, [0.0, 0.0, f32::INFINITY, 0.0]),
        (GeluTanh, [0.0, 0.0, f32::INFINITY, 0.0]),
    ] {
        for isa in Isa::available() {
            let mut y = [f32::NAN; 16];
            y[..4].copy_from_slice(&x);
            isa.dispatch(Apply(function, &mut y));
            for i in 0..4 {
                assert!(y[i] == want[i], "{function:?}({:?}) = {:?}, expected {:?}", x[i], y[i], want[i]);
            }
            assert!(matches!(function, GeluErf | GeluTanh) || y[1].to_bits() == want[1].to_bits());
            assert!(y[4..].iter().all(|y| y.is_nan()), "{function:?} of NaN");
        }
    }
}

#[test]
fn every_tier_gives_the_same_bits() {
    let x: Vec<f32> = (0..1 << 17).map(|i: u32| f32::from_bits(i.wrapping_mul(32771) ^ i)).collect();
    for (function, ..) in TABLE {
        let mut want = x.clone();
        Isa::capped(Tier::Scalar).dispatch(Apply(function, &mut want));
        for isa in Isa::available() {
            let mut got = x.clone();
            isa.dispatch(Apply(function, &mut got));
            assert_same_bits(&format!("{function:?} on {}", isa.tier().name()), &got, &want);
        }
    }
}

#[test]
fn a_polynomial_is_evaluated_from_the_lowest_coefficient() {
    assert_eq!(horner(Scalar, [2.0; 16], [1.0, 10.0, 100.0])[0], 421.0);
}
