//! Who touches which bytes within a region, and which overlaps would be races or aliases.

use super::buffers::{Base, Declared, Operand, Panels};
use crate::error::{Result, RuntimeError};
use std::ops::Range;

/// How a step uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Reads the panels of its own unit.
    ReadOwn,
    /// Reads any part.
    ReadAll,
    /// Writes (and may read) the panels of its own unit.
    WriteOwn,
    /// Writes rows that only the whole step knows.
    WriteAll,
}

/// One use by one step.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Number of the step within its region.
    pub step: usize,
    /// Index of the buffer.
    pub buffer: usize,
    /// How it is used.
    pub usage: Use,
    /// The step works element by element, so that this input may be its output.
    pub in_place: bool,
}

/// Bytes of one memory that a buffer occupies in a region whose units have `group` panels; `None` where nobody may write.
fn range(declared: &Declared, buffer: usize, group: usize) -> Option<(Base, Range<usize>)> {
    let loc = declared.operands[buffer].loc();
    let bytes = declared.bytes[buffer];
    match loc.base {
        Base::Scratch => Some((Base::Scratch, loc.offset..loc.offset.saturating_add(bytes.saturating_mul(group)))),
        Base::Arena | Base::Outputs => Some((loc.base, loc.offset..loc.offset + bytes)),
        Base::Inputs | Base::Weight(_) | Base::Constants => None,
    }
}

fn same_panels(declared: &Declared, a: usize, b: usize) -> bool {
    let geometry = |panels: &Panels| (panels.loc, panels.space, panels.panel_bytes());
    match (&declared.operands[a], &declared.operands[b]) {
        (Operand::Panels(a), Operand::Panels(b)) => geometry(a) == geometry(b),
        _ => false,
    }
}

/// Checks all accesses of one region.
///
/// # Errors
/// E_IR naming the steps and buffers: a write to what is read-only; scratch that reaches past its end or across units; two buffers of one
/// step that overlap; memory that one unit writes while another may use it.
pub fn check(declared: &Declared, accesses: &[Access], group: usize, scratch_bytes: u64) -> Result<()> {
    for access in accesses {
        let wrong = |text: &str| Err(RuntimeError::program(format!("step {}: buffer {} {text}", access.step, access.buffer)));
        let writes = matches!(access.usage, Use::WriteOwn | Use::WriteAll);
        match range(declared, access.buffer, group) {
            None if writes => return wrong("is read-only"),
            Some((Base::Scratch, range)) => {
                if group == 0 {
                    return wrong("is in scratch, which only panel regions have");
                }
                if range.end as u64 > scratch_bytes {
                    return wrong("reaches past the end of scratch");
                }
                if matches!(access.usage, Use::ReadAll | Use::WriteAll) {
                    return wrong("is in scratch and used across units");
                }
            }
            _ => {}
        }
    }
    for (index, a) in accesses.iter().enumerate() {
        for b in &accesses[..index] {
            pair(declared, a, b, group)?;
        }
    }
    Ok(())
}

fn pair(declared: &Declared, a: &Access, b: &Access, group: usize) -> Result<()> {
    let writes = |access: &Access| matches!(access.usage, Use::WriteOwn | Use::WriteAll);
    if !writes(a) && !writes(b) {
        return Ok(());
    }
    let (Some((base_a, range_a)), Some((base_b, range_b))) = (range(declared, a.buffer, group), range(declared, b.buffer, group)) else {
        return Ok(());
    };
    if base_a != base_b || range_a.end.min(range_b.end) <= range_a.start.max(range_b.start) {
        return Ok(());
    }
    let own = |access: &Access| matches!(access.usage, Use::ReadOwn | Use::WriteOwn);
    let same = same_panels(declared, a.buffer, b.buffer);
    let fine = if a.step == b.step {
        same && own(a) && own(b) && (a.in_place || b.in_place) && !(writes(a) && writes(b))
    } else {
        // Steps of one unit follow each other on one thread; only other units can interfere.
        base_a == Base::Scratch || (same && own(a) && own(b))
    };
    if fine {
        return Ok(());
    }
    Err(RuntimeError::program(if a.step == b.step {
        format!("step {}: buffers {} and {} overlap", a.step, b.buffer, a.buffer)
    } else {
        format!("steps {} and {}: buffers {} and {} overlap, and units would race", b.step, a.step, b.buffer, a.buffer)
    }))
}
