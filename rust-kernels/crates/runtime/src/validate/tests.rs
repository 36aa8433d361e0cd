//! Programs that must be refused, and programs that were damaged at random.

use crate::error::ErrorCode;
use crate::testing::{Builder, Random, Running, Sources, bytes_of};
use crate::validate::Prepared;
use crate::weights::WeightSet;
use serde_json::{Value, json};
use std::sync::Arc;

const ROWS: usize = 100;

fn weights() -> Arc<WeightSet> {
    let mut sources = Sources::default();
    sources.add(json!({"kind": "linear_f32", "format": "dense", "m": 8, "k": 4, "order": "km"}), &[1.0f32; 32]);
    sources.floats(&[8], &[1.0; 8]);
    sources.add(json!({"kind": "linear_u8s8", "format": "sparse4x1", "m": 8, "k": 4, "order": "mk"}), &[1i8; 32]);
    sources.add(json!({"kind": "tensor", "dtype": "s32", "dims": [8]}), &[0i32; 8]);
    sources.floats(&[10, 4], &[0.5; 40]);
    sources.floats(&[4], &[1.0; 4]);
    sources.pack()
}

/// Buffers: 0 ids, 1 table, 2 x `[4]`, 3 y `[8]`, 4 codes in scratch `[4]`, 5 z `[8]` in scratch, 6 output, 7 arena rows, 8 constant.
fn program() -> Builder {
    let mut b = Builder::new(json!([{"kind": "tokens", "batch": 2, "seq": 50, "pack": false}]));
    let (ids, table) = (b.input("s64", &[2, 50]), b.weight(4, "f32", &[10, 4]));
    let (x, y) = (b.panels("f32", 0, ROWS, 4), b.panels("f32", 0, ROWS, 8));
    let (codes, z) = (b.scratch("u8", 0, 2, 4), b.scratch("f32", 0, 2, 8));
    let output = b.output("f32", &[ROWS, 8]);
    let offset = b.program["arena_bytes"].as_u64().unwrap();
    b.program["arena_bytes"] = json!(offset + ROWS as u64 * 8 * 4);
    let rows = b.buffer(json!({"arena": offset}), "f32", json!({"rows": [ROWS, 8]}));
    b.program["constants"] = json!(["0000803f"]);
    b.buffer(json!({"constant": 0}), "f32", json!({"rows": [1]}));
    let units = json!({"panels": {"space": 0, "group": 2}});
    b.region(json!("whole"), json!([{"op": "token_map", "space": 0, "masked_bias": 0.0}]));
    b.region(
        units.clone(),
        json!([
            {"op": "embed", "y": x, "ids": ids, "word": table},
            {"op": "layer_norm", "x": x, "gamma": 5, "beta": 5, "epsilon": 1e-5, "quantized": codes, "code": {"scale": 50.0, "zero": 128}},
            {"op": "linear", "weight": 0, "x": x, "y": y, "bias": 1, "act": "gelu_erf"},
            {"op": "linear_i8", "weight": 2, "x": codes, "y": z, "init": 3, "mul": 1, "add": 1, "residual": {"buffer": y}},
            {"op": "add_panels", "a": y, "b": z, "y": y}
        ]),
    );
    b.region(json!({"split": {"space": 0}}), json!([{"op": "linear", "weight": 0, "x": x, "y": y, "residual": "in_place"}]));
    b.region(units, json!([{"op": "to_rows", "x": y, "y": rows}]));
    b.region(
        json!("whole"),
        json!([{"op": "generic", "kind": "strided", "x": [rows], "y": [output], "attrs": {"dims": [ROWS * 8], "strides": [1], "offset": 0}}]),
    );
    b
}

fn refused(change: impl FnOnce(&mut Value)) -> (ErrorCode, String) {
    let mut program = program().program;
    change(&mut program);
    match Prepared::new(&program.to_string(), weights()) {
        Ok(_) => panic!("accepted: {program}"),
        Err(error) => (error.code, error.message),
    }
}

