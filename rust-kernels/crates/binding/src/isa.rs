//! The ISA report.

use crate::error::{Result, guard};
use napi_derive::napi;
use neural_engine_isa::{Isa, Tier};
use neural_engine_runtime::sys::{affinity, cpus, topology};

/// Bytes of each cache level.
#[napi(object)]
pub struct CacheReport {
    /// Level 1 data, per core.
    pub l1: f64,
    /// Level 2, per core.
    pub l2: f64,
    /// Level 3, per cluster.
    pub l3: f64,
}

/// One logical CPU and what it shares; the numbers only tell cores, sockets, nodes and caches apart.
#[napi(object)]
pub struct CpuReport {
    /// As in an affinity mask.
    pub number: u32,
    /// Physical core.
    pub core: u32,
    /// Socket.
    pub package: u32,
    /// NUMA node.
    pub node: u32,
    /// L3 cache.
    pub l3: u32,
}

/// What this CPU and this process can do.
#[napi(object)]
pub struct IsaReport {
    /// Highest tier that kernels use.
    pub tier: String,
    /// Every tier this CPU runs, lowest first.
    pub tiers: Vec<String>,
    /// Instruction sets found.
    pub features: Vec<String>,
    /// As the CPU names itself.
    pub cpu: String,
    /// Cache sizes.
    pub caches: CacheReport,
    /// Logical CPUs in the affinity mask.
    pub allowed_cpus: Vec<u32>,
    /// One logical CPU of each physical core in the mask.
    pub physical_cpus: Vec<u32>,
    /// Each logical CPU in the affinity mask.
    pub cpus: Vec<CpuReport>,
    /// CPUs' worth of time the cgroup grants.
    pub quota: Option<f64>,
    /// Threads a session has unless told otherwise.
    pub default_threads: u32,
}

fn features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! look {
            ($($name:tt),*) => { [$(($name, std::is_x86_feature_detected!($name))),*] };
        }
        let all = look!(
            "sse4.2",
            "avx",
            "avx2",
            "fma",
            "f16c",
            "bmi2",
            "avxvnni",
            "avx512f",
            "avx512bw",
            "avx512dq",
            "avx512vl",
            "avx512vbmi",
            "avx512vnni",
            "avx512bf16",
            "avx512fp16"
        );
        // The standard macro does not know tiles yet; what counts is whether this process may use them.
        let tiles = Isa::capped(Tier::Amx).amx().is_some();
        let tiles = ["amx-tile", "amx-int8", "amx-bf16"].map(|name| (name, tiles));
        all.into_iter().chain(tiles).filter(|(_, found)| *found).map(|(name, _)| name.to_owned()).collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

fn report(cpu: cpus::Cpu) -> CpuReport {
    let [number, core, package, node, l3] = [cpu.number, cpu.core, cpu.package, cpu.node, cpu.l3].map(|number| number as u32);
    CpuReport { number, core, package, node, l3 }
}

/// Reports the instruction sets, caches and cores that this process has.
///
/// # Errors
/// E_INTERNAL only.
#[napi(catch_unwind)]
pub fn isa_report() -> Result<IsaReport> {
    guard(|| {
        let numbers = |list: Vec<usize>| list.into_iter().map(|cpu| cpu as u32).collect();
        let caches = topology::caches();
        Ok(IsaReport {
            tier: Isa::best().tier().name().to_owned(),
            tiers: Isa::available().iter().map(|isa| isa.tier().name().to_owned()).collect(),
            features: features(),
            cpu: topology::cpu_model(),
            caches: CacheReport { l1: caches.l1d as f64, l2: caches.l2 as f64, l3: caches.l3 as f64 },
            allowed_cpus: numbers(affinity::allowed_cpus()),
            physical_cpus: numbers(topology::physical_cpus()),
            cpus: cpus::cpus().into_iter().map(report).collect(),
            quota: topology::cpu_quota(),
            default_threads: topology::default_threads() as u32,
        })
    })
}
