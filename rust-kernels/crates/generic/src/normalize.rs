//! `normalize`: layer, instance, group and RMS normalisation; `batch_norm` and `lp_norm`.

use super::numeric::{Arithmetic, Real, dispatch};
use super::spec::{GenericError, Kernel, Plan, Step, expect_axis, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use super::walk::Walk;
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// Consecutive elements that are normalised together.
    size: usize,
    epsilon: f64,
    /// Whether the mean is subtracted; without it the variance is taken around 0 (RMS).
    centered: bool,
    /// Dims in which scale and bias broadcast to x.
    parameter_dims: Vec<usize>,
}

/// Inputs x, scale?, bias? of one float dtype; outputs y, and optionally f32 mean and 1/σ, one a group.
///
/// y = (x − mean) / √(variance + epsilon) · scale + bias, with the statistics in f64.
pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    let outputs = if step.outputs() == 3 { 3 } else { 1 };
    step.arity(1..=3, outputs)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<Attrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    if attrs.size == 0 || !x.len().is_multiple_of(attrs.size) {
        return Err(format!("groups of {} do not divide dims {:?}", attrs.size, x.dims));
    }
    let groups = x.len() / attrs.size;
    for index in 1..outputs {
        expect_dtype("statistic", step.y(index).dtype, DType::F32)?;
        if step.y(index).len() != groups {
            return Err(format!("a statistic has dims {:?}, expected {groups} elements", step.y(index).dims));
        }
    }
    for parameter in [step.optional(1), step.optional(2)].into_iter().flatten() {
        expect_dtype("parameter", parameter.dtype, x.dtype)?;
        if attrs.parameter_dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim)) != Some(parameter.len()) {
            return Err(format!("a parameter of dims {:?} is not {:?}", parameter.dims, attrs.parameter_dims));
        }
    }
    let walk = Walk::broadcast(&x.dims, [&attrs.parameter_dims])?;
    let cost = x.len().saturating_mul(4);
    dispatch!(real, x.dtype, "input", T => Plan::new(groups, cost, Normalize::<T> { attrs, statistics: outputs == 3, walk, element: PhantomData }))
}

struct Normalize<T> {
    attrs: Attrs,
    statistics: bool,
    walk: Walk<1>,
    element: PhantomData<T>,
}

impl<T: Real> Kernel for Normalize<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (x, scale, bias) = (x.get::<T>(0)?, x.optional::<T>(1)?, x.optional::<T>(2)?);
        let size = self.attrs.size;
        let out = y.take::<T>(0)?;
        let mut statistics = if self.statistics { Some((y.take::<f32>(1)?, y.take::<f32>(2)?)) } else { None };
        for (n, group) in units.enumerate() {
            let at = group * size;
            let values = &x[at..at + size];
            let mean = if self.attrs.centered { sum(values, |x| x) / size as f64 } else { 0.0 };
            let variance = sum(values, |x| (x - mean) * (x - mean)) / size as f64;
            let inverse = 1.0 / (variance + self.attrs.epsilon).sqrt();
            if let Some((means, inverses)) = &mut statistics {
                (means[n], inverses[n]) = (mean as f32, inverse as f32);
            }
            let out = &mut out[n * size..(n + 1) * size];
            self.walk.runs(at..at + size, |run| {
                let out = &mut out[run.at..run.at + run.len];
                let parameter = |of: Option<&[T]>, i: usize, otherwise: f64| {
                    of.map_or(otherwise, |of| of[run.offset[0] + i * run.stride[0] as usize].widen().to_f64())
                };
                for (i, (out, x)) in out.iter_mut().zip(&values[run.at..run.at + run.len]).enumerate() {
                    let normal = (x.widen().to_f64() - mean) * inverse;
                    *out = T::narrow(T::Wide::from_f64(normal * parameter(scale, i, 1.0) + parameter(bias, i, 0.0)));
                }
            });
        }
        Ok(())
    }
}

