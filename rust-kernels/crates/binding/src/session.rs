//! Sessions.

use crate::error::{Result, coded, guard, node, usage};
use crate::program::NativeProgram;
use crate::typed::{Kind, Typed, all};
use napi::bindgen_prelude::{Array, Env, Float64Array, Function};
use napi::sys;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use neural_engine_runtime::exec::Profile;
use neural_engine_runtime::program::DType;
use neural_engine_runtime::session::{Notice, Session, SessionOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Tells JavaScript a run's number, or −1 when the session has ended. Weak: it does not keep the process alive by itself.
type Notify = ThreadsafeFunction<f64, (), f64, napi::Status, false, true, 0>;

/// See `SessionOptions` in TypeScript.
#[napi(object)]
pub struct NativeSessionOptions {
    /// Threads that compute.
    pub threads: Option<u32>,
    /// Logical CPUs to pin them to.
    pub cores: Option<Vec<u32>>,
    /// NUMA node that memory comes from.
    pub node: Option<u32>,
    /// Ask for huge pages.
    pub huge_pages: Option<bool>,
}

/// Where a run's time went; flat, TypeScript gives it its form.
#[napi(object)]
pub struct NativeProfile {
    /// Threads of the session.
    pub threads: u32,
    /// Start to end.
    pub wall_ns: f64,
    /// Queued to start.
    pub queue_ns: f64,
    /// Rows of each space.
    pub space_rows: Vec<u32>,
    /// Units of each region.
    pub units: Vec<u32>,
    /// First slot of each region, and one past the last.
    pub slots: Vec<u32>,
    /// `[slot][thread]`; a region's slots are its steps, then its barrier.
    pub nanoseconds: Float64Array,
}

/// Threads and memory that run programs, one after the other.
#[napi]
pub struct NativeSession {
    session: Session,
    notify: Arc<Notify>,
    /// Runs that JavaScript has not collected; while there are any the event loop is kept alive.
    pending: AtomicU32,
}

#[napi]
impl NativeSession {
    /// Starts the threads. `notify` is called on this thread's event loop with the number of each run that ended.
    ///
    /// # Errors
    /// E_USAGE for bad options, E_LIMIT when no thread can be had.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: NativeSessionOptions, notify: Function<'_, f64, ()>) -> Result<NativeSession> {
        guard(|| {
            let notify: Notify = notify.build_threadsafe_function::<f64>().weak::<true>().build().map_err(node)?;
            let notify = Arc::new(notify);
            let options = SessionOptions {
                threads: options.threads.map(|threads| threads as usize),
                cores: options.cores.unwrap_or_default().into_iter().map(|core| core as usize).collect(),
                node: options.node.map(|node| node as usize),
                huge_pages: options.huge_pages.unwrap_or(true),
            };
            let tell = {
                let notify = notify.clone();
                move |notice| {
                    let number = match notice {
                        Notice::Finished(id) => f64::from(id),
                        Notice::Closed => -1.0,
                    };
                    // Refused when the environment is going away: then nobody waits for it.
                    notify.call(number, ThreadsafeFunctionCallMode::NonBlocking);
                }
            };
            let session = Session::new(&options, tell).map_err(coded)?;
            Ok(NativeSession { session, notify, pending: AtomicU32::new(0) })
        })
    }

    /// Threads that compute, after what the system granted.
    #[napi(getter, catch_unwind)]
    pub fn threads(&self) -> u32 {
        self.session.threads() as u32
    }

    /// The NUMA node that memory comes from, after what the system granted.
    #[napi(getter, catch_unwind)]
    pub fn node(&self) -> Option<u32> {
        self.session.node().map(|node| node as u32)
    }

    /// Copies the inputs, queues the run and returns its number.
    ///
    /// # Errors
    /// E_USAGE for arrays that are not what the program's inputs and outputs ask for, and after `close`; E_LIMIT.
    #[napi(catch_unwind)]
    pub fn submit(&self, env: Env, program: &NativeProgram, inputs: Array<'_>, outputs: Array<'_>, profile: bool) -> Result<u32> {
        let program = &program.prepared;
        guard(|| {
            let arrays = all(&inputs, "input", program.inputs.len())?;
            for ((array, port), place) in arrays.iter().zip(&program.inputs).zip(&program.declared.inputs) {
                // 64-bit integers may be given as 32-bit ones.
                let narrow = port.dtype == DType::S64 && array.kind == Kind::Int32;
                let (dtype, bytes) = if narrow { (DType::S32, place.bytes / 2) } else { (port.dtype, place.bytes) };
                array.expect(&format!("input {:?}", port.name), dtype, bytes)?;
            }
            check_outputs(program, &outputs)?;
            let fill = |targets: &mut [&mut [u8]]| {
                for (array, target) in arrays.iter().zip(targets) {
                    if array.bytes == target.len() { array.copy_to(target) } else { widen(array, target) }
                }
                Ok(())
            };
            let id = self.session.submit(program, profile, fill).map_err(coded)?;
            if self.pending.fetch_add(1, Ordering::Relaxed) == 0 {
                // SAFETY: this is the thread of the environment, and the handle lives as long as `self.notify`.
                unsafe { sys::napi_ref_threadsafe_function(env.raw(), self.notify.handle.get_raw()) };
            }
            Ok(id)
        })
    }

    /// Copies a finished run's outputs into `outputs`.
    ///
    /// # Errors
    /// The run's own; E_USAGE when it is not finished or an output has changed its length meanwhile.
    #[napi(catch_unwind)]
    pub fn collect(&self, env: Env, id: u32, program: &NativeProgram, outputs: Array<'_>) -> Result<Option<NativeProfile>> {
        let program = &program.prepared;
        guard(|| {
            if self.pending.fetch_sub(1, Ordering::Relaxed) == 1 {
                // SAFETY: as in `submit`.
                unsafe { sys::napi_unref_threadsafe_function(env.raw(), self.notify.handle.get_raw()) };
            }
            let mut refused = None;
            let profile = self.session.collect(id, |results| {
                match check_outputs(program, &outputs) {
                    Ok(arrays) => arrays.iter().zip(results).for_each(|(array, result)| array.copy_from(result)),
                    Err(error) => refused = Some(error),
                }
                Ok(())
            });
            match refused {
                Some(error) => Err(error),
                None => Ok(profile.map_err(coded)?.map(NativeProfile::from)),
            }
        })
    }

    /// Asks a run to end; its outcome is still notified.
    #[napi(catch_unwind)]
    pub fn cancel(&self, id: u32) {
        self.session.cancel(id);
    }

    /// Takes no more runs; −1 is notified when those queued are finished. With `wait` the event loop is kept alive until then.
    #[napi(catch_unwind)]
    pub fn close(&self, env: Env) {
        // The notice of the end must arrive although nothing else may be pending.
        if self.pending.fetch_add(1, Ordering::Relaxed) == 0 {
            // SAFETY: as in `submit`.
            unsafe { sys::napi_ref_threadsafe_function(env.raw(), self.notify.handle.get_raw()) };
        }
        self.session.close();
    }

    /// Acknowledges the notice of the end, so that the event loop is free.
    #[napi(catch_unwind)]
    pub fn closed(&self, env: Env) {
        if self.pending.fetch_sub(1, Ordering::Relaxed) == 1 {
            // SAFETY: as in `submit`.
            unsafe { sys::napi_unref_threadsafe_function(env.raw(), self.notify.handle.get_raw()) };
        }
    }
}

