//! Exact arithmetic on sizes that others chose.

use crate::error::{Result, RuntimeError};
use crate::program::DType;

/// Dimensions a tensor may have.
pub const MAX_RANK: usize = 16;

/// Elements of `dims`; a zero dimension makes it 0 whatever stands beside it.
///
/// # Errors
/// E_LIMIT when the rank is too high or the product does not fit.
pub fn element_count(dims: &[usize]) -> Result<usize> {
    if dims.len() > MAX_RANK {
        return Err(RuntimeError::limit(format!("rank {} is above {MAX_RANK}", dims.len())));
    }
    if dims.contains(&0) {
        return Ok(0);
    }
    product(dims).ok_or_else(|| RuntimeError::limit(format!("{dims:?} has too many elements")))
}

/// Bytes of a row-major tensor.
///
/// # Errors
/// As [`element_count`].
pub fn tensor_bytes(dtype: DType, dims: &[usize]) -> Result<usize> {
    product(&[element_count(dims)?, dtype.size()]).ok_or_else(|| RuntimeError::limit(format!("{dims:?} has too many bytes")))
}

/// The product of `factors` unless it passes what one allocation can hold.
pub fn product(factors: &[usize]) -> Option<usize> {
    let product = factors.iter().try_fold(1usize, |product, &factor| product.checked_mul(factor))?;
    (product <= isize::MAX as usize).then_some(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_wins_over_any_other_dimension_in_any_order() {
        for dims in [[0, usize::MAX, usize::MAX], [usize::MAX, 0, usize::MAX], [usize::MAX, usize::MAX, 0]] {
            assert_eq!(element_count(&dims).unwrap(), 0);
        }
    }

    /// S1, S9: sizes that wrap or lie at the end of the address space.
    #[test]
    fn products_that_wrap_are_limit_errors() {
        for dims in [vec![1 << 32, 1 << 32], vec![(1 << 63) + 2, 2], vec![1 << 20, 1 << 20, 1 << 24], vec![1; 17]] {
            assert_eq!(element_count(&dims).unwrap_err().code.name(), "E_LIMIT");
        }
        assert_eq!(tensor_bytes(DType::F64, &[1 << 60]).unwrap_err().code.name(), "E_LIMIT");
        assert_eq!(element_count(&[]).unwrap(), 1);
    }
}
