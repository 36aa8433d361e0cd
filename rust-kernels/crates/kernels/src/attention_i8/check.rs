//! What a call must satisfy before any kernel runs.

use super::{AttentionI8, MAX_HEAD_DIM, Span};
use crate::KernelError;
use crate::error::expect_len;
use crate::panel::TOKENS;
use std::ops::Range;

fn invalid<T>(name: &'static str, reason: String) -> Result<T, KernelError> {
    Err(KernelError::Invalid { name, reason })
}

/// Checks a call with buffers q, k, v and y of `lens` elements; returns the spans that meet the panel.
pub(super) fn call<'a>(
    attention: &AttentionI8<'a>,
    panel: usize,
    heads: &Range<usize>,
    [q, k, v, y]: [usize; 4],
) -> Result<&'a [Span], KernelError> {
    let &AttentionI8 { heads: all, head_dim, scale, out_scale, zero, spans, key_bias } = attention;
    if head_dim == 0 || !head_dim.is_multiple_of(4) || head_dim > MAX_HEAD_DIM {
        return invalid("head_dim", format!("expected a multiple of 4 up to {MAX_HEAD_DIM}, got {head_dim}"));
    }
    if all == 0 || all > (1 << 20) {
        return invalid("heads", format!("expected 1 to 2^20, got {all}"));
    }
    if heads.start > heads.end || heads.end > all {
        return invalid("heads", format!("{}..{} is not a range of 0..{all}", heads.start, heads.end));
    }
    if !scale.is_finite() || scale < 0.0 {
        return invalid("scale", format!("expected a finite factor, not negative, got {scale}"));
    }
    if !out_scale.is_finite() {
        return invalid("out_scale", format!("expected a finite factor, got {out_scale}"));
    }
    if !(0..=255).contains(&zero) {
        return invalid("zero", format!("expected a u8 code, got {zero}"));
    }
    let cells = all * head_dim * TOKENS;
    expect_len("q", q, cells)?;
    expect_len("k", k, k.next_multiple_of(cells))?;
    expect_len("v", v, k)?;
    expect_len("y", y, heads.len() * head_dim * TOKENS)?;
    let panels = k / cells;
    if panel >= panels {
        return invalid("panel", format!("number {panel} of {panels}"));
    }
    // The first span that ends after the panel starts, to the last that starts before the panel ends.
    let from = spans.partition_point(|span| span.end() <= panel * TOKENS);
    let to = from + spans[from..].partition_point(|span| (span.start as usize) < (panel + 1) * TOKENS);
    let spans = &spans[from..to];
    let tokens = key_bias.map_or(panels * TOKENS, |bias| bias.len().min(panels * TOKENS));
    match spans.iter().find(|span| span.end() > tokens) {
        Some(span) => invalid("spans", format!("tokens {}..{} are not all among the {tokens} keys", span.start, span.end())),
        None => Ok(spans),
    }
}
