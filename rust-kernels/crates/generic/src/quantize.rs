//! `quantize`, `dequantize`, `dynamic_quantize`: affine integer codes, real = (code − zero) · scale.

use super::numeric::{Arithmetic, Numeric, Real, dispatch, unsupported};
use super::spec::{GenericError, Kernel, Plan, Step, TensorSpec, expect_axis, expect_dims, expect_dtype};
use super::tensor::{Inputs, Outputs};
use crate::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// The axis along which the scale changes; absent: one scale for all.
    axis: Option<usize>,
    /// Elements of that axis that share a scale.
    #[serde(default = "one")]
    block: usize,
}

fn one() -> usize {
    1
}

/// Which scale belongs to which element: units are rows of `inner` elements.
struct Scales {
    units: usize,
    length: usize,
    inner: usize,
    block: usize,
    /// How far each of outer position, block and inner position moves in the scales.
    stride: [usize; 3],
}

impl Scales {
    fn new(x: &TensorSpec, scale: &TensorSpec, zero: Option<&TensorSpec>, attrs: &Attrs) -> Result<Self, String> {
        if let Some(zero) = zero
            && zero.len() != scale.len()
        {
            return Err(format!("zero points of dims {:?} for scales of dims {:?}", zero.dims, scale.dims));
        }
        let Some(axis) = attrs.axis else {
            if scale.len() != 1 {
                return Err(format!("scale has dims {:?}, expected one element", scale.dims));
            }
            // Units of a row keep large tensors divisible.
            let inner = x.dims.last().copied().unwrap_or(1).max(1);
            return Ok(Self { units: x.len() / inner, length: 1, inner, block: 1, stride: [0; 3] });
        };
        expect_axis(axis, x.dims.len())?;
        let (outer, length, inner) = x.around(axis);
        let (units, block) = (outer * length, attrs.block);
        if block == 0 {
            return Err("block is 0".into());
        }
        if scale.dims.len() == 1 && block == 1 {
            expect_dims("scale", &scale.dims, &[length])?;
            return Ok(Self { units, length, inner, block, stride: [0, 1, 0] });
        }
        let blocks = length.div_ceil(block);
        let mut expected = x.dims.clone();
        expected[axis] = blocks;
        expect_dims("scale", &scale.dims, &expected)?;
        Ok(Self { units, length, inner, block, stride: [blocks * inner, inner, 1] })
    }

    /// Where the scale of a row starts, and how far it moves per element.
    fn of(&self, unit: usize) -> (usize, usize) {
        let [outer, block, inner] = self.stride;
        (unit / self.length * outer + unit % self.length / self.block * block, inner)
    }
}

/// Inputs x, scale, zero?; y = saturate(round_ties_even(x / scale) + zero). NaN gives the zero point.
pub(super) fn plan_quantize(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=3, 1)?;
    let (x, scale, zero, y) = (step.x(0)?, step.x(1)?, step.optional(2), step.y(0));
    expect_dims("output", &y.dims, &x.dims)?;
    expect_dtype("scale", scale.dtype, x.dtype)?;
    if let Some(zero) = zero {
        expect_dtype("zero point", zero.dtype, y.dtype)?;
    }
    let scales = Scales::new(x, scale, zero, &step.attrs::<Attrs>()?)?;
    let cost = x.len().saturating_mul(2);
    dispatch!(code, y.dtype, "output", Q => dispatch!(real, x.dtype, "input", T => {
        Plan::new(scales.units, cost, Quantize::<T, Q> { scales, types: PhantomData })
    }))
}

struct Quantize<T, Q> {
    scales: Scales,
    types: PhantomData<(T, Q)>,
}

/// The one rounding of codes.
#[inline]
fn code<Q: Arithmetic>(quotient: f64, zero: f64) -> Q {
    // The conversion to an integer saturates and maps NaN to 0.
    if quotient.is_nan() { Q::from_f64(zero) } else { Q::from_f64(quotient.round_ties_even() + zero) }
}

