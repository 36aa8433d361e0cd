//! Buffers between two pages that nobody may touch: an access past either end faults at once.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Which end of the buffer lies against its guard page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The first element: catches reads and writes before the buffer.
    Start,
    /// The last element: catches reads and writes past the buffer. The start is then aligned only as far as the length allows.
    End,
}

impl Edge {
    /// Both, for tests to iterate over.
    pub const BOTH: [Edge; 2] = [Edge::Start, Edge::End];
}

/// A slice of plain numbers with an inaccessible page before and after.
#[derive(Debug)]
pub struct Guarded<T: Copy> {
    map: NonNull<u8>,
    map_bytes: usize,
    data: NonNull<T>,
    len: usize,
}

impl<T: Copy> Guarded<T> {
    /// `len` copies of `fill`.
    pub fn new(len: usize, fill: T, edge: Edge) -> Guarded<T> {
        // SAFETY: asks for a constant of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let bytes = len * size_of::<T>();
        let body = bytes.next_multiple_of(page);
        let map_bytes = body + 2 * page;
        // SAFETY: a fresh private mapping at an address of the system's choice.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), map_bytes, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        assert_ne!(map, libc::MAP_FAILED, "no memory for a guarded buffer of {bytes} bytes");
        let map = NonNull::new(map.cast::<u8>()).expect("mmap does not return null");
        if body > 0 {
            // SAFETY: the pages between the two guards belong to the mapping above.
            let rc = unsafe { libc::mprotect(map.as_ptr().add(page).cast(), body, libc::PROT_READ | libc::PROT_WRITE) };
            assert_eq!(rc, 0, "mprotect failed");
        }
        let offset = match edge {
            Edge::Start => page,
            Edge::End => page + body - bytes,
        };
        // SAFETY: the offset is inside the mapping (at its last guard page when empty).
        let data = unsafe { map.add(offset) }.cast::<T>();
        assert!(data.is_aligned());
        for i in 0..len {
            // SAFETY: element i lies in the accessible part, and T is plain data.
            unsafe { data.add(i).write(fill) };
        }
        Guarded { map, map_bytes, data, len }
    }

    /// A copy of `x`.
    pub fn copy(x: &[T], edge: Edge) -> Guarded<T> {
        match x.first() {
            Some(first) => {
                let mut copy = Guarded::new(x.len(), *first, edge);
                copy.copy_from_slice(x);
                copy
            }
            // SAFETY: zero elements are read of this value; it only names the type.
            None => Guarded::new(0, unsafe { std::mem::MaybeUninit::zeroed().assume_init() }, edge),
        }
    }
}

impl<T: Copy> Deref for Guarded<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `len` initialised elements, alive as long as the mapping.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl<T: Copy> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

impl<T: Copy> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `new` mapped.
        unsafe { libc::munmap(self.map.as_ptr().cast(), self.map_bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a child process that runs `f` dies of a fault.
    fn faults(f: impl Fn()) -> bool {
        // SAFETY: the child only runs `f` and leaves without unwinding into the parent's state.
        unsafe {
            let child = libc::fork();
            assert!(child >= 0);
            if child == 0 {
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                libc::signal(libc::SIGBUS, libc::SIG_DFL);
                f();
                libc::_exit(0);
            }
            let mut status = 0;
            libc::waitpid(child, &mut status, 0);
            libc::WIFSIGNALED(status)
        }
    }

    #[test]
    fn a_read_one_past_either_end_faults_and_inside_does_not() {
        for len in [1, 5, 1024, 1025] {
            let end = Guarded::new(len, 1.0f32, Edge::End);
            let start = Guarded::new(len, 1.0f32, Edge::Start);
            let read = |p: *const f32| {
                // SAFETY: not sound where it faults, which is the point; it happens in a child process.
                std::hint::black_box(unsafe { p.read_volatile() });
            };
            assert!(faults(|| read(end.as_ptr().wrapping_add(len))));
            assert!(faults(|| read(start.as_ptr().wrapping_sub(1))));
            assert!(!faults(|| read(end.as_ptr().wrapping_add(len - 1))));
        }
    }

    #[test]
    fn copies_hold_what_they_copy() {
        for edge in Edge::BOTH {
            assert_eq!(*Guarded::copy(&[1u8, 2, 3], edge), [1, 2, 3]);
            assert!(Guarded::<i32>::copy(&[], edge).is_empty());
        }
    }
}
