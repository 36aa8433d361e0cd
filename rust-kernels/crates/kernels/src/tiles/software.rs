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

    #[allow(dead_code, reason = "bf16 products only")]
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

    fn load_apart<const T: usize, const STEP: usize>(&mut self, from: &[u8], at: usize) {
        for (i, row) in self.0[T].as_chunks_mut::<ROW>().0.iter_mut().enumerate() {
            row.copy_from_slice(&from[at + STEP * i..][..ROW]);
        }
    }

    fn store<const T: usize>(&self, to: &mut [Lanes; SIDE]) {
        for (row, lanes) in to.iter_mut().enumerate() {
            *lanes = std::array::from_fn(|column| i32::from_le_bytes(self.word(T, row, column)));
        }
    }

    fn dot_s8u8<const C: usize, const A: usize, const B: usize>(&mut self) {
        let (a, b) = (self.0[A], self.0[B]);
        let rows = self.0[C].as_chunks_mut::<ROW>().0.iter_mut().zip(a.as_chunks::<ROW>().0);
        for (c, a) in rows {
            let mut sums = [0i32; SIDE];
            for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<ROW>().0) {
                let a = a.map(|a| i32::from(a as i8));
                for (sum, b) in sums.iter_mut().zip(b.as_chunks::<4>().0) {
                    *sum += a[0] * i32::from(b[0]) + a[1] * i32::from(b[1]) + a[2] * i32::from(b[2]) + a[3] * i32::from(b[3]);
                }
            }
            for (c, sum) in c.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
                *c = i32::from_le_bytes(*c).wrapping_add(sum).to_le_bytes();
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

#[allow(dead_code, reason = "bf16 products only")]
/// Two bf16 as f32.
fn halves([a, b, c, d]: [u8; 4]) -> [f32; 2] {
    [[a, b], [c, d]].map(|half| flush(f32::from_bits(u32::from(u16::from_le_bytes(half)) << 16)))
}

#[allow(dead_code, reason = "bf16 products only")]
/// Subnormal numbers become zeros of their sign.
fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}
