//! From accumulators to outputs, written once for every tier: scale, residual, activation, rounding, table.
//!
//! Each step is one IEEE operation (the multiply-add is fused), so all tiers write the same bits. The code is free of closures and
//! iterator adaptors: see [`each`].

use super::LinearI8;
use super::element::Element;
use super::tier::Tier;
use crate::dot_u8s8::each;
use crate::panel::{Residual, TOKENS};
use crate::{Activation, Code};

/// What a kernel does with the accumulators of its output rows.
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

    /// Finishes output rows `row..row + R`, which are rows `at..at + R` of `y` and of a residual panel.
    #[inline(always)]
    pub fn finish<S: Tier, Y: Element, const R: usize>(
        &self,
        simd: S,
        row: usize,
        acc: &[[S::I32; 4]; R],
        residual: &Residual<'_>,
        y: &mut [Y],
        at: usize,
    ) {
        let cells = at * TOKENS..(at + R) * TOKENS;
        let y = &mut y[cells.clone()];
        // Chosen once for R rows, so that accumulators stay in registers.
        match residual {
            Residual::None => self.rows(simd, row, acc, Nothing, y),
            Residual::Panel(panel) => self.rows(simd, row, acc, Panel(&panel[cells]), y),
            Residual::InPlace if !Y::CODED => self.rows(simd, row, acc, InPlace, y),
            Residual::InPlace => {} // refused by the entry
        }
    }

    #[inline(always)]
    fn rows<S: Tier, Y: Element, A: Addend, const R: usize>(&self, simd: S, row: usize, acc: &[[S::I32; 4]; R], addend: A, y: &mut [Y]) {
        let (mul, add) = (&self.mul[row..row + R], &self.add[row..row + R]);
        if self.act != Activation::None {
            for i in 0..R {
                let y = &mut y[i * TOKENS..(i + 1) * TOKENS];
                let f = addend.add(simd, i, scale(simd, acc[i], mul[i], add[i]), y);
                Y::store(simd, y, self.activate(simd, f));
            }
        } else if let Some(table) = self.table {
            for i in 0..R {
                let y = &mut y[i * TOKENS..(i + 1) * TOKENS];
                let f = addend.add(simd, i, scale(simd, acc[i], mul[i], add[i]), y);
                Y::store_by_table(simd, y, f, table);
            }
        } else {
            for i in 0..R {
                let y = &mut y[i * TOKENS..(i + 1) * TOKENS];
                let f = addend.add(simd, i, scale(simd, acc[i], mul[i], add[i]), y);
                Y::store(simd, y, f);
            }
        }
    }

    /// act(f), as a code where one is given.
    #[inline(always)]
    fn activate<S: Tier>(&self, simd: S, f: [S::F32; 4]) -> [S::F32; 4] {
        let f = simd.activate(self.act, f);
        let Some(code) = self.code else { return f };
        let (scale, zero) = (simd.splat(code.scale), simd.splat(code.zero as f32));
        each!(f, |f| simd.fma(f, scale, zero))
    }
}

/// fma(acc, mul, add)
#[inline(always)]
fn scale<S: Tier>(simd: S, acc: [S::I32; 4], mul: f32, add: f32) -> [S::F32; 4] {
    let (mul, add) = (simd.splat(mul), simd.splat(add));
    each!(acc, |acc| simd.fma(simd.to_f32(acc), mul, add))
}

/// What is added to f before the activation.
trait Addend: Copy {
    /// f plus row `i` of it; `y` is what the destination holds.
    fn add<S: Tier, Y: Element>(self, simd: S, i: usize, f: [S::F32; 4], y: &[Y]) -> [S::F32; 4];
}

#[derive(Clone, Copy)]
struct Nothing;

#[derive(Clone, Copy)]
struct Panel<'a>(&'a [f32]);

#[derive(Clone, Copy)]
struct InPlace;

impl Addend for Nothing {
    #[inline(always)]
    fn add<S: Tier, Y: Element>(self, _simd: S, _i: usize, f: [S::F32; 4], _y: &[Y]) -> [S::F32; 4] {
        f
    }
}

impl Addend for Panel<'_> {
    #[inline(always)]
    fn add<S: Tier, Y: Element>(self, simd: S, i: usize, f: [S::F32; 4], _y: &[Y]) -> [S::F32; 4] {
        f32::add(simd, f, &self.0[i * TOKENS..(i + 1) * TOKENS])
    }
}

impl Addend for InPlace {
    #[inline(always)]
    fn add<S: Tier, Y: Element>(self, simd: S, _i: usize, f: [S::F32; 4], y: &[Y]) -> [S::F32; 4] {
        Y::add(simd, f, y)
    }
}
