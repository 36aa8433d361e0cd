//! Speed of the int8 linear kernels on encoder shapes, as shares of the rates measured seconds before in this process.
//!
//! `cargo run --release -p neural-engine-kernels --example linear_i8 [tier]`; for each shape, share of zeros, number of panels and form
//! of the weight, in calls of 192 rows and at most four panels (two on tiles): microseconds, 10⁹ multiply-adds by non-zero weights a
//! second, the same counting zeros, share of the rate of `vpdpbusd`, else of `vpmaddwd` (non-zeros) or of tile products fed from L1 (all). Weights and
//! panels are as hot as they fit.

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::linear_i8::{Compressed4x1U8S8, DenseU8S8, LinearI8, MAX_PANELS, Sparse4x1U8S8, TiledU8S8, WeightI8};
use neural_engine_kernels::panel::{Io, Residual, TOKENS};
use neural_engine_kernels::{Activation, KernelError};
use neural_engine_testkit::rate::{fastest_in_pieces, of_bytes, tdpbusd_from_l1};
use neural_engine_testkit::{Aligned, Rng};
use std::time::Duration;

const SHAPES: [(usize, usize); 6] = [(768, 768), (3072, 768), (768, 3072), (384, 384), (1536, 384), (384, 1536)];

/// Rows of one call without tiles; on tiles it is all of them, as there is work before the first and behind the last.
const ROWS: usize = 192;

/// Time for each line of the table.
const BUDGET: Duration = Duration::from_millis(300);

/// s8 weights whose 4x1 blocks are zero with that probability, in percent, and nowhere else.
fn weights(m: usize, k: usize, zeros: usize, rng: &mut Rng) -> Vec<i8> {
    let mut weight = vec![0; m * k];
    for block in 0..m / 4 {
        for column in 0..k {
            if rng.below(100) >= zeros {
                (0..4).for_each(|row| weight[(4 * block + row) * k + column] = rng.below(254) as i8 | 1);
            }
        }
    }
    weight
}

/// A form of the weight: its name, how to pack it, how to see it.
type Form = (&'static str, fn(usize, usize, &[i8]) -> Result<Vec<u8>, KernelError>, fn(usize, usize, &[u8]) -> WeightI8<'_>);

const FORMS: [Form; 4] = [
    ("dense", DenseU8S8::pack, |m, k, bytes| WeightI8::Dense(DenseU8S8::view(m, k, bytes).expect("just packed"))),
    ("sparse", Sparse4x1U8S8::pack, |m, k, bytes| WeightI8::Sparse(Sparse4x1U8S8::view(m, k, bytes).expect("just packed"))),
    ("tiled", TiledU8S8::pack, |m, k, bytes| WeightI8::Tiled(TiledU8S8::view(m, k, bytes).expect("just packed"))),
    ("compressed", Compressed4x1U8S8::pack, |m, k, bytes| WeightI8::Compressed(Compressed4x1U8S8::view(m, k, bytes).expect("just packed"))),
];

fn main() {
    let tier = std::env::args().nth(1).and_then(|name| Tier::parse(&name)).unwrap_or(Tier::Amx);
    let isa = Isa::capped(tier);
    let mut rng = Rng::new(1);
    println!("{:>9} {:>6} {:>6} {:>10} {:>10} {:>8} {:>9} {:>6}", "shape", "zeros", "panels", "form", "us", "GMAC/s", "as dense", "share");
    for (m, k) in SHAPES {
        for zeros in [0, 70, 80, 90] {
            let weight = weights(m, k, zeros, &mut rng);
            for panels in [1, 2, 6] {
                for form in FORMS {
                    let on_tiles = matches!(form.0, "tiled" | "compressed");
                    if (on_tiles && isa.amx().is_none()) || (zeros == 0) != matches!(form.0, "dense" | "tiled") {
                        continue;
                    }
                    line(isa, form, (m, k), zeros, &weight, panels, &mut rng);
                }
            }
        }
    }
}

fn line(isa: Isa, (name, pack, view): Form, (m, k): (usize, usize), zeros: usize, weight: &[i8], panels: usize, rng: &mut Rng) {
    let used = weight.iter().filter(|w| **w != 0).count() as f64;
    let packed = Aligned::new(&pack(m, k, weight).expect("a valid shape"));
    let (init, mul, add) = (vec![0; m], vec![5e-4; m], vec![1.0; m]);
    let weight = view(m, k, &packed);
    let layer = LinearI8 { weight, init: &init, mul: &mul, add: &add, act: Activation::None, code: None, table: None, sums: None };
    let on_tiles = matches!(weight, WeightI8::Tiled(_) | WeightI8::Compressed(_));
    let (rows_a_call, together) = if on_tiles { (m, 2) } else { (ROWS, MAX_PANELS) };
    let xs: Vec<_> = (0..panels).map(|_| Aligned::new(&rng.bytes(k * TOKENS))).collect();
    let mut ys: Vec<_> = (0..panels).map(|_| Aligned::new(&vec![0; m * TOKENS])).collect();
    let mut scratch = Aligned::new(&vec![0; layer.scratch_len(MAX_PANELS)]);
    let peak = if on_tiles { tdpbusd_from_l1() } else { of_bytes(isa) }.unwrap_or(f64::NAN);
    let calls = m / rows_a_call;
    let seconds = fastest_in_pieces(BUDGET, calls * panels.div_ceil(together), |piece| {
        let (call, group) = (piece % calls, piece / calls);
        let rows = call * rows_a_call..(call + 1) * rows_a_call;
        let cells = rows.start * TOKENS..rows.end * TOKENS;
        let group = group * together..panels.min((group + 1) * together);
        let both = xs[group.clone()].iter().zip(&mut ys[group]);
        let mut ios: Vec<_> = both.map(|(x, y)| Io { x, codes: None, y: &mut y[cells.clone()], residual: Residual::None }).collect();
        layer.run_u8(isa, rows, &mut ios, &mut scratch).expect("the operands fit");
    });
    let tokens = (TOKENS * panels) as f64;
    let (rate, dense) = (used * tokens / seconds / 1e9, (m * k) as f64 * tokens / seconds / 1e9);
    let (shape, micros) = (format!("{m}x{k}"), seconds * 1e6);
    let share = 100.0 * if on_tiles { dense } else { rate } / peak;
    println!("{shape:>9} {zeros:>5}% {panels:>6} {name:>10} {micros:>10.1} {rate:>8.0} {dense:>9.0} {share:>5.0}%");
}
