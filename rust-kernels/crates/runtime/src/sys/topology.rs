//! Physical cores, caches and the cgroup's CPU quota, as the system describes them.

use super::affinity::allowed_cpus;
use super::cpus::cpus;
use super::read;
use std::collections::HashSet;
use std::path::Path;

/// Bytes of each cache level, 0 where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caches {
    /// Level 1 data, per core.
    pub l1d: usize,
    /// Level 2, per core.
    pub l2: usize,
    /// Level 3, per cluster of cores.
    pub l3: usize,
}

/// One logical CPU of each physical core among those allowed: the lowest of its siblings that is allowed.
pub fn physical_cpus() -> Vec<usize> {
    let mut seen = HashSet::new();
    cpus().into_iter().filter(|cpu| seen.insert(cpu.core)).map(|cpu| cpu.number).collect()
}

/// CPUs' worth of time that the cgroup grants this process, or `None` without a quota.
pub fn cpu_quota() -> Option<f64> {
    let own = read("/proc/self/cgroup")?;
    // Version 2: one line `0::/path`. A quota may stand on any ancestor; the smallest binds.
    let version2 = own.lines().find_map(|line| line.strip_prefix("0::")).and_then(|path| {
        let root = Path::new("/sys/fs/cgroup");
        let limits = Path::new(path.trim_start_matches('/')).ancestors().filter_map(|part| {
            let text = read(root.join(part).join("cpu.max"))?;
            let (quota, period) = text.split_once(' ')?;
            ratio(quota, period)
        });
        limits.reduce(f64::min)
    });
    let version1 = || {
        let quota = read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")?;
        ratio(&quota, &read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")?)
    };
    version2.or_else(version1)
}

/// `quota / period` where both are positive numbers; "max" and −1 mean no limit.
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// Threads a session has unless told otherwise: what `NE_NUM_THREADS` says, else the allowed physical cores, at most the quota rounded up,
/// at least 1.
pub fn default_threads() -> usize {
    let wish = std::env::var("NE_NUM_THREADS").ok().and_then(|text| text.trim().parse().ok());
    if let Some(threads) = wish.filter(|threads| (1..=1024).contains(threads)) {
        return threads;
    }
    let cores = physical_cpus().len();
    let quota = cpu_quota().map_or(cores, |quota| quota.ceil().clamp(1.0, 4096.0) as usize);
    cores.min(quota).max(1)
}

/// Caches as the first allowed CPU has them.
pub fn caches() -> Caches {
    let mut caches = Caches::default();
    let cpu = allowed_cpus().first().copied().unwrap_or(0);
    for index in 0..8 {
        let folder = format!("/sys/devices/system/cpu/cpu{cpu}/cache/index{index}");
        let Some(level) = read(format!("{folder}/level")) else { break };
        let kind = read(format!("{folder}/type")).unwrap_or_default();
        let size = read(format!("{folder}/size")).and_then(|text| parse_size(&text)).unwrap_or(0);
        match (level.as_str(), kind.as_str()) {
            ("1", "Data") => caches.l1d = size,
            ("2", _) => caches.l2 = size,
            ("3", _) => caches.l3 = size,
            _ => {}
        }
    }
    caches
}

/// `48K`, `2M`, `512`.
fn parse_size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

/// As the CPU names itself.
pub fn cpu_model() -> String {
    let name = read("/proc/cpuinfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(parse_size("48K"), Some(48 << 10));
        assert_eq!(parse_size("2M"), Some(2 << 20));
        assert_eq!(parse_size("512"), Some(512));
        assert_eq!(parse_size("1X"), None);
        assert_eq!(parse_size(""), None);
    }

    #[test]
    fn a_quota_of_max_is_no_limit() {
        assert_eq!(ratio("max", "100000"), None);
        assert_eq!(ratio("-1", "100000"), None);
        assert_eq!(ratio("50000", "100000"), Some(0.5));
    }

    #[test]
    fn there_is_at_least_one_core_and_never_more_than_cpus() {
        let physical = physical_cpus();
        assert!(!physical.is_empty() && physical.len() <= allowed_cpus().len());
        assert!(default_threads() >= 1);
    }
}