impl<T: Real, Q: Numeric<Wide = Q> + Arithmetic> Kernel for Quantize<T, Q> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (scale, zero) = (x.get::<T>(1)?, x.optional::<Q>(2)?);
        let inner = self.scales.inner;
        let x = &x.get::<T>(0)?[units.start * inner..units.end * inner];
        let rows = y.take::<Q>(0)?.chunks_exact_mut(inner).zip(x.chunks_exact(inner));
        for (unit, (y, x)) in units.zip(rows) {
            let (start, stride) = self.scales.of(unit);
            for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
                let at = start + i * stride;
                // The quotient is rounded to the input's precision, as the definition has it.
                let quotient = x.widen().div(scale[at].widen()).to_f64();
                *y = code(quotient, zero.map_or(0.0, |zero| zero[at].to_f64()));
            }
        }
        Ok(())
    }
}

/// Inputs q, scale, zero?; y = (q − zero) · scale in the dtype of scale.
pub(super) fn plan_dequantize(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(2..=3, 1)?;
    let (x, scale, zero, y) = (step.x(0)?, step.x(1)?, step.optional(2), step.y(0));
    expect_dims("output", &y.dims, &x.dims)?;
    expect_dtype("output", y.dtype, scale.dtype)?;
    if let Some(zero) = zero {
        expect_dtype("zero point", zero.dtype, x.dtype)?;
    }
    let scales = Scales::new(x, scale, zero, &step.attrs::<Attrs>()?)?;
    dispatch!(real, y.dtype, "output", T => match x.dtype {
        DType::U8 => dequantize::<T, u8>(scales, x.len()),
        DType::S8 => dequantize::<T, i8>(scales, x.len()),
        DType::U16 => dequantize::<T, u16>(scales, x.len()),
        DType::S16 => dequantize::<T, i16>(scales, x.len()),
        DType::S32 => dequantize::<T, i32>(scales, x.len()),
        other => Err(unsupported("input", other)),
    })
}

fn dequantize<T: Real, Q: Numeric<Wide = Q> + Arithmetic>(scales: Scales, size: usize) -> Result<Plan, String> {
    Plan::new(scales.units, size, Dequantize::<T, Q> { scales, types: PhantomData })
}

struct Dequantize<T, Q> {
    scales: Scales,
    types: PhantomData<(T, Q)>,
}

impl<T: Real, Q: Numeric<Wide = Q> + Arithmetic> Kernel for Dequantize<T, Q> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let (scale, zero) = (x.get::<T>(1)?, x.optional::<Q>(2)?);
        let inner = self.scales.inner;
        let x = &x.get::<Q>(0)?[units.start * inner..units.end * inner];
        let rows = y.take::<T>(0)?.chunks_exact_mut(inner).zip(x.chunks_exact(inner));
        for (unit, (y, x)) in units.zip(rows) {
            let (start, stride) = self.scales.of(unit);
            for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
                let at = start + i * stride;
                let difference = x.to_f64() - zero.map_or(0.0, |zero| zero[at].to_f64());
                *y = T::narrow(T::Wide::from_f64(difference).mul(scale[at].widen()));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoAttrs {}

/// Input x f32; outputs y u8, scale f32, zero u8 with the range of x, extended to contain 0, spread over 0..=255.
pub(super) fn plan_dynamic(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 3)?;
    step.attrs::<NoAttrs>()?;
    let (x, y, scale, zero) = (step.x(0)?, step.y(0), step.y(1), step.y(2));
    expect_dtype("input", x.dtype, DType::F32)?;
    expect_dims("output", &y.dims, &x.dims)?;
    for (spec, dtype) in [(y, DType::U8), (scale, DType::F32), (zero, DType::U8)] {
        expect_dtype("output", spec.dtype, dtype)?;
    }
    expect_dims("scale", &scale.dims, &[])?;
    expect_dims("zero point", &zero.dims, &[])?;
    Plan::new(1, x.len().saturating_mul(2), DynamicQuantize)
}

struct DynamicQuantize;

