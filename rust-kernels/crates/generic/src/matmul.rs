//! `matmul`: alpha · A·B + beta · C over batches, for floats and integers; `matmul_integer`: 8-bit operands, s32 result.

use super::element::{Bf16, Element, F16};
use super::numeric::{dispatch, unsupported};
use super::product::{Geometry, Product, ProductAttrs};
use super::spec::{GenericError, Kernel, Plan, Step, TensorSpec, expect_dtype};
use super::tensor::{Inputs, Outputs};
use super::walk::Walk;
use crate::DType;
use neural_engine_isa::Isa;
use std::marker::PhantomData;
use std::ops::Range;

/// Inputs a, b, c?; c broadcasts to the result.
pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=3, 1)?;
    let (a, b, y, attrs) = (step.x(0)?, step.x(1)?, step.y(0), step.attrs::<ProductAttrs>()?);
    expect_dtype("second input", b.dtype, a.dtype)?;
    expect_dtype("output", y.dtype, a.dtype)?;
    let geometry = Geometry::new(a, b, y, &attrs)?;
    let mut added = None;
    if let Some(c) = step.optional(2) {
        expect_dtype("third input", c.dtype, a.dtype)?;
        added = Some(Walk::broadcast(&y.dims, [&c.dims])?);
    }
    let (rows, cost, isa) = (geometry.rows, geometry.cost(), Isa::best());
    let (alpha, beta) = (attrs.alpha, attrs.beta);
    macro_rules! with {
        ($type:ty, $wide:ty) => {
            Plan::new(rows, cost, MatMul::<$type, $wide> { geometry, added, alpha, beta, isa, types: PhantomData })
        };
    }
    // Wrapping products do not depend on the sign.
    match a.dtype {
        DType::F32 => with!(f32, f32),
        DType::F16 => with!(F16, f32),
        DType::Bf16 => with!(Bf16, f32),
        DType::F64 => with!(f64, f64),
        DType::S32 => with!(i32, i32),
        DType::U32 => with!(u32, i32),
        DType::S64 => with!(i64, i64),
        DType::U64 => with!(u64, i64),
        other => Err(unsupported("input", other)),
    }
}

/// An element as a number that products are summed in.
trait Factor<W>: Element {
    fn load(self) -> W;
    fn store(sum: W) -> Self;
}

macro_rules! factors {
    ($($type:ty => $wide:ty, $load:expr, $store:expr;)*) => {$(
        impl Factor<$wide> for $type {
            #[inline]
            fn load(self) -> $wide { $load(self) }
            #[inline]
            fn store(sum: $wide) -> Self { $store(sum) }
        }
    )*};
}

factors! {
    f32 => f32, |x| x, |x| x;
    F16 => f32, F16::to_f32, F16::from_f32;
    Bf16 => f32, Bf16::to_f32, Bf16::from_f32;
    f64 => f64, |x| x, |x| x;
    i32 => i32, |x| x, |x| x;
    u32 => i32, |x| x as i32, |x| x as u32;
    i64 => i64, |x| x, |x| x;
    u64 => i64, |x| x as i64, |x| x as u64;
}

struct MatMul<T, W> {
    geometry: Geometry,
    added: Option<Walk<1>>,
    alpha: f64,
    beta: f64,
    isa: Isa,
    types: PhantomData<(T, W)>,
}

impl<T: Factor<W>, W: Product> Kernel for MatMul<T, W> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (a, b, y) = (x.get::<T>(0)?, x.get::<T>(1)?, y.take::<T>(0)?);
        let c = if self.added.is_some() { x.get::<T>(2)? } else { &[] };
        let (first, n) = (units.start, self.geometry.n);
        let (alpha, beta) = (W::from_f64(self.alpha), W::from_f64(self.beta));
        let store = |row: usize, column: usize, sums: &[W]| {
            let y = &mut y[(row - first) * n + column..][..sums.len()];
            let Some(walk) = &self.added else {
                y.iter_mut().zip(sums).for_each(|(y, &sum)| *y = T::store(alpha.mul(sum)));
                return;
            };
            let at = row * n + column;
            walk.runs(at..at + sums.len(), |run| {
                for i in 0..run.len {
                    let c = c[run.offset[0] + i * run.stride[0] as usize].load();
                    y[run.at + i] = T::store(alpha.mul(sums[run.at + i]).add(beta.mul(c)));
                }
            });
        };
        self.geometry.compute(self.isa, units, (a, |x, _| x.load()), (b, |x, _| x.load()), store)
    }
}

