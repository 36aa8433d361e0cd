//! From accumulators to outputs, written once for every tier: bias, scale, residual, activation, rounding, table.
//!
//! Each step is one IEEE operation (the multiply-add is fused), so all tiers write the same bits.

use super::LinearI8;
use super::tier::Tier;
use crate::panel::{Residual, TOKENS};
use crate::{Activation, Code};

/// What a kernel does with the 64 accumulators of one output row.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a> {
    mul: &'a [f32],
    add: &'a [f32],
    act: Activation,
    code: Option<Code>,
    table: Option<&'a [u8; 256]>,
}

impl<'a> Epilogue<'a> {
    pub fn new(linear: &LinearI8<'a>) -> Self {
        let LinearI8 { mul, add, act, code, table, .. } = *linear;
        Epilogue { mul, add, act, code, table }
    }

    /// Finishes output row `row`; `y` and a residual panel are indexed by `at`, the row counted from the first one computed.
    #[inline(always)]
    pub fn finish<S: Tier, Y: Element>(&self, simd: S, row: usize, acc: [S::I32; 4], residual: &Residual<'_>, y: &mut [Y], at: usize) {
        let (mul, add) = (simd.splat(self.mul[row]), simd.splat(self.add[row]));
        let mut f = acc.map(|acc| simd.fma(simd.to_f32(acc), mul, add));
        let cells = at * TOKENS..(at + 1) * TOKENS;
        let y = &mut y[cells.clone()];
        match residual {
            Residual::None => {}
            Residual::Panel(panel) => f = sum(simd, f, &panel[cells]),
            Residual::InPlace => f = Y::add_in_place(simd, f, y),
        }
        if self.act != Activation::None {
            f = simd.activate(self.act, f);
            if let Some(code) = self.code {
                let (scale, zero) = (simd.splat(code.scale), simd.splat(code.zero as f32));
                f = f.map(|f| simd.fma(f, scale, zero));
            }
        }
        Y::store(simd, y, f, self.table);
    }
}

#[inline(always)]
fn sum<S: Tier>(simd: S, f: [S::F32; 4], row: &[f32]) -> [S::F32; 4] {
    std::array::from_fn(|j| simd.add(f[j], simd.load(&row[16 * j..16 * j + 16])))
}

/// To the nearest integer, at most `top`; NaN and what is below the range end as the lowest code when they are packed.
#[inline(always)]
fn round<S: Tier>(simd: S, f: [S::F32; 4], top: f32) -> [S::I32; 4] {
    let top = simd.splat(top);
    f.map(|f| simd.to_i32(simd.min(top, f)))
}

/// What a linear kernel writes: f32 in lane order, u8 or s8 in token order.
pub(super) trait Element: Copy {
    /// The name in errors.
    const NAME: &'static str;
    /// Stored as 8-bit codes.
    const CODED: bool;
    /// f + y, for destinations that allow it.
    fn add_in_place<S: Tier>(simd: S, f: [S::F32; 4], y: &[Self]) -> [S::F32; 4];
    /// Writes one row of 64.
    fn store<S: Tier>(simd: S, y: &mut [Self], f: [S::F32; 4], table: Option<&[u8; 256]>);
}

impl Element for f32 {
    const NAME: &'static str = "f32";
    const CODED: bool = false;
    #[inline(always)]
    fn add_in_place<S: Tier>(simd: S, f: [S::F32; 4], y: &[f32]) -> [S::F32; 4] {
        sum(simd, f, y)
    }
    #[inline(always)]
    fn store<S: Tier>(simd: S, y: &mut [f32], f: [S::F32; 4], _table: Option<&[u8; 256]>) {
        for (y, f) in y.chunks_exact_mut(16).zip(f) {
            simd.store(y, f);
        }
    }
}

impl Element for u8 {
    const NAME: &'static str = "u8";
    const CODED: bool = true;
    #[inline(always)]
    fn add_in_place<S: Tier>(_simd: S, f: [S::F32; 4], _y: &[u8]) -> [S::F32; 4] {
        f // refused by the entry's checks
    }
    #[inline(always)]
    fn store<S: Tier>(simd: S, y: &mut [u8], f: [S::F32; 4], table: Option<&[u8; 256]>) {
        simd.store_u8(y, round(simd, f, 255.0));
        if let Some(table) = table {
            simd.lookup(table, y);
        }
    }
}

impl Element for i8 {
    const NAME: &'static str = "s8";
    const CODED: bool = true;
    #[inline(always)]
    fn add_in_place<S: Tier>(_simd: S, f: [S::F32; 4], _y: &[i8]) -> [S::F32; 4] {
        f // refused by the entry's checks
    }
    #[inline(always)]
    fn store<S: Tier>(simd: S, y: &mut [i8], f: [S::F32; 4], table: Option<&[u8; 256]>) {
        let Some(table) = table else { return simd.store_s8(y, round(simd, f, 127.0)) };
        let mut bytes = [0; TOKENS];
        simd.store_u8(&mut bytes, round(simd, f, 255.0));
        simd.lookup(table, &mut bytes);
        y.iter_mut().zip(bytes).for_each(|(y, byte)| *y = byte as i8);
    }
}
