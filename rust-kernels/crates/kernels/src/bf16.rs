//! bf16: the upper half of an f32, kept as its 16 bits; panels of it and back.
//!
//! A 16-bit panel is `[features][64]`; token `t` lies at [`place_of`]`(t)`, which is where packing two 32-bit vectors of a panel in lane
//! order leaves it, and from where unpacking two rows gives pairs of inputs in lane order again.
//!
//! Magnitudes below [`TINY`] become zeros. Products of what remains are multiples of 2⁻¹²⁶, and so are all sums of them: none is ever
//! subnormal. That is why the bf16 instructions, which flush subnormal results, and plain multiply-adds, which do not, give the same bits.

use crate::dot_u8s8::each;
use crate::error::{KernelError, expect_len};
use crate::panel::TOKENS;
use neural_engine_isa::{Isa, Scalar, Simd, SimdOp};

/// 2⁻⁵⁶: what is smaller counts as zero.
pub const TINY: f32 = 1.0 / (1u64 << 56) as f32;

/// Where token `t` of a panel lies in a 16-bit panel row: bit 3 of the token chooses the half, bits 5:4 the group of eight in it.
#[inline]
pub const fn place_of(token: usize) -> usize {
    (token & 0b00_0111) | ((token & 0b11_0000) >> 1) | ((token & 0b00_1000) << 2)
}

/// To the nearest bf16, ties to even; a NaN stays one; magnitudes below [`TINY`] become a zero of their sign.
#[inline(always)]
pub(crate) fn round<S: Simd>(s: S, x: S::F32) -> S::I32 {
    let bits = s.to_bits(x);
    let upper = s.shr_logical::<16>(bits);
    let bias = s.add_i32(s.splat_i32(0x7fff), s.and_i32(upper, s.splat_i32(1)));
    let nearest = s.shr_logical::<16>(s.add_i32(bits, bias));
    let kept = s.select_i32(s.is_nan(x), s.or_i32(upper, s.splat_i32(0x40)), nearest);
    s.select_i32(s.lt(s.abs(x), s.splat(TINY)), s.and_i32(upper, s.splat_i32(0x8000)), kept)
}

/// [`round`] of one number.
pub fn to_bf16(x: f32) -> u16 {
    round(Scalar, [x; 16])[0] as u16
}

/// The value of a bf16.
pub const fn from_bf16(bits: u16) -> f32 {
    f32::from_bits((bits as u32) << 16)
}

/// A row in lane order.
#[inline(always)]
pub(crate) fn load_row<S: Simd>(s: S, row: &[u16; TOKENS]) -> [S::F32; 4] {
    let ([a, b], [c, d]) = (s.load_u16(row), s.load_u16(&row[32..]));
    each!([a, b, c, d], |half| s.from_bits(s.shl::<16>(half)))
}

/// Rounds 64 values in lane order to a row; gives what they have become.
#[inline(always)]
pub(crate) fn store_row<S: Simd>(s: S, row: &mut [u16; TOKENS], x: [S::F32; 4]) -> [S::F32; 4] {
    let halves = each!(x, |x| round(s, x));
    let [a, b, c, d] = halves;
    s.store_u16(row, [a, b]);
    s.store_u16(&mut row[32..], [c, d]);
    each!(halves, |half| s.from_bits(s.shl::<16>(half)))
}

/// Rounds f32 panel rows in lane order to bf16 rows; see [`TINY`] for what is lost besides precision.
///
/// # Errors
/// `Length` when the lengths differ or are not whole rows of 64.
pub fn narrow(isa: Isa, x: &[f32], y: &mut [u16]) -> Result<(), KernelError> {
    expect_len("x", x.len(), x.len().next_multiple_of(TOKENS))?;
    expect_len("y", y.len(), x.len())?;
    isa.dispatch(Narrow { x, y });
    Ok(())
}

