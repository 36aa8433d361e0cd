//! Layer normalisation of panels: statistics run down the features, so 64 tokens are normalised side by side.
//!
//! Per token: μ by a first pass, corrected by the mean of x − μ from a second one, which also gives the variance; then
//! y = fma((x − μ)·(1 / √(var + ε)), γ, β). Sums run over even and odd rows apart. All tiers give the same bits.

use crate::code::{Code, Codes};
use crate::dot_u8s8::each;
use crate::error::{KernelError, expect_len};
use crate::panel::TOKENS;
use crate::panel_row::Row;
use neural_engine_isa::{Isa, Simd, SimdOp};

/// y = (x − mean) / √(variance + ε) · γ + β over the features of each token.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// γ, one a feature.
    pub gamma: &'a [f32],
    /// β, one a feature.
    pub beta: &'a [f32],
    /// ε
    pub epsilon: f32,
}

/// Where the codes of a result go.
#[derive(Debug)]
pub struct NormCodes<'a> {
    /// Of one feature like of another.
    pub code: Code,
    /// `[features][64]`, in token order.
    pub codes: Codes<'a>,
    /// One a feature: codes are those of the result times these, which itself stays as it is.
    pub multipliers: Option<&'a [f32]>,
}

impl LayerNorm<'_> {
    /// Normalises the f32 panel `x` `[features][64]` in place; optionally also writes 8-bit codes, a panel in token order.
    ///
    /// # Errors
    /// [`KernelError::Length`] when γ, β, `x`, the codes and their multipliers are not of the same number of features; none is
    /// [`KernelError::Invalid`].
    pub fn run(&self, isa: Isa, x: &mut [f32], codes: Option<NormCodes<'_>>) -> Result<(), KernelError> {
        self.check(x.len(), &codes)?;
        isa.dispatch(Normalise { norm: self, panel: InPlace(x.as_chunks_mut().0), codes });
        Ok(())
    }

    /// The same on a [bf16](crate::bf16) panel: statistics and results are f32, results are rounded last, to nearest even. Codes are
    /// those of the rounded results.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_bf16(&self, isa: Isa, x: &mut [u16], codes: Option<NormCodes<'_>>) -> Result<(), KernelError> {
        self.check(x.len(), &codes)?;
        isa.dispatch(Normalise { norm: self, panel: InPlace(x.as_chunks_mut().0), codes });
        Ok(())
    }

    /// The same from an f32 panel `x` to a bf16 panel `y`.
    ///
    /// # Errors
    /// As [`run`](Self::run); `Length` also when `y` is not as long as `x`.
    pub fn run_to_bf16(&self, isa: Isa, x: &[f32], y: &mut [u16], codes: Option<NormCodes<'_>>) -> Result<(), KernelError> {
        self.check(x.len(), &codes)?;
        expect_len("y", y.len(), x.len())?;
        isa.dispatch(Normalise { norm: self, panel: Narrowed { x: x.as_chunks().0, y: y.as_chunks_mut().0 }, codes });
        Ok(())
    }

    fn check(&self, x: usize, codes: &Option<NormCodes<'_>>) -> Result<(), KernelError> {
        let features = self.gamma.len();
        if features == 0 {
            return Err(KernelError::Invalid { name: "gamma", reason: "there are no features to normalise".into() });
        }
        expect_len("beta", self.beta.len(), features)?;
        expect_len("x", x, features * TOKENS)?;
        if let Some(NormCodes { codes, multipliers, .. }) = codes {
            expect_len("codes", codes.len(), features * TOKENS)?;
            if let Some(multipliers) = multipliers {
                expect_len("multipliers", multipliers.len(), features)?;
            }
        }
        Ok(())
    }

    /// Mean and 1 / √(variance + ε) of the tokens in `N` vectors from lane `at` on.
    #[inline(always)]
    fn statistics<S: Simd, R: Row, const N: usize>(&self, s: S, rows: &[R], at: usize) -> ([S::F32; N], [S::F32; N]) {
        let features = s.splat(rows.len() as f32);
        let zero = s.splat(0.0);
        // Even and odd rows apart: shorter chains of additions, and smaller errors.
        let (pairs, rest) = rows.as_chunks::<2>();
        let rest = rest.first();
        let (mut even, mut odd) = ([zero; N], [zero; N]);
        for [a, b] in pairs {
            add(s, a, at, &mut even);
            add(s, b, at, &mut odd);
        }
        if let Some(last) = rest {
            add(s, last, at, &mut even);
        }
        let mut mean = [zero; N];
        for i in 0..N {
            mean[i] = s.div(s.add(even[i], odd[i]), features);
        }
        let (mut even, mut odd) = (([zero; N], [zero; N]), ([zero; N], [zero; N]));
        for [a, b] in pairs {
            add_centred(s, a, at, &mean, &mut even);
            add_centred(s, b, at, &mean, &mut odd);
        }
        if let Some(last) = rest {
            add_centred(s, last, at, &mean, &mut even);
        }
        let mut factor = [zero; N];
        for i in 0..N {
            let correction = s.div(s.add(even.0[i], odd.0[i]), features);
            let variance = s.div(s.add(even.1[i], odd.1[i]), features);
            // The subtraction may leave a negative rest where all values are equal. The order keeps NaN.
            let variance = s.max(zero, s.fnma(correction, correction, variance));
            mean[i] = s.add(mean[i], correction);
            factor[i] = s.div(s.splat(1.0), s.sqrt(s.add(variance, s.splat(self.epsilon))));
        }
        (mean, factor)
    }
}

