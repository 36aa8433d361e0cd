//! AMX: whole panels of keys by tiles, what is left of a span by VNNI.
//!
//! Scores: 16 keys × 64 features by 64 features × 16 queries, for which the keys are turned round; P·V: 16 features × 64 keys, as they lie
//! in the panel, by 64 keys × 16 queries, as probabilities are packed.

use super::head::Job;
use super::products::{Byte, PANEL_QUADS, Products, QUAD, Row};
use crate::dot_u8s8::avx512_vnni::{load, store};
use crate::tiles::{AmxTiles, Lanes, SIDE, TILE, Tiles};
use core::arch::x86_64::*;
use neural_engine_isa::{Amx, Avx512Vnni, Simd};
use std::cell::RefCell;

/// All heads of a checked call.
pub(super) fn run(token: Amx, job: Job<'_>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn featured(token: Amx, job: Job<'_>) {
        job.run(ByTiles { tiles: &RefCell::new(AmxTiles::new(token)), vnni: token.avx512_vnni() });
    }
    // SAFETY: the token exists only where these features do.
    unsafe { featured(token, job) }
}

/// Products by this thread's tiles.
#[derive(Clone, Copy)]
struct ByTiles<'a> {
    tiles: &'a RefCell<AmxTiles>,
    vnni: Avx512Vnni,
}

impl Products for ByTiles<'_> {
    type S = Avx512Vnni;
    const TILES: bool = true;

    #[inline(always)]
    fn simd(self) -> Avx512Vnni {
        self.vnni
    }

    #[inline(always)]
    fn interleave<B: Byte>(self, rows: &[B], quad: &mut [u8]) {
        self.vnni.interleave(rows, quad);
    }

    #[inline(always)]
    fn tile<B: Byte, const ROW: usize, const STEP: usize>(self, acc: [Row<Self>; 4], x: &[u8], w: &[B], steps: usize) -> [Row<Self>; 4] {
        self.vnni.tile::<B, ROW, STEP>(acc, x, w, steps)
    }

    #[inline(always)]
    fn zero_point(self, quads: &[u8]) -> Row<Self> {
        self.vnni.zero_point(quads)
    }

    #[inline(always)]
    fn probability(self, x: __m512) -> __m512i {
        self.vnni.probability(x)
    }

    #[inline(always)]
    fn pack(self, rows: &[Row<Self>; 4], quad: &mut [u8], sum: Row<Self>) -> Row<Self> {
        self.vnni.pack(rows, quad, sum)
    }

    #[inline(always)]
    fn store_tokens(self, y: &mut [u8], codes: Row<Self>, from: usize, to: usize) {
        self.vnni.store_tokens(y, codes, from, to);
    }

    #[inline(always)]
    fn scores_on_tiles(self, q: &[u8], k: &[u8], scores: &mut [[Lanes; SIDE]; 16]) {
        let tiles = &mut *self.tiles.borrow_mut();
        let (q, k) = (q.as_chunks::<{ PANEL_QUADS * QUAD }>().0, k.as_chunks::<{ PANEL_QUADS * QUAD }>().0);
        for (keys, scores) in scores.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            tiles.zero::<0>();
            tiles.zero::<1>();
            tiles.zero::<2>();
            tiles.zero::<3>();
            for (q, k) in q.iter().zip(k) {
                let mut turned = [0; TILE];
                turn_round(self.vnni, k, keys, &mut turned);
                tiles.load::<4>(&turned);
                tiles.load_apart::<5, QUAD>(q, 0);
                tiles.dot_s8u8::<0, 4, 5>();
                tiles.load_apart::<6, QUAD>(q, 64);
                tiles.dot_s8u8::<1, 4, 6>();
                tiles.load_apart::<7, QUAD>(q, 128);
                tiles.dot_s8u8::<2, 4, 7>();
                tiles.load_apart::<5, QUAD>(q, 192);
                tiles.dot_s8u8::<3, 4, 5>();
            }
            tiles.store::<0>(&mut scores[0]);
            tiles.store::<1>(&mut scores[1]);
            tiles.store::<2>(&mut scores[2]);
            tiles.store::<3>(&mut scores[3]);
        }
    }

    #[inline(always)]
    fn begin_on_tiles(self) {
        let tiles = &mut *self.tiles.borrow_mut();
        tiles.zero::<0>();
        tiles.zero::<1>();
        tiles.zero::<2>();
        tiles.zero::<3>();
    }

    #[inline(always)]
    fn context_on_tiles(self, v: &[i8; TILE], p: &[u8]) {
        let p: &[u8; PANEL_QUADS * QUAD] = p.first_chunk().expect("the probabilities of a whole panel");
        let tiles = &mut *self.tiles.borrow_mut();
        tiles.load::<4>(i8::bytes(v).first_chunk().expect("as many bytes"));
        tiles.load_apart::<5, QUAD>(p, 0);
        tiles.dot_s8u8::<0, 4, 5>();
        tiles.load_apart::<6, QUAD>(p, 64);
        tiles.dot_s8u8::<1, 4, 6>();
        tiles.load_apart::<7, QUAD>(p, 128);
        tiles.dot_s8u8::<2, 4, 7>();
        tiles.load_apart::<5, QUAD>(p, 192);
        tiles.dot_s8u8::<3, 4, 5>();
    }

    #[inline(always)]
    fn end_on_tiles(self, sums: &mut [[Lanes; SIDE]; 4]) {
        let tiles = &*self.tiles.borrow();
        tiles.store::<0>(&mut sums[0]);
        tiles.store::<1>(&mut sums[1]);
        tiles.store::<2>(&mut sums[2]);
        tiles.store::<3>(&mut sums[3]);
    }
}

/// The 16 keys of the lanes from `16 · keys` on, `[16 quads][64 lanes][4]`, as rows of 64 features.
#[inline(always)]
fn turn_round(simd: Avx512Vnni, quads: &[u8; PANEL_QUADS * QUAD], keys: usize, rows: &mut [u8; TILE]) {
    assert!(keys < 4);
    // SAFETY: quad i holds 256 bytes, of which 64 are read from 64 · keys on; a row has 64 bytes; the token proves the features.
    unsafe {
        let mut words = [_mm512_setzero_ps(); SIDE];
        for (i, words) in words.iter_mut().enumerate() {
            *words = _mm512_castsi512_ps(load(quads.as_ptr().add(i * QUAD + 64 * keys)));
        }
        let turned = simd.transpose(words);
        for (i, row) in turned.iter().enumerate() {
            store(rows.as_mut_ptr().add(64 * i), _mm512_castps_si512(*row));
        }
    }
}
