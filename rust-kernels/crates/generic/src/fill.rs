//! Kinds whose elements depend on where they are: `one_hot`, `trilu`, `eye`, `range`, `reverse_sequence`.

use super::element::{Bool, Element};
use super::index::resolve;
use super::numeric::{Arithmetic, Numeric, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneHotAttrs {
    /// Where the new axis lies in the output.
    axis: usize,
}

/// Inputs indices (any number), values \[off, on\]. An index from −depth to depth − 1 switches one place on, others none.
pub(super) fn plan_one_hot(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=2, 1)?;
    let (indices, values, y, axis) = (step.x(0)?, step.x(1)?, step.y(0), step.attrs::<OneHotAttrs>()?.axis);
    expect_dtype("output", y.dtype, values.dtype)?;
    expect_dims("values", &values.dims, &[2])?;
    expect_axis(axis, y.dims.len())?;
    let others = [&y.dims[..axis], &y.dims[axis + 1..]].concat();
    expect_dims("indices", &indices.dims, &others)?;
    let (outer, depth, inner) = y.around(axis);
    let read = dispatch!(numeric, indices.dtype, "index", I => Ok(read_index::<I> as ReadIndex))?;
    dispatch!(width, y.dtype, T => Plan::new(outer, y.len(), OneHot::<T> { read, depth, inner, element: PhantomData }))
}

