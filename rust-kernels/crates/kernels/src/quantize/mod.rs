//! f32 panels in lane order to 8-bit panels in token order and back; see [`Code`] for the rounding.
//!
//! ```
//! use neural_engine_isa::Isa;
//! use neural_engine_kernels::code::{Code, Codes};
//! use neural_engine_kernels::quantize::{CodesRef, dequantize, quantize};
//!
//! let code = Code { scale: 4.0, zero: 128 };
//! let (x, mut q, mut back) = ([-1.5f32; 64], [0u8; 64], [0f32; 64]);
//! quantize(Isa::best(), code, &x, Codes::U8(&mut q))?;
//! dequantize(Isa::best(), code, CodesRef::U8(&q), None, &mut back)?;
//! assert_eq!((q, back), ([122; 64], x));
//! # Ok::<(), neural_engine_kernels::KernelError>(())
//! ```

#[cfg(test)]
mod tests;

use crate::code::{Code, Codes};
use crate::dot_u8s8::each;
use crate::error::{KernelError, expect_len};
use crate::panel::TOKENS;
use neural_engine_isa::{Isa, Simd, SimdOp};

/// An 8-bit source of either sign.
#[derive(Clone, Copy, Debug)]
pub enum CodesRef<'a> {
    /// Unsigned.
    U8(&'a [u8]),
    /// Signed.
    S8(&'a [i8]),
}

impl CodesRef<'_> {
    /// Elements.
    pub fn len(&self) -> usize {
        match self {
            CodesRef::U8(codes) => codes.len(),
            CodesRef::S8(codes) => codes.len(),
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// y = saturate(round_even(fma(x, scale, zero))) over whole panel rows; NaN becomes the lowest code.
///
/// # Errors
/// `Length` when the lengths differ or are not whole rows of 64.
pub fn quantize(isa: Isa, code: Code, x: &[f32], y: Codes<'_>) -> Result<(), KernelError> {
    expect_len("x", x.len(), x.len().next_multiple_of(TOKENS))?;
    expect_len("y", y.len(), x.len())?;
    isa.dispatch(Quantize { code, x, y });
    Ok(())
}

/// y = (x − zero) / scale + bias over whole panel rows, each operation correctly rounded; the bias is one value a row.
///
/// # Errors
/// `Length` when the lengths differ or are not whole rows of 64, `Invalid` for a scale of 0, ∞ or NaN.
pub fn dequantize(isa: Isa, code: Code, x: CodesRef<'_>, bias: Option<&[f32]>, y: &mut [f32]) -> Result<(), KernelError> {
    code.check_invertible()?;
    expect_len("x", x.len(), x.len().next_multiple_of(TOKENS))?;
    expect_len("y", y.len(), x.len())?;
    if let Some(bias) = bias {
        expect_len("bias", bias.len(), x.len() / TOKENS)?;
    }
    isa.dispatch(Dequantize { code, x, bias, y });
    Ok(())
}

struct Quantize<'a> {
    code: Code,
    x: &'a [f32],
    y: Codes<'a>,
}

impl SimdOp for Quantize<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, simd: S) {
        let rows = self.x.chunks_exact(TOKENS);
        // The type is matched once, not once a row.
        match self.y {
            Codes::U8(y) => {
                for (x, y) in rows.zip(y.chunks_exact_mut(TOKENS)) {
                    self.code.store_u8(simd, y, each!([0, 16, 32, 48], |at| simd.load(&x[at..at + 16])));
                }
            }
            Codes::S8(y) => {
                for (x, y) in rows.zip(y.chunks_exact_mut(TOKENS)) {
                    self.code.store_s8(simd, y, each!([0, 16, 32, 48], |at| simd.load(&x[at..at + 16])));
                }
            }
        }
    }
}

struct Dequantize<'a> {
    code: Code,
    x: CodesRef<'a>,
    bias: Option<&'a [f32]>,
    y: &'a mut [f32],
}

impl SimdOp for Dequantize<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, simd: S) {
        let Dequantize { code, x, bias, y } = self;
        let rows = y.chunks_exact_mut(TOKENS).enumerate();
        let bias = |row: usize| bias.map(|bias| bias[row]);
        match x {
            CodesRef::U8(x) => {
                for (x, (row, y)) in x.chunks_exact(TOKENS).zip(rows) {
                    store(simd, code, simd.load_u8(x), bias(row), y);
                }
            }
            CodesRef::S8(x) => {
                for (x, (row, y)) in x.chunks_exact(TOKENS).zip(rows) {
                    store(simd, code, simd.load_s8(x), bias(row), y);
                }
            }
        }
    }
}

/// Writes one row of 64.
#[inline(always)]
fn store<S: Simd>(simd: S, code: Code, lanes: [S::I32; 4], bias: Option<f32>, y: &mut [f32]) {
    let mut real = each!(lanes, |lanes| code.real(simd, lanes));
    if let Some(bias) = bias {
        let bias = simd.splat(bias);
        real = each!(real, |real| simd.add(real, bias));
    }
    each!([0, 1, 2, 3], |j| simd.store(&mut y[16 * j..16 * j + 16], real[j]));
}
