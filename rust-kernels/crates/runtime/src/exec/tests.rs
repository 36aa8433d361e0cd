//! Whole programs against plain loops.

use super::share;
use crate::testing::{Builder, Random, Running, Sources, bytes_of, floats_of};
use crate::validate::Prepared;
use crate::weights::WeightSet;
use neural_engine_isa::Isa;
use serde_json::{Value, json};
use std::sync::Arc;

const HIDDEN: usize = 8;
const HEADS: usize = 2;
const VOCABULARY: usize = 11;

/// One encoder layer without its feed-forward part: embeddings, LayerNorm, attention, residual, LayerNorm.
struct Encoder {
    word: Vec<f32>,
    position: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    /// Query, key, value and output projections, `[H][H]`, and their biases.
    matrices: Vec<Vec<f32>>,
    biases: Vec<Vec<f32>>,
}

impl Encoder {
    fn new(seq: usize) -> Encoder {
        let mut random = Random(7);
        let mut floats = |count| random.floats(count);
        Encoder {
            word: floats(VOCABULARY * HIDDEN),
            position: floats(seq * HIDDEN),
            gamma: floats(HIDDEN),
            beta: floats(HIDDEN),
            matrices: (0..4).map(|_| floats(HIDDEN * HIDDEN)).collect(),
            biases: (0..4).map(|_| floats(HIDDEN)).collect(),
        }
    }

    fn weights(&self, format: &str) -> Arc<WeightSet> {
        let mut sources = Sources::default();
        sources.floats(&[VOCABULARY, HIDDEN], &self.word);
        sources.floats(&[self.position.len() / HIDDEN, HIDDEN], &self.position);
        sources.floats(&[HIDDEN], &self.gamma);
        sources.floats(&[HIDDEN], &self.beta);
        for (matrix, bias) in self.matrices.iter().zip(&self.biases) {
            sources.add(json!({"kind": "linear_f32", "format": format, "m": HIDDEN, "k": HIDDEN, "order": "mk"}), matrix);
            sources.floats(&[HIDDEN], bias);
        }
        sources.pack()
    }

    fn normalise(&self, x: &[f32]) -> Vec<f32> {
        x.chunks_exact(HIDDEN)
            .flat_map(|row| {
                let mean = row.iter().sum::<f32>() / HIDDEN as f32;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / HIDDEN as f32;
                let one = move |(x, (gamma, beta)): (&f32, (&f32, &f32))| (x - mean) / (variance + 1e-5).sqrt() * gamma + beta;
                row.iter().zip(self.gamma.iter().zip(&self.beta)).map(one).collect::<Vec<_>>()
            })
            .collect()
    }

    fn project(&self, number: usize, x: &[f32]) -> Vec<f32> {
        let (matrix, bias) = (&self.matrices[number], &self.biases[number]);
        let row = |row: &[f32]| -> Vec<f32> {
            (0..HIDDEN).map(|m| (0..HIDDEN).map(|k| row[k] * matrix[m * HIDDEN + k]).sum::<f32>() + bias[m]).collect()
        };
        x.chunks_exact(HIDDEN).flat_map(row).collect()
    }

    /// The layer on the real tokens of one sequence.
    fn sequence(&self, tokens: &[(i64, usize)]) -> Vec<f32> {
        let sum = |&(id, position): &(i64, usize)| -> Vec<f32> {
            (0..HIDDEN).map(|i| self.word[id as usize * HIDDEN + i] + self.position[position * HIDDEN + i]).collect()
        };
        let x = self.normalise(&tokens.iter().flat_map(sum).collect::<Vec<_>>());
        let [q, k, v] = [0, 1, 2].map(|number| self.project(number, &x));
        let (count, dim) = (tokens.len(), HIDDEN / HEADS);
        let mut context = vec![0.0; count * HIDDEN];
        for (query, head) in (0..count).flat_map(|query| (0..HEADS).map(move |head| (query, head))) {
            let cell = |token: usize, i: usize| token * HIDDEN + head * dim + i;
            let score = |key: usize| (0..dim).map(|i| q[cell(query, i)] * k[cell(key, i)]).sum::<f32>() * 0.5;
            let weights: Vec<f32> = (0..count).map(|key| score(key).exp()).collect();
            let total: f32 = weights.iter().sum();
            for i in 0..dim {
                context[cell(query, i)] = (0..count).map(|key| weights[key] / total * v[cell(key, i)]).sum();
            }
        }
        let projected = self.project(3, &context);
        self.normalise(&projected.iter().zip(&x).map(|(a, b)| a + b).collect::<Vec<_>>())
    }

