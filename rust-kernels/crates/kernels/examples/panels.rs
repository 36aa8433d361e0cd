//! Time of the kernels that only pass over a panel, at 768 features.
//!
//! `cargo run --release -p neural-engine-kernels --example panels [tier]`; microseconds a panel of 64 tokens, and 10⁹ bytes of its f32
//! values (196 608) a second.

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::Activation;
use neural_engine_kernels::activate::activate_in_place;
use neural_engine_kernels::add::add_in_place;
use neural_engine_kernels::code::{Code, Codes};
use neural_engine_kernels::embed::{Ids, Lookup, Table, embed};
use neural_engine_kernels::layer_norm::{LayerNorm, NormCodes};
use neural_engine_kernels::panel::TOKENS;
use neural_engine_kernels::rows::{from_rows, to_rows};
use neural_engine_testkit::rate::fastest;
use neural_engine_testkit::{Aligned, Rng};
use std::cell::Cell;
use std::time::Duration;

const FEATURES: usize = 768;

fn main() {
    let tier = std::env::args().nth(1).and_then(|name| Tier::parse(&name)).unwrap_or(Tier::Amx);
    let isa = Isa::capped(tier);
    let mut rng = Rng::new(1);
    let input = rng.f32s(FEATURES * TOKENS, -3.0, 3.0);
    let mut panel = Aligned::of_f32s(&input);
    let other = Aligned::of_f32s(&input);
    let mut matrix = Aligned::of_f32s(&input);
    let table = rng.f32s(30522 * FEATURES, -1.0, 1.0);
    let ids: Vec<i64> = (0..TOKENS).map(|_| rng.below(30522) as i64).collect();
    let rows: Vec<u32> = (0..TOKENS as u32).collect();
    let (gamma, beta) = (rng.f32s(FEATURES, 0.5, 1.5), rng.f32s(FEATURES, -1.0, 1.0));
    let norm = LayerNorm { gamma: &gamma, beta: &beta, epsilon: 1e-12 };
    let mut codes = Aligned::new(&vec![0; FEATURES * TOKENS]);
    println!("{} {:>24} {:>8}", isa.tier().name(), "us", "GB/s");
    let line = |name: &str, run: &mut dyn FnMut()| {
        let seconds = fastest(Duration::from_millis(300), run);
        println!("{name:<28} {:>7.2} {:>8.1}", seconds * 1e6, (4 * FEATURES * TOKENS) as f64 / seconds / 1e9);
    };
    line("layer_norm", &mut || norm.run(isa, panel.f32s_mut(), None).expect("it fits"));
    let code = Code { scale: 40.0, zero: 128 };
    line("layer_norm with codes", &mut || {
        let codes = NormCodes { code, codes: Codes::U8(&mut codes), multipliers: None };
        norm.run(isa, panel.f32s_mut(), Some(codes)).expect("it fits")
    });
    line("add", &mut || add_in_place(isa, panel.f32s_mut(), other.f32s()).expect("it fits"));
    for act in [Activation::GeluErf, Activation::GeluTanh, Activation::Relu, Activation::Tanh, Activation::Sigmoid] {
        line(&format!("{act:?}"), &mut || {
            panel.f32s_mut().copy_from_slice(&input);
            activate_in_place(isa, act, panel.f32s_mut());
        });
    }
    line("from_rows", &mut || from_rows(isa, &rows, FEATURES, matrix.f32s(), panel.f32s_mut()).expect("it fits"));
    line("to_rows", &mut || {
        let y = Cell::from_mut(matrix.f32s_mut()).as_slice_of_cells();
        to_rows(isa, &rows, FEATURES, panel.f32s(), y).expect("it fits");
    });
    let lookups = [
        Lookup { name: "words", table: Table::F32(&table), ids: Ids::S64(&ids) },
        Lookup { name: "positions", table: Table::F32(&table[..512 * FEATURES]), ids: Ids::Modulo(128) },
    ];
    line("embed, two tables", &mut || embed(isa, &rows, FEATURES, &lookups, panel.f32s_mut()).expect("it fits"));
}
