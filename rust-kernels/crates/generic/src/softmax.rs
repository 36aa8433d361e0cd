//! `softmax`: softmax, its logarithm, and hardmax along an axis.

use super::numeric::{Arithmetic, Float, Real, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use super::vector::SoftmaxRows;
use crate::DType;
use neural_engine_isa::Isa;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    function: Function,
    axis: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Function {
    Softmax,
    LogSoftmax,
    /// 1 at the first largest element, 0 elsewhere.
    Hardmax,
}

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    expect_axis(attrs.axis, x.dims.len())?;
    let (outer, length, inner) = x.around(attrs.axis);
    let cost = x.len().saturating_mul(16);
    if (attrs.function, x.dtype, inner) == (Function::Softmax, DType::F32, 1) {
        return Plan::new(outer, x.len().saturating_mul(4), Rows { length, isa: Isa::best() });
    }
    dispatch!(real, x.dtype, "input", T => {
        Plan::new(outer, cost, Softmax::<T> { function: attrs.function, length, inner, element: PhantomData })
    })
}

/// The common case: f32 along the last axis.
struct Rows {
    length: usize,
    isa: Isa,
}

impl Kernel for Rows {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let x = &x.get::<f32>(0)?[units.start * self.length..units.end * self.length];
        self.isa.dispatch(SoftmaxRows { length: self.length, x, y: y.take::<f32>(0)? });
        Ok(())
    }
}

struct Softmax<T> {
    function: Function,
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
        if self.function == Function::Hardmax {
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
        if self.function == Function::Softmax {
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
    use crate::DType;
    use crate::testing::{run, spec, try_check};
    use serde_json::json;

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
        let attrs = |axis: usize| json!({"function": "softmax", "axis": axis});
        assert!(try_check("softmax", attrs(1), &x, &[(DType::F32, vec![2, 3])]).is_ok());
        assert!(try_check("softmax", attrs(2), &x, &[(DType::F32, vec![2, 3])]).is_err());
        assert!(try_check("softmax", attrs(1), &x, &[(DType::F32, vec![3, 2])]).is_err());
        assert!(try_check("softmax", attrs(1), &[Some((DType::S32, vec![2, 3]))], &[(DType::S32, vec![2, 3])]).is_err());
    }
}
