//! One block of up to 64 keys against 64 queries. It starts where its sequence says, not where a panel does, so that a sequence gets the
//! same sums wherever it lies.

use crate::code::Code;
use crate::panel::{TOKENS, lane_of};
use neural_engine_isa::{Simd, math};
use std::ops::Range;

/// Vectors of one panel row.
const REGS: usize = TOKENS / 16;

/// Keys, or features of v, whose products are formed together.
const TILE: usize = 4;

/// One row of 64 lanes.
type Row = [f32; TOKENS];

/// The lane of each token, looked up because computing it in the innermost loop costs a seventh of its time.
const LANES: [u8; TOKENS] = {
    let mut lanes = [0; TOKENS];
    let mut token = 0;
    while token < TOKENS {
        lanes[token] = lane_of(token) as u8;
        token += 1;
    }
    lanes
};

/// Running maximum and sum of each query.
pub(super) struct State<S: Simd> {
    max: [S::F32; REGS],
    sum: [S::F32; REGS],
    first: bool,
}

/// Rows of scores that a block needs: 64 keys, and up to three tokens before and behind them in groups of four.
pub(super) const SCORES: usize = TOKENS + 2 * TILE;

/// The keys of a block that lie in one panel.
pub(super) struct Part<'a> {
    /// `[head_dim][64]` of their panel.
    pub k: &'a [Row],
    /// `[head_dim][64]` of their panel.
    pub v: &'a [Row],
    /// Which tokens of the panel they are.
    pub tokens: Range<usize>,
    /// Biases of the panel's tokens, at least up to the last of them.
    pub bias: Option<&'a [f32]>,
}

/// Up to 64 keys of one span, which lie in one panel or two: then the first part ends with its panel and the second begins with its.
pub(super) struct Block<'a> {
    /// The second may be empty.
    pub parts: [Part<'a>; 2],
    /// Multiplies the products.
    pub scale: f32,
    /// The code by which scaled products are rounded before the bias joins.
    pub rounding: Option<Code>,
}

impl<S: Simd> State<S> {
    #[inline(always)]
    pub(super) fn new(s: S) -> State<S> {
        // The lowest finite value, not −∞: a block of −∞ scores then weighs 0 instead of NaN.
        State { max: [s.splat(f32::MIN); REGS], sum: [s.splat(0.0); REGS], first: true }
    }

    /// Once every key was observed: what turns weights into probabilities.
    #[inline(always)]
    fn inverse(&self, s: S) -> [S::F32; REGS] {
        let mut inverse = self.sum;
        for sum in &mut inverse {
            *sum = s.div(s.splat(1.0), *sum);
        }
        inverse
    }

    /// After probabilities were added, not weights: nothing is left to divide by.
    #[inline(always)]
    pub(super) fn normalized(self, s: S) -> State<S> {
        State { sum: [s.splat(1.0); REGS], ..self }
    }

    /// y ← sums / sum, in the span's lanes.
    #[inline(always)]
    pub(super) fn finish(self, s: S, sums: &[Row], lanes: [u16; REGS], y: &mut [Row]) {
        for i in 0..REGS {
            let inverse = s.div(s.splat(1.0), self.sum[i]);
            let mask = s.mask(lanes[i]);
            for (y, sums) in y.iter_mut().zip(sums) {
                let value = s.mul(s.load(&sums[16 * i..]), inverse);
                let old = s.load(&y[16 * i..]);
                s.store(&mut y[16 * i..], s.select(mask, value, old));
            }
        }
    }
}

