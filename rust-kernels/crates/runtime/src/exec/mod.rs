//! Runs a checked program on a team of threads.

mod kernel;
mod memory;
mod planted;
mod profile;
mod step;
#[cfg(test)]
mod tests;

pub use planted::Planted;
pub use profile::Profile;

use crate::error::{ErrorCode, Result, RuntimeError, panic_message};
use crate::pool::{Barrier, Team, TeamOptions};
use crate::sys::memory::Memory;
use crate::validate::op::Op;
use crate::validate::{Division, Prepared, PreparedRegion};
use memory::Bases;
use neural_engine_isa::Isa;
use neural_engine_kernels::tokens::TokenMap;
use profile::Recorder;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

/// Most panels of one kernel call.
const MAX_PANELS: usize = 4;

/// Memory and threads that runs reuse, one after the other. Its thread is thread 0 of every run.
pub struct Runner {
    team: Team,
    barrier: Barrier,
    huge: bool,
    arena: Memory,
    /// One for each thread: the program's scratch, then the kernels'.
    scratch: Vec<Memory>,
    spaces: Vec<RwLock<TokenMap>>,
    isa: Isa,
}

/// What one run works on.
pub struct RunIo<'a> {
    /// The inputs, each at the offset its port was given.
    pub inputs: &'a [u8],
    /// The outputs, likewise.
    pub outputs: &'a mut [u8],
    /// Set by others to end the run.
    pub abort: &'a AtomicBool,
    /// Measure.
    pub profile: bool,
}

/// One run, as all its threads see it.
struct Run<'a> {
    prepared: &'a Prepared,
    spaces: &'a [RwLock<TokenMap>],
    isa: Isa,
    threads: usize,
    /// Only thread 0 runs.
    alone: bool,
    inputs: *const u8,
    outputs: *mut u8,
    arena: *mut u8,
    /// Each thread's own memory.
    scratch: &'a [Memory],
    barrier: &'a Barrier,
    abort: &'a AtomicBool,
    /// Decided by the last thread at each barrier, so that all agree.
    stop: AtomicBool,
    failed: AtomicBool,
    error: Mutex<Option<RuntimeError>>,
    recorder: Option<Recorder>,
}

// SAFETY: the pointers are into memory that outlives the run; threads use disjoint parts of it, as validation proved.
unsafe impl Sync for Run<'_> {}

impl Runner {
    /// Starts the other threads of the team; call it on the thread that will run.
    pub fn new(options: &TeamOptions, huge: bool) -> Runner {
        let team = Team::start(options);
        let barrier = team.barrier();
        Runner { team, barrier, huge, arena: Memory::empty(), scratch: Vec::new(), spaces: Vec::new(), isa: Isa::best() }
    }

    /// Threads of the team.
    pub fn threads(&self) -> usize {
        self.team.threads()
    }

