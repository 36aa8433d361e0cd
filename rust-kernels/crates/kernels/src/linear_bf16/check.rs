//! What a call must satisfy before any kernel runs.

use super::element::Element;
use super::{LinearBf16, MAX_PANELS, ROW_GRANULE};
use crate::KernelError;
use crate::error::expect_len;
use crate::panel::{Io, Residual, TOKENS};
use std::ops::Range;

fn invalid<T>(name: &'static str, reason: String) -> Result<T, KernelError> {
    Err(KernelError::Invalid { name, reason })
}

/// Checks lengths, the range of rows and what goes together.
pub(super) fn call<Y: Element>(linear: &LinearBf16<'_>, rows: &Range<usize>, ios: &[Io<'_, u16, Y>]) -> Result<(), KernelError> {
    let (m, k) = (linear.weight.m(), linear.weight.k());
    if let Some(bias) = linear.bias {
        expect_len("bias", bias.len(), m)?;
    }
    let cut = |row: usize| row == m || row.is_multiple_of(ROW_GRANULE);
    if rows.start > rows.end || rows.end > m || !cut(rows.start) || !cut(rows.end) {
        return invalid("rows", format!("{}..{} is not a range of 0..{m} cut at multiples of {ROW_GRANULE}", rows.start, rows.end));
    }
    if !(1..=MAX_PANELS).contains(&ios.len()) {
        return invalid("ios", format!("expected 1 to {MAX_PANELS} panels, got {}", ios.len()));
    }
    for io in ios {
        expect_len("x", io.x.len(), k * TOKENS)?;
        expect_len("y", io.y.len(), rows.len() * TOKENS)?;
        match io.residual {
            Residual::Panel(panel) => expect_len("residual", panel.len(), rows.len() * TOKENS)?,
            Residual::Half(panel) if Y::HALF => expect_len("residual", panel.len(), rows.len() * TOKENS)?,
            Residual::Half(_) => return invalid("residual", "bf16 is added to bf16, not to f32".into()),
            Residual::InPlace | Residual::None => {}
        }
    }
    Ok(())
}
