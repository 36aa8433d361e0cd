//! Activations, in-place residuals and values that no code can hold.

use super::case::{Case, assert_same, code_s8, code_u8, reorder};
use crate::linear_i8::*;
use crate::panel::{Residual, TOKENS};
use neural_engine_isa::Scalar;
use neural_engine_testkit::{Edge, assert_same_bits};

const ACTIVATIONS: [Activation; 5] = [Activation::GeluErf, Activation::GeluTanh, Activation::Relu, Activation::Tanh, Activation::Sigmoid];

/// A case whose f lie around zero, where activations bend.
fn centred() -> Case {
    let mut case = Case::new(12, 30, 40, 2, false, 41);
    case.mul.iter_mut().for_each(|mul| *mul *= 0.05);
    case.add.fill(-0.25);
    case.residual.iter_mut().for_each(|r| *r *= 0.01);
    case
}

#[test]
fn activations_come_after_the_residual_and_before_the_code() {
    let case = centred();
    let residual = reorder(&case.residual);
    case.forms(|layer, form| {
        for act in ACTIVATIONS {
            for isa in Isa::available() {
                let code = Code { scale: 90.0, zero: 17 };
                let (plain, coded) = (LinearI8 { act, ..layer }, LinearI8 { act, code: Some(code), ..layer });
                let f32s = case.run(&plain, isa, 0..12, f32::NAN, Some(&case.residual), Edge::End);
                let u8s = case.run(&coded, isa, 0..12, 0xa5u8, Some(&case.residual), Edge::End);
                let s8s = case.run(&coded, isa, 0..12, 0x5ai8, Some(&case.residual), Edge::Start);
                for panel in 0..2 {
                    let f = case.scaled(panel).into_iter().zip(&residual).map(|(f, r)| f + r);
                    let active: Vec<f32> = f.map(|f| act.apply(Scalar, [f; 16])[0]).collect();
                    let real: Vec<f32> = active.iter().map(|f| f.mul_add(code.scale, code.zero as f32)).collect();
                    let name = format!("{form} {} {act:?}", layer.kernel(isa));
                    assert_same_bits(&name, &reorder(&f32s[panel]), &active);
                    assert_same(&name, &u8s[panel], &real.iter().map(|&f| code_u8(f)).collect::<Vec<_>>());
                    assert_same(&name, &s8s[panel], &real.iter().map(|&f| code_s8(f)).collect::<Vec<_>>());
                }
            }
        }
    });
}

#[test]
fn a_residual_in_place_is_what_the_destination_held() {
    let case = centred();
    case.forms(|layer, form| {
        for act in [Activation::None, Activation::Tanh] {
            let layer = LinearI8 { act, ..layer };
            for isa in Isa::available() {
                let want = &case.run(&layer, isa, 0..12, f32::NAN, Some(&case.residual), Edge::End)[0];
                let mut y = case.residual.clone();
                let mut scratch = vec![0; layer.scratch_len(1)];
                let mut ios = [Io { x: &case.panels[0], codes: None, y: &mut y, residual: Residual::InPlace }];
                layer.run_f32(isa, 0..12, &mut ios, &mut scratch).unwrap();
                assert_same_bits(&format!("{form} {}", layer.kernel(isa)), &y, want);
            }
        }
    });
}

#[test]
fn what_no_code_can_hold_saturates_and_nan_is_the_lowest_code() {
    let mut case = Case::new(8, 4, 0, 1, false, 42);
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 255.5, 127.5, -0.5];
    case.mul.fill(0.0);
    case.add.copy_from_slice(&values);
    case.forms(|layer, _| {
        for isa in Isa::available() {
            let u8s = &case.run(&layer, isa, 0..8, 1u8, None, Edge::End)[0];
            let s8s = &case.run(&layer, isa, 0..8, 1i8, None, Edge::End)[0];
            let rows: Vec<(u8, i8)> = (0..8).map(|row| (u8s[row * TOKENS + 5], s8s[row * TOKENS + 60])).collect();
            let want = [(0, -128), (255, 127), (0, -128), (255, 127), (0, -128), (255, 127), (128, 127), (0, 0)];
            assert_eq!(rows, want, "{}", layer.kernel(isa));
        }
    });
}
