//! Sums and 8-bit codes of every kernel, for all shapes, densities and ends of the ranges.

use super::case::{Case, assert_same, code_s8, code_u8, reorder};
use crate::linear_i8::*;
use crate::panel::{Residual, TOKENS};
use neural_engine_testkit::{Edge, Rng};
use proptest::prelude::*;

/// All outputs of all forms, tiers and panels against the loops.
fn check(case: &Case, edge: Edge) {
    let table: [u8; 256] = std::array::from_fn(|i| (i as u8).wrapping_mul(151) ^ 0x5a);
    let residual = reorder(&case.residual);
    let scaled: Vec<Vec<f32>> = (0..case.panels.len()).map(|panel| case.scaled(panel)).collect();
    case.forms(|layer, form| {
        let looked_up = LinearI8 { table: Some(&table), ..layer };
        for isa in Isa::available() {
            let rows = 0..case.m;
            let f32s = case.run(&layer, isa, rows.clone(), f32::NAN, None, edge);
            let summed = case.run(&layer, isa, rows.clone(), f32::NAN, Some(&case.residual), edge);
            let u8s = case.run(&layer, isa, rows.clone(), 0xa5u8, None, edge);
            let s8s = case.run(&layer, isa, rows.clone(), 0x5ai8, Some(&case.residual), edge);
            let table_u8s = case.run(&looked_up, isa, rows.clone(), 0xa5u8, None, edge);
            let table_s8s = case.run(&looked_up, isa, rows, 0x5ai8, None, edge);
            for (panel, want) in scaled.iter().enumerate() {
                let name = format!("{form} {} of {}x{}, panel {panel}", layer.kernel(isa), case.m, case.k);
                let with_residual: Vec<f32> = want.iter().zip(&residual).map(|(f, r)| f + r).collect();
                let codes: Vec<u8> = want.iter().map(|&f| code_u8(f)).collect();
                let looked: Vec<u8> = codes.iter().map(|&code| table[usize::from(code)]).collect();
                assert_same(&format!("{name}: f32"), &reorder(&f32s[panel]), want);
                assert_same(&format!("{name}: f32 with residual"), &reorder(&summed[panel]), &with_residual);
                assert_same(&format!("{name}: u8"), &u8s[panel], &codes);
                let codes: Vec<i8> = with_residual.iter().map(|&f| code_s8(f)).collect();
                assert_same(&format!("{name}: s8 with residual"), &s8s[panel], &codes);
                assert_same(&format!("{name}: table"), &table_u8s[panel], &looked);
                let looked: Vec<i8> = looked.iter().map(|&byte| byte as i8).collect();
                assert_same(&format!("{name}: table, s8"), &table_s8s[panel], &looked);
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_kernel_matches_the_dense_product(
        m in 1usize..=26, k in 1usize..=70, zeros in 0usize..=100, panels in 1usize..=4, extreme: bool, at_end: bool, seed: u64,
    ) {
        check(&Case::new(m, k, zeros, panels, extreme, seed), if at_end { Edge::End } else { Edge::Start });
    }
}

/// W7: tails of every kind, at both ends of a guarded page.
#[test]
fn chosen_shapes_and_densities_match_the_dense_product() {
    let shapes = [(1, 1, 0), (4, 1, 100), (4, 4, 0), (8, 3, 50), (12, 5, 0), (24, 257, 80), (28, 64, 90), (13, 63, 0), (64, 129, 70)];
    for (m, k, zeros) in shapes {
        for edge in Edge::BOTH {
            check(&Case::new(m, k, zeros, 2, false, 7 + k as u64), edge);
        }
    }
}

/// W5: rows without a weight beside full ones.
#[test]
fn rows_of_zeros_and_full_rows_stand_side_by_side() {
    let mut case = Case::new(16, 37, 0, 1, false, 3);
    case.weight[4 * 37..8 * 37].fill(0);
    case.weight[12 * 37..].fill(0);
    case.weight[15 * 37 + 36] = -1; // one last weight
    check(&case, Edge::End);
}

#[test]
fn more_weights_than_a_chunk_match() {
    // 4096 inputs × 48 rows are 192 KB dense, 72 KB and more sparse: several chunks either way.
    check(&Case::new(48, 4096, 40, 2, false, 5), Edge::Start);
}

#[test]
fn the_largest_sums_are_exact() {
    // 255 · −128 · 65 536 is the lowest sum a kernel can meet, just inside 32 bits; 16-bit sums would saturate at the second product.
    for (w, init) in [(-128i8, 0), (127, 1 << 23)] {
        let mut case = Case::new(4, MAX_K, 0, 1, false, 9);
        case.weight.fill(w);
        case.init.fill(init);
        case.panels[0].fill(255);
        let want = 255 * i32::from(w) * MAX_K as i32 + init;
        assert_eq!(case.sums(0)[0], want);
        case.mul.fill(1.0);
        case.add.fill(0.0);
        case.forms(|layer, form| {
            for isa in Isa::available() {
                let y = case.run(&layer, isa, 0..4, f32::NAN, None, Edge::End);
                assert!(y[0].iter().all(|y| *y == want as f32), "{form} {}", layer.kernel(isa));
            }
        });
    }
}

#[test]
fn a_saturating_product_would_be_caught() {
    // What `vpmaddubsw` does to two products of the extreme cases: the oracle must tell it from the exact sum.
    let saturating = |x: [u8; 2], w: [i8; 2]| {
        let sum = i32::from(x[0]) * i32::from(w[0]) + i32::from(x[1]) * i32::from(w[1]);
        sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
    };
    let case = Case::new(4, 2, 0, 1, true, 1);
    let differs = (0..4 * TOKENS).any(|i| {
        let (row, token) = (i / TOKENS, i % TOKENS);
        let (x, w) = (&case.panels[0], &case.weight[2 * row..2 * row + 2]);
        saturating([x[token], x[TOKENS + token]], [w[0], w[1]]) + case.init[row] != case.sums(0)[i]
    });
    assert!(differs);
}

#[test]
fn a_swapped_index_or_weight_would_be_caught() {
    let mut case = Case::new(8, 40, 0, 1, false, 2);
    case.weight.iter_mut().skip(1).step_by(2).for_each(|w| *w = 0); // leaves room beside every index
    let packed = Sparse4x1U8S8::pack(8, 40, &case.weight).unwrap();
    let want = case.scaled(0);
    // The first group: bytes 128.. after the header and one line of starts. Swap two weights of a row, then shift the last index.
    let swap = |bytes: &mut Vec<u8>| bytes.swap(128 + 8, 128 + 9);
    let shift = |bytes: &mut Vec<u8>| {
        assert!(bytes[128 + 6].is_multiple_of(2));
        bytes[128 + 6] += 1;
    };
    for defect in [&swap as &dyn Fn(&mut Vec<u8>), &shift] {
        let mut bytes = packed.clone();
        defect(&mut bytes);
        let layer = case.layer(WeightI8::Sparse(Sparse4x1U8S8::view(8, 40, &bytes).unwrap()));
        for isa in Isa::available() {
            let got = reorder(&case.run(&layer, isa, 0..8, f32::NAN, None, Edge::End)[0]);
            assert_ne!(got, want);
        }
    }
}

#[test]
fn splitting_rows_or_panels_changes_nothing() {
    let mut rng = Rng::from_env(31);
    for m in [40, 41, 43] {
        let case = Case::new(m, 50, 30, 3, false, rng.bits());
        case.forms(|layer, form| {
            for isa in Isa::available() {
                let whole = case.run(&layer, isa, 0..m, 0u8, None, Edge::End);
                for parts in [2, 3, 7, 100] {
                    let mut pieces = vec![Vec::new(); 3];
                    for part in 0..parts {
                        let rows = layer.weight.rows_of(part, parts);
                        for (all, piece) in pieces.iter_mut().zip(case.run(&layer, isa, rows, 0u8, None, Edge::End)) {
                            all.extend(piece);
                        }
                    }
                    assert_eq!(pieces, whole, "{form} {} in {parts} parts", layer.kernel(isa));
                }
                for (panel, want) in whole.iter().enumerate() {
                    let alone = Case { panels: vec![case.panels[panel].clone()], ..case.clone() };
                    assert_eq!(alone.run(&layer, isa, 0..m, 0u8, None, Edge::Start), std::slice::from_ref(want));
                }
            }
        });
    }
}

#[test]
fn the_distance_of_a_prefetch_changes_nothing() {
    // With ten inputs every address that is prefetched lies behind the weight.
    for (m, k) in [(4, 10), (36, 300)] {
        let case = Case::new(m, k, 60, 2, false, 83);
        case.forms(|layer, form| {
            for isa in Isa::available() {
                let name = format!("{form} {}", layer.kernel(isa));
                let own = case.run(&layer, isa, 0..m, 7u8, None, Edge::End).concat();
                assert_same(&name, &run_ahead::<0>(&case, &layer, isa), &own);
                assert_same(&name, &run_ahead::<4096>(&case, &layer, isa), &own);
                assert!([0, 512, 1024, 2048, 4096].contains(&layer.ahead(isa)), "{name} has a distance that is not measured");
            }
        });
    }
}

fn run_ahead<const AHEAD: usize>(case: &Case, layer: &LinearI8<'_>, isa: Isa) -> Vec<u8> {
    let mut y = vec![vec![7; case.m * TOKENS]; case.panels.len()];
    let both = case.panels.iter().zip(&mut y);
    let mut ios: Vec<_> = both.map(|(x, y)| Io { x, codes: None, y, residual: Residual::None }).collect();
    let mut scratch = vec![0; layer.scratch_len(ios.len())];
    layer.run_u8_ahead::<AHEAD>(isa, 0..case.m, &mut ios, &mut scratch).unwrap();
    y.concat()
}
