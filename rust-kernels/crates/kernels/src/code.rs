//! The one place where f32 becomes an 8-bit code and back.

use crate::error::KernelError;
use neural_engine_isa::Simd;

/// Affine 8-bit code: `q = saturate(round_ties_even(fma(x, scale, zero)))`, one rounding before the last.
///
/// `scale` multiplies: it is the reciprocal of the step. NaN becomes the zero point's end of the range that `cvtps2dq` and
/// saturation give: 0 as u8, −128 as s8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Code {
    /// Multiplies the real value.
    pub scale: f32,
    /// The code of zero.
    pub zero: i32,
}

impl Code {
    /// The code of each lane, not yet saturated to 8 bits.
    ///
    /// The real code is clamped to ±2¹⁶ first, so that values beyond i32 saturate to their own side.
    #[inline(always)]
    pub fn lanes<S: Simd>(self, s: S, x: S::F32) -> S::I32 {
        let q = s.fma(x, s.splat(self.scale), s.splat(self.zero as f32));
        // Operand order keeps NaN, which converts to i32::MIN.
        s.to_i32(s.max(s.splat(-65536.0), s.min(s.splat(65536.0), q)))
    }

    /// What the u8 code of each lane stands for: the value rounded as `quantize` and `dequantize` would, kept as f32.
    #[inline(always)]
    pub fn round_u8<S: Simd>(self, s: S, x: S::F32) -> S::F32 {
        let q = s.max_i32(s.splat_i32(0), s.min_i32(s.splat_i32(255), self.lanes(s, x)));
        self.real(s, q)
    }

    /// What codes stand for: (q − zero) / scale, correctly rounded.
    #[inline(always)]
    pub fn real<S: Simd>(self, s: S, q: S::I32) -> S::F32 {
        s.div(s.to_f32(s.sub_i32(q, s.splat_i32(self.zero))), s.splat(self.scale))
    }

    /// Whether its codes can be turned back into values.
    ///
    /// # Errors
    /// `Invalid` for a scale of 0, ∞ or NaN.
    pub fn check_invertible(self) -> Result<(), KernelError> {
        if self.scale.is_finite() && self.scale != 0.0 {
            return Ok(());
        }
        Err(KernelError::Invalid { name: "code", reason: format!("a scale of {} cannot be undone", self.scale) })
    }

    /// 64 values in lane order to 64 u8 in token order. `dst` has at least 64 elements.
    #[inline(always)]
    pub fn store_u8<S: Simd>(self, s: S, dst: &mut [u8], x: [S::F32; 4]) {
        let [a, b, c, d] = x;
        s.store_u8(dst, [self.lanes(s, a), self.lanes(s, b), self.lanes(s, c), self.lanes(s, d)]);
    }

    /// 64 values in lane order to 64 s8 in token order. `dst` has at least 64 elements.
    #[inline(always)]
    pub fn store_s8<S: Simd>(self, s: S, dst: &mut [i8], x: [S::F32; 4]) {
        let [a, b, c, d] = x;
        s.store_s8(dst, [self.lanes(s, a), self.lanes(s, b), self.lanes(s, c), self.lanes(s, d)]);
    }

    /// The code of one value as u8, by the same operations.
    pub fn u8(self, x: f32) -> u8 {
        self.scalar(x).clamp(0, 255) as u8
    }

    /// The code of one value as s8, by the same operations.
    pub fn s8(self, x: f32) -> i8 {
        self.scalar(x).clamp(-128, 127) as i8
    }

    fn scalar(self, x: f32) -> i32 {
        let q = x.mul_add(self.scale, self.zero as f32);
        if q.is_nan() { i32::MIN } else { q.clamp(-65536.0, 65536.0).round_ties_even() as i32 }
    }
}

/// An 8-bit destination of either sign.
#[derive(Debug)]
pub enum Codes<'a> {
    /// Unsigned.
    U8(&'a mut [u8]),
    /// Signed.
    S8(&'a mut [i8]),
}

impl Codes<'_> {
    /// Elements.
    pub fn len(&self) -> usize {
        match self {
            Codes::U8(codes) => codes.len(),
            Codes::S8(codes) => codes.len(),
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes row `row` of 64: values in lane order, codes in token order.
    #[inline(always)]
    pub fn store<S: Simd>(&mut self, s: S, code: Code, row: usize, x: [S::F32; 4]) {
        match self {
            Codes::U8(codes) => code.store_u8(s, &mut codes[64 * row..], x),
            Codes::S8(codes) => code.store_s8(s, &mut codes[64 * row..], x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::lane_of;
    use neural_engine_isa::{Isa, SimdOp};

    struct Encode<'a>(Code, &'a [f32; 64], &'a mut [u8; 64], &'a mut [i8; 64]);

    impl SimdOp for Encode<'_> {
        type Output = ();
        #[inline(always)]
        fn eval<S: Simd>(self, s: S) {
            let x = [0, 16, 32, 48].map(|at| s.load(&self.1[at..]));
            self.0.store_u8(s, self.2, x);
            self.0.store_s8(s, self.3, x);
        }
    }

    #[test]
    fn lanes_become_tokens_and_every_tier_agrees_with_one_value_at_a_time() {
        let code = Code { scale: 4.0, zero: 3 };
        let mut x: [f32; 64] = std::array::from_fn(|i| (i as f32 - 30.0) * 1.125);
        x[..6].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 0.125]);
        for isa in Isa::available() {
            let (mut bytes, mut codes) = ([9; 64], [9; 64]);
            isa.dispatch(Encode(code, &x, &mut bytes, &mut codes));
            for token in 0..64 {
                assert_eq!(bytes[token], code.u8(x[lane_of(token)]), "token {token}");
                assert_eq!(codes[token], code.s8(x[lane_of(token)]), "token {token}");
            }
        }
    }

    #[test]
    fn ties_go_to_even_and_ends_saturate() {
        let code = Code { scale: 1.0, zero: 128 };
        assert_eq!([0.5, 1.5, -0.5, 127.0, 200.0, -1e9, f32::NAN].map(|x| code.u8(x)), [128, 130, 128, 255, 255, 0, 0]);
    }
}
