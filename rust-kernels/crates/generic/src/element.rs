//! Element types as Rust types.

use crate::DType;

mod sealed {
    pub trait Sealed {}
}

/// A type that a tensor of one dtype consists of. Every bit pattern is valid for it.
pub trait Element: sealed::Sealed + Copy + Default + PartialEq + Send + Sync + std::fmt::Debug + 'static {
    /// The dtype.
    const DTYPE: DType;
}

/// IEEE binary16, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct F16(pub u16);

/// The upper half of an f32, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

/// A truth value: 0 is false, every other byte is true; operators write 0 or 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bool(pub u8);

impl Bool {
    /// As a Rust bool.
    #[inline]
    pub fn is_true(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Bool {
    #[inline]
    fn from(value: bool) -> Self {
        Self(value as u8)
    }
}

macro_rules! elements {
    ($($type:ty => $dtype:ident),* $(,)?) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
        }
    )*};
}

elements! {
    f32 => F32, f64 => F64, F16 => F16, Bf16 => Bf16, Bool => Bool,
    u8 => U8, i8 => S8, u16 => U16, i16 => S16, u32 => U32, i32 => S32, u64 => U64, i64 => S64,
}

/// Bytes of one element.
pub const fn size_of(dtype: DType) -> usize {
    match dtype {
        DType::U8 | DType::S8 | DType::Bool => 1,
        DType::F16 | DType::Bf16 | DType::U16 | DType::S16 => 2,
        DType::F32 | DType::U32 | DType::S32 => 4,
        DType::F64 | DType::U64 | DType::S64 => 8,
    }
}

impl F16 {
    /// Exactly the same number.
    #[inline]
    pub fn to_f32(self) -> f32 {
        let sign = ((self.0 & 0x8000) as u32) << 16;
        let magnitude = (self.0 & 0x7fff) as u32;
        if magnitude >= 0x7c00 {
            return f32::from_bits(sign | 0x7f80_0000 | ((magnitude & 0x3ff) << 13));
        }
        // Shifting the bits in place leaves the exponent 112 too small; the product repairs it, for subnormals too.
        f32::from_bits(sign | (magnitude << 13)) * f32::from_bits((254 - 15) << 23)
    }

    /// Rounds to nearest even; too large becomes infinity, NaN a quiet NaN.
    #[inline]
    pub fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let sign = ((bits >> 16) & 0x8000) as u16;
        let magnitude = bits & 0x7fff_ffff;
        if magnitude > 0x7f80_0000 {
            return Self(sign | 0x7e00);
        }
        if magnitude >= 0x477f_f000 {
            return Self(sign | 0x7c00);
        }
        if magnitude < 0x3880_0000 {
            // Adding 0.5 makes one unit in the last place 2^-24, so the addition itself rounds to a subnormal's step.
            let rounded = (f32::from_bits(magnitude) + 0.5).to_bits() - 0.5f32.to_bits();
            return Self(sign | rounded as u16);
        }
        let rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
        Self(sign | ((rounded - 0x3800_0000) >> 13) as u16)
    }

    /// Rounds once, to nearest even.
    #[inline]
    pub fn from_f64(value: f64) -> Self {
        Self::from_f32(round_to_odd(value))
    }
}

impl Bf16 {
    /// Exactly the same number.
    #[inline]
    pub fn to_f32(self) -> f32 {
        f32::from_bits((self.0 as u32) << 16)
    }

    /// Rounds to nearest even; NaN becomes a quiet NaN.
    #[inline]
    pub fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        if value.is_nan() {
            return Self((bits >> 16) as u16 | 0x40);
        }
        Self(((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16)
    }

    /// Rounds once, to nearest even.
    #[inline]
    pub fn from_f64(value: f64) -> Self {
        Self::from_f32(round_to_odd(value))
    }
}

/// f64 → f32 such that rounding the result once more, to fewer bits, gives what rounding `value` directly would.
#[inline]
fn round_to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let back = nearest as f64;
    if back == value || nearest.is_nan() || nearest.is_infinite() && value.is_infinite() {
        return nearest;
    }
    // Truncate towards zero, then set the last bit: it marks that something was cut off.
    let bits = nearest.to_bits();
    let truncated = if back.abs() > value.abs() { bits - 1 } else { bits };
    f32::from_bits(truncated | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_way_to_f32_and_back() {
        for bits in 0..=u16::MAX {
            let half = F16(bits);
            let back = F16::from_f32(half.to_f32());
            if half.to_f32().is_nan() {
                assert!(back.to_f32().is_nan());
            } else {
                assert_eq!(back, half, "{bits:#x}");
            }
            let brain = Bf16(bits);
            if !brain.to_f32().is_nan() {
                assert_eq!(Bf16::from_f32(brain.to_f32()), brain);
            }
        }
    }

    #[test]
    fn halves_round_to_nearest_even() {
        assert_eq!(F16::from_f32(1.0 + 1.0 / 2048.0), F16(0x3c00));
        assert_eq!(F16::from_f32(1.0 + 3.0 / 2048.0), F16(0x3c02));
        assert_eq!(F16::from_f32(65519.9), F16(0x7bff));
        assert_eq!(F16::from_f32(65520.0), F16(0x7c00));
        assert_eq!(F16::from_f32(2f32.powi(-25)), F16(0));
        assert_eq!(F16::from_f32(1.5 * 2f32.powi(-24)), F16(2));
        assert_eq!(F16::from_f32(-0.0), F16(0x8000));
        assert_eq!(Bf16::from_f32(f32::from_bits(0x3f80_8000)), Bf16(0x3f80));
        assert_eq!(Bf16::from_f32(f32::from_bits(0x3f81_8000)), Bf16(0x3f82));
        assert_eq!(Bf16::from_f32(f32::MAX), Bf16(0x7f80));
    }

    #[test]
    fn doubles_are_rounded_once() {
        // Just above the midpoint of two halves, by less than an f32 can tell.
        let above = 1.0 + 1.0 / 2048.0 + 2f64.powi(-40);
        assert_eq!(F16::from_f64(above), F16(0x3c01));
        assert_eq!(F16::from_f32(above as f32), F16(0x3c00));
        assert_eq!(F16::from_f64(-above), F16(0xbc01));
        assert_eq!(F16::from_f64(f64::INFINITY), F16(0x7c00));
        assert_eq!(F16::from_f64(1e300), F16(0x7c00));
        assert!(F16::from_f64(f64::NAN).to_f32().is_nan());
    }
}
