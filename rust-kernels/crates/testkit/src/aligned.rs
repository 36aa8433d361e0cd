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

    /// Copies values.
    pub fn of_f32s(values: &[f32]) -> Aligned {
        Aligned::new(&values.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<_>>())
    }

    /// The bytes as f32.
    pub fn f32s(&self) -> &[f32] {
        // SAFETY: any four bytes are an f32; a line's boundary is one of f32.
        unsafe { self.align_to().1 }
    }

    /// The bytes as f32, mutable.
    pub fn f32s_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and any f32 is four bytes.
        unsafe { self.align_to_mut().1 }
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
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let mut copy = Aligned::of_f32s(&values);
            assert_eq!(copy.f32s(), values);
            copy.f32s_mut().iter_mut().for_each(|x| *x += 1.0);
            assert!(len == 0 || copy.f32s()[0] == 1.0);
        }
    }
}
