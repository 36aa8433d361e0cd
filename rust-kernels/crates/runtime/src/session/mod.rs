//! A queue of runs and the threads that work through it.

#[cfg(test)]
mod tests;

use crate::error::{ErrorCode, Result, RuntimeError, panic_message};
use crate::exec::{Profile, RunIo, Runner};
use crate::pool::{Event, TeamOptions};
use crate::sys::{affinity, memory::Memory, numa, topology};
use crate::validate::{Prepared, buffers::staging_bytes};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// Names a run within its session.
pub type RunId = u32;

/// Most threads a session takes.
pub const MAX_THREADS: usize = 1024;
/// Staging memory kept for later runs: this many pieces.
const KEPT: usize = 8;

/// How a session computes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads; `None` for the physical cores within cpuset and cgroup quota (or the cores named).
    pub threads: Option<usize>,
    /// Logical CPUs to pin them to; empty for none.
    pub cores: Vec<usize>,
    /// NUMA node that memory comes from; `None` leaves it to the system.
    pub node: Option<usize>,
    /// Ask for huge pages.
    pub huge_pages: bool,
}

/// Copies of a run's inputs and room for its outputs, in one piece.
struct Staging {
    memory: Memory,
    inputs: usize,
}

struct Job {
    id: RunId,
    program: Arc<Prepared>,
    staging: Staging,
    profile: bool,
    abort: Arc<AtomicBool>,
    queued: Instant,
}

struct Finished {
    program: Arc<Prepared>,
    staging: Staging,
    result: Result<Option<Profile>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Abort flags of runs that wait or run.
    active: HashMap<RunId, Arc<AtomicBool>>,
    finished: HashMap<RunId, Finished>,
    spare: Vec<Memory>,
    next: RunId,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Advanced for every queued run and at the end.
    arrivals: Event,
    notify: Box<dyn Fn(Notice) + Send + Sync>,
}

/// What a session tells its owner, from any thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A run ended; its outcome can be [collected](Session::collect).
    Finished(RunId),
    /// The session was closed and all its runs have ended.
    Closed,
}

/// Runs programs, one after the other, on threads of its own.
pub struct Session {
    shared: Arc<Shared>,
    threads: usize,
    /// The node asked for, where the system binds memory to it.
    node: Option<usize>,
    leader: Option<JoinHandle<()>>,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Every change of the queue is complete before anything that could panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Starts the threads. Where the system gives fewer than asked for, the session has fewer.
    ///
    /// # Errors
    /// E_USAGE for 0 or too many threads, E_LIMIT when not even one thread can be had.
    pub fn new(options: &SessionOptions, notify: impl Fn(Notice) + Send + Sync + 'static) -> Result<Session> {
        let default = || if options.cores.is_empty() { topology::default_threads() } else { options.cores.len() };
        let threads = options.threads.unwrap_or_else(default);
        if !(1..=MAX_THREADS).contains(&threads) {
            return Err(RuntimeError::new(ErrorCode::Usage, format!("threads: expected 1 to {MAX_THREADS}, got {threads}")));
        }
        // With one CPU, a leader that spins keeps the caller from queueing what it waits for.
        let arrivals = Event::new(affinity::allowed_cpus().len() > 1);
        let shared = Arc::new(Shared { queue: Mutex::default(), arrivals, notify: Box::new(notify) });
        let team = TeamOptions { threads, cores: options.cores.clone(), node: options.node };
        let (send, receive) = std::sync::mpsc::channel();
        let body = {
            let (shared, huge) = (shared.clone(), options.huge_pages);
            move || {
                let mut runner = Runner::new(&team, huge);
                // The receiver waits for exactly this.
                let _ = send.send((runner.threads(), runner.bound()));
                lead(&shared, &mut runner);
            }
        };
        let leader = std::thread::Builder::new().name("ne-leader".into()).spawn(body);
        let leader = leader.map_err(|error| RuntimeError::limit(format!("no thread can be started: {}", error.kind())))?;
        let (threads, bound) = receive.recv().map_err(|_| RuntimeError::new(ErrorCode::Internal, "the session's thread ended at once"))?;
        Ok(Session { shared, threads, node: options.node.filter(|_| bound), leader: Some(leader) })
    }

    /// Threads that compute.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The NUMA node that memory comes from: the one asked for, unless the system refuses it.
    pub fn node(&self) -> Option<usize> {
        self.node
    }

    /// Queues a run; `fill` copies the inputs to their places, each a slice of exactly the port's bytes.
    ///
    /// # Errors
    /// E_USAGE after [`close`](Self::close), E_LIMIT when memory is short, and what `fill` says.
    pub fn submit(&self, program: &Arc<Prepared>, profile: bool, fill: impl FnOnce(&mut [&mut [u8]]) -> Result<()>) -> Result<RunId> {
        let (inputs, outputs) = (staging_bytes(&program.declared.inputs), staging_bytes(&program.declared.outputs));
        let total = inputs.checked_add(outputs).ok_or_else(|| RuntimeError::limit("inputs and outputs are too large"))?;
        let spare = {
            let mut queue = self.shared.queue();
            if queue.closed {
                return Err(RuntimeError::new(ErrorCode::Usage, "the session is closed"));
            }
            let fits = queue.spare.iter().position(|memory| memory.len() >= total && memory.len() / 4 <= total.max(1 << 16));
            fits.map(|index| queue.spare.swap_remove(index))
        };
        let mut memory = match spare {
            Some(memory) => memory,
            None => self.staging(total)?,
        };
        fill(&mut split(&mut memory.bytes_mut()[..inputs], &program.declared.inputs))?;
        let abort = Arc::new(AtomicBool::new(false));
        let mut queue = self.shared.queue();
        let mut id = queue.next;
        while queue.active.contains_key(&id) || queue.finished.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        queue.next = id.wrapping_add(1);
        queue.active.insert(id, abort.clone());
        let staging = Staging { memory, inputs };
        queue.waiting.push_back(Job { id, program: program.clone(), staging, profile, abort, queued: Instant::now() });
        drop(queue);
        self.shared.arrivals.advance();
        Ok(id)
    }

