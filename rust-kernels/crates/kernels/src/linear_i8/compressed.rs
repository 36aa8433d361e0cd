//! s8 weights in 4x1 blocks (four output rows, one input), kept compressed and expanded into tiles while a product runs.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..64 | header: magic `NEU8S8C1`, m, k, number of blocks as u32 |
//! | 64.. | masks, u64 `[ceil(m/32)][ceil(k/64)][8]`: bit j of mask q says that rows 4·q to 4·q + 3 hold something at input j of the 64 |
//! | next | `starts`, u32 `[ceil(m/32) + 1]`: first block of each 32 rows and the total, padded to 64 |
//! | next | values in the order of the masks: for each mask, its four rows one after the other, each with the inputs whose bits are set |
//! | end | at least 64 zeros, to a multiple of 64: expanding reads 64 bytes wherever it starts |
//!
//! All numbers are little-endian.

use super::packed::{Header, LINE, check_shape, pad_to_line, read_u32};
use super::sparse::check_blocks;
use super::tiled::{BLOCK_K, GROUP_ROWS};
use crate::KernelError;
use crate::error::expect_len;

const MAGIC: [u8; 8] = *b"NEU8S8C1";
/// Masks of 32 rows × 64 inputs: one line.
pub(super) const MASKS: usize = GROUP_ROWS / 4;
/// Keeps every count and start below 2³².
const MAX_BLOCKS: usize = 1 << 29;

/// A validated view of a compressed 4x1 weight: the masks agree with the starts, and no mask names an input or row that does not exist.
#[derive(Clone, Copy, Debug)]
pub struct Compressed4x1U8S8<'a> {
    m: usize,
    k: usize,
    masks: &'a [[[u8; 8]; MASKS]],
    starts: &'a [u8],
    values: &'a [u8],
}

impl<'a> Compressed4x1U8S8<'a> {
    /// Packs the 4x1 blocks of `weight`, s8 `[m][k]`, that hold anything but zeros.
    ///
    /// # Errors
    /// `Invalid` for a shape outside 1 to 2²⁴ × 1 to 65 536, for m not a multiple of 4 and for more than 2²⁹ blocks; `Length` when
    /// `weight` has not m·k elements.
    pub fn pack(m: usize, k: usize, weight: &[i8]) -> Result<Vec<u8>, KernelError> {
        check_shape(m, k)?;
        check_blocks(m)?;
        expect_len("weight", weight.len(), m * k)?;
        let (mut masks, mut starts, mut values) = (Vec::new(), vec![0u32], Vec::new());
        for rows in weight.chunks(GROUP_ROWS * k) {
            for first in (0..k).step_by(BLOCK_K) {
                let columns = first..k.min(first + BLOCK_K);
                for q in 0..MASKS {
                    // Rows beyond m are missing here.
                    let four = rows.get(4 * q * k..4 * (q + 1) * k).unwrap_or(&[]);
                    let kept = |column: &usize| four.chunks_exact(k).any(|row| row[*column] != 0);
                    let mask = columns.clone().filter(kept).fold(0u64, |mask, column| mask | 1 << (column - first));
                    masks.extend_from_slice(&mask.to_le_bytes());
                    for row in four.chunks_exact(k) {
                        values.extend(columns.clone().filter(|column| mask >> (column - first) & 1 == 1).map(|column| row[column] as u8));
                    }
                }
            }
            if values.len() / 4 > MAX_BLOCKS {
                return Err(KernelError::Invalid { name: "weight", reason: format!("more than {MAX_BLOCKS} blocks of 4x1 weights") });
            }
            starts.push((values.len() / 4) as u32);
        }
        let mut bytes = Header { magic: MAGIC, m, k, groups: values.len() / 4 }.write().to_vec();
        bytes.extend_from_slice(&masks);
        bytes.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
        pad_to_line(&mut bytes);
        bytes.extend_from_slice(&values);
        bytes.extend_from_slice(&[0; LINE]);
        pad_to_line(&mut bytes);
        Ok(bytes)
    }

