//! Tiles of the CPU against plain loops, plain loops against the formula.

use super::*;
use neural_engine_testkit::Rng;

fn matrix(bytes: &[u8]) -> &[u8; TILE] {
    bytes.try_into().unwrap()
}

/// A chain of products on all eight tiles; every accumulator that comes out of it.
fn chain<T: Tiles>(mut tiles: T, a: [&[u8; TILE]; 2], b: [&[u8; TILE]; 2], bf16: bool) -> Vec<Lanes> {
    let mut outs = vec![[[0x5a5a; SIDE]; SIDE]; 4];
    tiles.load::<4>(a[0]);
    tiles.load_apart::<5, 64>(a[1], 0);
    tiles.load::<6>(b[0]);
    tiles.load::<7>(b[1]);
    tiles.zero::<0>();
    tiles.load::<1>(if bf16 { b[1] } else { a[0] }); // sums go on from what is there
    tiles.zero::<2>();
    tiles.zero::<3>();
    for _ in 0..2 {
        if bf16 {
            tiles.dot_bf16::<0, 4, 6>();
            tiles.dot_bf16::<1, 4, 7>();
            tiles.dot_bf16::<2, 5, 6>();
            tiles.dot_bf16::<3, 5, 7>();
        } else {
            tiles.dot_s8u8::<0, 4, 6>();
            tiles.dot_s8u8::<1, 4, 7>();
            tiles.dot_s8u8::<2, 5, 6>();
            tiles.dot_s8u8::<3, 5, 7>();
        }
    }
    tiles.store::<0>(&mut outs[0]);
    tiles.store::<1>(&mut outs[1]);
    tiles.store::<2>(&mut outs[2]);
    tiles.store::<3>(&mut outs[3]);
    outs.concat()
}

#[test]
fn integer_products_follow_the_formula_and_wrap_around() {
    let mut rng = Rng::from_env(71);
    for extreme in [false, true] {
        let mut byte = || if extreme { [127, 128, 255, 0][rng.below(4)] } else { rng.bits() as u8 };
        let [a, b, c]: [Vec<u8>; 3] = std::array::from_fn(|_| (0..TILE).map(|_| byte()).collect());
        let mut tiles = SoftwareTiles::new();
        tiles.load::<0>(matrix(&c));
        tiles.load::<1>(matrix(&a));
        tiles.load::<2>(matrix(&b));
        tiles.dot_s8u8::<0, 1, 2>();
        let mut got = [[0; SIDE]; SIDE];
        tiles.store::<0>(&mut got);
        for m in 0..SIDE {
            for n in 0..SIDE {
                let start = i32::from_le_bytes(std::array::from_fn(|i| c[64 * m + 4 * n + i]));
                let sum: i64 = (0..64).map(|k| i64::from(a[64 * m + k] as i8) * i64::from(b[64 * (k / 4) + 4 * n + k % 4])).sum();
                assert_eq!(got[m][n], (i64::from(start) + sum) as i32, "{m}, {n}");
            }
        }
    }
}

#[test]
fn bf16_products_are_those_of_f32_with_one_rounding_a_step() {
    // 1.5 · 2 + 0.25 · −4 in the first pair, nothing in the others, onto 10.
    let half = |x: f32| ((x.to_bits() >> 16) as u16).to_le_bytes();
    let (mut a, mut b) = ([0u8; TILE], [0u8; TILE]);
    a[64 * 3..][..4].copy_from_slice(&[half(1.5), half(0.25)].concat());
    b[4 * 9..][..4].copy_from_slice(&[half(2.0), half(-4.0)].concat());
    let mut tiles = SoftwareTiles::new();
    tiles.load::<0>(matrix(&10f32.to_le_bytes().repeat(256)));
    tiles.load::<1>(&a);
    tiles.load::<2>(&b);
    tiles.dot_bf16::<0, 1, 2>();
    let mut got = [[0; SIDE]; SIDE];
    tiles.store::<0>(&mut got);
    for (m, row) in got.iter().enumerate() {
        for (n, x) in row.iter().enumerate() {
            assert_eq!(f32::from_bits(*x as u32), if (m, n) == (3, 9) { 12.0 } else { 10.0 });
        }
    }
}

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
#[test]
fn the_tiles_of_the_cpu_give_the_bits_of_plain_loops() {
    let Some(token) = neural_engine_isa::Isa::best().amx() else {
        eprintln!("not tested: this CPU has no tiles, or may not use them");
        return;
    };
    let mut rng = Rng::from_env(72);
    for round in 0..200 {
        let bf16 = round % 2 == 1;
        // Half of the bf16 rounds have all exponents, subnormal numbers and infinities among them; the others stay finite.
        let mut operand = || -> Vec<u8> {
            if !bf16 || round % 4 == 3 {
                return rng.bytes(TILE);
            }
            (0..TILE / 2).flat_map(|_| ((rng.f32(-3.0, 3.0).to_bits() >> 16) as u16).to_le_bytes()).collect()
        };
        let [a, b, c, d]: [Vec<u8>; 4] = std::array::from_fn(|_| operand());
        let (a, b) = ([matrix(&a), matrix(&b)], [matrix(&c), matrix(&d)]);
        let (got, want) = (chain(AmxTiles::new(token), a, b, bf16), chain(SoftwareTiles::new(), a, b, bf16));
        for (i, (got, want)) in got.as_flattened().iter().zip(want.as_flattened()).enumerate() {
            let nan = bf16 && f32::from_bits(*got as u32).is_nan() && f32::from_bits(*want as u32).is_nan();
            assert!(got == want || nan, "round {round}, value {i}: {got:#x} for {want:#x}");
        }
    }
}
