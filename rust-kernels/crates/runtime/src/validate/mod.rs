//! Proves a program once, so that running it needs no checks: every index, offset, length, dtype, dimension and overlap.

pub mod access;
pub mod buffers;
pub mod op;
mod steps;
#[cfg(test)]
mod tests;

use crate::error::{ErrorCode, Result, RuntimeError};
use crate::exec::Planted;
use crate::program::{ABI, Program, Step, Units};
use crate::weights::WeightSet;
use access::check as check_accesses;
use buffers::{Base, Declared, Loc, declare};
use op::Op;
use std::sync::Arc;
use steps::Checker;

/// Bytes of JSON that are looked at.
const MAX_JSON: usize = 64 << 20;
/// Bytes of arena and of each thread's scratch.
const MAX_ARENA: u64 = 8 << 30;
const MAX_SCRATCH: u64 = 1 << 30;
/// Regions of a program and steps of a region; overlap checks are quadratic in the latter.
const MAX_REGIONS: usize = 100_000;
const MAX_STEPS: usize = 256;
/// Operands of a generic step, inputs and outputs together.
pub(crate) const MAX_OPERANDS: usize = 64;

/// How a checked region is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// Units of up to `group` panels of a space.
    Panels {
        /// The space.
        space: usize,
        /// Most panels of a unit.
        group: usize,
    },
    /// Output rows or heads of one step, over all panels of a space.
    Split {
        /// The space.
        space: usize,
    },
    /// One step that divides itself, or runs on one thread.
    Whole,
}

/// A checked region.
#[derive(Debug)]
pub struct PreparedRegion {
    /// How it is divided.
    pub division: Division,
    /// Its steps.
    pub ops: Vec<Op>,
}

/// A program that was proved to fit its weights.
pub struct Prepared {
    /// The program's declarations.
    pub declared: Declared,
    /// What is done.
    pub regions: Vec<PreparedRegion>,
    /// Bytes shared by the threads of a run.
    pub arena_bytes: usize,
    /// Bytes of each thread for the program's own buffers.
    pub scratch_bytes: usize,
    /// The ports, as the program names them.
    pub inputs: Vec<crate::program::Port>,
    /// The ports, as the program names them.
    pub outputs: Vec<crate::program::Port>,
    /// What its weight indices refer to.
    pub weights: Arc<WeightSet>,
    /// For tests.
    pub planted: Planted,
}

impl Prepared {
    /// Parses and proves a program.
    ///
    /// # Errors
    /// E_IR for JSON that is not a program and for anything in it that does not fit, E_IR_MISMATCH for another ABI, E_LIMIT for sizes
    /// beyond what can be had.
    pub fn new(json: &str, weights: Arc<WeightSet>) -> Result<Prepared> {
        if json.len() > MAX_JSON {
            return Err(RuntimeError::limit(format!("a program of {} bytes is above {MAX_JSON}", json.len())));
        }
        // Nesting is bounded by the parser.
        let program: Program = serde_json::from_str(json).map_err(|error| RuntimeError::program(format!("this is no program: {error}")))?;
        if program.abi != ABI {
            let text = format!("the program has ABI {}, this engine has ABI {ABI}", program.abi);
            return Err(RuntimeError::new(ErrorCode::IrMismatch, text));
        }
        for (what, bytes, limit) in [("arena", program.arena_bytes, MAX_ARENA), ("scratch", program.scratch_bytes, MAX_SCRATCH)] {
            if bytes > limit {
                return Err(RuntimeError::limit(format!("{what} of {bytes} bytes is above {limit}")));
            }
        }
        if program.regions.len() > MAX_REGIONS {
            return Err(RuntimeError::limit(format!("{} regions are above {MAX_REGIONS}", program.regions.len())));
        }
        let declared = declare(&program, &weights)?;
        let region = |(index, region)| {
            prepare_region(&program, &declared, &weights, region).map_err(|error| error.at(format_args!("region {index}")))
        };
        let regions: Vec<PreparedRegion> = program.regions.iter().enumerate().map(region).collect::<Result<_>>()?;
        for (index, port) in program.outputs.iter().enumerate() {
            let place = Loc { base: Base::Outputs, offset: declared.outputs[index].offset };
            if declared.outputs[index].bytes > 0 && !regions.iter().flat_map(|region| &region.ops).any(|op| op.writes_rows_at(place)) {
                return Err(RuntimeError::program(format!("output {:?} is written by no step", port.name)));
            }
        }
        Ok(Prepared {
            declared,
            regions,
            arena_bytes: program.arena_bytes as usize,
            scratch_bytes: program.scratch_bytes as usize,
            inputs: program.inputs,
            outputs: program.outputs,
            weights,
            planted: Planted::default(),
        })
    }
}

