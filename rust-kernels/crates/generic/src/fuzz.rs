//! Random steps: whatever `check` lets through runs without a panic, on any bytes, and only data can make it fail.

use super::element::size_of;
use super::{GenericError, RawTensor, RawTensorMut, TensorSpec, check};
use crate::DType;
use serde_json::{Value, json};

const DTYPES: [DType; 13] = [
    DType::F32,
    DType::F64,
    DType::F16,
    DType::Bf16,
    DType::U8,
    DType::S8,
    DType::U16,
    DType::S16,
    DType::U32,
    DType::S32,
    DType::U64,
    DType::S64,
    DType::Bool,
];

const KINDS: [&str; 32] = [
    "arg",
    "batch_norm",
    "binary",
    "cast",
    "clip",
    "concat",
    "cumsum",
    "dequantize",
    "dynamic_quantize",
    "eye",
    "gather",
    "gather_elements",
    "gather_nd",
    "lp_norm",
    "matmul",
    "matmul_integer",
    "normalize",
    "one_hot",
    "pad",
    "quantize",
    "range",
    "reduce",
    "reverse_sequence",
    "scatter_elements",
    "scatter_nd",
    "softmax",
    "strided",
    "topk",
    "trilu",
    "unary",
    "where",
    "nothing",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn dims(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).map(|_| self.pick(&[0, 1, 2, 3, 5])).collect()
    }
}

type Spec = (DType, Vec<usize>);

