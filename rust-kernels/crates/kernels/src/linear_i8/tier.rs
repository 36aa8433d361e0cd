//! What tiers do differently in the epilogue: table lookup, and what is kept out of the hot loop.

use super::element::Element;
use super::epilogue::Epilogue;
use crate::Activation;
use crate::bf16;
use crate::dot_u8s8::each;
use crate::panel::{Io, TOKENS};
use neural_engine_isa::{Scalar, Simd};

/// A [`Simd`] that can also finish rows of an integer product.
pub(super) trait Tier: Simd {
    /// `byte ← table[byte]` for every byte.
    #[inline(always)]
    fn lookup(self, table: &[u8; 256], bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
    }

    /// [`Epilogue::finish`], which is inlined where it is called. Where no vectors are, that is large code for nothing.
    #[inline(always)]
    fn finish<Y: Element, const R: usize>(
        self,
        epilogue: &Epilogue<'_>,
        row: usize,
        acc: &[[Self::I32; 4]; R],
        io: &mut Io<'_, u8, Y>,
        at: usize,
    ) {
        epilogue.finish(self, row, acc, io, at);
    }

    /// The activation of one row. Its code is large: a tier keeps it in one place rather than in each kernel.
    fn activate(self, act: Activation, f: [Self::F32; 4]) -> [Self::F32; 4];

    /// Rounds one row to bf16; in one place too.
    fn store_half(self, y: &mut [u16; TOKENS], f: [Self::F32; 4]);
}

impl Tier for Scalar {
    fn finish<Y: Element, const R: usize>(
        self,
        epilogue: &Epilogue<'_>,
        row: usize,
        acc: &[[Self::I32; 4]; R],
        io: &mut Io<'_, u8, Y>,
        at: usize,
    ) {
        for (i, acc) in acc.iter().enumerate() {
            finish_row(epilogue, row + i, acc, io, at + i);
        }
    }

    fn activate(self, act: Activation, f: [Self::F32; 4]) -> [Self::F32; 4] {
        each!(f, |f| act.apply(self, f))
    }

    #[inline(never)]
    fn store_half(self, y: &mut [u16; TOKENS], f: [Self::F32; 4]) {
        bf16::store_row(self, y, f);
    }
}

#[inline(never)]
fn finish_row<Y: Element>(epilogue: &Epilogue<'_>, row: usize, acc: &[[i32; 16]; 4], io: &mut Io<'_, u8, Y>, at: usize) {
    epilogue.finish(Scalar, row, &[*acc], io, at);
}