impl Kernel for DynamicQuantize {
    fn run(&self, _: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        let x = x.get::<f32>(0)?;
        let (y, scale, zero) = (y.take::<u8>(0)?, y.take::<f32>(1)?, y.take::<u8>(2)?);
        // `f32::min` and `max` pass over NaN.
        let (low, high) = x.iter().fold((0f32, 0f32), |(low, high), &x| (low.min(x), high.max(x)));
        // A tensor of zeros has no range; any scale keeps it exact.
        scale[0] = if high > low { (high - low) / 255.0 } else { 1.0 };
        zero[0] = code::<u8>((-low / scale[0]) as f64, 0.0);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = code((x / scale[0]) as f64, zero[0] as f64);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::element::F16;
    use crate::testing::{run, spec, try_check, try_run};
    use serde_json::json;

    #[test]
    fn rounds_ties_to_even_and_saturates() {
        let x = [0.0f32, 1.0, 3.0, 5.0, 1000.0, -1000.0, f32::NAN, -3.0];
        let (scale, zero) = ([2.0f32], [128u8]);
        let y: Vec<u8> = run("quantize", json!({}), &[&spec(&[8], &x), &spec(&[], &scale), &spec(&[], &zero)], &[8]);
        assert_eq!(y, [128, 128, 130, 130, 255, 0, 128, 126]);
        let y: Vec<i8> = run("quantize", json!({}), &[&spec(&[8], &x), &spec(&[1], &scale)], &[8]);
        assert_eq!(y, [0, 0, 2, 2, 127, -128, 0, -2]);
    }

    #[test]
    fn scales_by_axis_and_by_block() {
        let x = [2.0f32, 4.0, 6.0, 8.0, 10.0, 12.0];
        let per_row = [1.0f32, 2.0];
        let y: Vec<i8> = run("quantize", json!({"axis": 0}), &[&spec(&[2, 3], &x), &spec(&[2], &per_row)], &[2, 3]);
        assert_eq!(y, [2, 4, 6, 4, 5, 6]);
        let (blocks, zeros) = ([1.0f32, 2.0, 4.0, 1.0], [0i8, 1, 0, 2]);
        let y: Vec<i8> = run(
            "quantize",
            json!({"axis": 1, "block": 2}),
            &[&spec(&[2, 3], &x), &spec(&[2, 2], &blocks), &spec(&[2, 2], &zeros)],
            &[2, 3],
        );
        assert_eq!(y, [2, 4, 4, 2, 2, 14]);
    }

    #[test]
    fn dequantizes() {
        let (q, scale, zero) = ([0u8, 128, 255], [0.5f32], [128u8]);
        let y: Vec<f32> = run("dequantize", json!({}), &[&spec(&[3], &q), &spec(&[], &scale), &spec(&[], &zero)], &[3]);
        assert_eq!(y, [-64.0, 0.0, 63.5]);
        let scale = [F16::from_f32(0.5)];
        let y: Vec<F16> =
            try_run("dequantize", json!({}), &[Some(&spec(&[2], &[7i32, -2])), Some(&spec(&[], &scale)), None], &[2]).unwrap();
        assert_eq!(y, [F16::from_f32(3.5), F16::from_f32(-1.0)]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let t = |dtype, dims: &[usize]| Some((dtype, dims.to_vec()));
        let y = [(DType::U8, vec![2, 3])];
        let x = t(DType::F32, &[2, 3]);
        assert!(try_check("quantize", json!({}), &[x.clone(), t(DType::F32, &[2])], &y).is_err());
        assert!(try_check("quantize", json!({"axis": 1}), &[x.clone(), t(DType::F32, &[2])], &y).is_err());
        assert!(try_check("quantize", json!({"axis": 2}), &[x.clone(), t(DType::F32, &[3])], &y).is_err());
        assert!(try_check("quantize", json!({"axis": 1, "block": 0}), &[x.clone(), t(DType::F32, &[2, 3])], &y).is_err());
        assert!(try_check("quantize", json!({}), &[x.clone(), t(DType::F32, &[]), t(DType::S8, &[])], &y).is_err());
        assert!(try_check("dequantize", json!({}), &[x, t(DType::F32, &[])], &y).is_err());
    }
}
