//! Products on the CPU's tiles.

use super::element::Element;
use super::tile_product::{Call, Machine};
use crate::dot_u8s8::avx512_vnni::{interleave, load, store};
use crate::dot_u8s8::each;
use crate::panel::TOKENS;
use crate::tiles::{AmxTiles, SIDE, TILE};
use core::arch::x86_64::*;
use neural_engine_isa::{Amx, Avx512Vnni};

/// A checked call.
pub(super) fn run<Y: Element, const A: usize>(token: Amx, call: Call<'_, '_, '_, Y>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512vnni,popcnt")]
    fn featured<Y: Element, const A: usize>(token: Amx, call: Call<'_, '_, '_, Y>) {
        call.run::<_, A>(&mut AmxTiles::new(token));
    }
    // SAFETY: the token exists only where these features do.
    unsafe { featured::<Y, A>(token, call) }
}

impl Machine for AmxTiles {
    type S = Avx512Vnni;

    #[inline(always)]
    fn simd(&self) -> Avx512Vnni {
        self.token().avx512_vnni()
    }

    #[inline(always)]
    fn interleave(&self, rows: &[u8; 4 * TOKENS], tiles: &mut [&mut [u8; TILE]; 4], quad: usize) {
        assert!(quad < SIDE);
        // SAFETY: the array holds four times 64 bytes and a tile 16 times; the token proves the features.
        unsafe {
            let lanes = interleave(each!([0, 1, 2, 3], |i| load(rows.as_ptr().add(64 * i))));
            each!([0, 1, 2, 3], |j| store(tiles[j].as_mut_ptr().add(64 * quad), lanes[j]));
        }
    }

    #[inline(always)]
    fn expand(&self, mask: u64, values: &[u8], rows: &mut [u8; 256]) -> usize {
        let count = mask.count_ones() as usize;
        assert!(values.len() >= 3 * count + 64);
        // SAFETY: each row reads 64 bytes, the last from 3·count on, and writes 64 of 256; the token proves the features.
        unsafe {
            let row = |i: usize| _mm512_maskz_expand_epi8(mask, load(values.as_ptr().add(i * count)));
            each!([0, 1, 2, 3], |i| store(rows.as_mut_ptr().add(64 * i), row(i)));
        }
        4 * count
    }

    #[inline(always)]
    fn prefetch(&self, bytes: *const u8) {
        // SAFETY: a prefetch of any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.cast()) };
    }
}
