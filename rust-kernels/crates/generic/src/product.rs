//! Stacks of matrix products, for every type that is computed in.
//!
//! Each result element is a fixed sequence of operations, whatever rows are computed with it: sums over blocks of [`DEPTH`] products,
//! added up in order. Blocking keeps the rounding error of long sums small.

use super::numeric::Arithmetic;
use super::spec::{GenericError, TensorSpec, workspace};
use super::walk::Walk;
use neural_engine_isa::{Isa, Simd, SimdOp};
use serde::Deserialize;
use std::ops::Range;

/// How two operands are seen as stacks of matrices, and what becomes of their products.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductAttrs {
    /// Dims of A: batch dims, then \[M, K\] (\[K, M\] with `transpose_a`).
    a: Vec<usize>,
    /// Dims of B: batch dims, then \[K, N\] (\[N, K\] with `transpose_b`).
    b: Vec<usize>,
    #[serde(default)]
    transpose_a: bool,
    #[serde(default)]
    transpose_b: bool,
    /// Multiplies the product.
    #[serde(default = "one")]
    pub alpha: f64,
    /// Multiplies what is added to it.
    #[serde(default = "one")]
    pub beta: f64,
}

fn one() -> f64 {
    1.0
}

/// Products that are summed before the sum is added to the rest: B's block of 256 × 32 f32 fills most of a level-1 cache.
const DEPTH: usize = 256;
/// Columns that are computed together: two vectors of 16.
const WIDTH: usize = 32;
/// Rows that are computed together: with two vectors each, 12 of 32 registers hold sums.
const ROWS: usize = 6;

/// Sizes and strides of a stack of products.
pub(super) struct Geometry {
    /// Rows, summed products and columns of each.
    pub m: usize,
    pub k: usize,
    pub n: usize,
    /// Rows of all products.
    pub rows: usize,
    /// Result matrix → which matrix of A and of B.
    batches: Walk<2>,
    /// Per row and per k of A.
    a: [usize; 2],
    /// Per k and per column of B.
    b: [usize; 2],
}

impl Geometry {
    pub fn new(a: &TensorSpec, b: &TensorSpec, y: &TensorSpec, views: &ProductAttrs) -> Result<Self, String> {
        let product = |dims: &[usize]| dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
        for (spec, dims) in [(a, &views.a), (b, &views.b)] {
            if product(dims) != Some(spec.len()) {
                return Err(format!("an operand of dims {:?} is not {dims:?}", spec.dims));
            }
        }
        let (&[ref batch_a @ .., a0, a1], &[ref batch_b @ .., b0, b1]) = (&views.a[..], &views.b[..]) else {
            return Err(format!("dims {:?} and {:?} are no matrices", views.a, views.b));
        };
        let (m, k, stride_a) = if views.transpose_a { (a1, a0, [1, a1]) } else { (a0, a1, [a1, 1]) };
        let (k_b, n, stride_b) = if views.transpose_b { (b1, b0, [1, b1]) } else { (b0, b1, [b1, 1]) };
        if k != k_b {
            return Err(format!("{:?} and {:?} have {k} and {k_b} products to sum", views.a, views.b));
        }
        let rank = batch_a.len().max(batch_b.len());
        let dim = |dims: &[usize], i: usize| (i + dims.len()).checked_sub(rank).map_or(1, |at| dims[at]);
        let batch: Vec<usize> = (0..rank).map(|i| if dim(batch_a, i) == 1 { dim(batch_b, i) } else { dim(batch_a, i) }).collect();
        let batches = Walk::broadcast(&batch, [batch_a, batch_b])?;
        let rows = product(&batch).and_then(|count| count.checked_mul(m));
        if rows.and_then(|rows| rows.checked_mul(n)) != Some(y.len()) {
            return Err(format!("the result has dims {:?}, expected {batch:?} of {m} × {n}", y.dims));
        }
        Ok(Self { m, k, n, rows: rows.unwrap_or(0), batches, a: stride_a, b: stride_b })
    }

    /// Cost in the sense of a plan.
    pub fn cost(&self) -> usize {
        self.rows.saturating_mul(self.n).saturating_mul(self.k) / 8
    }

    /// Computes `rows` of the result.
    ///
    /// `load_a(x, row)` and `load_b(x, column)` turn an element of that row or column of its matrix into a factor;
    /// `store(row, column, sums)` takes neighbouring results of a row, counted over all products.
    pub fn compute<A: Copy, B: Copy, W: Product>(
        &self,
        isa: Isa,
        rows: Range<usize>,
        (a, load_a): (&[A], impl Fn(A, usize) -> W),
        (b, load_b): (&[B], impl Fn(B, usize) -> W),
        mut store: impl FnMut(usize, usize, &[W]),
    ) -> Result<(), GenericError> {
        let depth = self.k.min(DEPTH);
        let mut packed_a = workspace(depth * ROWS, W::ZERO)?;
        let mut packed_b = workspace(depth * WIDTH, W::ZERO)?;
        let mut sums = workspace(rows.len().min(self.m) * WIDTH, W::ZERO)?;
        let mut from = rows.start;
        while from < rows.end {
            let matrix = from / self.m;
            let to = rows.end.min((matrix + 1) * self.m);
            let mut matrices = [0, 0];
            self.batches.runs(matrix..matrix + 1, |run| matrices = run.offset);
            let a = &a[matrices[0] * self.m * self.k..][..self.m * self.k];
            let b = &b[matrices[1] * self.k * self.n..][..self.k * self.n];
            let inside = from - matrix * self.m..to - matrix * self.m;
            for column in (0..self.n).step_by(WIDTH) {
                let columns = column..self.n.min(column + WIDTH);
                let sums = &mut sums[..inside.len() * WIDTH];
                sums.fill(W::ZERO);
                for k in (0..self.k).step_by(DEPTH) {
                    let ks = k..self.k.min(k + DEPTH);
                    pack::<_, _, WIDTH>(&mut packed_b, b, (ks.clone(), self.b[0]), (columns.clone(), self.b[1]), &load_b);
                    for (n, sums) in sums.chunks_mut(ROWS * WIDTH).enumerate() {
                        let first = inside.start + n * ROWS;
                        let rows = first..inside.end.min(first + ROWS);
                        pack::<_, _, ROWS>(&mut packed_a, a, (ks.clone(), self.a[1]), (rows, self.a[0]), &load_a);
                        isa.dispatch(Tile { depth: ks.len(), a: &packed_a, b: &packed_b, sums });
                    }
                }
                for (row, sums) in (from..to).zip(sums.chunks_exact(WIDTH)) {
                    store(row, column, &sums[..columns.len()]);
                }
            }
            from = to;
        }
        Ok(())
    }
}

