//! `cast`: the number of each element in another dtype.
//!
//! Between floats: to nearest even. Float to integer: towards zero; what does not fit saturates and NaN gives 0 (ONNX leaves both
//! open). Between integers: the low bits. To bool: whether it differs from zero.

use super::element::{Bf16, Bool, Element, F16};
use super::numeric::dispatch;
use super::spec::{GenericError, Kernel, Plan, Step, expect_dims};
use super::tensor::{Inputs, Outputs};
use crate::DType;
use serde::Deserialize;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoAttrs {}

macro_rules! writer {
    ($dtype:expr, $wide:ty) => {
        match $dtype {
            DType::Bool => Ok(write::<Bool, $wide> as Write<$wide>),
            dtype => dispatch!(numeric, dtype, "output", T => Ok(write::<T, $wide> as Write<$wide>)),
        }
    };
}

/// Every dtype widens exactly to one of two types, f64 or i128, and is narrowed from either: 13 + 2 · 13 loops instead of 13 · 13.
pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    step.attrs::<NoAttrs>()?;
    let (x, y) = (step.x(0)?, step.y(0));
    expect_dims("output", &y.dims, &x.dims)?;
    let size = y.len();
    let from_real: Result<Write<f64>, String> = writer!(y.dtype, f64);
    let from_integer: Result<Write<i128>, String> = writer!(y.dtype, i128);
    match x.dtype {
        DType::F32 | DType::F64 | DType::F16 | DType::Bf16 => dispatch!(real, x.dtype, "input", T => {
            Plan::new(size, size, Cast { read: read::<T, f64>, write: from_real? })
        }),
        DType::Bool => Plan::new(size, size, Cast { read: read::<Bool, i128>, write: from_integer? }),
        dtype => dispatch!(integer, dtype, "input", T => {
            Plan::new(size, size, Cast { read: read::<T, i128>, write: from_integer? })
        }),
    }
}

/// Elements that pass through the intermediate buffer at once.
const CHUNK: usize = 128;

/// Widens the elements from a position on into the buffer.
type Read<M> = fn(&Inputs<'_>, usize, &mut [M]) -> Result<(), GenericError>;
/// Fills the buffer with the numbers from a position on.
type Fill<'a, M> = &'a mut dyn FnMut(usize, &mut [M]) -> Result<(), GenericError>;
/// Narrows all that `fill` gives into the output.
type Write<M> = fn(&mut Outputs<'_>, Fill<'_, M>) -> Result<(), GenericError>;

struct Cast<M> {
    read: Read<M>,
    write: Write<M>,
}

impl<M: 'static> Kernel for Cast<M> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        (self.write)(y, &mut |at, buffer| (self.read)(x, units.start + at, buffer))
    }
}

fn read<X: Element + Into<Exact<M>>, M: Copy>(x: &Inputs<'_>, at: usize, buffer: &mut [M]) -> Result<(), GenericError> {
    for (wide, &x) in buffer.iter_mut().zip(&x.get::<X>(0)?[at..]) {
        *wide = x.into().0;
    }
    Ok(())
}

fn write<Y: Element + From<Exact<M>>, M: Copy + Default>(y: &mut Outputs<'_>, fill: Fill<'_, M>) -> Result<(), GenericError> {
    let mut buffer = [M::default(); CHUNK];
    for (n, y) in y.take::<Y>(0)?.chunks_mut(CHUNK).enumerate() {
        let buffer = &mut buffer[..y.len()];
        fill(n * CHUNK, buffer)?;
        for (y, &wide) in y.iter_mut().zip(&*buffer) {
            *y = Exact(wide).into();
        }
    }
    Ok(())
}

/// A number in an intermediate type that holds it exactly.
struct Exact<M>(M);

macro_rules! exact {
    ($($type:ty => $wide:ty, $to:expr;)*) => {$(
        impl From<$type> for Exact<$wide> {
            #[inline]
            fn from(x: $type) -> Self { Self($to(x)) }
        }
    )*};
}

