//! Whether tiles are there: the CPU has them, the system saves them, and this process may use them.

use core::arch::x86_64::{__cpuid_count, _xgetbv, CpuidResult};

/// CPUID leaf 7, EDX: bfloat16 products, tiles, 8-bit products.
const FEATURES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
/// XCR0: tile configuration and tile data are saved with a thread.
const STATE: u64 = 1 << 17 | 1 << 18;

/// Whether the CPU has eight tiles of 16 rows of 64 bytes with both kinds of products, and the system saves them.
pub(crate) fn detect() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    if cpuid(0, 0).eax < 0x1d || cpuid(1, 0).ecx & OSXSAVE == 0 || cpuid(7, 0).edx & FEATURES != FEATURES {
        return false;
    }
    // SAFETY: OSXSAVE says that the instruction exists.
    let saved = unsafe { xcr0() };
    // Leaf 0x1D, palette 1: bytes and number of tiles, bytes and number of rows.
    let palette = cpuid(0x1d, 1);
    let (tile, tiles, row, rows) = (palette.eax >> 16, palette.ebx >> 16, palette.ebx & 0xffff, palette.ecx & 0xffff);
    saved & STATE == STATE && (tile, row) == (1024, 64) && tiles >= 8 && rows >= 16
}

/// What the CPU says about itself.
fn cpuid(leaf: u32, sub_leaf: u32) -> CpuidResult {
    #[allow(unused_unsafe, reason = "newer compilers have this function as a safe one")]
    // SAFETY: every x86-64 CPU has the instruction.
    unsafe {
        __cpuid_count(leaf, sub_leaf)
    }
}

#[target_feature(enable = "xsave")]
fn xcr0() -> u64 {
    // SAFETY: reads a register that exists where `xsave` does.
    unsafe { _xgetbv(0) }
}

/// Asks the kernel to let this process use tile data; every thread then may. It refuses where a signal stack is too small for them.
#[cfg(target_os = "linux")]
pub(crate) fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and changes nothing but this process' permission.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

/// Other systems are not known to grant tiles.
#[cfg(not(target_os = "linux"))]
pub(crate) fn permitted() -> bool {
    false
}