    /// The whole program. `split` divides products and attention by rows and heads instead of panels.
    fn program(&self, batch: usize, seq: usize, pack: bool, group: usize, split: bool) -> Value {
        let rows = batch * seq;
        let mut b = Builder::new(json!([{"kind": "tokens", "batch": batch, "seq": seq, "pack": pack}]));
        let (ids, mask) = (b.input("s64", &[batch, seq]), b.input("s64", &[batch, seq]));
        let (word, position) = (b.weight(0, "f32", &[VOCABULARY, HIDDEN]), b.weight(1, "f32", &[seq, HIDDEN]));
        let [x, q, k, v] = [0; 4].map(|_| b.panels("f32", 0, rows, HIDDEN));
        let context = if split { b.panels("f32", 0, rows, HIDDEN) } else { b.scratch("f32", 0, group, HIDDEN) };
        let y = b.output("f32", &[rows, HIDDEN]);
        let units = json!({"panels": {"space": 0, "group": group}});
        b.region(json!("whole"), json!([{"op": "token_map", "space": 0, "mask": mask, "masked_bias": -1e9}]));
        let norm = json!({"op": "layer_norm", "x": x, "gamma": 2, "beta": 3, "epsilon": 1e-5});
        let embed = json!({"op": "embed", "y": x, "ids": ids, "word": word, "position": position});
        let linear =
            |number: usize, x: usize, y: usize| json!({"op": "linear", "weight": 4 + 2 * number, "bias": 5 + 2 * number, "x": x, "y": y});
        let attention = json!({"op": "attention", "q": q, "k": k, "v": v, "y": context, "heads": HEADS, "scale": 0.5});
        let mut output = linear(3, context, x);
        output["residual"] = json!("in_place");
        let last = json!({"op": "to_rows", "x": x, "y": y});
        if split {
            let by_rows = json!({"split": {"space": 0}});
            b.region(units.clone(), json!([embed, norm]));
            for (number, target) in [(0, q), (1, k), (2, v)] {
                b.region(by_rows.clone(), json!([linear(number, x, target)]));
            }
            b.region(by_rows.clone(), json!([attention]));
            b.region(by_rows, json!([output]));
            b.region(units, json!([norm, last]));
        } else {
            b.region(units.clone(), json!([embed, norm, linear(0, x, q), linear(1, x, k), linear(2, x, v)]));
            b.region(units, json!([attention, output, norm, last]));
        }
        b.program
    }
}

fn prepare(program: &Value, weights: &Arc<WeightSet>) -> Arc<Prepared> {
    Arc::new(Prepared::new(&program.to_string(), weights.clone()).unwrap())
}

/// Random ids and a mask; sequence 1 (where there is one) is masked in the middle too.
fn feeds(batch: usize, seq: usize) -> (Vec<i64>, Vec<i64>) {
    let mut random = Random(3);
    let ids = (0..batch * seq).map(|_| (random.next() % VOCABULARY as u64) as i64).collect();
    let real = |row: usize| {
        let (sequence, token) = (row / seq, row % seq);
        token < (seq * (sequence + 2) / (batch + 1)).max(1) && !(sequence == 1 && token == 2)
    };
    (ids, (0..batch * seq).map(|row| i64::from(real(row))).collect())
}

