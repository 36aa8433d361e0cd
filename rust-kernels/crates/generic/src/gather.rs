//! `gather`, `gather_elements`, `gather_nd`: elements chosen by index tensors. Negative indices count from the end; any other index
//! outside its axis ends the run.

use super::element::Element;
use super::index::{Index, resolve};
use super::numeric::dispatch;
use super::spec::{GenericError, Kernel, Plan, Step, TensorSpec, expect_axis, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AxisAttrs {
    /// The axis that is indexed.
    axis: usize,
}

/// y[o, j…, i] = x[o, indices[j…], i]
pub(super) fn plan_gather(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=2, 1)?;
    let (x, indices, y, axis) = (step.x(0)?, step.x(1)?, step.y(0), step.attrs::<AxisAttrs>()?.axis);
    expect_axis(axis, x.dims.len())?;
    expect_dtype("output", y.dtype, x.dtype)?;
    let expected = [&x.dims[..axis], &indices.dims, &x.dims[axis + 1..]].concat();
    expect_dims("output", &y.dims, &expected)?;
    let (outer, length, inner) = x.around(axis);
    let units = outer.saturating_mul(indices.len());
    dispatch!(index, indices.dtype, "index", I => dispatch!(width, x.dtype, T => {
        Plan::new(units, y.len(), Gather::<T, I> { length, inner, count: indices.len(), types: PhantomData })
    }))
}

struct Gather<T, I> {
    length: usize,
    inner: usize,
    count: usize,
    types: PhantomData<(T, I)>,
}

impl<T: Element, I: Index> Kernel for Gather<T, I> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (indices, x, y) = (x.get::<I>(1)?, x.bits::<T>(0)?, y.take_bits::<T>(0)?);
        for (unit, y) in units.zip(y.chunks_exact_mut(self.inner)) {
            let (outer, j) = (unit / self.count, unit % self.count);
            let at = (outer * self.length + resolve(indices[j], self.length)?) * self.inner;
            y.copy_from_slice(&x[at..at + self.inner]);
        }
        Ok(())
    }
}

/// y has the dims of indices; y[…, j, …] = x[…, indices[…, j, …], …] on the axis, the same position on the others.
pub(super) fn plan_elements(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=2, 1)?;
    let (x, indices, y, axis) = (step.x(0)?, step.x(1)?, step.y(0), step.attrs::<AxisAttrs>()?.axis);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &indices.dims)?;
    let places = Places::new(x, indices, axis)?;
    dispatch!(index, indices.dtype, "index", I => dispatch!(width, x.dtype, T => {
        Plan::new(y.len(), y.len(), GatherElements::<T, I> { places, types: PhantomData })
    }))
}

/// Where the element that an index tensor names lies in a data tensor of the same rank.
pub(super) struct Places {
    /// Of the index tensor.
    dims: Vec<usize>,
    /// Of the data tensor; 0 for the indexed axis.
    strides: Vec<usize>,
    length: usize,
    stride: usize,
}

impl Places {
    pub fn new(data: &TensorSpec, indices: &TensorSpec, axis: usize) -> Result<Self, String> {
        let rank = data.dims.len();
        expect_axis(axis, rank)?;
        if indices.dims.len() != rank || (0..rank).any(|i| i != axis && indices.dims[i] > data.dims[i]) {
            return Err(format!("indices of dims {:?} leave data of dims {:?}", indices.dims, data.dims));
        }
        let mut strides: Vec<usize> = (0..rank).map(|i| data.dims[i + 1..].iter().product()).collect();
        let stride = std::mem::take(&mut strides[axis]);
        Ok(Self { dims: indices.dims.clone(), strides, length: data.dims[axis], stride })
    }

    /// Element `at` of the index tensor holds `index`; the offset in the data.
    #[inline]
    pub fn find<I: Index>(&self, at: usize, index: I) -> Result<usize, GenericError> {
        let (mut rest, mut offset) = (at, resolve(index, self.length)? * self.stride);
        for (&dim, &stride) in self.dims.iter().zip(&self.strides).rev() {
            offset += rest % dim * stride;
            rest /= dim;
        }
        Ok(offset)
    }
}

