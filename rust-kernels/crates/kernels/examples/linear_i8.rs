//! Speed of the int8 linear kernels on encoder shapes, as a share of the `vpdpbusd` rate measured seconds before.
//!
//! `cargo run --release --example linear_i8 [tier]`; rows: shape, zeros, panels of 64 tokens, and for each kernel microseconds a
//! call, 10⁹ multiply-adds by non-zero weights a second, share of the rate. Weights and panels are hot in cache.

#[allow(dead_code)]
mod rate;

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::Activation;
use neural_engine_kernels::linear_i8::{DenseU8S8, LinearI8, Sparse4x1U8S8, WeightI8};
use neural_engine_kernels::panel::{Io, Residual};
use rate::{Aligned, Rng, fastest, vpdpbusd};
use std::time::Duration;

const SHAPES: [(usize, usize); 6] = [(768, 768), (3072, 768), (768, 3072), (384, 384), (1536, 384), (384, 1536)];

fn weights(m: usize, k: usize, zeros: u64, rng: &mut Rng) -> Vec<i8> {
    let mut weight = vec![0i8; m * k];
    for block in 0..m / 4 {
        for column in 0..k {
            if rng.next() % 100 >= zeros {
                (0..4).for_each(|row| weight[(4 * block + row) * k + column] = (rng.next() % 254) as i8 | 1);
            }
        }
    }
    weight
}

fn time(layer: &LinearI8<'_>, isa: Isa, x: &[Aligned], scratch: &mut [u8]) -> f64 {
    let m = layer.weight.m();
    let mut y: Vec<Aligned> = x.iter().map(|_| Aligned::new(m * 64, |_| 0)).collect();
    fastest(Duration::from_millis(150), || {
        // At most four panels share a call.
        for (x, y) in x.chunks(4).zip(y.chunks_mut(4)) {
            let mut ios: Vec<_> = x
                .iter()
                .zip(y)
                .map(|(x, y)| Io { x: x.bytes(), y: y.bytes_mut(), residual: Residual::None })
                .collect();
            layer.run_u8(isa, 0..m, &mut ios, scratch).expect("the bench makes valid calls");
        }
    })
}

fn main() {
    let tier = std::env::args().nth(1).and_then(|name| Tier::parse(&name)).unwrap_or(Tier::Amx);
    let isa = Isa::capped(tier);
    let mut rng = Rng(88_172_645_463_325_252);
    println!("{:>11} {:>6} {:>7} | kernel: us, GMAC/s, share of vpdpbusd", "out x in", "zeros", "panels");
    for (m, k) in SHAPES {
        let (init, mul, add) = (vec![0i32; m], vec![5e-4f32; m], vec![1.0f32; m]);
        for zeros in [0, 70, 80, 90] {
            let weight = weights(m, k, zeros, &mut rng);
            let used = weight.iter().filter(|w| **w != 0).count() as f64;
            for panels in [1, 2, 6] {
                let x: Vec<_> = (0..panels).map(|_| Aligned::new(k * 64, |_| rng.next() as u8)).collect();
                let mut scratch = Aligned::new(4 * k.div_ceil(4) * 256, |_| 0);
                let bytes = if zeros == 0 { DenseU8S8::pack(m, k, &weight) } else { Sparse4x1U8S8::pack(m, k, &weight) }.expect("a valid shape");
                let bytes = Aligned::new(bytes.len(), |i| bytes.get(i).copied().unwrap_or(0));
                let weight = if zeros == 0 {
                    WeightI8::Dense(DenseU8S8::view(m, k, bytes.bytes()).expect("just packed"))
                } else {
                    WeightI8::Sparse(Sparse4x1U8S8::view(m, k, bytes.bytes()).expect("just packed"))
                };
                let layer = LinearI8 { weight, init: &init, mul: &mul, add: &add, act: Activation::None, code: None, table: None };
                let peak = vpdpbusd();
                let seconds = time(&layer, isa, &x, scratch.bytes_mut());
                let rate = used * (64 * panels) as f64 / seconds / 1e9;
                let share = peak.map_or(String::new(), |peak| format!(", {:.0}% of {peak:.0}", 100.0 * rate / peak));
                println!("{:>11} {zeros:>5}% {panels:>7} | {}: {:.1}, {rate:.0}{share}", format!("{m}x{k}"), layer.kernel(isa), seconds * 1e6);
            }
        }
    }
}