/// Inputs a, b (u8 or s8), zero point of a? (scalar or one a row), zero point of b? (scalar or one a column).
pub(super) fn plan_integer(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=4, 1)?;
    let (a, b, y, attrs) = (step.x(0)?, step.x(1)?, step.y(0), step.attrs::<ProductAttrs>()?);
    expect_dtype("output", y.dtype, DType::S32)?;
    let geometry = Geometry::new(a, b, y, &attrs)?;
    if attrs.alpha != 1.0 || attrs.beta != 1.0 {
        return Err("integer products have neither alpha nor beta".into());
    }
    for (zero, of, length) in [(step.optional(2), a, geometry.m), (step.optional(3), b, geometry.n)] {
        check_zero(zero, of, length)?;
    }
    let (rows, cost, isa) = (geometry.rows, geometry.cost(), Isa::best());
    dispatch!(byte, a.dtype, "first input", A => dispatch!(byte, b.dtype, "second input", B => {
        Plan::new(rows, cost, MatMulInteger::<A, B> { geometry, isa, types: PhantomData })
    }))
}

fn check_zero(zero: Option<&TensorSpec>, of: &TensorSpec, length: usize) -> Result<(), String> {
    let Some(zero) = zero else { return Ok(()) };
    expect_dtype("zero point", zero.dtype, of.dtype)?;
    if zero.len() != 1 && zero.len() != length {
        return Err(format!("a zero point has dims {:?}, expected 1 or {length} elements", zero.dims));
    }
    Ok(())
}

struct MatMulInteger<A, B> {
    geometry: Geometry,
    isa: Isa,
    types: PhantomData<(A, B)>,
}