struct GatherElements<T, I> {
    places: Places,
    types: PhantomData<(T, I)>,
}

impl<T: Element, I: Index> Kernel for GatherElements<T, I> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (indices, x, y) = (x.get::<I>(1)?, x.bits::<T>(0)?, y.take_bits::<T>(0)?);
        for (at, y) in units.zip(y) {
            *y = x[self.places.find(at, indices[at])?];
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NdAttrs {
    /// Leading axes that x and indices share.
    batch_dims: usize,
}

/// The last axis of indices holds tuples that name slices of x.
pub(super) fn plan_nd(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=2, 1)?;
    let (x, indices, y, batch) = (step.x(0)?, step.x(1)?, step.y(0), step.attrs::<NdAttrs>()?.batch_dims);
    expect_dtype("output", y.dtype, x.dtype)?;
    let slices = Slices::new(x, indices, batch)?;
    let expected = [&indices.dims[..indices.dims.len() - 1], &x.dims[batch + slices.tuple..]].concat();
    expect_dims("output", &y.dims, &expected)?;
    let units = indices.dims[..indices.dims.len() - 1].iter().product();
    let per_batch = indices.dims[batch..indices.dims.len() - 1].iter().product();
    let batch_stride = x.dims[batch..].iter().product();
    dispatch!(index, indices.dtype, "index", I => dispatch!(width, x.dtype, T => {
        Plan::new(units, y.len(), GatherNd::<T, I> { slices, per_batch, batch_stride, types: PhantomData })
    }))
}

/// Slices of a data tensor that index tuples name.
pub(super) struct Slices {
    /// Indices in a tuple.
    pub tuple: usize,
    /// Elements of a slice.
    pub size: usize,
    axes: Vec<(usize, usize)>,
}

impl Slices {
    pub fn new(data: &TensorSpec, indices: &TensorSpec, batch: usize) -> Result<Self, String> {
        let &tuple = indices.dims.last().ok_or("indices are a scalar")?;
        let fits = batch < indices.dims.len() && batch.checked_add(tuple).is_some_and(|used| used <= data.dims.len());
        if !fits || data.dims[..batch] != indices.dims[..batch] {
            return Err(format!("indices of dims {:?} do not fit data of dims {:?} with {batch} batch dims", indices.dims, data.dims));
        }
        let stride = |axis: usize| data.dims[axis + 1..].iter().product();
        let axes = (batch..batch + tuple).map(|axis| (data.dims[axis], stride(axis))).collect();
        Ok(Self { tuple, size: data.dims[batch + tuple..].iter().product(), axes })
    }

    /// Offset of the slice that `tuple` names.
    #[inline]
    pub fn find<I: Index>(&self, tuple: &[I]) -> Result<usize, GenericError> {
        let mut offset = 0;
        for (&index, &(length, stride)) in tuple.iter().zip(&self.axes) {
            offset += resolve(index, length)? * stride;
        }
        Ok(offset)
    }
}

struct GatherNd<T, I> {
    slices: Slices,
    per_batch: usize,
    batch_stride: usize,
    types: PhantomData<(T, I)>,
}

