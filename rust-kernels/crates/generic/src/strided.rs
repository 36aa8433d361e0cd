//! `strided`: y[i…] = x[offset + Σ i·strides]. Transpose, slice, split, expand, tile, flips and block rearrangements are all this.

use super::element::{Element, size_of};
use super::spec::{GenericError, Kernel, Plan, Step, expect_dtype};
use super::tensor::{Inputs, Outputs};
use super::walk::Walk;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// The output's elements in any factorisation.
    dims: Vec<usize>,
    /// Elements of x that each of `dims` moves by; may be 0 or negative.
    strides: Vec<isize>,
    /// Where y\[0…\] comes from.
    offset: usize,
}

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    let count = attrs.dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
    if attrs.dims.len() != attrs.strides.len() || count != Some(y.len()) {
        return Err(format!("dims {:?} and strides {:?} do not describe {} elements", attrs.dims, attrs.strides, y.len()));
    }
    let strides: Vec<[isize; 1]> = attrs.strides.iter().map(|&stride| [stride]).collect();
    let walk = Walk::new(&attrs.dims, &strides, [attrs.offset], [x.len()])?;
    match size_of(x.dtype) {
        1 => Plan::new(y.len(), y.len(), Copy::<u8>::new(walk)),
        2 => Plan::new(y.len(), y.len(), Copy::<u16>::new(walk)),
        4 => Plan::new(y.len(), y.len(), Copy::<u32>::new(walk)),
        _ => Plan::new(y.len(), y.len(), Copy::<u64>::new(walk)),
    }
}

struct Copy<T> {
    walk: Walk<1>,
    element: PhantomData<T>,
}

impl<T> Copy<T> {
    fn new(walk: Walk<1>) -> Self {
        Self { walk, element: PhantomData }
    }
}

impl<T: Element> Kernel for Copy<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (x, y) = (x.bits::<T>(0)?, y.take_bits::<T>(0)?);
        self.walk.runs(units, |run| {
            let y = &mut y[run.at..run.at + run.len];
            let at = run.offset[0];
            match run.stride[0] {
                1 => y.copy_from_slice(&x[at..at + run.len]),
                0 => y.fill(x[at]),
                stride => {
                    for (i, y) in y.iter_mut().enumerate() {
                        *y = x[at.wrapping_add_signed(i as isize * stride)];
                    }
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::testing::{run, spec, try_check};
    use serde_json::json;

    #[test]
    fn transposes() {
        let x: Vec<f32> = (0..6).map(|i| i as f32).collect();
        let y: Vec<f32> = run("strided", json!({"dims": [3, 2], "strides": [1, 3], "offset": 0}), &[&spec(&[2, 3], &x)], &[3, 2]);
        assert_eq!(y, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }

    #[test]
    fn reverses_and_repeats() {
        let x = [1i64, 2, 3];
        let y: Vec<i64> = run("strided", json!({"dims": [2, 3], "strides": [0, -1], "offset": 2}), &[&spec(&[3], &x)], &[6]);
        assert_eq!(y, [3, 2, 1, 3, 2, 1]);
        let y: Vec<i64> = run("strided", json!({"dims": [1, 4], "strides": [7, 0], "offset": 1}), &[&spec(&[3], &x)], &[4]);
        assert_eq!(y, [2; 4]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let x = (DType::F32, vec![2, 3]);
        let ok = json!({"dims": [6], "strides": [1], "offset": 0});
        assert!(try_check("strided", ok.clone(), &[Some(x.clone())], &[(DType::F32, vec![6])]).is_ok());
        assert!(try_check("strided", ok.clone(), &[Some(x.clone())], &[(DType::F32, vec![5])]).is_err());
        assert!(try_check("strided", ok.clone(), &[Some(x.clone())], &[(DType::F16, vec![6])]).is_err());
        assert!(try_check("strided", ok.clone(), &[None], &[(DType::F32, vec![6])]).is_err());
        for wrong in [
            json!({"dims": [6], "strides": [1], "offset": 1}),
            json!({"dims": [6], "strides": [1, 1], "offset": 0}),
            json!({"dims": [6], "strides": [1], "offset": -1}),
            json!({"dims": [6], "strides": [1]}),
            json!({"dims": [6], "strides": [1], "offset": 0, "axis": 0}),
            json!({"dims": [4294967296u64, 4294967296u64], "strides": [0, 0], "offset": 0}),
        ] {
            assert!(try_check("strided", wrong.clone(), &[Some(x.clone())], &[(DType::F32, vec![6])]).is_err(), "{wrong}");
        }
    }
}
