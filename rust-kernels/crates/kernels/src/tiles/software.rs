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
                // Sparse weights are mostly zeros, and unoptimised tests run on these loops.
                if *a == [0; 4] {
                    continue;
                }
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
        let (a, b) = (floats(&self.0[A]), floats(&self.0[B]));
        for (c, a) in self.0[C].as_chunks_mut::<ROW>().0.iter_mut().zip(a) {
            let (mut even, mut odd) = ([0f32; SIDE], [0f32; SIDE]);
            for (a, b) in a.into_iter().zip(&b) {
                for n in 0..SIDE {
                    even[n] = flush(a[0].mul_add(b[n][0], even[n]));
                    odd[n] = flush(a[1].mul_add(b[n][1], odd[n]));
                }
            }
            for (n, c) in c.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let sum = flush(even[n] + odd[n]);
                *c = flush(flush(f32::from_le_bytes(*c)) + sum).to_le_bytes();
            }
        }
    }
}

#[allow(dead_code, reason = "bf16 products only")]
/// The pairs of bf16 of a tile as f32.
fn floats(tile: &[u8; TILE]) -> [[[f32; 2]; SIDE]; SIDE] {
    let mut floats = [[[0.0; 2]; SIDE]; SIDE];
    for (floats, row) in floats.iter_mut().zip(tile.as_chunks::<ROW>().0) {
        for (pair, &bytes) in floats.iter_mut().zip(row.as_chunks::<4>().0) {
            *pair = halves(bytes);
        }
    }
    floats
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
