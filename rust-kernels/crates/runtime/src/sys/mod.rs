//! Calls to the operating system: memory, files, CPU affinity, topology.

pub mod affinity;
pub mod files;
pub mod memory;
mod pages;
pub mod topology;
