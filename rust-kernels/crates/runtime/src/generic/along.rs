//! Kinds that work along one axis: `arg`, `cumulative`, `topk`, `softmax`.

use super::numeric::{Arithmetic, Float, Numeric, Real, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dims, expect_dtype, workspace};
use super::tensor::{Inputs, Outputs};
use crate::program::DType;
use serde::Deserialize;
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArgAttrs {
    function: Extreme,
    axis: usize,
    /// Of equal elements, the last.
    last: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Extreme {
    Max,
    Min,
}

/// y s64: where on the axis the extreme is. The first NaN counts as the extreme.
pub(super) fn plan_arg(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<ArgAttrs>()?);
    expect_dtype("output", y.dtype, DType::S64)?;
    expect_axis(attrs.axis, x.dims.len())?;
    let (outer, length, inner) = x.around(attrs.axis);
    if y.len() != outer * inner || length == 0 && !y.is_empty() {
        return Err(format!("output of dims {:?} for input of dims {:?}", y.dims, x.dims));
    }
    dispatch!(numeric, x.dtype, "input", T => Plan::new(y.len(), x.len(), Arg::<T> { attrs, length, inner, element: PhantomData }))
}

struct Arg<T> {
    attrs: ArgAttrs,
    length: usize,
    inner: usize,
    element: PhantomData<T>,
}

impl<T: Numeric> Kernel for Arg<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let x = x.get::<T>(0)?;
        for (unit, y) in units.zip(y.take::<i64>(0)?) {
            let lane = &x[unit / self.inner * self.length * self.inner + unit % self.inner..];
            let (mut at, mut best) = (0, lane[0].widen());
            for i in 1..self.length {
                let x = lane[i * self.inner].widen();
                let beats = if self.attrs.function == Extreme::Max { x > best } else { x < best };
                if beats || self.attrs.last && x == best || x.is_nan() && !best.is_nan() {
                    (at, best) = (i, x);
                }
            }
            *y = at as i64;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CumulativeAttrs {
    function: Cumulation,
    axis: usize,
    /// Leaves each element out of its own result.
    exclusive: bool,
    /// From the end.
    reverse: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Cumulation {
    Sum,
    Prod,
}

/// Running sums or products; 16-bit floats are accumulated in f32.
pub(super) fn plan_cumulative(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<CumulativeAttrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    expect_axis(attrs.axis, x.dims.len())?;
    let (outer, length, inner) = x.around(attrs.axis);
    dispatch!(numeric, x.dtype, "input", T => Plan::new(outer, x.len(), Cumulative::<T> { attrs, length, inner, element: PhantomData }))
}

struct Cumulative<T> {
    attrs: CumulativeAttrs,
    length: usize,
    inner: usize,
    element: PhantomData<T>,
}

impl<T: Numeric> Kernel for Cumulative<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let block = self.length * self.inner;
        let x = &x.get::<T>(0)?[units.start * block..units.end * block];
        let (neutral, f): (_, fn(T::Wide, T::Wide) -> T::Wide) = match self.attrs.function {
            Cumulation::Sum => (T::Wide::ZERO, Arithmetic::add),
            Cumulation::Prod => (T::Wide::ONE, Arithmetic::mul),
        };
        for (y, x) in y.take::<T>(0)?.chunks_exact_mut(block).zip(x.chunks_exact(block)) {
            for lane in 0..self.inner {
                let mut sum = neutral;
                for i in 0..self.length {
                    let i = if self.attrs.reverse { self.length - 1 - i } else { i };
                    let at = i * self.inner + lane;
                    let next = f(sum, x[at].widen());
                    y[at] = T::narrow(if self.attrs.exclusive { sum } else { next });
                    sum = next;
                }
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopAttrs {
    axis: usize,
    /// The largest, else the smallest.
    largest: bool,
}

/// Outputs: the extreme elements in order, and s64 where they were. Of equal elements the earlier comes first; NaN is the largest.
pub(super) fn plan_topk(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 2)?;
    let (x, y, positions, attrs) = (step.x(0)?, step.y(0), step.y(1), step.attrs::<TopAttrs>()?);
    expect_dtype("first output", y.dtype, x.dtype)?;
    expect_dtype("second output", positions.dtype, DType::S64)?;
    expect_dims("second output", &positions.dims, &y.dims)?;
    expect_axis(attrs.axis, x.dims.len())?;
    let (outer, length, inner) = x.around(attrs.axis);
    let k = *y.dims.get(attrs.axis).ok_or("the output has fewer dims than the input")?;
    let mut expected = x.dims.clone();
    expected[attrs.axis] = k;
    expect_dims("output", &y.dims, &expected)?;
    if k > length {
        return Err(format!("{k} elements are wanted of an axis of {length}"));
    }
    let cost = x.len().saturating_mul(8);
    dispatch!(numeric, x.dtype, "input", T => {
        Plan::new(outer, cost, TopK::<T> { largest: attrs.largest, k, length, inner, element: PhantomData })
    })
}

struct TopK<T> {
    largest: bool,
    k: usize,
    length: usize,
    inner: usize,
    element: PhantomData<T>,
}

impl<T: Numeric> Kernel for TopK<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (x, values, positions) = (x.get::<T>(0)?, y.take::<T>(0)?, y.take::<i64>(1)?);
        let mut lane = workspace(self.length, (T::default(), 0usize))?;
        let better = |a: &(T, usize), b: &(T, usize)| {
            let order = ascending(a.0.widen(), b.0.widen());
            (if self.largest { order.reverse() } else { order }).then(a.1.cmp(&b.1))
        };
        for (n, unit) in units.enumerate() {
            for inner in 0..self.inner {
                for (i, slot) in lane.iter_mut().enumerate() {
                    *slot = (x[(unit * self.length + i) * self.inner + inner], i);
                }
                if self.k < self.length {
                    lane.select_nth_unstable_by(self.k, better);
                }
                let best = &mut lane[..self.k];
                best.sort_unstable_by(better);
                for (i, &(value, position)) in best.iter().enumerate() {
                    let at = (n * self.k + i) * self.inner + inner;
                    values[at] = value;
                    positions[at] = position as i64;
                }
            }
        }
        Ok(())
    }
}

/// A total order: NaN behind every number.
fn ascending<W: Arithmetic>(a: W, b: W) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SoftmaxAttrs {
    function: SoftmaxFunction,
    axis: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum SoftmaxFunction {
    Softmax,
    LogSoftmax,
    /// 1 at the first largest element, 0 elsewhere.
    Hardmax,
}

pub(super) fn plan_softmax(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<SoftmaxAttrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    expect_axis(attrs.axis, x.dims.len())?;
    let (outer, length, inner) = x.around(attrs.axis);
    let cost = x.len().saturating_mul(16);
    dispatch!(real, x.dtype, "input", T => {
        Plan::new(outer, cost, Softmax::<T> { function: attrs.function, length, inner, element: PhantomData })
    })
}

struct Softmax<T> {
    function: SoftmaxFunction,
    length: usize,
    inner: usize,
    element: PhantomData<T>,
}

impl<T: Real> Kernel for Softmax<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let block = self.length * self.inner;
        let x = &x.get::<T>(0)?[units.start * block..units.end * block];
        for (y, x) in y.take::<T>(0)?.chunks_exact_mut(block).zip(x.chunks_exact(block)) {
            for lane in 0..self.inner {
                self.lane(&x[lane..], &mut y[lane..]);
            }
        }
        Ok(())
    }
}