    /// Checks every mask and count of `bytes` once; kernels then follow them without checks.
    ///
    /// # Errors
    /// `Sparse`, naming what is wrong and where.
    pub fn view(m: usize, k: usize, bytes: &'a [u8]) -> Result<Self, KernelError> {
        check_shape(m, k)?;
        check_blocks(m)?;
        let broken = KernelError::Sparse;
        let total = Header::expect(bytes, MAGIC, m, k).map_err(broken)?.groups;
        if total > MAX_BLOCKS {
            return Err(broken(format!("{total} blocks, at most {MAX_BLOCKS} are possible")));
        }
        let (groups, blocks_k) = (m.div_ceil(GROUP_ROWS), k.div_ceil(BLOCK_K));
        let starts_at = LINE + groups * blocks_k * LINE;
        let values_at = starts_at + ((groups + 1) * 4).next_multiple_of(LINE);
        let expected = values_at + (4 * total + LINE).next_multiple_of(LINE);
        if bytes.len() != expected {
            return Err(broken(format!("{m}x{k} with {total} blocks takes {expected} bytes, got {}", bytes.len())));
        }
        let (masks, starts) = (bytes[LINE..starts_at].as_chunks().0.as_chunks().0, &bytes[starts_at..values_at]);
        let view = Compressed4x1U8S8 { m, k, masks, starts, values: &bytes[values_at..] };
        view.check(total).map_err(broken)?;
        Ok(view)
    }

    fn check(&self, total: usize) -> Result<(), String> {
        if self.start(0) != 0 {
            return Err("the first 32 rows must start at block 0".into());
        }
        let blocks_k = self.k.div_ceil(BLOCK_K);
        let last_inputs = !0u64 >> (blocks_k * BLOCK_K - self.k);
        let mut at = 0;
        for group in 0..self.m.div_ceil(GROUP_ROWS) {
            for (block, masks) in self.masks(group).iter().enumerate() {
                for (q, mask) in masks.iter().enumerate() {
                    let mask = u64::from_le_bytes(*mask);
                    let row = group * GROUP_ROWS + 4 * q;
                    if (row >= self.m && mask != 0) || (block + 1 == blocks_k && mask & !last_inputs != 0) {
                        return Err(format!("the mask of row {row} and inputs from {} on leaves {}x{}", block * BLOCK_K, self.m, self.k));
                    }
                    at += mask.count_ones() as usize;
                }
            }
            if self.start(group + 1) != at {
                let (row, start) = ((group + 1) * GROUP_ROWS, self.start(group + 1));
                return Err(format!("the masks of the rows before {row} have {at} blocks, the starts say {start}"));
            }
        }
        if at == total { Ok(()) } else { Err(format!("the masks have {at} blocks, the header says {total}")) }
    }

    /// First block of 32 rows.
    fn start(&self, group: usize) -> usize {
        read_u32(self.starts, 4 * group) as usize
    }

    /// The masks of rows `32·group..32·group + 32`, eight for each 64 inputs.
    #[inline(always)]
    pub(super) fn masks(&self, group: usize) -> &'a [[[u8; 8]; MASKS]] {
        let len = self.k.div_ceil(BLOCK_K);
        &self.masks[group * len..(group + 1) * len]
    }

    /// The values from those of rows `32·group` on; 64 bytes follow those that masks count.
    #[inline(always)]
    pub(super) fn values(&self, group: usize) -> &'a [u8] {
        &self.values[4 * self.start(group)..]
    }

    /// The stored weights of one row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = i8> + 'a {
        let (group, q, i) = (row / GROUP_ROWS, row % GROUP_ROWS / 4, row % 4);
        let (masks, values) = (self.masks(group).as_flattened(), self.values(group));
        let mut at = 0;
        masks.iter().enumerate().flat_map(move |(n, mask)| {
            let count = u64::from_le_bytes(*mask).count_ones() as usize;
            let first = at + i * count;
            at += 4 * count;
            let kept = if n % MASKS == q { &values[first..first + count] } else { &[] };
            kept.iter().map(|&w| w as i8)
        })
    }

    /// Output rows.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Blocks of 4x1 weights that are stored.
    pub fn blocks(&self) -> usize {
        self.start(self.m.div_ceil(GROUP_ROWS))
    }
}
