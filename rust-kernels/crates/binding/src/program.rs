//! Programs.

use crate::error::{Result, coded, guard, usage};
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

    /// Plants a panic, so that tests can see what becomes of it: in the next region that pool thread `thread` runs of this program, or
    /// here and now when it is negative.
    ///
    /// # Errors
    /// E_USAGE where `NE_NATIVE_TESTS` is not set.
    #[napi(catch_unwind)]
    pub fn plant_panic(&self, thread: i32) -> Result<()> {
        let program = &self.prepared;
        guard(|| {
            if std::env::var_os("NE_NATIVE_TESTS").is_none() {
                return Err(usage("panics are planted in tests only"));
            }
            let Ok(thread) = u32::try_from(thread) else { panic!("planted in a call") };
            program.planted.plant(thread);
            Ok(())
        })
    }
}