#[test]
fn the_program_of_these_tests_is_valid_and_runs() {
    let program = program().prepare(&weights()).unwrap();
    let ids: Vec<i64> = (0..ROWS as i64).map(|i| i % 10).collect();
    let outputs = Running::new(2).run(&program, &[bytes_of(&ids)]).unwrap();
    assert!(outputs[0].iter().any(|&byte| byte != 0));
}

#[test]
fn each_thing_that_does_not_fit_is_refused_by_name() {
    let steps = |program: &mut Value, region: usize, step: usize, field: &str, value: Value| {
        program["regions"][region]["steps"][step][field] = value;
    };
    let back = |scale: f64, bias: usize| json!({"op": "dequantize", "x": 4, "y": 2, "code": {"scale": scale, "zero": 0}, "bias": bias});
    let attention = |scale: f64, zero: i32| {
        let ports = json!({"op": "attention", "q": 2, "k": 2, "v": 2, "y": 2, "heads": 1, "scale": 1.0});
        let mut step = json!({"probabilities": {"scale": scale, "zero": zero}});
        step.as_object_mut().unwrap().extend(ports.as_object().unwrap().clone());
        step
    };
    type Change<'a> = Box<dyn FnOnce(&mut Value) + 'a>;
    let set =
        |pointer: &'static str, value: Value| -> Change<'_> { Box::new(move |program| *program.pointer_mut(pointer).unwrap() = value) };
    let cases: Vec<(&str, Change<'_>)> = vec![
        ("buffer 2: 2048 bytes at 32", set("/buffers/2/place", json!({"arena": 32}))),
        ("do not fit the arena", set("/arena_bytes", json!(64))),
        ("do not fit the scratch", set("/scratch_bytes", json!(64))),
        ("reaches past the end of scratch", set("/buffers/5/place", json!({"scratch": 2048}))),
        ("input 1 does not exist", set("/buffers/0/place", json!({"input": 1}))),
        ("the buffer is f32", set("/buffers/0/dtype", json!("f32"))),
        ("weight 99 does not exist", set("/buffers/1/place", json!({"weight": 99}))),
        ("is linear_f32", set("/buffers/1/place", json!({"weight": 0}))),
        ("space 3 does not exist", set("/buffers/2/layout", json!({"panels": {"space": 3, "features": 4}}))),
        ("panels hold f32, bf16, u8 or s8", set("/buffers/2/dtype", json!("s32"))),
        ("row-major, not panels", set("/buffers/6/layout", json!({"panels": {"space": 0, "features": 8}}))),
        ("hexadecimal", set("/constants", json!(["0000803F"]))),
        ("hexadecimal", set("/constants", json!(["000"]))),
        ("constant 0 has 8 bytes", set("/constants", json!(["0000803f0000803f"]))),
        ("region 1: a unit of 5 panels", set("/regions/1/units", json!({"panels": {"space": 0, "group": 5}}))),
        ("region 1: a unit of 0 panels", set("/regions/1/units", json!({"panels": {"space": 0, "group": 0}}))),
        ("space 1 does not exist", set("/regions/1/units", json!({"panels": {"space": 1, "group": 1}}))),
        ("has exactly one", set("/regions/1/units", json!("whole"))),
        ("cannot be divided", set("/regions/3/units", json!({"split": {"space": 0}}))),
        ("step 0 (embed): y (buffer 6) is row-major", Box::new(|p| steps(p, 1, 0, "y", json!(6)))),
        ("buffer 77 does not exist", Box::new(|p| steps(p, 1, 0, "ids", json!(77)))),
        (
            "word (buffer 8) is s32",
            Box::new(|p| (p["buffers"][8]["dtype"], p["regions"][1]["steps"][0]["word"]) = (json!("s32"), json!(8))),
        ),
        ("gamma (weight 1)", Box::new(|p| steps(p, 1, 1, "gamma", json!(1)))),
        ("quantized and code go together", Box::new(|p| steps(p, 1, 1, "code", json!(null)))),
        ("multipliers (weight 1)", Box::new(|p| steps(p, 1, 1, "multipliers", json!(1)))),
        ("quantized (buffer 5) is f32", Box::new(|p| steps(p, 1, 1, "quantized", json!(5)))),
        ("x has 8 features", Box::new(|p| steps(p, 1, 2, "x", json!(3)))),
        ("weight 2 is linear_u8s8", Box::new(|p| steps(p, 1, 2, "weight", json!(2)))),
        ("buffers 2 and 3 overlap", Box::new(|p| p["buffers"][3]["place"] = json!({"arena": 0}))),
        ("y (buffer 3) is f32, expected bf16", Box::new(|p| steps(p, 1, 1, "y", json!(3)))),
        ("y has 8 features, expected 4", Box::new(|p| (p["buffers"][3]["dtype"] = json!("bf16"), steps(p, 1, 1, "y", json!(3))).1)),
        (
            "residual (buffer 3) is bf16, expected f32",
            Box::new(|p| {
                p["buffers"][3]["dtype"] = json!("bf16");
                p["regions"][1]["steps"].as_array_mut().unwrap().remove(2);
            }),
        ),
        ("must be in_place", Box::new(|p| steps(p, 1, 3, "residual", json!({"buffer": 5})))),
        ("a code is needed", Box::new(|p| steps(p, 1, 3, "code", json!({"scale": 1.0, "zero": 0})))),
        ("init (weight 1)", Box::new(|p| steps(p, 1, 3, "init", json!(1)))),
        ("bias (weight 1)", Box::new(|p| p["regions"][1]["steps"][3] = back(1.0, 1))),
        ("scale 0 cannot be undone", Box::new(|p| p["regions"][1]["steps"][3] = back(0.0, 5))),
        ("scale 0 cannot be undone", Box::new(|p| p["regions"][1]["steps"][3] = attention(0.0, 0))),
        ("zero point 256", Box::new(|p| p["regions"][1]["steps"][3] = attention(1.0, 256))),
        ("is in scratch", Box::new(|p| steps(p, 2, 0, "y", json!(5)))),
        (
            "is read-only",
            Box::new(|p| (steps(p, 4, 0, "y", json!([8])), steps(p, 4, 0, "attrs", json!({"dims": [1], "strides": [1], "offset": 0}))).1),
        ),
        ("no generic operator", Box::new(|p| steps(p, 4, 0, "kind", json!("teleport")))),
        ("is written by no step", Box::new(|p| drop(p["regions"].as_array_mut().unwrap().pop()))),
        ("unknown field", Box::new(|p| p["colour"] = json!("red"))),
        ("unknown variant", Box::new(|p| steps(p, 1, 0, "op", json!("dance")))),
    ];
    for (expected, change) in cases {
        let (code, message) = refused(change);
        assert!(code == ErrorCode::Ir && message.contains(expected), "expected {expected:?}, got {code:?} {message:?}");
    }
}