impl Part<'_> {
    /// Scores of four keys from `token` on, scaled, rounded and biased, for the queries in `N` vectors from lane `at` on.
    #[inline(always)]
    fn scores<S: Simd, const N: usize>(
        &self,
        s: S,
        q: &[Row],
        (scale, rounding): (f32, Option<Code>),
        token: usize,
        at: usize,
        out: &mut [Row],
    ) {
        // Four tokens from a multiple of four on are four lanes in a row.
        let lane = usize::from(LANES[token & 63] & 60);
        let mut sums = [[s.splat(0.0); N]; TILE];
        for (q, k) in q.iter().zip(self.k) {
            let mut vectors = [s.splat(0.0); N];
            for i in 0..N {
                vectors[i] = s.load(&q[at + 16 * i..]);
            }
            let k: &[f32; TILE] = k[lane..].first_chunk().expect("a lane that is a multiple of four");
            for j in 0..TILE {
                let k = s.splat(k[j]);
                for i in 0..N {
                    sums[j][i] = s.fma(k, vectors[i], sums[j][i]);
                }
            }
        }
        let scale = s.splat(scale);
        for j in 0..TILE {
            let bias = s.splat(self.bias.and_then(|bias| bias.get(token + j)).copied().unwrap_or(0.0));
            for i in 0..N {
                let score = match rounding {
                    None => s.fma(sums[j][i], scale, bias),
                    Some(code) => s.add(code.round_u8(s, s.mul(sums[j][i], scale)), bias),
                };
                s.store(&mut out[j][at + 16 * i..], score);
            }
        }
    }
}

