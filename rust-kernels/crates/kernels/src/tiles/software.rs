//! Tiles in plain loops.

use super::{Lanes, SIDE, TILE, Tiles};

/// Bytes of one row.
const ROW: usize = 64;

/// Eight tiles in memory; zeros at first.
#[derive(Clone, Debug)]
pub(crate) struct SoftwareTiles([[u8; TILE]; 8]);

impl SoftwareTiles {
    /// All zeros, as after a configuration.
    pub fn new() -> Self {
        SoftwareTiles([[0; TILE]; 8])
    }

    /// The 32 bits at one place.
    fn word(&self, tile: usize, row: usize, column: usize) -> [u8; 4] {
        let at = ROW * row + 4 * column;
        std::array::from_fn(|i| self.0[tile][at + i])
    }

    /// Replaces them by what `next` makes of them.
    fn update(&mut self, tile: usize, row: usize, column: usize, next: impl FnOnce([u8; 4]) -> [u8; 4]) {
        let at = ROW * row + 4 * column;
        let word = next(self.word(tile, row, column));
        self.0[tile][at..at + 4].copy_from_slice(&word);
    }
}

impl Tiles for SoftwareTiles {
    fn zero<const T: usize>(&mut self) {
        self.0[T] = [0; TILE];
    }

    fn load<const T: usize>(&mut self, from: &[u8; TILE]) {
        self.0[T] = *from;
    }

    fn store<const T: usize>(&self, to: &mut [Lanes; SIDE]) {
        for (row, lanes) in to.iter_mut().enumerate() {
            *lanes = std::array::from_fn(|column| i32::from_le_bytes(self.word(T, row, column)));
        }
    }

    fn dot_s8u8<const C: usize, const A: usize, const B: usize>(&mut self) {
        for m in 0..SIDE {
            for n in 0..SIDE {
                let quads = (0..SIDE).flat_map(|q| self.word(A, m, q).into_iter().zip(self.word(B, q, n)));
                let sum: i32 = quads.map(|(a, b)| i32::from(a as i8) * i32::from(b)).sum();
                self.update(C, m, n, |c| i32::from_le_bytes(c).wrapping_add(sum).to_le_bytes());
            }
        }
    }

    fn dot_bf16<const C: usize, const A: usize, const B: usize>(&mut self) {
        for m in 0..SIDE {
            for n in 0..SIDE {
                let (mut even, mut odd) = (0f32, 0f32);
                for pair in 0..SIDE {
                    let (a, b) = (halves(self.word(A, m, pair)), halves(self.word(B, pair, n)));
                    even = flush(a[0].mul_add(b[0], even));
                    odd = flush(a[1].mul_add(b[1], odd));
                }
                let sum = flush(even + odd);
                self.update(C, m, n, |c| flush(flush(f32::from_le_bytes(c)) + sum).to_le_bytes());
            }
        }
    }
}

/// Two bf16 as f32.
fn halves([a, b, c, d]: [u8; 4]) -> [f32; 2] {
    [[a, b], [c, d]].map(|half| flush(f32::from_bits(u32::from(u16::from_le_bytes(half)) << 16)))
}

/// Subnormal numbers become zeros of their sign.
fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}