/// Widens bf16 panel rows to f32 rows in lane order, exactly.
///
/// # Errors
/// `Length` when the lengths differ or are not whole rows of 64.
pub fn widen(isa: Isa, x: &[u16], y: &mut [f32]) -> Result<(), KernelError> {
    expect_len("x", x.len(), x.len().next_multiple_of(TOKENS))?;
    expect_len("y", y.len(), x.len())?;
    isa.dispatch(Widen { x, y });
    Ok(())
}

pub(crate) struct Narrow<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [u16],
}

impl SimdOp for Narrow<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        for (x, y) in self.x.as_chunks::<TOKENS>().0.iter().zip(self.y.as_chunks_mut::<TOKENS>().0) {
            store_row(s, y, each!([0, 16, 32, 48], |at| s.load(&x[at..])));
        }
    }
}

struct Widen<'a> {
    x: &'a [u16],
    y: &'a mut [f32],
}

impl SimdOp for Widen<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        for (x, y) in self.x.as_chunks::<TOKENS>().0.iter().zip(self.y.as_chunks_mut::<TOKENS>().0) {
            let lanes = load_row(s, x);
            each!([0, 1, 2, 3], |j| s.store(&mut y[16 * j..], lanes[j]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::lane_of;
    use neural_engine_testkit::{Edge, Guarded, Rng};

    #[test]
    fn rounding_is_to_nearest_even_keeps_nan_and_infinity_and_drops_what_is_tiny() {
        for (x, want) in [
            (1.0, 0x3f80),
            (1.0 + 1.0 / 256.0, 0x3f80),
            (1.0 + 3.0 / 256.0, 0x3f82),
            (1.0 + 1.0 / 256.0 + 1.0 / 65536.0, 0x3f81),
            (f32::MAX, 0x7f80),
            (f32::NEG_INFINITY, 0xff80),
            (TINY, 0x2380),
            (-TINY * 0.99, 0x8000),
            (1e-40, 0),
        ] {
            assert_eq!(to_bf16(x), want, "{x:e}");
        }
        for bits in [0x7f80_0001, 0xffff_ffff, 0x7fc0_0000] {
            let kept = from_bf16(to_bf16(f32::from_bits(bits)));
            assert!(kept.is_nan() && kept.is_sign_negative() == (bits >> 31 == 1));
        }
    }

    #[test]
    fn panels_come_back_on_every_tier_with_tokens_in_their_place() {
        let mut rng = Rng::from_env(51);
        for rows in [0, 1, 3, 17] {
            let x: Vec<f32> = (0..rows * TOKENS).map(|_| f32::from_bits(rng.bits() as u32)).collect();
            for isa in Isa::available() {
                for edge in Edge::BOTH {
                    let mut halves = Guarded::new(x.len(), 9, edge);
                    narrow(isa, &Guarded::copy(&x, edge), &mut halves).unwrap();
                    let mut back = Guarded::new(x.len(), 0.5, edge);
                    widen(isa, &halves, &mut back).unwrap();
                    for row in 0..rows {
                        for token in 0..TOKENS {
                            let value = x[row * TOKENS + lane_of(token)];
                            let half = halves[row * TOKENS + place_of(token)];
                            assert_eq!(half, to_bf16(value), "{}", isa.tier().name());
                            assert_eq!(back[row * TOKENS + lane_of(token)].to_bits(), u32::from(half) << 16);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_place_is_taken_once() {
        let mut places: Vec<_> = (0..TOKENS).map(place_of).collect();
        places.sort_unstable();
        assert!(places.iter().enumerate().all(|(i, place)| i == *place));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        assert!(narrow(Isa::best(), &[0.0; 63], &mut [0; 63]).is_err());
        assert!(narrow(Isa::best(), &[0.0; 64], &mut [0; 128]).is_err());
        assert!(widen(Isa::best(), &[0; 64], &mut [0.0; 63]).is_err());
    }
}