impl<T: Element, I: Index> Kernel for GatherNd<T, I> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (indices, x, y) = (x.get::<I>(1)?, x.bits::<T>(0)?, y.take_bits::<T>(0)?);
        for (unit, y) in units.zip(y.chunks_exact_mut(self.slices.size)) {
            let tuple = &indices[unit * self.slices.tuple..(unit + 1) * self.slices.tuple];
            let at = unit / self.per_batch * self.batch_stride + self.slices.find(tuple)?;
            y.copy_from_slice(&x[at..at + self.slices.size]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::spec::GenericError;
    use crate::testing::{run, spec, try_check, try_run};
    use serde_json::json;

    #[test]
    fn gathers_along_an_axis() {
        let x = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let indices = [2i64, -3];
        let y: Vec<f32> = run("gather", json!({"axis": 1}), &[&spec(&[2, 3], &x), &spec(&[2], &indices)], &[2, 2]);
        assert_eq!(y, [3.0, 1.0, 6.0, 4.0]);
        let index = [1i32];
        let y: Vec<f32> = run("gather", json!({"axis": 0}), &[&spec(&[2, 3], &x), &spec(&[], &index)], &[3]);
        assert_eq!(y, [4.0, 5.0, 6.0]);
    }

    #[test]
    fn an_index_outside_ends_the_run() {
        let x = [1u8, 2, 3];
        for index in [3, -4, i64::MIN, i64::MAX] {
            for kind in ["gather", "gather_elements", "gather_nd"] {
                let attrs = if kind == "gather_nd" { json!({"batch_dims": 0}) } else { json!({"axis": 0}) };
                let dims: &[usize] = if kind == "gather_nd" { &[] } else { &[1] };
                let error = try_run::<u8>(kind, attrs, &[Some(&spec(&[3], &x)), Some(&spec(&[1], &[index]))], dims).unwrap_err();
                assert_eq!(error, GenericError::Request(format!("index {index} is outside an axis of length 3")));
            }
        }
        let none: [u8; 0] = [];
        let empty = try_run::<u8>("gather", json!({"axis": 0}), &[Some(&spec(&[0], &none)), Some(&spec(&[1], &[0i64]))], &[1]);
        assert!(empty.is_err());
    }

    #[test]
    fn gathers_elements() {
        let x = [1i32, 2, 3, 4, 5, 6, 7, 8, 9];
        let indices = [1i64, 2, 0, 2, 0, -1];
        let y: Vec<i32> = run("gather_elements", json!({"axis": 0}), &[&spec(&[3, 3], &x), &spec(&[2, 3], &indices)], &[2, 3]);
        assert_eq!(y, [4, 8, 3, 7, 2, 9]);
        let y: Vec<i32> = run("gather_elements", json!({"axis": 1}), &[&spec(&[3, 3], &x), &spec(&[2, 3], &indices)], &[2, 3]);
        assert_eq!(y, [2, 3, 1, 6, 4, 6]);
    }

    #[test]
    fn gathers_slices_by_tuples() {
        let x = [0i32, 1, 2, 3, 4, 5, 6, 7];
        let indices = [0i64, 1, 1, 0];
        let y: Vec<i32> = run("gather_nd", json!({"batch_dims": 0}), &[&spec(&[2, 2, 2], &x), &spec(&[2, 2], &indices)], &[2, 2]);
        assert_eq!(y, [2, 3, 4, 5]);
        let y: Vec<i32> = run("gather_nd", json!({"batch_dims": 1}), &[&spec(&[2, 2, 2], &x), &spec(&[2, 1], &indices[1..3])], &[2, 2]);
        assert_eq!(y, [2, 3, 6, 7]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let f = |dims: &[usize]| Some((DType::F32, dims.to_vec()));
        let i = |dims: &[usize]| Some((DType::S64, dims.to_vec()));
        let y = |dims: &[usize]| [(DType::F32, dims.to_vec())];
        assert!(try_check("gather", json!({"axis": 1}), &[f(&[2]), i(&[2])], &y(&[2])).is_err());
        assert!(try_check("gather", json!({"axis": 0}), &[f(&[2]), f(&[2])], &y(&[2])).is_err());
        assert!(try_check("gather", json!({"axis": 0}), &[f(&[2]), i(&[2])], &y(&[3])).is_err());
        assert!(try_check("gather_elements", json!({"axis": 0}), &[f(&[2, 2]), i(&[5, 2])], &y(&[5, 2])).is_ok());
        assert!(try_check("gather_elements", json!({"axis": 0}), &[f(&[2, 2]), i(&[2, 5])], &y(&[2, 5])).is_err());
        assert!(try_check("gather_nd", json!({"batch_dims": 0}), &[f(&[2, 2]), i(&[3])], &y(&[])).is_err());
        assert!(try_check("gather_nd", json!({"batch_dims": 1}), &[f(&[2, 2]), i(&[3, 1])], &y(&[3])).is_err());
    }
}