/// Arranges a block of a matrix as `[k][lane]` with `LANES` lanes, reading along whichever side is contiguous. Both sides come with
/// how far one step moves in the matrix; lanes beyond those given keep what they held.
fn pack<X: Copy, W: Copy, const LANES: usize>(
    packed: &mut [W],
    matrix: &[X],
    (ks, k_stride): (Range<usize>, usize),
    (lanes, lane_stride): (Range<usize>, usize),
    load: impl Fn(X, usize) -> W,
) {
    if lane_stride == 1 {
        for (k, packed) in ks.zip(packed.chunks_exact_mut(LANES)) {
            let source = &matrix[k * k_stride..][lanes.clone()];
            for ((lane, &x), packed) in lanes.clone().zip(source).zip(packed) {
                *packed = load(x, lane);
            }
        }
        return;
    }
    for (at, lane) in lanes.enumerate() {
        let source = &matrix[lane * lane_stride + ks.start * k_stride..];
        let lane_of = packed.chunks_exact_mut(LANES).take(ks.len());
        if k_stride == 1 {
            lane_of.zip(source).for_each(|(packed, &x)| packed[at] = load(x, lane));
        } else {
            lane_of.zip(source.iter().step_by(k_stride)).for_each(|(packed, &x)| packed[at] = load(x, lane));
        }
    }
}

/// Adds one block of products to a few rows of [`WIDTH`] columns.
struct Tile<'a, W> {
    depth: usize,
    /// `[k][ROWS]`.
    a: &'a [W],
    /// `[k][WIDTH]`.
    b: &'a [W],
    /// `[row][WIDTH]`.
    sums: &'a mut [W],
}

impl<W: Product> SimdOp for Tile<'_, W> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, simd: S) {
        W::tile(simd, &self.a[..self.depth * ROWS], &self.b[..self.depth * WIDTH], self.sums);
    }
}

/// A type that products are summed in.
pub(super) trait Product: Arithmetic {
    /// `sums[r][c] += Σ_k a[k][r] · b[k][c]` for as many rows as `sums` has.
    #[inline(always)]
    fn tile<S: Simd>(_: S, a: &[Self], b: &[Self], sums: &mut [Self]) {
        for (r, sums) in sums.chunks_exact_mut(WIDTH).enumerate() {
            let mut tile = [Self::ZERO; WIDTH];
            for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(WIDTH)) {
                for (sum, &b) in tile.iter_mut().zip(b) {
                    *sum = sum.add(a[r].mul(b));
                }
            }
            for (sum, tile) in sums.iter_mut().zip(tile) {
                *sum = sum.add(tile);
            }
        }
    }
}

impl Product for f64 {}
impl Product for i32 {}
impl Product for i64 {}

impl Product for f32 {
    #[inline(always)]
    fn tile<S: Simd>(simd: S, a: &[f32], b: &[f32], sums: &mut [f32]) {
        match sums.len() / WIDTH {
            1 => tile_f32::<S, 1>(simd, a, b, sums),
            2 => tile_f32::<S, 2>(simd, a, b, sums),
            3 => tile_f32::<S, 3>(simd, a, b, sums),
            4 => tile_f32::<S, 4>(simd, a, b, sums),
            5 => tile_f32::<S, 5>(simd, a, b, sums),
            _ => tile_f32::<S, ROWS>(simd, a, b, sums),
        }
    }
}

#[inline(always)]
fn tile_f32<S: Simd, const R: usize>(simd: S, a: &[f32], b: &[f32], sums: &mut [f32]) {
    let mut tile = [[simd.splat(0.0); 2]; R];
    for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(WIDTH)) {
        let b = [simd.load(b), simd.load(&b[16..])];
        for (tile, &a) in tile.iter_mut().zip(a) {
            let a = simd.splat(a);
            *tile = [simd.fma(a, b[0], tile[0]), simd.fma(a, b[1], tile[1])];
        }
    }
    for (tile, sums) in tile.into_iter().zip(sums.chunks_exact_mut(WIDTH)) {
        let (low, high) = sums.split_at_mut(16);
        simd.store(low, simd.add(simd.load(low), tile[0]));
        simd.store(high, simd.add(simd.load(high), tile[1]));
    }
}