#[test]
fn races_between_units_are_refused() {
    // A value read across units may not be written in the same region: keys of one layer and the next must be two buffers.
    let mut b = Builder::new(json!([{"kind": "rows", "count": ROWS}]));
    let input = b.input("f32", &[ROWS, 4]);
    let [q, k, y] = [0; 3].map(|_| b.panels("f32", 0, ROWS, 4));
    let output = b.output("f32", &[ROWS, 4]);
    let units = json!({"panels": {"space": 0, "group": 1}});
    let from = |y: usize| json!({"op": "from_rows", "x": input, "y": y});
    let attention = json!({"op": "attention", "q": q, "k": k, "v": k, "y": y, "heads": 1, "scale": 1.0});
    let to = json!({"op": "to_rows", "x": y, "y": output});
    b.region(units.clone(), json!([from(q), from(k)]));
    b.region(units, json!([attention, from(k), to]));
    let error = b.prepare(&weights()).err().unwrap();
    assert!(error.message.contains("units would race"), "{}", error.message);
    b.program["regions"][1]["steps"].as_array_mut().unwrap().remove(1);
    assert!(b.prepare(&weights()).is_ok());
}

#[test]
fn limits_and_other_versions_have_their_own_codes() {
    assert_eq!(refused(|p| p["abi"] = json!(99)).0, ErrorCode::IrMismatch);
    assert_eq!(refused(|p| p["arena_bytes"] = json!(1u64 << 40)).0, ErrorCode::Limit);
    assert_eq!(refused(|p| p["scratch_bytes"] = json!(1u64 << 40)).0, ErrorCode::Limit);
    assert_eq!(refused(|p| p["spaces"][0]["seq"] = json!(1u64 << 62)).0, ErrorCode::Limit);
    assert_eq!(refused(|p| p["inputs"][0]["dims"] = json!([1u64 << 32, 1u64 << 32])).0, ErrorCode::Limit);
    for text in ["", "{", "null", "[]", &"[".repeat(100_000)] {
        assert_eq!(Prepared::new(text, weights()).err().unwrap().code, ErrorCode::Ir);
    }
}

