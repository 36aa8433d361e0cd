//! `unary`: y = f(x), element by element.

use super::attrs::Number;
use super::element::{Bool, Element};
use super::numeric::{Arithmetic, Float, Numeric, Real, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use super::vector;
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// Which function.
    function: Function,
    /// Its first parameter, 0 where it has none.
    #[serde(default = "zero")]
    alpha: Number,
    /// Its second parameter.
    #[serde(default = "zero")]
    beta: Number,
}

fn zero() -> Number {
    Number(0.0)
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Function {
    // Any number.
    Neg,
    Abs,
    Sign,
    Relu,
    // Floats.
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Cos,
    Cosh,
    Erf,
    Exp,
    Floor,
    Log,
    Reciprocal,
    Round,
    Sin,
    Sinh,
    Sqrt,
    Tan,
    Tanh,
    Sigmoid,
    Softplus,
    Softsign,
    Mish,
    GeluErf,
    GeluTanh,
    /// alpha: slope below 0.
    LeakyRelu,
    /// alpha.
    Elu,
    /// alpha.
    Celu,
    /// alpha, beta = gamma.
    Selu,
    /// alpha · x + beta, clamped to \[0, 1\].
    HardSigmoid,
    /// x · HardSigmoid(x).
    HardSwish,
    /// alpha: threshold.
    ThresholdedRelu,
    /// alpha = lambda, beta = bias.
    Shrink,
    // Floats to bool.
    IsNan,
    /// alpha ≠ 0: +∞ counts; beta ≠ 0: −∞ counts.
    IsInf,
    // Bool.
    Not,
    // Integers.
    BitwiseNot,
}

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dims("output", &y.dims, &x.dims)?;
    let size = y.len();
    let classifies = matches!(attrs.function, Function::IsNan | Function::IsInf);
    expect_dtype("output", y.dtype, if classifies { DType::Bool } else { x.dtype })?;
    if let (DType::F32, Some(function)) = (x.dtype, vector_form(attrs.function)) {
        return vector::plan(function, size);
    }
    match (attrs.function, x.dtype) {
        _ if classifies => dispatch!(real, x.dtype, "input", T => map(size, 1, classify::<T>(&attrs))),
        (Function::Not, DType::Bool) => map(size, 1, |x: Bool| Bool::from(!x.is_true())),
        (Function::Not, _) => Err("not needs bool".into()),
        (Function::BitwiseNot, dtype) => dispatch!(integer, dtype, "input", T => map(size, 1, |x: T| !x)),
        (Function::Relu, DType::F32) => map(size, 1, |x: f32| if x > 0.0 || x.is_nan() { x } else { 0.0 }),
        (Function::Neg | Function::Abs | Function::Sign | Function::Relu, dtype) => dispatch!(numeric, dtype, "input", T => {
            let f: fn(<T as Numeric>::Wide) -> <T as Numeric>::Wide = match attrs.function {
                Function::Neg => Arithmetic::neg,
                Function::Abs => Arithmetic::abs,
                Function::Sign => Arithmetic::sign,
                _ => |x| Arithmetic::larger(x, Arithmetic::ZERO),
            };
            map(size, 1, move |x: T| T::narrow(f(x.widen())))
        }),
        (_, dtype) => {
            // A transcendental function costs about as much as moving this many elements.
            const COST: usize = 16;
            dispatch!(real, dtype, "input", T => {
                let f = real::<<T as Numeric>::Wide>(&attrs)?;
                map(size, COST, move |x: T| T::narrow(f(x.widen())))
            })
        }
    }
}

/// What f32 computes on vectors.
fn vector_form(function: Function) -> Option<vector::Function> {
    Some(match function {
        Function::Exp => vector::Function::Exp,
        Function::Erf => vector::Function::Erf,
        Function::Tanh => vector::Function::Tanh,
        Function::Sigmoid => vector::Function::Sigmoid,
        Function::GeluErf => vector::Function::GeluErf,
        Function::GeluTanh => vector::Function::GeluTanh,
        Function::Sqrt => vector::Function::Sqrt,
        Function::Reciprocal => vector::Function::Reciprocal,
        _ => return None,
    })
}

