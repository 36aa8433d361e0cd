//! `concat`: inputs one after another along an axis.

use super::element::Element;
use super::numeric::dispatch;
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dtype};
use super::tensor::{Inputs, Outputs};
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// Where the inputs differ.
    axis: usize,
}

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=usize::MAX, 1)?;
    let (y, axis) = (step.y(0), step.attrs::<Attrs>()?.axis);
    expect_axis(axis, y.dims.len())?;
    let mut sum = 0usize;
    for index in 0..step.inputs() {
        let x = step.x(index)?;
        expect_dtype("input", x.dtype, y.dtype)?;
        let fits = x.dims.len() == y.dims.len() && (0..y.dims.len()).all(|i| i == axis || x.dims[i] == y.dims[i]);
        if !fits {
            return Err(format!("input {index} of dims {:?} does not join along axis {axis} to {:?}", x.dims, y.dims));
        }
        sum = sum.checked_add(x.dims[axis]).ok_or("the inputs are too long together")?;
    }
    if sum != y.dims[axis] {
        return Err(format!("the inputs have {sum} along axis {axis}, the output {}", y.dims[axis]));
    }
    let (outer, _, _) = y.around(axis);
    dispatch!(width, y.dtype, T => Plan::new(outer, y.len(), Concat::<T> { outer, inputs: step.inputs(), element: PhantomData }))
}

struct Concat<T> {
    outer: usize,
    inputs: usize,
    element: PhantomData<T>,
}

impl<T: Element> Kernel for Concat<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let mut rest = y.take_bits::<T>(0)?;
        for unit in units {
            for index in 0..self.inputs {
                let x = x.bits::<T>(index)?;
                let each = x.len() / self.outer;
                let (y, behind) = rest.split_at_mut(each);
                y.copy_from_slice(&x[unit * each..(unit + 1) * each]);
                rest = behind;
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
    fn joins_along_any_axis() {
        let (a, b, none) = ([1i16, 2, 3, 4], [5i16, 6], [0i16; 0]);
        let y: Vec<i16> = run("concat", json!({"axis": 1}), &[&spec(&[2, 2], &a), &spec(&[2, 0], &none), &spec(&[2, 1], &b)], &[2, 3]);
        assert_eq!(y, [1, 2, 5, 3, 4, 6]);
        let y: Vec<i16> = run("concat", json!({"axis": 0}), &[&spec(&[2, 2], &a), &spec(&[1, 2], &b)], &[3, 2]);
        assert_eq!(y, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let t = |dims: &[usize]| Some((DType::S16, dims.to_vec()));
        let y = [(DType::S16, vec![2, 3])];
        assert!(try_check("concat", json!({"axis": 1}), &[t(&[2, 2]), t(&[2, 1])], &y).is_ok());
        assert!(try_check("concat", json!({"axis": 1}), &[t(&[2, 2]), t(&[2, 2])], &y).is_err());
        assert!(try_check("concat", json!({"axis": 2}), &[t(&[2, 2]), t(&[2, 1])], &y).is_err());
        assert!(try_check("concat", json!({"axis": 1}), &[t(&[2, 2]), t(&[1, 1])], &y).is_err());
        assert!(try_check("concat", json!({"axis": 1}), &[t(&[2, 2]), None], &y).is_err());
        assert!(try_check("concat", json!({"axis": 1}), &[], &y).is_err());
    }
}
