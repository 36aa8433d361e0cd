//! Every tier against the scalar definition, bit for bit, on ordinary and on hostile values.

use super::*;

/// Values where tiers could differ: signed zeros, subnormals, ties, the edges of i32, infinities, NaN.
const HOSTILE: [f32; 24] = [
    0.0,
    -0.0,
    1.0e-45,
    -1.0e-40,
    0.5,
    1.5,
    2.5,
    -0.5,
    -1.5,
    254.5,
    2147483500.0,
    2147483648.0,
    -2147483648.0,
    -2147483904.0,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    1.0,
    -1.0,
    3.25,
    8388609.0,
    0.99999994,
];

/// Three vectors of inputs.
#[derive(Clone, Copy)]
struct Inputs([[f32; 16]; 3]);

/// Everything a `Simd` computes lane by lane, as bits; NaN is made canonical because payloads are not promised.
struct All(Inputs);

impl SimdOp for All {
    type Output = Vec<(&'static str, Vec<u32>)>;
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) -> Self::Output {
        let Inputs([a, b, c]) = self.0;
        let (va, vb, vc) = (s.load(&a), s.load(&b), s.load(&c));
        let (ia, ib) = (s.to_bits(va), s.to_bits(vb));
        let mut out = Vec::new();
        let float = |x: S::F32| {
            let mut lanes = [0.0; 16];
            s.store(&mut lanes, x);
            lanes.iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect::<Vec<_>>()
        };
        let int = |x: S::I32| {
            let mut lanes = [0; 16];
            s.store_i32(&mut lanes, x);
            lanes.iter().map(|x| *x as u32).collect::<Vec<_>>()
        };
        let scale = s.max(s.min(s.round_even(s.mul(vb, s.splat(40.0))), s.splat(200.0)), s.splat(-200.0));
        let unit = s.from_bits(s.or_i32(s.and_i32(ia, s.splat_i32(0x007F_FFFF)), s.splat_i32(0x3F80_0000)));
        out.push(("add", float(s.add(va, vb))));
        out.push(("sub", float(s.sub(va, vb))));
        out.push(("mul", float(s.mul(va, vb))));
        out.push(("div", float(s.div(va, vb))));
        out.push(("fma", float(s.fma(va, vb, vc))));
        out.push(("fnma", float(s.fnma(va, vb, vc))));
        out.push(("sqrt", float(s.sqrt(va))));
        out.push(("min", float(s.min(va, vb))));
        out.push(("max", float(s.max(va, vb))));
        out.push(("abs", float(s.abs(va))));
        out.push(("neg", float(s.neg(va))));
        out.push(("copysign", float(s.copysign(va, vb))));
        out.push(("round_even", float(s.round_even(va))));
        out.push(("scale_by_power", float(s.scale_by_power(unit, scale))));
        out.push(("lt", vec![s.bits(s.lt(va, vb)).into()]));
        out.push(("le", vec![s.bits(s.le(va, vb)).into()]));
        out.push(("eq", vec![s.bits(s.eq(va, vb)).into()]));
        out.push(("is_nan", vec![s.bits(s.is_nan(va)).into()]));
        out.push(("select", float(s.select(s.lt(va, vb), va, vc))));
        out.push(("mask", float(s.select(s.mask(0x9C35), va, vb))));
        out.push(("add_i32", int(s.add_i32(ia, ib))));
        out.push(("sub_i32", int(s.sub_i32(ia, ib))));
        out.push(("mul_i32", int(s.mul_i32(ia, ib))));
        out.push(("min_i32", int(s.min_i32(ia, ib))));
        out.push(("max_i32", int(s.max_i32(ia, ib))));
        out.push(("and_i32", int(s.and_i32(ia, ib))));
        out.push(("or_i32", int(s.or_i32(ia, ib))));
        out.push(("xor_i32", int(s.xor_i32(ia, ib))));
        out.push(("shl", int(s.shl::<7>(ia))));
        out.push(("shr", int(s.shr::<5>(ia))));
        out.push(("shr_logical", int(s.shr_logical::<9>(ia))));
        out.push(("select_i32", int(s.select_i32(s.le(va, vb), ia, ib))));
        out.push(("to_i32", int(s.to_i32(va))));
        out.push(("to_f32", float(s.to_f32(ia))));
        out.push(("sum", vec![s.sum(s.min(va, s.splat(1e30))).to_bits() & if a.iter().any(|x| x.is_nan()) { 0 } else { !0 }]));
        out.push(("largest", vec![s.largest(s.abs(s.min(va, s.splat(1e30)))).to_bits()]));
        let lanes = [ia, ib, s.to_i32(va), s.to_i32(vb)].map(|x| s.shr::<22>(x));
        let (mut bytes, mut codes) = ([0u8; 64], [0i8; 64]);
        s.store_u8(&mut bytes, lanes);
        s.store_s8(&mut codes, lanes);
        out.push(("store_u8", bytes.iter().map(|x| u32::from(*x)).collect()));
        out.push(("store_s8", codes.iter().map(|x| *x as u32).collect()));
        for x in s.load_u8(&bytes) {
            out.push(("load_u8", int(x)));
        }
        for x in s.load_s8(&codes) {
            out.push(("load_s8", int(x)));
        }
        let mut halves = [0u16; 32];
        s.store_u16(&mut halves, [s.shr::<14>(ia), s.shr::<14>(ib)]);
        out.push(("store_u16", halves.iter().map(|x| u32::from(*x)).collect()));
        for x in s.load_u16(&halves) {
            out.push(("load_u16", int(x)));
        }
        let mut rows = [va; 16];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = s.fma(s.splat(i as f32), vb, va);
        }
        for x in s.transpose(rows) {
            out.push(("transpose", float(x)));
        }
        for n in [0, 1, 7, 8, 15, 16] {
            out.push(("load_partial", float(s.load_partial(&a[..n], 7.0))));
            let mut short = vec![9.0; n];
            s.store_partial(&mut short, vb);
            out.push(("store_partial", short.iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()));
        }
        out
    }
}

