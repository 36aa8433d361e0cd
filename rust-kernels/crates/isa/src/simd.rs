//! Sixteen f32 lanes, the same on every tier.
//!
//! Row-wise kernels are written once against [`Simd`] and run on every CPU with the *same sequence of IEEE operations*: a vector is
//! always 16 lanes wide (one `zmm`, two `ymm`, or an array), `fma` is fused everywhere, nothing approximates a reciprocal, and `min`
//! and `max` treat NaN and signed zeros as `minps` and `maxps` do. Results are therefore bit-identical across tiers, NaN payloads aside.
//!
//! ```
//! use neural_engine_isa::{Isa, Simd, SimdOp};
//!
//! /// `x ← max(x, 0)`, in place; a multiple of 16 values.
//! struct Relu<'a>(&'a mut [f32]);
//!
//! impl SimdOp for Relu<'_> {
//!     type Output = ();
//!     #[inline(always)] // into the function that enables the target features
//!     fn eval<S: Simd>(self, simd: S) {
//!         let zero = simd.splat(0.0);
//!         for chunk in self.0.chunks_exact_mut(S::LANES) {
//!             simd.store(chunk, simd.max(simd.load(chunk), zero));
//!         }
//!     }
//! }
//!
//! let mut x = [-1.0; 32];
//! Isa::best().dispatch(Relu(&mut x));
//! assert_eq!(x, [0.0; 32]);
//! ```

use crate::Isa;