impl Block<'_> {
    /// Adds these keys to a state and to the sums of weighted values `[head_dim][64]`. `scores` holds [`SCORES`] rows.
    #[inline(always)]
    pub(super) fn add<S: Simd>(&self, s: S, q: &[Row], state: &mut State<S>, scores: &mut [Row], sums: &mut [Row]) {
        let scores = self.scores(s, q, scores);
        let correction = self.softmax(s, state, scores);
        self.weigh_all(s, scores, correction, state, sums);
    }

    /// Adds these keys to a state alone, so that probabilities are known before they are rounded.
    #[inline(always)]
    pub(super) fn observe<S: Simd>(&self, s: S, q: &[Row], state: &mut State<S>, scores: &mut [Row]) {
        let scores = self.scores(s, q, scores);
        self.softmax(s, state, scores);
    }

    /// Adds values by rounded probabilities, which a state knows that observed all keys.
    #[inline(always)]
    pub(super) fn add_rounded<S: Simd>(&self, s: S, q: &[Row], code: Code, state: &mut State<S>, scores: &mut [Row], sums: &mut [Row]) {
        let scores = self.scores(s, q, scores);
        let (log2_e, inverse) = (s.splat(std::f32::consts::LOG2_E), state.inverse(s));
        for row in scores.iter_mut() {
            for i in 0..REGS {
                let weight = math::exp2(s, s.mul(s.sub(s.load(&row[16 * i..]), state.max[i]), log2_e));
                s.store(&mut row[16 * i..], code.round_u8(s, s.mul(weight, inverse[i])));
            }
        }
        self.weigh_all(s, scores, [s.splat(1.0); REGS], state, sums);
    }

    /// Fills the first rows of `scores` and returns those of this block's keys, one behind the other.
    #[inline(always)]
    fn scores<'a, S: Simd>(&self, s: S, q: &[Row], scores: &'a mut [Row]) -> &'a mut [Row] {
        // Whole groups of four keys: scores of a group's other tokens are computed and never read.
        let mut row = 0;
        let form = (self.scale, self.rounding);
        for part in &self.parts {
            for token in (part.tokens.start / TILE * TILE..part.tokens.end).step_by(TILE) {
                let group = &mut scores[row..row + TILE];
                row += TILE;
                if S::REGISTERS >= 32 {
                    part.scores::<S, REGS>(s, q, form, token, 0, group);
                } else {
                    for at in (0..TOKENS).step_by(16) {
                        part.scores::<S, 1>(s, q, form, token, at, group);
                    }
                }
            }
        }
        // Where there are two parts, the first ends with a whole group.
        let first = self.parts[0].tokens.start % TILE;
        &mut scores[first..][..self.parts[0].tokens.len() + self.parts[1].tokens.len()]
    }

    /// sums ← sums · correction + Σ weight · v, for all features.
    #[inline(always)]
    fn weigh_all<S: Simd>(&self, s: S, weights: &[Row], correction: [S::F32; REGS], state: &mut State<S>, sums: &mut [Row]) {
        let [(tiles, rest), (more_tiles, more_rest)] = [self.parts[0].v.as_chunks::<TILE>(), self.parts[1].v.as_chunks::<TILE>()];
        let (sum_tiles, sum_rest) = sums[..self.parts[0].v.len()].as_chunks_mut::<TILE>();
        for ((v, more), sums) in tiles.iter().zip(more_tiles).zip(sum_tiles) {
            self.weigh_row_tile(s, weights, [v, more], correction, state.first, sums);
        }
        for ((v, more), sums) in rest.iter().zip(more_rest).zip(sum_rest) {
            self.weigh_row_tile(s, weights, [&[*v], &[*more]], correction, state.first, std::array::from_mut(sums));
        }
        state.first = false;
    }

    /// Replaces scores by weights relative to the new maximum and returns what earlier weights must be multiplied by.
    #[inline(always)]
    fn softmax<S: Simd>(&self, s: S, state: &mut State<S>, scores: &mut [Row]) -> [S::F32; REGS] {
        let log2_e = s.splat(std::f32::consts::LOG2_E);
        let mut max = state.max;
        for row in scores.iter() {
            for i in 0..REGS {
                max[i] = s.max(max[i], s.load(&row[16 * i..]));
            }
        }
        let mut sum = [s.splat(0.0); REGS];
        for row in scores.iter_mut() {
            for i in 0..REGS {
                let weight = math::exp2(s, s.mul(s.sub(s.load(&row[16 * i..]), max[i]), log2_e));
                s.store(&mut row[16 * i..], weight);
                sum[i] = s.add(sum[i], weight);
            }
        }
        let mut correction = max;
        for i in 0..REGS {
            correction[i] = math::exp2(s, s.mul(s.sub(state.max[i], max[i]), log2_e));
            state.sum[i] = s.fma(state.sum[i], correction[i], sum[i]);
        }
        state.max = max;
        correction
    }

    /// sums ← sums · correction + Σ weight · v, for `R` features.
    #[inline(always)]
    fn weigh_row_tile<S: Simd, const R: usize>(
        &self,
        s: S,
        weights: &[Row],
        v: [&[Row; R]; 2],
        correction: [S::F32; REGS],
        first: bool,
        sums: &mut [Row; R],
    ) {
        if S::REGISTERS >= 32 {
            self.weigh::<S, R, REGS>(s, weights, v, 0, &correction, first, sums);
        } else {
            for (i, correction) in correction.into_iter().enumerate() {
                self.weigh::<S, R, 1>(s, weights, v, 16 * i, &[correction], first, sums);
            }
        }
    }

    /// The same for the queries in `N` vectors from lane `at` on.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "one operand each")]
    fn weigh<S: Simd, const R: usize, const N: usize>(
        &self,
        s: S,
        weights: &[Row],
        v: [&[Row; R]; 2],
        at: usize,
        correction: &[S::F32; N],
        first: bool,
        sums: &mut [Row; R],
    ) {
        let mut totals = [[s.splat(0.0); N]; R];
        let (own, more) = weights.split_at(self.parts[0].tokens.len());
        for ((part, weights), v) in self.parts.iter().zip([own, more]).zip(v) {
            for (lane, weights) in LANES[part.tokens.clone()].iter().zip(weights) {
                let lane = usize::from(lane & 63);
                let mut vectors = [s.splat(0.0); N];
                for i in 0..N {
                    vectors[i] = s.load(&weights[at + 16 * i..]);
                }
                for r in 0..R {
                    let v = s.splat(v[r][lane]);
                    for i in 0..N {
                        totals[r][i] = s.fma(v, vectors[i], totals[r][i]);
                    }
                }
            }
        }
        for r in 0..R {
            for i in 0..N {
                let row = &mut sums[r][at + 16 * i..];
                // The first block finds whatever the scratch held, NaN perhaps.
                let total = if first { totals[r][i] } else { s.fma(s.load(row), correction[i], totals[r][i]) };
                s.store(row, total);
            }
        }
    }
}
