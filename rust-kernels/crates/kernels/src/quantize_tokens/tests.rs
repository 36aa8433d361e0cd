//! Every tier against one token at a time.

use super::*;
use crate::panel::lane_of;
use neural_engine_testkit::{Edge, Guarded, Rng, assert_same_bits};
use proptest::prelude::*;

const FORMS: [TokenForm; 2] = [TokenForm::Asymmetric, TokenForm::Symmetric];

/// Codes, step and zero of the finite values of one token, as the table of the module says.
fn expected(form: TokenForm, x: &[f32]) -> (Vec<u8>, f32, f32) {
    let (low, high) = x.iter().fold((0f32, 0f32), |(low, high), &x| (low.min(x), high.max(x)));
    let (range, codes) = match form {
        TokenForm::Asymmetric => (high - low, 255.0),
        TokenForm::Symmetric => (high.max(-low), 127.0),
    };
    let range = range.max(1e-30);
    let inverse = codes / range;
    let zero = match form {
        TokenForm::Asymmetric => (-low * inverse).round_ties_even().min(255.0),
        TokenForm::Symmetric => 128.0,
    };
    (x.iter().map(|x| x.mul_add(inverse, zero).round_ties_even() as u8).collect(), range / codes, zero)
}

fn check(form: TokenForm, x: &[f32], edge: Edge) {
    let features = x.len() / TOKENS;
    for isa in Isa::available() {
        let panel = Guarded::copy(x, edge);
        let mut y = Guarded::new(x.len(), 0xa5u8, edge);
        let (mut step, mut zero) = (Guarded::new(TOKENS, -1f32, edge), Guarded::new(TOKENS, -1f32, edge));
        quantize_tokens(isa, form, &panel, &mut y, &mut step, &mut zero).unwrap();
        for token in 0..TOKENS {
            let lane = lane_of(token);
            let column: Vec<f32> = (0..features).map(|f| x[f * TOKENS + lane]).collect();
            let (codes, want_step, want_zero) = expected(form, &column);
            let got: Vec<u8> = (0..features).map(|f| y[f * TOKENS + token]).collect();
            let name = format!("{form:?} on {} token {token} of {features} features", isa.tier().name());
            assert_eq!(got, codes, "{name}");
            assert_same_bits(&name, &[step[lane], zero[lane]], &[want_step, want_zero]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_tier_codes_each_token_by_its_own_range(features in 1usize..=70, low in -50f32..1.0, width in 0f32..60.0, at_end: bool, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut x = rng.f32s(features * TOKENS, low, low + width + 1e-3);
        // Tokens of quite different sizes stand side by side.
        for (i, x) in x.iter_mut().enumerate() {
            *x *= [1.0, 1e-3, 300.0, -1.0][i % 4];
        }
        for form in FORMS {
            check(form, &x, if at_end { Edge::End } else { Edge::Start });
        }
    }
}

#[test]
fn zeros_tiny_values_and_ties_are_coded_like_any_other() {
    let mut x = vec![0f32; 5 * TOKENS];
    for f in 0..5 {
        x[f * TOKENS + 1] = 1e-38; // below the least range
        x[f * TOKENS + 2] = [0.0, 0.5, 1.5, 254.5, 255.0][f]; // a step of 1 and ties
        x[f * TOKENS + 3] = -1.0; // nothing above zero
        x[f * TOKENS + 4] = 2.0; // nothing below zero
        x[f * TOKENS + 5] = [-127.0, 126.5, 0.5, -0.5, 1.5][f];
    }
    for form in FORMS {
        check(form, &x, Edge::End);
    }
    check(TokenForm::Asymmetric, &[], Edge::End);
}

#[test]
fn what_is_not_finite_poisons_its_token_alone() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (form, isa) in FORMS.into_iter().flat_map(|form| Isa::available().into_iter().map(move |isa| (form, isa))) {
            let mut x = vec![0.5f32; 3 * TOKENS];
            x[TOKENS + 7] = bad;
            let (mut y, mut step, mut zero) = (vec![0; x.len()], [0f32; TOKENS], [0f32; TOKENS]);
            quantize_tokens(isa, form, &x, &mut y, &mut step, &mut zero).unwrap();
            for (lane, step) in step.iter().enumerate() {
                assert_eq!(step.is_nan(), lane == 7, "{form:?} {bad} lane {lane} on {}", isa.tier().name());
            }
        }
    }
    // Finite values whose distance is beyond f32 give no number either.
    let mut x = vec![f32::MAX; 2 * TOKENS];
    x[TOKENS..].fill(f32::MIN);
    let (mut y, mut step, mut zero) = (vec![0; x.len()], [0f32; TOKENS], [0f32; TOKENS]);
    quantize_tokens(Isa::best(), TokenForm::Asymmetric, &x, &mut y, &mut step, &mut zero).unwrap();
    assert!(step.iter().all(|step| !step.is_finite()));
}

#[test]
fn wrong_lengths_are_refused_by_name() {
    let call = |x: usize, y: usize, step: usize, zero: usize| {
        let (x, mut y, mut step, mut zero) = (vec![0.0; x], vec![0; y], vec![0.0; step], vec![0.0; zero]);
        match quantize_tokens(Isa::best(), TokenForm::Asymmetric, &x, &mut y, &mut step, &mut zero) {
            Err(KernelError::Length { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(call(63, 63, 64, 64), "x");
    assert_eq!(call(128, 64, 64, 64), "y");
    assert_eq!(call(64, 64, 63, 64), "step");
    assert_eq!(call(64, 64, 64, 128), "zero");
}

#[test]
fn a_bf16_panel_is_coded_as_its_values_are() {
    let mut rng = Rng::from_env(77);
    let mut halves = vec![0u16; 23 * TOKENS];
    crate::bf16::narrow(Isa::best(), &rng.f32s(halves.len(), -9.0, 4.0), &mut halves).unwrap();
    let mut values = vec![0f32; halves.len()];
    crate::bf16::widen(Isa::best(), &halves, &mut values).unwrap();
    for (isa, form) in Isa::available().into_iter().flat_map(|isa| FORMS.map(|form| (isa, form))) {
        for edge in Edge::BOTH {
            let (mut y, mut want) = (Guarded::new(halves.len(), 0xa5u8, edge), vec![0u8; halves.len()]);
            let (mut step, mut zero) = (Guarded::new(TOKENS, -1f32, edge), Guarded::new(TOKENS, -1f32, edge));
            let (mut want_step, mut want_zero) = ([0f32; TOKENS], [0f32; TOKENS]);
            quantize_tokens_bf16(isa, form, &Guarded::copy(&halves, edge), &mut y, &mut step, &mut zero).unwrap();
            quantize_tokens(Isa::best(), form, &values, &mut want, &mut want_step, &mut want_zero).unwrap();
            assert_eq!(&y[..], &want[..], "{form:?} on {}", isa.tier().name());
            assert_same_bits(isa.tier().name(), &[&step[..], &zero[..]].concat(), &[want_step, want_zero].concat());
        }
    }
    let (mut y, mut step, mut zero) = ([0u8; TOKENS], [0f32; TOKENS], [0f32; TOKENS]);
    assert!(quantize_tokens_bf16(Isa::best(), TokenForm::Symmetric, &[0; 2 * TOKENS], &mut y, &mut step, &mut zero).is_err());
}
