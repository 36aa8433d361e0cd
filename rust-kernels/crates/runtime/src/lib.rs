//! Validates and executes programs: packed weights, arena, thread pool, sessions.
//!
//! The way of a run: a caller packs or opens a [`weights::WeightSet`], proves a program against it ([`validate::Prepared`]) and submits it
//! to a [`session::Session`], whose own threads execute it.

pub mod bytes;
pub mod error;
pub mod exec;
pub mod pool;
pub mod product;
pub mod program;
pub mod session;
pub mod shape;
pub mod sys;
#[cfg(test)]
mod testing;
pub mod validate;
pub mod weights;
