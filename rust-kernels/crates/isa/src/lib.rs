//! What this CPU can run, as values that prove it.
//!
//! A [`Tier`] is what a user names and a report prints. A token such as [`Avx512Vnni`] is proof that the instructions exist;
//! only detection makes one, and matrix kernels demand it as an argument, which is what makes their `unsafe` calls sound.
//!
//! [`Simd`] is the width-independent vector that row-wise kernels are written against, [`math`] its elementary functions.
//!
//! `RUSTFLAGS="--cfg ne_portable"` compiles all x86 code out, as on any other architecture.

#![cfg_attr(any(not(target_arch = "x86_64"), ne_portable), forbid(unsafe_code))]

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod amx;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx512;
pub mod math;
pub mod rate;
mod scalar;
mod simd;

pub use scalar::Scalar;
pub use simd::{Simd, SimdOp};

use std::sync::OnceLock;

/// The instruction sets that kernels are written for, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Plain Rust, any CPU.
    Scalar,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ, VL, VBMI and VNNI.
    Avx512Vnni,
    /// The above with AVX-512 VBMI2 and AMX tiles for int8 and bf16.
    Amx,
}

impl Tier {
    /// Every tier, lowest first.
    pub const ALL: [Tier; 4] = [Tier::Scalar, Tier::Avx2, Tier::Avx512Vnni, Tier::Amx];

    /// The name in reports and in `NE_MAX_CPU_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Scalar => "scalar",
            Tier::Avx2 => "avx2",
            Tier::Avx512Vnni => "avx512_vnni",
            Tier::Amx => "amx",
        }
    }

    /// The tier of that name, in either case.
    pub fn parse(name: &str) -> Option<Tier> {
        Tier::ALL.into_iter().find(|tier| tier.name().eq_ignore_ascii_case(name))
    }
}

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(());
    };
}

token!(
    /// Proof that this CPU runs AVX2 and FMA. Only [`Isa::avx2`] gives one.
    Avx2
);
token!(
    /// Proof that this CPU runs AVX-512 F, BW, DQ, VL, VBMI and VNNI. Only [`Isa::avx512_vnni`] gives one.
    Avx512Vnni
);
token!(
    /// Proof that this CPU runs AVX512_BF16 beside [`Avx512Vnni`]. Only [`Isa::avx512_bf16`] gives one.
    Avx512Bf16
);

token!(
    /// Proof that this CPU runs AMX tiles for int8 and bf16 and AVX-512 VBMI2 beside [`Avx512Vnni`], and that the operating system lets
    /// this process use tiles. Only [`Isa::amx`] gives one.
    Amx
);

impl Amx {
    /// What comes with it.
    pub fn avx512_vnni(self) -> Avx512Vnni {
        Avx512Vnni(())
    }
}

/// What kernels may use: what the CPU has, capped at a tier.
#[derive(Clone, Copy, Debug)]
pub struct Isa {
    tier: Tier,
    bf16: bool,
    vnni_ymm: bool,
}

/// What the CPU and the operating system offer together (the standard macro checks XCR0), tiles aside.
fn detect() -> Isa {
    #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
    {
        use std::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("fma");
        let avx512 =
            avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") && has!("avx512vbmi") && has!("avx512vnni");
        let tier = if avx512 {
            Tier::Avx512Vnni
        } else if avx2 {
            Tier::Avx2
        } else {
            Tier::Scalar
        };
        Isa { tier, bf16: avx512 && has!("avx512bf16"), vnni_ymm: avx2 && has!("avxvnni") }
    }
    #[cfg(any(not(target_arch = "x86_64"), ne_portable))]
    Isa { tier: Tier::Scalar, bf16: false, vnni_ymm: false }
}

/// Whether tiles can be used. Asks the operating system for them, once and only when somebody wants that tier; where it refuses, the tier
/// below is the best there is.
fn tiles() -> bool {
    #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
    {
        static TILES: OnceLock<bool> = OnceLock::new();
        *TILES.get_or_init(|| std::is_x86_feature_detected!("avx512vbmi2") && amx::detect() && amx::permitted())
    }
    #[cfg(any(not(target_arch = "x86_64"), ne_portable))]
    false
}