fn prepare_region(program: &Program, declared: &Declared, weights: &WeightSet, region: &crate::program::Region) -> Result<PreparedRegion> {
    let (division, space, group) = match region.units {
        Units::Panels { space, group } => (Division::Panels { space, group }, Some(space), group),
        Units::Split { space } => (Division::Split { space }, Some(space), 0),
        Units::Whole => (Division::Whole, None, 0),
    };
    if space.is_some_and(|space| space >= declared.spaces.len()) {
        return Err(RuntimeError::program(format!("space {} does not exist", space.unwrap_or(0))));
    }
    if matches!(division, Division::Panels { .. }) && !(1..=4).contains(&group) {
        return Err(RuntimeError::program(format!("a unit of {group} panels, expected 1 to 4")));
    }
    if region.steps.len() > MAX_STEPS {
        return Err(RuntimeError::limit(format!("{} steps are above {MAX_STEPS}", region.steps.len())));
    }
    if !matches!(division, Division::Panels { .. }) && region.steps.len() != 1 {
        return Err(RuntimeError::program(format!("{} steps, a region without panel units has exactly one", region.steps.len())));
    }
    let mut checker = Checker { declared, weights, space, step: 0, accesses: Vec::new() };
    let mut ops = Vec::with_capacity(region.steps.len());
    for (index, step) in region.steps.iter().enumerate() {
        let place = |error: RuntimeError| error.at(format_args!("step {index} ({})", name(step)));
        if !may_divide(step, division) {
            return Err(place(RuntimeError::program(format!("cannot be divided as {division:?}"))));
        }
        checker.step = index;
        ops.push(checker.check(step).map_err(place)?);
    }
    check_accesses(declared, &checker.accesses, group, program.scratch_bytes)?;
    Ok(PreparedRegion { division, ops })
}

/// Which steps may stand in which kind of region.
fn may_divide(step: &Step, division: Division) -> bool {
    match step {
        Step::TokenMap { .. } | Step::Generic { .. } => division == Division::Whole,
        Step::Linear { .. } | Step::LinearI8 { .. } | Step::LinearBf16 { .. } => division != Division::Whole,
        Step::Attention { .. } | Step::AttentionI8 { .. } => division != Division::Whole,
        _ => matches!(division, Division::Panels { .. }),
    }
}

fn name(step: &Step) -> &str {
    match step {
        Step::TokenMap { .. } => "token_map",
        Step::Embed { .. } => "embed",
        Step::FromRows { .. } => "from_rows",
        Step::ToRows { .. } => "to_rows",
        Step::Linear { .. } => "linear",
        Step::LinearI8 { .. } => "linear_i8",
        Step::LinearBf16 { .. } => "linear_bf16",
        Step::LayerNorm { .. } => "layer_norm",
        Step::Quantize { .. } => "quantize",
        Step::QuantizeTokens { .. } => "quantize_tokens",
        Step::Dequantize { .. } => "dequantize",
        Step::Narrow { .. } => "narrow",
        Step::Widen { .. } => "widen",
        Step::Attention { .. } => "attention",
        Step::AttentionI8 { .. } => "attention_i8",
        Step::Activate { .. } => "activate",
        Step::AddPanels { .. } => "add_panels",
        Step::Generic { kind, .. } => kind,
    }
}
