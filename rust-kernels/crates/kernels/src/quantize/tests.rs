//! Every tier against one value at a time.

use super::*;
use crate::panel::lane_of;
use neural_engine_testkit::{Edge, Guarded, Rng, assert_same_bits};

const CODES: [Code; 4] =
    [Code { scale: 12.75, zero: 117 }, Code { scale: -3.0, zero: 0 }, Code { scale: 1e-30, zero: -128 }, Code { scale: 1e30, zero: 255 }];

fn values(rows: usize) -> Vec<f32> {
    let mut rng = Rng::from_env(21);
    let mut x = rng.f32s(rows * TOKENS, -40.0, 40.0);
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0, 0.5, 1.5, 2.5, f32::MIN_POSITIVE, 1e-45];
    for (x, special) in x.iter_mut().step_by(3).zip(special) {
        *x = special;
    }
    x
}

#[test]
fn codes_are_those_of_single_values_in_token_order() {
    for rows in [1, 2, 7] {
        let x = values(rows);
        for (isa, code, edge) in every() {
            let x = Guarded::copy(&x, edge);
            let (mut u, mut s) = (Guarded::new(x.len(), 0xa5u8, edge), Guarded::new(x.len(), 0x5ai8, edge));
            quantize(isa, code, &x, Codes::U8(&mut u)).unwrap();
            quantize(isa, code, &x, Codes::S8(&mut s)).unwrap();
            for i in 0..x.len() {
                let lane = i / TOKENS * TOKENS + lane_of(i % TOKENS);
                assert_eq!((u[i], s[i]), (code.u8(x[lane]), code.s8(x[lane])), "{:?} of {} by {code:?}", isa.tier(), x[lane]);
            }
        }
    }
}

#[test]
fn every_code_goes_back_to_the_quotient() {
    let all: Vec<u8> = (0..=255).collect();
    for (isa, code, edge) in every() {
        let u = Guarded::copy(&all, edge);
        let s = Guarded::copy(&all.iter().map(|&q| q as i8).collect::<Vec<_>>(), edge);
        let (mut from_u, mut from_s) = (Guarded::new(256, f32::NAN, edge), Guarded::new(256, f32::NAN, edge));
        dequantize(isa, code, CodesRef::U8(&u), None, &mut from_u).unwrap();
        dequantize(isa, code, CodesRef::S8(&s), None, &mut from_s).unwrap();
        let want = |q: &dyn Fn(usize) -> i32| -> Vec<f32> {
            (0..256).map(|i| (q(i / TOKENS * TOKENS + lane_of(i % TOKENS)) - code.zero) as f32 / code.scale).collect()
        };
        assert_same_bits("u8", &from_u, &want(&|token| token as i32));
        assert_same_bits("s8", &from_s, &want(&|token| i32::from(token as u8 as i8)));
    }
}

#[test]
fn a_bias_joins_its_row() {
    let all: Vec<u8> = (0..=255).collect();
    let bias = [0.1, -3.0, 0.0, 1e9];
    for (isa, code, edge) in every() {
        let (mut plain, mut biased) = (vec![0.0; 256], Guarded::new(256, f32::NAN, edge));
        dequantize(isa, code, CodesRef::U8(&all), None, &mut plain).unwrap();
        dequantize(isa, code, CodesRef::U8(&all), Some(&Guarded::copy(&bias, edge)), &mut biased).unwrap();
        let want: Vec<f32> = plain.iter().enumerate().map(|(i, real)| real + bias[i / TOKENS]).collect();
        assert_same_bits("biased", &biased, &want);
    }
    let code = Code { scale: 1.0, zero: 0 };
    assert!(dequantize(Isa::best(), code, CodesRef::U8(&all), Some(&bias[..3]), &mut [0.0; 256]).is_err());
}

#[test]
fn a_code_survives_the_way_back_and_forth() {
    let code = Code { scale: 17.3, zero: 100 };
    let all: Vec<u8> = (0..=255).collect();
    for isa in Isa::available() {
        let (mut real, mut again) = (vec![0.0; 256], vec![0; 256]);
        dequantize(isa, code, CodesRef::U8(&all), None, &mut real).unwrap();
        quantize(isa, code, &real, Codes::U8(&mut again)).unwrap();
        assert_eq!(again, all);
    }
}

#[test]
fn wrong_lengths_and_scales_are_refused() {
    let isa = Isa::best();
    let code = Code { scale: 1.0, zero: 0 };
    assert!(quantize(isa, code, &[0.0; 64], Codes::U8(&mut [0; 128])).is_err());
    assert!(quantize(isa, code, &[0.0; 63], Codes::S8(&mut [0; 63])).is_err());
    assert!(dequantize(isa, code, CodesRef::U8(&[0; 64]), None, &mut [0.0; 63]).is_err());
    for scale in [0.0, f32::NAN, f32::INFINITY] {
        assert!(dequantize(isa, Code { scale, zero: 0 }, CodesRef::S8(&[0; 64]), None, &mut [0.0; 64]).is_err());
    }
    assert_eq!(quantize(isa, code, &[], Codes::U8(&mut [])), Ok(()));
}

fn every() -> impl Iterator<Item = (Isa, Code, Edge)> {
    let with_code = |isa| CODES.into_iter().flat_map(move |code| Edge::BOTH.map(|edge| (isa, code, edge)));
    Isa::available().into_iter().flat_map(with_code)
}
