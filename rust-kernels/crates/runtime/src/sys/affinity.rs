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
    ThreadId(0).restrict(&[cpu])
}

/// The logical CPU that the calling thread is on just now; `None` where the system does not say.
pub fn current_cpu() -> Option<usize> {
    #[cfg(target_os = "linux")]
    // SAFETY: takes nothing and only returns a number.
    return usize::try_from(unsafe { libc::sched_getcpu() }).ok();
    #[cfg(not(target_os = "linux"))]
    None
}

/// A thread as the system numbers it; 0 is the one that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadId(i32);

impl ThreadId {
    /// The calling thread.
    pub fn current() -> ThreadId {
        #[cfg(target_os = "linux")]
        // SAFETY: takes nothing and only returns a number.
        return ThreadId(unsafe { libc::gettid() });
        #[cfg(not(target_os = "linux"))]
        ThreadId(0)
    }

    /// Lets the thread run on these logical CPUs only; false when the system refuses. A thread that is not there any more is refused.
    pub fn restrict(self, cpus: &[usize]) -> bool {
        #[cfg(target_os = "linux")]
        {
            let Some(highest) = cpus.iter().max() else { return false };
            let mut mask = vec![0u64; (highest / 64 + 1).max(size_of::<libc::cpu_set_t>() / 8)];
            for cpu in cpus {
                mask[cpu / 64] |= 1 << (cpu % 64);
            }
            // SAFETY: `mask` is readable for the length given.
            unsafe { libc::sched_setaffinity(self.0, mask.len() * 8, mask.as_ptr().cast()) == 0 }
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = cpus;
            false
        }
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
    fn a_thread_can_be_kept_from_a_cpu_by_another() {
        let allowed = allowed_cpus();
        let (away, rest) = allowed.split_first().unwrap();
        if rest.is_empty() {
            return println!("not tested: only one CPU is allowed");
        }
        let (tell, told) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(ThreadId::current()).unwrap();
            gone.recv().unwrap();
            (allowed_cpus(), current_cpu().unwrap())
        });
        assert!(told.recv().unwrap().restrict(rest));
        go.send(()).unwrap();
        let (seen, on) = thread.join().unwrap();
        assert_eq!(seen, rest);
        assert_ne!(on, *away);
        assert_eq!(allowed_cpus(), allowed, "the thread that asked stays as it was");
    }

    #[test]
    fn a_cpu_that_does_not_exist_is_refused() {
        assert!(!std::thread::spawn(|| pin_to(16_000)).join().unwrap());
    }
}
