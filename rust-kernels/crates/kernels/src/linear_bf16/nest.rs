//! The loops around the sums: which part of the weight meets which panel, and when.

use super::dense::{DenseBf16, TILE_INPUTS, TILE_ROWS};
use super::dot::{Dot, DotOp, Half};
use super::element::Element;
use super::sparse::{Group, inputs};
use super::{LinearBf16, WeightBf16};
use crate::linear_f32::run::run;
use crate::panel::{Io, Residual, TOKENS};
use crate::{Activation, activate};
use neural_engine_isa::{Isa, Simd};
use std::ops::Range;

/// One row of sums.
pub(super) type Row = [f32; TOKENS];

/// Rows whose sums are in registers together.
const ROWS: usize = 4;

/// Bytes of weights that one panel is multiplied by before the next panel takes its place; they stay in L2 for all panels of a call.
pub(super) const CHUNK: usize = 128 << 10;

/// y = act(W · x + bias + residual) for some rows; the entry has checked every length.
pub(super) struct Product<'a, 'b, Y> {
    pub linear: &'a LinearBf16<'a>,
    pub isa: Isa,
    pub rows: Range<usize>,
    pub ios: &'a mut [Io<'b, u16, Y>],
}

impl<Y: Element> DotOp for Product<'_, '_, Y> {
    #[inline(always)]
    fn eval<D: Dot, const V: usize>(self, dot: D) {
        let weight = &self.linear.weight;
        let mut first = self.rows.start;
        while first < self.rows.end {
            let last = weight.reach(first, self.rows.end, CHUNK);
            for io in self.ios.iter_mut() {
                let x = io.x.as_chunks().0;
                for row in (first..last).step_by(ROWS) {
                    let at = row - self.rows.start..last.min(row + ROWS) - self.rows.start;
                    let mut sums: [Row; ROWS] = begin(dot.simd(), self.linear.bias, row, io, at.clone());
                    match weight {
                        WeightBf16::Dense(weight) => dense::<D, V>(dot, weight, row, x, &mut sums),
                        WeightBf16::Sparse(weight) => sparse::<D, V>(dot, weight.block(row / ROWS), x, &mut sums),
                    }
                    let cells = at.start * TOKENS..at.end * TOKENS;
                    finish(self.isa, dot.simd(), self.linear.act, &mut sums[..at.len()], &mut io.y[cells]);
                }
            }
            first = last;
        }
    }
}

/// bias + residual of rows `at` of y, the first of which is row `row` of the weight.
#[inline(always)]
pub(super) fn begin<S: Simd, Y: Element, const R: usize>(
    simd: S,
    bias: Option<&[f32]>,
    row: usize,
    io: &Io<'_, u16, Y>,
    at: Range<usize>,
) -> [Row; R] {
    let add = |sums: &mut Row, bias: f32, old: &[f32]| sums.iter_mut().zip(old).for_each(|(sum, old)| *sum = bias + old);
    let mut sums = [[0.0; TOKENS]; R];
    for (i, (sums, at)) in sums.iter_mut().zip(at).enumerate() {
        let cells = at * TOKENS..(at + 1) * TOKENS;
        let bias = bias.map_or(0.0, |bias| bias[row + i]);
        match io.residual {
            Residual::None => *sums = [bias; TOKENS],
            Residual::Panel(panel) => add(sums, bias, &panel[cells]),
            Residual::Half(panel) => add(sums, bias, &u16::old(simd, &panel[cells])),
            Residual::InPlace => add(sums, bias, &Y::old(simd, &io.y[cells])),
        }
    }
    sums
}

/// y ← act(sums)
#[inline(always)]
pub(super) fn finish<S: Simd, Y: Element>(isa: Isa, simd: S, act: Activation, sums: &mut [Row], y: &mut [Y]) {
    if act != Activation::None {
        activate::activate_in_place(isa, act, sums.as_flattened_mut());
    }
    Y::store(simd, sums, y);
}

/// sums += rows `row..row + 4` of a dense weight times a panel.
#[inline(always)]
fn dense<D: Dot, const V: usize>(dot: D, weight: &DenseBf16<'_>, row: usize, x: &[Half], sums: &mut [Row; ROWS]) {
    // Whole tiles, so that a run never ends inside one.
    let tiles = run(weight.k()).div_ceil(TILE_INPUTS);
    let from = row % TILE_ROWS;
    for (tiles, x) in weight.tiles(row).chunks(tiles).zip(x.chunks(tiles * TILE_INPUTS)) {
        for vector in (0..4).step_by(V) {
            let mut acc = [[dot.simd().splat(0.0); V]; ROWS];
            for (tile, x) in tiles.iter().zip(x.chunks(TILE_INPUTS)) {
                let [a, b, c, d] = [&tile[from], &tile[from + 1], &tile[from + 2], &tile[from + 3]];
                let (pairs, rest) = x.as_chunks::<2>();
                for (q, [even, odd]) in pairs.iter().enumerate() {
                    add_pair::<D, V>(dot, &mut acc, [even, odd], vector, [a[q], b[q], c[q], d[q]]);
                }
                if let [last] = rest {
                    let q = pairs.len();
                    add_pair::<D, V>(dot, &mut acc, [last, &[0; TOKENS]], vector, [a[q], b[q], c[q], d[q]]);
                }
            }
            add_run::<D, V>(dot, &acc, vector, sums);
        }
    }
}

/// sums += the groups of one row-block times a panel.
#[inline(always)]
fn sparse<D: Dot, const V: usize>(dot: D, groups: &[Group], x: &[Half], sums: &mut [Row; ROWS]) {
    let terms = 2 * groups.len();
    for groups in groups.chunks(run(terms).div_ceil(2)) {
        for vector in (0..4).step_by(V) {
            let mut acc = [[dot.simd().splat(0.0); V]; ROWS];
            for group in groups {
                let [even, odd] = inputs(group);
                let [_, a, b, c, d] = *group;
                add_pair::<D, V>(dot, &mut acc, [&x[even], &x[odd]], vector, [a, b, c, d]);
            }
            add_run::<D, V>(dot, &acc, vector, sums);
        }
    }
}

/// acc\[i\]\[j\] += two products
#[inline(always)]
fn add_pair<D: Dot, const V: usize>(
    dot: D,
    acc: &mut [[<D::S as Simd>::F32; V]; ROWS],
    [even, odd]: [&Half; 2],
    vector: usize,
    weights: [u32; ROWS],
) {
    let mut pairs = [dot.pairs(even, odd, vector); V];
    for (j, pair) in pairs.iter_mut().enumerate().skip(1) {
        *pair = dot.pairs(even, odd, vector + j);
    }
    for i in 0..ROWS {
        let w = dot.weights(weights[i]);
        for j in 0..V {
            acc[i][j] = dot.add(acc[i][j], pairs[j], w);
        }
    }
}

/// sums += acc
#[inline(always)]
fn add_run<D: Dot, const V: usize>(dot: D, acc: &[[<D::S as Simd>::F32; V]; ROWS], vector: usize, sums: &mut [Row; ROWS]) {
    let s = dot.simd();
    for i in 0..ROWS {
        for j in 0..V {
            let cells = &mut sums[i][16 * (vector + j)..16 * (vector + j + 1)];
            s.store(cells, s.add(s.load(cells), acc[i][j]));
        }
    }
}
