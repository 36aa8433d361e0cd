//! Indices that come from data.

use super::element::Element;
use super::spec::GenericError;

/// An element type that indices may have.
pub(super) trait Index: Element {
    fn to_i64(self) -> i64;
}

impl Index for i32 {
    #[inline]
    fn to_i64(self) -> i64 {
        self as i64
    }
}

impl Index for i64 {
    #[inline]
    fn to_i64(self) -> i64 {
        self
    }
}

/// A position on an axis; −1 is its last element.
#[inline]
pub(super) fn resolve<I: Index>(index: I, length: usize) -> Result<usize, GenericError> {
    let index = index.to_i64();
    let position = if index < 0 { index.wrapping_add(length as i64) } else { index };
    if (position as u64) < length as u64 { Ok(position as usize) } else { Err(outside(index, length)) }
}

#[cold]
fn outside(index: i64, length: usize) -> GenericError {
    GenericError::Request(format!("index {index} is outside an axis of length {length}"))
}
