//! Zeroed, page-aligned memory that fails with an error instead of an abort.

use super::pages;
use crate::error::{Result, RuntimeError};
use std::num::NonZero;
use std::ptr::NonNull;

/// Bytes of a huge page on x86-64 and arm64.
const HUGE: usize = 2 << 20;

/// An anonymous mapping: zeroed, aligned to at least 4096, returned to the system when dropped.
#[derive(Debug)]
pub struct Memory {
    base: NonNull<u8>,
    mapped: usize,
    start: usize,
    len: usize,
}

// SAFETY: plain bytes without thread affinity; all access goes through `&self`/`&mut self` or is the caller's `unsafe`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps `len` bytes. With `huge`, whole 2 MiB pieces are aligned and the system is asked to back them with huge pages; the rest
    /// stays on small pages, so that little memory is not rounded up to much.
    ///
    /// # Errors
    /// E_LIMIT when the system refuses.
    pub fn new(len: usize, huge: bool) -> Result<Memory> {
        if len == 0 {
            return Ok(Memory::empty());
        }
        let refused = || RuntimeError::limit(format!("{len} bytes of memory are not available"));
        let huge = huge && len >= HUGE;
        let mapped = if huge { len.checked_add(HUGE) } else { Some(len) }.ok_or_else(refused)?;
        let base = pages::map(mapped).ok_or_else(refused)?;
        let start = if huge { base.as_ptr().align_offset(HUGE) } else { 0 };
        let memory = Memory { base, mapped, start, len };
        #[cfg(target_os = "linux")]
        if huge {
            // SAFETY: the range lies inside the mapping made above. The advice may be refused; nothing depends on it.
            unsafe { libc::madvise(memory.as_ptr().cast(), len / HUGE * HUGE, libc::MADV_HUGEPAGE) };
        }
        Ok(memory)
    }

    /// No bytes, at an address that is aligned for everything.
    pub fn empty() -> Memory {
        let aligned = NonZero::new(4096).unwrap_or(NonZero::<usize>::MIN);
        Memory { base: NonNull::without_provenance(aligned), mapped: 0, start: 0, len: 0 }
    }

    /// The first byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr().wrapping_add(self.start)
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes from `as_ptr` are mapped and initialised (zeroed by the system); a dangling base has `len` 0.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len) }
    }

    /// All bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` makes the access unique.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.len) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.mapped > 0 {
            // SAFETY: exactly the mapping that `new` made, given back once.
            unsafe { pages::unmap(self.base, self.mapped) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_aligned_and_writable_to_the_last_byte() {
        for len in [0, 1, 4096, HUGE - 1, HUGE, 5 * HUGE + 3] {
            for huge in [false, true] {
                let mut memory = Memory::new(len, huge).unwrap();
                assert_eq!(memory.len(), len);
                assert!(memory.bytes().iter().all(|&byte| byte == 0));
                assert!(len == 0 || (memory.as_ptr() as usize).is_multiple_of(4096));
                if let Some(last) = memory.bytes_mut().last_mut() {
                    *last = 7;
                }
            }
        }
    }

    #[test]
    fn what_the_system_refuses_is_a_limit_error() {
        for len in [usize::MAX, usize::MAX / 2, 1 << 60] {
            assert_eq!(Memory::new(len, true).unwrap_err().code.name(), "E_LIMIT");
        }
    }
}
