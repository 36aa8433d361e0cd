//! Bytes on a 64-byte boundary, as weights have in a mapped file.

use std::ops::{Deref, DerefMut};

#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
struct Line(#[expect(dead_code, reason = "read through Deref")] [u8; 64]);

/// A copy of some bytes, 64-byte aligned.
#[derive(Clone, Debug)]
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// Copies `bytes`.
    pub fn new(bytes: &[u8]) -> Aligned {
        let mut copy = Aligned { lines: vec![Line([0; 64]); bytes.len().div_ceil(64)], len: bytes.len() };
        copy.copy_from_slice(bytes);
        copy
    }
}

impl Deref for Aligned {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the lines are contiguous, hold at least `len` bytes and any byte is a u8.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_equal_and_aligned() {
        for len in [0, 1, 63, 64, 65, 1000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let copy = Aligned::new(&bytes);
            assert_eq!(*copy, *bytes);
            assert_eq!(copy.as_ptr() as usize % 64, 0);
        }
    }
}
