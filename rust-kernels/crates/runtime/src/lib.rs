//! Validates and executes programs.

pub mod program;