/// Σ f(x) in f64 over eight interleaved partial sums.
fn sum<T: Real>(values: &[T], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x.widen().to_f64());
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += f(x.widen().to_f64());
    }
    lanes.iter().sum()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchAttrs {
    epsilon: f64,
}

/// Inputs x \[N, C, …\], and scale, bias, mean, variance \[C\], all of one float dtype.
pub(super) fn plan_batch(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(5..=5, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<BatchAttrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    expect_axis(1, x.dims.len())?;
    let (outer, channels, inner) = x.around(1);
    for index in 1..5 {
        expect_dtype("parameter", step.x(index)?.dtype, x.dtype)?;
        expect_dims("parameter", &step.x(index)?.dims, &[channels])?;
    }
    let units = outer * channels;
    dispatch!(real, x.dtype, "input", T => {
        Plan::new(units, x.len(), BatchNorm::<T> { epsilon: attrs.epsilon, channels, inner, element: PhantomData })
    })
}

struct BatchNorm<T> {
    epsilon: f64,
    channels: usize,
    inner: usize,
    element: PhantomData<T>,
}

impl<T: Real> Kernel for BatchNorm<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let parameters = [x.get::<T>(1)?, x.get::<T>(2)?, x.get::<T>(3)?, x.get::<T>(4)?];
        let values = &x.get::<T>(0)?[units.start * self.inner..units.end * self.inner];
        let rows = y.take::<T>(0)?.chunks_exact_mut(self.inner).zip(values.chunks_exact(self.inner));
        for (unit, (y, x)) in units.zip(rows) {
            let [scale, bias, mean, variance] = parameters.map(|parameter| parameter[unit % self.channels].widen().to_f64());
            let factor = scale / (variance + self.epsilon).sqrt();
            for (y, x) in y.iter_mut().zip(x) {
                *y = T::narrow(T::Wide::from_f64((x.widen().to_f64() - mean) * factor + bias));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LpAttrs {
    axis: usize,
    /// 1 or 2.
    p: u32,
}

/// y = x / ‖x‖ along an axis; a lane of zeros stays zero.
pub(super) fn plan_lp(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    let (x, y, attrs) = (step.x(0)?, step.y(0), step.attrs::<LpAttrs>()?);
    expect_dtype("output", y.dtype, x.dtype)?;
    expect_dims("output", &y.dims, &x.dims)?;
    expect_axis(attrs.axis, x.dims.len())?;
    if attrs.p != 1 && attrs.p != 2 {
        return Err(format!("p = {} is not 1 or 2", attrs.p));
    }
    let (outer, length, inner) = x.around(attrs.axis);
    dispatch!(real, x.dtype, "input", T => Plan::new(outer, x.len(), LpNorm::<T> { p: attrs.p, length, inner, element: PhantomData }))
}

struct LpNorm<T> {
    p: u32,
    length: usize,
    inner: usize,
    element: PhantomData<T>,
}

impl<T: Real> Kernel for LpNorm<T> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let block = self.length * self.inner;
        let x = &x.get::<T>(0)?[units.start * block..units.end * block];
        for (y, x) in y.take::<T>(0)?.chunks_exact_mut(block).zip(x.chunks_exact(block)) {
            for lane in 0..self.inner {
                let numbers = (0..self.length).map(|i| x[i * self.inner + lane].widen().to_f64());
                let norm = if self.p == 1 { numbers.map(f64::abs).sum() } else { numbers.map(|x| x * x).sum::<f64>().sqrt() };
                for at in (lane..block).step_by(self.inner) {
                    let quotient = if norm == 0.0 { 0.0 } else { x[at].widen().to_f64() / norm };
                    y[at] = T::narrow(T::Wide::from_f64(quotient));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::testing::{run, spec, try_check, try_run};
    use serde_json::json;

    const X: [f64; 6] = [1.0, 2.0, 6.0, -1.0, 0.0, 4.0];

    fn close(got: &[f64], expected: &[f64]) {
        assert!(got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?} {expected:?}");
    }

    #[test]
    fn normalises_groups() {
        let (scale, bias) = ([2.0, 1.0, 1.0], [0.0, 0.5, 0.0]);
        let attrs = json!({"size": 3, "epsilon": 0.25, "centered": true, "parameter_dims": [3]});
        let y: Vec<f64> = run("normalize", attrs, &[&spec(&[2, 3], &X), &spec(&[3], &scale), &spec(&[3], &bias)], &[2, 3]);
        let deviation = (14.0f64 / 3.0 + 0.25).sqrt();
        close(&y, &[-4.0 / deviation, -1.0 / deviation + 0.5, 3.0 / deviation, -4.0 / deviation, -1.0 / deviation + 0.5, 3.0 / deviation]);
    }

    #[test]
    fn root_mean_square_keeps_the_mean() {
        let attrs = json!({"size": 6, "epsilon": 0.0, "centered": false, "parameter_dims": [2, 1]});
        let scale = [1.0, 10.0];
        let y: Vec<f64> = try_run("normalize", attrs, &[Some(&spec(&[2, 3], &X)), Some(&spec(&[2], &scale)), None], &[2, 3]).unwrap();
        let root = (58.0f64 / 6.0).sqrt();
        close(&y, &[1.0 / root, 2.0 / root, 6.0 / root, -10.0 / root, 0.0, 40.0 / root]);
    }

    #[test]
    fn batch_norm_uses_the_given_statistics() {
        let p = [[1.0, 2.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 2.0], [4.0, 1.0, 0.0]];
        let p: Vec<_> = p.iter().map(|p| spec(&[3], p)).collect();
        let y: Vec<f64> = run("batch_norm", json!({"epsilon": 0.0}), &[&spec(&[2, 3], &X), &p[0], &p[1], &p[2], &p[3]], &[2, 3]);
        close(&y[..2], &[0.0, 3.0]);
        assert_eq!(y[5], f64::INFINITY);
    }

    #[test]
    fn lp_norm_leaves_zeros_alone() {
        let y: Vec<f64> = run("lp_norm", json!({"axis": 0, "p": 1}), &[&spec(&[2, 3], &X)], &[2, 3]);
        close(&y, &[0.5, 1.0, 0.6, -0.5, 0.0, 0.4]);
        let y: Vec<f64> = run("lp_norm", json!({"axis": 1, "p": 2}), &[&spec(&[1, 2], &[0.0, 0.0])], &[1, 2]);
        close(&y, &[0.0, 0.0]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let f = |dims: &[usize]| (DType::F32, dims.to_vec());
        let x = [Some(f(&[2, 3])), Some(f(&[3]))];
        let attrs = |size: usize, dims: &[usize]| json!({"size": size, "epsilon": 0, "centered": true, "parameter_dims": dims});
        assert!(try_check("normalize", attrs(3, &[3]), &x, &[f(&[2, 3])]).is_ok());
        assert!(try_check("normalize", attrs(3, &[3]), &x, &[f(&[2, 3]), f(&[2, 1]), f(&[2, 1])]).is_ok());
        assert!(try_check("normalize", attrs(3, &[3]), &x, &[f(&[2, 3]), f(&[2, 1])]).is_err());
        assert!(try_check("normalize", attrs(0, &[3]), &x, &[f(&[2, 3])]).is_err());
        assert!(try_check("normalize", attrs(4, &[3]), &x, &[f(&[2, 3])]).is_err());
        assert!(try_check("normalize", attrs(3, &[3, 1]), &x, &[f(&[2, 3])]).is_err());
        assert!(try_check("lp_norm", json!({"axis": 0, "p": 3}), &x[..1], &[f(&[2, 3])]).is_err());
        assert!(try_check("batch_norm", json!({"epsilon": 0}), &[x[0].clone(), None, None, None, None], &[f(&[2, 3])]).is_err());
    }
}
