//! Sparse bf16 weights in 4x1 blocks (four output rows, one input).
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..64 | header: magic `NEBF16S1`, m, k, groups as u32 |
//! | 64.. | `starts`, u32 `[m/4 + 1]`: first group of each row-block and the total, padded to 64 |
//! | next | groups of 20 bytes: inputs u16 `[2]`, weights bf16 `[4 rows][2]`; padded to 64 |
//!
//! Inputs rise strictly within a row-block. Its last group may hold one block only: it repeats the input with zero weights, so that a
//! kernel always has two valid rows to read. All numbers are little-endian.

use crate::bf16::{from_bf16, to_bf16};
use crate::error::expect_len;
use crate::linear_i8::packed::{Header, LINE, check_shape, pad_to_line};
use crate::{KernelError, bytes};

const MAGIC: [u8; 8] = *b"NEBF16S1";
/// Keeps every size far from overflow.
const MAX_GROUPS: usize = 1 << 27;

/// Two inputs (the even one in the low half) and their weights for four rows.
pub(super) type Group = [u32; 5];

/// The inputs of a group.
#[inline(always)]
pub(super) fn inputs(group: &Group) -> [usize; 2] {
    [(group[0] & 0xffff) as usize, (group[0] >> 16) as usize]
}

/// A validated view of a packed 4x1 weight: every input is below k, every row-block's groups lie inside the stream.
#[derive(Clone, Copy, Debug)]
pub struct Sparse4x1Bf16<'a> {
    m: usize,
    k: usize,
    starts: &'a [u32],
    groups: &'a [Group],
}

impl<'a> Sparse4x1Bf16<'a> {
    /// Packs the 4x1 blocks of `weight`, the bits of bf16 `[m][k]`, that hold anything but zeros and magnitudes below
    /// [`TINY`](crate::bf16::TINY).
    ///
    /// # Errors
    /// `Invalid` for a shape outside 1 to 2²⁴ × 1 to 65 536, for m not a multiple of 4 and for more than 2²⁷ groups; `Length` when
    /// `weight` has not m·k elements.
    pub fn pack(m: usize, k: usize, weight: &[u16]) -> Result<Vec<u8>, KernelError> {
        check_shape(m, k)?;
        check_blocks(m)?;
        expect_len("weight", weight.len(), m * k)?;
        let (mut starts, mut groups) = (vec![0u32], Vec::<Group>::new());
        for rows in weight.chunks_exact(4 * k) {
            let value = |row: usize, input: usize| to_bf16(from_bf16(rows[row * k + input]));
            let blocks: Vec<usize> = (0..k).filter(|&input| (0..4).any(|row| value(row, input) & 0x7fff != 0)).collect();
            for two in blocks.chunks(2) {
                let (even, odd) = (two[0], two.get(1).copied());
                let mut group = [(even | odd.unwrap_or(even) << 16) as u32; 5]; // inputs are below 2¹⁶
                for (row, pair) in group[1..].iter_mut().enumerate() {
                    *pair = u32::from(value(row, even)) | odd.map_or(0, |odd| u32::from(value(row, odd)) << 16);
                }
                groups.push(group);
            }
            if groups.len() > MAX_GROUPS {
                return Err(KernelError::Invalid { name: "weight", reason: format!("more than {MAX_GROUPS} groups of 4x2 weights") });
            }
            starts.push(groups.len() as u32);
        }
        let mut bytes = Header { magic: MAGIC, m, k, groups: groups.len() }.write().to_vec();
        bytes.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
        pad_to_line(&mut bytes);
        bytes.extend(groups.as_flattened().iter().flat_map(|word| word.to_le_bytes()));
        pad_to_line(&mut bytes);
        Ok(bytes)
    }

    /// Checks every count, input and padding of `bytes` once.
    ///
    /// # Errors
    /// `Invalid` for misaligned bytes, `Sparse`, naming what is wrong and where.
    pub fn view(m: usize, k: usize, bytes: &'a [u8]) -> Result<Self, KernelError> {
        const NAME: &str = "sparse bf16 weight";
        check_shape(m, k)?;
        check_blocks(m)?;
        bytes::check_aligned(NAME, bytes)?;
        let total = Header::expect(bytes, MAGIC, m, k).map_err(KernelError::Sparse)?.groups;
        if total > MAX_GROUPS {
            return Err(KernelError::Sparse(format!("{total} groups, at most {MAX_GROUPS} are possible")));
        }
        let groups_at = LINE + ((m / 4 + 1) * 4).next_multiple_of(LINE);
        let groups_len = total * size_of::<Group>();
        let expected = groups_at + groups_len.next_multiple_of(LINE);
        if bytes.len() != expected {
            return Err(KernelError::Sparse(format!("{m}x{k} with {total} groups takes {expected} bytes, got {}", bytes.len())));
        }
        let starts = &bytes::u32s(NAME, &bytes[LINE..groups_at])?[..m / 4 + 1];
        let groups = bytes::u32s(NAME, &bytes[groups_at..groups_at + groups_len])?.as_chunks().0;
        let view = Sparse4x1Bf16 { m, k, starts, groups };
        view.check()?;
        Ok(view)
    }

    fn check(&self) -> Result<(), KernelError> {
        let total = self.groups.len();
        let broken = |text: String| Err(KernelError::Sparse(text));
        if self.start(0) != 0 || self.start(self.m / 4) != total {
            return broken("the first row-block must start at group 0 and the last end at the group count".into());
        }
        for block in 0..self.m / 4 {
            let (start, end) = (self.start(block), self.start(block + 1));
            if start > end || end > total {
                return broken(format!("row-block {block} spans groups {start}..{end} of {total}"));
            }
            check_block(&self.groups[start..end], self.k).or_else(|reason| broken(format!("row-block {block}: {reason}")))?;
        }
        Ok(())
    }

    /// First group of a row-block.
    #[inline(always)]
    pub(super) fn start(&self, block: usize) -> usize {
        self.starts[block] as usize
    }

    /// The groups of a row-block.
    #[inline(always)]
    pub(super) fn block(&self, block: usize) -> &'a [Group] {
        &self.groups[self.start(block)..self.start(block + 1)]
    }

    /// Output rows.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Groups of 4x2 weights, padding included: what the product costs.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }
}

fn check_blocks(m: usize) -> Result<(), KernelError> {
    let reason = || format!("expected a multiple of 4 for 4x1 blocks, got {m}");
    if m.is_multiple_of(4) { Ok(()) } else { Err(KernelError::Invalid { name: "m", reason: reason() }) }
}

/// Inputs below k and strictly rising; the last group may repeat its input, with zero weights.
fn check_block(groups: &[Group], k: usize) -> Result<(), String> {
    let mut last: Option<usize> = None;
    for (at, group) in groups.iter().enumerate() {
        let [even, odd] = inputs(group);
        if even >= k || odd >= k {
            return Err(format!("input {} in group {at} is outside 0..{k}", even.max(odd)));
        }
        if even == odd && at + 1 == groups.len() {
            if group[1..].iter().any(|pair| pair >> 16 != 0) {
                return Err(format!("input {even} occurs twice with weights"));
            }
        } else if even >= odd {
            return Err(format!("input {odd} in group {at} does not follow {even}"));
        }
        if let Some(last) = last.filter(|last| *last >= even) {
            return Err(format!("input {even} in group {at} does not follow {last}"));
        }
        last = Some(odd);
    }
    Ok(())
}
