//! Every tier against the formula in plain loops, bit for bit, and the formula against real softmax.

use super::*;
use crate::panel::TOKENS;
use neural_engine_testkit::{Edge, Guarded, Rng};

/// One layer's q, k and v as `[token][feature]` would index them, in panels.
struct Case {
    heads: usize,
    head_dim: usize,
    panels: usize,
    q: Vec<u8>,
    k: Vec<i8>,
    v: Vec<i8>,
    spans: Vec<Span>,
    bias: Option<Vec<f32>>,
    scale: f32,
    out_scale: f32,
    zero: i32,
}

impl Case {
    fn new(heads: usize, head_dim: usize, lens: &[u32], extreme: bool, rng: &mut Rng) -> Case {
        let mut spans = Vec::new();
        let mut start = 0;
        for &len in lens {
            spans.push(Span { start, len });
            start += len;
        }
        let panels = (start as usize).div_ceil(TOKENS).max(1);
        let cells = panels * heads * head_dim * TOKENS;
        let mut byte = |ends: [u8; 3]| if extreme { ends[rng.below(3)] } else { rng.bits() as u8 };
        Case {
            heads,
            head_dim,
            panels,
            q: (0..cells).map(|_| byte([0, 255, 128])).collect(),
            k: (0..cells).map(|_| byte([0x80, 0x7f, 0]) as i8).collect(),
            v: (0..cells).map(|_| byte([0x80, 0x7f, 0x7f]) as i8).collect(),
            spans,
            bias: None,
            scale: 0.5 / (head_dim as f32).sqrt() / 1000.0 * 8.0,
            out_scale: 0.75,
            zero: 119,
        }
    }

