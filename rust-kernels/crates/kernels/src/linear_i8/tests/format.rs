//! Packed bytes: what they are, and that nothing else is taken for them.

use crate::KernelError;
use crate::linear_i8::{DenseU8S8, MAX_K, MAX_M, Sparse4x1U8S8};
use neural_engine_testkit::Rng;

/// 8 × 10 with row-block 0 using inputs 1, 2, 5, 7, 9 and row-block 1 using none.
fn sparse() -> (Vec<i8>, Vec<u8>) {
    let mut weight = vec![0i8; 80];
    for (row, value) in [3, -4, 5, -6].into_iter().enumerate() {
        for k in [1, 2, 5, 7, 9] {
            weight[10 * row + k] = value + k as i8;
        }
    }
    let packed = Sparse4x1U8S8::pack(8, 10, &weight).unwrap();
    (weight, packed)
}

#[test]
fn a_sparse_weight_is_laid_out_as_documented() {
    let (weight, bytes) = sparse();
    assert_eq!(bytes.len(), 64 + 64 + 64);
    assert_eq!(bytes[..20], *b"NEU8S8S2\x08\0\0\0\x0a\0\0\0\x02\0\0\0");
    // Starts of the row-blocks and the total, then how many groups have pairs that fit.
    assert_eq!(bytes[64..84], [0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    // The first group: four inputs, then four weights of each row.
    assert_eq!(bytes[128..136], [1, 0, 2, 0, 5, 0, 7, 0]);
    let first: Vec<u8> = (0..4).flat_map(|row| [1, 2, 5, 7].map(|k| weight[10 * row + k] as u8)).collect();
    assert_eq!(bytes[136..152], first);
    // The second repeats its only input with zero weights.
    assert_eq!(bytes[152..160], [9, 0, 9, 0, 9, 0, 9, 0]);
    let second: Vec<u8> = (0..4).flat_map(|row| [weight[10 * row + 9] as u8, 0, 0, 0]).collect();
    assert_eq!(bytes[160..176], second);
    assert!(bytes[176..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_dense_weight_is_laid_out_as_documented() {
    let weight: Vec<i8> = (1..=15).collect(); // 3 × 5
    let bytes = DenseU8S8::pack(3, 5, &weight).unwrap();
    assert_eq!(bytes.len(), 64 + 64);
    assert_eq!(bytes[..20], *b"NEU8S8D1\x03\0\0\0\x05\0\0\0\0\0\0\0");
    assert_eq!(bytes[64..80], [1, 2, 3, 4, 6, 7, 8, 9, 5, 0, 0, 0, 10, 0, 0, 0]);
    assert_eq!(bytes[80..96], [11, 12, 13, 14, 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0]);
}

/// W1, W2, W3, W4: inputs outside the weight or out of order, offsets and lengths that do not fit.
#[test]
fn broken_sparse_weights_are_refused_with_a_reason() {
    let (_, good) = sparse();
    let broken = |change: &dyn Fn(&mut Vec<u8>), text: &str| {
        let mut bytes = good.clone();
        change(&mut bytes);
        match Sparse4x1U8S8::view(8, 10, &bytes) {
            Err(KernelError::Sparse(reason)) => assert!(reason.contains(text), "{reason:?} does not say {text:?}"),
            other => panic!("{text}: {other:?}"),
        }
    };
    let set = |at: usize, value: u16| move |bytes: &mut Vec<u8>| bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    broken(&set(134, 10), "input 10 in group 0 is outside 0..10");
    broken(&set(134, 65_535), "outside 0..10");
    broken(&set(128, 2), "input 2 in group 0 occurs twice");
    broken(&set(152, 7), "input 7 in group 1 occurs twice");
    broken(&set(156, 8), "input 8 in group 1 follows padding");
    broken(&|bytes| bytes[161] = 1, "input 9 occurs twice with weights");
    broken(&|bytes| bytes[136..138].fill(127), "group 0 has pairs that do not fit 16 bits");
    broken(&|bytes| bytes[76] = 3, "3 of 2 groups have pairs that fit");
    broken(&|bytes| bytes[80] = 1, "row-block 1: 1 of 0 groups have pairs that fit");
    broken(&|bytes| bytes[64] = 1, "must start at group 0");
    broken(&|bytes| bytes[72] = 1, "last end at the group count");
    broken(&|bytes| bytes[68] = 3, "spans groups 0..3 of 2");
    broken(&|bytes| bytes[68..72].fill(255), "of 2");
    broken(&|bytes| drop(bytes.split_off(128)), "takes 192 bytes, got 128");
    broken(&|bytes| bytes.push(0), "takes 192 bytes, got 193");
    broken(&|bytes| bytes.truncate(63), "too few");
    broken(&|bytes| bytes[16..20].fill(255), "at most");
    broken(&|bytes| bytes[16] = 1, "the first row-block must start");
    broken(&|bytes| bytes[7] = b'1', "the header is not that of a 8x10 weight");
    broken(&|bytes| bytes[63] = 1, "the header");
    assert!(Sparse4x1U8S8::view(8, 11, &good).is_err());
    assert!(Sparse4x1U8S8::view(4, 10, &good).is_err());
    assert!(Sparse4x1U8S8::view(8, 10, &good).is_ok());
}

#[test]
fn a_repeated_input_is_padding_only_in_the_last_group() {
    let weight = vec![1i8; 4 * 8];
    let mut bytes = Sparse4x1U8S8::pack(4, 8, &weight).unwrap();
    bytes[128 + 6] = 2; // 0 1 2 2 | 4 5 6 7
    for row in 0..4 {
        bytes[128 + 8 + 4 * row + 3] = 0;
    }
    assert!(
        matches!(Sparse4x1U8S8::view(4, 8, &bytes), Err(KernelError::Sparse(reason)) if reason.contains("input 2 in group 0 occurs twice"))
    );
}

/// Inputs 0, 1 and 2 do not fit one another.
#[test]
fn inputs_stand_beside_those_that_they_fit() {
    let mut weight = vec![0i8; 4 * 8];
    for (k, column) in
        [[100, 100, 0, 0], [100, 0, 100, 0], [100, 0, 0, 127], [-100, 1, 1, 1], [0, -128, -128, 0], [-1; 4], [-1; 4]].iter().enumerate()
    {
        (0..4).for_each(|row| weight[8 * row + k] = column[row]);
    }
    let bytes = Sparse4x1U8S8::pack(4, 8, &weight).unwrap();
    let view = Sparse4x1U8S8::view(4, 8, &bytes).unwrap();
    let inputs = |group: &[u8]| [0, 2, 4, 6].map(|i| u16::from_le_bytes([group[i], group[i + 1]]));
    assert_eq!(view.block(0).chunks_exact(24).map(inputs).collect::<Vec<_>>(), [[0, 3, 1, 4], [2, 5, 6, 6]]);
    assert_eq!(view.fitting(0), 2);
}

#[test]
fn one_form_is_not_taken_for_the_other() {
    let weight = vec![1i8; 8 * 8];
    let (dense, sparse) = (DenseU8S8::pack(8, 8, &weight).unwrap(), Sparse4x1U8S8::pack(8, 8, &weight).unwrap());
    assert!(matches!(DenseU8S8::view(8, 8, &sparse), Err(KernelError::Invalid { name: "dense weight", .. })));
    assert!(matches!(Sparse4x1U8S8::view(8, 8, &dense), Err(KernelError::Sparse(_))));
    assert!(DenseU8S8::view(8, 9, &dense).is_err());
    assert!(DenseU8S8::view(8, 8, &dense[..dense.len() - 64]).is_err());
    assert!(DenseU8S8::view(8, 8, &[]).is_err());
    let mut counted = dense.clone();
    counted[16] = 1;
    assert!(DenseU8S8::view(8, 8, &counted).is_err());
}

/// W5: more weights than the format can count.
#[test]
fn shapes_outside_the_limits_are_refused_before_anything_is_allocated() {
    for (m, k) in [(0, 4), (4, 0), (4, MAX_K + 1), (MAX_M + 4, 4), (usize::MAX, usize::MAX)] {
        assert!(DenseU8S8::pack(m, k, &[]).is_err());
        assert!(Sparse4x1U8S8::pack(m, k, &[]).is_err());
        assert!(DenseU8S8::view(m, k, &[]).is_err());
        assert!(Sparse4x1U8S8::view(m, k, &[]).is_err());
    }
    assert!(matches!(Sparse4x1U8S8::pack(6, 4, &[1; 24]), Err(KernelError::Invalid { name: "m", .. })));
    assert!(matches!(DenseU8S8::pack(6, 4, &[1; 23]), Err(KernelError::Length { name: "weight", expected: 24, actual: 23 })));
    assert!(matches!(Sparse4x1U8S8::pack(4, 4, &[1; 17]), Err(KernelError::Length { name: "weight", .. })));
}

#[test]
fn random_damage_never_gets_past_the_view_with_an_index_out_of_range() {
    let mut rng = Rng::from_env(61);
    let weight: Vec<i8> = (0..16 * 20).map(|_| if rng.chance(0.5) { rng.bits() as i8 } else { 0 }).collect();
    let good = Sparse4x1U8S8::pack(16, 20, &weight).unwrap();
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..rng.range(1, 3) {
            let at = rng.below(bytes.len());
            bytes[at] = if rng.chance(0.5) { rng.bits() as u8 } else { bytes[at] ^ (1 << rng.below(8)) };
        }
        if let Ok(view) = Sparse4x1U8S8::view(16, 20, &bytes) {
            accepted += 1;
            let groups: usize = (0..4).map(|block| view.block(block).len() / 24).sum();
            assert_eq!(groups, view.groups());
            for group in (0..4).flat_map(|block| view.block(block).chunks_exact(24)) {
                assert!(group[..8].chunks_exact(2).all(|k| u16::from_le_bytes([k[0], k[1]]) < 20));
            }
        }
    }
    assert!(accepted > 1000, "changed weights are still weights");
}
