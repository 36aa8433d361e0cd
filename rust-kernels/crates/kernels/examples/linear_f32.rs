//! Speed of the f32 linear kernels on encoder shapes, as a share of the fma rate measured in turn with them.
//!
//! `cargo run --release -p neural-engine-kernels --example linear_f32 [tier]`; for each shape, sparsity and number of panels that share
//! a pass, in calls of at most 768 rows: microseconds, 10⁹ multiply-adds by stored weights a second, share of the rate. Weights and panels are as hot as they fit.

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::Activation;
use neural_engine_kernels::linear_f32::{DenseF32, LinearF32, Sparse4x1F32, WeightF32};
use neural_engine_kernels::panel::{Io, Residual, TOKENS};
use neural_engine_testkit::rate::{fastest_in_pieces, fma256, fma512};
use neural_engine_testkit::{Aligned, Rng};
use std::time::Duration;

const SHAPES: [(usize, usize); 6] = [(768, 768), (3072, 768), (768, 3072), (384, 384), (1536, 384), (384, 1536)];

/// Most rows of one call.
const ROWS: usize = 768;

/// Time for each line of the table.
const BUDGET: Duration = Duration::from_millis(400);

fn main() {
    let tier = std::env::args().nth(1).and_then(|name| Tier::parse(&name)).unwrap_or(Tier::Amx);
    let isa = Isa::capped(tier);
    let rate = || if isa.avx512_vnni().is_some() { fma512() } else { fma256() }.unwrap_or(f64::NAN);
    let mut rng = Rng::new(1);
    println!("{} {:>18} {:>7} {:>12} {:>9} {:>7}", isa.tier().name(), "zeros", "panels", "us", "GMAC/s", "share");
    for (m, k) in SHAPES {
        let values = rng.f32s(m * k, -1.0, 1.0);
        let bias = rng.f32s(m, -1.0, 1.0);
        for zeros in [0, 70, 80, 90] {
            let mut values = values.clone();
            for group in 0..m / 4 {
                for input in 0..k {
                    if rng.below(100) < zeros {
                        (0..4).for_each(|row| values[(4 * group + row) * k + input] = 0.0);
                    }
                }
            }
            let packed = Aligned::new(&if zeros == 0 { DenseF32::pack(m, k, &values) } else { Sparse4x1F32::pack(m, k, &values) });
            let (weight, products) = if zeros == 0 {
                (WeightF32::Dense(DenseF32::view(m, k, &packed).expect("just packed")), m * k)
            } else {
                let view = Sparse4x1F32::view(m, k, &packed).expect("just packed");
                (WeightF32::Sparse(view), view.blocks() * 4)
            };
            for panels in [1, 2, 4] {
                let xs: Vec<_> = (0..panels).map(|_| Aligned::of_f32s(&rng.f32s(k * TOKENS, -1.0, 1.0))).collect();
                let mut ys: Vec<_> = (0..panels).map(|_| Aligned::of_f32s(&vec![0.0; m * TOKENS])).collect();
                let linear = LinearF32 { weight, bias: Some(&bias), act: Activation::None };
                let peak = rate();
                let seconds = fastest_in_pieces(BUDGET, m.div_ceil(ROWS), |piece| {
                    let rows = piece * ROWS..m.min((piece + 1) * ROWS);
                    let part = rows.start * TOKENS..rows.end * TOKENS;
                    let ys = ys.iter_mut().zip(&xs);
                    let mut ios: Vec<_> = ys
                        .map(|(y, x)| Io { x: x.f32s(), codes: None, y: &mut y.f32s_mut()[part.clone()], residual: Residual::None })
                        .collect();
                    linear.run(isa, rows, &mut ios).expect("the operands fit");
                });
                let speed = (products * TOKENS * panels) as f64 / seconds / 1e9;
                let share = 100.0 * speed / peak.max(rate());
                println!("{:>11} {zeros:>9}% {panels:>7} {:>12.1} {speed:>9.1} {share:>6.1}%", format!("{m}x{k}"), seconds * 1e6);
            }
        }
    }
}
