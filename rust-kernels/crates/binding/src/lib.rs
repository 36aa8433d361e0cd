//! The Node-API door: converts arguments, calls the runtime, converts the result.
//!
//! JavaScript values never leave the thread they belong to. A session tells JavaScript only the number of a run that ended; JavaScript then
//! collects the outcome, and outputs are copied into its arrays there. So nothing that JavaScript owns can move, detach or be freed while
//! a run uses it, and a process or worker may end at any time.
//!
//! Every function catches panics and throws errors that carry a `code`.

// Test builds leave the registration of exports out, so that nothing seems to use them.
#![cfg_attr(test, allow(dead_code))]

mod error;
mod histogram;
mod isa;
mod product;
mod program;
mod rate;
mod session;
mod typed;
mod weights;

use napi_derive::napi;

/// Version of the program format, of packed weights and of these functions.
#[napi(catch_unwind)]
pub fn abi() -> u32 {
    neural_engine_runtime::program::ABI
}
