//! The logical CPUs this process may use, and what each shares with others.

use super::affinity::allowed_cpus;
use super::read;
use std::path::{Path, PathBuf};

/// One logical CPU. Cores, L3 clusters and packages are named by numbers that only tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its number, as in an affinity mask.
    pub number: usize,
    /// Physical core: the lowest of its hyper-threads.
    pub core: usize,
    /// Socket.
    pub package: usize,
    /// NUMA node.
    pub node: usize,
    /// The lowest CPU of those that share its L3 cache.
    pub l3: usize,
}

/// Every CPU of the affinity mask (which a cpuset has cut already), ascending.
pub fn cpus() -> Vec<Cpu> {
    let folder = Path::new("/sys/devices/system/cpu");
    allowed_cpus().into_iter().map(|number| describe(folder, number)).collect()
}

/// What cannot be read counts as shared by all, except the core.
fn describe(folder: &Path, number: usize) -> Cpu {
    let own = folder.join(format!("cpu{number}"));
    let first = |path: PathBuf| first_of(&read(path)?);
    let l3 = (0..8).map(|index| own.join(format!("cache/index{index}"))).find(|cache| read(cache.join("level")).as_deref() == Some("3"));
    Cpu {
        number,
        core: first(own.join("topology/thread_siblings_list")).unwrap_or(number),
        // Virtual machines without a package say −1.
        package: read(own.join("topology/physical_package_id")).and_then(|text| text.parse().ok()).unwrap_or(0),
        node: node_of(&own).unwrap_or(0),
        l3: l3.and_then(|cache| first(cache.join("shared_cpu_list"))).unwrap_or(0),
    }
}

/// The kernel puts an entry `node<N>` into a CPU's folder.
fn node_of(cpu: &Path) -> Option<usize> {
    std::fs::read_dir(cpu).ok()?.flatten().find_map(|entry| entry.file_name().to_str()?.strip_prefix("node")?.parse().ok())
}

/// The first number of `0-3,8`.
fn first_of(list: &str) -> Option<usize> {
    list.split([',', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_begins_with_its_lowest_cpu() {
        assert_eq!([first_of("0-3,8"), first_of("5"), first_of("2,26"), first_of("")], [Some(0), Some(5), Some(2), None]);
    }

    #[test]
    fn a_cpu_is_read_from_its_folder() {
        let folder = std::env::temp_dir().join(format!("ne-cpus-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = folder.join("cpu27").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("topology/thread_siblings_list", "3,27\n");
        write("topology/physical_package_id", "1\n");
        write("cache/index2/level", "2\n");
        write("cache/index2/shared_cpu_list", "3,27\n");
        write("cache/index3/level", "3\n");
        write("cache/index3/shared_cpu_list", "0-3,24-27\n");
        std::fs::create_dir_all(folder.join("cpu27/node2")).unwrap();
        assert_eq!(describe(&folder, 27), Cpu { number: 27, core: 3, package: 1, node: 2, l3: 0 });
        assert_eq!(describe(&folder, 5), Cpu { number: 5, core: 5, package: 0, node: 0, l3: 0 });
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_allowed_cpu_is_there() {
        assert_eq!(cpus().iter().map(|cpu| cpu.number).collect::<Vec<_>>(), allowed_cpus());
    }
}
