//! Dense s8 weights as tiles.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..64 | header: magic `NEU8S8T1`, m, k, 0 as u32 |
//! | 64.. | `[ceil(m/32)][ceil(k/64)][2 tiles][16 rows][64 k]` s8, zeros beyond m and k |
//!
//! The two tiles of 32 rows × 64 inputs lie together, because a product on tiles takes them together.

use super::packed::{Header, LINE, check_shape};
use crate::KernelError;
use crate::error::expect_len;
use crate::tiles::{SIDE, TILE};

const MAGIC: [u8; 8] = *b"NEU8S8T1";
/// Rows of a group: two tiles.
pub(super) const GROUP_ROWS: usize = 2 * SIDE;
/// Inputs of a tile.
pub(super) const BLOCK_K: usize = 64;

/// A validated view of a weight packed as tiles.
#[derive(Clone, Copy, Debug)]
pub struct TiledU8S8<'a> {
    m: usize,
    k: usize,
    tiles: &'a [[u8; TILE]],
}

impl<'a> TiledU8S8<'a> {
    /// Packs `weight`, s8 `[m][k]`.
    ///
    /// # Errors
    /// `Invalid` for a shape outside 1 to 2²⁴ × 1 to 65 536, `Length` when `weight` has not m·k elements.
    pub fn pack(m: usize, k: usize, weight: &[i8]) -> Result<Vec<u8>, KernelError> {
        check_shape(m, k)?;
        expect_len("weight", weight.len(), m * k)?;
        let mut bytes = Header { magic: MAGIC, m, k, groups: 0 }.write().to_vec();
        bytes.reserve_exact(tiles_of(m, k) * TILE);
        for group in 0..m.div_ceil(GROUP_ROWS) {
            for block in 0..k.div_ceil(BLOCK_K) {
                let columns = block * BLOCK_K..k.min((block + 1) * BLOCK_K);
                for row in group * GROUP_ROWS..(group + 1) * GROUP_ROWS {
                    let end = bytes.len() + BLOCK_K;
                    if row < m {
                        bytes.extend(weight[row * k + columns.start..row * k + columns.end].iter().map(|&w| w as u8));
                    }
                    bytes.resize(end, 0);
                }
            }
        }
        Ok(bytes)
    }

    /// Checks `bytes` once and returns the view that kernels take.
    ///
    /// # Errors
    /// `Invalid` when the bytes are not a packed m×k weight of this format.
    pub fn view(m: usize, k: usize, bytes: &'a [u8]) -> Result<Self, KernelError> {
        check_shape(m, k)?;
        let invalid = |reason| KernelError::Invalid { name: "tiled weight", reason };
        let header = Header::expect(bytes, MAGIC, m, k).map_err(invalid)?;
        if header.groups != 0 {
            return Err(invalid("the header counts groups".into()));
        }
        expect_len("tiled weight", bytes.len(), LINE + tiles_of(m, k) * TILE)?;
        Ok(TiledU8S8 { m, k, tiles: bytes[LINE..].as_chunks().0 })
    }

    /// Output rows.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The tiles of rows `32·group..32·group + 32`: two for each 64 inputs.
    #[inline(always)]
    pub(super) fn group(&self, group: usize) -> &'a [[u8; TILE]] {
        let len = 2 * self.k.div_ceil(BLOCK_K);
        &self.tiles[group * len..(group + 1) * len]
    }

    /// The weights of one row, zeros beyond k included.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = i8> + 'a {
        let at = row % SIDE * BLOCK_K;
        let tiles = self.group(row / GROUP_ROWS).iter().skip(row % GROUP_ROWS / SIDE).step_by(2);
        tiles.flat_map(move |tile| tile[at..at + BLOCK_K].iter().map(|&w| w as i8))
    }
}

/// Tiles of an m×k weight. Below 2³³ bytes for any shape that packs.
fn tiles_of(m: usize, k: usize) -> usize {
    2 * m.div_ceil(GROUP_ROWS) * k.div_ceil(BLOCK_K)
}