    fn staging(&self, len: usize) -> Result<Memory> {
        let memory = Memory::new(len, false)?;
        if let Some(node) = self.node {
            // Refused here means slower, never wrong.
            numa::bind_memory(&memory, node);
        }
        Ok(memory)
    }

    /// Asks a run to end: at its next region, or at once if it still waits. Unknown runs are ignored.
    pub fn cancel(&self, id: RunId) {
        let mut queue = self.shared.queue();
        if let Some(abort) = queue.active.get(&id) {
            abort.store(true, Ordering::Relaxed);
        }
        let Some(job) = queue.waiting.iter().position(|job| job.id == id).and_then(|index| queue.waiting.remove(index)) else {
            return; // it is running: its threads see the flag
        };
        let Job { program, staging, .. } = job;
        let result = Err(RuntimeError::new(ErrorCode::Aborted, "the run was aborted"));
        queue.active.remove(&id);
        queue.finished.insert(id, Finished { program, staging, result });
        drop(queue);
        (self.shared.notify)(Notice::Finished(id));
    }

    /// Takes the outcome of a finished run; `take` gets the outputs, in order.
    ///
    /// # Errors
    /// The run's own error, E_USAGE for a run that is not finished, and what `take` says.
    pub fn collect(&self, id: RunId, take: impl FnOnce(&[&[u8]]) -> Result<()>) -> Result<Option<Profile>> {
        let finished = self.shared.queue().finished.remove(&id);
        let Some(Finished { program, staging, result }) = finished else {
            return Err(RuntimeError::new(ErrorCode::Usage, format!("run {id} is not finished")));
        };
        let taken = result.and_then(|profile| {
            let outputs = &staging.memory.bytes()[staging.inputs..];
            let outputs: Vec<&[u8]> =
                program.declared.outputs.iter().map(|place| &outputs[place.offset..place.offset + place.bytes]).collect();
            take(&outputs).map(|()| profile)
        });
        let mut queue = self.shared.queue();
        if queue.spare.len() < KEPT && !queue.closed {
            queue.spare.push(staging.memory);
        }
        taken
    }

    /// Takes no more runs; those queued are finished, then [`Notice::Closed`] follows. Does not wait.
    pub fn close(&self) {
        let mut queue = self.shared.queue();
        queue.spare.clear();
        if !std::mem::replace(&mut queue.closed, true) {
            drop(queue);
            self.shared.arrivals.advance();
        }
    }

    /// Waits until a closed session's threads have ended.
    pub fn join(mut self) {
        if let Some(leader) = self.leader.take() {
            // The leader catches every panic of a run.
            let _ = leader.join();
        }
    }
}

impl Drop for Session {
    /// Aborts what is queued and lets the threads end on their own.
    fn drop(&mut self) {
        for abort in self.shared.queue().active.values() {
            abort.store(true, Ordering::Relaxed);
        }
        self.close();
    }
}

/// One slice for each port.
fn split<'m>(mut memory: &'m mut [u8], places: &[crate::validate::buffers::PortPlace]) -> Vec<&'m mut [u8]> {
    let mut slices = Vec::with_capacity(places.len());
    let mut at = 0;
    for place in places {
        let (_, rest) = std::mem::take(&mut memory).split_at_mut(place.offset - at);
        let (slice, rest) = rest.split_at_mut(place.bytes);
        slices.push(slice);
        memory = rest;
        at = place.offset + place.bytes;
    }
    slices
}

/// The leader's life: run what is queued, in order, until closed and empty.
fn lead(shared: &Shared, runner: &mut Runner) {
    loop {
        let seen = shared.arrivals.now();
        let mut queue = shared.queue();
        let job = queue.waiting.pop_front();
        let closed = queue.closed;
        drop(queue);
        match job {
            Some(job) => {
                let id = job.id;
                finish(shared, runner, job);
                (shared.notify)(Notice::Finished(id));
            }
            None if closed => break,
            None => shared.arrivals.wait(seen),
        }
    }
    (shared.notify)(Notice::Closed);
}

fn finish(shared: &Shared, runner: &mut Runner, job: Job) {
    let Job { id, program, mut staging, profile, abort, queued } = job;
    let start = Instant::now();
    let (inputs, outputs) = staging.memory.bytes_mut().split_at_mut(staging.inputs);
    let io = RunIo { inputs, outputs, abort: &abort, profile };
    let caught = catch_unwind(AssertUnwindSafe(|| runner.run(&program, io)));
    let result = caught.unwrap_or_else(|panic| Err(RuntimeError::new(ErrorCode::Internal, panic_message(&*panic))));
    let result = result.map(|profile| {
        let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (queue_ns, wall_ns) = (nanoseconds(start - queued), nanoseconds(start.elapsed()));
        profile.map(|profile| Profile { queue_ns, wall_ns, ..profile })
    });
    let mut queue = shared.queue();
    queue.active.remove(&id);
    queue.finished.insert(id, Finished { program, staging, result });
}
