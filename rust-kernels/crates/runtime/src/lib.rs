//! Validates and executes programs.

pub mod generic;
pub mod program;
