//! The memory of one call.

use super::KEY_BLOCK;
use super::products::QUAD;
use crate::KernelError;
use crate::panel::TOKENS;

/// Groups of four keys in a block: one more than its keys fill, as a span may start anywhere.
const GROUPS: usize = KEY_BLOCK / 4 + 1;
/// Keys of those groups.
const KEYS: usize = 4 * GROUPS;
/// Cache line: sections start on one.
const LINE: usize = 64;

/// Sections of a call's scratch; whatever they hold at first is never read.
pub(super) struct Scratch<'a> {
    /// Queries of one head, interleaved: `[head_dim/4][64][4]`.
    pub q: &'a mut [u8],
    /// Keys of one head and panel, interleaved likewise.
    pub k: &'a mut [u8],
    /// Probabilities of a block, `[groups of 4 keys][64][4]`.
    pub p: &'a mut [u8],
    /// Arguments of the softmax, `[keys][64]` in lane order.
    pub t: &'a mut [f32],
    /// Biases of the keys of a block.
    pub bias: &'a mut [f32],
    /// Σ p·v of earlier blocks, `[head_dim][64]`.
    pub o: &'a mut [f32],
}

impl<'a> Scratch<'a> {
    /// Bytes for that head dimension, whatever the address.
    pub fn len(head_dim: usize) -> usize {
        2 * head_dim * TOKENS + GROUPS * QUAD + 4 * (KEYS * TOKENS + KEYS.next_multiple_of(16) + head_dim * TOKENS) + LINE - 1
    }

    /// Cuts the sections.
    ///
    /// # Errors
    /// `Length` when there is too little.
    pub fn carve(head_dim: usize, bytes: &'a mut [u8]) -> Result<Self, KernelError> {
        let (expected, actual) = (Self::len(head_dim), bytes.len());
        if actual < expected {
            return Err(KernelError::Length { name: "scratch", expected, actual });
        }
        let offset = bytes.as_ptr().align_offset(LINE).min(LINE - 1);
        let (q, bytes) = bytes[offset..].split_at_mut(head_dim * TOKENS);
        let (k, bytes) = bytes.split_at_mut(head_dim * TOKENS);
        let (p, bytes) = bytes.split_at_mut(GROUPS * QUAD);
        // SAFETY: any four bytes are an f32; what is misaligned or incomplete is split off.
        let (_, floats, _) = unsafe { bytes.align_to_mut::<f32>() };
        let (t, floats) = floats.split_at_mut(KEYS * TOKENS);
        let (bias, floats) = floats.split_at_mut(KEYS.next_multiple_of(16));
        Ok(Scratch { q, k, p, t, bias, o: &mut floats[..head_dim * TOKENS] })
    }
}
