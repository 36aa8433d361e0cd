//! A team of threads that runs one job at a time, all threads together.
//!
//! Thread 0 is the *leader*: the thread that calls [`Team::run`]. The others are *workers* that wait between jobs. Work is divided by
//! thread number alone, so results never depend on timing.

mod barrier;
mod event;
mod spread;

pub use barrier::Barrier;
pub use event::Event;

use crate::sys::affinity::{ThreadId, allowed_cpus, pin_to};
use crate::sys::numa::bind_thread;
use spread::Spread;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// What each thread does for one job: called with the thread's number.
type Job = dyn Fn(usize) + Sync;

/// A borrowed job; [`Team::run`] keeps it alive until all threads are done with it.
#[derive(Clone, Copy)]
struct JobRef(*const Job);

// SAFETY: the job is `Sync`, and `Team::run` outlives every use.
unsafe impl Send for JobRef {}

struct Shared {
    /// Advanced when a job is there, and once at the end.
    start: Event,
    job: Mutex<Option<JobRef>>,
    stop: AtomicBool,
}

/// The workers, owned by the leader.
pub struct Team {
    shared: Arc<Shared>,
    done: Arc<Barrier>,
    workers: Vec<JoinHandle<()>>,
    /// Where threads are not pinned and each can have a CPU.
    spread: Option<Spread>,
    spin: bool,
    bound: bool,
}

/// Threads that a session asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamOptions {
    /// How many, the leader included; at least 1.
    pub threads: usize,
    /// Logical CPUs to pin them to, thread `t` to `cores[t mod len]`; empty for none.
    pub cores: Vec<usize>,
    /// NUMA node that the threads' memory comes from.
    pub node: Option<usize>,
}

impl Team {
    /// Starts the workers and pins the calling thread as number 0. Where the system gives fewer threads, the team is smaller.
    pub fn start(options: &TeamOptions) -> Team {
        // Threads pinned to the same CPU, or more of them than CPUs, must not keep each other from running by spinning.
        let cpus = if options.cores.is_empty() { allowed_cpus().len() } else { distinct(&options.cores) };
        let spin = options.threads <= cpus;
        pin(&options.cores, 0);
        let bound = options.node.is_some_and(bind_thread);
        let shared = Arc::new(Shared { start: Event::new(spin), job: Mutex::new(None), stop: AtomicBool::new(false) });
        let mut ready = Vec::new();
        let (tell, told) = std::sync::mpsc::channel();
        // Workers learn the barrier only when it is known how many of them there are.
        for thread in 1..options.threads {
            let (send, receive) = std::sync::mpsc::channel::<Arc<Barrier>>();
            let (shared, cores, node, tell) = (shared.clone(), options.cores.clone(), options.node, tell.clone());
            let body = move || {
                pin(&cores, thread);
                // Gone only when the team could not be built.
                let _ = tell.send(ThreadId::current());
                drop(tell);
                // Refused here means slower, never wrong.
                let _ = node.map(bind_thread);
                if let Ok(done) = receive.recv() {
                    work(&shared, &done, thread);
                }
            };
            match std::thread::Builder::new().name(format!("ne-worker-{thread}")).spawn(body) {
                Ok(handle) => ready.push((send, handle)),
                Err(_) => break,
            }
        }
        let done = Arc::new(Barrier::new(ready.len() + 1, spin));
        let start = |(send, handle): (std::sync::mpsc::Sender<_>, _)| {
            // A worker cannot have ended yet: it does so only after this message.
            let _ = send.send(done.clone());
            handle
        };
        let workers: Vec<_> = ready.into_iter().map(start).collect();
        drop(tell);
        let spread = (spin && options.cores.is_empty() && !workers.is_empty()).then(|| Spread::new(told.iter().collect()));
        Team { shared, done, workers, spread, spin, bound }
    }

    /// Threads there are, the leader included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Whether the leader's memory, which is the team's arena, comes from the node asked for.
    pub fn bound(&self) -> bool {
        self.bound
    }

    /// Another barrier for the threads of this team.
    pub fn barrier(&self) -> Barrier {
        Barrier::new(self.threads(), self.spin)
    }

    /// Runs `job(t)` on every thread, `job(0)` on this one, and returns when all are done. `job` must not panic: it catches its own
    /// failures, because only it knows whom to tell.
    pub fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() {
            return job(0);
        }
        // SAFETY: only the lifetime changes. The barrier below is passed after the last use of the reference by any worker, and a
        // panic of `job(0)` is held back until then.
        let job_ref = JobRef(unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const Job>(job) });
        *self.shared.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job_ref);
        if let Some(spread) = &mut self.spread {
            spread.follow();
        }
        self.shared.start.advance();
        let result = catch_unwind(AssertUnwindSafe(|| job(0)));
        self.done.wait(|| {});
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.start.advance();
        for worker in self.workers.drain(..) {
            // A worker catches every panic, so there is nothing to report.
            let _ = worker.join();
        }
    }
}

fn distinct(cores: &[usize]) -> usize {
    cores.iter().collect::<HashSet<_>>().len()
}

fn pin(cores: &[usize], thread: usize) {
    if !cores.is_empty() {
        // A refusal leaves the thread where the system puts it: slower, never wrong.
        pin_to(cores[thread % cores.len()]);
    }
}

fn work(shared: &Shared, done: &Barrier, thread: usize) {
    let mut seen = 0;
    loop {
        shared.start.wait(seen);
        seen = seen.wrapping_add(1);
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
        let job = *shared.job.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(JobRef(job)) = job {
            // SAFETY: `Team::run` stored the pointer before it advanced `start` and returns only after `done`.
            let _ = catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(thread) }));
        }
        done.wait(|| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn team(threads: usize) -> Team {
        Team::start(&TeamOptions { threads, ..TeamOptions::default() })
    }

    #[test]
    fn every_thread_runs_every_job_once() {
        for threads in [1, 2, 5] {
            let mut team = team(threads);
            assert_eq!(team.threads(), threads);
            for _ in 0..200 {
                let counts: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
                team.run(&|thread| {
                    counts[thread].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn a_panic_in_a_worker_leaves_the_team_usable() {
        let mut team = team(3);
        team.run(&|thread| assert_ne!(thread, 2, "planted"));
        let ran = AtomicUsize::new(0);
        team.run(&|_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.into_inner(), 3);
    }

    #[test]
    fn cores_that_do_not_exist_are_ignored() {
        let mut team = Team::start(&TeamOptions { threads: 2, cores: vec![15_000], node: None });
        let ran = AtomicUsize::new(0);
        team.run(&|_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.into_inner(), 2);
    }
}
