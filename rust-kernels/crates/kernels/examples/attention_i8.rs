//! Speed of the fused int8 attention, softmax included, as a share of the `vpdpbusd` rate measured seconds before.
//!
//! `cargo run --release --example attention_i8 [tier]`; rows: sequence length, head dimension, and microseconds for one head and panel
//! of 64 queries, 10⁹ multiply-adds (scores and P·V) a second, share of the rate.

#[allow(dead_code)]
mod rate;

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::attention_i8::{AttentionI8, Span};
use rate::{Aligned, Rng, fastest, vpdpbusd};
use std::time::Duration;

fn main() {
    let tier = std::env::args().nth(1).and_then(|name| Tier::parse(&name)).unwrap_or(Tier::Amx);
    let isa = Isa::capped(tier);
    let mut rng = Rng(88_172_645_463_325_252);
    println!("{}: tokens, head dimension: us a head and panel, GMAC/s, share of vpdpbusd", AttentionI8::kernel(isa));
    for (heads, head_dim) in [(12, 64), (12, 32), (16, 64), (12, 80), (8, 128)] {
        for tokens in [64usize, 128, 384, 512, 1024] {
            let cells = heads * head_dim * 64;
            let panels = tokens.div_ceil(64);
            let q = Aligned::new(cells, |_| rng.next() as u8);
            let k: Vec<i8> = (0..panels * cells).map(|_| rng.next() as i8).collect();
            let v: Vec<i8> = (0..panels * cells).map(|_| rng.next() as i8).collect();
            let mut y = Aligned::new(cells, |_| 0);
            let mut scratch = Aligned::new(AttentionI8::scratch_len(head_dim), |_| 0);
            let spans = [Span { start: 0, len: tokens as u32 }];
            let attention = AttentionI8 { heads, head_dim, scale: 1e-4, out_scale: 0.8, zero: 128, spans: &spans, key_bias: None };
            let peak = vpdpbusd();
            let seconds = fastest(Duration::from_millis(200), || {
                attention
                    .run(isa, 0, 0..heads, q.bytes(), &k, &v, y.bytes_mut(), scratch.bytes_mut())
                    .expect("the bench makes valid calls");
            }) / heads as f64;
            let rate = (2 * tokens * 64 * head_dim) as f64 / seconds / 1e9;
            let share = peak.map_or(String::new(), |peak| format!(", {:.0}% of {peak:.0}", 100.0 * rate / peak));
            println!("{tokens:>5} {head_dim:>4}: {:.2}, {rate:.0}{share}", seconds * 1e6);
        }
    }
}