/// sums ← sums + row
#[inline(always)]
fn add<S: Simd, R: Row, const N: usize>(s: S, row: &R, at: usize, sums: &mut [S::F32; N]) {
    let row: [S::F32; N] = row.load(s, at);
    for i in 0..N {
        sums[i] = s.add(sums[i], row[i]);
    }
}

/// The same with row − mean, and with its squares.
#[inline(always)]
fn add_centred<S: Simd, R: Row, const N: usize>(
    s: S,
    row: &R,
    at: usize,
    mean: &[S::F32; N],
    (sums, squares): &mut ([S::F32; N], [S::F32; N]),
) {
    let row: [S::F32; N] = row.load(s, at);
    for i in 0..N {
        let centred = s.sub(row[i], mean[i]);
        sums[i] = s.add(sums[i], centred);
        squares[i] = s.fma(centred, centred, squares[i]);
    }
}

/// What is normalised and where the results go.
trait Panel {
    type X: Row;
    type Y: Row;
    fn rows(&self) -> &[Self::X];
    fn result(&mut self, row: usize) -> &mut Self::Y;
}

struct InPlace<'a, R>(&'a mut [R]);

struct Narrowed<'a> {
    x: &'a [[f32; TOKENS]],
    y: &'a mut [[u16; TOKENS]],
}

impl<R: Row> Panel for InPlace<'_, R> {
    type X = R;
    type Y = R;
    #[inline(always)]
    fn rows(&self) -> &[R] {
        self.0
    }
    #[inline(always)]
    fn result(&mut self, row: usize) -> &mut R {
        &mut self.0[row]
    }
}

impl Panel for Narrowed<'_> {
    type X = [f32; TOKENS];
    type Y = [u16; TOKENS];
    #[inline(always)]
    fn rows(&self) -> &[[f32; TOKENS]] {
        self.x
    }
    #[inline(always)]
    fn result(&mut self, row: usize) -> &mut [u16; TOKENS] {
        &mut self.y[row]
    }
}

struct Normalise<'a, 'b, P> {
    norm: &'a LayerNorm<'a>,
    panel: P,
    codes: Option<NormCodes<'b>>,
}

/// Vectors of one panel row.
const REGS: usize = TOKENS / 16;