    fn attention(&self) -> AttentionI8<'_> {
        AttentionI8 {
            heads: self.heads,
            head_dim: self.head_dim,
            scale: self.scale,
            out_scale: self.out_scale,
            zero: self.zero,
            spans: &self.spans,
            key_bias: self.bias.as_deref(),
        }
    }

    fn cell(&self, head: usize, d: usize, token: usize) -> usize {
        ((token / TOKENS * self.heads + head) * self.head_dim + d) * TOKENS + token % TOKENS
    }

    /// Σ (q − 128)·k
    fn score(&self, head: usize, query: usize, key: usize) -> i32 {
        (0..self.head_dim).map(|d| (i32::from(self.q[self.cell(head, d, query)]) - 128) * i32::from(self.k[self.cell(head, d, key)])).sum()
    }

    fn run(&self, isa: Isa, panel: usize, heads: Range<usize>, edge: Edge) -> Vec<u8> {
        let cells = self.heads * self.head_dim * TOKENS;
        let q = Guarded::copy(&self.q[panel * cells..(panel + 1) * cells], edge);
        let (k, v) = (Guarded::copy(&self.k, edge), Guarded::copy(&self.v, edge));
        let mut y = Guarded::new(heads.len() * self.head_dim * TOKENS, 0xa5u8, edge);
        let mut scratch = Guarded::new(AttentionI8::scratch_len(self.head_dim), 0xffu8, edge);
        self.attention().run(isa, panel, heads, &q, &k, &v, &mut y, &mut scratch).unwrap();
        y.to_vec()
    }

    /// All panels, `[panel][head][feature][token]`.
    fn run_all(&self, isa: Isa, edge: Edge) -> Vec<u8> {
        (0..self.panels).flat_map(|panel| self.run(isa, panel, 0..self.heads, edge)).collect()
    }

    /// The module's formula, one query at a time.
    fn formula(&self) -> Vec<u8> {
        let mut y = vec![self.zero as u8; self.q.len()];
        let scale = self.scale * std::f32::consts::LOG2_E;
        for span in &self.spans {
            for head in 0..self.heads {
                for query in span.start as usize..span.end() {
                    let (mut max, mut sum, mut o) = (f32::MIN, 0f32, vec![0f32; self.head_dim]);
                    for first in (span.start as usize..span.end()).step_by(KEY_BLOCK) {
                        let keys = first..span.end().min(first + KEY_BLOCK);
                        let t: Vec<f32> = keys
                            .clone()
                            .map(|key| {
                                let bias = self.bias.as_ref().map_or(0.0, |bias| (bias[key] * std::f32::consts::LOG2_E).clamp(-1e30, 1e30));
                                (self.score(head, query, key) as f32).mul_add(scale, bias)
                            })
                            .collect();
                        let old = max;
                        max = t.iter().fold(max, |max, &t| if t > max { t } else { max });
                        let p: Vec<i32> = t.iter().map(|t| probability(t - (max - 7.994_353_3))).collect();
                        let decay = if first == span.start as usize { 0.0 } else { exp2(old - max) };
                        sum = sum.mul_add(decay, p.iter().sum::<i32>() as f32);
                        for (d, o) in o.iter_mut().enumerate() {
                            let acc: i32 = keys.clone().zip(&p).map(|(key, p)| p * i32::from(self.v[self.cell(head, d, key)])).sum();
                            *o = o.mul_add(decay, acc as f32);
                        }
                    }
                    for (d, o) in o.iter().enumerate() {
                        let f = o.mul_add(self.out_scale / sum, self.zero as f32);
                        y[self.cell(head, d, query)] = f.round_ties_even() as u8;
                    }
                }
            }
        }
        y
    }

    /// Real softmax in f64, with unrounded probabilities; not yet rounded to codes.
    fn exact(&self, head: usize, query: usize, d: usize, span: Span) -> f64 {
        let keys = span.start as usize..span.end();
        let t: Vec<f64> = keys
            .clone()
            .map(|key| {
                f64::from(self.score(head, query, key)) * f64::from(self.scale) + self.bias.as_ref().map_or(0.0, |b| f64::from(b[key]))
            })
            .collect();
        let max = t.iter().fold(f64::MIN, |max, &t| max.max(t));
        let e: Vec<f64> = t.iter().map(|t| (t - max).exp()).collect();
        let sum: f64 = e.iter().sum();
        let mean: f64 = keys.zip(&e).map(|(key, e)| e / sum * f64::from(self.v[self.cell(head, d, key)])).sum();
        mean * f64::from(self.out_scale) + f64::from(self.zero)
    }
}

/// round(2ˣ) by the cubic of `exp`, in the same operations.
fn probability(x: f32) -> i32 {
    let x = if x > -32.0 { x } else { -32.0 };
    let f = x - x.floor();
    let [a, b, c, d] = super::exp::CUBIC;
    (f.mul_add(d, c).mul_add(f, b).mul_add(f, a) * x.floor().exp2()).round_ties_even() as i32
}

/// The library's 2ˣ, one value at a time.
fn exp2(x: f32) -> f32 {
    neural_engine_isa::math::exp2(Scalar, [x; 16])[0]
}

fn check(case: &Case, name: &str) {
    let want = case.formula();
    for isa in Isa::available() {
        for edge in Edge::BOTH {
            let got = case.run_all(isa, edge);
            if let Some(i) = (0..want.len()).find(|&i| got[i] != want[i]) {
                let kernel = AttentionI8::kernel(isa);
                panic!("{name}, {kernel}: row {}, token {}: got {}, want {}", i / TOKENS, i % TOKENS, got[i], want[i]);
            }
        }
    }
}

#[test]
fn every_tier_gives_the_bits_of_the_formula() {
    let mut rng = Rng::from_env(11);
    for (heads, head_dim, lens) in [
        (1, 4, &[1][..]),
        (2, 4, &[3, 61]),
        (1, 8, &[64]),
        (2, 12, &[5, 1, 2, 70, 9]),
        (3, 32, &[65]),
        (1, 64, &[128]),
        (2, 64, &[37, 50, 41]),
        (1, 80, &[63, 2]),
        (1, 96, &[33]),
        (1, 128, &[64, 64]),
    ] {
        for extreme in [false, true] {
            let mut case = Case::new(heads, head_dim, lens, extreme, &mut rng);
            check(&case, &format!("{heads}x{head_dim} {lens:?}"));
            case.bias = Some((0..case.panels * TOKENS).map(|_| if rng.chance(0.2) { -10_000.0 } else { rng.f32(-2.0, 2.0) }).collect());
            check(&case, &format!("{heads}x{head_dim} {lens:?} with biases"));
        }
    }
}

