//! `reduce`: sums, products, norms and extremes over axes. Floats are accumulated in f64, integers as they are (wrapping).

use super::element::{Bool, Element};
use super::numeric::{Arithmetic, Numeric, Real, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dtype};
use super::tensor::{Inputs, Outputs};
use super::walk::Walk;
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    function: Function,
    /// What is reduced; the output has the other dims, with or without ones in these places.
    axes: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Function {
    Sum,
    Mean,
    Prod,
    Max,
    Min,
    L1,
    L2,
    SumSquare,
    LogSum,
    LogSumExp,
}

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    let rank = x.dims.len();
    let mut reduced = vec![false; rank];
    for &axis in &attrs.axes {
        expect_axis(axis, rank)?;
        if std::mem::replace(&mut reduced[axis], true) {
            return Err(format!("axis {axis} is named twice"));
        }
    }
    let removed: Vec<usize> = (0..rank).filter(|&i| !reduced[i]).map(|i| x.dims[i]).collect();
    let ones: Vec<usize> = (0..rank).map(|i| if reduced[i] { 1 } else { x.dims[i] }).collect();
    if y.dims != removed && y.dims != ones {
        return Err(format!("output has dims {:?}, expected {removed:?} or {ones:?}", y.dims));
    }
    let stride = |axis: usize| [x.dims[axis + 1..].iter().product::<usize>() as isize];
    let over = |wanted: bool| {
        let axes = (0..rank).filter(|&i| reduced[i] == wanted);
        let (dims, strides): (Vec<_>, Vec<_>) = axes.map(|i| (x.dims[i], stride(i))).unzip();
        // An input without elements is never read, so its walks need no bounds.
        Walk::new(&dims, &strides, [0], [x.len().max(if x.is_empty() { usize::MAX } else { 0 })])
    };
    let count = (0..rank).filter(|&i| reduced[i]).map(|i| x.dims[i]).product();
    let shape = Shape { kept: over(false)?, reduced: over(true)?, count, units: y.len() };
    let function = attrs.function;
    match (function, x.dtype) {
        (Function::Max, DType::Bool) => shape.fold(false, |a, b: Bool| a | b.is_true(), |a, b| a | b, |a, _| Bool::from(a)),
        (Function::Min, DType::Bool) => shape.fold(true, |a, b: Bool| a & b.is_true(), |a, b| a & b, |a, _| Bool::from(a)),
        // The common cases get loops of their own; what is rare calls through pointers, which keeps the code small.
        (Function::Sum, DType::F32) => shape.fold(0.0, |a: f64, x: f32| a + x as f64, |a, b| a + b, |a, _| a as f32),
        (Function::Mean, DType::F32) => shape.fold(0.0, |a: f64, x: f32| a + x as f64, |a, b| a + b, |a, n| (a / n as f64) as f32),
        (Function::LogSumExp, dtype) => dispatch!(real, dtype, "input", T => log_sum_exp::<T>(shape)),
        (Function::Sum | Function::Prod | Function::L1 | Function::SumSquare | Function::Max | Function::Min, dtype)
            if !is_float(dtype) =>
        {
            dispatch!(integer, dtype, "input", T => integer::<T>(shape, function))
        }
        (_, dtype) => dispatch!(numeric, dtype, "input", T => real::<T>(shape, function)),
    }
}

fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64 | DType::F16 | DType::Bf16)
}

