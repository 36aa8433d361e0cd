//! Which logical CPUs a thread may run on.

/// Logical CPUs in this thread's mask, ascending; what the system reports as available when it cannot be read.
pub fn allowed_cpus() -> Vec<usize> {
    #[cfg(target_os = "linux")]
    {
        // Kernels with more CPUs than `cpu_set_t` holds want a larger mask; 128 of them are 16 384 CPUs.
        for sets in [1usize, 8, 128] {
            let mut mask = vec![0u64; sets * size_of::<libc::cpu_set_t>() / 8];
            // SAFETY: `mask` is writable for the length given.
            let done = unsafe { libc::sched_getaffinity(0, mask.len() * 8, mask.as_mut_ptr().cast()) };
            if done == 0 {
                return (0..mask.len() * 64).filter(|cpu| mask[cpu / 64] >> (cpu % 64) & 1 == 1).collect();
            }
        }
    }
    (0..std::thread::available_parallelism().map_or(1, |count| count.get())).collect()
}

/// Pins the calling thread to one logical CPU; false when the system refuses.
pub fn pin_to(cpu: usize) -> bool {
    #[cfg(target_os = "linux")]
    {
        let mut mask = vec![0u64; (cpu / 64 + 1).max(size_of::<libc::cpu_set_t>() / 8)];
        mask[cpu / 64] |= 1 << (cpu % 64);
        // SAFETY: `mask` is readable for the length given.
        unsafe { libc::sched_setaffinity(0, mask.len() * 8, mask.as_ptr().cast()) == 0 }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = cpu;
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_sees_only_its_cpu() {
        let cpu = *allowed_cpus().last().unwrap();
        let seen = std::thread::spawn(move || (pin_to(cpu), allowed_cpus())).join().unwrap();
        assert_eq!(seen, (true, vec![cpu]));
    }

    #[test]
    fn a_cpu_that_does_not_exist_is_refused() {
        assert!(!std::thread::spawn(|| pin_to(16_000)).join().unwrap());
    }
}