impl<T: Real> Softmax<T> {
    fn lane(&self, x: &[T], y: &mut [T]) {
        let number = |i: usize| x[i * self.inner].widen();
        let mut top = 0;
        for i in 1..self.length {
            if number(i) > number(top) || number(i).is_nan() && !number(top).is_nan() {
                top = i;
            }
        }
        if self.function == SoftmaxFunction::Hardmax {
            for i in 0..self.length {
                y[i * self.inner] = T::narrow(if i == top { T::Wide::ONE } else { T::Wide::ZERO });
            }
            return;
        }
        let largest = number(top);
        let mut sum = 0.0f64;
        for i in 0..self.length {
            let power = number(i).sub(largest).exp();
            sum += power.to_f64();
            y[i * self.inner] = T::narrow(power);
        }
        if self.function == SoftmaxFunction::Softmax {
            let total = T::Wide::from_f64(sum);
            for i in 0..self.length {
                // 16-bit floats would lose bits if the stored power were divided.
                let power = if size_of::<T>() == 2 { number(i).sub(largest).exp() } else { y[i * self.inner].widen() };
                y[i * self.inner] = T::narrow(power.div(total));
            }
        } else {
            let log = T::Wide::from_f64(sum.ln());
            for i in 0..self.length {
                y[i * self.inner] = T::narrow(number(i).sub(largest).sub(log));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::generic::spec::TensorSpec;
    use crate::generic::testing::{run, spec, try_check};
    use crate::generic::{RawTensor, RawTensorMut, check};
    use crate::program::DType;
    use serde_json::json;

    #[test]
    fn finds_extremes_and_ties() {
        let x = [2.0f32, 5.0, 5.0, 1.0, 1.0, 4.0];
        let arg = |function: &str, axis: usize, last: bool, y: &[usize]| -> Vec<i64> {
            run("arg", json!({"function": function, "axis": axis, "last": last}), &[&spec(&[2, 3], &x)], y)
        };
        assert_eq!(arg("max", 1, false, &[2]), [1, 2]);
        assert_eq!(arg("max", 1, true, &[2, 1]), [2, 2]);
        assert_eq!(arg("min", 1, true, &[2]), [0, 1]);
        assert_eq!(arg("min", 0, false, &[3]), [1, 1, 1]);
        let y: Vec<i64> = run("arg", json!({"function": "min", "axis": 0, "last": true}), &[&spec(&[3], &[1.0f32, f32::NAN, 0.0])], &[]);
        assert_eq!(y, [1]);
    }

    #[test]
    fn accumulates_both_ways() {
        let x = [1i32, 2, 3, 4, 5, 6];
        let of = |function: &str, axis: usize, exclusive: bool, reverse: bool| -> Vec<i32> {
            let attrs = json!({"function": function, "axis": axis, "exclusive": exclusive, "reverse": reverse});
            run("cumulative", attrs, &[&spec(&[2, 3], &x)], &[2, 3])
        };
        assert_eq!(of("sum", 1, false, false), [1, 3, 6, 4, 9, 15]);
        assert_eq!(of("sum", 1, true, false), [0, 1, 3, 0, 4, 9]);
        assert_eq!(of("sum", 1, false, true), [6, 5, 3, 15, 11, 6]);
        assert_eq!(of("sum", 0, true, true), [4, 5, 6, 0, 0, 0]);
        assert_eq!(of("prod", 1, false, false), [1, 2, 6, 4, 20, 120]);
        assert_eq!(of("prod", 1, true, false), [1, 1, 2, 1, 4, 20]);
    }

    fn topk(x: &[f32], dims: &[usize], axis: usize, largest: bool, y: &[usize]) -> (Vec<f32>, Vec<i64>) {
        let x_spec = [Some(TensorSpec { dtype: DType::F32, dims: dims.to_vec() })];
        let y_spec = [DType::F32, DType::S64].map(|dtype| TensorSpec { dtype, dims: y.to_vec() });
        let attrs = json!({"axis": axis, "largest": largest});
        let op = check("topk", attrs.as_object().unwrap(), &x_spec, &y_spec).unwrap();
        let count = y.iter().product();
        let (mut values, mut positions) = (vec![0.0; count], vec![0; count]);
        // SAFETY: the vectors outlive the run and are used by it alone.
        unsafe {
            let x = RawTensor::new(DType::F32, x.len(), x.as_ptr().cast());
            let values = RawTensorMut::new(DType::F32, count, values.as_mut_ptr().cast());
            let positions = RawTensorMut::new(DType::S64, count, positions.as_mut_ptr().cast());
            op.run(0, 1, &[Some(x)], &[values, positions]).unwrap();
        }
        (values, positions)
    }

    #[test]
    fn topk_orders_and_keeps_the_earlier_of_equals() {
        let x = [3.0, 1.0, 3.0, 2.0];
        assert_eq!(topk(&x, &[4], 0, true, &[3]), (vec![3.0, 3.0, 2.0], vec![0, 2, 3]));
        assert_eq!(topk(&x, &[4], 0, false, &[4]), (vec![1.0, 2.0, 3.0, 3.0], vec![1, 3, 0, 2]));
        assert_eq!(topk(&x, &[2, 2], 0, true, &[1, 2]), (vec![3.0, 2.0], vec![0, 1]));
        let (values, positions) = topk(&[1.0, f32::NAN], &[2], 0, true, &[1]);
        assert!(values[0].is_nan() && positions == [1]);
        assert_eq!(topk(&x, &[4], 0, true, &[0]), (vec![], vec![]));
    }

    #[test]
    fn softmax_along_any_axis() {
        let x = [1.0f32, 2.0, 3.0, 1000.0, 1000.0, -1000.0];
        let of = |function: &str, axis: usize| -> Vec<f32> {
            run("softmax", json!({"function": function, "axis": axis}), &[&spec(&[2, 3], &x)], &[2, 3])
        };
        let y = of("softmax", 1);
        let sum: f64 = [1f64, 2.0, 3.0].iter().map(|x| x.exp()).sum();
        assert!((0..3).all(|i| (y[i] as f64 - (x[i] as f64).exp() / sum).abs() < 1e-7));
        assert_eq!(y[3..], [0.5, 0.5, 0.0]);
        assert_eq!(of("softmax", 0)[3..], [1.0, 1.0, 0.0]);
        assert_eq!(of("log_softmax", 1)[3], -(2f32.ln()));
        assert_eq!(of("hardmax", 1), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let x = [Some((DType::F32, vec![2, 3]))];
        let f = |dims: &[usize]| (DType::F32, dims.to_vec());
        let i = |dims: &[usize]| (DType::S64, dims.to_vec());
        let arg = json!({"function": "max", "axis": 1, "last": false});
        assert!(try_check("arg", arg.clone(), &x, &[i(&[2])]).is_ok());
        assert!(try_check("arg", arg.clone(), &x, &[i(&[3])]).is_err());
        assert!(try_check("arg", arg.clone(), &x, &[f(&[2])]).is_err());
        assert!(try_check("arg", arg, &[Some(f(&[2, 0]))], &[i(&[2])]).is_err());
        assert!(try_check("topk", json!({"axis": 1, "largest": true}), &x, &[f(&[2, 4]), i(&[2, 4])]).is_err());
        assert!(try_check("topk", json!({"axis": 1, "largest": true}), &x, &[f(&[2, 2]), i(&[2, 1])]).is_err());
        assert!(try_check("softmax", json!({"function": "softmax", "axis": 2}), &x, &[f(&[2, 3])]).is_err());
    }
}