exact! {
    f32 => f64, f64::from;
    f64 => f64, |x| x;
    F16 => f64, |x: F16| x.to_f32() as f64;
    Bf16 => f64, |x: Bf16| x.to_f32() as f64;
    Bool => i128, |x: Bool| x.is_true() as i128;
    u8 => i128, i128::from;
    i8 => i128, i128::from;
    u16 => i128, i128::from;
    i16 => i128, i128::from;
    u32 => i128, i128::from;
    i32 => i128, i128::from;
    u64 => i128, i128::from;
    i64 => i128, i128::from;
}

macro_rules! narrow {
    ($($type:ident),*) => {$(
        impl From<Exact<f64>> for $type {
            #[inline]
            fn from(x: Exact<f64>) -> Self { x.0 as $type }
        }
        impl From<Exact<i128>> for $type {
            #[inline]
            fn from(x: Exact<i128>) -> Self { x.0 as $type }
        }
    )*};
}

narrow!(f32, f64, u8, i8, u16, i16, u32, i32, u64, i64);

macro_rules! narrow_half {
    ($($type:ident),*) => {$(
        impl From<Exact<f64>> for $type {
            #[inline]
            fn from(x: Exact<f64>) -> Self { Self::from_f64(x.0) }
        }
        impl From<Exact<i128>> for $type {
            // Only integers of more than 53 bits are rounded on the way to f64, far below the last place that is kept.
            #[inline]
            fn from(x: Exact<i128>) -> Self { Self::from_f64(x.0 as f64) }
        }
    )*};
}

narrow_half!(F16, Bf16);

impl From<Exact<f64>> for Bool {
    #[inline]
    fn from(x: Exact<f64>) -> Self {
        (x.0 != 0.0).into()
    }
}

impl From<Exact<i128>> for Bool {
    #[inline]
    fn from(x: Exact<i128>) -> Self {
        (x.0 != 0).into()
    }
}

#[cfg(test)]
mod tests {
    use crate::element::{Bf16, Bool, Element, F16};
    use crate::testing::{run, spec};
    use serde_json::json;

    fn cast<X: Element, Y: Element>(x: &[X]) -> Vec<Y> {
        run("cast", json!({}), &[&spec(&[x.len()], x)], &[x.len()])
    }

    #[test]
    fn floats_become_integers_towards_zero_and_saturate() {
        assert_eq!(cast::<f32, i8>(&[1.9, -1.9, 200.0, -200.0, f32::NAN, f32::INFINITY]), [1, -1, 127, -128, 0, 127]);
        assert_eq!(cast::<f64, u8>(&[-1.0, 255.9, 256.0]), [0, 255, 255]);
        assert_eq!(cast::<F16, i64>(&[F16::from_f32(-2.5)]), [-2]);
    }

    #[test]
    fn integers_keep_their_low_bits() {
        assert_eq!(cast::<i32, u8>(&[256, -1, 257]), [0, 255, 1]);
        assert_eq!(cast::<i64, i32>(&[1 << 40, -1]), [0, -1]);
        assert_eq!(cast::<u64, f32>(&[u64::MAX]), [u64::MAX as f32]);
        assert_eq!(cast::<i32, F16>(&[2049, 70_000]), [F16::from_f32(2048.0), F16(0x7c00)]);
    }

    #[test]
    fn truth_is_being_different_from_zero() {
        assert_eq!(cast::<f32, Bool>(&[0.0, -0.0, 0.1, f32::NAN]), [Bool(0), Bool(0), Bool(1), Bool(1)]);
        assert_eq!(cast::<F16, Bool>(&[F16(0x8000), F16(1)]), [Bool(0), Bool(1)]);
        assert_eq!(cast::<Bool, f64>(&[Bool(0), Bool(9)]), [0.0, 1.0]);
        assert_eq!(cast::<Bool, Bool>(&[Bool(9)]), [Bool(1)]);
        assert_eq!(cast::<Bool, Bf16>(&[Bool(9)]), [Bf16::from_f32(1.0)]);
    }

    #[test]
    fn floats_round_to_nearest_even() {
        assert_eq!(cast::<f32, F16>(&[1.0 + 1.0 / 2048.0, 1e9]), [F16(0x3c00), F16(0x7c00)]);
        assert_eq!(cast::<f64, f32>(&[1.0 + 2f64.powi(-24)]), [1.0]);
        assert_eq!(cast::<F16, Bf16>(&[F16::from_f32(1.5)]), [Bf16::from_f32(1.5)]);
    }
}