#[test]
fn spans_longer_than_a_block_keep_a_running_maximum() {
    let mut rng = Rng::from_env(12);
    for lens in [&[KEY_BLOCK as u32][..], &[3, KEY_BLOCK as u32 + 1], &[2 * KEY_BLOCK as u32 + 30]] {
        check(&Case::new(1, 8, lens, false, &mut rng), &format!("{lens:?}"));
    }
}

#[test]
fn the_result_is_that_of_real_softmax_to_about_one_code() {
    let mut rng = Rng::from_env(13);
    for lens in [&[40][..], &[100, 28], &[600]] {
        let case = Case::new(2, 32, lens, false, &mut rng);
        let got = case.run_all(Isa::best(), Edge::Start);
        for span in &case.spans {
            for head in 0..case.heads {
                for query in (span.start as usize..span.end()).step_by(7) {
                    for d in 0..case.head_dim {
                        let want = case.exact(head, query, d, *span).clamp(0.0, 255.0);
                        let error = f64::from(got[case.cell(head, d, query)]) - want;
                        assert!(error.abs() < 1.25, "head {head}, query {query}, feature {d}: off by {error} codes");
                    }
                }
            }
        }
    }
}

#[test]
fn the_place_of_a_span_does_not_change_its_result() {
    let mut rng = Rng::from_env(14);
    let alone = Case::new(1, 16, &[550], false, &mut rng);
    for isa in Isa::available() {
        let want = alone.run_all(isa, Edge::Start);
        for shift in [1, 4, 63, 64] {
            let mut moved = Case::new(1, 16, &[shift, 550], false, &mut rng);
            for d in 0..16 {
                for token in 0..550 {
                    let (from, to) = (alone.cell(0, d, token), moved.cell(0, d, token + shift as usize));
                    (moved.q[to], moved.k[to], moved.v[to]) = (alone.q[from], alone.k[from], alone.v[from]);
                }
            }
            let got = moved.run_all(isa, Edge::Start);
            let same = (0..16).all(|d| (0..550).all(|t| got[moved.cell(0, d, t + shift as usize)] == want[alone.cell(0, d, t)]));
            assert!(same, "shifted by {shift}");
        }
    }
}

#[test]
fn heads_can_be_computed_apart() {
    let mut rng = Rng::from_env(15);
    let case = Case::new(5, 8, &[100], false, &mut rng);
    for isa in Isa::available() {
        let whole = case.run(isa, 1, 0..5, Edge::End);
        let parts: Vec<u8> = [0..2, 2..2, 2..3, 3..5].into_iter().flat_map(|heads| case.run(isa, 1, heads, Edge::End)).collect();
        assert_eq!(parts, whole);
    }
}

#[test]
fn tokens_of_no_span_become_zero_and_an_even_bias_changes_nothing() {
    let mut rng = Rng::from_env(16);
    let mut case = Case::new(1, 8, &[10, 20, 30], false, &mut rng);
    let want = case.run_all(Isa::best(), Edge::Start);
    case.spans.remove(1);
    for isa in Isa::available() {
        let got = case.run_all(isa, Edge::Start);
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let inside = (0..10).contains(&(i % TOKENS)) || (30..60).contains(&(i % TOKENS));
            assert_eq!(*got, if inside { *want } else { 119 });
        }
    }
    // So large that the scores vanish beside it: every key counts the same, as with scores of zero.
    case.bias = Some(vec![f32::MIN; TOKENS]);
    let masked = case.run_all(Isa::best(), Edge::Start);
    (case.bias, case.scale) = (None, 0.0);
    assert_eq!(masked, case.run_all(Isa::best(), Edge::Start));
}