/// A step that often, not always, fits together.
fn step(kind: &str, r: &mut Random) -> (Value, Vec<Spec>, Vec<Spec>) {
    let dtype = if r.below(2) == 0 { DType::F32 } else { r.pick(&DTYPES) };
    let code = r.pick(&[DType::U8, DType::S8, DType::U16, DType::S16, DType::S32]);
    let index = r.pick(&[DType::S32, DType::S64]);
    let rank = 1 + r.below(3);
    let dims = r.dims(rank);
    let axis = r.below(rank);
    let x = (dtype, dims.clone());
    let with = |axis: usize, length: usize| -> Vec<usize> {
        dims.iter().enumerate().map(|(i, &dim)| if i == axis { length } else { dim }).collect()
    };
    let count: usize = dims.iter().product();
    match kind {
        "arg" => (
            json!({"function": r.pick(&["max", "min"]), "axis": axis, "last": r.below(2) == 0}),
            vec![x],
            vec![(DType::S64, with(axis, 1))],
        ),
        "batch_norm" => {
            let channel = (dtype, vec![dims.get(1).copied().unwrap_or(1)]);
            (json!({"epsilon": 0.0}), [vec![x.clone()], vec![channel; 4]].concat(), vec![x])
        }
        "binary" => {
            let names = [
                "add",
                "sub",
                "mul",
                "div",
                "rem",
                "mod",
                "pow",
                "max",
                "min",
                "prelu",
                "and",
                "xor",
                "bitwise_or",
                "shift_left",
                "shift_right",
            ];
            let compared = r.below(4) == 0;
            let name = if compared { r.pick(&["equal", "less", "greater_or_equal"]) } else { r.pick(&names) };
            let b = r.pick(&[dims.clone(), with(axis, 1), vec![]]);
            (json!({ "function": name }), vec![x, (dtype, b)], vec![(if compared { DType::Bool } else { dtype }, dims)])
        }
        "cast" => (json!({}), vec![x], vec![(r.pick(&DTYPES), dims)]),
        "clip" => (json!({}), vec![x.clone(), (dtype, vec![]), (dtype, vec![])], vec![x]),
        "concat" => {
            let (a, b) = (r.below(3), r.below(3));
            (json!({ "axis": axis }), vec![(dtype, with(axis, a)), (dtype, with(axis, b))], vec![(dtype, with(axis, a + b))])
        }
        "cumsum" => {
            let attrs = json!({"axis": axis, "exclusive": r.below(2) == 0, "reverse": r.below(2) == 0});
            (attrs, vec![x.clone()], vec![x])
        }
        "quantize" | "dequantize" => {
            let attrs = r.pick(&[json!({}), json!({ "axis": axis }), json!({"axis": axis, "block": 2})]);
            let parameter = match (attrs.get("axis"), attrs.get("block")) {
                (None, _) => vec![],
                (_, None) => vec![dims[axis]],
                _ => with(axis, dims[axis].div_ceil(2)),
            };
            let (from, to) = if kind == "quantize" { (x, (code, dims)) } else { ((code, dims.clone()), (dtype, dims)) };
            (attrs, vec![from, (dtype, parameter.clone()), (code, parameter)], vec![to])
        }
        "dynamic_quantize" => (json!({}), vec![x], vec![(DType::U8, dims), (DType::F32, vec![]), (DType::U8, vec![])]),
        "eye" => (json!({"k": r.below(7) as i64 - 3}), vec![], vec![(dtype, r.dims(2))]),
        "gather" => {
            let (rank, at) = (r.below(2), axis);
            let indices = r.dims(rank);
            let y = [&dims[..at], &indices, &dims[at + 1..]].concat();
            (json!({ "axis": axis }), vec![x, (index, indices)], vec![(dtype, y)])
        }
        "gather_elements" => {
            let indices = with(axis, r.below(4));
            (json!({ "axis": axis }), vec![x, (index, indices.clone())], vec![(dtype, indices)])
        }
        "gather_nd" => {
            let (n, tuple) = (r.below(3), 1 + r.below(rank));
            (json!({"batch_dims": 0}), vec![x, (index, vec![n, tuple])], vec![(dtype, [&[n], &dims[tuple..]].concat())])
        }
        "lp_norm" => (json!({"axis": axis, "p": 1 + r.below(2)}), vec![x.clone()], vec![x]),
        "matmul" | "matmul_integer" => {
            let (batch, m, k, n) = (r.dims(1), r.below(8), r.below(4), r.below(40));
            let [a, b] = [[&batch[..], &[m, k]].concat(), vec![k, n]];
            let (left, right, out) =
                if kind == "matmul" { (dtype, dtype, dtype) } else { (code, r.pick(&[DType::U8, DType::S8]), DType::S32) };
            let y = [&batch[..], &[m, n]].concat();
            (json!({"a": a.clone(), "b": b.clone()}), vec![(left, a), (right, b)], vec![(out, y)])
        }
        "normalize" => {
            let size = dims[axis..].iter().product::<usize>();
            let parameter = dims[axis..].to_vec();
            let attrs = json!({"size": size, "epsilon": 0.0, "centered": r.below(2) == 0, "parameter_dims": parameter});
            let statistics = vec![(DType::F32, vec![count.checked_div(size).unwrap_or(0)]); r.below(2) * 2];
            (attrs, vec![x.clone(), (dtype, parameter.clone()), (dtype, parameter)], [vec![x], statistics].concat())
        }
        "one_hot" => {
            (json!({ "axis": axis }), vec![(dtype, [&dims[..axis], &dims[axis + 1..]].concat()), (code, vec![2])], vec![(code, dims)])
        }
        "pad" => {
            let before: Vec<i64> = dims.iter().map(|_| r.below(7) as i64 - 3).collect();
            (json!({"before": before, "mode": r.pick(&["constant", "edge", "reflect", "wrap"])}), vec![x], vec![(dtype, r.dims(rank))])
        }
        "range" => (json!({}), vec![(dtype, vec![]), (dtype, vec![])], vec![(dtype, dims)]),
        "reduce" => {
            let names = ["sum", "mean", "prod", "max", "min", "l1", "l2", "sum_square", "log_sum", "log_sum_exp"];
            (json!({"function": r.pick(&names), "axes": [axis]}), vec![x], vec![(dtype, with(axis, 1))])
        }
        "reverse_sequence" => {
            let batch = r.below(2);
            (json!({ "batch_axis": batch }), vec![x.clone(), (DType::S64, vec![dims.get(batch).copied().unwrap_or(1)])], vec![x])
        }
        "scatter_elements" => {
            let indices = with(axis, r.below(4));
            let attrs = json!({"axis": axis, "reduction": r.pick(&["none", "add", "mul", "max", "min"])});
            (attrs, vec![x.clone(), (index, indices.clone()), (dtype, indices)], vec![x])
        }
        "scatter_nd" => {
            let (n, tuple) = (r.below(3), 1 + r.below(rank));
            let attrs = json!({"reduction": r.pick(&["none", "add", "mul", "max", "min"])});
            (attrs, vec![x.clone(), (index, vec![n, tuple]), (dtype, [&[n], &dims[tuple..]].concat())], vec![x])
        }
        "softmax" => (json!({"function": r.pick(&["softmax", "log_softmax", "hardmax"]), "axis": axis}), vec![x.clone()], vec![x]),
        "strided" => {
            let y = r.dims(rank);
            let strides: Vec<i64> = y.iter().map(|_| r.below(5) as i64 - 2).collect();
            (json!({"dims": y.clone(), "strides": strides, "offset": r.below(6)}), vec![x], vec![(dtype, y)])
        }
        "topk" => {
            let y = with(axis, r.below(dims[axis] + 1));
            (json!({"axis": axis, "largest": r.below(2) == 0}), vec![x], vec![(dtype, y.clone()), (DType::S64, y)])
        }
        "trilu" => (json!({"upper": r.below(2) == 0}), vec![x.clone(), (DType::S64, vec![])], vec![x]),
        "unary" => {
            let names = [
                "neg",
                "abs",
                "sign",
                "relu",
                "acosh",
                "ceil",
                "erf",
                "exp",
                "log",
                "round",
                "softplus",
                "celu",
                "selu",
                "shrink",
                "not",
                "bitwise_not",
            ];
            (json!({ "function": r.pick(&names) }), vec![x.clone()], vec![x])
        }
        "where" => (json!({}), vec![(DType::Bool, dims), x.clone(), (dtype, vec![])], vec![x]),
        _ => (json!({}), vec![x.clone()], vec![x]),
    }
}

