//! Inputs coded token by token: the correction by each token's zero point, exact before it is scaled.

use super::case::{Case, assert_same, reorder};
use crate::linear_i8::*;
use crate::panel::{Residual, TOKENS, TokenCodes, lane_of};
use neural_engine_isa::Scalar;
use neural_engine_testkit::{Edge, Guarded, Rng, assert_same_bits};
use proptest::prelude::*;

/// Steps and zero points of 64 tokens in lane order; both ends of the codes are among the zero points.
fn codes(seed: u64) -> (Vec<f32>, Vec<f32>) {
    let mut rng = Rng::new(seed);
    let zero = (0..TOKENS).map(|i| if i < 2 { 255.0 * i as f32 } else { rng.below(256) as f32 }).collect();
    (rng.f32s(TOKENS, 1e-3, 0.1), zero)
}

fn sums(case: &Case) -> Vec<i32> {
    case.weight.chunks_exact(case.k).map(|row| row.iter().map(|&w| i32::from(w)).sum()).collect()
}

/// act(fma(Σ w·(x − zero), mul·step, add) + residual) in lane order, by loops in 64 bits; init is zero.
fn expected(case: &Case, panel: usize, step: &[f32], zero: &[f32], act: Activation) -> Vec<f32> {
    let x = &case.panels[panel];
    let cell = |i: usize| {
        let (row, lane) = (i / TOKENS, i % TOKENS);
        let centred = |k: usize| i64::from(x[k * TOKENS + lane_of(lane)]) - zero[lane] as i64;
        let sum: i64 = (0..case.k).map(|k| i64::from(case.weight[row * case.k + k]) * centred(k)).sum();
        let f = (i32::try_from(sum).unwrap() as f32).mul_add(case.mul[row] * step[lane], case.add[row]) + case.residual[i];
        act.apply(Scalar, [f; 16])[0]
    };
    (0..case.m * TOKENS).map(cell).collect()
}

fn check(mut case: Case, act: Activation, edge: Edge) {
    case.init.fill(0);
    let sums = sums(&case);
    let codes: Vec<_> = (0..case.panels.len()).map(|panel| codes(91 + panel as u64)).collect();
    case.forms(|layer, form| {
        let layer = LinearI8 { act, sums: Some(&sums), ..layer };
        for isa in Isa::available() {
            let parts = [0..case.m.min(4), case.m.min(4)..case.m];
            let mut got: Vec<Vec<f32>> = vec![Vec::new(); codes.len()];
            for rows in parts {
                let cells = rows.start * TOKENS..rows.end * TOKENS;
                let inputs: Vec<_> = case.panels.iter().map(|x| Guarded::copy(x, edge)).collect();
                let tokens: Vec<_> = codes.iter().map(|(step, zero)| (Guarded::copy(step, edge), Guarded::copy(zero, edge))).collect();
                let mut outputs: Vec<_> = inputs.iter().map(|_| Guarded::new(cells.len(), f32::NAN, edge)).collect();
                let mut scratch = Guarded::new(layer.scratch_len(inputs.len()), 0xa5, edge);
                let residual = Guarded::copy(&case.residual[cells], edge);
                let io = |((x, (step, zero)), y)| Io { x, codes: Some(TokenCodes { step, zero }), y, residual: Residual::Panel(&residual) };
                let views = inputs.iter().map(|x| &x[..]).zip(tokens.iter().map(|(step, zero)| (&step[..], &zero[..])));
                let mut ios: Vec<_> = views.zip(outputs.iter_mut().map(|y| &mut y[..])).map(io).collect();
                layer.run_f32(isa, rows, &mut ios, &mut scratch).unwrap();
                got.iter_mut().zip(&outputs).for_each(|(all, part)| all.extend_from_slice(part));
            }
            for (panel, (step, zero)) in codes.iter().enumerate() {
                let name = format!("{form} {} of {}x{}, panel {panel}", layer.kernel(isa), case.m, case.k);
                assert_same_bits(&name, &got[panel], &expected(&case, panel, step, zero, act));
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_kernel_corrects_by_the_zero_point_of_each_token(
        m in 1usize..=26, k in 1usize..=70, zeros in 0usize..=100, panels in 1usize..=4, extreme: bool, at_end: bool, seed: u64,
    ) {
        check(Case::new(m, k, zeros, panels, extreme, seed), Activation::None, if at_end { Edge::End } else { Edge::Start });
    }
}

#[test]
fn activations_come_after_the_residual() {
    for act in [Activation::GeluErf, Activation::Relu] {
        check(Case::new(12, 33, 50, 2, false, 92), act, Edge::End);
    }
}

#[test]
fn tokens_coded_alike_give_what_a_shared_code_gives() {
    let mut case = Case::new(8, 21, 30, 1, false, 93);
    let (sums, shared_zero) = (sums(&case), 131);
    let (step, zero) = (vec![1f32; TOKENS], vec![shared_zero as f32; TOKENS]);
    case.init = sums.iter().map(|sum| -shared_zero * sum).collect();
    let want: Vec<f32> = case.scaled(0);
    case.init.fill(0);
    case.forms(|layer, form| {
        let layer = LinearI8 { sums: Some(&sums), ..layer };
        let (mut y, mut scratch) = (vec![0f32; 8 * TOKENS], vec![0; layer.scratch_len(1)]);
        let codes = Some(TokenCodes { step: &step, zero: &zero });
        layer
            .run_f32(Isa::best(), 0..8, &mut [Io { x: &case.panels[0], codes, y: &mut y, residual: Residual::None }], &mut scratch)
            .unwrap();
        assert_same(form, &reorder(&y), &want);
    });
}

#[test]
fn codes_and_sums_go_together_and_give_f32() {
    let case = Case::new(4, 4, 0, 1, false, 94);
    let (sums, (step, zero)) = (sums(&case), codes(95));
    case.forms(|layer, _| {
        let mut scratch = vec![0; layer.scratch_len(1)];
        let mut call = |sums: Option<&[i32]>, codes: Option<TokenCodes<'_>>| {
            let (layer, mut y) = (LinearI8 { sums, ..layer }, [0f32; 4 * TOKENS]);
            match layer.run_f32(
                Isa::best(),
                0..4,
                &mut [Io { x: &case.panels[0], codes, y: &mut y, residual: Residual::None }],
                &mut scratch,
            ) {
                Err(KernelError::Length { name, .. } | KernelError::Invalid { name, .. }) => name,
                other => panic!("{other:?}"),
            }
        };
        let good = TokenCodes { step: &step, zero: &zero };
        assert_eq!(call(None, Some(good)), "codes");
        assert_eq!(call(Some(&sums), None), "codes");
        assert_eq!(call(Some(&sums[1..]), Some(good)), "sums");
        assert_eq!(call(Some(&sums), Some(TokenCodes { step: &step[1..], zero: &zero })), "step");
        assert_eq!(call(Some(&sums), Some(TokenCodes { step: &step, zero: &zero[1..] })), "zero");
        let mut y = [0u8; 4 * TOKENS];
        let coded = LinearI8 { sums: Some(&sums), ..layer };
        let refused = coded.run_u8(
            Isa::best(),
            0..4,
            &mut [Io { x: &case.panels[0], codes: Some(good), y: &mut y, residual: Residual::None }],
            &mut scratch,
        );
        assert!(matches!(refused, Err(KernelError::Invalid { name: "sums", .. })), "{refused:?}");
    });
}
