//! The rate of `vpdpbusd` itself, which the benches are measured against in the same process, and timing by minima.

use std::time::{Duration, Instant};

/// u8 × s8 multiply-adds per second of `vpdpbusd zmm` on registers, in units of 10⁹; `None` without AVX-512 VNNI.
pub fn vpdpbusd() -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx512vnni") {
        const LOOPS: u64 = 20_000;
        let seconds = fastest(Duration::from_millis(60), || {
            // SAFETY: AVX-512 VNNI was just detected; the loop touches the registers it names and nothing else.
            unsafe {
                std::arch::asm!(
                    "2:",
                    "vpdpbusd zmm0, zmm30, zmm31", "vpdpbusd zmm1, zmm30, zmm31", "vpdpbusd zmm2, zmm30, zmm31",
                    "vpdpbusd zmm3, zmm30, zmm31", "vpdpbusd zmm4, zmm30, zmm31", "vpdpbusd zmm5, zmm30, zmm31",
                    "vpdpbusd zmm6, zmm30, zmm31", "vpdpbusd zmm7, zmm30, zmm31", "vpdpbusd zmm8, zmm30, zmm31",
                    "vpdpbusd zmm9, zmm30, zmm31", "vpdpbusd zmm10, zmm30, zmm31", "vpdpbusd zmm11, zmm30, zmm31",
                    "dec {n}", "jnz 2b",
                    n = inout(reg) LOOPS => _,
                    out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _,
                    out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
                );
            }
        });
        return Some(LOOPS as f64 * 12.0 * 64.0 / seconds / 1e9);
    }
    None
}

/// Seconds of the fastest of many runs within about `budget`, at least five.
pub fn fastest(budget: Duration, mut run: impl FnMut()) -> f64 {
    let (start, mut best, mut runs) = (Instant::now(), f64::MAX, 0);
    while runs < 5 || start.elapsed() < budget {
        let began = Instant::now();
        run();
        best = best.min(began.elapsed().as_secs_f64());
        runs += 1;
    }
    best
}

/// Bytes that start on a cache line, as an arena's do.
pub struct Aligned {
    lines: Vec<Line>,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u8; 64]);

#[allow(dead_code)] // each example uses some
impl Aligned {
    /// `len` bytes, rounded up to lines, by index.
    pub fn new(len: usize, mut byte: impl FnMut(usize) -> u8) -> Aligned {
        let lines = (0..len.div_ceil(64)).map(|i| Line(std::array::from_fn(|j| byte(64 * i + j)))).collect();
        Aligned { lines }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: lines are 64 bytes without padding, and the borrow is kept.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), 64 * self.lines.len()) }
    }

    /// The bytes, mutable.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: lines are 64 bytes without padding, every byte is valid, and the borrow is kept.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), 64 * self.lines.len()) }
    }
}

/// A seeded generator.
pub struct Rng(pub u64);

impl Rng {
    /// 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
