//! `topk`: the extreme elements along an axis, in order.

use super::numeric::{Arithmetic, Numeric, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dims, expect_dtype, workspace};
use super::tensor::{Inputs, Outputs};
use crate::DType;
use serde::Deserialize;
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    axis: usize,
    /// The largest, else the smallest.
    largest: bool,
}

/// Outputs: the extreme elements in order, and s64 where they were. Of equal elements the earlier comes first; NaN is the largest.
pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 2)?;
    let (x, y, positions, attrs) = (step.x(0)?, step.y(0), step.y(1), step.attrs::<Attrs>()?);
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

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::spec::TensorSpec;
    use crate::testing::try_check;
    use crate::{RawTensor, RawTensorMut, check};
    use serde_json::json;

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
    fn refuses_what_does_not_fit() {
        let x = [Some((DType::F32, vec![2, 3]))];
        let check = |values: &[usize], positions: &[usize]| {
            let y = [(DType::F32, values.to_vec()), (DType::S64, positions.to_vec())];
            try_check("topk", json!({"axis": 1, "largest": true}), &x, &y)
        };
        assert!(check(&[2, 2], &[2, 2]).is_ok());
        assert!(check(&[2, 4], &[2, 4]).is_err());
        assert!(check(&[2, 2], &[2, 1]).is_err());
        assert!(check(&[2], &[2]).is_err());
    }
}