    /// Whether the arena's memory comes from the node asked for.
    pub fn bound(&self) -> bool {
        self.team.bound()
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// E_REQUEST for data that contradicts the model, E_ABORTED, E_LIMIT when memory is short, E_INTERNAL for a caught panic. Outputs are
    /// then unspecified, and the next run is not affected.
    pub fn run(&mut self, prepared: &Prepared, io: RunIo<'_>) -> Result<Option<Profile>> {
        self.reserve(prepared)?;
        let steps = prepared.regions.iter().map(|region| region.ops.len());
        let run = Run {
            prepared,
            spaces: &self.spaces,
            isa: self.isa,
            threads: self.team.threads(),
            alone: prepared.regions.iter().all(|region| is_solo(prepared, region, self.team.threads())),
            inputs: io.inputs.as_ptr(),
            outputs: io.outputs.as_mut_ptr(),
            arena: self.arena.as_ptr(),
            scratch: &self.scratch,
            barrier: &self.barrier,
            abort: io.abort,
            stop: AtomicBool::new(io.abort.load(Ordering::Relaxed)),
            failed: AtomicBool::new(false),
            error: Mutex::new(None),
            recorder: io.profile.then(|| Recorder::new(self.team.threads(), steps)),
        };
        if run.stop.load(Ordering::Relaxed) {
            // Aborted while it waited.
        } else if run.alone {
            run.work(0);
        } else {
            self.team.run(&|thread| run.work(thread));
        }
        if let Some(error) = run.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if run.stop.into_inner() {
            return Err(RuntimeError::new(ErrorCode::Aborted, "the run was aborted"));
        }
        Ok(run.recorder.map(|recorder| {
            let rows = self.spaces.iter().take(prepared.declared.spaces.len()).map(|space| step::read_lock(space).len());
            Profile { space_rows: rows.collect(), ..recorder.finish() }
        }))
    }

    /// Makes the memories at least as large as the program needs, and its spaces empty.
    fn reserve(&mut self, prepared: &Prepared) -> Result<()> {
        if self.arena.len() < prepared.arena_bytes {
            self.arena = Memory::empty(); // the old one first, so that both are never held
            self.arena = Memory::new(prepared.arena_bytes, self.huge)?;
        }
        let scratch = prepared.scratch_bytes.next_multiple_of(64) + kernel::kernel_scratch(prepared);
        self.scratch.resize_with(self.team.threads(), Memory::empty);
        for memory in &mut self.scratch {
            if memory.len() < scratch {
                *memory = Memory::empty();
                *memory = Memory::new(scratch, self.huge)?;
            }
        }
        for (index, size) in prepared.declared.spaces.iter().enumerate() {
            if index == self.spaces.len() {
                self.spaces.push(RwLock::default());
            }
            let mut space = self.spaces[index].write().unwrap_or_else(PoisonError::into_inner);
            step::reset_space(&mut space, size)?;
        }
        Ok(())
    }
}

impl Run<'_> {
    /// One thread's share of the whole run.
    ///
    /// Regions that only thread 0 has work in follow each other without a barrier; the others wait for it at the end of such a chain.
    fn work(&self, thread: usize) {
        let regions = &self.prepared.regions;
        let mut solo = self.is_solo(0);
        for (index, region) in regions.iter().enumerate() {
            let next_solo = self.is_solo(index + 1);
            if !solo || thread == 0 {
                self.guarded(index, thread);
            }
            let chained = std::mem::replace(&mut solo, next_solo) && next_solo;
            if chained && (thread != 0 || !self.must_stop()) {
                continue;
            }
            if self.alone {
                self.stop.store(self.must_stop(), Ordering::Relaxed);
            } else if chained {
                // The others are already waiting at the end of the chain, where all of them learn of the stop.
                self.barrier.wait(|| self.stop.store(true, Ordering::Relaxed));
            } else {
                let waiting = self.recorder.as_ref().map(|_| Instant::now());
                self.barrier.wait(|| self.stop.store(self.must_stop(), Ordering::Relaxed));
                if let (Some(recorder), Some(waiting)) = (&self.recorder, waiting) {
                    recorder.add(index, region.ops.len(), thread, waiting);
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Whether a region has work for thread 0 only, as far as that is known before a run; false past the last region.
    fn is_solo(&self, index: usize) -> bool {
        self.prepared.regions.get(index).is_some_and(|region| is_solo(self.prepared, region, self.threads))
    }

    fn must_stop(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.abort.load(Ordering::Relaxed)
    }

    /// Runs this thread's share of a region and keeps what goes wrong.
    fn guarded(&self, index: usize, thread: usize) {
        let division = &self.prepared.regions[index].division;
        let result = catch_unwind(AssertUnwindSafe(|| {
            self.prepared.planted.spring(thread);
            self.region(index, division, thread)
        }));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(error.at(format_args!("region {index}"))),
            Err(panic) => self.fail(RuntimeError::new(ErrorCode::Internal, panic_message(&*panic))),
        }
    }

    /// Keeps the first error and lets all threads stop at the barrier.
    fn fail(&self, error: RuntimeError) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.failed.store(true, Ordering::Relaxed);
    }

    fn region(&self, index: usize, division: &Division, thread: usize) -> Result<()> {
        let ops = &self.prepared.regions[index].ops;
        let (scratch, scratch_len) = (self.scratch[thread].as_ptr(), self.scratch[thread].len());
        let own = self.prepared.scratch_bytes.next_multiple_of(64);
        let bases = Bases {
            inputs: self.inputs,
            outputs: self.outputs,
            arena: self.arena,
            scratch,
            constants: self.prepared.declared.constants.as_ptr(),
            weights: &self.prepared.weights,
        };
        // SAFETY: the part of this thread's scratch behind the program's own, which nothing else refers to.
        let kernel_scratch = unsafe { std::slice::from_raw_parts_mut(scratch.wrapping_add(own), scratch_len - own) };
        let mut thread_state = step::Thread { run: self, bases, kernel_scratch, thread };
        match *division {
            Division::Panels { space, group } => {
                let map = step::read_lock(&self.spaces[space]);
                // Panels are shared, not units: three units of two panels would keep one of two threads busy twice as long as the other.
                let of = |thread| share(map.panels(), thread, self.threads);
                self.note_units(index, thread, (0..self.threads).map(|thread| of(thread).len().div_ceil(group)).sum());
                let own = of(thread);
                for start in own.clone().step_by(group) {
                    let unit = start..own.end.min(start + group);
                    for (number, op) in ops.iter().enumerate() {
                        let start = self.recorder.as_ref().map(|_| Instant::now());
                        thread_state.panel_step(op, &map, unit.clone())?;
                        self.record(index, number, thread, start);
                    }
                }
            }
            Division::Split { space } => {
                let map = step::read_lock(&self.spaces[space]);
                self.note_units(index, thread, self.threads);
                let start = self.recorder.as_ref().map(|_| Instant::now());
                thread_state.split_step(&ops[0], &map)?;
                self.record(index, 0, thread, start);
            }
            Division::Whole => {
                self.note_units(index, thread, 1);
                let start = self.recorder.as_ref().map(|_| Instant::now());
                thread_state.whole_step(&ops[0])?;
                self.record(index, 0, thread, start);
            }
        }
        Ok(())
    }

    fn record(&self, region: usize, step: usize, thread: usize, start: Option<Instant>) {
        if let (Some(recorder), Some(start)) = (&self.recorder, start) {
            recorder.add(region, step, thread, start);
        }
    }

    fn note_units(&self, region: usize, thread: usize, units: usize) {
        if let Some(recorder) = &self.recorder
            && thread == 0
        {
            recorder.units(region, units);
        }
    }
}

/// Whether a region has work for one thread only.
fn is_solo(prepared: &Prepared, region: &PreparedRegion, threads: usize) -> bool {
    match region.division {
        Division::Panels { space, .. } => threads == 1 || prepared.declared.spaces[space].max_panels() <= 1,
        Division::Split { .. } => threads == 1,
        Division::Whole => match &region.ops[..] {
            [Op::Generic { op, .. }] => op.parts(threads) <= 1,
            _ => true,
        },
    }
}

/// The units of one thread: contiguous, so that neighbours share what they read, and decided by number alone. A single unit is thread 0's.
pub(crate) fn share(units: usize, thread: usize, threads: usize) -> Range<usize> {
    let cut = |part: usize| (units as u128 * part as u128).div_ceil(threads as u128) as usize;
    cut(thread)..cut(thread + 1)
}