type ReadIndex = fn(&Inputs<'_>, usize) -> Result<i64, GenericError>;

fn read_index<I: Numeric>(x: &Inputs<'_>, at: usize) -> Result<i64, GenericError> {
    Ok(x.get::<I>(0)?[at].widen().to_f64() as i64)
}

struct OneHot<T> {
    read: ReadIndex,
    depth: usize,
    inner: usize,
    element: PhantomData<T>,
}

impl<T: Element> Kernel for OneHot<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (values, y) = (x.bits::<T>(1)?, y.take_bits::<T>(0)?);
        y.fill(values[0]);
        for i in 0..units.len() * self.inner {
            let index = (self.read)(x, units.start * self.inner + i)?;
            if let Ok(place) = resolve(index, self.depth) {
                y[(i / self.inner * self.depth + place) * self.inner + i % self.inner] = values[1];
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriluAttrs {
    /// Keeps what is on and above the diagonal, else on and below.
    upper: bool,
}

/// Inputs x \[…, N, M\] and optionally k, s64: which diagonal. The rest becomes 0.
pub(super) fn plan_trilu(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=2, 1)?;
    let (x, y, upper) = (step.x(0)?, step.y(0), step.attrs::<TriluAttrs>()?.upper);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    let &[.., rows, columns] = &x.dims[..] else { return Err(format!("dims {:?} are no matrix", x.dims)) };
    if let Some(k) = step.optional(1) {
        expect_dtype("diagonal", k.dtype, DType::S64)?;
        if k.len() != 1 {
            return Err(format!("the diagonal has dims {:?}, expected a scalar", k.dims));
        }
    }
    let units = x.len().checked_div(columns).unwrap_or(0);
    dispatch!(width, x.dtype, T => Plan::new(units, x.len(), Trilu::<T> { upper, rows, columns, element: PhantomData }))
}

struct Trilu<T> {
    upper: bool,
    rows: usize,
    columns: usize,
    element: PhantomData<T>,
}

impl<T: Element> Kernel for Trilu<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let k = x.optional::<i64>(1)?.map_or(0, |k| k[0]);
        let x = &x.bits::<T>(0)?[units.start * self.columns..units.end * self.columns];
        let rows = y.take_bits::<T>(0)?.chunks_exact_mut(self.columns).zip(x.chunks_exact(self.columns));
        for (unit, (y, x)) in units.zip(rows) {
            // The first column that is on or above the diagonal, or one behind the last on or below it.
            let border = ((unit % self.rows) as i64).saturating_add(k).saturating_add(if self.upper { 0 } else { 1 });
            let border = border.clamp(0, self.columns as i64) as usize;
            let kept = if self.upper { border..self.columns } else { 0..border };
            y.fill(T::default());
            y[kept.clone()].copy_from_slice(&x[kept]);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EyeAttrs {
    /// Which diagonal holds ones; positive is above the main one.
    k: i64,
}

/// No inputs; y \[rows, columns\].
pub(super) fn plan_eye(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(0..=0, 1)?;
    let (y, k) = (step.y(0), step.attrs::<EyeAttrs>()?.k);
    let &[rows, columns] = &y.dims[..] else { return Err(format!("dims {:?} are no matrix", y.dims)) };
    match y.dtype {
        DType::Bool => Plan::new(rows, y.len(), Eye { k, columns, one: Bool(1) }),
        dtype => dispatch!(numeric, dtype, "output", T => Plan::new(rows, y.len(), Eye { k, columns, one: T::narrow(Arithmetic::ONE) })),
    }
}

struct Eye<T> {
    k: i64,
    columns: usize,
    one: T,
}

impl<T: Element> Kernel for Eye<T> {
    fn run(&self, units: Range<usize>, _: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        for (row, y) in units.zip(y.take::<T>(0)?.chunks_exact_mut(self.columns)) {
            y.fill(T::default());
            let column = (row as i64).saturating_add(self.k);
            if let Some(y) = usize::try_from(column).ok().and_then(|column| y.get_mut(column)) {
                *y = self.one;
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoAttrs {}

/// Inputs start, delta (scalars); y\[i\] = start + i · delta.
pub(super) fn plan_range(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=2, 1)?;
    step.attrs::<NoAttrs>()?;
    let y = step.y(0);
    for index in 0..2 {
        expect_dtype("input", step.x(index)?.dtype, y.dtype)?;
        if step.x(index)?.len() != 1 {
            return Err(format!("input {index} has dims {:?}, expected a scalar", step.x(index)?.dims));
        }
    }
    dispatch!(numeric, y.dtype, "output", T => Plan::new(y.len(), y.len(), Ramp::<T>(PhantomData)))
}

struct Ramp<T>(PhantomData<T>);

impl<T: Numeric> Kernel for Ramp<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (start, delta) = (x.get::<T>(0)?[0].widen(), x.get::<T>(1)?[0].widen());
        for (i, y) in units.zip(y.take::<T>(0)?) {
            *y = T::narrow(start.add(delta.mul(Arithmetic::from_f64(i as f64))));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReverseAttrs {
    /// 0 or 1: the axis of sequences; the other of the two is time.
    batch_axis: usize,
}

/// Inputs x, lengths s64 \[batch\]: of each sequence the first elements are reversed, as many as its length says.
pub(super) fn plan_reverse_sequence(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=2, 1)?;
    let (x, lengths, y, batch_axis) = (step.x(0)?, step.x(1)?, step.y(0), step.attrs::<ReverseAttrs>()?.batch_axis);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    expect_dtype("lengths", lengths.dtype, DType::S64)?;
    if batch_axis > 1 || x.dims.len() < 2 {
        return Err(format!("batch axis {batch_axis} of dims {:?}", x.dims));
    }
    expect_dims("lengths", &lengths.dims, &[x.dims[batch_axis]])?;
    let dims = [x.dims[0], x.dims[1]];
    let inner = x.dims[2..].iter().product();
    dispatch!(width, x.dtype, T => {
        Plan::new(dims[0] * dims[1], x.len(), ReverseSequence::<T> { batch_axis, dims, inner, element: PhantomData })
    })
}

struct ReverseSequence<T> {
    batch_axis: usize,
    dims: [usize; 2],
    inner: usize,
    element: PhantomData<T>,
}

impl<T: Element> Kernel for ReverseSequence<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (lengths, x) = (x.get::<i64>(1)?, x.bits::<T>(0)?);
        let time_axis = 1 - self.batch_axis;
        for (unit, y) in units.zip(y.take_bits::<T>(0)?.chunks_exact_mut(self.inner)) {
            let mut at = [unit / self.dims[1], unit % self.dims[1]];
            let (length, longest) = (lengths[at[self.batch_axis]], self.dims[time_axis]);
            if length < 0 || length as u64 > longest as u64 {
                return Err(GenericError::Request(format!("sequence length {length} is outside 0..={longest}")));
            }
            if at[time_axis] < length as usize {
                at[time_axis] = length as usize - 1 - at[time_axis];
            }
            let from = (at[0] * self.dims[1] + at[1]) * self.inner;
            y.copy_from_slice(&x[from..from + self.inner]);
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
    fn one_hot_ignores_what_is_outside() {
        let (indices, values) = ([1i64, -1, 3, -4], [0.5f32, 2.0]);
        let y: Vec<f32> = run("one_hot", json!({"axis": 1}), &[&spec(&[4], &indices), &spec(&[2], &values)], &[4, 3]);
        assert_eq!(y, [0.5, 2.0, 0.5, 0.5, 0.5, 2.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
        let y: Vec<f32> = run("one_hot", json!({"axis": 0}), &[&spec(&[2], &[0.0f32, 1.0]), &spec(&[2], &values)], &[2, 2]);
        assert_eq!(y, [2.0, 0.5, 0.5, 2.0]);
    }

    #[test]
    fn trilu_keeps_a_triangle() {
        let x = [1u8, 2, 3, 4, 5, 6];
        let of =
            |upper: bool, k: i64| -> Vec<u8> { run("trilu", json!({ "upper": upper }), &[&spec(&[2, 3], &x), &spec(&[], &[k])], &[2, 3]) };
        assert_eq!(of(true, 0), [1, 2, 3, 0, 5, 6]);
        assert_eq!(of(false, 0), [1, 0, 0, 4, 5, 0]);
        assert_eq!(of(true, 2), [0, 0, 3, 0, 0, 0]);
        assert_eq!(of(false, -1), [0, 0, 0, 4, 0, 0]);
        assert_eq!(of(false, i64::MAX), x);
        assert_eq!(of(true, i64::MAX), [0; 6]);
        assert_eq!(of(true, i64::MIN), x);
    }

    #[test]
    fn eye_has_ones_on_a_diagonal() {
        assert_eq!(run::<i32>("eye", json!({"k": 1}), &[], &[2, 3]), [0, 1, 0, 0, 0, 1]);
        assert_eq!(run::<Bool>("eye", json!({"k": -1}), &[], &[2, 2]), [Bool(0), Bool(0), Bool(1), Bool(0)]);
        assert_eq!(run::<f32>("eye", json!({"k": i64::MIN}), &[], &[1, 1]), [0.0]);
    }

    #[test]
    fn range_counts_from_start() {
        assert_eq!(run::<i64>("range", json!({}), &[&spec(&[], &[10i64]), &spec(&[1], &[-3i64])], &[4]), [10, 7, 4, 1]);
        assert_eq!(run::<f32>("range", json!({}), &[&spec(&[], &[0.5f32]), &spec(&[], &[0.25f32])], &[3]), [0.5, 0.75, 1.0]);
    }

    #[test]
    fn reverses_the_start_of_each_sequence() {
        let x = [0i32, 1, 2, 3, 4, 5];
        let y: Vec<i32> = run("reverse_sequence", json!({"batch_axis": 0}), &[&spec(&[2, 3], &x), &spec(&[2], &[2i64, 3])], &[2, 3]);
        assert_eq!(y, [1, 0, 2, 5, 4, 3]);
        let y: Vec<i32> = run("reverse_sequence", json!({"batch_axis": 1}), &[&spec(&[3, 2], &x), &spec(&[2], &[3i64, 1])], &[3, 2]);
        assert_eq!(y, [4, 1, 2, 3, 0, 5]);
        for length in [-1i64, 4, i64::MIN] {
            let length = [length];
            let operands = [Some(&spec(&[1, 3], &x[..3])), Some(&spec(&[1], &length))];
            assert!(try_run::<i32>("reverse_sequence", json!({"batch_axis": 0}), &operands, &[1, 3]).is_err());
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let t = |dtype, dims: &[usize]| Some((dtype, dims.to_vec()));
        let y = |dims: &[usize]| [(DType::F32, dims.to_vec())];
        assert!(try_check("one_hot", json!({"axis": 1}), &[t(DType::S64, &[4]), t(DType::F32, &[2])], &y(&[3, 4])).is_err());
        assert!(try_check("one_hot", json!({"axis": 1}), &[t(DType::S64, &[4]), t(DType::F32, &[3])], &y(&[4, 3])).is_err());
        assert!(try_check("trilu", json!({"upper": true}), &[t(DType::F32, &[4])], &y(&[4])).is_err());
        assert!(try_check("eye", json!({"k": 0}), &[], &y(&[2, 2, 2])).is_err());
        assert!(
            try_check("reverse_sequence", json!({"batch_axis": 2}), &[t(DType::F32, &[2, 2]), t(DType::S64, &[2])], &y(&[2, 2])).is_err()
        );
    }
}
