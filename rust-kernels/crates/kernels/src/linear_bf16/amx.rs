//! The dense product on the CPU's tiles.

use super::element::Element;
use super::tile_product::Call;
use crate::tiles::AmxTiles;
use neural_engine_isa::Amx;

/// A checked call.
pub(super) fn run<Y: Element>(token: Amx, call: Call<'_, '_, Y>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn featured<Y: Element>(token: Amx, call: Call<'_, '_, Y>) {
        call.run(&mut AmxTiles::new(token), token.avx512_vnni());
    }
    // SAFETY: the token exists only where these features do.
    unsafe { featured(token, call) }
}
