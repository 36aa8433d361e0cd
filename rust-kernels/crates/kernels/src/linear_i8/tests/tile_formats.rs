//! Packed bytes of the forms for tiles: what they are, and that nothing else is taken for them.

use crate::KernelError;
use crate::linear_i8::{Compressed4x1U8S8, DenseU8S8, MAX_K, MAX_M, Sparse4x1U8S8, TiledU8S8};
use neural_engine_testkit::Rng;

/// 40 × 70 with blocks at inputs 1 and 69 of rows 0..4 and at input 5 of rows 36..40.
fn compressed() -> Vec<u8> {
    let mut weight = vec![0i8; 40 * 70];
    for row in 0..4 {
        weight[70 * row + 1] = 10 + row as i8;
        weight[70 * row + 69] = -10 - row as i8;
        weight[70 * (36 + row) + 5] = 20 + row as i8;
    }
    Compressed4x1U8S8::pack(40, 70, &weight).unwrap()
}

/// Where the masks, the starts and the values of that weight begin: two groups of rows by two of inputs.
const MASKS: usize = 64;
const STARTS: usize = MASKS + 4 * 64;
const VALUES: usize = STARTS + 64;

#[test]
fn a_compressed_weight_is_laid_out_as_documented() {
    let bytes = compressed();
    assert_eq!(bytes.len(), VALUES + 128);
    assert_eq!(bytes[..20], *b"NEU8S8C1\x28\0\0\0\x46\0\0\0\x03\0\0\0");
    let mask = |group: usize, block: usize, q: usize| {
        let at = MASKS + ((group * 2 + block) * 8 + q) * 8;
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    };
    assert_eq!((mask(0, 0, 0), mask(0, 1, 0), mask(1, 0, 1)), (1 << 1, 1 << 5, 1 << 5));
    assert_eq!(
        (0..2).flat_map(|g| (0..2).map(move |b| (g, b))).flat_map(|(g, b)| (0..8).map(move |q| mask(g, b, q).count_ones())).sum::<u32>(),
        3
    );
    assert_eq!(bytes[STARTS..STARTS + 12], [0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(
        bytes[VALUES..VALUES + 12].iter().map(|&w| w as i8).collect::<Vec<_>>(),
        [10, 11, 12, 13, -10, -11, -12, -13, 20, 21, 22, 23]
    );
    assert!(bytes[VALUES + 12..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_tiled_weight_is_laid_out_as_documented() {
    let weight: Vec<i8> = (0..34 * 65).map(|i| (i % 251) as i8).collect();
    let bytes = TiledU8S8::pack(34, 65, &weight).unwrap();
    assert_eq!(bytes.len(), 64 + 2 * 2 * 2048);
    assert_eq!(bytes[..20], *b"NEU8S8T1\x22\0\0\0\x41\0\0\0\0\0\0\0");
    for (row, k) in [(0, 0), (15, 63), (16, 64), (31, 1), (33, 64), (32, 5)] {
        let at = 64 + ((row / 32) * 2 + k / 64) * 2048 + row % 32 * 64 + k % 64;
        assert_eq!(bytes[at] as i8, weight[65 * row + k], "{row}, {k}");
    }
    assert!(bytes[64 + 2 * 2048 + 2 * 64..64 + 3 * 2048].iter().all(|byte| *byte == 0), "rows beyond the last");
}

#[test]
fn broken_compressed_weights_are_refused_with_a_reason() {
    let good = compressed();
    let broken = |change: &dyn Fn(&mut Vec<u8>), text: &str| {
        let mut bytes = good.clone();
        change(&mut bytes);
        match Compressed4x1U8S8::view(40, 70, &bytes) {
            Err(KernelError::Sparse(reason)) => assert!(reason.contains(text), "{reason:?} does not say {text:?}"),
            other => panic!("{text}: {other:?}"),
        }
    };
    broken(&|bytes| bytes[MASKS] = 3, "the masks of the rows before 32 have 3 blocks, the starts say 2");
    broken(&|bytes| bytes[MASKS] = 0, "have 1 blocks, the starts say 2");
    broken(&|bytes| bytes[MASKS + 64] = 1 << 6 | 1 << 5, "the mask of row 0 and inputs from 64 on leaves 40x70");
    broken(&|bytes| bytes[MASKS + 2 * 64 + 2 * 8] = 1, "the mask of row 40 and inputs from 0 on leaves 40x70");
    broken(&|bytes| bytes[STARTS] = 1, "must start at block 0");
    broken(&|bytes| bytes[STARTS + 4] = 200, "the starts say 200");
    broken(&|bytes| bytes[STARTS + 4..STARTS + 8].fill(255), "the starts say 4294967295");
    broken(&|bytes| bytes[STARTS + 8] = 2, "the starts say 2");
    broken(&|bytes| bytes[16] = 4, "the masks have 3 blocks, the header says 4");
    broken(&|bytes| bytes[16] = 200, "takes");
    broken(&|bytes| bytes[16..20].fill(255), "at most");
    broken(&|bytes| drop(bytes.split_off(VALUES)), "takes 512 bytes, got 384");
    broken(&|bytes| bytes.push(0), "takes 512 bytes, got 513");
    broken(&|bytes| bytes.truncate(63), "too few");
    broken(&|bytes| bytes[7] = b'2', "the header is not that of a 40x70 weight");
    assert!(Compressed4x1U8S8::view(40, 71, &good).is_err());
    assert!(Compressed4x1U8S8::view(44, 70, &good).is_err());
    assert!(Compressed4x1U8S8::view(40, 70, &good).is_ok());
}

#[test]
fn one_form_is_not_taken_for_another() {
    let weight = vec![1i8; 8 * 8];
    let forms = [
        DenseU8S8::pack(8, 8, &weight).unwrap(),
        Sparse4x1U8S8::pack(8, 8, &weight).unwrap(),
        TiledU8S8::pack(8, 8, &weight).unwrap(),
        Compressed4x1U8S8::pack(8, 8, &weight).unwrap(),
    ];
    for (i, bytes) in forms.iter().enumerate() {
        assert_eq!(TiledU8S8::view(8, 8, bytes).is_ok(), i == 2);
        assert_eq!(Compressed4x1U8S8::view(8, 8, bytes).is_ok(), i == 3);
    }
    assert!(TiledU8S8::view(8, 65, &forms[2]).is_err());
    assert!(TiledU8S8::view(8, 8, &forms[2][..forms[2].len() - 64]).is_err());
    assert!(TiledU8S8::view(8, 8, &[]).is_err());
    for (m, k) in [(0, 4), (4, 0), (4, MAX_K + 1), (MAX_M + 4, 4), (usize::MAX, usize::MAX)] {
        assert!(TiledU8S8::pack(m, k, &[]).is_err() && TiledU8S8::view(m, k, &[]).is_err());
        assert!(Compressed4x1U8S8::pack(m, k, &[]).is_err() && Compressed4x1U8S8::view(m, k, &[]).is_err());
    }
    assert!(matches!(Compressed4x1U8S8::pack(6, 4, &[1; 24]), Err(KernelError::Invalid { name: "m", .. })));
    assert!(matches!(TiledU8S8::pack(6, 4, &[1; 23]), Err(KernelError::Length { name: "weight", expected: 24, actual: 23 })));
}

#[test]
fn random_damage_never_gets_past_the_view_with_values_out_of_range() {
    let mut rng = Rng::from_env(62);
    let weight: Vec<i8> = (0..36 * 70).map(|_| if rng.chance(0.5) { rng.bits() as i8 } else { 0 }).collect();
    let good = Compressed4x1U8S8::pack(36, 70, &weight).unwrap();
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..rng.range(1, 3) {
            let at = rng.below(bytes.len());
            bytes[at] = if rng.chance(0.5) { rng.bits() as u8 } else { bytes[at] ^ (1 << rng.below(8)) };
        }
        if let Ok(view) = Compressed4x1U8S8::view(36, 70, &bytes) {
            accepted += 1;
            for group in 0..2 {
                let masks = view.masks(group).as_flattened().iter().map(|mask| u64::from_le_bytes(*mask).count_ones() as usize);
                // Every row that is expanded finds 64 bytes behind its first value.
                assert!(view.values(group).len() >= 4 * masks.sum::<usize>() + 64);
            }
            assert!((0..36).all(|row| view.row(row).count() <= 70));
        }
    }
    assert!(accepted > 1000, "changed weights are still weights");
}