fn classify<T: Real>(attrs: &Attrs) -> impl Fn(T) -> Bool + Send + Sync + 'static {
    let nan = attrs.function == Function::IsNan;
    let (positive, negative) = (attrs.alpha.0 != 0.0, attrs.beta.0 != 0.0);
    move |x: T| {
        let x = x.widen();
        Bool::from(if nan { x.is_nan() } else { x.is_infinite() && if x > T::Wide::ZERO { positive } else { negative } })
    }
}

/// One boxed function a kind: calls through it are cheap beside what it computes.
fn real<F: Float>(attrs: &Attrs) -> Result<Box<dyn Fn(F) -> F + Send + Sync>, String> {
    let n = |value: f64| F::from_f64(value);
    let (zero, one, half) = (F::ZERO, F::ONE, n(0.5));
    let (alpha, beta) = (n(attrs.alpha.0), n(attrs.beta.0));
    let hard_sigmoid = move |x: F| alpha.mul(x).add(beta).larger(zero).smaller(one);
    Ok(match attrs.function {
        Function::Ceil => Box::new(F::ceil),
        Function::Floor => Box::new(F::floor),
        Function::Round => Box::new(F::round_ties_even),
        Function::Reciprocal => Box::new(move |x| one.div(x)),
        Function::Sqrt => Box::new(F::sqrt),
        Function::Exp => Box::new(F::exp),
        Function::Log => Box::new(F::ln),
        Function::Sin => Box::new(F::sin),
        Function::Cos => Box::new(F::cos),
        Function::Tan => Box::new(F::tan),
        Function::Asin => Box::new(F::asin),
        Function::Acos => Box::new(F::acos),
        Function::Atan => Box::new(F::atan),
        Function::Sinh => Box::new(F::sinh),
        Function::Cosh => Box::new(F::cosh),
        Function::Tanh => Box::new(F::tanh),
        Function::Asinh => Box::new(F::asinh),
        Function::Acosh => Box::new(F::acosh),
        Function::Atanh => Box::new(F::atanh),
        Function::Erf => Box::new(F::erf),
        Function::Sigmoid => Box::new(sigmoid),
        Function::Softplus => Box::new(softplus),
        Function::Softsign => Box::new(move |x: F| x.div(one.add(x.abs()))),
        Function::Mish => Box::new(|x: F| x.mul(softplus(x).tanh())),
        Function::GeluErf => {
            let root = n(std::f64::consts::FRAC_1_SQRT_2);
            Box::new(move |x: F| half.mul(x).mul(one.add(x.mul(root).erf())))
        }
        Function::GeluTanh => {
            let (root, cubic) = (n((2.0 / std::f64::consts::PI).sqrt()), n(0.044715));
            Box::new(move |x: F| half.mul(x).mul(one.add(root.mul(x.add(cubic.mul(x).mul(x).mul(x))).tanh())))
        }
        Function::LeakyRelu => Box::new(move |x: F| if x < zero { alpha.mul(x) } else { x }),
        Function::Elu => Box::new(move |x: F| if x < zero { alpha.mul(x.exp_m1()) } else { x }),
        Function::Celu => Box::new(move |x: F| if x < zero { alpha.mul(x.div(alpha).exp_m1()) } else { x }),
        Function::Selu => Box::new(move |x: F| beta.mul(if x <= zero { alpha.mul(x.exp_m1()) } else { x })),
        Function::HardSigmoid => Box::new(hard_sigmoid),
        Function::HardSwish => Box::new(move |x| x.mul(hard_sigmoid(x))),
        Function::ThresholdedRelu => Box::new(move |x: F| if x > alpha || x.is_nan() { x } else { zero }),
        Function::Shrink => Box::new(move |x: F| {
            if x < alpha.neg() {
                x.add(beta)
            } else if x > alpha {
                x.sub(beta)
            } else if x.is_nan() {
                x
            } else {
                zero
            }
        }),
        other => return Err(format!("{other:?} is not a function of floats")),
    })
}

