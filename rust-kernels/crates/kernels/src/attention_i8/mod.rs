//! Fused int8 attention over panels: y = softmax(q·kᵀ·scale + key bias)·v, head by head, span by span.
//!
//! q is u8 with zero point 128, k and v are s8, y is u8. One call handles the 64 queries of a panel; keys are taken in blocks of up to
//! [`KEY_BLOCK`] with a running maximum, counted from the start of the span, so numbers depend neither on the thread nor on where
//! the span lies.
//!
//! | step | per block of keys | arithmetic |
//! | --- | --- | --- |
//! | scores | 4 keys × 64 queries a tile | acc = −128·Σ k + Σ q·k in i32; t = fma(acc, scale·log₂e, bias·log₂e) |
//! | softmax | down the keys, one lane a query | p = round(2^(t − max + log₂255)), a cubic 2ᶠ; Σ p of the *rounded* p, in i32 |
//! | P·V | 4 features × 64 queries a tile | acc = Σ p·v in i32, below 2²⁴ |
//! | earlier blocks | only for spans beyond one block | o = fma(o, 2^(old max − max), acc), likewise Σ p |
//! | output | in the epilogue of P·V | saturate(round_even(fma(o, out_scale / Σ p, zero))) |
//!
//! All tiers give the same bits.

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod amx;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx512_vnni;
mod check;
mod exp;
mod head;
mod products;
mod scratch;
#[cfg(test)]
mod tests;

pub use crate::tokens::Span;

use crate::KernelError;
use crate::panel::TOKENS;
use head::Job;
use neural_engine_isa::{Isa, Scalar};
use scratch::Scratch;
use std::ops::Range;

/// Keys whose probabilities share one maximum: Σ p·v of so many is below 2²⁴ and so exact as f32.
pub const KEY_BLOCK: usize = 512;
/// The largest head dimension.
pub const MAX_HEAD_DIM: usize = 4096;

/// Attention of all heads of one layer.
#[derive(Clone, Copy, Debug)]
pub struct AttentionI8<'a> {
    /// Heads of q, k and v.
    pub heads: usize,
    /// Features of each head, a multiple of 4.
    pub head_dim: usize,
    /// Turns an integer score into the argument of the softmax; finite and not negative.
    pub scale: f32,
    /// Turns Σ p·v / Σ p into the output's code.
    pub out_scale: f32,
    /// The output's code of zero, 0 to 255.
    pub zero: i32,
    /// Which tokens attend to one another; ascending.
    pub spans: &'a [Span],
    /// Added to the argument of each token as a key, in token order; None is zero everywhere. Values beyond ±10³⁰ count as ±10³⁰, so
    /// queries whose keys are all biased by the same large value attend to all of them evenly; a key with a NaN bias is ignored.
    pub key_bias: Option<&'a [f32]>,
}

impl AttentionI8<'_> {
    /// Bytes of scratch that [`run`](Self::run) needs.
    pub fn scratch_len(head_dim: usize) -> usize {
        Scratch::len(head_dim)
    }

    /// The kernel that `isa` selects, for logs and reports.
    pub fn kernel(isa: Isa) -> &'static str {
        if isa.amx().is_some() {
            "attention_u8s8_amx"
        } else if isa.avx512_vnni().is_some() {
            "attention_u8s8_4x64_avx512_vnni"
        } else if isa.avx2().is_none() {
            "attention_u8s8_scalar"
        } else if isa.has_avx_vnni() {
            "attention_u8s8_4x16_avx_vnni"
        } else {
            "attention_u8s8_4x16_avx2"
        }
    }

    /// Computes some heads for the queries of panel number `panel`.
    ///
    /// `q` is that panel, u8 `[heads·head_dim][64]`; `k` and `v` are all panels, s8 `[P][heads·head_dim][64]`; `y` is the part of the
    /// output panel that these heads are, u8 `[heads.len()·head_dim][64]`, all in token order. Tokens that no span holds become `zero`.
    /// The content of `scratch` does not matter.
    ///
    /// # Errors
    /// `Length` for a wrong buffer, `Invalid` for parameters, heads, a panel or a span outside of what there is.
    #[expect(clippy::too_many_arguments, reason = "one operand each")]
    pub fn run(
        &self,
        isa: Isa,
        panel: usize,
        heads: Range<usize>,
        q: &[u8],
        k: &[i8],
        v: &[i8],
        y: &mut [u8],
        scratch: &mut [u8],
    ) -> Result<(), KernelError> {
        let spans = check::call(self, panel, &heads, [q.len(), k.len(), v.len(), y.len()])?;
        let scratch = Scratch::carve(self.head_dim, scratch)?;
        if !covers(spans, panel) {
            y.fill(self.zero as u8); // `check` keeps it within 0 to 255
        }
        let job = Job { attention: self, spans, panel, heads, q, k, v, y, scratch, biased: 0..0 };
        #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
        {
            if let Some(token) = isa.amx() {
                amx::run(token, job);
                return Ok(());
            }
            if let Some(token) = isa.avx512_vnni() {
                avx512_vnni::run(token, job);
                return Ok(());
            }
            if let Some(token) = isa.avx2() {
                avx2::run(token, isa, job);
                return Ok(());
            }
        }
        let _ = isa;
        job.run(Scalar);
        Ok(())
    }
}

/// Whether a single span holds all tokens of a panel; several spans are not worth telling apart.
fn covers(spans: &[Span], panel: usize) -> bool {
    let [span] = spans else { return false };
    span.start as usize <= panel * TOKENS && span.end() >= (panel + 1) * TOKENS
}
