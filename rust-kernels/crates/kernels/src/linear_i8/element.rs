//! The types a linear kernel writes.

use super::tier::Tier;
use crate::bf16;
use crate::dot_u8s8::each;
use crate::panel::TOKENS;

/// f32 in lane order, bf16 in the order of 16-bit panels, u8 or s8 in token order.
pub(super) trait Element: Copy {
    /// The name in errors.
    const NAME: &'static str;
    /// Stored as 8-bit codes.
    const CODED: bool;
    /// Stored as bf16.
    const HALF: bool = false;
    /// f + one row of y, where y is not coded; else f.
    fn add<S: Tier>(simd: S, f: [S::F32; 4], y: &[Self]) -> [S::F32; 4];
    /// Writes one row of 64.
    fn store<S: Tier>(simd: S, y: &mut [Self], f: [S::F32; 4]);
    /// Writes one row of 64 codes, looked up by the u8 code of f.
    fn store_by_table<S: Tier>(simd: S, y: &mut [Self], f: [S::F32; 4], table: &[u8; 256]);
}

/// To the nearest integer, at most `top`; NaN and what is below the range end as the lowest code when they are packed.
#[inline(always)]
fn round<S: Tier>(simd: S, f: [S::F32; 4], top: f32) -> [S::I32; 4] {
    let top = simd.splat(top);
    each!(f, |f| simd.to_i32(simd.min(top, f)))
}

impl Element for f32 {
    const NAME: &'static str = "f32";
    const CODED: bool = false;
    #[inline(always)]
    fn add<S: Tier>(simd: S, f: [S::F32; 4], y: &[f32]) -> [S::F32; 4] {
        let y = each!([0, 16, 32, 48], |at| simd.load(&y[at..at + 16]));
        [simd.add(f[0], y[0]), simd.add(f[1], y[1]), simd.add(f[2], y[2]), simd.add(f[3], y[3])]
    }
    #[inline(always)]
    fn store<S: Tier>(simd: S, y: &mut [f32], f: [S::F32; 4]) {
        each!([0, 1, 2, 3], |j| simd.store(&mut y[16 * j..16 * j + 16], f[j]));
    }
    #[inline(always)]
    fn store_by_table<S: Tier>(simd: S, y: &mut [f32], f: [S::F32; 4], _table: &[u8; 256]) {
        Self::store(simd, y, f); // the entry refuses a table for f32
    }
}

/// To nearest even, after all else.
impl Element for u16 {
    const NAME: &'static str = "bf16";
    const CODED: bool = false;
    const HALF: bool = true;
    #[inline(always)]
    fn add<S: Tier>(simd: S, f: [S::F32; 4], y: &[u16]) -> [S::F32; 4] {
        let y = bf16::load_row(simd, y.first_chunk().expect("a row has 64 tokens"));
        [simd.add(f[0], y[0]), simd.add(f[1], y[1]), simd.add(f[2], y[2]), simd.add(f[3], y[3])]
    }
    #[inline(always)]
    fn store<S: Tier>(simd: S, y: &mut [u16], f: [S::F32; 4]) {
        simd.store_half(y.first_chunk_mut().expect("a row has 64 tokens"), f);
    }
    #[inline(always)]
    fn store_by_table<S: Tier>(simd: S, y: &mut [u16], f: [S::F32; 4], _table: &[u8; 256]) {
        Self::store(simd, y, f); // the entry refuses a table for bf16
    }
}

impl Element for u8 {
    const NAME: &'static str = "u8";
    const CODED: bool = true;
    #[inline(always)]
    fn add<S: Tier>(_simd: S, f: [S::F32; 4], _y: &[u8]) -> [S::F32; 4] {
        f
    }
    #[inline(always)]
    fn store<S: Tier>(simd: S, y: &mut [u8], f: [S::F32; 4]) {
        simd.store_u8(y, round(simd, f, 255.0));
    }
    #[inline(always)]
    fn store_by_table<S: Tier>(simd: S, y: &mut [u8], f: [S::F32; 4], table: &[u8; 256]) {
        Self::store(simd, y, f);
        simd.lookup(table, y);
    }
}

impl Element for i8 {
    const NAME: &'static str = "s8";
    const CODED: bool = true;
    #[inline(always)]
    fn add<S: Tier>(_simd: S, f: [S::F32; 4], _y: &[i8]) -> [S::F32; 4] {
        f
    }
    #[inline(always)]
    fn store<S: Tier>(simd: S, y: &mut [i8], f: [S::F32; 4]) {
        simd.store_s8(y, round(simd, f, 127.0));
    }
    #[inline(always)]
    fn store_by_table<S: Tier>(simd: S, y: &mut [i8], f: [S::F32; 4], table: &[u8; 256]) {
        let mut bytes = [0; TOKENS];
        u8::store_by_table(simd, &mut bytes, f, table);
        for (y, byte) in y.iter_mut().zip(bytes) {
            *y = byte as i8;
        }
    }
}