#[test]
fn an_encoder_layer_matches_plain_loops_however_it_is_divided_and_packed() {
    for (batch, seq) in [(1, 1), (2, 40), (3, 70), (5, 13)] {
        let encoder = Encoder::new(seq);
        let (ids, mask) = feeds(batch, seq);
        let inputs = [bytes_of(&ids), bytes_of(&mask)];
        let mut want = vec![0.0; batch * seq * HIDDEN];
        for sequence in 0..batch {
            let rows: Vec<usize> = (sequence * seq..(sequence + 1) * seq).filter(|&row| mask[row] != 0).collect();
            let tokens: Vec<_> = rows.iter().map(|&row| (ids[row], row % seq)).collect();
            for (row, result) in rows.iter().zip(encoder.sequence(&tokens).chunks_exact(HIDDEN)) {
                want[row * HIDDEN..(row + 1) * HIDDEN].copy_from_slice(result);
            }
        }
        for format in ["dense", "sparse4x1"] {
            let weights = encoder.weights(format);
            for pack in [true, false] {
                let mut first: Option<Vec<u8>> = None;
                for (group, split) in [(1, false), (2, false), (4, false), (1, true)] {
                    let program = prepare(&encoder.program(batch, seq, pack, group, split), &weights);
                    for threads in [1, 2, 3] {
                        let got = Running::new(threads).run(&program, &inputs).unwrap().remove(0);
                        for (i, (got, want)) in floats_of(&got).iter().zip(&want).enumerate() {
                            if mask[i / HIDDEN] != 0 {
                                assert!((got - want).abs() < 2e-5, "{batch}x{seq} {format}, element {i}: {got} for {want}");
                            } else {
                                assert!(if pack { *got == 0.0 } else { got.is_finite() });
                            }
                        }
                        assert_eq!(&got, first.get_or_insert_with(|| got.clone()), "the same bits whatever the division");
                    }
                }
            }
        }
    }
}

#[test]
fn ids_outside_the_vocabulary_end_the_run_and_the_next_run_is_right() {
    let encoder = Encoder::new(5);
    let program = prepare(&encoder.program(1, 5, true, 1, false), &encoder.weights("dense"));
    let running = Running::new(2);
    let mask = bytes_of(&[1i64; 5]);
    let good = running.run(&program, &[bytes_of(&[1i64, 2, 3, 4, 5]), mask.clone()]).unwrap();
    for bad in [-1, VOCABULARY as i64, i64::MIN, i64::MAX] {
        let error = running.run(&program, &[bytes_of(&[1, 2, bad, 4, 5]), mask.clone()]).unwrap_err();
        assert_eq!(error.code.name(), "E_REQUEST");
        assert!(error.message.contains(&bad.to_string()), "{}", error.message);
        assert_eq!(running.run(&program, &[bytes_of(&[1i64, 2, 3, 4, 5]), mask.clone()]).unwrap(), good);
    }
}

#[test]
fn integer_steps_follow_their_formulas() {
    let (rows, m, k) = (70usize, 8usize, 12usize);
    let mut random = Random(11);
    let matrix: Vec<i8> = (0..m * k).map(|_| (random.next() % 255) as u8 as i8).collect();
    let (init, mul): (Vec<i32>, Vec<f32>) = ((0..m as i32).map(|row| row * 100).collect(), vec![0.001; m]);
    let add = vec![0.25; m];
    let x = random.floats(rows * k);
    for format in ["dense", "sparse4x1"] {
        let mut sources = Sources::default();
        sources.add(json!({"kind": "linear_u8s8", "format": format, "m": m, "k": k, "order": "mk"}), &matrix);
        sources.add(json!({"kind": "tensor", "dtype": "s32", "dims": [m]}), &init);
        sources.floats(&[m], &mul);
        sources.floats(&[m], &add);
        let weights = sources.pack();
        let mut b = Builder::new(json!([{"kind": "rows", "count": rows}]));
        let input = b.input("f32", &[rows, k]);
        let (float, code) = (b.panels("f32", 0, rows, k), b.panels("u8", 0, rows, k));
        let (sum, y, again) = (b.panels("f32", 0, rows, m), b.panels("u8", 0, rows, m), b.panels("f32", 0, rows, m));
        let (exact, coded) = (b.output("f32", &[rows, m]), b.output("f32", &[rows, m]));
        let units = json!({"panels": {"space": 0, "group": 2}});
        let product = |y: usize| json!({"op": "linear_i8", "weight": 0, "x": code, "y": y, "init": 1, "mul": 2, "add": 3});
        let mut relu = product(y);
        relu["act"] = json!("relu");
        relu["code"] = json!({"scale": 50.0, "zero": 3});
        b.region(
            units,
            json!([
                {"op": "from_rows", "x": input, "y": float},
                {"op": "quantize", "x": float, "y": code, "code": {"scale": 100.0, "zero": 128}},
                product(sum), relu,
                {"op": "dequantize", "x": y, "y": again, "code": {"scale": 50.0, "zero": 3}},
                {"op": "to_rows", "x": sum, "y": exact},
                {"op": "to_rows", "x": again, "y": coded}
            ]),
        );
        let results = Running::new(2).run(&b.prepare(&weights).unwrap(), &[bytes_of(&x)]).unwrap();
        let (exact, coded) = (floats_of(&results[0]), floats_of(&results[1]));
        for i in 0..rows * m {
            let (row, out) = (i / m, i % m);
            let byte = |x: f32| (x.mul_add(100.0, 128.0)).round_ties_even().clamp(0.0, 255.0) as i32;
            let acc = init[out] + (0..k).map(|j| byte(x[row * k + j]) * i32::from(matrix[out * k + j])).sum::<i32>();
            let f = (acc as f32).mul_add(0.001, 0.25);
            assert_eq!(exact[i], f, "{format}, element {i}");
            let q = f.max(0.0).mul_add(50.0, 3.0).round_ties_even().clamp(0.0, 255.0);
            assert!((coded[i] - (q - 3.0) / 50.0).abs() < 1e-6, "{format}, element {i}");
        }
    }
}

