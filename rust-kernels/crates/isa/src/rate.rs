//! How fast this core can go at all: what speeds are measured against, seconds before, in the same process.

use std::time::{Duration, Instant};

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

/// The sum over `pieces` of the fastest run of each, all taken in turn for about `budget`, at least five times.
///
/// Work of milliseconds is rarely left in peace by the machine's other work; cut into pieces of a few hundred microseconds it is, in
/// the same order and with the same caches.
pub fn fastest_in_pieces(budget: Duration, pieces: usize, mut run: impl FnMut(usize)) -> f64 {
    let (start, mut best, mut rounds) = (Instant::now(), vec![f64::MAX; pieces], 0);
    while rounds < 5 || start.elapsed() < budget {
        for (piece, best) in best.iter_mut().enumerate() {
            let began = Instant::now();
            run(piece);
            *best = best.min(began.elapsed().as_secs_f64());
        }
        rounds += 1;
    }
    best.iter().sum()
}

macro_rules! rate {
    ($(#[$doc:meta])* $name:ident, $feature:tt, $width:literal, $op:literal, $reg:literal) => {
        $(#[$doc])*
        pub fn $name() -> Option<f64> {
            #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
            if std::is_x86_feature_detected!($feature) {
                const LOOPS: u64 = 10_000;
                let seconds = fastest(Duration::from_millis(40), || {
                    // SAFETY: the feature was just detected; the loop touches the registers it names and nothing else.
                    unsafe {
                        std::arch::asm!(
                            "2:",
                            concat!($op, " ", $reg, "0, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "1, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "2, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "3, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "4, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "5, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "6, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "7, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "8, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "9, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "10, ", $reg, "12, ", $reg, "13"),
                            concat!($op, " ", $reg, "11, ", $reg, "12, ", $reg, "13"),
                            "dec {n}", "jnz 2b",
                            n = inout(reg) LOOPS => _,
                            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _,
                            out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                        );
                    }
                });
                return Some(LOOPS as f64 * 12.0 * $width / seconds / 1e9);
            }
            None
        }
    };
}

rate!(
    /// 10⁹ f32 multiply-adds a second by `vfmadd231ps zmm` on registers; None without AVX-512F.
    fma512, "avx512f", 16.0, "vfmadd231ps", "zmm"
);
rate!(
    /// 10⁹ f32 multiply-adds a second by `vfmadd231ps ymm` on registers; None without FMA.
    fma256, "fma", 8.0, "vfmadd231ps", "ymm"
);
rate!(
    /// 10⁹ u8 × s8 multiply-adds a second by `vpdpbusd zmm` on registers; None without AVX-512 VNNI.
    vpdpbusd512, "avx512vnni", 64.0, "vpdpbusd", "zmm"
);

rate!(
    /// 10⁹ u8 × s8 multiply-adds a second by `vpdpbusd ymm` of AVX-VNNI on registers; None without it.
    vpdpbusd256, "avxvnni", 32.0, "{{vex}} vpdpbusd", "ymm"
);

/// 10⁹ 16-bit multiply-adds a second by `vpmaddwd ymm` on registers, each with the `vpaddd` that keeps its sums; None without AVX2.
pub fn vpmaddwd256() -> Option<f64> {
    #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
    if std::is_x86_feature_detected!("avx2") {
        const LOOPS: u64 = 10_000;
        let seconds = fastest(Duration::from_millis(40), || {
            // SAFETY: the feature was just detected; the loop touches the registers it names and nothing else.
            unsafe {
                std::arch::asm!(
                    "2:",
                    "vpmaddwd ymm8, ymm12, ymm13",
                    "vpmaddwd ymm9, ymm12, ymm13",
                    "vpmaddwd ymm10, ymm12, ymm13",
                    "vpmaddwd ymm11, ymm12, ymm13",
                    "vpaddd ymm0, ymm0, ymm8",
                    "vpaddd ymm1, ymm1, ymm9",
                    "vpaddd ymm2, ymm2, ymm10",
                    "vpaddd ymm3, ymm3, ymm11",
                    "vpmaddwd ymm8, ymm12, ymm13",
                    "vpmaddwd ymm9, ymm12, ymm13",
                    "vpmaddwd ymm10, ymm12, ymm13",
                    "vpmaddwd ymm11, ymm12, ymm13",
                    "vpaddd ymm4, ymm4, ymm8",
                    "vpaddd ymm5, ymm5, ymm9",
                    "vpaddd ymm6, ymm6, ymm10",
                    "vpaddd ymm7, ymm7, ymm11",
                    "dec {n}", "jnz 2b",
                    n = inout(reg) LOOPS => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _,
                    out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                );
            }
        });
        return Some(LOOPS as f64 * 8.0 * 16.0 / seconds / 1e9);
    }
    None
}

rate!(
    /// 10⁹ bf16 multiply-adds a second by `vdpbf16ps zmm` on registers; None without AVX512_BF16.
    vdpbf16ps512, "avx512bf16", 32.0, "vdpbf16ps", "zmm"
);

/// Rate of the instruction that kernels of `isa` multiply bytes in vectors by.
pub fn of_bytes(isa: crate::Isa) -> Option<f64> {
    match (isa.avx512_vnni(), isa.has_avx_vnni()) {
        (Some(_), _) => vpdpbusd512(),
        (None, true) => vpdpbusd256(),
        (None, false) => vpmaddwd256(),
    }
}

macro_rules! tile_rate {
    ($(#[$doc:meta])* $name:ident, $op:literal, $depth:literal) => {
        $(#[$doc])*
        ///
        /// Operands come from L1, a load for each product, as a kernel with four accumulators has it. Not to be called while this thread
        /// has tiles of its own.
        pub fn $name() -> Option<f64> {
            crate::Isa::best().amx()?;
            #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
            {
                #[repr(C, align(64))]
                struct Lines([u8; 16 << 10]);
                const LOOPS: u64 = 1000;
                let data = Lines([0; 16 << 10]);
                let mut config = Lines([0; 16 << 10]);
                config.0[0] = 1;
                (0..8).for_each(|tile| (config.0[16 + 2 * tile], config.0[48 + tile]) = (64, 16));
                let seconds = fastest(Duration::from_millis(40), || {
                    // SAFETY: the token says that there are tiles and that this process may use them; the loop reads 16 KB of `data`.
                    unsafe {
                        std::arch::asm!(
                            "ldtilecfg [{config}]",
                            "2:",
                            "mov {at}, {data}",
                            "lea {end}, [{data} + 16384]",
                            "3:",
                            "tileloadd tmm4, [{at} + {stride}]",
                            "tileloadd tmm5, [{at} + {stride} + 1024]",
                            "tileloadd tmm6, [{at} + {stride} + 2048]",
                            "tileloadd tmm7, [{at} + {stride} + 3072]",
                            concat!($op, " tmm0, tmm4, tmm6"),
                            concat!($op, " tmm1, tmm4, tmm7"),
                            concat!($op, " tmm2, tmm5, tmm6"),
                            concat!($op, " tmm3, tmm5, tmm7"),
                            "add {at}, 4096",
                            "cmp {at}, {end}",
                            "jb 3b",
                            "dec {n}", "jnz 2b",
                            "tilerelease",
                            config = in(reg) &config, data = in(reg) &data, stride = in(reg) 64usize, n = inout(reg) LOOPS => _,
                            at = out(reg) _, end = out(reg) _,
                        );
                    }
                });
                Some((LOOPS * 4 * 4 * 16 * 16 * $depth) as f64 / seconds / 1e9)
            }
            #[cfg(any(not(target_arch = "x86_64"), ne_portable))]
            None
        }
    };
}

tile_rate!(
    /// 10⁹ u8 × s8 multiply-adds a second by tile products (`tdpbusd` and its mirrored form have one rate); None without AMX.
    tdpbusd_from_l1, "tdpbsud", 64
);
tile_rate!(
    /// 10⁹ bf16 multiply-adds a second by tile products; None without AMX.
    tdpbf16ps_from_l1, "tdpbf16ps", 32
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_a_real_cpu() {
        let bytes = [vpdpbusd512(), vpdpbusd256(), vpmaddwd256(), tdpbusd_from_l1()];
        let floats = [fma256(), fma512(), vdpbf16ps512(), tdpbf16ps_from_l1()];
        for rate in bytes.into_iter().chain(floats).flatten() {
            assert!((1.0..10_000.0).contains(&rate), "{rate}");
        }
    }

    #[test]
    fn the_fastest_run_counts() {
        let mut calls = 0;
        fastest(Duration::ZERO, || calls += 1);
        assert_eq!(calls, 5);
        let mut order = Vec::new();
        fastest_in_pieces(Duration::ZERO, 2, |piece| order.push(piece));
        assert_eq!(order, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    }
}
