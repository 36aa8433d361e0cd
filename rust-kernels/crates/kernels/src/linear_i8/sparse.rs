//! Sparse s8 weights in 4x1 blocks (four output rows, one input) for u8 activations.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..64 | header: magic `NEU8S8S2`, m, k, groups as u32 |
//! | 64.. | `starts`, u32 `[m/4 + 1]`: first group of each row-block and the total |
//! | next | `fitting`, u32 `[m/4]`: how many groups of each row-block, its first ones, have pairs that fit; padded to 64 with `starts` |
//! | next | groups of 24 bytes: `k` u16 `[4]`, weights s8 `[4 rows][4 k]`; padded to 64 |
//!
//! An input occurs once in a row-block. Inputs stand beside those with which they fit: sums of two products, of the weights 0 and 1 and
//! of 2 and 3 of each row, are then held by 16 bits, and [tiers](super::avx2) that add pairs so do not saturate. Nearly all weights
//! find such a partner. The last group of a row-block may be short: it repeats its last input with zero weights, so that a kernel
//! always has four valid rows to read. All numbers are little-endian.

use super::packed::{Header, LINE, check_shape, pad_to_line, read_u32};
use crate::KernelError;
use crate::dot_u8s8::{pair_fits, pairs_fit};
use crate::error::expect_len;

const MAGIC: [u8; 8] = *b"NEU8S8S2";
/// Bytes of one group.
pub(super) const GROUP: usize = 24;
/// Of how many inputs that follow one is asked whether they fit it: keeps packing linear in their number.
const CANDIDATES: usize = 64;

/// A validated view of a packed 4x1 weight: every index is below k, every row-block's groups lie inside the stream.
#[derive(Clone, Copy, Debug)]
pub struct Sparse4x1U8S8<'a> {
    m: usize,
    k: usize,
    starts: &'a [u8],
    fitting: &'a [u8],
    groups: &'a [u8],
}

impl<'a> Sparse4x1U8S8<'a> {
    /// Packs the 4x1 blocks of `weight`, s8 `[m][k]`, that hold anything but zeros.
    ///
    /// # Errors
    /// `Invalid` for a shape outside 1 to 2²⁴ × 1 to 65 536, for m not a multiple of 4 and for more than 2²⁷ groups; `Length` when
    /// `weight` has not m·k elements.
    pub fn pack(m: usize, k: usize, weight: &[i8]) -> Result<Vec<u8>, KernelError> {
        check_shape(m, k)?;
        check_blocks(m)?;
        expect_len("weight", weight.len(), m * k)?;
        let (mut starts, mut fitting) = (vec![0u32], Vec::new());
        let mut groups = Vec::new();
        for rows in weight.chunks_exact(4 * k) {
            let inputs: Vec<usize> = (0..k).filter(|&c| (0..4).any(|row| rows[row * k + c] != 0)).collect();
            let inputs = in_pairs(&inputs, |a, b| rows.chunks_exact(k).all(|row| pair_fits(row[a], row[b])));
            let first = groups.len();
            for four in inputs.chunks(4) {
                // A non-empty chunk has a last element.
                let column = |i: usize| four[i.min(four.len() - 1)];
                (0..4).for_each(|i| groups.extend_from_slice(&(column(i) as u16).to_le_bytes()));
                for row in rows.chunks_exact(k) {
                    groups.extend((0..4).map(|i| if i < four.len() { row[column(i)] as u8 } else { 0 }));
                }
            }
            fitting.push(groups[first..].chunks_exact(GROUP).take_while(|group| pairs_fit(weights(group))).count() as u32);
            let total = groups.len() / GROUP;
            if total > MAX_GROUPS {
                return Err(KernelError::Invalid { name: "weight", reason: format!("more than {MAX_GROUPS} groups of 4x4 weights") });
            }
            starts.push(total as u32);
        }
        let header = Header { magic: MAGIC, m, k, groups: groups.len() / GROUP };
        let mut bytes = header.write().to_vec();
        bytes.extend(starts.iter().chain(&fitting).flat_map(|count| count.to_le_bytes()));
        pad_to_line(&mut bytes);
        bytes.extend_from_slice(&groups);
        pad_to_line(&mut bytes);
        Ok(bytes)
    }

    /// Checks every count, index and padding of `bytes` once; kernels then index without checks.
    ///
    /// # Errors
    /// `Sparse`, naming what is wrong and where.
    pub fn view(m: usize, k: usize, bytes: &'a [u8]) -> Result<Self, KernelError> {
        check_shape(m, k)?;
        check_blocks(m)?;
        let header = Header::expect(bytes, MAGIC, m, k).map_err(KernelError::Sparse)?;
        let total = header.groups;
        if total > MAX_GROUPS {
            return Err(KernelError::Sparse(format!("{total} groups, at most {MAX_GROUPS} are possible")));
        }
        let (starts_len, fitting_len, groups_len) = ((m / 4 + 1) * 4, m / 4 * 4, total * GROUP);
        let fitting_at = LINE + starts_len;
        let groups_at = (fitting_at + fitting_len).next_multiple_of(LINE);
        let expected = groups_at + groups_len.next_multiple_of(LINE);
        if bytes.len() != expected {
            return Err(KernelError::Sparse(format!("{m}x{k} with {total} groups takes {expected} bytes, got {}", bytes.len())));
        }
        let view = Sparse4x1U8S8 {
            m,
            k,
            starts: &bytes[LINE..fitting_at],
            fitting: &bytes[fitting_at..fitting_at + fitting_len],
            groups: &bytes[groups_at..groups_at + groups_len],
        };
        view.check(total)?;
        Ok(view)
    }