/// In f64, to which every float widens exactly; integers come here for the functions that leave the integers.
fn real<T: Numeric>(shape: Shape, function: Function) -> Result<Plan, String> {
    type Step = fn(f64, f64) -> f64;
    let (start, step, merge): (f64, Step, Step) = match function {
        Function::Sum | Function::Mean | Function::LogSum => (0.0, |a, x| a + x, |a, b| a + b),
        Function::L1 => (0.0, |a, x| a + x.abs(), |a, b| a + b),
        Function::L2 | Function::SumSquare => (0.0, |a, x| a + x * x, |a, b| a + b),
        Function::Prod => (1.0, |a, x| a * x, |a, b| a * b),
        Function::Max => (f64::NEG_INFINITY, Arithmetic::larger, Arithmetic::larger),
        Function::Min => (f64::INFINITY, Arithmetic::smaller, Arithmetic::smaller),
        Function::LogSumExp => return Err("log_sum_exp has no single accumulator".into()),
    };
    let finish: fn(f64, usize) -> f64 = match function {
        Function::Mean => |a, n| a / n as f64,
        Function::L2 => |a, _| a.sqrt(),
        Function::LogSum => |a, _| a.ln(),
        _ => |a, _| a,
    };
    let last = move |a: f64, n: usize| T::narrow(T::Wide::from_f64(finish(a, n)));
    shape.fold(start, move |a, x: T| step(a, x.widen().to_f64()), merge, last)
}

/// In the integers of the dtype, wrapping.
fn integer<T: Numeric>(shape: Shape, function: Function) -> Result<Plan, String> {
    type Step<W> = fn(W, W) -> W;
    let (start, step, merge): (T::Wide, Step<T::Wide>, Step<T::Wide>) = match function {
        Function::L1 => (Arithmetic::ZERO, |a, x| a.add(x.abs()), Arithmetic::add),
        Function::SumSquare => (Arithmetic::ZERO, |a, x| a.add(x.mul(x)), Arithmetic::add),
        Function::Prod => (Arithmetic::ONE, Arithmetic::mul, Arithmetic::mul),
        Function::Max => (Arithmetic::LOWEST, Arithmetic::larger, Arithmetic::larger),
        Function::Min => (Arithmetic::HIGHEST, Arithmetic::smaller, Arithmetic::smaller),
        _ => (Arithmetic::ZERO, Arithmetic::add, Arithmetic::add),
    };
    shape.fold(start, move |a, x: T| step(a, x.widen()), merge, |a, _| T::narrow(a))
}

/// The accumulator is the largest exponent so far and the sum of the powers relative to it.
fn log_sum_exp<T: Real>(shape: Shape) -> Result<Plan, String> {
    fn merge((a, sum_a): (f64, f64), (b, sum_b): (f64, f64)) -> (f64, f64) {
        if a == b {
            (a, sum_a + sum_b)
        } else if a > b {
            (a, sum_a + sum_b * (b - a).exp())
        } else if a < b {
            (b, sum_a * (a - b).exp() + sum_b)
        } else {
            (f64::NAN, f64::NAN)
        }
    }
    let last = |(top, sum): (f64, f64), _| T::narrow(T::Wide::from_f64(top + sum.ln()));
    shape.fold((f64::NEG_INFINITY, 0.0), |a, x: T| merge(a, (x.widen().to_f64(), 1.0)), merge, last)
}

/// Which elements of x each element of y is made of.
struct Shape {
    /// Over y, to the first element in x.
    kept: Walk<1>,
    /// Over what is reduced, relative to that.
    reduced: Walk<1>,
    count: usize,
    units: usize,
}

impl Shape {
    fn fold<T, A, S, M, F>(self, start: A, step: S, merge: M, finish: F) -> Result<Plan, String>
    where
        T: Element,
        A: Copy + Send + Sync + 'static,
        S: Fn(A, T) -> A + Send + Sync + 'static,
        M: Fn(A, A) -> A + Send + Sync + 'static,
        F: Fn(A, usize) -> T + Send + Sync + 'static,
    {
        let (units, cost) = (self.units, self.units.saturating_mul(self.count.max(1)));
        Plan::new(units, cost, Fold { shape: self, start, step, merge, finish, element: PhantomData })
    }
}

struct Fold<T, A, S, M, F> {
    shape: Shape,
    start: A,
    step: S,
    merge: M,
    finish: F,
    element: PhantomData<T>,
}

/// Neighbouring outputs that are accumulated together.
const COLUMNS: usize = 32;
/// Accumulators of a contiguous stretch: independent, so that they vectorise, and more exact than one.
const LANES: usize = 8;

