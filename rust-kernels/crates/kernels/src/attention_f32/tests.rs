//! Against f64 loops over natural token order, on every tier, under guard pages.

use super::*;
use neural_engine_isa::Tier;
use neural_engine_testkit::{Edge, Guarded, Rng, assert_close, assert_same_bits};

struct Case {
    heads: usize,
    head_dim: usize,
    panels: usize,
    scale: f32,
    spans: Vec<Span>,
    bias: Option<Vec<f32>>,
    scores: Option<Code>,
    probabilities: Option<Code>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Case {
    fn new(rng: &mut Rng, heads: usize, head_dim: usize, lens: &[usize]) -> Case {
        let mut spans = Vec::new();
        let mut tokens = 0;
        for len in lens {
            spans.push(Span { start: tokens as u32, len: *len as u32 });
            tokens += len;
        }
        let panels = tokens.div_ceil(TOKENS).max(1);
        let values = panels * heads * head_dim * TOKENS;
        let mut case = Case {
            heads,
            head_dim,
            panels,
            scale: 1.0 / (head_dim as f32).sqrt(),
            spans,
            bias: None,
            scores: None,
            probabilities: None,
            q: rng.f32s(values, -3.0, 3.0),
            k: rng.f32s(values, -3.0, 3.0),
            v: rng.f32s(values, -1.0, 1.0),
        };
        // What lies past the last token must not matter.
        for token in tokens..panels * TOKENS {
            for feature in 0..heads * head_dim {
                let at = case.at(token, feature);
                (case.q[at], case.k[at], case.v[at]) = (f32::NAN, f32::INFINITY, f32::NAN);
            }
        }
        case
    }

    fn at(&self, token: usize, feature: usize) -> usize {
        (token / TOKENS * self.heads * self.head_dim + feature) * TOKENS + lane_of(token % TOKENS)
    }

    fn attention(&self) -> AttentionF32<'_> {
        AttentionF32 {
            heads: self.heads,
            head_dim: self.head_dim,
            scale: self.scale,
            spans: &self.spans,
            key_bias: self.bias.as_deref(),
            scores: self.scores,
            probabilities: self.probabilities,
        }
    }

    fn run(&self, isa: Isa, panel: usize, heads: Range<usize>, edge: Edge) -> Vec<f32> {
        let len = self.heads * self.head_dim * TOKENS;
        let q = Guarded::copy(&self.q[panel * len..(panel + 1) * len], edge);
        let (k, v) = (Guarded::copy(&self.k, edge), Guarded::copy(&self.v, edge));
        let mut y = Guarded::new(heads.len() * self.head_dim * TOKENS, f32::NAN, edge);
        let mut scratch = Guarded::new(AttentionF32::scratch_len(self.head_dim), f32::NAN, edge);
        self.attention().run(isa, panel, heads, &q, &k, &v, &mut y, &mut scratch).unwrap();
        y.to_vec()
    }

    /// The output panel in f64.
    fn expected(&self, panel: usize) -> Vec<f64> {
        let mut y = vec![0.0; self.heads * self.head_dim * TOKENS];
        for span in &self.spans {
            let keys = span.start as usize..span.end();
            for query in keys.clone().filter(|token| token / TOKENS == panel) {
                for head in 0..self.heads {
                    let features = head * self.head_dim..(head + 1) * self.head_dim;
                    let scores: Vec<f64> = keys
                        .clone()
                        .map(|key| {
                            let products =
                                features.clone().map(|f| f64::from(self.q[self.at(query, f)]) * f64::from(self.k[self.at(key, f)]));
                            // The bias joins in f32, where a very low one absorbs the score: that is what it is for.
                            let score = rounded(self.scores, products.sum::<f64>() * f64::from(self.scale));
                            let bias = self.bias.as_ref().map_or(0.0, |bias| bias[key]);
                            if bias == 0.0 { score } else { f64::from(score as f32 + bias) }
                        })
                        .collect();
                    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let total: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                    for f in features {
                        let weights = scores.iter().map(|s| rounded(self.probabilities, (s - max).exp() / total));
                        let values = keys.clone().zip(weights).map(|(key, weight)| weight * f64::from(self.v[self.at(key, f)]));
                        y[f * TOKENS + lane_of(query % TOKENS)] = values.sum();
                    }
                }
            }
        }
        y
    }

    fn check(&self, what: &str) {
        for panel in 0..self.panels {
            let want = self.expected(panel);
            let scalar = self.run(Isa::capped(Tier::Scalar), panel, 0..self.heads, Edge::End);
            assert_close(what, &scalar, &want, 2e-6, 1e-5);
            for isa in Isa::available() {
                for edge in Edge::BOTH {
                    let name = format!("{what} on {}", isa.tier().name());
                    assert_same_bits(&name, &self.run(isa, panel, 0..self.heads, edge), &scalar);
                }
            }
        }
    }
}

