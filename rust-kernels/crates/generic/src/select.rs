//! `where`: y = c ? a : b, all three broadcast; `clip`: y = min(max(x, low), high).

use super::element::{Bool, Element};
use super::numeric::{Arithmetic, Numeric, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use super::walk::Walk;
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoAttrs {}

pub(super) fn plan_where(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(3..=3, 1)?;
    step.attrs::<NoAttrs>()?;
    let (c, a, b, y) = (step.x(0)?, step.x(1)?, step.x(2)?, step.y(0));
    expect_dtype("condition", c.dtype, DType::Bool)?;
    expect_dtype("third input", b.dtype, a.dtype)?;
    expect_dtype("output", y.dtype, a.dtype)?;
    let walk = Walk::broadcast(&y.dims, [&c.dims, &a.dims, &b.dims])?;
    let size = y.len();
    dispatch!(width, a.dtype, T => Plan::new(size, size, Where::<T> { walk, element: PhantomData }))
}

struct Where<T> {
    walk: Walk<3>,
    element: PhantomData<T>,
}

impl<T: Element> Kernel for Where<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (c, a, b, y) = (x.get::<Bool>(0)?, x.bits::<T>(1)?, x.bits::<T>(2)?, y.take_bits::<T>(0)?);
        // Broadcasting only makes strides of 0 and 1 on the innermost dim.
        self.walk.runs(units, |run| {
            let [at_c, at_a, at_b] = run.offset;
            let [step_c, step_a, step_b] = run.stride.map(|stride| stride as usize);
            for (i, y) in y[run.at..run.at + run.len].iter_mut().enumerate() {
                *y = if c[at_c + i * step_c].is_true() { a[at_a + i * step_a] } else { b[at_b + i * step_b] };
            }
        });
        Ok(())
    }
}

/// Inputs x, low?, high?; the bounds are scalars.
pub(super) fn plan_clip(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=3, 1)?;
    step.attrs::<NoAttrs>()?;
    let (x, y) = (step.x(0)?, step.y(0));
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    for bound in [step.optional(1), step.optional(2)].into_iter().flatten() {
        expect_dtype("bound", bound.dtype, x.dtype)?;
        if bound.len() != 1 {
            return Err(format!("a bound has dims {:?}, expected a scalar", bound.dims));
        }
    }
    let size = y.len();
    dispatch!(numeric, x.dtype, "input", T => Plan::new(size, size, Clip::<T>(PhantomData)))
}

struct Clip<T>(PhantomData<T>);

impl<T: Numeric> Kernel for Clip<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let bound = |index, otherwise| Ok(x.optional::<T>(index)?.map_or(otherwise, |bound| bound[0].widen()));
        let (low, high) = (bound(1, T::Wide::LOWEST)?, bound(2, T::Wide::HIGHEST)?);
        for (y, x) in y.take::<T>(0)?.iter_mut().zip(&x.get::<T>(0)?[units]) {
            *y = T::narrow(x.widen().larger(low).smaller(high));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::element::Bool;
    use crate::testing::{run, spec, try_check, try_run};
    use serde_json::json;

    #[test]
    fn where_broadcasts_all_three() {
        let c = [Bool(1), Bool(0)];
        let (a, b) = ([1.0f32, 2.0, 3.0], [9.0f32]);
        let y: Vec<f32> = run("where", json!({}), &[&spec(&[2, 1], &c), &spec(&[3], &a), &spec(&[], &b)], &[2, 3]);
        assert_eq!(y, [1.0, 2.0, 3.0, 9.0, 9.0, 9.0]);
    }

    #[test]
    fn clip_takes_either_bound() {
        let x = [-5i8, 0, 5];
        let (low, high) = ([-1i8], [2i8]);
        let (x, low, high) = (spec(&[3], &x), spec(&[], &low), spec(&[], &high));
        assert_eq!(run::<i8>("clip", json!({}), &[&x, &low, &high], &[3]), [-1, 0, 2]);
        assert_eq!(run::<i8>("clip", json!({}), &[&x], &[3]), [-5, 0, 5]);
        assert_eq!(try_run::<i8>("clip", json!({}), &[Some(&x), None, Some(&high)], &[3]).unwrap(), [-5, 0, 2]);
    }

    #[test]
    fn clip_keeps_nan_and_lets_the_upper_bound_win() {
        let x = [f32::NAN, 1.0];
        let (low, high) = ([5.0f32], [3.0f32]);
        let y: Vec<f32> = run("clip", json!({}), &[&spec(&[2], &x), &spec(&[], &low), &spec(&[], &high)], &[2]);
        assert!(y[0].is_nan());
        assert_eq!(y[1], 3.0);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let t = |dtype, n| Some((dtype, vec![n]));
        let f = DType::F32;
        assert!(try_check("where", json!({}), &[t(f, 2), t(f, 2), t(f, 2)], &[(f, vec![2])]).is_err());
        assert!(try_check("where", json!({}), &[t(DType::Bool, 2), t(f, 2), t(f, 3)], &[(f, vec![2])]).is_err());
        assert!(try_check("clip", json!({}), &[t(f, 2), t(f, 2)], &[(f, vec![2])]).is_err());
        assert!(try_check("clip", json!({"low": 0}), &[t(f, 2)], &[(f, vec![2])]).is_err());
    }
}
