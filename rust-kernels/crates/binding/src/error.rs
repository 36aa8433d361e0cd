//! Errors that JavaScript sees: `code` and message.

use neural_engine_runtime::error::{ErrorCode, RuntimeError, panic_message};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What exported functions return; the status becomes the error's `code`.
pub type Result<T> = napi::Result<T, String>;

/// The runtime's error as JavaScript's.
pub fn coded(error: RuntimeError) -> napi::Error<String> {
    napi::Error::new(error.code.name().to_owned(), error.message)
}

/// E_USAGE.
pub fn usage(message: impl Into<String>) -> napi::Error<String> {
    coded(RuntimeError::new(ErrorCode::Usage, message))
}

/// A failure of Node-API itself.
pub fn node(error: napi::Error) -> napi::Error<String> {
    coded(RuntimeError::new(ErrorCode::Internal, format!("Node-API: {error}")))
}

/// Runs `call`; a panic becomes E_INTERNAL.
pub fn guard<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(coded(RuntimeError::new(ErrorCode::Internal, panic_message(&*panic)))))
}