/// A value through a u8 code and back.
fn rounded(code: Option<Code>, x: f64) -> f64 {
    let Some(Code { scale, zero }) = code else { return x };
    ((x * f64::from(scale) + f64::from(zero)).round_ties_even().clamp(0.0, 255.0) - f64::from(zero)) / f64::from(scale)
}

#[test]
fn scores_and_probabilities_are_rounded_as_codes_would() {
    let mut rng = Rng::from_env(58);
    // Products of small integers and a power of two are exact, so that scores round to the same code in f64.
    let (scores, probabilities) = (Code { scale: 4.0, zero: 120 }, Code { scale: 64.0, zero: 3 });
    for (head_dim, lens) in [(4, &[1, 30, 90][..]), (16, &[64]), (8, &[150, 17])] {
        for (scores, probabilities) in [(Some(scores), None), (None, Some(probabilities)), (Some(scores), Some(probabilities))] {
            let mut case = Case::new(&mut rng, 2, head_dim, lens);
            (case.scale, case.scores, case.probabilities) = (0.0625, scores, probabilities);
            for x in case.q.iter_mut().chain(&mut case.k).filter(|x| x.is_finite()) {
                *x = x.round();
            }
            for panel in 0..case.panels {
                let (want, scalar) = (case.expected(panel), case.run(Isa::capped(Tier::Scalar), panel, 0..2, Edge::End));
                // A probability near the middle of two codes may go to either: one step of it, and of few.
                let far = |limit: f64| scalar.iter().zip(&want).filter(|(got, want)| (f64::from(**got) - **want).abs() > limit).count();
                assert_eq!(far(1.01 / 64.0), 0, "head of {head_dim}, panel {panel}");
                assert!(far(1e-5) * 100 <= want.len(), "head of {head_dim}, panel {panel}: {} of {}", far(1e-5), want.len());
                for isa in Isa::available() {
                    assert_same_bits(isa.tier().name(), &case.run(isa, panel, 0..2, Edge::End), &scalar);
                }
            }
        }
    }
}

#[test]
fn a_sequence_gets_the_same_bits_wherever_it_lies() {
    let mut rng = Rng::from_env(56);
    for (head_dim, len) in [(5, 1), (8, 64), (16, 75), (4, 200)] {
        let alone = Case::new(&mut rng, 2, head_dim, &[len]);
        for before in [1, 2, 3, 37, 61, 63, 64, 130] {
            let mut moved = Case::new(&mut rng, 2, head_dim, &[before, len, 9]);
            for token in 0..len {
                for feature in 0..2 * head_dim {
                    let (from, to) = (alone.at(token, feature), moved.at(before + token, feature));
                    (moved.q[to], moved.k[to], moved.v[to]) = (alone.q[from], alone.k[from], alone.v[from]);
                }
            }
            let panels =
                |case: &Case| -> Vec<f32> { (0..case.panels).flat_map(|panel| case.run(Isa::best(), panel, 0..2, Edge::End)).collect() };
            let (want, got) = (panels(&alone), panels(&moved));
            for token in 0..len {
                let row = |case: &Case, y: &[f32], token| (0..2 * head_dim).map(|f| y[case.at(token, f)]).collect::<Vec<_>>();
                let name = format!("token {token} of {len} behind {before}");
                assert_same_bits(&name, &row(&moved, &got, before + token), &row(&alone, &want, token));
            }
        }
    }
}

#[test]
fn every_tier_matches_f64_for_many_head_sizes_and_lengths() {
    let mut rng = Rng::from_env(51);
    for (head_dim, lens) in [
        (1, &[1][..]),
        (2, &[3, 1, 5]),
        (3, &[64]),
        (5, &[65]),
        (8, &[63, 2, 64]),
        (16, &[10, 10, 10, 10, 10, 10, 10]),
        (31, &[130]),
        (32, &[128]),
        (33, &[7, 200]),
        (64, &[100, 30]),
        (80, &[17]),
        (96, &[70]),
        (128, &[66]),
    ] {
        let heads = rng.range(1, 3);
        let case = Case::new(&mut rng, heads, head_dim, lens);
        case.check(&format!("{heads} heads of {head_dim}, spans {lens:?}"));
    }
}

