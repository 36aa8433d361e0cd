//! `cumulative`: running sums and products along an axis.

use super::numeric::{Arithmetic, Numeric, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
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
pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    expect_axis(attrs.axis, x.dims.len())?;
    let (outer, length, inner) = x.around(attrs.axis);
    dispatch!(numeric, x.dtype, "input", T => Plan::new(outer, x.len(), Cumulative::<T> { attrs, length, inner, element: PhantomData }))
}

struct Cumulative<T> {
    attrs: Attrs,
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

#[cfg(test)]
mod tests {
    use crate::generic::testing::{run, spec, try_check};
    use crate::program::DType;
    use serde_json::json;

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

    #[test]
    fn refuses_what_does_not_fit() {
        let x = [Some((DType::F32, vec![2, 3]))];
        let attrs = |axis: usize| json!({"function": "sum", "axis": axis, "exclusive": false, "reverse": false});
        assert!(try_check("cumulative", attrs(1), &x, &[(DType::F32, vec![2, 3])]).is_ok());
        assert!(try_check("cumulative", attrs(2), &x, &[(DType::F32, vec![2, 3])]).is_err());
        assert!(try_check("cumulative", attrs(1), &x, &[(DType::F32, vec![3, 2])]).is_err());
        assert!(try_check("cumulative", attrs(1), &x, &[(DType::F64, vec![2, 3])]).is_err());
    }
}
