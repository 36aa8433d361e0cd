//! `scatter_elements`, `scatter_nd`: a copy of x in which indexed elements are replaced by, or combined with, updates in order.

use super::element::{Bool, Element};
use super::gather::{Places, Slices};
use super::index::Index;
use super::numeric::{Arithmetic, Numeric, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, TensorSpec, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Reduction {
    #[default]
    None,
    Add,
    Mul,
    Max,
    Min,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ElementsAttrs {
    /// The axis that is indexed.
    axis: usize,
    #[serde(default)]
    reduction: Reduction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NdAttrs {
    #[serde(default)]
    reduction: Reduction,
}

/// Inputs x, indices, updates of the dims of indices.
pub(super) fn plan_elements(step: &Step<'_>) -> Result<Plan, String> {
    let attrs = step.attrs::<ElementsAttrs>()?;
    let (x, indices, updates) = operands(step)?;
    expect_dims("updates", &updates.dims, &indices.dims)?;
    let places = Places::new(x, indices, attrs.axis)?;
    plan(x, indices, updates, attrs.reduction, Targets::Elements(places))
}

/// Inputs x, indices whose last axis holds tuples, updates: one slice a tuple.
pub(super) fn plan_nd(step: &Step<'_>) -> Result<Plan, String> {
    let attrs = step.attrs::<NdAttrs>()?;
    let (x, indices, updates) = operands(step)?;
    let slices = Slices::new(x, indices, 0)?;
    let expected = [&indices.dims[..indices.dims.len() - 1], &x.dims[slices.tuple..]].concat();
    expect_dims("updates", &updates.dims, &expected)?;
    plan(x, indices, updates, attrs.reduction, Targets::Slices(slices))
}

fn operands<'a>(step: &Step<'a>) -> Result<(&'a TensorSpec, &'a TensorSpec, &'a TensorSpec), String> {
    step.arity(3..=3, 1)?;
    let (x, indices, updates, y) = (step.x(0)?, step.x(1)?, step.x(2)?, step.y(0));
    expect_dtype("updates", updates.dtype, x.dtype)?;
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    Ok((x, indices, updates))
}

fn plan(x: &TensorSpec, indices: &TensorSpec, updates: &TensorSpec, reduction: Reduction, targets: Targets) -> Result<Plan, String> {
    let cost = x.len().saturating_add(updates.len());
    dispatch!(index, indices.dtype, "index", I => match (reduction, x.dtype) {
        (Reduction::None, dtype) => dispatch!(width, dtype, T => scatter::<T, I, _>(targets, cost, |_, new| new)),
        // On truth values addition and the larger are the disjunction, multiplication and the smaller the conjunction.
        (Reduction::Add | Reduction::Max, DType::Bool) => {
            scatter::<Bool, I, _>(targets, cost, |a, b| Bool::from(a.is_true() | b.is_true()))
        }
        (_, DType::Bool) => scatter::<Bool, I, _>(targets, cost, |a, b| Bool::from(a.is_true() & b.is_true())),
        (_, dtype) => dispatch!(numeric, dtype, "input", T => combine::<T, I>(targets, cost, reduction)),
    })
}

fn combine<T: Numeric, I: Index>(targets: Targets, cost: usize, reduction: Reduction) -> Result<Plan, String> {
    let f: fn(T::Wide, T::Wide) -> T::Wide = match reduction {
        Reduction::None => |_, new| new,
        Reduction::Add => Arithmetic::add,
        Reduction::Mul => Arithmetic::mul,
        Reduction::Max => Arithmetic::larger,
        Reduction::Min => Arithmetic::smaller,
    };
    scatter::<T, I, _>(targets, cost, move |old, new| T::narrow(f(old.widen(), new.widen())))
}

/// Updates may meet in one element and apply in order, so there is one unit.
fn scatter<T: Element, I: Index, F>(targets: Targets, cost: usize, combine: F) -> Result<Plan, String>
where
    F: Fn(T, T) -> T + Send + Sync + 'static,
{
    Plan::new(1, cost, Scatter { targets, combine, types: PhantomData::<(T, I)> })
}

enum Targets {
    Elements(Places),
    Slices(Slices),
}

struct Scatter<T, I, F> {
    targets: Targets,
    combine: F,
    types: PhantomData<(T, I)>,
}

impl<T: Element, I: Index, F: Fn(T, T) -> T + Send + Sync> Kernel for Scatter<T, I, F> {
    fn run(&self, _: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (indices, updates, y) = (x.get::<I>(1)?, x.bits::<T>(2)?, y.take_bits::<T>(0)?);
        y.copy_from_slice(x.bits::<T>(0)?);
        match &self.targets {
            Targets::Elements(places) => {
                for (at, (&index, &update)) in indices.iter().zip(updates).enumerate() {
                    let old = &mut y[places.find(at, index)?];
                    *old = (self.combine)(*old, update);
                }
            }
            Targets::Slices(slices) => {
                for n in 0..updates.len().checked_div(slices.size).unwrap_or(0) {
                    let at = slices.find(&indices[n * slices.tuple..(n + 1) * slices.tuple])?;
                    let updates = &updates[n * slices.size..(n + 1) * slices.size];
                    for (old, &update) in y[at..at + slices.size].iter_mut().zip(updates) {
                        *old = (self.combine)(*old, update);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::element::F16;
    use crate::testing::{run, spec, try_check, try_run};
    use serde_json::json;

    #[test]
    fn scatters_elements_along_an_axis() {
        let x = [0.0f32; 9];
        let indices = [1i64, 0, 2, 0, -1, 1];
        let updates = [1.0f32, 1.1, 1.2, 2.0, 2.1, 2.2];
        let x = spec(&[3, 3], &x);
        let y: Vec<f32> = run("scatter_elements", json!({"axis": 0}), &[&x, &spec(&[2, 3], &indices), &spec(&[2, 3], &updates)], &[3, 3]);
        assert_eq!(y, [2.0, 1.1, 0.0, 1.0, 0.0, 2.2, 0.0, 2.1, 1.2]);
    }

    #[test]
    fn updates_that_meet_apply_in_order() {
        let (x, indices, updates) = ([2i32, 3], [0i64, 0, 0], [5i32, 7, 1]);
        let result = |reduction: &str| -> Vec<i32> {
            let operands = [&spec(&[2], &x), &spec(&[3], &indices), &spec(&[3], &updates)];
            run("scatter_elements", json!({"axis": 0, "reduction": reduction}), &operands, &[2])
        };
        assert_eq!(result("none"), [1, 3]);
        assert_eq!(result("add"), [15, 3]);
        assert_eq!(result("mul"), [70, 3]);
        assert_eq!(result("max"), [7, 3]);
        assert_eq!(result("min"), [1, 3]);
    }

    #[test]
    fn halves_are_added_as_numbers() {
        let half = F16::from_f32;
        let (x, index, update) = ([half(1.5)], [0i32], [half(2.25)]);
        let operands = [&spec(&[1], &x), &spec(&[1], &index), &spec(&[1], &update)];
        assert_eq!(run::<F16>("scatter_elements", json!({"axis": 0, "reduction": "add"}), &operands, &[1]), [half(3.75)]);
    }

    #[test]
    fn scatters_slices() {
        let x = [1u8, 2, 3, 4, 5, 6];
        let (indices, updates) = ([2i64, 0], [9u8, 8, 7, 6]);
        let y: Vec<u8> = run("scatter_nd", json!({}), &[&spec(&[3, 2], &x), &spec(&[2, 1], &indices), &spec(&[2, 2], &updates)], &[3, 2]);
        assert_eq!(y, [7, 6, 3, 4, 9, 8]);
        let y: Vec<u8> = run(
            "scatter_nd",
            json!({"reduction": "add"}),
            &[&spec(&[3, 2], &x), &spec(&[1, 2], &indices), &spec(&[1], &updates[..1])],
            &[3, 2],
        );
        assert_eq!(y, [1, 2, 3, 4, 14, 6]);
    }

    #[test]
    fn an_index_outside_ends_the_run() {
        let (x, index, update) = ([1u8, 2], [2i64], [9u8]);
        let operands = [Some(&spec(&[2], &x)), Some(&spec(&[1], &index)), Some(&spec(&[1], &update))];
        assert!(try_run::<u8>("scatter_elements", json!({"axis": 0}), &operands, &[2]).is_err());
        assert!(try_run::<u8>("scatter_nd", json!({}), &[operands[0], operands[1], Some(&spec(&[], &update))], &[2]).is_err());
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let f = |dims: &[usize]| Some((DType::F32, dims.to_vec()));
        let i = |dims: &[usize]| Some((DType::S64, dims.to_vec()));
        let y = [(DType::F32, vec![2, 2])];
        assert!(try_check("scatter_elements", json!({"axis": 2}), &[f(&[2, 2]), i(&[1, 1]), f(&[1, 1])], &y).is_err());
        assert!(try_check("scatter_elements", json!({"axis": 0}), &[f(&[2, 2]), i(&[1, 3]), f(&[1, 3])], &y).is_err());
        assert!(try_check("scatter_elements", json!({"axis": 0}), &[f(&[2, 2]), i(&[1, 1]), f(&[1, 2])], &y).is_err());
        assert!(try_check("scatter_nd", json!({}), &[f(&[2, 2]), i(&[1, 1]), f(&[1])], &y).is_err());
        assert!(try_check("scatter_nd", json!({"reduction": "mean"}), &[f(&[2, 2]), i(&[1, 1]), f(&[1, 2])], &y).is_err());
    }
}
