//! The computation, written once for every tier over [`Products`].
//!
//! It is free of closures and iterator adaptors where vectors are at work: see [`each`].

use super::products::{PANEL_QUADS, Products, QUAD};
use super::scratch::Scratch;
use super::{AttentionI8, KEY_BLOCK, Span};
use crate::dot_u8s8::each;
use crate::panel::{TOKENS, lane_of};
use crate::tiles::{SIDE, TILE};
use neural_engine_isa::{Simd, math};
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// log₂ 255: probabilities are codes 0 to 255.
const LOG2_255: f32 = 7.994_353_3;
/// Largest magnitude of a bias; the scores vanish beside it.
const MAX_BIAS: f32 = 1e30;
/// Bias of the keys that fill a group but are not of the span: far below any other, so that their probability is 0.
const OUTSIDE: f32 = -1e33;

/// Groups of four keys of one panel from which tiles are faster, although they always multiply all 64: they cost about as much as five.
const TILE_GROUPS: usize = 6;

/// A checked call.
pub(super) struct Job<'a> {
    pub attention: &'a AttentionI8<'a>,
    pub spans: &'a [Span],
    pub panel: usize,
    pub heads: Range<usize>,
    pub q: &'a [u8],
    pub k: &'a [i8],
    pub v: &'a [i8],
    pub y: &'a mut [u8],
    pub scratch: Scratch<'a>,
    /// The keys whose biases are in the scratch; empty at first.
    pub biased: Range<usize>,
}

/// 64 lanes of f32.
type Floats<P> = [<<P as Products>::S as Simd>::F32; 4];

/// A block of keys: tokens `keys`, in groups of four that start at multiples of four.
struct Block {
    keys: Range<usize>,
    groups: Range<usize>,
    first: bool,
    last: bool,
}

/// What the blocks of a span so far say about each query.
#[derive(Clone, Copy)]
struct Running<F> {
    /// Largest argument.
    max: [F; 4],
    /// Σ p, relative to that.
    sum: [F; 4],
    /// What turned earlier sums into ones relative to the new maximum.
    decay: [F; 4],
}