fn inputs() -> impl Iterator<Item = Inputs> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u32
    };
    (0..400).map(move |round| {
        Inputs(std::array::from_fn(|_| {
            std::array::from_fn(|_| match (round + next()) % 3 {
                0 => HOSTILE[next() as usize % HOSTILE.len()],
                1 => f32::from_bits(next() << 1 ^ next()),
                _ => (next() as f32 / 2f32.powi(30) - 1.0) * 8.0,
            })
        }))
    })
}

#[test]
fn every_tier_computes_the_same_bits_as_the_scalar_one() {
    for isa in Isa::available() {
        for input in inputs() {
            let want = Isa::capped(Tier::Scalar).dispatch(All(input));
            for ((name, got), (_, want)) in isa.dispatch(All(input)).iter().zip(&want) {
                assert_eq!(got, want, "{name} on {} of {:?}", isa.tier().name(), input.0);
            }
        }
    }
    for tier in Tier::ALL.into_iter().filter(|tier| Isa::capped(*tier).tier() != *tier) {
        println!("not tested here, the CPU lacks it: {}", tier.name());
    }
}

#[test]
fn minimum_and_maximum_return_the_second_operand_on_nan() {
    let s = Scalar;
    assert_eq!(s.min(s.splat(f32::NAN), s.splat(1.0))[0], 1.0);
    assert!(s.max(s.splat(1.0), s.splat(f32::NAN))[0].is_nan());
    assert!(s.max(s.splat(0.0), s.splat(-0.0))[0].is_sign_negative());
}

#[test]
fn conversion_rounds_ties_to_even_and_marks_what_does_not_fit() {
    let mut x = [0.0; 16];
    x[..6].copy_from_slice(&[0.5, 1.5, -2.5, f32::NAN, 3e9, -3e9]);
    assert_eq!(Scalar.to_i32(x)[..6], [0, 2, -2, i32::MIN, i32::MIN, i32::MIN]);
}

#[test]
fn bytes_come_out_in_token_order() {
    // Lane l of the 64 holds the token whose lane it is: bits 5:4 swapped with bits 3:2.
    let token = |lane: usize| (lane & 3 | (lane & 12) << 2 | (lane & 48) >> 2) as i32;
    let lanes: [[i32; 16]; 4] = std::array::from_fn(|v| std::array::from_fn(|i| token(16 * v + i)));
    let mut bytes = [0; 64];
    Scalar.store_u8(&mut bytes, lanes);
    assert!(bytes.iter().enumerate().all(|(i, b)| i == *b as usize));
    assert_eq!(Scalar.load_u8(&bytes), lanes);
}

#[test]
fn halves_alternate_by_fours_and_come_back() {
    let vectors: [[i32; 16]; 2] = std::array::from_fn(|v| std::array::from_fn(|i| (100 * v + i) as i32));
    let mut halves = [0; 32];
    Scalar.store_u16(&mut halves, vectors);
    assert_eq!(halves[..10], [0, 1, 2, 3, 100, 101, 102, 103, 4, 5]);
    assert_eq!(Scalar.load_u16(&halves), vectors);
}

#[test]
#[should_panic(expected = "whole vector")]
fn a_short_slice_is_refused() {
    Scalar.load(&[0.0; 15]);
}
