//! What this core can do at best: instruction rates on registers and reading from each cache level.
//!
//! `cargo run --release -p neural-engine-kernels --example peak`

use neural_engine_testkit::rate::{fastest, fma256, fma512, vpdpbusd512};
use std::hint::black_box;
use std::time::Duration;

/// 10⁹ bytes a second of reading `bytes` again and again.
fn read(bytes: usize) -> f64 {
    let data = vec![1u64; bytes / 8];
    let seconds = fastest(Duration::from_millis(80), || {
        // Eight sums, so that the additions do not wait for one another.
        let mut sums = [0u64; 32];
        for chunk in black_box(&data).as_chunks::<32>().0 {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum ^= value;
            }
        }
        black_box(sums);
    });
    bytes as f64 / seconds / 1e9
}

fn main() {
    println!("{:<28} {:>10}", "on registers", "G/s");
    for (name, rate) in
        [("vfmadd231ps ymm, f32 MAC", fma256()), ("vfmadd231ps zmm, f32 MAC", fma512()), ("vpdpbusd zmm, 8-bit MAC", vpdpbusd512())]
    {
        match rate {
            Some(rate) => println!("{name:<28} {rate:>10.1}"),
            None => println!("{name:<28} {:>10}", "absent"),
        }
    }
    println!("{:<28} {:>10}", "reading (baseline build)", "GB/s");
    for kib in [16, 32, 256, 768, 4096, 65536] {
        println!("{:<28} {:>10.1}", format!("{kib} KiB"), read(kib << 10));
    }
}