/// Changes one thing, so that `check` has something to find.
fn disturb(r: &mut Random, attrs: &mut Value, specs: [&mut Vec<Spec>; 2]) {
    let [x, y] = specs;
    let operands = if r.below(2) == 0 { x } else { y };
    match r.below(4) {
        0 => {
            let attrs = attrs.as_object_mut().unwrap();
            let names: Vec<String> = attrs.keys().cloned().collect();
            if !names.is_empty() {
                let value = r.pick(&[
                    json!(0),
                    json!(-1),
                    json!(7),
                    json!(i64::MIN),
                    json!(u64::MAX),
                    json!([]),
                    json!("NaN"),
                    json!([usize::MAX]),
                ]);
                attrs.insert(r.pick(&names), value);
            }
        }
        1 => drop(operands.pop()),
        _ if operands.is_empty() => {}
        2 => {
            let at = r.below(operands.len());
            operands[at].0 = r.pick(&DTYPES);
        }
        _ => {
            let (at, rank) = (r.below(operands.len()), r.below(4));
            operands[at].1 = r.dims(rank);
        }
    }
}

/// Aligned memory for one operand, filled with bytes that make small, large, odd and non-finite numbers.
fn memory(r: &mut Random, spec: &TensorSpec) -> Vec<u64> {
    let words = (spec.len() * size_of(spec.dtype)).div_ceil(8).max(1);
    let small = r.below(2) == 0;
    let word = |r: &mut Random| if small { r.next() % 3 * 0x0001_0001_0001_0001 } else { r.next() << 32 ^ r.next() };
    (0..words).map(|_| word(r)).collect()
}

#[test]
fn whatever_is_let_through_runs_on_any_data() {
    let mut r = Random(7);
    let mut ran = [0usize; KINDS.len()];
    for round in 0..40_000 {
        let kind = round % KINDS.len();
        let (mut attrs, mut x, mut y) = step(KINDS[kind], &mut r);
        if r.below(3) == 0 {
            disturb(&mut r, &mut attrs, [&mut x, &mut y]);
        }
        let spec = |(dtype, dims): &Spec| TensorSpec { dtype: *dtype, dims: dims.clone() };
        let x: Vec<_> = x.iter().map(|x| Some(spec(x))).collect();
        let y: Vec<_> = y.iter().map(spec).collect();
        let Ok(op) = check(KINDS[kind], attrs.as_object().unwrap(), &x, &y) else { continue };
        ran[kind] += 1;
        let inputs: Vec<_> = x.iter().flatten().map(|spec| memory(&mut r, spec)).collect();
        let mut outputs: Vec<_> = y.iter().map(|spec| memory(&mut r, spec)).collect();
        // SAFETY: the vectors are aligned for every dtype, hold all elements, and outlive the runs, which alone use them.
        let x: Vec<_> =
            x.iter().flatten().zip(&inputs).map(|(x, m)| Some(unsafe { RawTensor::new(x.dtype, x.len(), m.as_ptr().cast()) })).collect();
        // SAFETY: as above.
        let y: Vec<_> =
            y.iter().zip(&mut outputs).map(|(y, m)| unsafe { RawTensorMut::new(y.dtype, y.len(), m.as_mut_ptr().cast()) }).collect();
        let parts = 1 + r.below(3);
        for part in 0..parts {
            match op.run(part, parts, &x, &y) {
                Ok(()) | Err(GenericError::Request(_)) => {}
                Err(error) => panic!("{} {attrs}: {error}", KINDS[kind]),
            }
        }
    }
    for (kind, &ran) in KINDS.iter().zip(&ran) {
        assert_eq!(ran > 50, *kind != "nothing", "{kind} ran {ran} times");
    }
}