#[test]
fn biases_are_added_to_keys_and_fully_biased_spans_attend_evenly() {
    let mut rng = Rng::from_env(52);
    for low in [-10000.0, f32::MIN, -1e38] {
        let mut case = Case::new(&mut rng, 2, 16, &[70, 5, 40]);
        let mut bias = vec![0.0; 115];
        bias[3..40].fill(low);
        bias[60..70].fill(low);
        bias[70..75].fill(low);
        bias[100] = -1.5;
        case.bias = Some(bias);
        case.check(&format!("bias {low}"));
    }
}

#[test]
fn keys_masked_by_minus_infinity_weigh_nothing_even_when_a_whole_block_is() {
    let mut rng = Rng::from_env(53);
    let mut case = Case::new(&mut rng, 1, 8, &[140]);
    let mut bias = vec![0.0; 140];
    bias[..64].fill(f32::NEG_INFINITY);
    case.bias = Some(bias.clone());
    case.check("first block masked");
    bias.fill(f32::NEG_INFINITY);
    case.bias = Some(bias);
    assert!(case.run(Isa::best(), 0, 0..1, Edge::End).iter().all(|y| y.is_nan()), "no key at all is 0/0");
}

#[test]
fn huge_scores_do_not_overflow() {
    let mut rng = Rng::from_env(54);
    let mut case = Case::new(&mut rng, 1, 4, &[90]);
    case.scale = 1e4;
    for panel in 0..case.panels {
        for y in case.run(Isa::best(), panel, 0..1, Edge::End) {
            assert!(y.abs() <= 1.0 + 1e-6, "{y}");
        }
    }
}

#[test]
fn heads_and_spans_do_not_disturb_one_another() {
    let mut rng = Rng::from_env(55);
    let case = Case::new(&mut rng, 3, 8, &[20, 30]);
    let whole = case.run(Isa::best(), 0, 0..3, Edge::End);
    for head in 0..3 {
        let alone = case.run(Isa::best(), 0, head..head + 1, Edge::End);
        assert_same_bits("head alone", &alone, &whole[head * 8 * TOKENS..(head + 1) * 8 * TOKENS]);
    }
    let mut other = Case { spans: case.spans.clone(), bias: None, q: case.q.clone(), k: case.k.clone(), v: case.v.clone(), ..case };
    for token in 20..50 {
        for feature in 0..24 {
            let at = other.at(token, feature);
            (other.k[at], other.v[at]) = (f32::NAN, f32::INFINITY);
        }
    }
    let disturbed = other.run(Isa::best(), 0, 0..3, Edge::End);
    for row in 0..24 {
        for token in 0..20 {
            let at = row * TOKENS + lane_of(token);
            assert_eq!(disturbed[at].to_bits(), whole[at].to_bits());
        }
    }
}

#[test]
fn wrong_operands_are_refused() {
    let mut rng = Rng::from_env(56);
    let case = Case::new(&mut rng, 2, 4, &[70]);
    let len = 2 * 4 * TOKENS;
    let run = |attention: AttentionF32<'_>, panel: usize, heads: Range<usize>, q: usize, k: usize, y: usize, scratch: usize| {
        let (mut out, mut scratch) = (vec![0.0; y], vec![0.0; scratch]);
        attention.run(Isa::best(), panel, heads, &case.q[..q], &case.k[..k], &case.v, &mut out, &mut scratch)
    };
    let (good, scratch) = (case.attention(), AttentionF32::scratch_len(4));
    assert_eq!(run(good, 1, 0..2, len, 2 * len, len, scratch), Ok(()));
    assert!(run(good, 2, 0..2, len, 2 * len, len, scratch).is_err(), "panel");
    assert!(run(good, 1, 1..3, len, 2 * len, len, scratch).is_err(), "heads");
    assert!(run(good, 1, 0..2, len - 1, 2 * len, len, scratch).is_err(), "q");
    assert!(run(good, 0, 0..2, len, 2 * len - 1, len, scratch).is_err(), "k");
    assert!(run(good, 1, 0..2, len, 2 * len, len - 1, scratch).is_err(), "y");
    assert!(run(good, 1, 0..2, len, 2 * len, len, scratch - 1).is_err(), "scratch");
    let bias = [0.0; 69];
    assert!(run(AttentionF32 { key_bias: Some(&bias), ..good }, 1, 0..2, len, 2 * len, len, scratch).is_err(), "bias");
    let spans = [Span { start: 100, len: u32::MAX }];
    assert!(run(AttentionF32 { spans: &spans, ..good }, 1, 0..2, len, 2 * len, len, scratch).is_err(), "span");
    assert!(run(AttentionF32 { heads: usize::MAX, ..good }, 1, 0..2, len, 2 * len, len, scratch).is_err(), "overflow");
    assert!(run(AttentionF32 { head_dim: 0, ..good }, 0, 0..2, 0, 0, 0, scratch).is_err(), "no features");
}
