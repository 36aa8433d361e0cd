//! Which NUMA node new memory comes from.

/// From now on the calling thread's new pages come from `node` alone; false when the system refuses (no such node, a cpuset without it, a
/// container that forbids the call): then pages come from wherever they did before.
pub fn bind_thread(node: usize) -> bool {
    #[cfg(target_os = "linux")]
    {
        let mask = Mask::of(node);
        // SAFETY: the mask is readable for the number of bits given, and the call touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_set_mempolicy, libc::MPOL_BIND, mask.words.as_ptr(), mask.bits()) == 0 }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = node;
        false
    }
}

/// Pages of `memory` that nobody has touched yet will come from `node` alone; false when the system refuses.
pub fn bind_memory(memory: &super::memory::Memory, node: usize) -> bool {
    #[cfg(target_os = "linux")]
    {
        if memory.is_empty() {
            return true;
        }
        let mask = Mask::of(node);
        // SAFETY: the range is a mapping of our own, aligned to pages, and only where its pages lie changes; the mask is readable.
        unsafe { libc::syscall(libc::SYS_mbind, memory.as_ptr(), memory.len(), libc::MPOL_BIND, mask.words.as_ptr(), mask.bits(), 0) == 0 }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (memory, node);
        false
    }
}

/// A set of nodes as the kernel takes it.
#[cfg(target_os = "linux")]
struct Mask {
    words: Vec<libc::c_ulong>,
}

#[cfg(target_os = "linux")]
impl Mask {
    fn of(node: usize) -> Mask {
        let width = libc::c_ulong::BITS as usize;
        // The kernel knows at most 1024 nodes and refuses more; larger numbers need no larger mask to be refused.
        let node = node.min(1023);
        let mut words = vec![0; node / width + 1];
        words[node / width] |= 1 << (node % width);
        Mask { words }
    }

    /// The kernel reads one bit less than it is told.
    fn bits(&self) -> libc::c_ulong {
        self.words.len() as libc::c_ulong * libc::c_ulong::from(libc::c_ulong::BITS) + 1
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::sys::cpus::cpus;
    use crate::sys::memory::Memory;

    /// Mode of the thread's policy, or of the memory at `address`.
    fn policy(address: Option<*const u8>) -> Option<i32> {
        let mut mode = 0i32;
        // MPOL_F_ADDR: of the memory at the address.
        let flags = if address.is_some() { 2 } else { 0 };
        let address = address.unwrap_or(std::ptr::null());
        // SAFETY: `mode` is writable, and no mask is asked for.
        let done = unsafe { libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, std::ptr::null_mut::<u8>(), 0, address, flags) };
        (done == 0).then_some(mode)
    }

    #[test]
    fn a_thread_and_its_memory_are_bound_to_a_node_that_exists_only() {
        let node = cpus()[0].node;
        std::thread::spawn(move || {
            assert!(!bind_thread(1023));
            let memory = Memory::new(8192, false).unwrap();
            assert!(!bind_memory(&memory, 1023));
            if policy(None).is_none() {
                return println!("binding memory: not tested, the system forbids the calls");
            }
            assert!(bind_memory(&memory, node) && bind_thread(node));
            assert_eq!((policy(None), policy(Some(memory.as_ptr()))), (Some(libc::MPOL_BIND), Some(libc::MPOL_BIND)));
        })
        .join()
        .unwrap();
        assert_ne!(policy(None), Some(libc::MPOL_BIND), "other threads keep their policy");
    }

    #[test]
    fn no_bytes_are_bound_at_once() {
        assert!(bind_memory(&Memory::empty(), 0));
    }
}
