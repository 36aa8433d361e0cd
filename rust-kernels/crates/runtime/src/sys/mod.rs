//! Calls to the operating system: memory, CPU affinity, topology.

pub mod affinity;
pub mod memory;
pub mod topology;

/// The user whose rights this process has.
pub fn effective_user() -> u32 {
    // SAFETY: has no preconditions.
    unsafe { libc::geteuid() }
}
