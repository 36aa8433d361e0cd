//! Time per step and thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Nanoseconds of every step and barrier of a run, `[slot][thread]`; the slots of a region are its steps, then its barrier.
#[derive(Debug, Default)]
pub struct Profile {
    /// Threads of the run.
    pub threads: usize,
    /// First slot of each region, and one past the last.
    pub slots: Vec<usize>,
    /// Units that each region had.
    pub units: Vec<usize>,
    /// Rows that each space had.
    pub space_rows: Vec<usize>,
    /// From queueing to start.
    pub queue_ns: u64,
    /// From start to end.
    pub wall_ns: u64,
    /// `[slot][thread]`.
    pub nanoseconds: Vec<u64>,
}

/// Collects while threads run. Each thread adds to its own numbers only.
pub struct Recorder {
    threads: usize,
    slots: Vec<usize>,
    units: Vec<AtomicU64>,
    times: Vec<AtomicU64>,
}

impl Recorder {
    /// For regions with these numbers of steps.
    pub fn new(threads: usize, steps: impl Iterator<Item = usize>) -> Self {
        let mut slots = vec![0];
        for steps in steps {
            slots.push(slots[slots.len() - 1] + steps + 1);
        }
        let zeros = |count: usize| std::iter::repeat_with(AtomicU64::default).take(count).collect();
        Recorder { threads, units: zeros(slots.len() - 1), times: zeros(slots[slots.len() - 1] * threads), slots }
    }

    /// Adds the time since `from` to a step of a region; the slot after the last step is the barrier. Returns now.
    pub fn add(&self, region: usize, step: usize, thread: usize, from: Instant) -> Instant {
        let now = Instant::now();
        let slot = (self.slots[region] + step) * self.threads + thread;
        self.times[slot].fetch_add(u64::try_from((now - from).as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        now
    }

    /// Notes how many units a region had.
    pub fn units(&self, region: usize, units: usize) {
        self.units[region].store(units as u64, Ordering::Relaxed);
    }

    /// The numbers, without the times that only the caller knows.
    pub fn finish(self) -> Profile {
        Profile {
            threads: self.threads,
            slots: self.slots,
            units: self.units.into_iter().map(|units| units.into_inner() as usize).collect(),
            nanoseconds: self.times.into_iter().map(AtomicU64::into_inner).collect(),
            ..Profile::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_and_barrier_has_a_number_for_each_thread() {
        let recorder = Recorder::new(2, [3, 1].into_iter());
        let start = Instant::now();
        recorder.add(1, 1, 1, start - std::time::Duration::from_nanos(500));
        recorder.units(0, 7);
        let profile = recorder.finish();
        assert_eq!(profile.slots, [0, 4, 6]);
        assert_eq!(profile.units, [7, 0]);
        assert_eq!(profile.nanoseconds.len(), 12);
        assert!(profile.nanoseconds[11] >= 500);
        assert_eq!(profile.nanoseconds[..11].iter().sum::<u64>(), 0);
    }
}
