//! Arithmetic over element types: what they widen to, and how one dtype selects the code for its type.

use super::element::{Bf16, Element, F16};
use crate::DType;

/// A type that computations are done in: f32, f64 and every integer (wrapping).
pub trait Arithmetic: Copy + PartialOrd + Send + Sync + 'static {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Smaller than or equal to every other number: −∞ or the least integer.
    const LOWEST: Self;
    /// Larger than or equal to every other number.
    const HIGHEST: Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// Integers: towards zero, and 0 when the divisor is 0.
    fn div(self, other: Self) -> Self;
    /// Remainder with the sign of the dividend; integers: 0 when the divisor is 0.
    fn rem(self, other: Self) -> Self;
    /// Remainder with the sign of the divisor; integers: 0 when the divisor is 0.
    fn modulo(self, other: Self) -> Self;
    /// Integers: wrapping; a negative exponent gives the quotient towards zero.
    fn pow(self, exponent: Self) -> Self;
    fn neg(self) -> Self;
    fn abs(self) -> Self;
    /// −1, 0 or 1; NaN stays NaN.
    fn sign(self) -> Self;
    fn is_nan(self) -> bool;
    /// The larger; NaN when either is NaN.
    #[inline]
    fn larger(self, other: Self) -> Self {
        if self > other || self.is_nan() { self } else { other }
    }
    /// The smaller; NaN when either is NaN.
    #[inline]
    fn smaller(self, other: Self) -> Self {
        if self < other || self.is_nan() { self } else { other }
    }
    /// Nearest (floats) or towards zero and saturating (integers; NaN gives 0).
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
}

macro_rules! float_arithmetic {
    ($($type:ident),*) => {$(
        impl Arithmetic for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = $type::NEG_INFINITY;
            const HIGHEST: Self = $type::INFINITY;
            #[inline]
            fn add(self, other: Self) -> Self { self + other }
            #[inline]
            fn sub(self, other: Self) -> Self { self - other }
            #[inline]
            fn mul(self, other: Self) -> Self { self * other }
            #[inline]
            fn div(self, other: Self) -> Self { self / other }
            #[inline]
            fn rem(self, other: Self) -> Self { self % other }
            #[inline]
            fn modulo(self, other: Self) -> Self {
                let rest = self % other;
                if rest != 0.0 && (rest < 0.0) != (other < 0.0) { rest + other } else { rest }
            }
            #[inline]
            fn pow(self, exponent: Self) -> Self { self.powf(exponent) }
            #[inline]
            fn neg(self) -> Self { -self }
            #[inline]
            fn abs(self) -> Self { $type::abs(self) }
            #[inline]
            fn sign(self) -> Self {
                if self > 0.0 { 1.0 } else if self < 0.0 { -1.0 } else { self }
            }
            #[inline]
            fn is_nan(self) -> bool { $type::is_nan(self) }
            #[inline]
            fn from_f64(value: f64) -> Self { value as $type }
            #[inline]
            fn to_f64(self) -> f64 { self as f64 }
        }
    )*};
}

macro_rules! integer_arithmetic {
    ($($type:ident: $negate:expr, $abs:expr, $sign:expr;)*) => {$(
        impl Arithmetic for $type {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LOWEST: Self = $type::MIN;
            const HIGHEST: Self = $type::MAX;
            #[inline]
            fn add(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline]
            fn sub(self, other: Self) -> Self { self.wrapping_sub(other) }
            #[inline]
            fn mul(self, other: Self) -> Self { self.wrapping_mul(other) }
            #[inline]
            fn div(self, other: Self) -> Self { if other == 0 { 0 } else { self.wrapping_div(other) } }
            #[inline]
            fn rem(self, other: Self) -> Self { if other == 0 { 0 } else { self.wrapping_rem(other) } }
            #[inline]
            #[allow(unused_comparisons)]
            fn modulo(self, other: Self) -> Self {
                let rest = self.rem(other);
                if rest != 0 && (rest < 0) != (other < 0) { rest.wrapping_add(other) } else { rest }
            }
            #[allow(unused_comparisons)]
            fn pow(self, exponent: Self) -> Self {
                if exponent < 0 {
                    let odd = exponent & 1 == 1;
                    return if self == 1 || self.wrapping_add(1) == 0 && !odd { 1 } else if self.wrapping_add(1) == 0 { self } else { 0 };
                }
                let (mut base, mut exponent, mut result) = (self, exponent, 1 as $type);
                while exponent > 0 {
                    if exponent & 1 == 1 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    exponent >>= 1;
                }
                result
            }
            #[inline]
            fn neg(self) -> Self { $negate(self) }
            #[inline]
            fn abs(self) -> Self { $abs(self) }
            #[inline]
            fn sign(self) -> Self { $sign(self) }
            #[inline]
            fn is_nan(self) -> bool { false }
            #[inline]
            fn from_f64(value: f64) -> Self { value as $type }
            #[inline]
            fn to_f64(self) -> f64 { self as f64 }
        }
    )*};
}

float_arithmetic!(f32, f64);
integer_arithmetic! {
    i8: i8::wrapping_neg, i8::wrapping_abs, i8::signum;
    i16: i16::wrapping_neg, i16::wrapping_abs, i16::signum;
    i32: i32::wrapping_neg, i32::wrapping_abs, i32::signum;
    i64: i64::wrapping_neg, i64::wrapping_abs, i64::signum;
    u8: u8::wrapping_neg, |x| x, |x: u8| x.min(1);
    u16: u16::wrapping_neg, |x| x, |x: u16| x.min(1);
    u32: u32::wrapping_neg, |x| x, |x: u32| x.min(1);
    u64: u64::wrapping_neg, |x| x, |x: u64| x.min(1);
}