fn check_outputs(program: &neural_engine_runtime::validate::Prepared, outputs: &Array<'_>) -> Result<Vec<Typed>> {
    let arrays = all(outputs, "output", program.outputs.len())?;
    for ((array, port), place) in arrays.iter().zip(&program.outputs).zip(&program.declared.outputs) {
        array.expect(&format!("output {:?}", port.name), port.dtype, place.bytes)?;
    }
    for (index, array) in arrays.iter().enumerate() {
        if arrays[..index].iter().any(|other| other.overlaps(array)) {
            return Err(usage(format!("output {:?} shares memory with another output", program.outputs[index].name)));
        }
    }
    Ok(arrays)
}

/// s32 to s64.
fn widen(array: &Typed, target: &mut [u8]) {
    let mut narrow = vec![0; array.bytes];
    array.copy_to(&mut narrow);
    for (wide, narrow) in target.as_chunks_mut::<8>().0.iter_mut().zip(narrow.as_chunks::<4>().0) {
        *wide = i64::from(i32::from_ne_bytes(*narrow)).to_ne_bytes();
    }
}

impl From<Profile> for NativeProfile {
    fn from(profile: Profile) -> Self {
        let numbers = |list: Vec<usize>| list.into_iter().map(|number| number as u32).collect();
        NativeProfile {
            threads: profile.threads as u32,
            wall_ns: profile.wall_ns as f64,
            queue_ns: profile.queue_ns as f64,
            space_rows: numbers(profile.space_rows),
            units: numbers(profile.units),
            slots: numbers(profile.slots),
            nanoseconds: Float64Array::new(profile.nanoseconds.into_iter().map(|time| time as f64).collect()),
        }
    }
}
