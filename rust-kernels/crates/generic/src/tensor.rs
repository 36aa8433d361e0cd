//! Typed access to operand memory.

use super::element::{Element, size_of};
use super::spec::GenericError;
use crate::DType;
use std::marker::PhantomData;
use std::ops::Range;

/// An input operand: `len` elements that nobody writes for `'a`.
#[derive(Clone, Copy, Debug)]
pub struct RawTensor<'a> {
    dtype: DType,
    len: usize,
    data: *const u8,
    memory: PhantomData<&'a [u8]>,
}

/// An output operand: `len` elements that the parts of one run write, each its own.
#[derive(Clone, Copy, Debug)]
pub struct RawTensorMut<'a> {
    dtype: DType,
    len: usize,
    data: *mut u8,
    memory: PhantomData<&'a mut [u8]>,
}

// SAFETY: shared, read-only bytes.
unsafe impl Send for RawTensor<'_> {}
// SAFETY: as above.
unsafe impl Sync for RawTensor<'_> {}
// SAFETY: the constructor's contract makes the parts of one run its only users, and those touch disjoint ranges.
unsafe impl Send for RawTensorMut<'_> {}
// SAFETY: as above.
unsafe impl Sync for RawTensorMut<'_> {}

impl<'a> RawTensor<'a> {
    /// Wraps `len` elements at `data`.
    ///
    /// # Safety
    /// - `data` is readable for `len` elements of `dtype` during `'a`, initialised, and not written by anyone;
    /// - it is aligned for the dtype, unless `len` is 0.
    pub unsafe fn new(dtype: DType, len: usize, data: *const u8) -> Self {
        debug_assert!(len == 0 || (data as usize).is_multiple_of(size_of(dtype)));
        Self { dtype, len, data, memory: PhantomData }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements, when `T` is their type.
    pub(super) fn slice<T: Element>(&self) -> Result<&'a [T], GenericError> {
        if T::DTYPE != self.dtype {
            return Err(GenericError::Internal("an operand was read as another dtype"));
        }
        if self.len == 0 {
            return Ok(&[]);
        }
        // SAFETY: the constructor's contract; every bit pattern is a valid `T`.
        Ok(unsafe { std::slice::from_raw_parts(self.data.cast(), self.len) })
    }

    /// The elements as unsigned integers of the same width, for kernels that only move them.
    pub(super) fn bits<T: Element>(&self) -> Result<&'a [T], GenericError> {
        if size_of(T::DTYPE) != size_of(self.dtype) {
            return Err(GenericError::Internal("an operand was read at another width"));
        }
        Self { dtype: T::DTYPE, ..*self }.slice()
    }
}

impl<'a> RawTensorMut<'a> {
    /// Wraps `len` elements at `data`.
    ///
    /// # Safety
    /// - `data` is writable for `len` elements of `dtype` during `'a`, initialised with any bytes, and overlaps no other operand;
    /// - it is aligned for the dtype, unless `len` is 0;
    /// - during `'a` it is used only by [`run`](super::GenericOp::run), with one operator and one number of parts, each part by one
    ///   thread at a time.
    pub unsafe fn new(dtype: DType, len: usize, data: *mut u8) -> Self {
        debug_assert!(len == 0 || (data as usize).is_multiple_of(size_of(dtype)));
        Self { dtype, len, data, memory: PhantomData }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The inputs of one part: all of every operand.
pub(super) struct Inputs<'a>(pub(super) &'a [Option<RawTensor<'a>>]);

impl<'a> Inputs<'a> {
    /// Input `index`, which `check` has proved present and of type `T`.
    pub fn get<T: Element>(&self, index: usize) -> Result<&'a [T], GenericError> {
        self.optional(index)?.ok_or(GenericError::Internal("an operand that must be present is absent"))
    }

    /// Input `index` if it is there.
    pub fn optional<T: Element>(&self, index: usize) -> Result<Option<&'a [T]>, GenericError> {
        self.0.get(index).copied().flatten().map(|tensor| tensor.slice()).transpose()
    }

    /// Input `index` as bits of its width.
    pub fn bits<T: Element>(&self, index: usize) -> Result<&'a [T], GenericError> {
        match self.0.get(index) {
            Some(Some(tensor)) => tensor.bits(),
            _ => Err(GenericError::Internal("an operand that must be present is absent")),
        }
    }
}

/// Outputs a kind may have at most.
pub(super) const MAX_OUTPUTS: usize = 4;

/// The outputs of one part: of each, the elements of the part's units. Each can be taken once.
pub(super) struct Outputs<'a> {
    parts: [Option<RawTensorMut<'a>>; MAX_OUTPUTS],
}

impl<'a> Outputs<'a> {
    /// Cuts `units` of `of` out of each tensor.
    ///
    /// The caller has checked that `units` lies in `0..of`, that `of` divides each length and that there are at most
    /// [`MAX_OUTPUTS`] tensors; other calls get outputs that cannot be taken.
    pub(super) fn cut(tensors: &[RawTensorMut<'a>], units: &Range<usize>, of: usize) -> Self {
        let mut parts = [None; MAX_OUTPUTS];
        for (part, tensor) in parts.iter_mut().zip(tensors) {
            if of == 0 || units.start > units.end || units.end > of || !tensor.len.is_multiple_of(of) {
                continue;
            }
            let each = tensor.len / of;
            // `units.start <= of`, so this stays within (or one past) the tensor.
            let data = tensor.data.wrapping_add(units.start * each * size_of(tensor.dtype));
            *part = Some(RawTensorMut { len: units.len() * each, data, ..*tensor });
        }
        Self { parts }
    }

    /// This part's elements of output `index`.
    pub fn take<T: Element>(&mut self, index: usize) -> Result<&'a mut [T], GenericError> {
        let tensor = self.claim(index)?;
        if T::DTYPE != tensor.dtype {
            return Err(GenericError::Internal("an output was written as another dtype"));
        }
        if tensor.len == 0 {
            return Ok(&mut []);
        }
        // SAFETY: `cut` stays inside the tensor, parts have disjoint units, tensors do not overlap by the constructor's contract,
        // and `claim` hands each out once.
        Ok(unsafe { std::slice::from_raw_parts_mut(tensor.data.cast(), tensor.len) })
    }

    /// This part's elements as unsigned integers of the same width, for kernels that only move them.
    pub fn take_bits<T: Element>(&mut self, index: usize) -> Result<&'a mut [T], GenericError> {
        if let Some(Some(part)) = self.parts.get_mut(index) {
            if size_of(T::DTYPE) != size_of(part.dtype) {
                return Err(GenericError::Internal("an output was written at another width"));
            }
            part.dtype = T::DTYPE;
        }
        self.take(index)
    }

    fn claim(&mut self, index: usize) -> Result<RawTensorMut<'a>, GenericError> {
        self.parts.get_mut(index).and_then(Option::take).ok_or(GenericError::Internal("an output is absent or was taken twice"))
    }
}