/// One way is kept in bf16 by the kernels, the other in f32 and rounded by steps of their own.
#[test]
fn what_lies_between_int8_products_may_be_bf16() {
    let (rows, m, k) = (70usize, 40usize, 13usize);
    let mut random = Random(14);
    let matrix: Vec<i8> = (0..m * k).map(|_| random.next() as i8).collect();
    let x = random.floats(rows * k);
    let units = json!({"panels": {"space": 0, "group": 2}});
    for (format, threads) in [("dense", 1), ("dense", 3), ("sparse4x1", 2)] {
        let mut sources = Sources::default();
        sources.add(json!({"kind": "linear_u8s8", "format": format, "m": m, "k": k, "order": "mk"}), &matrix);
        sources.add(json!({"kind": "tensor", "dtype": "s32", "dims": [m]}), &vec![7i32; m]);
        for value in [0.001f32, 0.25, 1.5, -0.5] {
            sources.floats(&[m], &vec![value; m]);
        }
        let weights = sources.pack();
        let product = |x: usize, y: usize| json!({"op": "linear_i8", "weight": 0, "x": x, "y": y, "init": 1, "mul": 2, "add": 3});
        let norm = |x: usize, codes: usize| {
            let code = json!({"scale": 40.0, "zero": 128});
            json!({"op": "layer_norm", "x": x, "gamma": 4, "beta": 5, "epsilon": 1e-5, "quantized": codes, "code": code})
        };
        let with = |mut step: Value, field: &str, value: Value| {
            step[field] = value;
            step
        };
        let run = |halves: bool| {
            let mut b = Builder::new(json!([{"kind": "rows", "count": rows}]));
            let input = b.input("f32", &[rows, k]);
            let (float, codes) = (b.panels("f32", 0, rows, k), b.panels("u8", 0, rows, k));
            let dtype = if halves { "bf16" } else { "f32" };
            let [first, second, third] = [0; 3].map(|_| b.panels(dtype, 0, rows, m));
            let [norms, again] = [0; 2].map(|_| b.panels("u8", 0, rows, m));
            let (last, half, wide) = (b.panels("bf16", 0, rows, m), b.panels("bf16", 0, rows, m), b.panels("f32", 0, rows, m));
            let outputs = [0; 5].map(|_| b.output("f32", &[rows, m]));
            let split = if threads == 1 { units.clone() } else { json!({"split": {"space": 0}}) };
            let code = json!({"scale": 100.0, "zero": 128});
            let quantize = json!({"op": "quantize", "x": float, "y": codes, "code": code});
            b.region(units.clone(), json!([{"op": "from_rows", "x": input, "y": float}, quantize]));
            // f32 made to hold bf16 alone.
            let rounded = |y: usize| vec![json!({"op": "narrow", "x": y, "y": half}), json!({"op": "widen", "x": half, "y": y})];
            let chain = [
                (product(codes, first), first),
                (with(product(codes, second), "residual", json!({"buffer": first})), second),
                (with(product(codes, second), "residual", json!("in_place")), second),
                (with(product(codes, third), "act", json!("relu")), third),
            ];
            for (step, y) in chain {
                b.region(split.clone(), json!([step]));
                if !halves {
                    b.region(units.clone(), json!(rounded(y)));
                }
            }
            // Normalised in place, and from f32 to bf16.
            let mut steps = vec![json!({"op": "widen", "x": first, "y": wide})];
            if halves {
                steps.extend([norm(second, norms), with(norm(wide, again), "y", json!(last))]);
            } else {
                let coded = |y: usize, codes: usize| json!({"op": "quantize", "x": y, "y": codes, "code": {"scale": 40.0, "zero": 128}});
                let plain = |y: usize| json!({"op": "layer_norm", "x": y, "gamma": 4, "beta": 5, "epsilon": 1e-5});
                steps = vec![json!({"op": "activate", "x": first, "y": wide, "act": "none"})];
                for (y, codes) in [(second, norms), (wide, again)] {
                    steps.push(plain(y));
                    steps.extend(rounded(y));
                    steps.push(coded(y, codes));
                }
                steps.push(json!({"op": "narrow", "x": wide, "y": last}));
            }
            b.region(units.clone(), json!(steps));
            let mut ends = Vec::new();
            for (from, to) in [second, third, last].into_iter().zip(outputs) {
                if halves || from == last {
                    ends.extend([json!({"op": "widen", "x": from, "y": wide}), json!({"op": "to_rows", "x": wide, "y": to})]);
                } else {
                    ends.push(json!({"op": "to_rows", "x": from, "y": to}));
                }
            }
            for (codes, to) in [norms, again].into_iter().zip(&outputs[3..]) {
                ends.push(json!({"op": "dequantize", "x": codes, "y": wide, "code": {"scale": 40.0, "zero": 128}}));
                ends.push(json!({"op": "to_rows", "x": wide, "y": to}));
            }
            b.region(units.clone(), json!(ends));
            Running::new(threads).run(&b.prepare(&weights).unwrap(), &[bytes_of(&x)]).unwrap()
        };
        let (halves, floats) = (run(true), run(false));
        assert!(floats_of(&halves[0]).iter().all(|y| y.to_bits() & 0xffff == 0) && floats_of(&halves[0])[0] != 0.0);
        for (output, (a, b)) in halves.iter().zip(&floats).enumerate() {
            assert_eq!(floats_of(a), floats_of(b), "{format}, {threads} threads, output {output}");
        }
    }
}

