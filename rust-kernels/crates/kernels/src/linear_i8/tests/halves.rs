//! bf16 outputs and residuals: the f32 result, rounded once.

use super::case::{Case, assert_same};
use crate::bf16::{narrow, to_bf16, widen};
use crate::linear_i8::*;
use crate::panel::{Residual, TOKENS, TokenCodes};
use neural_engine_testkit::{Edge, Guarded, Rng};
use proptest::prelude::*;

/// What is added to the product.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Nothing,
    Panel,
    Half,
    InPlace,
}

fn halves(x: &[f32]) -> Vec<u16> {
    let mut halves = vec![0; x.len()];
    narrow(Isa::capped(neural_engine_isa::Tier::Scalar), x, &mut halves).unwrap();
    halves
}

fn floats(x: &[u16]) -> Vec<f32> {
    let mut floats = vec![0.0; x.len()];
    widen(Isa::capped(neural_engine_isa::Tier::Scalar), x, &mut floats).unwrap();
    floats
}

/// Steps and zero points of 64 tokens, where tokens are coded by themselves.
type Tokens = Option<(Vec<f32>, Vec<f32>)>;

/// Every form and tier in two calls, against the f32 output of the same layer.
fn check(mut case: Case, act: Activation, per_token: bool, edge: Edge) {
    let mut rng = Rng::new(case.m as u64);
    let tokens: Tokens = per_token.then(|| (rng.f32s(TOKENS, 1e-3, 0.1), (0..TOKENS).map(|_| rng.below(256) as f32).collect()));
    let sums: Vec<i32> = case.weight.chunks_exact(case.k).map(|row| row.iter().map(|&w| i32::from(w)).sum()).collect();
    if per_token {
        case.init.fill(0);
    }
    let old = halves(&case.residual);
    let old_f32 = floats(&old);
    case.forms(|layer, form| {
        let layer = LinearI8 { act, sums: per_token.then_some(&sums[..]), ..layer };
        for (isa, kind) in
            Isa::available().into_iter().flat_map(|isa| [Kind::Nothing, Kind::Panel, Kind::Half, Kind::InPlace].map(|kind| (isa, kind)))
        {
            for rows in [0..case.m.min(4), case.m.min(4)..case.m] {
                let cells = rows.start * TOKENS..rows.end * TOKENS;
                let inputs: Vec<_> = case.panels.iter().map(|x| Guarded::copy(x, edge)).collect();
                let codes = tokens.as_ref().map(|(step, zero)| TokenCodes { step, zero });
                let mut scratch = Guarded::new(layer.scratch_len(inputs.len()), 0xa5, edge);
                let (half, panel) = (Guarded::copy(&old[cells.clone()], edge), Guarded::copy(&case.residual[cells.clone()], edge));

                let mut ys: Vec<_> = match kind {
                    Kind::InPlace => inputs.iter().map(|_| Guarded::copy(&old[cells.clone()], edge)).collect(),
                    _ => inputs.iter().map(|_| Guarded::new(cells.len(), 0xffff_u16, edge)).collect(),
                };
                let residual = || match kind {
                    Kind::Nothing => Residual::None,
                    Kind::Panel => Residual::Panel(&panel),
                    Kind::Half => Residual::Half(&half),
                    Kind::InPlace => Residual::InPlace,
                };
                let mut ios: Vec<_> = inputs.iter().zip(&mut ys).map(|(x, y)| Io { x, codes, y, residual: residual() }).collect();
                layer.run_bf16(isa, rows.clone(), &mut ios, &mut scratch).unwrap();

                let mut wants: Vec<_> = inputs.iter().map(|_| vec![f32::NAN; cells.len()]).collect();
                let residual = || match kind {
                    Kind::Nothing => Residual::None,
                    Kind::Panel => Residual::Panel(&panel),
                    Kind::Half | Kind::InPlace => Residual::Panel(&old_f32[cells.clone()]),
                };
                let mut ios: Vec<_> = inputs.iter().zip(&mut wants).map(|(x, y)| Io { x, codes, y, residual: residual() }).collect();
                layer.run_f32(isa, rows, &mut ios, &mut scratch).unwrap();
                for (y, want) in ys.iter().zip(&wants) {
                    assert_same(&format!("{form} {} {kind:?} {act:?}", layer.kernel(isa)), y, &halves(want));
                }
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_kernel_rounds_the_finished_value_once(
        m in 1usize..=26, k in 1usize..=70, zeros in 0usize..=100, panels in 1usize..=3, per_token: bool, at_end: bool, seed: u64,
    ) {
        check(Case::new(m, k, zeros, panels, false, seed), Activation::None, per_token, if at_end { Edge::End } else { Edge::Start });
    }
}

#[test]
fn activations_come_before_the_rounding() {
    for act in [Activation::GeluErf, Activation::Relu] {
        check(Case::new(12, 33, 50, 2, false, 96), act, false, Edge::End);
    }
}

#[test]
fn ties_go_to_even_and_values_that_are_no_numbers_stay_such() {
    let mut case = Case::new(8, 4, 0, 1, false, 97);
    let values = [1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, f32::MAX, f32::NEG_INFINITY, f32::NAN, 1e-40, -3.0, 0.0];
    case.mul.fill(0.0);
    case.add.copy_from_slice(&values);
    case.forms(|layer, form| {
        for isa in Isa::available() {
            let y = &case.run(&layer, isa, 0..8, 0x1234u16, None, Edge::End)[0];
            for (row, value) in values.iter().enumerate() {
                assert!(y[row * TOKENS..][..TOKENS].iter().all(|y| *y == to_bf16(*value)), "{form} {} {value}", layer.kernel(isa));
            }
        }
    });
}

#[test]
fn bf16_is_added_to_bf16_alone_and_takes_neither_code_nor_table() {
    let case = Case::new(4, 4, 0, 1, false, 98);
    let named = |result: Result<(), KernelError>| match result {
        Err(KernelError::Length { name, .. } | KernelError::Invalid { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    let (x, half) = (&case.panels[0][..], vec![0u16; 4 * TOKENS]);
    case.forms(|layer, _| {
        let (isa, mut scratch) = (Isa::best(), vec![0; layer.scratch_len(1)]);
        let (mut float, mut byte, mut y) = (vec![0f32; 4 * TOKENS], vec![0u8; 4 * TOKENS], half.clone());
        let residual = || Residual::Half(&half);
        let to_f32 = layer.run_f32(isa, 0..4, &mut [Io { x, codes: None, y: &mut float, residual: residual() }], &mut scratch);
        assert_eq!(named(to_f32), "residual");
        let to_u8 = layer.run_u8(isa, 0..4, &mut [Io { x, codes: None, y: &mut byte, residual: residual() }], &mut scratch);
        assert_eq!(named(to_u8), "residual");
        let short = Residual::Half(&half[1..]);
        let cut = layer.run_bf16(isa, 0..4, &mut [Io { x, codes: None, y: &mut y, residual: short }], &mut scratch);
        assert_eq!(named(cut), "residual");
        let coded = LinearI8 { code: Some(Code { scale: 1.0, zero: 0 }), ..layer };
        let refused = coded.run_bf16(isa, 0..4, &mut [Io { x, codes: None, y: &mut y, residual: Residual::None }], &mut scratch);
        assert_eq!(named(refused), "code");
        let looked_up = LinearI8 { table: Some(&[0; 256]), ..layer };
        let refused = looked_up.run_bf16(isa, 0..4, &mut [Io { x, codes: None, y: &mut y, residual: Residual::None }], &mut scratch);
        assert_eq!(named(refused), "table");
    });
}
