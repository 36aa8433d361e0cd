//! Transcendental functions of f32 on vectors: the same results on every instruction set.

use super::spec::{GenericError, Kernel, Plan};
use super::tensor::{Inputs, Outputs};
use neural_engine_isa::{Isa, Simd, SimdOp, math};
use std::ops::Range;

/// The functions that have a vector form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    Exp,
    Erf,
    Tanh,
    Sigmoid,
    GeluErf,
    GeluTanh,
    Sqrt,
    Reciprocal,
}

/// y = f(x) for `size` f32.
pub(super) fn plan(function: Function, size: usize) -> Result<Plan, String> {
    Plan::new(size, size.saturating_mul(4), Map { function, isa: Isa::best() })
}

struct Map {
    function: Function,
    isa: Isa,
}

impl Kernel for Map {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        self.isa.dispatch(Apply { function: self.function, x: &x.get::<f32>(0)?[units], y: y.take::<f32>(0)? });
        Ok(())
    }
}

struct Apply<'a> {
    function: Function,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl SimdOp for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        // One loop a function, so that the choice is made once.
        macro_rules! each {
            ($f:expr) => {
                for (x, y) in self.x.chunks(16).zip(self.y.chunks_mut(16)) {
                    s.store_partial(y, $f(s.load_partial(x, 0.0)));
                }
            };
        }
        match self.function {
            Function::Exp => each!(|x| math::exp(s, x)),
            Function::Erf => each!(|x| math::erf(s, x)),
            Function::Tanh => each!(|x| math::tanh(s, x)),
            Function::Sigmoid => each!(|x| math::sigmoid(s, x)),
            Function::GeluErf => each!(|x| math::gelu_erf(s, x)),
            Function::GeluTanh => each!(|x| math::gelu_tanh(s, x)),
            Function::Sqrt => each!(|x| s.sqrt(x)),
            Function::Reciprocal => each!(|x| s.div(s.splat(1.0), x)),
        }
    }
}

/// Softmax of each row of `length` f32, from the largest element on so that nothing overflows.
pub(super) struct SoftmaxRows<'a> {
    pub length: usize,
    pub x: &'a [f32],
    pub y: &'a mut [f32],
}

impl SimdOp for SoftmaxRows<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        for (x, y) in self.x.chunks_exact(self.length).zip(self.y.chunks_exact_mut(self.length)) {
            let mut top = s.splat(f32::NEG_INFINITY);
            for x in x.chunks(16) {
                top = s.max(s.load_partial(x, f32::NEG_INFINITY), top);
            }
            let top = s.splat(s.largest(top));
            let mut sum = s.splat(0.0);
            for (x, y) in x.chunks(16).zip(y.chunks_mut(16)) {
                let power = math::exp(s, s.sub(s.load_partial(x, f32::NEG_INFINITY), top));
                s.store_partial(y, power);
                // A partial vector's spare lanes must not count, whatever they became.
                sum = s.add(sum, s.load_partial(y, 0.0));
            }
            let total = s.splat(s.sum(sum));
            for y in y.chunks_mut(16) {
                s.store_partial(y, s.div(s.load_partial(y, 0.0), total));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{run, spec};
    use serde_json::json;

    /// Every tail of a vector, and values on both sides of every branch.
    fn inputs(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 - count as f32 / 2.0) * 0.37).collect()
    }

    fn close(function: &str, tolerance: f64, f: impl Fn(f64) -> f64) {
        for count in (1..=35).chain([257]) {
            let x = inputs(count);
            let y: Vec<f32> = run("unary", json!({ "function": function }), &[&spec(&[count], &x)], &[count]);
            for (&x, &y) in x.iter().zip(&y) {
                let want = f(x as f64);
                let same = want.is_nan() && y.is_nan() || (y as f64 - want).abs() <= tolerance * want.abs().max(1e-6) || y as f64 == want;
                assert!(same, "{function}({x}) = {y}, expected {want}");
            }
        }
    }

    #[test]
    fn vectors_and_their_tails_follow_the_formulas() {
        close("exp", 3e-7, f64::exp);
        close("erf", 3e-7, crate::erf::erf);
        close("tanh", 4e-7, f64::tanh);
        close("sigmoid", 4e-7, |x| 1.0 / (1.0 + (-x).exp()));
        close("sqrt", 6e-8, f64::sqrt);
        close("reciprocal", 6e-8, |x| 1.0 / x);
    }

    #[test]
    fn rows_of_every_length_sum_to_one() {
        for length in (1..=35).chain([100]) {
            let x = inputs(3 * length);
            let attrs = json!({"function": "softmax", "axis": 1});
            let y: Vec<f32> = run("softmax", attrs, &[&spec(&[3, length], &x)], &[3, length]);
            for (x, y) in x.chunks(length).zip(y.chunks(length)) {
                let sum: f64 = x.iter().map(|&x| (x as f64).exp()).sum();
                for (&x, &y) in x.iter().zip(y) {
                    assert!((y as f64 - (x as f64).exp() / sum).abs() < 2e-7, "length {length}");
                }
            }
        }
    }

    #[test]
    fn nan_and_infinity_pass_through() {
        let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let of = |function: &str| -> Vec<f32> { run("unary", json!({ "function": function }), &[&spec(&[3], &x)], &[3]) };
        assert!(["exp", "erf", "tanh", "sigmoid", "gelu_erf", "gelu_tanh", "sqrt"].iter().all(|f| of(f)[0].is_nan()));
        assert_eq!(of("exp")[1..], [f32::INFINITY, 0.0]);
        assert_eq!(of("tanh")[1..], [1.0, -1.0]);
        let attrs = json!({"function": "softmax", "axis": 0});
        let y: Vec<f32> = run("softmax", attrs.clone(), &[&spec(&[3], &[0.0, f32::NEG_INFINITY, 0.0])], &[3]);
        assert_eq!(y, [0.5, 0.0, 0.5]);
        let y: Vec<f32> = run("softmax", attrs.clone(), &[&spec(&[2], &[f32::NEG_INFINITY; 2])], &[2]);
        assert!(y.iter().all(|y| y.is_nan()));
        let y: Vec<f32> = run("softmax", attrs, &[&spec(&[2], &[1.0, f32::NAN])], &[2]);
        assert!(y.iter().all(|y| y.is_nan()));
    }
}
