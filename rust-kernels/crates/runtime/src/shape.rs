//! Exact arithmetic on sizes that others chose.

use crate::error::{Result, RuntimeError};
use crate::program::DType;

/// Dimensions a tensor may have.
pub const MAX_RANK: usize = 16;

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::U8 | DType::S8 | DType::Bool => 1,
            DType::F16 | DType::Bf16 | DType::U16 | DType::S16 => 2,
            DType::F32 | DType::U32 | DType::S32 => 4,
            DType::F64 | DType::U64 | DType::S64 => 8,
        }
    }

    /// As TypeScript spells it.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::F16 => "f16",
            DType::Bf16 => "bf16",
            DType::U8 => "u8",
            DType::S8 => "s8",
            DType::U16 => "u16",
            DType::S16 => "s16",
            DType::U32 => "u32",
            DType::S32 => "s32",
            DType::U64 => "u64",
            DType::S64 => "s64",
            DType::Bool => "bool",
        }
    }
}

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

    #[test]
    fn products_that_wrap_are_limit_errors() {
        for dims in [vec![1 << 32, 1 << 32], vec![(1 << 63) + 2, 2], vec![1 << 20, 1 << 20, 1 << 24], vec![1; 17]] {
            assert_eq!(element_count(&dims).unwrap_err().code.name(), "E_LIMIT");
        }
        assert_eq!(tensor_bytes(DType::F64, &[1 << 60]).unwrap_err().code.name(), "E_LIMIT");
        assert_eq!(element_count(&[]).unwrap(), 1);
    }
}