impl<T, A, S, M, F> Kernel for Fold<T, A, S, M, F>
where
    T: Element,
    A: Copy + Send + Sync,
    S: Fn(A, T) -> A + Send + Sync,
    M: Fn(A, A) -> A + Send + Sync,
    F: Fn(A, usize) -> T + Send + Sync,
{
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (x, y) = (x.get::<T>(0)?, y.take::<T>(0)?);
        self.shape.kept.runs(units, |run| {
            let y = &mut y[run.at..run.at + run.len];
            if run.stride[0] == 1 {
                for (block, y) in y.chunks_mut(COLUMNS).enumerate() {
                    self.columns(x, run.offset[0] + block * COLUMNS, y);
                }
            } else {
                for (i, y) in y.iter_mut().enumerate() {
                    *y = self.one(x, run.offset[0].wrapping_add_signed(i as isize * run.stride[0]));
                }
            }
        });
        Ok(())
    }
}

impl<T, A, S, M, F> Fold<T, A, S, M, F>
where
    T: Element,
    A: Copy,
    S: Fn(A, T) -> A,
    M: Fn(A, A) -> A,
    F: Fn(A, usize) -> T,
{
    /// Outputs whose elements lie side by side in x.
    fn columns(&self, x: &[T], base: usize, y: &mut [T]) {
        let mut sums = [self.start; COLUMNS];
        let sums = &mut sums[..y.len()];
        self.shape.reduced.runs(0..self.shape.count, |run| {
            for i in 0..run.len {
                let at = base + (run.offset[0].wrapping_add_signed(i as isize * run.stride[0]));
                for (sum, &x) in sums.iter_mut().zip(&x[at..at + y.len()]) {
                    *sum = (self.step)(*sum, x);
                }
            }
        });
        for (y, &sum) in y.iter_mut().zip(&*sums) {
            *y = (self.finish)(sum, self.shape.count);
        }
    }

    fn one(&self, x: &[T], base: usize) -> T {
        let mut lanes = [self.start; LANES];
        self.shape.reduced.runs(0..self.shape.count, |run| {
            let at = base + run.offset[0];
            if run.stride[0] == 1 {
                let (chunks, rest) = x[at..at + run.len].as_chunks::<LANES>();
                for chunk in chunks {
                    for (lane, &x) in lanes.iter_mut().zip(chunk) {
                        *lane = (self.step)(*lane, x);
                    }
                }
                for (lane, &x) in lanes.iter_mut().zip(rest) {
                    *lane = (self.step)(*lane, x);
                }
            } else {
                for i in 0..run.len {
                    let x = x[at.wrapping_add_signed(i as isize * run.stride[0])];
                    lanes[i % LANES] = (self.step)(lanes[i % LANES], x);
                }
            }
        });
        let sum = lanes.into_iter().reduce(&self.merge).unwrap_or(self.start);
        (self.finish)(sum, self.shape.count)
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::element::{Bool, Element, F16};
    use crate::testing::{run, spec, try_check};
    use serde_json::json;

    fn reduce<T: Element>(function: &str, axes: &[usize], dims: &[usize], x: &[T], y: &[usize]) -> Vec<T> {
        run("reduce", json!({ "function": function, "axes": axes }), &[&spec(dims, x)], y)
    }

    #[test]
    fn reduces_any_axes() {
        let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
        assert_eq!(reduce("sum", &[0, 1, 2], &[2, 3, 4], &x, &[]), [276.0]);
        assert_eq!(reduce("sum", &[2], &[2, 3, 4], &x, &[2, 3]), [6.0, 22.0, 38.0, 54.0, 70.0, 86.0]);
        assert_eq!(reduce("sum", &[0], &[2, 3, 4], &x, &[1, 3, 4])[..3], [12.0, 14.0, 16.0]);
        assert_eq!(reduce("mean", &[1], &[2, 3, 4], &x, &[2, 4]), [4.0, 5.0, 6.0, 7.0, 16.0, 17.0, 18.0, 19.0]);
        assert_eq!(reduce("max", &[0, 2], &[2, 3, 4], &x, &[1, 3, 1]), [15.0, 19.0, 23.0]);
        assert_eq!(reduce("min", &[], &[2], &[3.0f32, 1.0], &[2]), [3.0, 1.0]);
    }

    #[test]
    fn every_function_follows_its_formula() {
        let x = [1.0f64, -2.0, 3.0];
        assert_eq!(reduce("prod", &[0], &[3], &x, &[]), [-6.0]);
        assert_eq!(reduce("l1", &[0], &[3], &x, &[]), [6.0]);
        assert_eq!(reduce("l2", &[0], &[3], &x, &[]), [14f64.sqrt()]);
        assert_eq!(reduce("sum_square", &[0], &[3], &x, &[]), [14.0]);
        assert_eq!(reduce("log_sum", &[0], &[3], &x, &[]), [2f64.ln()]);
        let expected = (1f64.exp() + (-2f64).exp() + 3f64.exp()).ln();
        assert!((reduce("log_sum_exp", &[0], &[3], &x, &[])[0] - expected).abs() < 1e-15);
        assert_eq!(reduce("log_sum_exp", &[0], &[2], &[1000.0f32, f32::NEG_INFINITY], &[]), [1000.0]);
        assert_eq!(reduce("log_sum_exp", &[0], &[2], &[f32::NEG_INFINITY; 2], &[]), [f32::NEG_INFINITY]);
        assert!(reduce("log_sum_exp", &[0], &[2], &[f32::NAN, 1.0], &[])[0].is_nan());
    }

    #[test]
    fn nothing_reduces_to_the_neutral_element() {
        let none: [f32; 0] = [];
        let of = |function: &str| reduce(function, &[1], &[2, 0, 3], &none, &[2, 3])[5];
        assert_eq!(of("sum"), 0.0);
        assert_eq!(of("prod"), 1.0);
        assert_eq!(of("max"), f32::NEG_INFINITY);
        assert_eq!(of("min"), f32::INFINITY);
        assert_eq!(of("log_sum_exp"), f32::NEG_INFINITY);
        assert!(of("mean").is_nan());
        assert_eq!(reduce::<i32>("max", &[0], &[0], &[], &[]), [i32::MIN]);
    }

    #[test]
    fn long_sums_stay_exact() {
        let x = vec![0.1f32; 1 << 20];
        assert_eq!(reduce("sum", &[0], &[1 << 20], &x, &[]), [(0.1f32 as f64 * (1 << 20) as f64) as f32]);
        let x = vec![F16::from_f32(1.0); 4096];
        assert_eq!(reduce("sum", &[0], &[4096], &x, &[]), [F16::from_f32(4096.0)]);
    }

    #[test]
    fn integers_and_truth_values() {
        assert_eq!(reduce("sum", &[0], &[2], &[i32::MAX, 1], &[]), [i32::MIN]);
        assert_eq!(reduce("mean", &[0], &[2], &[i32::MAX, i32::MAX], &[]), [i32::MAX]);
        assert_eq!(reduce("max", &[1], &[2, 2], &[Bool(0), Bool(2), Bool(0), Bool(0)], &[2]), [Bool(1), Bool(0)]);
        assert_eq!(reduce("min", &[0], &[2], &[-5i8, 7], &[1]), [-5]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let check = |axes: &[usize], y: &[usize]| {
            try_check("reduce", json!({"function": "sum", "axes": axes}), &[Some((DType::F32, vec![2, 3]))], &[(DType::F32, y.to_vec())])
        };
        assert!(check(&[1], &[2]).is_ok());
        assert!(check(&[1], &[3]).is_err());
        assert!(check(&[2], &[2, 3]).is_err());
        assert!(check(&[1, 1], &[2]).is_err());
        assert!(
            try_check("reduce", json!({"function": "sum", "axes": [0]}), &[Some((DType::Bool, vec![2]))], &[(DType::Bool, vec![])])
                .is_err()
        );
    }
}
