//! `cast`: the number of each element in another dtype.
//!
//! Between floats: to nearest even. Float to integer: towards zero; what does not fit saturates and NaN gives 0 (ONNX leaves both
//! open). Between integers: the low bits. To bool: whether it differs from zero.

use super::element::{Bf16, Bool, Element, F16};
use super::numeric::unsupported;
use super::spec::{GenericError, Kernel, Plan, Step, expect_dims};
use super::tensor::{Inputs, Outputs};
use crate::program::DType;
use serde::Deserialize;
use std::marker::PhantomData;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoAttrs {}

pub(super) fn plan(step: &Step<'_>) -> Result<Plan, String> {
    step.arity(1..=1, 1)?;
    step.attrs::<NoAttrs>()?;
    let (x, y) = (step.x(0)?, step.y(0));
    expect_dims("output", &y.dims, &x.dims)?;
    let size = y.len();
    macro_rules! from {
        ($($name:ident => $type:ty),*) => {
            match x.dtype { $(DType::$name => to::<$type>(y.dtype, size),)* }
        };
    }
    from!(F32 => f32, F64 => f64, F16 => F16, Bf16 => Bf16, Bool => Bool, U8 => u8, S8 => i8, U16 => u16, S16 => i16, U32 => u32,
        S32 => i32, U64 => u64, S64 => i64)
}

fn to<X: CastTo + Element>(dtype: DType, size: usize) -> Result<Plan, String> {
    fn cast<X: Element, Y: Element>(size: usize, f: fn(X) -> Y) -> Result<Plan, String> {
        Plan::new(size, size, Cast { f, types: PhantomData })
    }
    match dtype {
        DType::F32 => cast(size, X::f32),
        DType::F64 => cast(size, X::f64),
        DType::F16 => cast(size, X::f16),
        DType::Bf16 => cast(size, X::bf16),
        DType::Bool => cast(size, X::bool),
        DType::U8 => cast(size, X::u8),
        DType::S8 => cast(size, X::i8),
        DType::U16 => cast(size, X::u16),
        DType::S16 => cast(size, X::i16),
        DType::U32 => cast(size, X::u32),
        DType::S32 => cast(size, X::i32),
        DType::U64 => cast(size, X::u64),
        DType::S64 => cast(size, X::i64),
        #[allow(unreachable_patterns)]
        other => Err(unsupported("output", other)),
    }
}

/// One method a destination.
trait CastTo: Sized {
    fn f32(self) -> f32;
    fn f64(self) -> f64;
    fn f16(self) -> F16;
    fn bf16(self) -> Bf16;
    fn bool(self) -> Bool;
    fn u8(self) -> u8;
    fn i8(self) -> i8;
    fn u16(self) -> u16;
    fn i16(self) -> i16;
    fn u32(self) -> u32;
    fn i32(self) -> i32;
    fn u64(self) -> u64;
    fn i64(self) -> i64;
}

macro_rules! to_integers {
    ($value:expr; $($type:ident),*) => { $(#[inline] fn $type(self) -> $type { $value(self) as $type })* };
}

macro_rules! cast_from {
    ($($type:ty, $zero:expr, $value:expr, $f16:expr, $bf16:expr;)*) => {$(
        impl CastTo for $type {
            to_integers!($value; f32, f64, u8, i8, u16, i16, u32, i32, u64, i64);
            #[inline]
            fn f16(self) -> F16 { $f16(self) }
            #[inline]
            fn bf16(self) -> Bf16 { $bf16(self) }
            #[inline]
            fn bool(self) -> Bool { ($value(self) != $zero).into() }
        }
    )*};
}

/// Integers reach the 16-bit formats through f64: only 64-bit ones round on the way, 40 bits below the last place that is kept.
macro_rules! cast_from_integers {
    ($($type:ty),*) => { cast_from! { $($type, 0, |x| x, |x| F16::from_f64(x as f64), |x| Bf16::from_f64(x as f64);)* } };
}

cast_from_integers!(u8, i8, u16, i16, u32, i32, u64, i64);
cast_from! {
    f32, 0.0, |x| x, F16::from_f32, Bf16::from_f32;
    f64, 0.0, |x| x, F16::from_f64, Bf16::from_f64;
    F16, 0.0, |x: F16| x.to_f32(), |x| x, |x: F16| Bf16::from_f32(x.to_f32());
    Bf16, 0.0, |x: Bf16| x.to_f32(), |x: Bf16| F16::from_f32(x.to_f32()), |x| x;
    Bool, 0u8, |x: Bool| x.is_true() as u8, |x: Bool| F16::from_f32(x.is_true() as u8 as f32), |x: Bool| Bf16::from_f32(x.is_true() as u8 as f32);
}

struct Cast<X, Y> {
    f: fn(X) -> Y,
    types: PhantomData<(X, Y)>,
}

impl<X: Element, Y: Element> Kernel for Cast<X, Y> {
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError> {
        for (y, &x) in y.take::<Y>(0)?.iter_mut().zip(&x.get::<X>(0)?[units]) {
            *y = (self.f)(x);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::generic::element::{Bf16, Bool, Element, F16};
    use crate::generic::testing::{run, spec};
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
