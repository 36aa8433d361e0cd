//! `arg`: where along an axis the extreme element is.

use super::numeric::{Arithmetic, Numeric, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dtype};
use super::tensor::{Inputs, Outputs};
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
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
pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dtype("output", y.dtype, DType::S64)?;
    expect_axis(attrs.axis, x.dims.len())?;
    let (outer, length, inner) = x.around(attrs.axis);
    if y.len() != outer * inner || length == 0 && !y.is_empty() {
        return Err(format!("output of dims {:?} for input of dims {:?}", y.dims, x.dims));
    }
    dispatch!(numeric, x.dtype, "input", T => Plan::new(y.len(), x.len(), Arg::<T> { attrs, length, inner, element: PhantomData }))
}

struct Arg<T> {
    attrs: Attrs,
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

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::testing::{run, spec, try_check};
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
    fn refuses_what_does_not_fit() {
        let attrs = json!({"function": "max", "axis": 1, "last": false});
        let check = |x: &[usize], dtype: DType, y: &[usize]| {
            try_check("arg", attrs.clone(), &[Some((DType::F32, x.to_vec()))], &[(dtype, y.to_vec())])
        };
        assert!(check(&[2, 3], DType::S64, &[2]).is_ok());
        assert!(check(&[2, 3], DType::S64, &[3]).is_err());
        assert!(check(&[2, 3], DType::F32, &[2]).is_err());
        assert!(check(&[2, 0], DType::S64, &[2]).is_err());
        assert!(check(&[2], DType::S64, &[2]).is_err());
    }
}