impl Job<'_> {
    /// All heads, all spans.
    #[inline(always)]
    pub fn run<P: Products>(mut self, p: P) {
        let simd = p.simd();
        let head_dim = self.attention.head_dim;
        for head in self.heads.clone() {
            let rows = head * head_dim * TOKENS..(head + 1) * head_dim * TOKENS;
            for (rows, quad) in self.q[rows].chunks_exact(QUAD).zip(self.scratch.q.chunks_exact_mut(QUAD)) {
                p.interleave(rows, quad);
            }
            for span in self.spans {
                let mut running = Running { max: [simd.splat(f32::MIN); 4], sum: [simd.splat(0.0); 4], decay: [simd.splat(0.0); 4] };
                for start in (span.start as usize..span.end()).step_by(KEY_BLOCK) {
                    let end = span.end().min(start + KEY_BLOCK);
                    let block = Block {
                        keys: start..end,
                        groups: start / 4..end.div_ceil(4),
                        first: start == span.start as usize,
                        last: end == span.end(),
                    };
                    self.biases(&block);
                    let max = self.scores(p, head, &block, running.max);
                    running = self.softmax(p, &block, max, running);
                    self.context(p, head, *span, &block, &running);
                }
            }
        }
    }

    /// Fills the biases of a block's keys, to the base 2, unless they are there already.
    fn biases(&mut self, block: &Block) {
        if self.biased == block.keys {
            return;
        }
        self.biased = block.keys.clone();
        let first = 4 * block.groups.start;
        let bias = &mut self.scratch.bias[..4 * block.groups.len()];
        bias.fill(OUTSIDE);
        let bias = &mut bias[block.keys.start - first..block.keys.end - first];
        match self.attention.key_bias {
            Some(keys) => {
                for (bias, key) in bias.iter_mut().zip(&keys[block.keys.clone()]) {
                    *bias = (key * LOG2_E).clamp(-MAX_BIAS, MAX_BIAS);
                }
            }
            None => bias.fill(0.0),
        }
    }

    /// Writes the arguments of the softmax and returns their largest, or `max`.
    #[inline(always)]
    fn scores<P: Products>(&mut self, p: P, head: usize, block: &Block, mut max: Floats<P>) -> Floats<P> {
        let simd = p.simd();
        let head_dim = self.attention.head_dim;
        let scale = simd.splat(self.attention.scale * LOG2_E);
        let mut scores = [[[0; SIDE]; SIDE]; 16];
        for panel in panels(&block.groups) {
            let at = (panel * self.attention.heads + head) * head_dim * TOKENS;
            let sums = self.keys(p, at);
            let groups = within(&block.groups, panel);
            let on_tiles = P::TILES && head_dim.is_multiple_of(TOKENS) && groups.len() >= TILE_GROUPS;
            if on_tiles {
                p.scores_on_tiles(self.scratch.q, self.scratch.k, &mut scores);
            }
            for group in groups {
                let lane = lane_of(4 * group % TOKENS);
                let mut acc = [[simd.splat_i32(0); 4]; 4];
                for i in 0..4 {
                    acc[i] = [simd.splat_i32(sums[lane + i]); 4];
                }
                if on_tiles {
                    for i in 0..4 {
                        for j in 0..4 {
                            let score = simd.load_i32(&scores[lane / SIDE * 4 + j][lane % SIDE + i]);
                            acc[i][j] = simd.add_i32(acc[i][j], score);
                        }
                    }
                } else {
                    acc = p.tile::<u8, 4, QUAD>(acc, self.scratch.q, &self.scratch.k[4 * lane..], head_dim / 4);
                }
                let key = 4 * (group - block.groups.start);
                let bias = &self.scratch.bias[key..key + 4];
                let t = &mut self.scratch.t[key * TOKENS..(key + 4) * TOKENS];
                for i in 0..4 {
                    let bias = simd.splat(bias[i]);
                    for j in 0..4 {
                        let argument = simd.fma(simd.to_f32(acc[i][j]), scale, bias);
                        // Where the argument is NaN the maximum stays.
                        max[j] = simd.max(argument, max[j]);
                        let at = i * TOKENS + 16 * j;
                        simd.store(&mut t[at..at + 16], argument);
                    }
                }
            }
        }
        max
    }

    /// Interleaves the keys of one panel, whose head starts at `k[at]`; returns −128·Σ k for each key in lane order.
    #[inline(always)]
    fn keys<P: Products>(&mut self, p: P, at: usize) -> [i32; TOKENS] {
        let rows = &self.k[at..at + self.attention.head_dim * TOKENS];
        for (rows, quad) in rows.chunks_exact(QUAD).zip(self.scratch.k.chunks_exact_mut(QUAD)) {
            p.interleave(rows, quad);
        }
        let simd = p.simd();
        let starts = p.zero_point(self.scratch.k);
        let mut sums = [0; TOKENS];
        for j in 0..4 {
            simd.store_i32(&mut sums[16 * j..16 * j + 16], starts[j]);
        }
        sums
    }

    /// Turns arguments into probabilities and adds them up.
    #[inline(always)]
    fn softmax<P: Products>(
        &mut self,
        p: P,
        block: &Block,
        max: Floats<P>,
        running: Running<<P::S as Simd>::F32>,
    ) -> Running<<P::S as Simd>::F32> {
        let simd = p.simd();
        let top = each!(max, |max| simd.sub(max, simd.splat(LOG2_255)));
        let mut sum = [simd.splat_i32(0); 4];
        let count = block.groups.len();
        let groups = self.scratch.t[..4 * count * TOKENS].chunks_exact(4 * TOKENS).zip(self.scratch.p.chunks_exact_mut(QUAD));
        for (t, quad) in groups {
            let mut rows = [[simd.splat_i32(0); 4]; 4];
            for (row, t) in rows.iter_mut().zip(t.chunks_exact(TOKENS)) {
                for j in 0..4 {
                    let t = simd.load(&t[16 * j..16 * j + 16]);
                    row[j] = p.probability(simd.sub(t, top[j]));
                }
            }
            sum = p.pack(&rows, quad, sum);
        }
        let sum = each!(sum, |sum| simd.to_f32(sum));
        if block.first {
            return Running { max, sum, decay: running.decay };
        }
        let mut next = Running { max, sum, decay: running.decay };
        for j in 0..4 {
            next.decay[j] = math::exp2(simd, simd.sub(running.max[j], max[j]));
            next.sum[j] = simd.fma(running.sum[j], next.decay[j], sum[j]);
        }
        next
    }

    /// P·V of one block; the last block writes the output.
    #[inline(always)]
    fn context<P: Products>(&mut self, p: P, head: usize, span: Span, block: &Block, running: &Running<<P::S as Simd>::F32>) {
        let simd = p.simd();
        let AttentionI8 { heads, head_dim, out_scale, zero, .. } = *self.attention;
        let factor = each!(running.sum, |sum| simd.div(simd.splat(out_scale), sum));
        let (zero, top) = (simd.splat(zero as f32), simd.splat(255.0));
        let first_token = self.panel * TOKENS;
        let from = (span.start as usize).max(first_token) - first_token;
        let to = span.end().min(first_token + TOKENS) - first_token;
        let on_tiles = P::TILES && head_dim.is_multiple_of(SIDE) && panels(&block.groups).any(|panel| is_whole(&block.groups, panel));
        let mut sums = [[[0; SIDE]; SIDE]; 4];
        for d in (0..head_dim).step_by(4) {
            let mut acc = [[simd.splat_i32(0); 4]; 4];
            if on_tiles {
                if d.is_multiple_of(SIDE) {
                    self.whole_panels(p, head, d, block);
                    p.end_on_tiles(&mut sums);
                }
                for i in 0..4 {
                    for j in 0..4 {
                        acc[i][j] = simd.load_i32(&sums[j][d % SIDE + i]);
                    }
                }
            }
            for panel in panels(&block.groups) {
                if on_tiles && is_whole(&block.groups, panel) {
                    continue;
                }
                let groups = within(&block.groups, panel);
                let v = ((panel * heads + head) * head_dim + d) * TOKENS + 4 * groups.start % TOKENS;
                let probabilities = &self.scratch.p[(groups.start - block.groups.start) * QUAD..];
                acc = p.tile::<i8, TOKENS, 4>(acc, probabilities, &self.v[v..], groups.len());
            }
            for i in 0..4 {
                let o = &mut self.scratch.o[(d + i) * TOKENS..(d + i + 1) * TOKENS];
                let mut f = each!(acc[i], |acc| simd.to_f32(acc));
                if !block.first {
                    for j in 0..4 {
                        f[j] = simd.fma(simd.load(&o[16 * j..16 * j + 16]), running.decay[j], f[j]);
                    }
                }
                if block.last {
                    let mut codes = acc[i];
                    for j in 0..4 {
                        // The second operand, NaN, stays where there is one; it ends as code 0.
                        codes[j] = simd.to_i32(simd.min(top, simd.fma(f[j], factor[j], zero)));
                    }
                    let row = ((head - self.heads.start) * head_dim + d + i) * TOKENS;
                    p.store_tokens(&mut self.y[row..row + TOKENS], codes, from, to);
                } else {
                    for j in 0..4 {
                        simd.store(&mut o[16 * j..16 * j + 16], f[j]);
                    }
                }
            }
        }
    }
}