/// 1 / (1 + e⁻ˣ), without overflow on either side.
#[inline]
fn sigmoid<F: Float>(x: F) -> F {
    let small = x.abs().neg().exp();
    let (one, upper) = (F::ONE, x >= F::ZERO || x.is_nan());
    (if upper { one } else { small }).div(one.add(small))
}

/// ln(1 + eˣ), without overflow.
#[inline]
fn softplus<F: Float>(x: F) -> F {
    x.larger(F::ZERO).add(x.abs().neg().exp().ln_1p())
}

fn map<X: Element, Y: Element, F>(size: usize, cost: usize, f: F) -> Result<Plan, String>
where
    F: Fn(X) -> Y + Send + Sync + 'static,
{
    Plan::new(size, size.saturating_mul(cost), Map { f, types: PhantomData })
}

struct Map<X, Y, F> {
    f: F,
    types: PhantomData<(X, Y)>,
}

impl<X: Element, Y: Element, F: Fn(X) -> Y + Send + Sync> Kernel for Map<X, Y, F> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let x = &x.get::<X>(0)?[units];
        for (y, &x) in y.take::<Y>(0)?.iter_mut().zip(x) {
            *y = (self.f)(x);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::element::{Bf16, Bool, F16};
    use crate::testing::{run, spec, try_check};
    use serde_json::json;

    fn f32s(function: &str, x: &[f32]) -> Vec<f32> {
        run("unary", json!({ "function": function, "alpha": 0.5, "beta": 0.25 }), &[&spec(&[x.len()], x)], &[x.len()])
    }

    #[test]
    fn activations_follow_their_formulas() {
        let x = [-3.0f32, -0.75, -0.25, 0.0, 0.25, 0.75, 3.0];
        let close = |function: &str, f: &dyn Fn(f64) -> f64| {
            for (got, &x) in f32s(function, &x).iter().zip(&x) {
                assert!((*got as f64 - f(x as f64)).abs() < 1e-6, "{function}({x}) = {got}");
            }
        };
        close("sigmoid", &|x| 1.0 / (1.0 + (-x).exp()));
        close("softplus", &|x| (1.0 + x.exp()).ln());
        close("softsign", &|x| x / (1.0 + x.abs()));
        close("mish", &|x| x * (1.0 + x.exp()).ln().tanh());
        close("elu", &|x| if x < 0.0 { 0.5 * (x.exp() - 1.0) } else { x });
        close("celu", &|x| x.max(0.0) + (0.5 * ((x / 0.5).exp() - 1.0)).min(0.0));
        close("selu", &|x| 0.25 * if x > 0.0 { x } else { 0.5 * x.exp() - 0.5 });
        close("leaky_relu", &|x| if x < 0.0 { 0.5 * x } else { x });
        close("hard_sigmoid", &|x| (0.5 * x + 0.25).clamp(0.0, 1.0));
        close("hard_swish", &|x| x * (0.5 * x + 0.25).clamp(0.0, 1.0));
        close("thresholded_relu", &|x| if x > 0.5 { x } else { 0.0 });
        close("shrink", &|x| {
            if x < -0.5 {
                x + 0.25
            } else if x > 0.5 {
                x - 0.25
            } else {
                0.0
            }
        });
        close("gelu_erf", &|x| 0.5 * x * (1.0 + crate::erf::erf(x / 2f64.sqrt())));
        close("gelu_tanh", &|x| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh()));
    }

    #[test]
    fn nothing_overflows_at_the_ends() {
        assert_eq!(f32s("sigmoid", &[-200.0, 200.0, f32::NEG_INFINITY, f32::INFINITY]), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(f32s("softplus", &[-200.0, 200.0]), [0.0, 200.0]);
        for function in ["relu", "sigmoid", "softplus", "elu", "leaky_relu", "shrink", "thresholded_relu", "hard_sigmoid", "sign", "erf"] {
            assert!(f32s(function, &[f32::NAN])[0].is_nan(), "{function}");
        }
    }

    #[test]
    fn rounds_ties_to_even() {
        assert_eq!(f32s("round", &[0.5, 1.5, 2.5, -0.5, -2.5, 2.4]), [0.0, 2.0, 2.0, -0.0, -2.0, 2.0]);
    }

    #[test]
    fn integers_wrap() {
        let y: Vec<i8> = run("unary", json!({"function": "abs"}), &[&spec(&[3], &[i8::MIN, -1, 1])], &[3]);
        assert_eq!(y, [i8::MIN, 1, 1]);
        let y: Vec<u8> = run("unary", json!({"function": "neg"}), &[&spec(&[2], &[1u8, 0])], &[2]);
        assert_eq!(y, [255, 0]);
        let y: Vec<i64> = run("unary", json!({"function": "sign"}), &[&spec(&[3], &[i64::MIN, 0, 7])], &[3]);
        assert_eq!(y, [-1, 0, 1]);
        let y: Vec<u16> = run("unary", json!({"function": "bitwise_not"}), &[&spec(&[1], &[5u16])], &[1]);
        assert_eq!(y, [0xfffa]);
    }

    #[test]
    fn small_floats_are_computed_in_f32() {
        let y: Vec<F16> = run("unary", json!({"function": "sqrt"}), &[&spec(&[2], &[F16::from_f32(2.0), F16::from_f32(-1.0)])], &[2]);
        assert_eq!(y[0], F16::from_f32(2f32.sqrt()));
        assert!(y[1].to_f32().is_nan());
        let y: Vec<Bf16> = run("unary", json!({"function": "exp"}), &[&spec(&[1], &[Bf16::from_f32(1.0)])], &[1]);
        assert_eq!(y[0], Bf16::from_f32(std::f32::consts::E));
    }

    #[test]
    fn classifies() {
        let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
        let is = |attrs| -> Vec<u8> { run::<Bool>("unary", attrs, &[&spec(&[4], &x)], &[4]).iter().map(|b| b.0).collect() };
        assert_eq!(is(json!({"function": "is_nan"})), [1, 0, 0, 0]);
        assert_eq!(is(json!({"function": "is_inf", "alpha": 1, "beta": 1})), [0, 1, 1, 0]);
        assert_eq!(is(json!({"function": "is_inf", "alpha": 0, "beta": 1})), [0, 0, 1, 0]);
        let y: Vec<Bool> = run("unary", json!({"function": "not"}), &[&spec(&[3], &[Bool(0), Bool(1), Bool(7)])], &[3]);
        assert_eq!(y, [Bool(1), Bool(0), Bool(0)]);
    }

    #[test]
    fn refuses_other_dtypes_and_dims() {
        let x = |dtype| [Some((dtype, vec![2]))];
        let op = |function: &str| json!({ "function": function });
        assert!(try_check("unary", op("exp"), &x(DType::S32), &[(DType::S32, vec![2])]).is_err());
        assert!(try_check("unary", op("not"), &x(DType::U8), &[(DType::U8, vec![2])]).is_err());
        assert!(try_check("unary", op("bitwise_not"), &x(DType::F32), &[(DType::F32, vec![2])]).is_err());
        assert!(try_check("unary", op("abs"), &x(DType::Bool), &[(DType::Bool, vec![2])]).is_err());
        assert!(try_check("unary", op("abs"), &x(DType::F32), &[(DType::F32, vec![1, 2])]).is_err());
        assert!(try_check("unary", op("is_nan"), &x(DType::F32), &[(DType::F32, vec![2])]).is_err());
        assert!(try_check("unary", op("gamma"), &x(DType::F32), &[(DType::F32, vec![2])]).is_err());
    }
}
