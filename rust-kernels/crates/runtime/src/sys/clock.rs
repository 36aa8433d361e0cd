//! The time that a thread computes.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Processor time of the calling thread, which stands still while others have its CPU; time on the clock where the system does not count it.
/// Meant for differences.
pub fn thread_time() -> Duration {
    #[cfg(unix)]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is writable and of the type that the call fills in.
        if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) } == 0 {
            return Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
        }
    }
    STARTED.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_spends_less_than_one_that_computes() {
        let before = thread_time();
        std::thread::sleep(Duration::from_millis(50));
        let asleep = thread_time() - before;
        let (began, before) = (Instant::now(), thread_time());
        while thread_time() - before < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        assert!(began.elapsed() >= Duration::from_millis(15));
        #[cfg(unix)]
        assert!(asleep < Duration::from_millis(20), "{asleep:?}");
        #[cfg(not(unix))]
        let _ = asleep;
    }
}