/// Vectors of exactly 16 lanes. A value of an implementing type proves that the instructions exist.
///
/// Every method is meant to be inlined into a function that enables the tier's features, which [`Isa::dispatch`] provides.
/// Loads and stores use the first 16 elements of their slice and panic when there are fewer; over arrays and `chunks_exact`
/// the check vanishes.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Lanes of every vector.
    const LANES: usize = 16;
    /// Vectors that a kernel may keep in registers at once; what blocking is chosen by.
    const REGISTERS: usize;
    /// Sixteen f32.
    type F32: Copy;
    /// Sixteen i32.
    type I32: Copy;
    /// Sixteen truth values.
    type Mask: Copy;

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::F32;
    /// The first 16 elements.
    fn load(self, x: &[f32]) -> Self::F32;
    /// Writes the first 16 elements.
    fn store(self, dst: &mut [f32], x: Self::F32);
    /// The elements of a slice shorter than 16 (or its first 16), `fill` in the remaining lanes.
    fn load_partial(self, x: &[f32], fill: f32) -> Self::F32;
    /// Writes as many lanes as the slice has elements, at most 16.
    fn store_partial(self, dst: &mut [f32], x: Self::F32);

    /// a + b
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a − b
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a · b
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a ÷ b, correctly rounded.
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a · b + c with one rounding.
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// c − a · b with one rounding.
    fn fnma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// Square root, correctly rounded.
    fn sqrt(self, a: Self::F32) -> Self::F32;
    /// `a < b ? a : b`: the second operand when either is NaN or both are zeros.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a > b ? a : b`: the second operand when either is NaN or both are zeros.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Magnitude (clears the sign bit, of NaN too).
    fn abs(self, a: Self::F32) -> Self::F32;
    /// −a (flips the sign bit, of NaN too).
    fn neg(self, a: Self::F32) -> Self::F32;
    /// The magnitude of `a` with the sign of `sign`.
    fn copysign(self, a: Self::F32, sign: Self::F32) -> Self::F32;
    /// To the nearest integer, ties to even.
    fn round_even(self, a: Self::F32) -> Self::F32;
    /// a · 2ⁿ with one rounding, subnormal results and overflow included.
    ///
    /// `n` is integral in −250..=250 and |a| in \[½, 2\]; a zero, infinity or NaN in `a` passes through. Other arguments are not
    /// the same on every tier.
    fn scale_by_power(self, a: Self::F32, n: Self::F32) -> Self::F32;

    /// a < b (false for NaN).
    fn lt(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// a ≤ b (false for NaN).
    fn le(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// a = b (false for NaN).
    fn eq(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// Where `a` is NaN.
    fn is_nan(self, a: Self::F32) -> Self::Mask;
    /// `yes` where the mask is set, else `no`.
    fn select(self, mask: Self::Mask, yes: Self::F32, no: Self::F32) -> Self::F32;
    /// The mask whose lane `i` is bit `i`.
    fn mask(self, bits: u16) -> Self::Mask;
    /// Bit `i` is lane `i` of the mask.
    fn bits(self, mask: Self::Mask) -> u16;

    /// `x` in every lane.
    fn splat_i32(self, x: i32) -> Self::I32;
    /// The first 16 elements.
    fn load_i32(self, x: &[i32]) -> Self::I32;
    /// Writes the first 16 elements.
    fn store_i32(self, dst: &mut [i32], x: Self::I32);
    /// a + b, wrapping.
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// a − b, wrapping.
    fn sub_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The low 32 bits of a · b.
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The smaller.
    fn min_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The larger.
    fn max_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Bitwise and.
    fn and_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Bitwise or.
    fn or_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Bitwise exclusive or.
    fn xor_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Shift left; N in 0..32.
    fn shl<const N: u32>(self, a: Self::I32) -> Self::I32;
    /// Arithmetic shift right; N in 0..32.
    fn shr<const N: u32>(self, a: Self::I32) -> Self::I32;
    /// Logical shift right; N in 0..32.
    fn shr_logical<const N: u32>(self, a: Self::I32) -> Self::I32;
    /// `yes` where the mask is set, else `no`.
    fn select_i32(self, mask: Self::Mask, yes: Self::I32, no: Self::I32) -> Self::I32;

    /// Nearest integer, ties to even; `i32::MIN` for NaN and what does not fit (`cvtps2dq`).
    fn to_i32(self, a: Self::F32) -> Self::I32;
    /// Nearest f32, ties to even.
    fn to_f32(self, a: Self::I32) -> Self::F32;
    /// The bits of each lane.
    fn to_bits(self, a: Self::F32) -> Self::I32;
    /// The f32 of those bits.
    #[expect(clippy::wrong_self_convention, reason = "`self` is the proof of the instructions, not the operand")]
    fn from_bits(self, a: Self::I32) -> Self::F32;

    /// Sum of the lanes in a fixed order: lane i + lane i+8, then i+4, i+2, i+1.
    fn sum(self, a: Self::F32) -> f32;
    /// Largest lane, by [`max`](Self::max) in the order of [`sum`](Self::sum).
    fn largest(self, a: Self::F32) -> f32;

    /// 64 i32 in lane order to 64 u8 in token order, saturating. Panics below 64 bytes.
    fn store_u8(self, dst: &mut [u8], x: [Self::I32; 4]);
    /// 64 i32 in lane order to 64 s8 in token order, saturating. Panics below 64 bytes.
    fn store_s8(self, dst: &mut [i8], x: [Self::I32; 4]);
    /// 64 u8 in token order to 64 i32 in lane order. Panics below 64 bytes.
    fn load_u8(self, x: &[u8]) -> [Self::I32; 4];
    /// 64 s8 in token order to 64 i32 in lane order. Panics below 64 bytes.
    fn load_s8(self, x: &[i8]) -> [Self::I32; 4];
    /// 32 i32 to 32 u16, saturating: by fours, lanes of the first vector alternate with lanes of the second, as packing leaves them.
    /// Panics below 32 elements.
    fn store_u16(self, dst: &mut [u16], x: [Self::I32; 2]);
    /// Undoes the order of [`store_u16`](Self::store_u16). Panics below 32 elements.
    fn load_u16(self, x: &[u16]) -> [Self::I32; 2];

    /// Transposes a 16 × 16 matrix of rows.
    fn transpose(self, rows: [Self::F32; 16]) -> [Self::F32; 16];
}

/// A computation written for any [`Simd`].
pub trait SimdOp {
    /// What it returns.
    type Output;
    /// Runs it. Implementations are `#[inline(always)]`, and so is what they call with `simd`: code that is not inlined
    /// into the dispatching function runs without the tier's instructions and is slow (never wrong): closures too, so keep vector code
    /// in plain loops and `#[inline(always)]` functions.
    fn eval<S: Simd>(self, simd: S) -> Self::Output;
}

impl Isa {
    /// Runs `op` with the widest vectors of this ISA.
    pub fn dispatch<Op: SimdOp>(self, op: Op) -> Op::Output {
        #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
        {
            if let Some(token) = self.avx512_vnni() {
                return crate::avx512::enter(token, op);
            }
            if let Some(token) = self.avx2() {
                return crate::avx2::enter(token, op);
            }
        }
        op.eval(crate::Scalar)
    }
}

/// The first N elements; the one bounds check of every load.
#[inline(always)]
pub(crate) fn head<T, const N: usize>(x: &[T]) -> &[T; N] {
    x.first_chunk().expect("a vector load or store needs a whole vector")
}

/// The first N elements, mutable.
#[inline(always)]
pub(crate) fn head_mut<T, const N: usize>(x: &mut [T]) -> &mut [T; N] {
    x.first_chunk_mut().expect("a vector load or store needs a whole vector")
}