impl Job<'_> {
    /// P·V of features `d..d + 16` over the panels that the block holds whole.
    #[inline(always)]
    fn whole_panels<P: Products>(&self, p: P, head: usize, d: usize, block: &Block) {
        let AttentionI8 { heads, head_dim, .. } = *self.attention;
        p.begin_on_tiles();
        for panel in panels(&block.groups) {
            if is_whole(&block.groups, panel) {
                let v = ((panel * heads + head) * head_dim + d) * TOKENS;
                let v: &[i8; TILE] = self.v[v..].first_chunk().expect("16 rows of a panel");
                p.context_on_tiles(v, &self.scratch.p[(panel * PANEL_QUADS - block.groups.start) * QUAD..]);
            }
        }
    }
}

/// Whether all groups of a panel are among these.
#[inline(always)]
fn is_whole(groups: &Range<usize>, panel: usize) -> bool {
    within(groups, panel).len() == PANEL_QUADS
}

/// The panels that groups of four keys lie in.
#[inline(always)]
fn panels(groups: &Range<usize>) -> Range<usize> {
    groups.start * 4 / TOKENS..(groups.end * 4).div_ceil(TOKENS)
}

/// Those of the groups that lie in one panel.
#[inline(always)]
fn within(groups: &Range<usize>, panel: usize) -> Range<usize> {
    let per_panel = TOKENS / 4;
    groups.start.max(panel * per_panel)..groups.end.min((panel + 1) * per_panel)
}
