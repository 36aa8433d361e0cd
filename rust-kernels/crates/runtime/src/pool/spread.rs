//! Keeps workers off the leader's CPU.

use crate::sys::affinity::{ThreadId, allowed_cpus, current_cpu};

/// The workers' CPUs: all that the leader may use but the one it is on.
///
/// A short run is over before the system balances its load: a worker that was woken behind the leader, because its own CPU was busy for
/// the few microseconds in which the caller queued the run, waits there until the leader's first barrier. Pinning every thread would
/// mend that too, but makes several processes that do so share a CPU while others idle; so the leader is left to the system, and the
/// workers only give way to it.
pub struct Spread {
    workers: Vec<ThreadId>,
    /// The CPU that the workers now keep off.
    avoided: Option<usize>,
}

impl Spread {
    /// For these threads, which may be anywhere so far.
    pub fn new(workers: Vec<ThreadId>) -> Spread {
        Spread { workers, avoided: None }
    }

    /// Called by the leader before each job: where it has moved, the workers' CPUs change. Costs a look at the CPU's number otherwise.
    pub fn follow(&mut self) {
        let here = current_cpu();
        if here.is_none() || here == self.avoided {
            return;
        }
        // Asked anew, because the mask of a running process can be changed from outside.
        let others: Vec<usize> = allowed_cpus().into_iter().filter(|cpu| Some(*cpu) != here).collect();
        if others.len() < self.workers.len() {
            return;
        }
        for worker in &self.workers {
            // A refusal leaves the worker where the system puts it: slower, never wrong.
            worker.restrict(&others);
        }
        self.avoided = here;
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::{Team, TeamOptions};
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn workers_give_way_to_a_leader_that_moves() {
        let allowed = allowed_cpus();
        if allowed.len() < 2 {
            return println!("not tested: only one CPU is allowed");
        }
        // A thread of its own, because its mask is changed.
        std::thread::spawn(move || {
            let mut team = Team::start(&TeamOptions { threads: 2, ..TeamOptions::default() });
            for round in 0..20 {
                let home = allowed[round % allowed.len()];
                // Moved by a mask of one CPU, then free again, but still there.
                assert!(ThreadId::current().restrict(&[home]));
                assert!(ThreadId::current().restrict(&allowed));
                let seen = Mutex::new(Vec::new());
                team.run(&|thread| {
                    if thread == 1 {
                        *seen.lock().unwrap() = allowed_cpus();
                    }
                });
                // The leader may have been moved on by the system before the run; then the worker keeps off that CPU.
                let seen = seen.into_inner().unwrap();
                assert_eq!(seen.len(), allowed.len() - 1, "round {round}: {seen:?}");
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_leader_with_one_cpu_leaves_its_workers_alone() {
        let mut spread = Spread::new(vec![ThreadId::current()]);
        std::thread::spawn(move || {
            assert!(ThreadId::current().restrict(&allowed_cpus()[..1]));
            spread.follow();
            assert_eq!(spread.avoided, None);
        })
        .join()
        .unwrap();
    }
}