/// Every number of the program replaced by edge values, every element removed or doubled: refused or run, never a crash.
#[test]
fn damaged_programs_are_refused_or_run_without_a_crash() {
    let original = program().program;
    let mut variants = Vec::new();
    let mut pointers = Vec::new();
    collect(&original, String::new(), &mut pointers);
    for pointer in &pointers {
        let value = original.pointer(pointer).unwrap();
        let mut replace = |new: Value| {
            let mut copy = original.clone();
            *copy.pointer_mut(pointer).unwrap() = new;
            variants.push(copy);
        };
        match value {
            Value::Number(_) => [0u64, 1, 2, 3, 5, 7, 63, 64, 128, 4096, 1 << 20, 1 << 31, 1 << 53, u64::MAX]
                .map(|n| replace(json!(n)))
                .into_iter()
                .for_each(drop),
            Value::String(_) => ["f32", "u8", "s8", "s64", "whole", "linear", "to_rows", "none", "in_place", ""]
                .map(|s| replace(json!(s)))
                .into_iter()
                .for_each(drop),
            Value::Array(list) => {
                for index in 0..list.len() {
                    let mut shorter = list.clone();
                    shorter.remove(index);
                    replace(Value::Array(shorter));
                    let mut longer = list.clone();
                    longer.insert(index, list[index].clone());
                    replace(Value::Array(longer));
                }
            }
            _ => replace(Value::Null),
        }
    }
    // Pairs of changes reach what single ones cannot.
    let mut random = Random(1);
    for _ in 0..2000 {
        let mut copy = original.clone();
        for _ in 0..2 {
            let pointer = &pointers[random.next() as usize % pointers.len()];
            if let Some(value @ Value::Number(_)) = copy.pointer_mut(pointer) {
                *value = json!(random.next() % 9);
            }
        }
        variants.push(copy);
    }
    let weights = weights();
    let running = Running::new(2);
    let (mut accepted, total) = (0, variants.len());
    for variant in variants {
        let Ok(program) = Prepared::new(&variant.to_string(), weights.clone()) else { continue };
        accepted += 1;
        let inputs: Vec<Vec<u8>> = program.declared.inputs.iter().map(|place| vec![0; place.bytes]).collect();
        if program.arena_bytes + program.scratch_bytes + inputs.iter().map(Vec::len).sum::<usize>() < 1 << 26 {
            let _ = running.run(&Arc::new(program), &inputs);
        }
    }
    assert!(accepted > 20 && accepted < total, "{accepted} of {total} were accepted");
}

fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| collect(value, format!("{at}/{key}"), pointers)),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| collect(value, format!("{at}/{index}"), pointers)),
        _ => {}
    }
    if !at.is_empty() {
        pointers.push(at);
    }
}
