//! f32 panels in lane order to u8 panels in token order, each token by the range of its own features.
//!
//! | form | range of a token | inverse | zero | step |
//! | --- | --- | --- | --- | --- |
//! | asymmetric | r = max(0, x) − min(0, x) | 255 / r | saturate(round_even(−min·inverse)) | r / 255 |
//! | symmetric | r = max \|x\| | 127 / r | 128 | r / 127 |
//!
//! Then code = saturate(round_even(fma(x, inverse, zero))), the rounding of [`Code`](crate::Code), and real = (code − zero)·step. A range
//! below 1e-30 counts as 1e-30: a token of zeros has codes of zero. A token that holds NaN or infinity gets a step of NaN, so that
//! whatever is computed from it is NaN too and never a number that looks right.

#[cfg(test)]
mod tests;

use crate::dot_u8s8::each;
use crate::error::{KernelError, expect_len};
use crate::panel::TOKENS;
use crate::panel_row::Row;
use neural_engine_isa::{Isa, Simd, SimdOp};

/// Least range of a token; keeps inverse and step normal numbers.
const LEAST_RANGE: f32 = 1e-30;

/// How the range of a token becomes its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenForm {
    /// Least to greatest value, zero inside.
    Asymmetric,
    /// ± the greatest magnitude, zero at 128.
    Symmetric,
}

/// Quantises one panel, `[features][64]`. `step` and `zero` get 64 values in lane order.
///
/// # Errors
/// `Length` when `x` is not whole rows of 64, `y` differs from it in length, or `step` or `zero` has not 64 elements.
pub fn quantize_tokens(isa: Isa, form: TokenForm, x: &[f32], y: &mut [u8], step: &mut [f32], zero: &mut [f32]) -> Result<(), KernelError> {
    check(x.len(), y, step, zero)?;
    isa.dispatch(QuantizeTokens { form, rows: x.as_chunks().0, y, step, zero });
    Ok(())
}

/// The same of a [bf16](crate::bf16) panel.
///
/// # Errors
/// As [`quantize_tokens`].
pub fn quantize_tokens_bf16(
    isa: Isa,
    form: TokenForm,
    x: &[u16],
    y: &mut [u8],
    step: &mut [f32],
    zero: &mut [f32],
) -> Result<(), KernelError> {
    check(x.len(), y, step, zero)?;
    isa.dispatch(QuantizeTokens { form, rows: x.as_chunks().0, y, step, zero });
    Ok(())
}

fn check(x: usize, y: &[u8], step: &[f32], zero: &[f32]) -> Result<(), KernelError> {
    expect_len("x", x, x.next_multiple_of(TOKENS))?;
    expect_len("y", y.len(), x)?;
    expect_len("step", step.len(), TOKENS)?;
    expect_len("zero", zero.len(), TOKENS)
}

struct QuantizeTokens<'a, R> {
    form: TokenForm,
    rows: &'a [R],
    y: &'a mut [u8],
    step: &'a mut [f32],
    zero: &'a mut [f32],
}

/// What codes 16 tokens.
#[derive(Clone, Copy)]
struct Lanes<F> {
    inverse: F,
    zero: F,
    step: F,
}

impl<R: Row> SimdOp for QuantizeTokens<'_, R> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        let lanes = each!([0, 16, 32, 48], |at| self.form.lanes(s, self.rows, at));
        each!([0, 1, 2, 3], |j| {
            s.store(&mut self.step[16 * j..16 * j + 16], lanes[j].step);
            s.store(&mut self.zero[16 * j..16 * j + 16], lanes[j].zero);
        });
        for (row, y) in self.rows.iter().zip(self.y.chunks_exact_mut(TOKENS)) {
            let x: [S::F32; 4] = row.load(s, 0);
            let codes = each!([0, 1, 2, 3], |j| {
                let q = s.fma(x[j], lanes[j].inverse, lanes[j].zero);
                // |x·inverse| is at most 255 where the step is a number; the rest need not saturate to its own side.
                s.to_i32(q)
            });
            s.store_u8(y, codes);
        }
    }
}

impl TokenForm {
    /// The code of tokens `at..at + 16`.
    #[inline(always)]
    fn lanes<S: Simd, R: Row>(self, s: S, rows: &[R], at: usize) -> Lanes<S::F32> {
        let (mut low, mut high, mut poison) = (s.splat(0.0), s.splat(0.0), s.splat(0.0));
        let nothing = s.splat(0.0);
        for row in rows {
            let [x] = row.load(s, at);
            // An x that is NaN leaves the second operand; 0·x then remembers it, and infinity too.
            (low, high, poison) = (s.min(x, low), s.max(x, high), s.fma(x, nothing, poison));
        }
        let range = match self {
            TokenForm::Asymmetric => s.sub(high, low),
            TokenForm::Symmetric => s.max(high, s.neg(low)),
        };
        let range = s.max(range, s.splat(LEAST_RANGE));
        let codes = s.splat(if self == TokenForm::Asymmetric { 255.0 } else { 127.0 });
        let inverse = s.div(codes, range);
        let zero = match self {
            TokenForm::Asymmetric => s.round_even(s.min(s.mul(s.neg(low), inverse), s.splat(255.0))),
            TokenForm::Symmetric => s.splat(128.0),
        };
        // 0 or NaN; adding 0 changes no step.
        Lanes { inverse, zero, step: s.add(s.div(range, codes), poison) }
    }
}