/// An element that stands for a number.
pub trait Numeric: Element {
    /// What it is computed in: f32 for the 16-bit floats, itself otherwise.
    type Wide: Arithmetic;
    fn widen(self) -> Self::Wide;
    /// Rounds to nearest even where `Wide` is wider.
    fn narrow(wide: Self::Wide) -> Self;
}

macro_rules! own_width {
    ($($type:ident),*) => {$(
        impl Numeric for $type {
            type Wide = Self;
            #[inline]
            fn widen(self) -> Self { self }
            #[inline]
            fn narrow(wide: Self) -> Self { wide }
        }
    )*};
}

own_width!(f32, f64, u8, i8, u16, i16, u32, i32, u64, i64);

macro_rules! through_f32 {
    ($($type:ident),*) => {$(
        impl Numeric for $type {
            type Wide = f32;
            #[inline]
            fn widen(self) -> f32 { self.to_f32() }
            #[inline]
            fn narrow(wide: f32) -> Self { Self::from_f32(wide) }
        }
    )*};
}

through_f32!(F16, Bf16);

/// An element whose wide type is a float. Sums are accumulated in f64 through `to_f64`.
pub trait Real: Numeric<Wide: Float> {}
impl Real for f32 {}
impl Real for f64 {}
impl Real for F16 {}
impl Real for Bf16 {}

/// The functions of f32 and f64 that operators use.
pub trait Float: Arithmetic {
    fn sqrt(self) -> Self;
    fn exp(self) -> Self;
    fn exp_m1(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn tan(self) -> Self;
    fn asin(self) -> Self;
    fn acos(self) -> Self;
    fn atan(self) -> Self;
    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn tanh(self) -> Self;
    fn asinh(self) -> Self;
    fn acosh(self) -> Self;
    fn atanh(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn round_ties_even(self) -> Self;
    fn is_infinite(self) -> bool;
    /// The error function, exact to about 1 ULP (f32) or 2e-16 (f64).
    fn erf(self) -> Self;
}

macro_rules! float_functions {
    ($type:ident: $($name:ident),*) => {
        impl Float for $type {
            $(#[inline] fn $name(self) -> Self { $type::$name(self) })*
            #[inline]
            fn is_infinite(self) -> bool { $type::is_infinite(self) }
            #[inline]
            fn erf(self) -> Self { super::erf::erf(self as f64) as $type }
        }
    };
}

float_functions!(f32: sqrt, exp, exp_m1, ln, ln_1p, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, floor, ceil, round_ties_even);
float_functions!(f64: sqrt, exp, exp_m1, ln, ln_1p, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, floor, ceil, round_ties_even);

/// The error for a dtype that an operator has no code for.
pub(super) fn unsupported(what: &str, dtype: DType) -> String {
    format!("{what} cannot be {dtype:?}")
}

/// Evaluates `$body` with `$T` bound to the type of `$dtype`, which must be in the named class.
macro_rules! dispatch {
    (@arms $dtype:expr, $T:ident, $body:expr, $what:expr; $($name:ident => $type:ty),*) => {
        match $dtype {
            $(crate::DType::$name => { type $T = $type; $body })*
            #[allow(unreachable_patterns)]
            other => Err(crate::numeric::unsupported($what, other)),
        }
    };
    (real, $dtype:expr, $what:expr, $T:ident => $body:expr) => {
        dispatch!(@arms $dtype, $T, $body, $what; F32 => f32, F64 => f64, F16 => crate::element::F16, Bf16 => crate::element::Bf16)
    };
    (integer, $dtype:expr, $what:expr, $T:ident => $body:expr) => {
        dispatch!(@arms $dtype, $T, $body, $what; U8 => u8, S8 => i8, U16 => u16, S16 => i16, U32 => u32, S32 => i32, U64 => u64, S64 => i64)
    };
    (index, $dtype:expr, $what:expr, $T:ident => $body:expr) => {
        dispatch!(@arms $dtype, $T, $body, $what; S32 => i32, S64 => i64)
    };
    (code, $dtype:expr, $what:expr, $T:ident => $body:expr) => {
        dispatch!(@arms $dtype, $T, $body, $what; U8 => u8, S8 => i8, U16 => u16, S16 => i16)
    };
    (byte, $dtype:expr, $what:expr, $T:ident => $body:expr) => {
        dispatch!(@arms $dtype, $T, $body, $what; U8 => u8, S8 => i8)
    };
    (numeric, $dtype:expr, $what:expr, $T:ident => $body:expr) => {
        dispatch!(@arms $dtype, $T, $body, $what;
            F32 => f32, F64 => f64, F16 => crate::element::F16, Bf16 => crate::element::Bf16,
            U8 => u8, S8 => i8, U16 => u16, S16 => i16, U32 => u32, S32 => i32, U64 => u64, S64 => i64)
    };
    // Kernels that only move elements need one type a width.
    (width, $dtype:expr, $T:ident => $body:expr) => {
        match crate::element::size_of($dtype) {
            1 => { type $T = u8; $body }
            2 => { type $T = u16; $body }
            4 => { type $T = u32; $body }
            _ => { type $T = u64; $body }
        }
    };
}
pub(super) use dispatch;
