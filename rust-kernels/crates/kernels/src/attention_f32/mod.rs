//! Fused attention in f32 over panels: y = softmax(q·kᵀ·scale + key bias)·v, head by head, span by span.
//!
//! One call handles the 64 queries of a panel. Keys are taken 64 at a time with a running maximum, so memory does not grow
//! with the length of the sequence:
//!
//! | step | per block of up to 64 keys |
//! | --- | --- |
//! | scores | 4 keys × 64 queries at a time: per feature, 4 loads of q, 4 broadcasts of k, 16 fma |
//! | softmax | down the keys, one lane a query: maximum, 2^((s − max)·log₂e), sum |
//! | P·V | 4 features × 64 queries at a time: per key, 4 loads of p, 4 broadcasts of v, 16 fma |
//!
//! Where a file rounds scores or probabilities to 8-bit codes, so can this, by the same codes and still in f32. Probabilities are only
//! known once all keys were seen, so that blocks are then gone through twice.
//!
//! Numbers do not depend on the thread, the split by heads, the tier or the place of a sequence in the panels; sums over keys restart
//! every 64 keys of a sequence. A query whose keys are all
//! biased by −∞ gives NaN, as the formula does; with a finite bias (f32::MIN too) it attends to all of them evenly.

mod block;
#[cfg(test)]
mod tests;

use crate::code::Code;
use crate::error::{KernelError, expect_len};
use crate::panel::{TOKENS, lane_of};
pub use crate::tokens::Span;
use neural_engine_isa::{Isa, Simd, SimdOp};
use std::ops::Range;

/// Attention of all heads of one layer.
#[derive(Clone, Copy, Debug)]
pub struct AttentionF32<'a> {
    /// Heads of q, k and v.
    pub heads: usize,
    /// Features of each head.
    pub head_dim: usize,
    /// Multiplies the products of queries and keys.
    pub scale: f32,
    /// Which tokens attend to one another.
    pub spans: &'a [Span],
    /// Added to the scores of each token as a key, in token order; None is zero everywhere.
    pub key_bias: Option<&'a [f32]>,
    /// The u8 code by which scaled products are rounded before the bias joins.
    pub scores: Option<Code>,
    /// The u8 code by which probabilities are rounded.
    pub probabilities: Option<Code>,
}

impl AttentionF32<'_> {
    /// f32 values of scratch that [`run`](Self::run) needs.
    pub fn scratch_len(head_dim: usize) -> usize {
        (block::SCORES + head_dim) * TOKENS
    }

    /// Computes some heads for the queries of panel number `panel`.
    ///
    /// `q` is that panel, `[heads·head_dim][64]`; `k` and `v` are all panels, `[P][heads·head_dim][64]`; `y` is the part of the output
    /// panel that these heads are, `[heads.len()·head_dim][64]`. Lanes of tokens that no span holds become zero. The content of
    /// `scratch` does not matter.
    ///
    /// # Errors
    /// [`KernelError::Length`] for a wrong buffer, [`KernelError::Invalid`] for heads, a panel or a span outside of what there is, and for
    /// a code that cannot be undone.
    #[expect(clippy::too_many_arguments, reason = "one operand each")]
    pub fn run(
        &self,
        isa: Isa,
        panel: usize,
        heads: Range<usize>,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        y: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), KernelError> {
        let features = self.check(panel, &heads, q, k, v)?;
        for code in [self.scores, self.probabilities].into_iter().flatten() {
            code.check_invertible()?;
        }
        expect_len("y", y.len(), heads.len() * self.head_dim * TOKENS)?;
        let needed = Self::scratch_len(self.head_dim);
        let Some(scratch) = scratch.get_mut(..needed) else {
            return Err(KernelError::Length { name: "scratch", expected: needed, actual: scratch.len() });
        };
        isa.dispatch(Heads { attention: self, panel, heads, features, q, k, v, y, scratch });
        Ok(())
    }

    /// Returns the features of a panel.
    fn check(&self, panel: usize, heads: &Range<usize>, q: &[f32], k: &[f32], v: &[f32]) -> Result<usize, KernelError> {
        let invalid = |name, reason| Err(KernelError::Invalid { name, reason });
        let features = self.heads.checked_mul(self.head_dim).filter(|features| *features > 0 && *features <= usize::MAX / 4 / TOKENS);
        let Some(features) = features else {
            return invalid("heads", format!("{} heads of {} features", self.heads, self.head_dim));
        };
        if heads.start > heads.end || heads.end > self.heads {
            return invalid("heads", format!("{heads:?} of {}", self.heads));
        }
        let panel_len = features * TOKENS;
        let panels = k.len() / panel_len;
        if panel >= panels {
            return invalid("panel", format!("number {panel} of {panels}"));
        }
        expect_len("q", q.len(), panel_len)?;
        expect_len("k", k.len(), panels * panel_len)?;
        expect_len("v", v.len(), k.len())?;
        let tokens = self.key_bias.map_or(usize::MAX, <[f32]>::len).min(panels * TOKENS);
        match self.spans.iter().find(|span| span.end() > tokens) {
            Some(span) => invalid("spans", format!("{span:?} ends after the last of {tokens} tokens")),
            None => Ok(features),
        }
    }
}