#[test]
fn bf16_steps_follow_their_formulas_split_or_not() {
    let (rows, m, k) = (70usize, 40usize, 13usize);
    let mut random = Random(12);
    let round = |x: f32| f32::from_bits((x.to_bits() + 0x7fff + (x.to_bits() >> 16 & 1)) & 0xffff_0000);
    let matrix: Vec<u16> = random.floats(m * k).iter().map(|x| (round(*x).to_bits() >> 16) as u16).collect();
    let bias = random.floats(m);
    let x = random.floats(rows * k);
    let mut results = Vec::new();
    for (format, split) in [("dense", false), ("dense", true), ("sparse4x1", false), ("sparse4x1", true)] {
        let mut sources = Sources::default();
        sources.add(json!({"kind": "linear_bf16", "format": format, "m": m, "k": k, "order": "mk"}), &matrix);
        sources.floats(&[m], &bias);
        let weights = sources.pack();
        assert!(weights.kernel(0, Isa::best()).unwrap().contains("bf16"));
        let mut b = Builder::new(json!([{"kind": "rows", "count": rows}]));
        let input = b.input("f32", &[rows, k]);
        let (float, half) = (b.panels("f32", 0, rows, k), b.panels("bf16", 0, rows, k));
        let (sum, y, again) = (b.panels("f32", 0, rows, m), b.panels("bf16", 0, rows, m), b.panels("f32", 0, rows, m));
        let (exact, rounded) = (b.output("f32", &[rows, m]), b.output("f32", &[rows, m]));
        let (panels, one) = (json!({"panels": {"space": 0, "group": 2}}), json!({"split": {"space": 0}}));
        b.region(panels.clone(), json!([{"op": "from_rows", "x": input, "y": float}, {"op": "narrow", "x": float, "y": half}]));
        for step in [
            json!({"op": "linear_bf16", "weight": 0, "x": half, "y": sum, "bias": 1}),
            json!({"op": "linear_bf16", "weight": 0, "x": half, "y": y, "residual": {"buffer": sum}, "act": "relu"}),
        ] {
            b.region(if split { one.clone() } else { panels.clone() }, json!([step]));
        }
        b.region(
            panels,
            json!([
                {"op": "widen", "x": y, "y": again},
                {"op": "to_rows", "x": sum, "y": exact},
                {"op": "to_rows", "x": again, "y": rounded}
            ]),
        );
        let program = b.prepare(&weights).unwrap();
        for threads in [1, 2, 3] {
            results.push((format, Running::new(threads).run(&program, &[bytes_of(&x)]).unwrap()));
        }
        let (_, outputs) = results.last().unwrap();
        let (exact, rounded) = (floats_of(&outputs[0]), floats_of(&outputs[1]));
        for i in 0..rows * m {
            let (row, out) = (i / m, i % m);
            let product = |j: usize| f64::from(round(x[row * k + j])) * f64::from(f32::from_bits(u32::from(matrix[out * k + j]) << 16));
            let plain: f64 = (0..k).map(product).sum();
            assert!((f64::from(exact[i]) - plain - f64::from(bias[out])).abs() < 2e-6, "{format}, element {i}");
            let double = (2.0 * plain + f64::from(bias[out])).max(0.0) as f32;
            assert!((rounded[i] - double).abs() <= double / 250.0 + 2e-6 && round(rounded[i]) == rounded[i], "{format}, element {i}");
        }
    }
    for pair in results.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        assert_eq!(pair[0], pair[1], "threads and splits");
    }
}

