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
        if let Some(here) = current_cpu()
            && self.avoided != Some(here)
        {
            // Asked anew, because the mask of a running process can be changed from outside.
            self.keep_off(here, &allowed_cpus());
        }
    }

    /// Leaves the workers all of `allowed` but one CPU, if that is enough for them.
    fn keep_off(&mut self, cpu: usize, allowed: &[usize]) {
        let others: Vec<usize> = allowed.iter().copied().filter(|&other| other != cpu).collect();
        if others.len() < self.workers.len() {
            return;
        }
        for worker in &self.workers {
            // A refusal leaves the worker where the system puts it: slower, never wrong.
            worker.restrict(&others);
        }
        self.avoided = Some(cpu);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn workers_give_way_to_a_leader_wherever_it_moves() {
        let allowed = allowed_cpus();
        if allowed.len() < 2 {
            return println!("not tested: only one CPU is allowed");
        }
        let (ask, asked) = channel::<()>();
        let (tell, told) = channel();
        let (name, named) = channel();
        let worker = std::thread::spawn(move || {
            name.send(ThreadId::current()).unwrap();
            for () in asked {
                tell.send(allowed_cpus()).unwrap();
            }
        });
        let mut spread = Spread::new(vec![named.recv().unwrap()]);
        for &home in &allowed[..2] {
            spread.keep_off(home, &allowed);
            ask.send(()).unwrap();
            let expected: Vec<usize> = allowed.iter().copied().filter(|&cpu| cpu != home).collect();
            assert_eq!(told.recv().unwrap(), expected);
        }
        drop(ask);
        worker.join().unwrap();
    }

    #[test]
    fn the_leader_is_followed_to_the_cpu_that_it_is_on() {
        let allowed = allowed_cpus();
        let (ask, asked) = channel::<()>();
        let (name, named) = channel();
        let worker = std::thread::spawn(move || {
            name.send(ThreadId::current()).unwrap();
            asked.recv().unwrap();
            allowed_cpus()
        });
        let mut spread = Spread::new(vec![named.recv().unwrap()]);
        spread.follow();
        ask.send(()).unwrap();
        let seen = worker.join().unwrap();
        match spread.avoided {
            Some(cpu) => assert!(allowed.contains(&cpu) && !seen.contains(&cpu)),
            None => assert_eq!(allowed.len(), 1),
        }
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