/// The checked call.
struct Heads<'a> {
    attention: &'a AttentionF32<'a>,
    panel: usize,
    heads: Range<usize>,
    features: usize,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    y: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl SimdOp for Heads<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        let AttentionF32 { head_dim, scale, spans, key_bias, scores: rounding, probabilities, .. } = *self.attention;
        let (scores, sums) = self.scratch.as_chunks_mut::<TOKENS>().0.split_at_mut(block::SCORES);
        let first_token = self.panel * TOKENS;
        for (head, y) in self.heads.zip(self.y.chunks_exact_mut(head_dim * TOKENS)) {
            y.fill(0.0);
            let rows = head * head_dim * TOKENS..(head + 1) * head_dim * TOKENS;
            let q = self.q[rows.clone()].as_chunks::<TOKENS>().0;
            for span in spans {
                let (start, end) = (span.start as usize, span.end());
                let lanes = lanes_of(start.saturating_sub(first_token), end.saturating_sub(first_token));
                if lanes == [0; TOKENS / 16] {
                    continue;
                }
                let blocks = (start..end).step_by(TOKENS).map(|first| {
                    let last = end.min(first + TOKENS);
                    let edge = last.min((first / TOKENS + 1) * TOKENS);
                    let part = |keys: Range<usize>| {
                        // An empty second part stands at the end of the first's panel.
                        let base = if keys.is_empty() { first / TOKENS } else { keys.start / TOKENS } * TOKENS;
                        let offset = base * self.features;
                        block::Part {
                            k: self.k[offset..][rows.clone()].as_chunks::<TOKENS>().0,
                            v: self.v[offset..][rows.clone()].as_chunks::<TOKENS>().0,
                            tokens: keys.start - base..keys.end - base,
                            bias: key_bias.map(|bias| &bias[base..]),
                        }
                    };
                    block::Block { parts: [part(first..edge), part(edge..last)], scale, rounding }
                });
                let mut state = block::State::new(s);
                if let Some(code) = probabilities {
                    // Loops, not closures: those would not have the CPU features that vectors need.
                    for block in blocks.clone() {
                        block.observe(s, q, &mut state, scores);
                    }
                    for block in blocks {
                        block.add_rounded(s, q, code, &mut state, scores, sums);
                    }
                    state = state.normalized(s);
                } else {
                    for block in blocks {
                        block.add(s, q, &mut state, scores, sums);
                    }
                }
                state.finish(s, sums, lanes, y.as_chunks_mut::<TOKENS>().0);
            }
        }
    }
}

/// The lanes of tokens `start..end` (clipped to 64) as bits, one word a vector.
fn lanes_of(start: usize, end: usize) -> [u16; TOKENS / 16] {
    let mut lanes = [0; TOKENS / 16];
    for token in start..end.min(TOKENS) {
        lanes[lane_of(token) / 16] |= 1 << (lane_of(token) % 16);
    }
    lanes
}