    fn check(&self, total: usize) -> Result<(), KernelError> {
        let broken = |text: String| Err(KernelError::Sparse(text));
        if self.start(0) != 0 || self.start(self.m / 4) != total {
            return broken("the first row-block must start at group 0 and the last end at the group count".into());
        }
        let mut seen = vec![false; self.k];
        for block in 0..self.m / 4 {
            let (start, end) = (self.start(block), self.start(block + 1));
            if start > end || end > total {
                return broken(format!("row-block {block} spans groups {start}..{end} of {total}"));
            }
            check_block(&self.groups[start * GROUP..end * GROUP], self.fitting(block), &mut seen)
                .or_else(|reason| broken(format!("row-block {block}: {reason}")))?;
        }
        Ok(())
    }

    /// First group of a row-block.
    #[inline(always)]
    pub(super) fn start(&self, block: usize) -> usize {
        read_u32(self.starts, 4 * block) as usize
    }

    /// How many groups of a row-block, its first ones, have pairs that fit.
    #[inline(always)]
    pub(super) fn fitting(&self, block: usize) -> usize {
        read_u32(self.fitting, 4 * block) as usize
    }

    /// The groups of a row-block, 24 bytes each.
    #[inline(always)]
    pub(super) fn block(&self, block: usize) -> &'a [u8] {
        &self.groups[self.start(block) * GROUP..self.start(block + 1) * GROUP]
    }

    /// Output rows.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Groups of 4x4 weights, padding included: what the product costs.
    pub fn groups(&self) -> usize {
        self.groups.len() / GROUP
    }
}

/// Keeps the start of every group below 2³² bytes.
const MAX_GROUPS: usize = 1 << 27;

pub(super) fn check_blocks(m: usize) -> Result<(), KernelError> {
    let reason = || format!("expected a multiple of 4 for 4x1 blocks, got {m}");
    if m.is_multiple_of(4) { Ok(()) } else { Err(KernelError::Invalid { name: "m", reason: reason() }) }
}

/// Index `i` of a group.
#[inline(always)]
pub(super) fn index(group: &[u8], i: usize) -> usize {
    usize::from(u16::from_le_bytes([group[2 * i], group[2 * i + 1]]))
}

/// Weight of row `row` at index `i` of a group.
#[inline(always)]
pub(super) fn weight(group: &[u8], row: usize, i: usize) -> i8 {
    group[8 + 4 * row + i] as i8
}

/// The weights of a group, `[4 rows][4 k]`.
#[inline(always)]
pub(super) fn weights(group: &[u8]) -> &[u8; 16] {
    group[8..].first_chunk().expect("a group ends with 16 weights")
}

/// `inputs` in another order: first those that have a partner that fits, two by two, then the others.
fn in_pairs(inputs: &[usize], fit: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut taken = vec![false; inputs.len()];
    let (mut pairs, mut others) = (Vec::with_capacity(inputs.len()), Vec::new());
    for (at, &input) in inputs.iter().enumerate() {
        if taken[at] {
            continue;
        }
        // The nearest: memory is still gone through from its beginning to its end.
        let mut candidates = at + 1..inputs.len().min(at + 1 + CANDIDATES);
        match candidates.find(|&other| !taken[other] && fit(input, inputs[other])) {
            Some(other) => {
                taken[other] = true;
                pairs.extend([input, inputs[other]]);
            }
            None => others.push(input),
        }
    }
    pairs.extend(others);
    pairs
}

/// Indices below k that occur once; in the last group one may be repeated, with zero weights, until its end. The first `fitting` groups
/// have pairs that fit. `seen` has a `false` for each input, and has again afterwards.
fn check_block(groups: &[u8], fitting: usize, seen: &mut [bool]) -> Result<(), String> {
    let (count, k) = (groups.len() / GROUP, seen.len());
    if fitting > count {
        return Err(format!("{fitting} of {count} groups have pairs that fit"));
    }
    let mut last: Option<usize> = None;
    for (at, group) in groups.chunks_exact(GROUP).enumerate() {
        let mut padding = false;
        for i in 0..4 {
            let column = index(group, i);
            if column >= k {
                return Err(format!("input {column} in group {at} is outside 0..{k}"));
            }
            if i > 0 && at + 1 == count && last == Some(column) {
                padding = true;
                if (0..4).any(|row| weight(group, row, i) != 0) {
                    return Err(format!("input {column} occurs twice with weights"));
                }
            } else if padding || std::mem::replace(&mut seen[column], true) {
                return Err(format!("input {column} in group {at} {}", if padding { "follows padding" } else { "occurs twice" }));
            }
            last = Some(column);
        }
        if at < fitting && !pairs_fit(weights(group)) {
            return Err(format!("group {at} has pairs that do not fit 16 bits"));
        }
    }
    groups.chunks_exact(GROUP).for_each(|group| (0..4).for_each(|i| seen[index(group, i)] = false));
    Ok(())
}
