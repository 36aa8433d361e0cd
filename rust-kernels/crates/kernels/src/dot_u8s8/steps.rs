//! Four rows of weights by interleaved inputs, on AVX2: weights are sorted by how their products can be added.

use super::avx2::{Dot, broadcast, load};
use super::pairs_fit;
use crate::panel::TOKENS;
use core::arch::x86_64::__m256i;

/// Bytes of the inputs of one step: four for each of 64 lanes.
pub(crate) const QUAD: usize = 4 * TOKENS;

/// Accumulators of four rows by 16 lanes.
pub(crate) type Acc = [[__m256i; 2]; 4];

/// Up to N steps of four inputs, prepared for [`Dot`]s whose four rows are an F. Worth it where weights are used again and again.
pub(crate) struct Steps<F, const N: usize> {
    /// Those whose pairs fit, as they are.
    pairs: [Step<[u8; 16]>; N],
    wide: [Step<F>; N],
    counts: [usize; 2],
}

#[derive(Clone, Copy, Default)]
struct Step<W> {
    /// Which of the inputs.
    quad: usize,
    weights: W,
}

impl<F: Copy + Default, const N: usize> Steps<F, N> {
    /// None.
    #[inline(always)]
    pub fn new() -> Self {
        Steps { pairs: [Step::default(); N], wide: [Step::default(); N], counts: [0; 2] }
    }

    /// Forgets all of them.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.counts = [0; 2];
    }

    /// One more: four weights of each of four rows, for the inputs `quad`. Panics when there are N.
    #[inline(always)]
    pub fn push<D: Dot<Four = F>>(&mut self, dot: D, quad: usize, weights: &[u8; 16]) {
        let [pairs, wide] = &mut self.counts;
        if D::ALL_PAIRS || pairs_fit(weights) {
            self.pairs[*pairs] = Step { quad, weights: *weights };
            *pairs += 1;
        } else {
            self.wide[*wide] = Step { quad, weights: dot.four(weights) };
            *wide += 1;
        }
    }

    /// Adds the products of all of them by lanes 16·part to 16·part + 15 of `x`, `[quads][64 lanes][4]`.
    #[inline(always)]
    pub fn add<D: Dot<Four = F>>(&self, dot: D, acc: &mut Acc, x: &[u8], part: usize) {
        let (token, x) = (dot.avx2(), x.as_chunks::<QUAD>().0);
        for step in &self.pairs[..self.counts[0]] {
            let x = &x[step.quad][64 * part..];
            add_pairs(dot, acc, [load(token, x), load(token, &x[32..])], &step.weights);
        }
        if !D::ALL_PAIRS {
            for step in &self.wide[..self.counts[1]] {
                let x = &x[step.quad][64 * part..];
                add_wide(dot, acc, [load(token, x), load(token, &x[32..])], &step.weights);
            }
        }
    }
}

/// Adds the products of four rows of four weights whose pairs fit by 16 lanes.
#[inline(always)]
pub(crate) fn add_pairs<D: Dot>(dot: D, acc: &mut Acc, x: [__m256i; 2], weights: &[u8; 16]) {
    for (acc, w) in acc.iter_mut().zip(weights.as_chunks::<4>().0) {
        let w = broadcast(dot.avx2(), w);
        *acc = [dot.add_pairs(acc[0], x[0], w), dot.add_pairs(acc[1], x[1], w)];
    }
}

/// Adds the products of four rows of any four weights by 16 lanes.
#[inline(always)]
pub(crate) fn add_wide<D: Dot>(dot: D, acc: &mut Acc, x: [__m256i; 2], weights: &D::Four) {
    let x = [dot.x(x[0]), dot.x(x[1])];
    for (i, acc) in acc.iter_mut().enumerate() {
        let w = dot.row(weights, i);
        *acc = [dot.add(acc[0], x[0], w), dot.add(acc[1], x[1], w)];
    }
}