#[test]
fn a_key_with_a_nan_bias_is_ignored() {
    let mut rng = Rng::from_env(17);
    let mut case = Case::new(1, 8, &[20], false, &mut rng);
    case.bias = Some((0..TOKENS).map(|t| if t == 7 { f32::NAN } else { 0.0 }).collect());
    let with_nan = Isa::available().into_iter().map(|isa| case.run_all(isa, Edge::Start)).collect::<Vec<_>>();
    case.bias = Some((0..TOKENS).map(|t| if t == 7 { -1e9 } else { 0.0 }).collect());
    assert!(with_nan.iter().all(|got| *got == case.run_all(Isa::best(), Edge::Start)));
}

#[test]
fn wrong_calls_are_refused_by_name() {
    let mut rng = Rng::from_env(18);
    let case = Case::new(2, 8, &[64, 64], false, &mut rng);
    let isa = Isa::best();
    let mut scratch = vec![0; AttentionI8::scratch_len(8)];
    let mut y = vec![0; 2 * 8 * TOKENS];
    let (q, good) = (&case.q[..2 * 8 * TOKENS], case.attention());
    let mut name = |attention: &AttentionI8<'_>, panel, heads, q: &[u8], k: &[i8]| match attention.run(
        isa,
        panel,
        heads,
        q,
        k,
        &case.v,
        &mut y,
        &mut scratch,
    ) {
        Err(KernelError::Length { name, .. } | KernelError::Invalid { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(&AttentionI8 { head_dim: 6, ..good }, 0, 0..2, q, &case.k), "head_dim");
    assert_eq!(name(&AttentionI8 { head_dim: 0, ..good }, 0, 0..2, q, &case.k), "head_dim");
    assert_eq!(name(&AttentionI8 { heads: 0, ..good }, 0, 0..0, q, &case.k), "heads");
    assert_eq!(name(&AttentionI8 { scale: f32::NAN, ..good }, 0, 0..2, q, &case.k), "scale");
    assert_eq!(name(&AttentionI8 { scale: -1.0, ..good }, 0, 0..2, q, &case.k), "scale");
    assert_eq!(name(&AttentionI8 { out_scale: f32::INFINITY, ..good }, 0, 0..2, q, &case.k), "out_scale");
    assert_eq!(name(&AttentionI8 { zero: 256, ..good }, 0, 0..2, q, &case.k), "zero");
    assert_eq!(name(&good, 2, 0..2, q, &case.k), "panel");
    assert_eq!(name(&good, 0, 0..3, q, &case.k), "heads");
    assert_eq!(name(&good, 0, 0..1, q, &case.k), "y");
    assert_eq!(name(&good, 0, 0..2, &q[1..], &case.k), "q");
    assert_eq!(name(&good, 0, 0..2, q, &case.k[1..]), "k");
    assert_eq!(name(&good, 0, 0..2, q, &case.k[2 * 8 * TOKENS..]), "v");
    let long = [Span { start: 0, len: 129 }];
    assert_eq!(name(&AttentionI8 { spans: &long, ..good }, 0, 0..2, q, &case.k), "spans");
    let huge = [Span { start: u32::MAX, len: u32::MAX }];
    assert_eq!(AttentionI8 { spans: &huge, ..good }.run(isa, 0, 0..2, q, &case.k, &case.v, &mut y, &mut scratch), Ok(()));
    let short = vec![0.0; 127];
    assert!(AttentionI8 { key_bias: Some(&short), ..good }.run(isa, 1, 0..2, q, &case.k, &case.v, &mut y, &mut scratch).is_err());
    let less = scratch.len() - 1;
    assert!(good.run(isa, 0, 0..2, q, &case.k, &case.v, &mut y, &mut scratch[..less]).is_err());
}
