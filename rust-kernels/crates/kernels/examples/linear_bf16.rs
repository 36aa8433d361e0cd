//! Speed of the bf16 linear kernels on encoder shapes, as a share of the `vdpbf16ps` rate measured seconds before.
//!
//! `cargo run --release -p neural-engine-kernels --example linear_bf16 [tier]`; for each shape, share of zeros and number of panels, in
//! calls of 192 rows and at most four panels: the kernel, microseconds, 10⁹ multiply-adds by non-zero weights a second, the same for a
//! dense kernel of that speed, share of the rate. Weights and panels are as hot as they fit.

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::Activation;
use neural_engine_kernels::bf16::to_bf16;
use neural_engine_kernels::linear_bf16::{DenseBf16, LinearBf16, MAX_PANELS, Sparse4x1Bf16, WeightBf16};
use neural_engine_kernels::panel::{Io, Residual, TOKENS};
use neural_engine_testkit::rate::{fastest_in_pieces, vdpbf16ps512};
use neural_engine_testkit::{Aligned, Rng};
use std::time::Duration;

const SHAPES: [(usize, usize); 3] = [(768, 768), (3072, 768), (768, 3072)];

/// Rows of one call.
const ROWS: usize = 192;

/// Time for each line of the table.
const BUDGET: Duration = Duration::from_millis(300);

/// bf16 weights whose 4x1 blocks are zero with that probability, in percent, and nowhere else.
fn weights(m: usize, k: usize, zeros: usize, rng: &mut Rng) -> Vec<u16> {
    let mut weight = vec![0; m * k];
    for block in 0..m / 4 {
        for column in 0..k {
            if rng.below(100) >= zeros {
                (0..4).for_each(|row| weight[(4 * block + row) * k + column] = to_bf16(rng.f32(0.5, 1.0)));
            }
        }
    }
    weight
}

fn main() {
    let tier = std::env::args().nth(1).and_then(|name| Tier::parse(&name)).unwrap_or(Tier::Amx);
    let isa = Isa::capped(tier);
    let mut rng = Rng::new(1);
    println!(
        "{:<28} {:>9} {:>6} {:>6} {:>10} {:>8} {:>9} {:>6}",
        "kernel", "shape", "zeros", "panels", "us", "GMAC/s", "as dense", "share"
    );
    for (m, k) in SHAPES {
        let bias = vec![1.0; m];
        for zeros in [0, 70, 80, 90] {
            let weight = weights(m, k, zeros, &mut rng);
            let used = weight.iter().filter(|w| **w != 0).count() as f64;
            let packed = if zeros == 0 { DenseBf16::pack(m, k, &weight) } else { Sparse4x1Bf16::pack(m, k, &weight) };
            let packed = Aligned::new(&packed.expect("a valid shape"));
            let weight = if zeros == 0 {
                WeightBf16::Dense(DenseBf16::view(m, k, &packed).expect("just packed"))
            } else {
                WeightBf16::Sparse(Sparse4x1Bf16::view(m, k, &packed).expect("just packed"))
            };
            let layer = LinearBf16 { weight, bias: Some(&bias), act: Activation::None };
            for panels in [1usize, 2, 6] {
                let x: Vec<u16> = rng.f32s(k * TOKENS, -1.0, 1.0).into_iter().map(to_bf16).collect();
                let xs = vec![x; panels];
                let mut ys = vec![vec![0u16; m * TOKENS]; panels];
                let mut scratch = vec![0; layer.scratch_len(isa, MAX_PANELS)];
                let peak = vdpbf16ps512().unwrap_or(f64::NAN);
                let calls = m / ROWS;
                let seconds = fastest_in_pieces(BUDGET, calls * panels.div_ceil(MAX_PANELS), |piece| {
                    let (call, group) = (piece % calls, piece / calls);
                    let rows = call * ROWS..(call + 1) * ROWS;
                    let cells = rows.start * TOKENS..rows.end * TOKENS;
                    let group = group * MAX_PANELS..panels.min((group + 1) * MAX_PANELS);
                    let both = xs[group.clone()].iter().zip(&mut ys[group]);
                    let mut ios: Vec<_> =
                        both.map(|(x, y)| Io { x, codes: None, y: &mut y[cells.clone()], residual: Residual::None }).collect();
                    layer.run_bf16(isa, rows, &mut ios, &mut scratch).expect("the operands fit");
                });
                let tokens = (TOKENS * panels) as f64;
                let (rate, dense) = (used * tokens / seconds / 1e9, (m * k) as f64 * tokens / seconds / 1e9);
                let (kernel, shape, micros) = (layer.kernel(isa), format!("{m}x{k}"), seconds * 1e6);
                let share = 100.0 * rate / peak;
                println!("{kernel:<28} {shape:>9} {zeros:>5}% {panels:>6} {micros:>10.1} {rate:>8.0} {dense:>9.0} {share:>5.0}%");
            }
        }
    }
}
