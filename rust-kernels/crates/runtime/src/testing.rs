//! Programs, weights and runs for this crate's tests.

use crate::error::Result;
use crate::session::{Notice, Session, SessionOptions};
use crate::validate::Prepared;
use crate::weights::{Spec, WeightSet};
use serde_json::{Value, json};
use std::sync::{Arc, mpsc};

/// A small generator of pseudo-random numbers (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// −1 to 1.
    pub fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}

pub fn bytes_of<T: Copy>(values: &[T]) -> Vec<u8> {
    // SAFETY: used with plain numbers, whose bytes are all initialised.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }.to_vec()
}

pub fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Specs and their sources.
#[derive(Default)]
pub struct Sources {
    pub specs: Vec<Value>,
    pub buffers: Vec<Vec<u8>>,
}

impl Sources {
    /// Adds an entry and returns its number; the source is what `buffer` will refer to.
    pub fn add<T: Copy>(&mut self, mut spec: Value, data: &[T]) -> usize {
        spec["buffer"] = json!(self.buffers.len());
        self.buffers.push(bytes_of(data));
        self.specs.push(spec);
        self.specs.len() - 1
    }

    pub fn floats(&mut self, dims: &[usize], data: &[f32]) -> usize {
        self.add(json!({"kind": "tensor", "dtype": "f32", "dims": dims}), data)
    }

    pub fn specs(&self) -> Vec<Spec> {
        self.specs.iter().map(|spec| serde_json::from_value(spec.clone()).unwrap()).collect()
    }

    pub fn views(&self) -> Vec<&[u8]> {
        self.buffers.iter().map(Vec::as_slice).collect()
    }

    pub fn pack(&self) -> Arc<WeightSet> {
        Arc::new(WeightSet::in_memory(&self.specs(), &self.views(), String::new()).unwrap())
    }
}

/// Bytes of an element of a panel.
fn width(dtype: &str) -> usize {
    match dtype {
        "f32" => 4,
        "bf16" => 2,
        _ => 1,
    }
}

/// A program in the making.
pub struct Builder {
    pub program: Value,
    arena: usize,
    scratch: usize,
}

impl Builder {
    pub fn new(spaces: Value) -> Self {
        let program = json!({
            "abi": crate::program::ABI, "inputs": [], "outputs": [], "spaces": spaces, "buffers": [], "constants": [], "arena_bytes": 0, "scratch_bytes": 0,
            "regions": []
        });
        Builder { program, arena: 0, scratch: 0 }
    }

    fn push(&mut self, list: &str, value: Value) -> usize {
        let list = self.program[list].as_array_mut().unwrap();
        list.push(value);
        list.len() - 1
    }

    pub fn buffer(&mut self, place: Value, dtype: &str, layout: Value) -> usize {
        self.push("buffers", json!({"place": place, "dtype": dtype, "layout": layout}))
    }

    pub fn input(&mut self, dtype: &str, dims: &[usize]) -> usize {
        let port = self.push(
            "inputs",
            json!({"name": format!("input{}", self.program["buffers"].as_array().unwrap().len()), "dtype": dtype, "dims": dims}),
        );
        self.buffer(json!({"input": port}), dtype, json!({"rows": dims}))
    }

    pub fn output(&mut self, dtype: &str, dims: &[usize]) -> usize {
        let port = self.push("outputs", json!({"name": "y", "dtype": dtype, "dims": dims}));
        self.buffer(json!({"output": port}), dtype, json!({"rows": dims}))
    }

    pub fn weight(&mut self, weight: usize, dtype: &str, dims: &[usize]) -> usize {
        self.buffer(json!({"weight": weight}), dtype, json!({"rows": dims}))
    }

    /// Panels in the arena; `rows` is what their space has at most.
    pub fn panels(&mut self, dtype: &str, space: usize, rows: usize, features: usize) -> usize {
        let offset = self.arena;
        self.arena += rows.div_ceil(64) * features * 64 * width(dtype);
        self.program["arena_bytes"] = json!(self.arena);
        self.buffer(json!({"arena": offset}), dtype, json!({"panels": {"space": space, "features": features}}))
    }

    /// Panels in scratch, for units of up to `group`.
    pub fn scratch(&mut self, dtype: &str, space: usize, group: usize, features: usize) -> usize {
        let offset = self.scratch;
        self.scratch += group * features * 64 * width(dtype);
        self.program["scratch_bytes"] = json!(self.scratch);
        self.buffer(json!({"scratch": offset}), dtype, json!({"panels": {"space": space, "features": features}}))
    }

    pub fn region(&mut self, units: Value, steps: Value) {
        self.push("regions", json!({"units": units, "steps": steps}));
    }

    pub fn prepare(&self, weights: &Arc<WeightSet>) -> Result<Arc<Prepared>> {
        Prepared::new(&self.program.to_string(), weights.clone()).map(Arc::new)
    }
}

/// A session whose notices can be waited for.
pub struct Running {
    pub session: Session,
    pub notices: mpsc::Receiver<Notice>,
}

impl Running {
    pub fn new(threads: usize) -> Running {
        let (send, notices) = mpsc::channel();
        let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
        let session = Session::new(&options, move |notice| send.send(notice).unwrap_or(())).unwrap();
        Running { session, notices }
    }

    /// Runs to the end; the outputs' bytes.
    pub fn run(&self, program: &Arc<Prepared>, inputs: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        let id = self.session.submit(program, false, |places| {
            places.iter_mut().zip(inputs).for_each(|(place, input)| place.copy_from_slice(input));
            Ok(())
        })?;
        assert_eq!(self.notices.recv().unwrap(), Notice::Finished(id));
        let mut results = Vec::new();
        self.session.collect(id, |outputs| {
            results = outputs.iter().map(|output| output.to_vec()).collect();
            Ok(())
        })?;
        Ok(results)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.session.close();
    }
}
