//! Calls to the operating system: memory, files, CPU affinity, topology.

pub mod affinity;
pub mod clock;
pub mod cpus;
pub mod files;
pub mod memory;
pub mod numa;
mod pages;
pub mod topology;

/// The text of a small file of the system, without the line break at its end.
fn read(path: impl AsRef<std::path::Path>) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
