//! Speed of the fused f32 attention, softmax included, head by head, as a share of the fma rate measured in turn with it.
//!
//! `cargo run --release -p neural-engine-kernels --example attention_f32 [tier]`; 12 heads, one sequence; multiply-adds are those of
//! q·kᵀ and P·V over all real tokens.

use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::attention_f32::{AttentionF32, Span};
use neural_engine_kernels::panel::TOKENS;
use neural_engine_testkit::rate::{fastest_in_pieces, fma256, fma512};
use neural_engine_testkit::{Aligned, Rng};
use std::time::Duration;

fn main() {
    let tier = std::env::args().nth(1).and_then(|name| Tier::parse(&name)).unwrap_or(Tier::Amx);
    let isa = Isa::capped(tier);
    let rate = || if isa.avx512_vnni().is_some() { fma512() } else { fma256() }.unwrap_or(f64::NAN);
    let mut rng = Rng::new(1);
    const HEADS: usize = 12;
    println!("{} {:>12} {:>8} {:>12} {:>9} {:>7}", isa.tier().name(), "head size", "tokens", "us", "GMAC/s", "share");
    for head_dim in [32, 64, 80, 96, 128] {
        for tokens in [64, 128, 384, 512] {
            let panel = HEADS * head_dim * TOKENS;
            let panels = tokens / TOKENS;
            let mut values = || Aligned::of_f32s(&rng.f32s(panels * panel, -1.0, 1.0));
            let (q, k, v) = (values(), values(), values());
            let mut y = Aligned::of_f32s(&vec![0.0; panel]);
            let mut scratch = Aligned::of_f32s(&vec![0.0; AttentionF32::scratch_len(head_dim)]);
            let spans = [Span { start: 0, len: tokens as u32 }];
            let attention =
                AttentionF32 { heads: HEADS, head_dim, scale: 0.125, spans: &spans, key_bias: None, scores: None, probabilities: None };
            let peak = rate();
            let seconds = fastest_in_pieces(Duration::from_millis(500), HEADS, |head| {
                let (q, y) = (&q.f32s()[..panel], &mut y.f32s_mut()[..head_dim * TOKENS]);
                let result = attention.run(isa, 0, head..head + 1, q, k.f32s(), v.f32s(), y, scratch.f32s_mut());
                result.expect("the operands fit");
            });
            let speed = (2 * panel * tokens) as f64 / seconds / 1e9;
            let share = 100.0 * speed / peak.max(rate());
            println!("{head_dim:>20} {tokens:>8} {:>12.1} {speed:>9.1} {share:>6.1}%", seconds * 1e6);
        }
    }
}
