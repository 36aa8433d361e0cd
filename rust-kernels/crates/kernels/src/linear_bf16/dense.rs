//! Dense bf16 weights, packed by tiles of 16 rows × 32 inputs.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..64 | header: magic `NEBF16D1`, m, k, 0 as u32 |
//! | 64.. | `[ceil(m/16)][ceil(k/32)][16 rows][16 pairs]` u32, zeros beyond m and k: the even input in the low half, the odd in the high |
//!
//! A tile is what one AMX register holds; the other kernels read four of its rows at a time.

use crate::bf16::{from_bf16, to_bf16};
use crate::error::expect_len;
use crate::linear_i8::packed::{Header, LINE, check_shape};
use crate::{KernelError, bytes};

const MAGIC: [u8; 8] = *b"NEBF16D1";

/// Rows of a tile.
pub(super) const TILE_ROWS: usize = 16;
/// Inputs of a tile.
pub(super) const TILE_INPUTS: usize = 32;

/// One tile: 16 pairs of inputs for each of 16 rows.
pub(super) type Tile = [[u32; TILE_INPUTS / 2]; TILE_ROWS];

/// A validated view of a packed dense weight.
#[derive(Clone, Copy, Debug)]
pub struct DenseBf16<'a> {
    m: usize,
    k: usize,
    tiles: &'a [Tile],
}

impl<'a> DenseBf16<'a> {
    /// Packs `weight`, the bits of bf16 `[m][k]`; magnitudes below [`TINY`](crate::bf16::TINY) become zero.
    ///
    /// # Errors
    /// `Invalid` for a shape outside 1 to 2²⁴ × 1 to 65 536, `Length` when `weight` has not m·k elements.
    pub fn pack(m: usize, k: usize, weight: &[u16]) -> Result<Vec<u8>, KernelError> {
        check_shape(m, k)?;
        expect_len("weight", weight.len(), m * k)?;
        let mut bytes = Vec::with_capacity(packed_len(m, k));
        bytes.extend_from_slice(&Header { magic: MAGIC, m, k, groups: 0 }.write());
        for row in (0..m).step_by(TILE_ROWS) {
            for input in (0..k).step_by(TILE_INPUTS) {
                for row in row..row + TILE_ROWS {
                    for input in input..input + TILE_INPUTS {
                        let value = if row < m && input < k { to_bf16(from_bf16(weight[row * k + input])) } else { 0 };
                        bytes.extend_from_slice(&value.to_le_bytes());
                    }
                }
            }
        }
        Ok(bytes)
    }

    /// Checks `bytes` once and returns the view that kernels take.
    ///
    /// # Errors
    /// `Length` and `Invalid` when the bytes are not a packed m×k weight of this format on a 64-byte boundary.
    pub fn view(m: usize, k: usize, bytes: &'a [u8]) -> Result<Self, KernelError> {
        const NAME: &str = "dense bf16 weight";
        check_shape(m, k)?;
        bytes::check_aligned(NAME, bytes)?;
        let invalid = |reason| KernelError::Invalid { name: NAME, reason };
        let header = Header::expect(bytes, MAGIC, m, k).map_err(invalid)?;
        if header.groups != 0 {
            return Err(invalid("the header counts groups".into()));
        }
        expect_len(NAME, bytes.len(), packed_len(m, k))?;
        let tiles = bytes::u32s(NAME, &bytes[LINE..])?.as_chunks().0.as_chunks().0;
        Ok(DenseBf16 { m, k, tiles })
    }

    /// Output rows.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The tiles of rows `row..row + 16`, in the order of their inputs; `row` is a multiple of 16.
    #[inline(always)]
    pub(super) fn tiles(&self, row: usize) -> &'a [Tile] {
        let count = self.k.div_ceil(TILE_INPUTS);
        &self.tiles[row / TILE_ROWS * count..(row / TILE_ROWS + 1) * count]
    }
}

fn packed_len(m: usize, k: usize) -> usize {
    LINE + m.div_ceil(TILE_ROWS) * k.div_ceil(TILE_INPUTS) * size_of::<Tile>()
}
