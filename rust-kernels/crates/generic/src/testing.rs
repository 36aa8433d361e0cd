//! Running one operator on slices, for the tests of this module.

use super::element::Element;
use super::spec::GenericError;
use super::{GenericOp, RawTensor, RawTensorMut, TensorSpec, check};
use crate::DType;
use serde_json::Value;

/// An operand of a test.
pub struct Operand<'a> {
    spec: TensorSpec,
    raw: RawTensor<'a>,
}

/// `data` with `dims`.
pub fn spec<'a, T: Element>(dims: &[usize], data: &'a [T]) -> Operand<'a> {
    assert_eq!(dims.iter().product::<usize>(), data.len());
    // SAFETY: a borrowed slice is readable and aligned for its lifetime.
    let raw = unsafe { RawTensor::new(T::DTYPE, data.len(), data.as_ptr().cast()) };
    Operand { spec: TensorSpec { dtype: T::DTYPE, dims: dims.to_vec() }, raw }
}

/// Only checks.
pub fn try_check(
    kind: &str,
    attrs: Value,
    x: &[Option<(DType, Vec<usize>)>],
    y: &[(DType, Vec<usize>)],
) -> Result<Box<dyn GenericOp>, String> {
    let of = |(dtype, dims): &(DType, Vec<usize>)| TensorSpec { dtype: *dtype, dims: dims.clone() };
    let x: Vec<_> = x.iter().map(|x| x.as_ref().map(of)).collect();
    let y: Vec<_> = y.iter().map(of).collect();
    check(kind, attrs.as_object().unwrap(), &x, &y)
}

/// Runs with one output and gives its elements; in 1 to 5 parts, which must agree bit for bit.
pub fn run<T: Element>(kind: &str, attrs: Value, x: &[&Operand<'_>], dims: &[usize]) -> Vec<T> {
    let x: Vec<_> = x.iter().map(|x| Some(*x)).collect();
    try_run(kind, attrs, &x, dims).unwrap()
}

/// As [`run`], with optional operands and the run's error.
pub fn try_run<T: Element>(kind: &str, attrs: Value, x: &[Option<&Operand<'_>>], dims: &[usize]) -> Result<Vec<T>, GenericError> {
    let specs: Vec<_> = x.iter().map(|x| x.map(|x| x.spec.clone())).collect();
    let raws: Vec<_> = x.iter().map(|x| x.map(|x| x.raw)).collect();
    let y = TensorSpec { dtype: T::DTYPE, dims: dims.to_vec() };
    let op = check(kind, attrs.as_object().unwrap(), &specs, std::slice::from_ref(&y)).unwrap();
    let mut first: Option<Vec<T>> = None;
    for parts in 1..=5 {
        let mut out = vec![T::default(); y.len()];
        // SAFETY: the vector is writable, aligned, and used by this loop's runs alone.
        let raw = unsafe { RawTensorMut::new(T::DTYPE, out.len(), out.as_mut_ptr().cast()) };
        for part in (0..parts).rev() {
            op.run(part, parts, &raws, &[raw])?;
        }
        match &first {
            None => first = Some(out),
            Some(first) => assert_eq!(bytes(first), bytes(&out), "{kind} in {parts} parts"),
        }
    }
    Ok(first.unwrap())
}

fn bytes<T: Element>(data: &[T]) -> &[u8] {
    // SAFETY: elements are plain numbers without padding.
    unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), std::mem::size_of_val(data)) }
}