#[test]
fn a_profile_has_every_step_and_barrier_of_every_thread() {
    let encoder = Encoder::new(40);
    let program = prepare(&encoder.program(4, 40, false, 1, false), &encoder.weights("dense"));
    let running = Running::new(2);
    let (ids, mask) = feeds(4, 40);
    let id = running.session.submit(&program, true, |places| {
        places[0].copy_from_slice(&bytes_of(&ids));
        places[1].copy_from_slice(&bytes_of(&mask));
        Ok(())
    });
    running.notices.recv().unwrap();
    let profile = running.session.collect(id.unwrap(), |_| Ok(())).unwrap().unwrap();
    assert_eq!((profile.threads, &profile.slots[..], &profile.units[..]), (2, &[0, 2, 8, 13][..], &[1, 3, 3][..]));
    assert_eq!(profile.space_rows, [160]);
    assert_eq!(profile.nanoseconds.len(), 26);
    assert!(profile.nanoseconds[4..14].iter().all(|&time| time > 0), "both threads worked on every step of the second region");
    assert!(profile.wall_ns > 0);
}

#[test]
fn shares_are_contiguous_complete_and_even() {
    for units in [0, 1, 2, 7, 64, usize::MAX / 2] {
        for threads in [1, 2, 3, 16] {
            let shares: Vec<_> = (0..threads).map(|thread| share(units, thread, threads)).collect();
            assert_eq!((shares[0].start, shares[threads - 1].end), (0, units));
            assert!(units == 0 || !shares[0].is_empty(), "a single unit is thread 0's");
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(shares.iter().all(|share| share.len().abs_diff(units / threads) <= 1));
        }
    }
}

#[test]
fn regions_for_one_thread_follow_each_other_and_errors_in_them_end_the_run() {
    // Five tokens fill one panel: every region but the split ones belongs to thread 0.
    let encoder = Encoder::new(5);
    let weights = encoder.weights("dense");
    let mask = bytes_of(&[1i64; 5]);
    let (good, bad) = (bytes_of(&[1i64, 2, 3, 4, 5]), bytes_of(&[1i64, 2, 99, 4, 5]));
    let mut results = Vec::new();
    for split in [false, true] {
        let program = prepare(&encoder.program(1, 5, true, 1, split), &weights);
        for threads in [1, 2, 3] {
            let running = Running::new(threads);
            for _ in 0..20 {
                results.push(running.run(&program, &[good.clone(), mask.clone()]).unwrap());
                assert_eq!(running.run(&program, &[bad.clone(), mask.clone()]).unwrap_err().code.name(), "E_REQUEST");
            }
        }
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}
