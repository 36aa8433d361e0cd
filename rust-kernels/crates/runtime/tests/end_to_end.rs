//! A tiny program from JSON to numbers: weights, validation, session, threads.

use neural_engine_runtime::program::ABI;
use neural_engine_runtime::session::{Notice, Session, SessionOptions};
use neural_engine_runtime::validate::Prepared;
use neural_engine_runtime::weights::{Spec, WeightSet};
use std::sync::{Arc, mpsc};

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// y = W·x + b for `rows` rows, from_rows → linear → to_rows.
fn linear_program(rows: usize, m: usize, k: usize, units: &str) -> String {
    let arena = |features: usize| rows.div_ceil(64) * features * 256;
    let (x, y) = (arena(k), arena(m));
    format!(
        r#"{{"abi":{ABI},
        "inputs":[{{"name":"x","dtype":"f32","dims":[{rows},{k}]}}],
        "outputs":[{{"name":"y","dtype":"f32","dims":[{rows},{m}]}}],
        "spaces":[{{"kind":"rows","count":{rows}}}],
        "buffers":[
          {{"place":{{"input":0}},"dtype":"f32","layout":{{"rows":[{rows},{k}]}}}},
          {{"place":{{"arena":0}},"dtype":"f32","layout":{{"panels":{{"space":0,"features":{k}}}}}}},
          {{"place":{{"arena":{x}}},"dtype":"f32","layout":{{"panels":{{"space":0,"features":{m}}}}}}},
          {{"place":{{"output":0}},"dtype":"f32","layout":{{"rows":[{rows},{m}]}}}}],
        "arena_bytes":{},"scratch_bytes":0,
        "regions":[
          {{"units":{{"panels":{{"space":0,"group":1}}}},"steps":[{{"op":"from_rows","x":0,"y":1}}]}},
          {{"units":{units},"steps":[{{"op":"linear","weight":0,"x":1,"y":2,"bias":1}}]}},
          {{"units":{{"panels":{{"space":0,"group":2}}}},"steps":[{{"op":"to_rows","x":2,"y":3}}]}}]}}"#,
        x + y
    )
}

fn weights(m: usize, k: usize) -> Arc<WeightSet> {
    let matrix: Vec<f32> = (0..m * k).map(|i| (i % 7) as f32 - 3.0).collect();
    let bias: Vec<f32> = (0..m).map(|i| i as f32).collect();
    let specs: Vec<Spec> = serde_json::from_str(&format!(
        r#"[{{"kind":"linear_f32","format":"dense","m":{m},"k":{k},"order":"mk","buffer":0}},
            {{"kind":"tensor","dtype":"f32","dims":[{m}],"buffer":1}}]"#
    ))
    .unwrap();
    // Sources must be aligned for their elements, as typed arrays are.
    let sources = [bytes_of(&matrix), bytes_of(&bias)];
    Arc::new(WeightSet::in_memory(&specs, &[&sources[0], &sources[1]], String::new()).unwrap())
}

fn run(session: &Session, done: &mpsc::Receiver<Notice>, program: &Arc<Prepared>, x: &[f32]) -> Vec<f32> {
    let id = session
        .submit(program, false, |inputs| {
            inputs[0].copy_from_slice(&bytes_of(x));
            Ok(())
        })
        .unwrap();
    assert_eq!(done.recv().unwrap(), Notice::Finished(id));
    let mut y = Vec::new();
    session
        .collect(id, |outputs| {
            y = floats(outputs[0]);
            Ok(())
        })
        .unwrap();
    y
}

#[test]
fn a_linear_layer_gives_the_same_bits_on_any_number_of_threads_and_however_it_is_divided() {
    let (m, k) = (50, 20);
    let weights = weights(m, k);
    for rows in [0usize, 1, 63, 64, 65, 300] {
        let x: Vec<f32> = (0..rows * k).map(|i| ((i * 13) % 11) as f32 - 5.0).collect();
        let want: Vec<f32> = (0..rows * m)
            .map(|i| {
                let (row, out) = (i / m, i % m);
                let product: f32 = (0..k).map(|j| x[row * k + j] * (((out * k + j) % 7) as f32 - 3.0)).sum();
                product + out as f32
            })
            .collect();
        for units in [r#"{"panels":{"space":0,"group":1}}"#, r#"{"panels":{"space":0,"group":4}}"#, r#"{"split":{"space":0}}"#] {
            let program = Arc::new(Prepared::new(&linear_program(rows, m, k, units), weights.clone()).unwrap());
            for threads in [1, 2, 3] {
                let (send, done) = mpsc::channel();
                let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
                let session = Session::new(&options, move |notice| send.send(notice).unwrap_or(())).unwrap();
                for _ in 0..3 {
                    assert_eq!(run(&session, &done, &program, &x), want, "{rows} rows, {units}, {threads} threads");
                }
                session.close();
                assert_eq!(done.recv().unwrap(), Notice::Closed);
                session.join();
            }
        }
    }
}
