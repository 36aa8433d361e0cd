//! Tiles with the vectors that work beside them.

use super::ACROSS;
use crate::linear_i8::tier::Tier;
use crate::panel::{TOKENS, lane_of};
use crate::tiles::{SIDE, SoftwareTiles, TILE, Tiles};
use neural_engine_isa::Scalar;

/// What a product on tiles is built from.
pub(in crate::linear_i8) trait Machine: Tiles {
    /// Its vectors.
    type S: Tier;

    /// The vectors.
    fn simd(&self) -> Self::S;

    /// Copies four rows of 64 tokens, interleaved in lane order, to row `quad` of the four tiles. Panics beyond row 15.
    fn interleave(&self, rows: &[u8; 4 * TOKENS], tiles: &mut [&mut [u8; TILE]; ACROSS], quad: usize);

    /// Four rows of 64: the next values where the mask has a bit, else zeros. Returns how many values that are; panics unless there are
    /// 64 behind the first of the last row.
    fn expand(&self, mask: u64, values: &[u8], rows: &mut [u8; 256]) -> usize;

    /// Brings 64 bytes nearer, if that helps.
    fn prefetch(&self, _bytes: *const u8) {}
}

impl Machine for SoftwareTiles {
    type S = Scalar;

    fn simd(&self) -> Scalar {
        Scalar
    }

    fn interleave(&self, rows: &[u8; 4 * TOKENS], tiles: &mut [&mut [u8; TILE]; ACROSS], quad: usize) {
        for token in 0..TOKENS {
            let lane = lane_of(token);
            for i in 0..4 {
                tiles[lane / SIDE][64 * quad + 4 * (lane % SIDE) + i] = rows[i * TOKENS + token];
            }
        }
    }

    fn expand(&self, mask: u64, values: &[u8], rows: &mut [u8; 256]) -> usize {
        let mut at = 0;
        for row in rows.chunks_exact_mut(64) {
            for (input, to) in row.iter_mut().enumerate() {
                let kept = mask >> input & 1 == 1;
                *to = if kept { values[at] } else { 0 };
                at += usize::from(kept);
            }
        }
        at
    }
}
