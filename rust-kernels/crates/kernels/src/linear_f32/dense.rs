//! A dense f32 weight, packed for tiles of six rows.
//!
//! | bytes | what |
//! | --- | --- |
//! | `[ceil(M/6)][K][6] × 4` | little-endian f32; rows past M are zero |

use crate::bytes;
use crate::error::{KernelError, expect_len};

/// Rows of one tile.
pub(super) const TILE: usize = 6;

/// A view of a packed dense weight.
#[derive(Clone, Copy, Debug)]
pub struct DenseF32<'a> {
    m: usize,
    k: usize,
    values: &'a [f32],
}

impl<'a> DenseF32<'a> {
    /// Bytes of the packed form; None when they do not fit in memory or a size is zero.
    fn packed_len(m: usize, k: usize) -> Option<usize> {
        let values = m.checked_next_multiple_of(TILE)?.checked_mul(k)?;
        let bytes = values.checked_mul(size_of::<f32>())?;
        (bytes > 0 && bytes <= isize::MAX as usize).then_some(bytes)
    }

    /// Packs a row-major `[m][k]` weight.
    ///
    /// # Panics
    /// When `weight` does not hold m·k values or m or k is zero.
    pub fn pack(m: usize, k: usize, weight: &[f32]) -> Vec<u8> {
        let bytes = Self::packed_len(m, k).expect("a weight has at least one row and one input");
        assert_eq!(weight.len(), m * k, "a weight of {m} rows and {k} inputs");
        let mut packed = Vec::with_capacity(bytes);
        for tile in (0..m).step_by(TILE) {
            for input in 0..k {
                for row in tile..tile + TILE {
                    let value = if row < m { weight[row * k + input] } else { 0.0 };
                    packed.extend_from_slice(&value.to_le_bytes());
                }
            }
        }
        packed
    }

    /// Reads packed bytes, which lie on a 64-byte boundary.
    ///
    /// # Errors
    /// [`KernelError::Length`] or [`KernelError::Invalid`] when the bytes are not such a weight.
    pub fn view(m: usize, k: usize, bytes: &'a [u8]) -> Result<DenseF32<'a>, KernelError> {
        let Some(expected) = Self::packed_len(m, k) else {
            return Err(KernelError::Invalid { name: "weight", reason: format!("cannot have {m} rows of {k} inputs") });
        };
        expect_len("packed weight", bytes.len(), expected)?;
        bytes::check_aligned("packed weight", bytes)?;
        Ok(DenseF32 { m, k, values: bytes::f32s("packed weight", bytes)? })
    }

    /// Output rows, M.
    pub fn rows(&self) -> usize {
        self.m
    }

    /// Inputs, K.
    pub fn inputs(&self) -> usize {
        self.k
    }

    /// The weights of six rows for `n` inputs from `input` on, `[n][6]`, and all that follow them.
    pub(super) fn tile(&self, tile: usize, input: usize) -> &'a [f32] {
        &self.values[(tile * self.k + input) * TILE..]
    }
}
