//! What the calling core can do at best.

use crate::error::{Result, guard};
use napi_derive::napi;
use neural_engine_isa::rate;

/// The speed of one instruction on registers, for tiles with a load from L1 for each product.
#[napi(object)]
pub struct InstructionRate {
    /// As the assembler spells it, with the width of its registers.
    pub instruction: String,
    /// 10⁹ multiply-adds a second on this core.
    pub gmacs: f64,
}

/// A rate in 10⁹ multiply-adds a second; nothing on a CPU without the instruction.
type Measure = fn() -> Option<f64>;

/// Measures the instructions that the kernels rest on, those that this CPU has, about 40 ms each, on the calling thread.
///
/// # Errors
/// E_INTERNAL only.
#[napi(catch_unwind)]
pub fn instruction_rates() -> Result<Vec<InstructionRate>> {
    guard(|| {
        let measures: [(&str, Measure); 8] = [
            ("tdpbusd tmm", rate::tdpbusd_from_l1),
            ("vpdpbusd zmm", rate::vpdpbusd512),
            ("vpdpbusd ymm", rate::vpdpbusd256),
            ("vpmaddwd ymm", rate::vpmaddwd256),
            ("tdpbf16ps tmm", rate::tdpbf16ps_from_l1),
            ("vdpbf16ps zmm", rate::vdpbf16ps512),
            ("vfmadd231ps zmm", rate::fma512),
            ("vfmadd231ps ymm", rate::fma256),
        ];
        let found = measures.into_iter().filter_map(|(name, measure)| measure().map(|gmacs| (name, gmacs)));
        Ok(found.map(|(name, gmacs)| InstructionRate { instruction: name.to_owned(), gmacs }).collect())
    })
}
