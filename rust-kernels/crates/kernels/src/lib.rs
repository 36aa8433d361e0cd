//! Kernels: one thread, no allocation, safe entries that check every length.
//!
//! Layout. Inside an encoder every activation is a *panel*: `[features][64 tokens]`, features outermost. 8-bit panels keep tokens in
//! order; 16-bit panels in [`bf16::place_of`] order; 32-bit panels in [`panel::lane_of`] order, which is the order the integer kernels' unpacking produces for free.

pub mod activate;
pub mod activation;
pub mod add;
mod ahead;
pub mod attention_f32;
pub mod attention_i8;
pub mod bf16;
pub mod bytes;
pub mod code;
mod dot_u8s8;
pub mod embed;
pub mod error;
pub mod histogram;
pub mod layer_norm;
pub mod linear_bf16;
pub mod linear_f32;
pub mod linear_i8;
pub mod panel;
mod panel_row;
pub mod quantize;
pub mod quantize_tokens;
pub mod rows;
mod tiles;
pub mod tokens;

pub use activate::activate;
pub use activation::Activation;
pub use code::Code;
pub use error::KernelError;
