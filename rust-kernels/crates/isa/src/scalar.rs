//! The portable tier: arrays of 16, and the definition of what every other tier must compute.

use crate::simd::{Simd, head, head_mut};
use std::array::from_fn;

/// The portable tier; exists on every CPU.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

/// Where byte `t` of 64 lies among 4 × 16 lanes: (vector, lane). Bits 5:4 of the token swap with bits 3:2.
#[inline(always)]
fn place(token: usize) -> (usize, usize) {
    ((token >> 2) & 3, (token & 3) | ((token >> 2) & 12))
}

/// a · b + c in each lane. On x86 without FMA each lane is a call of the C library; inlining sixteen of them everywhere would only
/// make the code large.
#[cfg_attr(target_arch = "x86_64", inline(never))]
#[cfg_attr(not(target_arch = "x86_64"), inline(always))]
fn fma(a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
    from_fn(|i| a[i].mul_add(b[i], c[i]))
}

/// The nearest integer of each lane, ties to even; a library call on x86 without SSE4.1, as above.
#[cfg_attr(target_arch = "x86_64", inline(never))]
#[cfg_attr(not(target_arch = "x86_64"), inline(always))]
fn round(a: [f32; 16]) -> [f32; 16] {
    a.map(f32::round_ties_even)
}

impl Simd for Scalar {
    const REGISTERS: usize = 4;
    type F32 = [f32; 16];
    type I32 = [i32; 16];
    type Mask = [bool; 16];

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 16] {
        [x; 16]
    }
    #[inline(always)]
    fn load(self, x: &[f32]) -> [f32; 16] {
        *head(x)
    }
    #[inline(always)]
    fn store(self, dst: &mut [f32], x: [f32; 16]) {
        *head_mut(dst) = x;
    }
    #[inline(always)]
    fn load_partial(self, x: &[f32], fill: f32) -> [f32; 16] {
        from_fn(|i| x.get(i).copied().unwrap_or(fill))
    }
    #[inline(always)]
    fn store_partial(self, dst: &mut [f32], x: [f32; 16]) {
        for (to, from) in dst.iter_mut().zip(x) {
            *to = from;
        }
    }
    #[inline(always)]
    fn add(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn fma(self, a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
        fma(a, b, c)
    }
    #[inline(always)]
    fn fnma(self, a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
        fma(a.map(|x| -x), b, c)
    }
    #[inline(always)]
    fn sqrt(self, a: [f32; 16]) -> [f32; 16] {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    fn min(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn max(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn abs(self, a: [f32; 16]) -> [f32; 16] {
        a.map(f32::abs)
    }
    #[inline(always)]
    fn neg(self, a: [f32; 16]) -> [f32; 16] {
        a.map(|x| -x)
    }
    #[inline(always)]
    fn copysign(self, a: [f32; 16], sign: [f32; 16]) -> [f32; 16] {
        from_fn(|i| a[i].copysign(sign[i]))
    }
    #[inline(always)]
    fn round_even(self, a: [f32; 16]) -> [f32; 16] {
        round(a)
    }
    #[inline(always)]
    fn scale_by_power(self, a: [f32; 16], n: [f32; 16]) -> [f32; 16] {
        from_fn(|i| {
            let n = n[i] as i32;
            let half = n >> 1;
            let power = |e: i32| f32::from_bits(((e + 127) << 23) as u32);
            a[i] * power(half) * power(n - half)
        })
    }
    #[inline(always)]
    fn lt(self, a: [f32; 16], b: [f32; 16]) -> [bool; 16] {
        from_fn(|i| a[i] < b[i])
    }
    #[inline(always)]
    fn le(self, a: [f32; 16], b: [f32; 16]) -> [bool; 16] {
        from_fn(|i| a[i] <= b[i])
    }
    #[inline(always)]
    fn eq(self, a: [f32; 16], b: [f32; 16]) -> [bool; 16] {
        from_fn(|i| a[i] == b[i])
    }
    #[inline(always)]
    fn is_nan(self, a: [f32; 16]) -> [bool; 16] {
        a.map(f32::is_nan)
    }
    #[inline(always)]
    fn select(self, mask: [bool; 16], yes: [f32; 16], no: [f32; 16]) -> [f32; 16] {
        from_fn(|i| if mask[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn mask(self, bits: u16) -> [bool; 16] {
        from_fn(|i| bits >> i & 1 == 1)
    }
    #[inline(always)]
    fn bits(self, mask: [bool; 16]) -> u16 {
        (0..16).fold(0, |bits, i| bits | (mask[i] as u16) << i)
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> [i32; 16] {
        [x; 16]
    }
    #[inline(always)]
    fn load_i32(self, x: &[i32]) -> [i32; 16] {
        *head(x)
    }
    #[inline(always)]
    fn store_i32(self, dst: &mut [i32], x: [i32; 16]) {
        *head_mut(dst) = x;
    }
    #[inline(always)]
    fn add_i32(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    fn sub_i32(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i].wrapping_sub(b[i]))
    }
    #[inline(always)]
    fn mul_i32(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i].wrapping_mul(b[i]))
    }
    #[inline(always)]
    fn min_i32(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i].min(b[i]))
    }
    #[inline(always)]
    fn max_i32(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i].max(b[i]))
    }
    #[inline(always)]
    fn and_i32(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i] & b[i])
    }
    #[inline(always)]
    fn or_i32(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i] | b[i])
    }
    #[inline(always)]
    fn xor_i32(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        from_fn(|i| a[i] ^ b[i])
    }
    #[inline(always)]
    fn shl<const N: u32>(self, a: [i32; 16]) -> [i32; 16] {
        a.map(|x| x << N)
    }
    #[inline(always)]
    fn shr<const N: u32>(self, a: [i32; 16]) -> [i32; 16] {
        a.map(|x| x >> N)
    }
    #[inline(always)]
    fn shr_logical<const N: u32>(self, a: [i32; 16]) -> [i32; 16] {
        a.map(|x| ((x as u32) >> N) as i32)
    }
    #[inline(always)]
    fn select_i32(self, mask: [bool; 16], yes: [i32; 16], no: [i32; 16]) -> [i32; 16] {
        from_fn(|i| if mask[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn to_i32(self, a: [f32; 16]) -> [i32; 16] {
        round(a).map(|whole| {
            // The bounds are exact in f32; NaN fails both comparisons.
            if (-2147483648.0..2147483648.0).contains(&whole) { whole as i32 } else { i32::MIN }
        })
    }
    #[inline(always)]
    fn to_f32(self, a: [i32; 16]) -> [f32; 16] {
        a.map(|x| x as f32)
    }
    #[inline(always)]
    fn to_bits(self, a: [f32; 16]) -> [i32; 16] {
        a.map(|x| x.to_bits() as i32)
    }
    #[inline(always)]
    fn from_bits(self, a: [i32; 16]) -> [f32; 16] {
        a.map(|x| f32::from_bits(x as u32))
    }
    #[inline(always)]
    fn sum(self, a: [f32; 16]) -> f32 {
        let a: [f32; 8] = from_fn(|i| a[i] + a[i + 8]);
        let a: [f32; 4] = from_fn(|i| a[i] + a[i + 4]);
        (a[0] + a[2]) + (a[1] + a[3])
    }
    #[inline(always)]
    fn largest(self, a: [f32; 16]) -> f32 {
        let max = |a: f32, b: f32| if a > b { a } else { b };
        let a: [f32; 8] = from_fn(|i| max(a[i], a[i + 8]));
        let a: [f32; 4] = from_fn(|i| max(a[i], a[i + 4]));
        max(max(a[0], a[2]), max(a[1], a[3]))
    }
    #[inline(always)]
    fn store_u8(self, dst: &mut [u8], x: [[i32; 16]; 4]) {
        for (token, byte) in head_mut::<u8, 64>(dst).iter_mut().enumerate() {
            let (vector, lane) = place(token);
            *byte = x[vector][lane].clamp(0, 255) as u8;
        }
    }
    #[inline(always)]
    fn store_s8(self, dst: &mut [i8], x: [[i32; 16]; 4]) {
        for (token, byte) in head_mut::<i8, 64>(dst).iter_mut().enumerate() {
            let (vector, lane) = place(token);
            *byte = x[vector][lane].clamp(-128, 127) as i8;
        }
    }
    #[inline(always)]
    fn load_u8(self, x: &[u8]) -> [[i32; 16]; 4] {
        let mut lanes = [[0; 16]; 4];
        for (token, byte) in head::<u8, 64>(x).iter().enumerate() {
            let (vector, lane) = place(token);
            lanes[vector][lane] = i32::from(*byte);
        }
        lanes
    }
    #[inline(always)]
    fn load_s8(self, x: &[i8]) -> [[i32; 16]; 4] {
        let mut lanes = [[0; 16]; 4];
        for (token, byte) in head::<i8, 64>(x).iter().enumerate() {
            let (vector, lane) = place(token);
            lanes[vector][lane] = i32::from(*byte);
        }
        lanes
    }
    #[inline(always)]
    fn store_u16(self, dst: &mut [u16], x: [[i32; 16]; 2]) {
        for (at, half) in head_mut::<u16, 32>(dst).iter_mut().enumerate() {
            *half = x[at / 4 % 2][at / 8 * 4 + at % 4].clamp(0, 65535) as u16;
        }
    }
    #[inline(always)]
    fn load_u16(self, x: &[u16]) -> [[i32; 16]; 2] {
        let mut lanes = [[0; 16]; 2];
        for (at, half) in head::<u16, 32>(x).iter().enumerate() {
            lanes[at / 4 % 2][at / 8 * 4 + at % 4] = i32::from(*half);
        }
        lanes
    }
    #[inline(always)]
    fn transpose(self, rows: [[f32; 16]; 16]) -> [[f32; 16]; 16] {
        from_fn(|i| from_fn(|j| rows[j][i]))
    }
}
