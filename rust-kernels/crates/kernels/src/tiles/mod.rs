//! Eight registers of 16 rows of 64 bytes that multiply matrices: AMX, and the same in plain loops for every other CPU.
//!
//! A kernel on tiles is written once over [`Tiles`]. Tests run it on [`SoftwareTiles`] everywhere and on the CPU's tiles where there
//! are any; both give the same bits.
//!
//! | operand | 8 bits | bf16 |
//! | --- | --- | --- |
//! | left, `[16 rows]` | 64 values of K | 32 values of K |
//! | right, `[16]` | 16 columns × 4 values of K | 16 columns × 2 values of K |
//! | accumulator, `[16 rows][16 columns]` | i32, wrapping | f32 |

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod amx;
mod software;
#[cfg(test)]
mod tests;

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
pub(crate) use amx::AmxTiles;
pub(crate) use software::SoftwareTiles;

/// Rows of a tile, and 32-bit columns of one.
pub(crate) const SIDE: usize = 16;
/// Bytes of a tile.
pub(crate) const TILE: usize = 1024;

/// One row of an accumulator.
pub(crate) type Lanes = [i32; SIDE];

/// The tiles of one thread, numbered 0 to 7 at compile time, all of 16 rows of 64 bytes.
///
/// Methods are meant to be inlined into a function that enables the features of the kernel around them.
pub(crate) trait Tiles {
    /// Tile T ← 0.
    fn zero<const T: usize>(&mut self);
    /// Tile T ← 16 rows that lie one behind the other.
    fn load<const T: usize>(&mut self, from: &[u8; TILE]);
    /// Tile T ← 16 rows that begin at byte `at` and then STEP bytes apart. Panics where `from` ends before the last.
    #[cfg_attr(any(not(target_arch = "x86_64"), ne_portable), allow(dead_code, reason = "attention on the CPU's tiles only"))]
    fn load_apart<const T: usize, const STEP: usize>(&mut self, from: &[u8], at: usize);
    /// Writes the rows of tile T one behind the other.
    fn store<const T: usize>(&self, to: &mut [Lanes; SIDE]);
    /// C\[m\]\[n\] += Σ over k of s8 A\[m\]\[k\] · u8 B\[k/4\]\[n\]\[k%4\], 64 values of k, in i32 that wrap around.
    fn dot_s8u8<const C: usize, const A: usize, const B: usize>(&mut self);
    /// C\[m\]\[n\] += Σ over k of bf16 A\[m\]\[k\] · B\[k/2\]\[n\]\[k%2\], 32 values of k, in f32.
    ///
    /// Two sums, of the even and of the odd k, are kept by fused multiply-adds, then added to each other and to C. Rounds to nearest
    /// even; subnormal operands and results are zeros of their sign.
    #[allow(dead_code, reason = "what bf16 kernels on tiles are to be built from")]
    fn dot_bf16<const C: usize, const A: usize, const B: usize>(&mut self);
}