impl<A: Element + Into<i32>, B: Element + Into<i32>> Kernel for MatMulInteger<A, B> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (a, b, y) = (x.get::<A>(0)?, x.get::<B>(1)?, y.take::<i32>(0)?);
        let (zero_a, zero_b) = (x.optional::<A>(2)?, x.optional::<B>(3)?);
        let (first, n) = (units.start, self.geometry.n);
        let load_a = |x: A, row: usize| x.into() - zero_a.map_or(0, |zero| zero[row % zero.len()].into());
        let load_b = |x: B, column: usize| x.into() - zero_b.map_or(0, |zero| zero[column % zero.len()].into());
        self.geometry.compute(self.isa, units, (a, load_a), (b, load_b), |row, column, sums: &[i32]| {
            y[(row - first) * n + column..][..sums.len()].copy_from_slice(sums);
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::element::{Bf16, Element, F16};
    use crate::numeric::{Arithmetic, Numeric};
    use crate::testing::{run, spec, try_check, try_run};
    use serde_json::json;

    /// Small integers, so that every type computes exactly.
    fn data<T: Numeric>(count: usize, seed: usize) -> Vec<T> {
        (0..count).map(|i| T::narrow(T::Wide::from_f64((((i + seed) * 7919) % 5) as f64))).collect()
    }

    fn check_sizes<T: Numeric + Element>() {
        for (m, k, n) in [(1, 1, 1), (2, 3, 4), (7, 300, 33), (6, 256, 32), (13, 5, 65), (1, 700, 31)] {
            let (a, b) = (data::<T>(m * k, 1), data::<T>(k * n, 2));
            let attrs = json!({"a": [m, k], "b": [k, n]});
            let y: Vec<T> = run("matmul", attrs, &[&spec(&[m, k], &a), &spec(&[k, n], &b)], &[m, n]);
            for (i, y) in y.iter().enumerate() {
                let dot: f64 = (0..k).map(|k_at| a[i / n * k + k_at].widen().to_f64() * b[k_at * n + i % n].widen().to_f64()).sum();
                assert_eq!(*y, T::narrow(T::Wide::from_f64(dot)), "{:?} {m}x{k}x{n} at {i}", T::DTYPE);
            }
        }
    }

    #[test]
    fn every_type_multiplies_every_size() {
        check_sizes::<f32>();
        check_sizes::<f64>();
        check_sizes::<F16>();
        check_sizes::<Bf16>();
        check_sizes::<i32>();
        check_sizes::<u64>();
    }

    #[test]
    fn batches_broadcast() {
        let a: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let b = [1.0f32, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 2.0, 0.0, 0.0, 2.0];
        let attrs = json!({"a": [2, 1, 2, 2], "b": [3, 2, 2]});
        let y: Vec<f32> = run("matmul", attrs, &[&spec(&[2, 1, 2, 2], &a), &spec(&[3, 2, 2], &b)], &[2, 3, 2, 2]);
        assert_eq!(y[..12], [0.0, 1.0, 2.0, 3.0, 1.0, 0.0, 3.0, 2.0, 0.0, 2.0, 4.0, 6.0]);
        assert_eq!(y[12..], [4.0, 5.0, 6.0, 7.0, 5.0, 4.0, 7.0, 6.0, 8.0, 10.0, 12.0, 14.0]);
    }

    #[test]
    fn transposes_scales_and_adds() {
        let (a, b, c) = ([1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0f64, 0.0, 2.0, 1.0, 1.0, 1.0], [10.0f64, 20.0]);
        let attrs = json!({"a": [3, 2], "b": [2, 3], "transpose_a": true, "transpose_b": true, "alpha": 0.5, "beta": 2.0});
        let y: Vec<f64> = run("matmul", attrs, &[&spec(&[3, 2], &a), &spec(&[2, 3], &b), &spec(&[2], &c)], &[2, 2]);
        assert_eq!(y, [0.5 * 11.0 + 20.0, 0.5 * 9.0 + 40.0, 0.5 * 14.0 + 20.0, 0.5 * 12.0 + 40.0]);
        let attrs = json!({"a": [1, 6], "b": [6, 1]});
        assert_eq!(run::<f64>("matmul", attrs, &[&spec(&[6], &a), &spec(&[6], &b)], &[]), [22.0]);
        let attrs = json!({"a": [2, 0], "b": [0, 1]});
        assert_eq!(
            run::<f64>("matmul", attrs, &[&spec(&[2, 0], &a[..0]), &spec(&[0, 1], &b[..0]), &spec(&[1], &c[..1])], &[2, 1]),
            [10.0; 2]
        );
    }

    #[test]
    fn long_sums_of_positive_numbers_stay_within_the_bound() {
        let k = 4096;
        let a: Vec<f32> = (0..k).map(|i| 0.5 + (i * 7919 % 1000) as f32 / 1000.0).collect();
        let b: Vec<f32> = (0..k).map(|i| 0.5 + (i * 104_729 % 1000) as f32 / 1000.0).collect();
        let y: Vec<f32> = run("matmul", json!({"a": [1, k], "b": [k, 1]}), &[&spec(&[k], &a), &spec(&[k], &b)], &[1]);
        let exact: f64 = a.iter().zip(&b).map(|(&a, &b)| a as f64 * b as f64).sum();
        assert!((y[0] as f64 - exact).abs() <= 8.0 * 2f64.powi(-24) * exact, "{} {exact}", y[0]);
    }

    #[test]
    fn integer_products_subtract_zero_points() {
        let (a, b) = ([255u8, 0, 7, 128], [-128i8, 127, 3, -1]);
        let (zero_a, zero_b, zeros_b) = ([128u8], [1i8], [1i8, 2]);
        let expected = |zb: [i32; 2]| -> Vec<i32> {
            let (a, b) = (a.map(|a| a as i32 - 128), b.map(i32::from));
            [0, 1].iter().flat_map(|&i| [0, 1].map(|j| (0..2).map(|k| a[i * 2 + k] * (b[k * 2 + j] - zb[j])).sum())).collect()
        };
        let attrs = json!({"a": [2, 2], "b": [2, 2]});
        let (a, b, zero_a) = (spec(&[2, 2], &a), spec(&[2, 2], &b), spec(&[], &zero_a));
        assert_eq!(run::<i32>("matmul_integer", attrs.clone(), &[&a, &b, &zero_a, &spec(&[], &zero_b)], &[2, 2]), expected([1, 1]));
        assert_eq!(run::<i32>("matmul_integer", attrs.clone(), &[&a, &b, &zero_a, &spec(&[2], &zeros_b)], &[2, 2]), expected([1, 2]));
        assert_eq!(try_run::<i32>("matmul_integer", attrs, &[Some(&a), Some(&b), Some(&zero_a), None], &[2, 2]).unwrap(), expected([0, 0]));
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let f = |dims: &[usize]| Some((DType::F32, dims.to_vec()));
        let check = |a: &[usize], b: &[usize], y: &[usize]| {
            try_check("matmul", json!({"a": a, "b": b}), &[f(a), f(b)], &[(DType::F32, y.to_vec())])
        };
        assert!(check(&[2, 3], &[3, 4], &[2, 4]).is_ok());
        assert!(
            try_check("matmul", json!({"a": [2, 3], "b": [3, 4], "bias": 1}), &[f(&[2, 3]), f(&[3, 4])], &[(DType::F32, vec![2, 4])])
                .is_err()
        );
        assert!(check(&[2, 3], &[4, 3], &[2, 3]).is_err());
        assert!(check(&[2, 3], &[3, 4], &[2, 5]).is_err());
        assert!(check(&[3], &[3, 4], &[4]).is_err());
        assert!(check(&[2, 2, 3], &[3, 3, 4], &[2, 2, 4]).is_err());
        assert!(try_check("matmul", json!({"a": [2, 3], "b": [3, 4]}), &[f(&[2, 4]), f(&[3, 4])], &[(DType::F32, vec![2, 4])]).is_err());
        assert!(
            try_check("matmul_integer", json!({"a": [2, 3], "b": [3, 4]}), &[f(&[2, 3]), f(&[3, 4])], &[(DType::S32, vec![2, 4])]).is_err()
        );
    }
}
