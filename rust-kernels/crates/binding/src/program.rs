//! Programs.

use crate::error::{Result, coded, guard};
use crate::weights::NativeWeights;
use napi_derive::napi;
use neural_engine_runtime::validate::Prepared;
use std::sync::Arc;

/// A program that was proved to fit its weights; it keeps them alive.
#[napi]
pub struct NativeProgram {
    pub(crate) prepared: Arc<Prepared>,
}

#[napi]
impl NativeProgram {
    /// Parses and proves a program.
    ///
    /// # Errors
    /// E_IR, E_IR_MISMATCH for another ABI, E_LIMIT.
    #[napi(constructor, catch_unwind)]
    pub fn new(json: String, weights: &NativeWeights) -> Result<NativeProgram> {
        let set = weights.set.clone();
        guard(|| Ok(NativeProgram { prepared: Arc::new(Prepared::new(&json, set).map_err(coded)?) }))
    }
}