impl<P: Panel> SimdOp for Normalise<'_, '_, P> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(mut self, s: S) {
        let rows = self.panel.rows();
        let zero = s.splat(0.0);
        let (mut shift, mut factor) = ([zero; REGS], [zero; REGS]);
        if S::REGISTERS >= 32 {
            (shift, factor) = self.norm.statistics(s, rows, 0);
        } else {
            for i in 0..REGS {
                ([shift[i]], [factor[i]]) = self.norm.statistics(s, rows, 16 * i);
            }
        }
        for index in 0..self.panel.rows().len() {
            let (gamma, beta) = (s.splat(self.norm.gamma[index]), s.splat(self.norm.beta[index]));
            let mut y: [S::F32; REGS] = self.panel.rows()[index].load(s, 0);
            for i in 0..REGS {
                y[i] = s.fma(s.mul(s.sub(y[i], shift[i]), factor[i]), gamma, beta);
            }
            y = self.panel.result(index).store(s, y);
            if let Some(NormCodes { code, codes, multipliers }) = &mut self.codes {
                if let Some(multipliers) = multipliers {
                    let multiplier = s.splat(multipliers[index]);
                    y = each!(y, |y| s.mul(y, multiplier));
                }
                codes.store(s, *code, index, y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16;
    use crate::panel::lane_of;
    use neural_engine_isa::Tier;
    use neural_engine_testkit::{Edge, Guarded, Rng, assert_close, assert_same_bits};

    fn expected(norm: &LayerNorm<'_>, x: &[f32]) -> Vec<f64> {
        let features = norm.gamma.len();
        let mut y = vec![0.0; x.len()];
        for lane in 0..TOKENS {
            let column: Vec<f64> = (0..features).map(|f| f64::from(x[f * TOKENS + lane])).collect();
            let mean = column.iter().sum::<f64>() / features as f64;
            let variance = column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / features as f64;
            for f in 0..features {
                let unit = (column[f] - mean) / (variance + f64::from(norm.epsilon)).sqrt();
                y[f * TOKENS + lane] = unit * f64::from(norm.gamma[f]) + f64::from(norm.beta[f]);
            }
        }
        y
    }

    #[test]
    fn every_tier_matches_f64_and_one_another_under_guard_pages() {
        let mut rng = Rng::from_env(41);
        for features in [1, 2, 3, 4, 5, 7, 8, 31, 64, 127, 257, 768] {
            let (gamma, beta) = (rng.f32s(features, -2.0, 2.0), rng.f32s(features, -1.0, 1.0));
            let norm = LayerNorm { gamma: &gamma, beta: &beta, epsilon: 1e-5 };
            let mut x = rng.f32s(features * TOKENS, -3.0, 5.0);
            for f in 0..features {
                x[f * TOKENS] = 7.0; // a constant token
                x[f * TOKENS + 1] += 1000.0; // a mean far from zero
            }
            let want = expected(&norm, &x);
            let mut scalar = Vec::new();
            for isa in Isa::available() {
                for edge in Edge::BOTH {
                    let mut y = Guarded::copy(&x, edge);
                    norm.run(isa, &mut y, None).unwrap();
                    for (token, (abs, rel)) in [(0, (1e-6, 1e-5)), (1, (1e-3, 1e-3)), (2, (2e-6, 1e-5)), (63, (2e-6, 1e-5))] {
                        let got: Vec<f32> = (0..features).map(|f| y[f * TOKENS + token]).collect();
                        let want: Vec<f64> = (0..features).map(|f| want[f * TOKENS + token]).collect();
                        assert_close(&format!("{} features {features} token {token}", isa.tier().name()), &got, &want, abs, rel);
                    }
                    if isa.tier() == Tier::Scalar {
                        scalar = y.to_vec();
                    }
                    assert_same_bits(isa.tier().name(), &y, &scalar);
                }
            }
        }
    }

    #[test]
    fn multipliers_change_the_codes_alone() {
        let mut rng = Rng::from_env(43);
        let (gamma, beta) = (rng.f32s(19, -2.0, 2.0), rng.f32s(19, -1.0, 1.0));
        let multipliers: Vec<f32> = (0..19).map(|f| [0.25, 1.0, 3.5, -2.0][f % 4]).collect();
        let norm = LayerNorm { gamma: &gamma, beta: &beta, epsilon: 1e-12 };
        let code = Code { scale: 20.0, zero: 110 };
        let input = rng.f32s(19 * TOKENS, -1.0, 1.0);
        for isa in Isa::available() {
            let mut plain = input.clone();
            norm.run(isa, &mut plain, None).unwrap();
            let mut x = input.clone();
            let mut codes = Guarded::new(19 * TOKENS, 0u8, Edge::End);
            let multiplied = NormCodes { code, codes: Codes::U8(&mut codes), multipliers: Some(&multipliers) };
            norm.run(isa, &mut x, Some(multiplied)).unwrap();
            assert_same_bits(isa.tier().name(), &x, &plain);
            for f in 0..19 {
                for token in 0..TOKENS {
                    let y = plain[f * TOKENS + lane_of(token)];
                    assert_eq!(codes[f * TOKENS + token], code.u8(y * multipliers[f]), "{} {f} {token}", isa.tier().name());
                }
            }
            let short = NormCodes { code, codes: Codes::U8(&mut codes), multipliers: Some(&multipliers[1..]) };
            assert!(norm.run(isa, &mut x, Some(short)).is_err());
        }
    }

    #[test]
    fn codes_are_those_of_the_result_in_token_order() {
        let mut rng = Rng::from_env(42);
        let (gamma, beta) = (rng.f32s(33, -2.0, 2.0), rng.f32s(33, -1.0, 1.0));
        let norm = LayerNorm { gamma: &gamma, beta: &beta, epsilon: 1e-12 };
        let code = Code { scale: 30.0, zero: 120 };
        let input = rng.f32s(33 * TOKENS, -1.0, 1.0);
        for isa in Isa::available() {
            let mut x = input.clone();
            let mut codes = Guarded::new(33 * TOKENS, 0u8, Edge::End);
            norm.run(isa, &mut x, Some(NormCodes { code, codes: Codes::U8(&mut codes), multipliers: None })).unwrap();
            let mut again = input.clone();
            let mut signed = Guarded::new(33 * TOKENS, 0i8, Edge::End);
            norm.run(isa, &mut again, Some(NormCodes { code, codes: Codes::S8(&mut signed), multipliers: None })).unwrap();
            for f in 0..33 {
                for token in 0..TOKENS {
                    let y = x[f * TOKENS + lane_of(token)];
                    assert_eq!(codes[f * TOKENS + token], code.u8(y));
                    assert_eq!(signed[f * TOKENS + token], code.s8(y));
                }
            }
        }
    }

    #[test]
    fn a_bf16_panel_gives_the_f32_result_rounded_and_its_codes() {
        let mut rng = Rng::from_env(44);
        let code = Code { scale: 30.0, zero: 120 };
        for features in [1, 2, 5, 33, 128] {
            let (gamma, beta) = (rng.f32s(features, -2.0, 2.0), rng.f32s(features, -1.0, 1.0));
            let norm = LayerNorm { gamma: &gamma, beta: &beta, epsilon: 1e-12 };
            let mut input = vec![0; features * TOKENS];
            bf16::narrow(Isa::best(), &rng.f32s(features * TOKENS, -3.0, 5.0), &mut input).unwrap();
            let mut wide = vec![0.0; input.len()];
            bf16::widen(Isa::best(), &input, &mut wide).unwrap();
            // The oracle: f32, rounded, and the codes of that.
            let (mut want, mut rounded, mut real) = (wide.clone(), vec![0; input.len()], vec![0.0; input.len()]);
            norm.run(Isa::capped(Tier::Scalar), &mut want, None).unwrap();
            bf16::narrow(Isa::best(), &want, &mut rounded).unwrap();
            bf16::widen(Isa::best(), &rounded, &mut real).unwrap();
            for isa in Isa::available() {
                for edge in Edge::BOTH {
                    let name = isa.tier().name();
                    let (mut x, mut y) = (Guarded::copy(&input, edge), Guarded::new(input.len(), 0xffff_u16, edge));
                    let (mut bytes, mut signed) = (Guarded::new(input.len(), 0u8, edge), Guarded::new(input.len(), 0i8, edge));
                    norm.run_bf16(isa, &mut x, Some(NormCodes { code, codes: Codes::U8(&mut bytes), multipliers: None })).unwrap();
                    let narrowed = Some(NormCodes { code, codes: Codes::S8(&mut signed), multipliers: None });
                    norm.run_to_bf16(isa, &Guarded::copy(&wide, edge), &mut y, narrowed).unwrap();
                    assert_eq!((&x[..], &y[..]), (&rounded[..], &rounded[..]), "{name} features {features}");
                    for i in 0..input.len() {
                        let value = real[i / TOKENS * TOKENS + lane_of(i % TOKENS)];
                        assert_eq!((bytes[i], signed[i]), (code.u8(value), code.s8(value)), "{name} features {features}");
                    }
                }
            }
        }
        let norm = LayerNorm { gamma: &[1.0; 2], beta: &[0.0; 2], epsilon: 0.0 };
        assert!(norm.run_bf16(Isa::best(), &mut [0; 3 * TOKENS], None).is_err());
        assert!(norm.run_to_bf16(Isa::best(), &[0.0; 2 * TOKENS], &mut [0; TOKENS], None).is_err());
    }

    #[test]
    fn huge_equal_values_give_beta_and_nan_stays_in_its_token() {
        let norm = LayerNorm { gamma: &[1.0; 8], beta: &[0.25; 8], epsilon: 1e-5 };
        let mut x = vec![1e37; 8 * TOKENS];
        x[3] = f32::NAN;
        norm.run(Isa::best(), &mut x, None).unwrap();
        for (i, y) in x.iter().enumerate() {
            assert!(if i % TOKENS == 3 { y.is_nan() } else { (y - 0.25).abs() < 1e-5 }, "{i}: {y}");
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let norm = LayerNorm { gamma: &[1.0; 3], beta: &[0.0; 3], epsilon: 0.0 };
        let mut x = vec![0.0; 3 * TOKENS];
        assert!(norm.run(Isa::best(), &mut x[1..], None).is_err());
        assert!(LayerNorm { beta: &[0.0; 2], ..norm }.run(Isa::best(), &mut x, None).is_err());
        let mut codes = [0; 3];
        let code = Code { scale: 1.0, zero: 0 };
        let short = NormCodes { code, codes: Codes::U8(&mut codes), multipliers: None };
        assert!(norm.run(Isa::best(), &mut x, Some(short)).is_err());
        assert!(LayerNorm { gamma: &[], beta: &[], epsilon: 0.0 }.run(Isa::best(), &mut [], None).is_err());
    }
}
