//! Work between the products, in pieces.

use super::{Machine, Sums};
use crate::ahead::or_own;
use crate::linear_i8::compressed::{Compressed4x1U8S8, MASKS};
use crate::linear_i8::element::Element;
use crate::linear_i8::epilogue::Epilogue;
use crate::linear_i8::tier::Tier;
use crate::linear_i8::tiled::GROUP_ROWS;
use crate::panel::Io;
use crate::tiles::{SIDE, TILE};
use neural_engine_isa::Simd;
use std::ops::Range;

/// Rows that are finished in one piece.
const PIECE: usize = 4;
/// Pieces of 32 rows.
const PIECES: usize = GROUP_ROWS / PIECE;

/// What there is to do beside the `steps` of half a panel's product.
pub(super) struct Shadow<'s, 'a, 'b, 'c, Y> {
    expansion: Option<&'s mut Expansion<'a, 'b>>,
    finish: Option<(Finish<'a>, &'s Sums, &'s mut Io<'c, u8, Y>)>,
    steps: usize,
    /// Pieces of [`Finish`] that are due, in units of 1/`steps`.
    due: usize,
}

impl<'s, 'a, 'b, 'c, Y: Element> Shadow<'s, 'a, 'b, 'c, Y> {
    #[inline(always)]
    pub fn new(
        expansion: Option<&'s mut Expansion<'a, 'b>>,
        finish: Option<(Finish<'a>, &'s Sums, &'s mut Io<'c, u8, Y>)>,
        steps: usize,
    ) -> Self {
        Shadow { expansion, finish, steps, due: 0 }
    }

    /// One step's share; after all steps everything is done.
    #[inline(always)]
    pub fn step<M: Machine, const A: usize>(&mut self, m: &M) {
        if let Some(expansion) = &mut self.expansion {
            expansion.step::<M, A>(m);
        }
        if let Some((finish, sums, io)) = &mut self.finish {
            self.due += PIECES;
            while self.due >= self.steps {
                self.due -= self.steps;
                finish.step(m, sums, io);
            }
        }
    }
}

/// Makes tiles of the compressed weights of 32 rows, one tile a piece.
pub(super) struct Expansion<'a, 'b> {
    masks: &'a [[u8; 8]],
    values: &'a [u8],
    tiles: &'b mut [[u8; TILE]],
    next: usize,
    /// Each panel's product has one step for every tile; all of them share the work.
    panels: usize,
    due: usize,
}

impl<'a, 'b> Expansion<'a, 'b> {
    #[inline(always)]
    pub fn new(weight: &Compressed4x1U8S8<'a>, group: usize, tiles: &'b mut [[u8; TILE]], panels: usize) -> Self {
        Expansion { masks: weight.masks(group).as_flattened(), values: weight.values(group), tiles, next: 0, panels, due: 0 }
    }

    /// One tile in every so many steps as there are panels.
    #[inline(always)]
    fn step<M: Machine, const A: usize>(&mut self, m: &M) {
        self.due += 1;
        if self.due == self.panels {
            self.due = 0;
            self.expand::<M, A>(m);
        }
    }

    /// All that is left.
    #[inline(always)]
    pub fn finish<M: Machine, const A: usize>(mut self, m: &M) {
        while self.next < self.tiles.len() {
            self.expand::<M, A>(m);
        }
    }

    #[inline(always)]
    fn expand<M: Machine, const A: usize>(&mut self, m: &M) {
        const HALF: usize = MASKS / 2;
        let masks = &self.masks[self.next * HALF..(self.next + 1) * HALF];
        for (mask, rows) in masks.iter().zip(self.tiles[self.next].as_chunks_mut::<256>().0) {
            let ahead = const { or_own(A, AHEAD) };
            if ahead > 0 {
                m.prefetch(self.values.as_ptr().wrapping_add(ahead));
            }
            let used = m.expand(u64::from_le_bytes(*mask), self.values, rows);
            self.values = &self.values[used..];
        }
        self.next += 1;
    }
}

/// How far ahead of the values to prefetch, in bytes. The distance of sparse products by AVX-512: on tiles none is measured.
pub(in crate::linear_i8) const AHEAD: usize = 2048;

/// Scales and stores 32 rows of one panel.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    pub epilogue: &'a Epilogue<'a>,
    pub init: &'a [i32],
    /// The rows that the call asks for.
    pub rows: &'a Range<usize>,
    /// The first of the 32.
    pub row: usize,
    /// Pieces done.
    pub done: usize,
}

impl Finish<'_> {
    /// The next four rows; false when there are none left.
    #[inline(always)]
    pub fn step<M: Machine, Y: Element>(&mut self, m: &M, sums: &Sums, io: &mut Io<'_, u8, Y>) -> bool {
        if self.done == PIECES {
            return false;
        }
        let within = self.done * PIECE;
        self.done += 1;
        let row = self.row + within;
        // Ranges are cut at multiples of four, so that only the last rows can be fewer.
        if row >= self.rows.start && row < self.rows.end {
            match self.rows.end - row {
                PIECE.. => self.rows::<PIECE, M, Y>(m, within, sums, io),
                3 => self.rows::<3, M, Y>(m, within, sums, io),
                2 => self.rows::<2, M, Y>(m, within, sums, io),
                _ => self.rows::<1, M, Y>(m, within, sums, io),
            }
        }
        true
    }

    #[inline(always)]
    fn rows<const R: usize, M: Machine, Y: Element>(&self, m: &M, within: usize, sums: &Sums, io: &mut Io<'_, u8, Y>) {
        let simd = m.simd();
        let row = self.row + within;
        let mut acc = [[simd.splat_i32(0); 4]; R];
        let init = &self.init[row..row + R];
        for (i, acc) in acc.iter_mut().enumerate() {
            let start = simd.splat_i32(init[i]);
            for (j, acc) in acc.iter_mut().enumerate() {
                *acc = simd.add_i32(start, simd.load_i32(&sums.0[j / 2][within / SIDE * 2 + j % 2][within % SIDE + i]));
            }
        }
        simd.finish(self.epilogue, row, &acc, io, row - self.rows.start);
    }
}
