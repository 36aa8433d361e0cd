//! From accumulators to outputs, written once for every tier: scale, residual, activation, rounding, table.
//!
//! Each step is one IEEE operation (the multiply-add is fused), so all tiers write the same bits. The code is free of closures and
//! iterator adaptors: see [`each`].

use super::LinearI8;
use super::element::Element;
use super::tier::Tier;
use crate::dot_u8s8::each;
use crate::panel::{Io, Residual, TOKENS, TokenCodes};
use crate::{Activation, Code};

/// What a kernel does with the accumulators of its output rows.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a> {
    mul: &'a [f32],
    add: &'a [f32],
    act: Activation,
    code: Option<Code>,
    table: Option<&'a [u8; 256]>,
    sums: &'a [i32],
}

impl<'a> Epilogue<'a> {
    pub fn new(linear: &LinearI8<'a>) -> Self {
        let LinearI8 { mul, add, act, code, table, sums, .. } = *linear;
        Epilogue { mul, add, act, code, table, sums: sums.unwrap_or_default() }
    }

    /// Finishes output rows `row..row + R`, which are rows `at..at + R` of `y` and of a residual panel.
    #[inline(always)]
    pub fn finish<S: Tier, Y: Element, const R: usize>(
        &self,
        simd: S,
        row: usize,
        acc: &[[S::I32; 4]; R],
        io: &mut Io<'_, u8, Y>,
        at: usize,
    ) {
        // Chosen once for R rows, so that accumulators stay in registers.
        match io.codes {
            None => self.finish_scaled(simd, row, acc, Shared, io, at),
            Some(codes) if !Y::CODED => {
                self.finish_scaled(simd, row, acc, PerToken { codes, sums: &self.sums[row..row + R] }, io, at);
            }
            Some(_) => {} // refused by the entry
        }
    }

    #[inline(always)]
    fn finish_scaled<S: Tier, Y: Element, C: Scaling, const R: usize>(
        &self,
        simd: S,
        row: usize,
        acc: &[[S::I32; 4]; R],
        scaling: C,
        io: &mut Io<'_, u8, Y>,
        at: usize,
    ) {
        let cells = at * TOKENS..(at + R) * TOKENS;
        let y = &mut io.y[cells.clone()];
        match &io.residual {
            Residual::None => self.rows(simd, row, acc, scaling, Nothing, y),
            Residual::Panel(panel) => self.rows(simd, row, acc, scaling, Panel(&panel[cells]), y),
            Residual::Half(panel) if Y::HALF => self.rows(simd, row, acc, scaling, Half(&panel[cells]), y),
            Residual::InPlace if !Y::CODED => self.rows(simd, row, acc, scaling, InPlace, y),
            Residual::Half(_) | Residual::InPlace => {} // refused by the entry
        }
    }

    #[inline(always)]
    fn rows<S: Tier, Y: Element, C: Scaling, A: Addend, const R: usize>(
        &self,
        simd: S,
        row: usize,
        acc: &[[S::I32; 4]; R],
        scaling: C,
        addend: A,
        y: &mut [Y],
    ) {
        let (mul, add) = (&self.mul[row..row + R], &self.add[row..row + R]);
        if self.act != Activation::None {
            for i in 0..R {
                let y = &mut y[i * TOKENS..(i + 1) * TOKENS];
                let f = addend.add(simd, i, scaling.scale(simd, i, acc[i], mul[i], add[i]), y);
                Y::store(simd, y, self.activate(simd, f));
            }
        } else if Y::CODED
            && let Some(table) = self.table
        {
            for i in 0..R {
                let y = &mut y[i * TOKENS..(i + 1) * TOKENS];
                let f = addend.add(simd, i, scaling.scale(simd, i, acc[i], mul[i], add[i]), y);
                Y::store_by_table(simd, y, f, table);
            }
        } else {
            for i in 0..R {
                let y = &mut y[i * TOKENS..(i + 1) * TOKENS];
                let f = addend.add(simd, i, scaling.scale(simd, i, acc[i], mul[i], add[i]), y);
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

/// From accumulators to f.
trait Scaling: Copy {
    /// f of row `i` of the rows that are finished together.
    fn scale<S: Tier>(self, simd: S, i: usize, acc: [S::I32; 4], mul: f32, add: f32) -> [S::F32; 4];
}

/// fma(acc, mul, add): all tokens are coded alike.
#[derive(Clone, Copy)]
struct Shared;

/// fma(acc − zero\[token\]·sum, mul · step\[token\], add).
#[derive(Clone, Copy)]
struct PerToken<'a> {
    codes: TokenCodes<'a>,
    /// Of the rows that are finished together.
    sums: &'a [i32],
}

impl Scaling for Shared {
    #[inline(always)]
    fn scale<S: Tier>(self, simd: S, _i: usize, acc: [S::I32; 4], mul: f32, add: f32) -> [S::F32; 4] {
        let (mul, add) = (simd.splat(mul), simd.splat(add));
        each!(acc, |acc| simd.fma(simd.to_f32(acc), mul, add))
    }
}

impl Scaling for PerToken<'_> {
    #[inline(always)]
    fn scale<S: Tier>(self, simd: S, i: usize, acc: [S::I32; 4], mul: f32, add: f32) -> [S::F32; 4] {
        let (mul, add, sum) = (simd.splat(mul), simd.splat(add), simd.splat_i32(self.sums[i]));
        let step = each!([0, 16, 32, 48], |at| simd.load(&self.codes.step[at..at + 16]));
        let zero = each!([0, 16, 32, 48], |at| simd.to_i32(simd.load(&self.codes.zero[at..at + 16])));
        each!([0, 1, 2, 3], |j| {
            let centred = simd.sub_i32(acc[j], simd.mul_i32(zero[j], sum));
            simd.fma(simd.to_f32(centred), simd.mul(mul, step[j]), add)
        })
    }
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
struct Half<'a>(&'a [u16]);

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

impl Addend for Half<'_> {
    #[inline(always)]
    fn add<S: Tier, Y: Element>(self, simd: S, i: usize, f: [S::F32; 4], _y: &[Y]) -> [S::F32; 4] {
        u16::add(simd, f, &self.0[i * TOKENS..(i + 1) * TOKENS])
    }
}

impl Addend for InPlace {
    #[inline(always)]
    fn add<S: Tier, Y: Element>(self, simd: S, _i: usize, f: [S::F32; 4], y: &[Y]) -> [S::F32; 4] {
        Y::add(simd, f, y)
    }
}
