//! Zeroed pages from the system, and back.

use std::ptr::NonNull;

/// Maps `len` zeroed bytes at an address aligned to at least 4096; `None` when the system refuses. `len` is not 0.
#[cfg(unix)]
pub(super) fn map(len: usize) -> Option<NonNull<u8>> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
    // SAFETY: a fresh anonymous mapping; nothing existing is touched.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
    if base == libc::MAP_FAILED { None } else { NonNull::new(base.cast()) }
}

/// Gives a mapping back.
///
/// # Safety
/// `base` came from [`map`] with the same `len`, nothing refers to it any more, and it is given back once.
#[cfg(unix)]
pub(super) unsafe fn unmap(base: NonNull<u8>, len: usize) {
    // SAFETY: the caller's contract.
    unsafe { libc::munmap(base.as_ptr().cast(), len) };
}

#[cfg(not(unix))]
fn layout(len: usize) -> Option<std::alloc::Layout> {
    std::alloc::Layout::from_size_align(len, 4096).ok()
}

/// Allocates `len` zeroed bytes at an address aligned to 4096; `None` when there are not so many. `len` is not 0.
#[cfg(not(unix))]
pub(super) fn map(len: usize) -> Option<NonNull<u8>> {
    // SAFETY: the size is not 0.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(layout(len)?) })
}

/// Gives an allocation back.
///
/// # Safety
/// `base` came from [`map`] with the same `len`, nothing refers to it any more, and it is given back once.
#[cfg(not(unix))]
pub(super) unsafe fn unmap(base: NonNull<u8>, len: usize) {
    if let Some(layout) = layout(len) {
        // SAFETY: the caller's contract.
        unsafe { std::alloc::dealloc(base.as_ptr(), layout) };
    }
}
