//! Speed of the fused int8 attention, softmax included, as a share of the rate of `vpdpbusd` (or `vpmaddwd`) measured seconds before.
//!
//! `cargo run --release -p neural-engine-kernels --example attention_i8 [tier]`; for each head dimension and sequence length:
//! microseconds for one head and panel of 64 queries, 10⁹ multiply-adds (scores and P·V) a second, share of the rate.

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::attention_i8::{AttentionI8, Span};
use neural_engine_kernels::panel::TOKENS;
use neural_engine_testkit::rate::{fastest_in_pieces, of_bytes};
use neural_engine_testkit::{Aligned, Rng};
use std::time::Duration;

/// Time for each line of the table.
const BUDGET: Duration = Duration::from_millis(300);

fn main() {
    let tier = std::env::args().nth(1).and_then(|name| Tier::parse(&name)).unwrap_or(Tier::Amx);
    let isa = Isa::capped(tier);
    let mut rng = Rng::new(1);
    println!("{}", AttentionI8::kernel(isa));
    println!("{:>8} {:>6} {:>8} {:>8} {:>6}", "head_dim", "tokens", "us", "GMAC/s", "share");
    for (heads, head_dim) in [(12, 64), (12, 32), (12, 80), (12, 96), (8, 128)] {
        for tokens in [64usize, 128, 384, 512, 1024] {
            let cells = heads * head_dim * TOKENS;
            let panels = tokens.div_ceil(TOKENS);
            let mut signed = || rng.bytes(panels * cells).into_iter().map(|byte| byte as i8).collect::<Vec<_>>();
            let (k, v) = (signed(), signed());
            let q = Aligned::new(&rng.bytes(cells));
            let mut y = Aligned::new(&vec![0; cells]);
            let mut scratch = Aligned::new(&vec![0; AttentionI8::scratch_len(head_dim)]);
            let spans = [Span { start: 0, len: tokens as u32 }];
            let attention = AttentionI8 { heads, head_dim, scale: 1e-4, out_scale: 0.8, zero: 128, spans: &spans, key_bias: None };
            let peak = of_bytes(isa).unwrap_or(f64::NAN);
            let seconds = fastest_in_pieces(BUDGET, heads, |head| {
                let y = &mut y[head * head_dim * TOKENS..(head + 1) * head_dim * TOKENS];
                attention.run(isa, 0, head..head + 1, &q, &k, &v, y, &mut scratch).expect("the operands fit");
            }) / heads as f64;
            let rate = (2 * tokens * TOKENS * head_dim) as f64 / seconds / 1e9;
            println!("{head_dim:>8} {tokens:>6} {:>8.2} {rate:>8.0} {:>5.0}%", seconds * 1e6, 100.0 * rate / peak);
        }
    }
}
