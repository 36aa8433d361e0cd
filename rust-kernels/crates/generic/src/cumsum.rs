//! `cumsum`: running sums along an axis. Floats are summed in f64, integers as they are (wrapping).

use super::element::Element;
use super::numeric::{Arithmetic, Numeric, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use crate::DType;
use serde::Deserialize;
use std::ops::Range;

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    axis: usize,
    /// Leaves each element out of its own sum.
    exclusive: bool,
    /// From the end.
    reverse: bool,
}

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    expect_axis(attrs.axis, x.dims.len())?;
    let (outer, length, inner) = x.around(attrs.axis);
    match x.dtype {
        DType::F32 | DType::F64 | DType::F16 | DType::Bf16 => dispatch!(real, x.dtype, "input", T => {
            let narrow = |sum| T::narrow(Arithmetic::from_f64(sum));
            Plan::new(outer, x.len(), CumSum::<T, f64> { attrs, length, inner, wide: |x| x.widen().to_f64(), narrow })
        }),
        dtype => dispatch!(integer, dtype, "input", T => {
            Plan::new(outer, x.len(), CumSum::<T, T> { attrs, length, inner, wide: T::widen, narrow: T::narrow })
        }),
    }
}

struct CumSum<T, A> {
    attrs: Attrs,
    length: usize,
    inner: usize,
    wide: fn(T) -> A,
    narrow: fn(A) -> T,
}

impl<T: Element, A: Arithmetic> Kernel for CumSum<T, A> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let block = self.length * self.inner;
        let x = &x.get::<T>(0)?[units.start * block..units.end * block];
        for (y, x) in y.take::<T>(0)?.chunks_exact_mut(block).zip(x.chunks_exact(block)) {
            for lane in 0..self.inner {
                let mut sum = A::ZERO;
                for i in 0..self.length {
                    let i = if self.attrs.reverse { self.length - 1 - i } else { i };
                    let at = i * self.inner + lane;
                    let next = sum.add((self.wide)(x[at]));
                    y[at] = (self.narrow)(if self.attrs.exclusive { sum } else { next });
                    sum = next;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::testing::{run, spec, try_check};
    use serde_json::json;

    #[test]
    fn sums_both_ways() {
        let x = [1i32, 2, 3, 4, 5, 6];
        let of = |axis: usize, exclusive: bool, reverse: bool| -> Vec<i32> {
            run("cumsum", json!({"axis": axis, "exclusive": exclusive, "reverse": reverse}), &[&spec(&[2, 3], &x)], &[2, 3])
        };
        assert_eq!(of(1, false, false), [1, 3, 6, 4, 9, 15]);
        assert_eq!(of(1, true, false), [0, 1, 3, 0, 4, 9]);
        assert_eq!(of(1, false, true), [6, 5, 3, 15, 11, 6]);
        assert_eq!(of(0, true, true), [4, 5, 6, 0, 0, 0]);
    }

    #[test]
    fn long_sums_stay_exact() {
        let x = vec![0.1f32; 100_000];
        let attrs = json!({"axis": 0, "exclusive": false, "reverse": false});
        let y: Vec<f32> = run("cumsum", attrs, &[&spec(&[100_000], &x)], &[100_000]);
        assert_eq!(y[99_999], (0.1f32 as f64 * 100_000.0) as f32);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let x = [Some((DType::F32, vec![2, 3]))];
        let attrs = |axis: usize| json!({"axis": axis, "exclusive": false, "reverse": false});
        assert!(try_check("cumsum", attrs(1), &x, &[(DType::F32, vec![2, 3])]).is_ok());
        assert!(try_check("cumsum", attrs(2), &x, &[(DType::F32, vec![2, 3])]).is_err());
        assert!(try_check("cumsum", attrs(1), &x, &[(DType::F32, vec![3, 2])]).is_err());
        assert!(try_check("cumsum", attrs(1), &x, &[(DType::F64, vec![2, 3])]).is_err());
    }
}
