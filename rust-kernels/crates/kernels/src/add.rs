//! Sums of f32 panels.

use crate::error::{KernelError, expect_len};
use crate::panel::TOKENS;
use neural_engine_isa::{Isa, Simd, SimdOp};

/// y ← y + b. Both have the same length, a whole number of panel rows.
///
/// # Errors
/// [`KernelError::Length`] when the lengths differ or are not whole rows of 64.
pub fn add_in_place(isa: Isa, y: &mut [f32], b: &[f32]) -> Result<(), KernelError> {
    expect_len("y", y.len(), y.len().next_multiple_of(TOKENS))?;
    expect_len("b", b.len(), y.len())?;
    isa.dispatch(Add { y, b });
    Ok(())
}

/// y = a + b. All have the same length, a whole number of panel rows.
///
/// # Errors
/// [`KernelError::Length`] when the lengths differ or are not whole rows of 64.
pub fn add(isa: Isa, a: &[f32], b: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    expect_len("a", a.len(), y.len())?;
    expect_len("b", b.len(), y.len())?;
    y.copy_from_slice(a);
    add_in_place(isa, y, b)
}

struct Add<'a> {
    y: &'a mut [f32],
    b: &'a [f32],
}

impl SimdOp for Add<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        for (y, b) in self.y.as_chunks_mut::<16>().0.iter_mut().zip(self.b.as_chunks::<16>().0) {
            let sum = s.add(s.load(y), s.load(b));
            s.store(y, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neural_engine_testkit::{Edge, Guarded, Rng};

    #[test]
    fn every_tier_adds_under_guard_pages() {
        let mut rng = Rng::from_env(43);
        for rows in [0, 1, 2, 5] {
            let (a, b) = (rng.f32s(rows * TOKENS, -1.0, 1.0), rng.f32s(rows * TOKENS, -1.0, 1.0));
            for isa in Isa::available() {
                for edge in Edge::BOTH {
                    let mut y = Guarded::new(rows * TOKENS, f32::NAN, edge);
                    add(isa, &Guarded::copy(&a, edge), &Guarded::copy(&b, edge), &mut y).unwrap();
                    assert!(y.iter().zip(&a).zip(&b).all(|((y, a), b)| *y == a + b));
                }
            }
        }
        assert!(add(Isa::best(), &[0.0; 64], &[0.0; 63], &mut [0.0; 64]).is_err());
        assert!(add(Isa::best(), &[0.0; 3], &[0.0; 3], &mut [0.0; 3]).is_err());
    }
}
