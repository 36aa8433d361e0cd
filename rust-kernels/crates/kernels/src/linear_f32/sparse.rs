//! A sparse f32 weight in 4x1 blocks: four output rows × one input, stored when any of the four is not zero.
//!
//! | bytes | what |
//! | --- | --- |
//! | `[C · G + 1] × 4`, padded to 64 | u32: where each segment begins in the block list; the last is their number N |
//! | `[N] × 4`, padded to 64 | u32: the input of each block, ascending inside a segment |
//! | `[N][4] × 4` | f32: its values, rows past M zero |
//!
//! A segment is what one of the G = ceil(M/4) groups of four rows has of one of the C = ceil(K/768) chunks of inputs; they are ordered by
//! chunk, then group. 768 rows of a panel are 192 KiB: while all groups pass over a chunk it stays in the second-level cache, from
//! which the CPU feeds the sums at 90% of the fma rate; over 3072 rows at once it was 66%.

use super::run::run_of_part;
use crate::bytes;
use crate::error::{KernelError, expect_len};

/// Rows of one block.
pub(super) const BLOCK: usize = 4;

/// Inputs of one chunk.
pub(super) const CHUNK: usize = 768;

/// A view of a packed sparse weight, validated.
#[derive(Clone, Copy, Debug)]
pub struct Sparse4x1F32<'a> {
    m: usize,
    k: usize,
    starts: &'a [u32],
    inputs: &'a [u32],
    values: &'a [[f32; BLOCK]],
}

/// Inputs of consecutive blocks of one group: strictly ascending, so the last bounds them all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ascending<'a>(&'a [u32]);

impl<'a> Ascending<'a> {
    /// The inputs.
    pub(super) fn get(self) -> &'a [u32] {
        self.0
    }
}

impl<'a> Sparse4x1F32<'a> {
    /// Packs a row-major `[m][k]` weight, keeping the blocks that hold a non-zero.
    ///
    /// # Panics
    /// When `weight` does not hold m·k values, m or k is zero, or there are more than 2³² blocks.
    pub fn pack(m: usize, k: usize, weight: &[f32]) -> Vec<u8> {
        assert!(m > 0 && k > 0 && weight.len() == m * k, "a weight of {m} rows and {k} inputs, {} values", weight.len());
        let (mut starts, mut inputs, mut values) = (vec![0u32], Vec::new(), Vec::new());
        for chunk in (0..k).step_by(CHUNK) {
            for group in (0..m).step_by(BLOCK) {
                for input in chunk..k.min(chunk + CHUNK) {
                    let value = |i: usize| if group + i < m { weight[(group + i) * k + input] } else { 0.0 };
                    let block: [f32; BLOCK] = std::array::from_fn(value);
                    if block.iter().any(|value| *value != 0.0) {
                        inputs.push(u32::try_from(input).expect("fewer than 2^32 inputs"));
                        values.extend_from_slice(&block);
                    }
                }
                starts.push(u32::try_from(inputs.len()).expect("fewer than 2^32 blocks"));
            }
        }
        let mut packed = Vec::new();
        for words in [&starts, &inputs] {
            packed.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            packed.resize(packed.len().next_multiple_of(bytes::ALIGNMENT), 0);
        }
        packed.extend(values.iter().flat_map(|value: &f32| value.to_le_bytes()));
        packed
    }

    /// Reads and validates packed bytes, which lie on a 64-byte boundary.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Invalid`] or [`KernelError::Sparse`] when the bytes are not such a weight.
    pub fn view(m: usize, k: usize, bytes: &'a [u8]) -> Result<Sparse4x1F32<'a>, KernelError> {
        const NAME: &str = "packed sparse weight";
        bytes::check_aligned(NAME, bytes)?;
        if m == 0 || k == 0 || m > u32::MAX as usize || k > u32::MAX as usize {
            return Err(KernelError::Invalid { name: NAME, reason: format!("cannot have {m} rows of {k} inputs") });
        }
        let groups = m.div_ceil(BLOCK);
        let segments = groups * k.div_ceil(CHUNK);
        let starts_bytes = ((segments + 1) * 4).next_multiple_of(bytes::ALIGNMENT);
        let Some((head, rest)) = bytes.split_at_checked(starts_bytes) else {
            return Err(KernelError::Length { name: NAME, expected: starts_bytes, actual: bytes.len() });
        };
        let starts = &bytes::u32s(NAME, head)?[..=segments];
        let blocks = starts[segments] as usize;
        let inputs_bytes = (blocks * 4).next_multiple_of(bytes::ALIGNMENT);
        expect_len(NAME, bytes.len(), starts_bytes + inputs_bytes + blocks * 4 * BLOCK)?;
        let (inputs, values) = rest.split_at(inputs_bytes);
        let inputs = &bytes::u32s(NAME, inputs)?[..blocks];
        let values = bytes::f32s(NAME, values)?.as_chunks::<BLOCK>().0;
        if starts[0] != 0 || !starts.is_sorted() {
            return Err(KernelError::Sparse("segments do not follow one another".into()));
        }
        for (segment, range) in starts.windows(2).enumerate() {
            let inputs = &inputs[range[0] as usize..range[1] as usize];
            let chunk = segment / groups * CHUNK..k.min((segment / groups + 1) * CHUNK);
            let inside = inputs.iter().all(|input| chunk.contains(&(*input as usize)));
            if !inside || !inputs.is_sorted_by(|a, b| a < b) {
                let row = segment % groups * BLOCK;
                return Err(KernelError::Sparse(format!("inputs of row {row} are not ascending and within {chunk:?}")));
            }
        }
        Ok(Sparse4x1F32 { m, k, starts, inputs, values })
    }

    /// Output rows, M.
    pub fn rows(&self) -> usize {
        self.m
    }

    /// Inputs, K.
    pub fn inputs(&self) -> usize {
        self.k
    }

    /// Stored 4x1 blocks.
    pub fn blocks(&self) -> usize {
        self.values.len()
    }

    /// Chunks of inputs.
    pub(super) fn chunks(&self) -> usize {
        self.k.div_ceil(CHUNK)
    }

    /// The blocks of one segment in the runs that are summed in registers: inputs and values. An empty segment is one empty run.
    pub(super) fn runs(self, chunk: usize, group: usize) -> impl Iterator<Item = (Ascending<'a>, &'a [[f32; BLOCK]])> {
        let segment = chunk * self.m.div_ceil(BLOCK) + group;
        let range = self.starts[segment] as usize..self.starts[segment + 1] as usize;
        let run = run_of_part(range.len(), self.k);
        (range.start..range.end.max(range.start + 1)).step_by(run).map(move |at| {
            let part = at..range.end.min(at + run);
            (Ascending(&self.inputs[part.clone()]), &self.values[part])
        })
    }
}
