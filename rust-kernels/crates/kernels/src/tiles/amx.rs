//! The CPU's tiles, by inline assembly: the compiler's own functions for them are not stable.
//!
//! The compiler uses no tile of its own, so what a tile holds survives from one `asm!` to the next.

use super::{Lanes, SIDE, TILE, Tiles};
use core::arch::asm;
use neural_engine_isa::Amx;
use std::marker::PhantomData;

/// What `ldtilecfg` reads: palette 1, then bytes of a row and rows of each of the eight tiles.
#[repr(C, align(64))]
struct Config([u8; 64]);

const CONFIG: Config = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = SIDE as u8;
        tile += 1;
    }
    Config(bytes)
};
static CONFIGURED: Config = CONFIG;

/// This thread's tiles, configured. Dropping it releases them, so that a thread that waits or is switched has no tile data to be saved.
///
/// A thread has one at a time: a second would release the first one's tiles.
#[derive(Debug)]
pub(crate) struct AmxTiles {
    token: Amx,
    /// Tiles belong to a thread.
    thread: PhantomData<*mut ()>,
}

impl AmxTiles {
    /// Configures this thread's tiles, all zeros.
    pub fn new(token: Amx) -> Self {
        // SAFETY: the token says that the CPU and the system provide tiles; the configuration is a valid one of palette 1.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURED, options(nostack, preserves_flags, readonly)) };
        AmxTiles { token, thread: PhantomData }
    }

    /// Proof of what comes with tiles.
    pub fn token(&self) -> Amx {
        self.token
    }
}

impl Drop for AmxTiles {
    fn drop(&mut self) {
        // SAFETY: the instruction exists, and nobody else uses tiles on this thread.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}

/// Bytes from one row to the next.
const STRIDE: usize = 64;

// SAFETY of the blocks below: tiles are configured as long as `self` lives, references hold the 1024 bytes that are read or written, and
// a number beyond 7 is refused by the assembler.
impl Tiles for AmxTiles {
    #[inline(always)]
    fn zero<const T: usize>(&mut self) {
        // SAFETY: see above.
        unsafe { asm!("tilezero tmm{t}", t = const T, options(nomem, nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn load<const T: usize>(&mut self, from: &[u8; TILE]) {
        // SAFETY: see above.
        unsafe {
            asm!("tileloadd tmm{t}, [{from} + {stride}]", t = const T, from = in(reg) from, stride = in(reg) STRIDE,
                options(readonly, nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn load_apart<const T: usize, const STEP: usize>(&mut self, from: &[u8], at: usize) {
        let from = &from[at..at + (SIDE - 1) * STEP + 64];
        // SAFETY: see above; the slice was just cut to what 16 rows reach.
        unsafe {
            asm!("tileloadd tmm{t}, [{from} + {stride}]", t = const T, from = in(reg) from.as_ptr(), stride = in(reg) STEP,
                options(readonly, nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn store<const T: usize>(&self, to: &mut [Lanes; SIDE]) {
        // SAFETY: see above.
        unsafe {
            asm!("tilestored [{to} + {stride}], tmm{t}", t = const T, to = in(reg) to, stride = in(reg) STRIDE,
                options(nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn dot_s8u8<const C: usize, const A: usize, const B: usize>(&mut self) {
        // SAFETY: see above.
        unsafe {
            asm!("tdpbsud tmm{c}, tmm{a}, tmm{b}", c = const C, a = const A, b = const B,
                options(nomem, nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn dot_bf16<const C: usize, const A: usize, const B: usize>(&mut self) {
        // SAFETY: see above.
        unsafe {
            asm!("tdpbf16ps tmm{c}, tmm{a}, tmm{b}", c = const C, a = const A, b = const B,
                options(nomem, nostack, preserves_flags));
        }
    }
}