impl Isa {
    /// The best this CPU offers, capped by the environment variable `NE_MAX_CPU_ISA` (read once).
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let cap = std::env::var("NE_MAX_CPU_ISA").ok().and_then(|name| Tier::parse(&name));
            Isa::capped(cap.unwrap_or(Tier::Amx))
        })
    }

    /// What this CPU offers at or below `tier`.
    pub fn capped(tier: Tier) -> Isa {
        static CPU: OnceLock<Isa> = OnceLock::new();
        let cpu = *CPU.get_or_init(detect);
        let tier = if tier == Tier::Amx && cpu.tier == Tier::Avx512Vnni && tiles() { tier } else { cpu.tier.min(tier) };
        Isa { tier, bf16: cpu.bf16 && tier >= Tier::Avx512Vnni, vnni_ymm: cpu.vnni_ymm && tier >= Tier::Avx2 }
    }

    /// Every tier of this CPU, lowest first: what tests iterate over.
    pub fn available() -> Vec<Isa> {
        Tier::ALL
            .into_iter()
            .map(Isa::capped)
            .filter({
                let mut last = None;
                move |isa| last.replace(isa.tier) != Some(isa.tier)
            })
            .collect()
    }

    /// The highest tier kernels may use.
    pub fn tier(self) -> Tier {
        self.tier
    }

    /// Proof of AVX2 and FMA.
    pub fn avx2(self) -> Option<Avx2> {
        (self.tier >= Tier::Avx2).then_some(Avx2(()))
    }

    /// Proof of the AVX-512 set.
    pub fn avx512_vnni(self) -> Option<Avx512Vnni> {
        (self.tier >= Tier::Avx512Vnni).then_some(Avx512Vnni(()))
    }

    /// Proof of AVX512_BF16.
    pub fn avx512_bf16(self) -> Option<Avx512Bf16> {
        self.bf16.then_some(Avx512Bf16(()))
    }

    /// Proof of AMX tiles.
    pub fn amx(self) -> Option<Amx> {
        (self.tier >= Tier::Amx).then_some(Amx(()))
    }

    /// The same without [`avx512_bf16`](Self::avx512_bf16), as on older CPUs of its tier: what comparisons need.
    pub fn without_bf16(self) -> Isa {
        Isa { bf16: false, ..self }
    }

    /// AVX-VNNI (256-bit) is there.
    pub fn has_avx_vnni(self) -> bool {
        self.vnni_ymm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_never_exceeded() {
        for tier in Tier::ALL {
            assert!(Isa::capped(tier).tier() <= tier);
        }
        assert!(Isa::capped(Tier::Scalar).avx2().is_none());
        assert!(Isa::capped(Tier::Avx512Vnni).amx().is_none());
    }

    #[test]
    fn tiers_are_listed_once_and_start_at_scalar() {
        let tiers: Vec<_> = Isa::available().iter().map(|isa| isa.tier()).collect();
        assert_eq!(tiers[0], Tier::Scalar);
        assert!(tiers.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_environment_variable_caps_the_best_tier() {
        const NAME: &str = "tests::the_environment_variable_caps_the_best_tier";
        if std::env::var_os("NE_ISA_CHILD").is_some() {
            println!("best is {}", Isa::best().tier().name());
            return;
        }
        // The variable is read once, so each value needs a process of its own.
        for tier in Tier::ALL {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", NAME, "--nocapture"]).env("NE_ISA_CHILD", "1").env("NE_MAX_CPU_ISA", tier.name().to_uppercase());
            let output = child.output().unwrap();
            let want = format!("best is {}", Isa::capped(tier).tier().name());
            assert!(String::from_utf8_lossy(&output.stdout).contains(&want), "{want}, got {output:?}");
        }
    }

    #[test]
    fn names_parse_back() {
        for tier in Tier::ALL {
            assert_eq!(Tier::parse(&tier.name().to_uppercase()), Some(tier));
        }
        assert_eq!(Tier::parse("sse9"), None);
    }
}

#[cfg(test)]
#[path = "simd_tests.rs"]
mod simd_tests;
