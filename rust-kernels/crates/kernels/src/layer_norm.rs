//! Layer normalisation of panels: statistics run down the features, so 64 tokens are normalised side by side.
//!
//! Per token: μ by a first pass, corrected by the mean of x − μ from a second one, which also gives the variance; then
//! y = fma((x − μ)·(1 / √(var + ε)), γ, β). Sums run over even and odd rows apart. All tiers give the same bits.

use crate::code::{Code, Codes};
use crate::error::{KernelError, expect_len};
use crate::panel::TOKENS;
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
    /// Normalises the panel `x` `[features][64]` in place; optionally also writes 8-bit codes, a panel in token order.
    ///
    /// # Errors
    /// [`KernelError::Length`] when γ, β, `x`, the codes and their multipliers are not of the same number of features; none is
    /// [`KernelError::Invalid`].
    pub fn run(&self, isa: Isa, x: &mut [f32], codes: Option<NormCodes<'_>>) -> Result<(), KernelError> {
        let features = self.gamma.len();
        if features == 0 {
            return Err(KernelError::Invalid { name: "gamma", reason: "there are no features to normalise".into() });
        }
        expect_len("beta", self.beta.len(), features)?;
        expect_len("x", x.len(), features * TOKENS)?;
        if let Some(NormCodes { codes, multipliers, .. }) = &codes {
            expect_len("codes", codes.len(), features * TOKENS)?;
            if let Some(multipliers) = multipliers {
                expect_len("multipliers", multipliers.len(), features)?;
            }
        }
        isa.dispatch(Normalise { norm: self, x, codes });
        Ok(())
    }
}

impl LayerNorm<'_> {
    /// Mean and 1 / √(variance + ε) of the tokens in `N` vectors from lane `at` on.
    #[inline(always)]
    fn statistics<S: Simd, const N: usize>(&self, s: S, rows: &[[f32; TOKENS]], at: usize) -> ([S::F32; N], [S::F32; N]) {
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
fn add<S: Simd, const N: usize>(s: S, row: &[f32; TOKENS], at: usize, sums: &mut [S::F32; N]) {
    for i in 0..N {
        sums[i] = s.add(sums[i], s.load(&row[at + 16 * i..]));
    }
}

/// The same with row − mean, and with its squares.
#[inline(always)]
fn add_centred<S: Simd, const N: usize>(
    s: S,
    row: &[f32; TOKENS],
    at: usize,
    mean: &[S::F32; N],
    (sums, squares): &mut ([S::F32; N], [S::F32; N]),
) {
    for i in 0..N {
        let centred = s.sub(s.load(&row[at + 16 * i..]), mean[i]);
        sums[i] = s.add(sums[i], centred);
        squares[i] = s.fma(centred, centred, squares[i]);
    }
}

struct Normalise<'a, 'b> {
    norm: &'a LayerNorm<'a>,
    x: &'a mut [f32],
    codes: Option<NormCodes<'b>>,
}

/// Vectors of one panel row.
const REGS: usize = TOKENS / 16;

impl SimdOp for Normalise<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(mut self, s: S) {
        let rows = self.x.as_chunks_mut::<TOKENS>().0;
        let zero = s.splat(0.0);
        let (mut shift, mut factor) = ([zero; REGS], [zero; REGS]);
        if S::REGISTERS >= 32 {
            (shift, factor) = self.norm.statistics(s, rows, 0);
        } else {
            for i in 0..REGS {
                ([shift[i]], [factor[i]]) = self.norm.statistics(s, rows, 16 * i);
            }
        }
        let parameters = self.norm.gamma.iter().zip(self.norm.beta);
        for (index, (row, (gamma, beta))) in rows.iter_mut().zip(parameters).enumerate() {
            let (gamma, beta) = (s.splat(*gamma), s.splat(*beta));
            let mut y = [zero; REGS];
            for i in 0..REGS {
                let centred = s.sub(s.load(&row[16 * i..]), shift[i]);
                y[i] = s.fma(s.mul(centred, factor[i]), gamma, beta);
                s.store(&mut row[16 * i..], y[i]);
            }
            if let Some(NormCodes { code, codes, multipliers }) = &mut self.codes {
                if let Some(multipliers) = multipliers {
                    let multiplier = s.splat(multipliers[index]);
                    y = y.map(|y| s.mul(y, multiplier));
                }
                codes.store(s, *code, index, y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
