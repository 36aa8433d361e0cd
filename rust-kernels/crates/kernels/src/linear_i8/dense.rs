//! Dense s8 weights for u8 activations, packed by pairs of rows.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..64 | header: magic `NEU8S8D1`, m, k, 0 as u32 |
//! | 64.. | `[ceil(m/2)][ceil(k/4)][2 rows][4 k]` s8, zeros beyond m and k, padded to 64 |
//!
//! A tile of six rows reads three sequential streams of 8 bytes per four inputs; pairs let a range of rows start at any even row.

use super::packed::{Header, LINE, check_shape, pad_to_line};
use crate::KernelError;
use crate::error::expect_len;

const MAGIC: [u8; 8] = *b"NEU8S8D1";

/// A validated view of a packed dense weight.
#[derive(Clone, Copy, Debug)]
pub struct DenseU8S8<'a> {
    m: usize,
    k: usize,
    /// `[pairs][k4][2][4]`, s8.
    pairs: &'a [u8],
}

impl<'a> DenseU8S8<'a> {
    /// Packs `weight`, s8 `[m][k]`.
    ///
    /// # Errors
    /// `Invalid` for a shape outside 1 to 2²⁴ × 1 to 65 536, `Length` when `weight` has not m·k elements.
    pub fn pack(m: usize, k: usize, weight: &[i8]) -> Result<Vec<u8>, KernelError> {
        check_shape(m, k)?;
        expect_len("weight", weight.len(), m * k)?;
        let k4 = k.div_ceil(4);
        let mut bytes = Vec::with_capacity(LINE + (m.div_ceil(2) * k4 * 8).next_multiple_of(LINE));
        bytes.extend_from_slice(&Header { magic: MAGIC, m, k, groups: 0 }.write());
        for pair in 0..m.div_ceil(2) {
            for q in 0..k4 {
                for row in [2 * pair, 2 * pair + 1] {
                    bytes.extend((4 * q..4 * q + 4).map(|c| if row < m && c < k { weight[row * k + c] as u8 } else { 0 }));
                }
            }
        }
        pad_to_line(&mut bytes);
        Ok(bytes)
    }

    /// Checks `bytes` once and returns the view that kernels take.
    ///
    /// # Errors
    /// `Invalid` when the bytes are not a packed m×k weight of this format.
    pub fn view(m: usize, k: usize, bytes: &'a [u8]) -> Result<Self, KernelError> {
        check_shape(m, k)?;
        let invalid = |reason| KernelError::Invalid { name: "dense weight", reason };
        let header = Header::expect(bytes, MAGIC, m, k).map_err(invalid)?;
        if header.groups != 0 {
            return Err(invalid("the header counts groups".into()));
        }
        let len = m.div_ceil(2) * k.div_ceil(4) * 8;
        expect_len("dense weight", bytes.len(), LINE + len.next_multiple_of(LINE))?;
        Ok(DenseU8S8 { m, k, pairs: &bytes[LINE..LINE + len] })
    }

    /// Output rows.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Bytes of one pair of rows: `ceil(k/4)·8`.
    pub(super) fn pair_len(&self) -> usize {
        self.k.div_ceil(4) * 8
    }

    /// The stream of rows 2·pair and 2·pair + 1, `[k4][2][4]`.
    #[inline(always)]
    pub(super) fn pair(&self, pair: usize) -> &'a [u8] {
        let len = self.pair_len();
        &self.pairs[pair * len..(pair + 1) * len]
    }

    /// One weight.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, k: usize) -> i8 {
        self.pair(row / 2)[k / 4 * 8 + row % 2 * 4 + k % 4] as i8
    }
}
