//! What a call must satisfy before any kernel runs.

use super::element::Element;
use super::{LinearI8, MAX_PANELS, ROW_GRANULE};
use crate::error::expect_len;
use crate::panel::{Io, Residual, TOKENS};
use crate::{Activation, KernelError};
use std::ops::Range;

fn invalid<T>(name: &'static str, reason: String) -> Result<T, KernelError> {
    Err(KernelError::Invalid { name, reason })
}

/// Checks everything that the kernels rely on without checking.
pub(super) fn call<Y: Element>(
    linear: &LinearI8<'_>,
    rows: &Range<usize>,
    ios: &[Io<'_, u8, Y>],
    scratch_len: usize,
) -> Result<(), KernelError> {
    let (m, k) = (linear.weight.m(), linear.weight.k());
    expect_len("init", linear.init.len(), m)?;
    expect_len("mul", linear.mul.len(), m)?;
    expect_len("add", linear.add.len(), m)?;
    outputs::<Y>(linear)?;
    let cut = |row: usize| row == m || row.is_multiple_of(ROW_GRANULE);
    if rows.start > rows.end || rows.end > m || !cut(rows.start) || !cut(rows.end) {
        return invalid("rows", format!("{}..{} is not a range of 0..{m} cut at multiples of {ROW_GRANULE}", rows.start, rows.end));
    }
    if !(1..=MAX_PANELS).contains(&ios.len()) {
        return invalid("ios", format!("expected 1 to {MAX_PANELS} panels, got {}", ios.len()));
    }
    if let Some(sums) = linear.sums {
        expect_len("sums", sums.len(), m)?;
        if Y::CODED {
            return invalid("sums", format!("inputs coded token by token give f32 or bf16, not {}", Y::NAME));
        }
    }
    for io in ios {
        expect_len("x", io.x.len(), k * TOKENS)?;
        match io.codes {
            Some(codes) if linear.sums.is_some() => {
                expect_len("step", codes.step.len(), TOKENS)?;
                expect_len("zero", codes.zero.len(), TOKENS)?;
            }
            None if linear.sums.is_none() => {}
            _ => return invalid("codes", "codes of tokens and sums of weights go together".into()),
        }
        expect_len("y", io.y.len(), rows.len() * TOKENS)?;
        match io.residual {
            Residual::Panel(panel) => expect_len("residual", panel.len(), rows.len() * TOKENS)?,
            Residual::Half(panel) if Y::HALF => expect_len("residual", panel.len(), rows.len() * TOKENS)?,
            Residual::Half(_) => return invalid("residual", format!("bf16 is added to bf16, not to {}", Y::NAME)),
            Residual::InPlace if Y::CODED => return invalid("residual", format!("{} codes cannot be added to in place", Y::NAME)),
            Residual::InPlace | Residual::None => {}
        }
    }
    let needed = linear.scratch_len(ios.len());
    if scratch_len < needed {
        return Err(KernelError::Length { name: "scratch", expected: needed, actual: scratch_len });
    }
    Ok(())
}

/// Activation, code and table fit each other and the output type.
fn outputs<Y: Element>(linear: &LinearI8<'_>) -> Result<(), KernelError> {
    let active = linear.act != Activation::None;
    if linear.table.is_some() && (active || linear.code.is_some() || !Y::CODED) {
        return invalid("table", "a table gives 8-bit codes and replaces activation and code".into());
    }
    match (Y::CODED && active, linear.code) {
        (true, None) => invalid("code", format!("an activation before {} output needs a code", Y::NAME)),
        (false, Some(_)) => invalid("code", "only an activation before 8-bit output takes a code; else mul and add hold it".into()),
        _ => Ok(()),
    }
}
