//! Single integer products, for callers who want the kernels without programs: y = epilogue(W · x) on row-major matrices.

use crate::bytes::Plain;
use crate::error::{ErrorCode, Result, RuntimeError};
use crate::shape::element_count;
use crate::sys::memory::Memory;
use neural_engine_isa::Isa;
use neural_engine_kernels::linear_i8::{DenseU8S8, LinearI8, MAX_PANELS, Sparse4x1U8S8, WeightI8};
use neural_engine_kernels::panel::{Io, Residual, TOKENS, lane_of};
use neural_engine_kernels::{Activation, KernelError};
use std::ops::Range;

/// A packed s8 weight `[M][K]`.
#[derive(Debug)]
pub struct Product {
    m: usize,
    k: usize,
    sparse: bool,
    packed: Memory,
    groups: usize,
}

/// Where the result goes, `[M][N]`.
#[derive(Debug)]
pub enum Output<'a> {
    /// acc · mul + add, one rounding.
    F32(&'a mut [f32]),
    /// The same, rounded to nearest even and saturated.
    U8(&'a mut [u8]),
    /// acc.
    S32(&'a mut [i32]),
}

impl Output<'_> {
    /// Elements.
    fn len(&self) -> usize {
        match self {
            Output::F32(y) => y.len(),
            Output::U8(y) => y.len(),
            Output::S32(y) => y.len(),
        }
    }
}

fn usage(message: String) -> RuntimeError {
    RuntimeError::new(ErrorCode::Usage, message)
}

/// A kernel refused what the caller gave.
fn refused(error: KernelError) -> RuntimeError {
    match error {
        KernelError::Sparse(text) => RuntimeError::new(ErrorCode::Sparse, text),
        error => usage(error.to_string()),
    }
}

impl Product {
    /// Packs `weight`, s8 `[m][k]`, dense or in 4x1 blocks.
    ///
    /// # Errors
    /// E_USAGE for a shape that the format cannot hold or a weight of another length, E_LIMIT when memory is short.
    pub fn pack(m: usize, k: usize, weight: &[i8], sparse: bool) -> Result<Product> {
        if weight.len() != element_count(&[m, k])? {
            return Err(usage(format!("weight: {m}x{k} needs {} elements, got {}", m * k, weight.len())));
        }
        let bytes = if sparse { Sparse4x1U8S8::pack(m, k, weight) } else { DenseU8S8::pack(m, k, weight) }.map_err(refused)?;
        let mut packed = Memory::new(bytes.len(), true)?;
        packed.bytes_mut().copy_from_slice(&bytes);
        let mut product = Product { m, k, sparse, packed, groups: 0 };
        if let WeightI8::Sparse(weight) = product.weight()? {
            product.groups = weight.groups();
        }
        Ok(product)
    }

    /// Output rows.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Whether it is stored in 4x1 blocks.
    pub fn is_sparse(&self) -> bool {
        self.sparse
    }

    /// Bytes of the packed form.
    pub fn size_bytes(&self) -> usize {
        self.packed.len()
    }

    /// Weights that are stored and multiplied, of m·k: 1 for a dense one.
    pub fn density(&self) -> f64 {
        if self.sparse { self.groups as f64 * 16.0 / (self.m as f64 * self.k as f64) } else { 1.0 }
    }

    fn weight(&self) -> Result<WeightI8<'_>> {
        let bytes = self.packed.bytes();
        Ok(if self.sparse {
            WeightI8::Sparse(Sparse4x1U8S8::view(self.m, self.k, bytes).map_err(refused)?)
        } else {
            WeightI8::Dense(DenseU8S8::view(self.m, self.k, bytes).map_err(refused)?)
        })
    }

    /// Computes y from `x`, u8 `[K][n]` row-major. `mul` and `add` have one number for each output row; sums that are s32 ignore them.
    ///
    /// # Errors
    /// E_USAGE for buffers of another length, E_LIMIT when memory is short.
    pub fn run(&self, isa: Isa, x: &[u8], n: usize, mul: &[f32], add: &[f32], y: &mut Output<'_>) -> Result<()> {
        for (name, expected, actual) in [
            ("x", element_count(&[self.k, n])?, x.len()),
            ("y", element_count(&[self.m, n])?, y.len()),
            ("scale", self.m, mul.len()),
            ("bias", self.m, add.len()),
        ] {
            if expected != actual {
                return Err(usage(format!("{name}: expected {expected} elements, got {actual}")));
            }
        }
        let zeros = vec![0; self.m];
        let linear = |mul, add| -> Result<LinearI8<'_>> {
            Ok(LinearI8 { weight: self.weight()?, init: &zeros, mul, add, act: Activation::None, code: None, table: None, sums: None })
        };
        let columns = Columns { x, n, shift: 0, mask: 255 };
        match y {
            Output::F32(y) => {
                let linear = linear(mul, add)?;
                let kernel = |rows, ios: &mut [Io<'_, u8, f32>], scratch: &mut [u8]| linear.run_f32(isa, rows, ios, scratch);
                self.panels(
                    &columns,
                    |panels| linear.scratch_len(panels),
                    kernel,
                    |row, columns, panel: &[f32]| {
                        for (token, y) in y[row * n..][columns].iter_mut().enumerate() {
                            *y = panel[lane_of(token)];
                        }
                    },
                )
            }
            Output::U8(y) => {
                let linear = linear(mul, add)?;
                let kernel = |rows, ios: &mut [Io<'_, u8, u8>], scratch: &mut [u8]| linear.run_u8(isa, rows, ios, scratch);
                self.panels(
                    &columns,
                    |panels| linear.scratch_len(panels),
                    kernel,
                    |row, columns, panel: &[u8]| {
                        let y = &mut y[row * n..][columns];
                        y.copy_from_slice(&panel[..y.len()]);
                    },
                )
            }
            Output::S32(y) => {
                // f32 holds sums below 2²⁴ exactly, so the inputs are taken some bits at a time.
                y.fill(0);
                let (ones, zeros) = (vec![1.0; self.m], vec![0.0; self.m]);
                let linear = linear(&ones, &zeros)?;
                let fits = |bits: &u32| ((1usize << bits) - 1) * 128 * self.k <= 1 << 24;
                let bits = [8, 4, 2].into_iter().find(fits).unwrap_or(1);
                let mask = ((1u16 << bits) - 1) as u8;
                (0..8).step_by(bits as usize).try_for_each(|shift| {
                    let kernel = |rows, ios: &mut [Io<'_, u8, f32>], scratch: &mut [u8]| linear.run_f32(isa, rows, ios, scratch);
                    let columns = Columns { shift, mask, ..columns };
                    self.panels(
                        &columns,
                        |panels| linear.scratch_len(panels),
                        kernel,
                        |row, columns, panel: &[f32]| {
                            for (token, y) in y[row * n..][columns].iter_mut().enumerate() {
                                *y = y.wrapping_add((panel[lane_of(token)] as i32).wrapping_shl(shift));
                            }
                        },
                    )
                })
            }
        }
    }

    /// Cuts the columns into panels, runs the kernel on up to four at a time and hands each row of each result to `store`.
    fn panels<Y: Plain>(
        &self,
        columns: &Columns<'_>,
        scratch_len: impl Fn(usize) -> usize,
        kernel: impl Fn(Range<usize>, &mut [Io<'_, u8, Y>], &mut [u8]) -> std::result::Result<(), KernelError>,
        mut store: impl FnMut(usize, Range<usize>, &[Y]),
    ) -> Result<()> {
        let n = columns.n;
        let (inputs, outputs) = (self.k * TOKENS, self.m * TOKENS);
        let group = MAX_PANELS.min(n.div_ceil(TOKENS));
        let mut x_panels = filled(group * inputs, 0u8)?;
        let mut y_panels = filled(group * outputs, Y::default())?;
        let mut scratch = filled(scratch_len(group.max(1)), 0u8)?;
        for first in (0..n).step_by(MAX_PANELS * TOKENS) {
            let count = (n - first).div_ceil(TOKENS).min(MAX_PANELS);
            let range = |panel: usize| first + panel * TOKENS..n.min(first + (panel + 1) * TOKENS);
            for (panel, target) in x_panels.chunks_exact_mut(inputs).take(count).enumerate() {
                columns.copy(range(panel), target);
            }
            let pairs = x_panels.chunks_exact(inputs).zip(y_panels.chunks_exact_mut(outputs)).take(count);
            let mut ios: Vec<_> = pairs.map(|(x, y)| Io { x, codes: None, y, residual: Residual::None }).collect();
            kernel(0..self.m, &mut ios, &mut scratch).map_err(refused)?;
            for (panel, y) in y_panels.chunks_exact(outputs).take(count).enumerate() {
                for (row, y) in y.chunks_exact(TOKENS).enumerate() {
                    store(row, range(panel), y);
                }
            }
        }
        Ok(())
    }
}

/// The activation `[K][n]`, or some bits of every element.
#[derive(Clone, Copy)]
struct Columns<'a> {
    x: &'a [u8],
    n: usize,
    shift: u32,
    mask: u8,
}

impl Columns<'_> {
    /// Copies some columns, at most 64, to a panel; zeros behind them.
    fn copy(&self, range: Range<usize>, panel: &mut [u8]) {
        for (row, target) in panel.as_chunks_mut::<TOKENS>().0.iter_mut().enumerate() {
            let source = &self.x[row * self.n..][range.clone()];
            target[source.len()..].fill(0);
            target.iter_mut().zip(source).for_each(|(target, source)| *target = source >> self.shift & self.mask);
        }
    }
}

fn filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(len).map_err(|_| RuntimeError::limit(format!("no memory for {len} elements")))?;
    memory.resize(len, value);
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_sparse_give_the_plain_product_in_all_three_types() {
        for (m, k, n) in [(4, 1, 1), (8, 7, 63), (12, 515, 65), (4, 9000, 3), (16, 20, 300), (4, 3, 0)] {
            let weight: Vec<i8> = (0..m * k).map(|i| if i % 5 < 3 { 0 } else { (i * 37 % 256) as u8 as i8 }).collect();
            let x: Vec<u8> = (0..k * n).map(|i| (i * 91 % 256) as u8).collect();
            let (mul, add) = (vec![0.01; m], (0..m).map(|row| row as f32).collect::<Vec<_>>());
            let mut want = vec![0i32; m * n];
            for (i, want) in want.iter_mut().enumerate() {
                *want = (0..k).map(|j| i32::from(weight[i / n * k + j]) * i32::from(x[j * n + i % n])).sum();
            }
            for sparse in [false, true] {
                let product = Product::pack(m, k, &weight, sparse).unwrap();
                let (mut s32, mut f32s, mut u8s) = (vec![-1; m * n], vec![f32::NAN; m * n], vec![9; m * n]);
                let run = |y: &mut Output<'_>| product.run(Isa::best(), &x, n, &mul, &add, y).unwrap();
                run(&mut Output::S32(&mut s32));
                run(&mut Output::F32(&mut f32s));
                run(&mut Output::U8(&mut u8s));
                assert_eq!(s32, want, "{m}x{k}x{n}, sparse: {sparse}");
                for (i, acc) in want.iter().enumerate() {
                    let value = (*acc as f32).mul_add(0.01, (i / n) as f32);
                    assert_eq!(f32s[i], value);
                    assert_eq!(u8s[i], value.round_ties_even().clamp(0.0, 255.0) as u8);
                }
            }
        }
    }

    #[test]
    fn extreme_values_stay_exact_at_the_largest_k() {
        let (m, k) = (4, 1 << 16);
        let product = Product::pack(m, k, &vec![-128; m * k], false).unwrap();
        let mut y = vec![0; m];
        product.run(Isa::best(), &vec![255; k], 1, &[1.0; 4], &[0.0; 4], &mut Output::S32(&mut y)).unwrap();
        assert_eq!(y, [-128 * 255 * 65536; 4]);
    }

    #[test]
    fn wrong_lengths_and_shapes_are_refused() {
        assert!(Product::pack(3, 4, &[0; 12], true).is_err());
        assert!(Product::pack(4, 4, &[0; 15], true).is_err());
        assert!(Product::pack(0, 4, &[], false).is_err());
        let product = Product::pack(4, 2, &[1; 8], true).unwrap();
        let mut y = [0; 4];
        for (x, n, mul) in [(1, 1, 4), (2, 2, 4), (2, 1, 3)] {
            let error = product.run(Isa::best(), &vec![0; x], n, &vec![1.0; mul], &[0.0; 4], &mut Output::S32(&mut y)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Usage);
        }
    }
}
