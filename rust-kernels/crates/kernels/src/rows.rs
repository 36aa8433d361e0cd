//! Row-major matrices to panels and back, through a list of rows: token t of a panel is row `rows[t]`.
//!
//! 16 × 16 blocks are transposed in registers. Lanes past the last token of a panel become zero.

use crate::error::{KernelError, expect_len};
use crate::panel::{TOKENS, lane_of};
use neural_engine_isa::{Isa, Simd, SimdOp};
use std::cell::Cell;

/// Fills one panel `[features][64]` with rows of `x` `[any][features]`.
///
/// # Errors
/// [`KernelError::Length`] for a panel of another size, [`KernelError::Invalid`] for more than 64 rows or a row outside of `x`.
pub fn from_rows(isa: Isa, rows: &[u32], features: usize, x: &[f32], panel: &mut [f32]) -> Result<(), KernelError> {
    check(rows, features, x.len(), panel.len())?;
    isa.dispatch(FromRows { rows, features, x, panel });
    Ok(())
}

/// Writes the tokens of one panel `[features][64]` to their rows of `y` `[any][features]`; other rows are left alone.
///
/// `y` is shared because panels of one matrix are written by several threads: each may do so for rows that no other writes. From a
/// plain slice: `Cell::from_mut(y).as_slice_of_cells()`.
///
/// # Errors
/// [`KernelError::Length`] for a panel of another size, [`KernelError::Invalid`] for more than 64 rows or a row outside of `y`.
pub fn to_rows(isa: Isa, rows: &[u32], features: usize, panel: &[f32], y: &[Cell<f32>]) -> Result<(), KernelError> {
    check(rows, features, y.len(), panel.len())?;
    isa.dispatch(ToRows { rows, features, panel, y });
    Ok(())
}

fn check(rows: &[u32], features: usize, matrix: usize, panel: usize) -> Result<(), KernelError> {
    expect_len("panel", panel, features.saturating_mul(TOKENS))?;
    if rows.len() > TOKENS {
        return Err(KernelError::Invalid { name: "rows", reason: format!("expected at most {TOKENS}, got {}", rows.len()) });
    }
    let count = matrix.checked_div(features).unwrap_or(usize::MAX);
    match rows.iter().find(|row| **row as usize >= count) {
        Some(row) => Err(KernelError::Invalid { name: "rows", reason: format!("row {row} of a matrix of {count}") }),
        None => Ok(()),
    }
}

/// The token whose values lie in lane `16·vector + i`: 16 tokens of one vector.
fn tokens_of(vector: usize) -> [usize; 16] {
    std::array::from_fn(|i| lane_of(16 * vector + i)) // an involution
}

struct FromRows<'a> {
    rows: &'a [u32],
    features: usize,
    x: &'a [f32],
    panel: &'a mut [f32],
}

impl SimdOp for FromRows<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        let panel = self.panel.as_chunks_mut::<TOKENS>().0;
        for vector in 0..TOKENS / 16 {
            let mut sources: [&[f32]; 16] = [&[]; 16];
            for (source, token) in sources.iter_mut().zip(tokens_of(vector)) {
                if let Some(row) = self.rows.get(token) {
                    *source = &self.x[*row as usize * self.features..][..self.features];
                }
            }
            for feature in (0..self.features).step_by(16) {
                let count = (self.features - feature).min(16);
                let mut block = [s.splat(0.0); 16];
                for (values, source) in block.iter_mut().zip(sources) {
                    // An absent token has no values: the tail of an empty slice is filled with zeros.
                    let source = source.get(feature..feature + count).unwrap_or(&[]);
                    *values = if source.len() == 16 { s.load(source) } else { s.load_partial(source, 0.0) };
                }
                let block = s.transpose(block);
                for (row, values) in panel[feature..feature + count].iter_mut().zip(block) {
                    s.store(&mut row[16 * vector..], values);
                }
            }
        }
    }
}

struct ToRows<'a> {
    rows: &'a [u32],
    features: usize,
    panel: &'a [f32],
    y: &'a [Cell<f32>],
}

impl SimdOp for ToRows<'_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        let panel = self.panel.as_chunks::<TOKENS>().0;
        for vector in 0..TOKENS / 16 {
            for feature in (0..self.features).step_by(16) {
                let count = (self.features - feature).min(16);
                let mut block = [s.splat(0.0); 16];
                for (values, row) in block.iter_mut().zip(&panel[feature..feature + count]) {
                    *values = s.load(&row[16 * vector..]);
                }
                for (values, token) in s.transpose(block).into_iter().zip(tokens_of(vector)) {
                    let Some(row) = self.rows.get(token) else { continue };
                    let mut lanes = [0.0; 16];
                    s.store(&mut lanes, values);
                    let target = &self.y[*row as usize * self.features + feature..][..count];
                    match target.first_chunk::<16>() {
                        // A whole vector, which the compiler copies as one.
                        Some(target) => (0..16).for_each(|i| target[i].set(lanes[i])),
                        None => target.iter().zip(lanes).for_each(|(target, value)| target.set(value)),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neural_engine_testkit::{Edge, Guarded, Rng};

    #[test]
    fn rows_come_back_on_every_tier_and_absent_lanes_are_zero() {
        let mut rng = Rng::from_env(44);
        for (count, features) in [(1, 1), (5, 15), (16, 16), (63, 17), (64, 33), (64, 257), (0, 5), (40, 768)] {
            let x = rng.f32s(100 * features, -1.0, 1.0);
            let mut rows: Vec<u32> = (0..100).collect();
            (0..100).for_each(|i| rows.swap(i, i + rng.below(100 - i)));
            rows.truncate(count);
            for isa in Isa::available() {
                for edge in Edge::BOTH {
                    let mut panel = Guarded::new(features * TOKENS, f32::NAN, edge);
                    from_rows(isa, &rows, features, &Guarded::copy(&x, edge), &mut panel).unwrap();
                    for f in 0..features {
                        for token in 0..TOKENS {
                            let want = rows.get(token).map_or(0.0, |row| x[*row as usize * features + f]);
                            assert_eq!(panel[f * TOKENS + lane_of(token)], want, "feature {f}, token {token}");
                        }
                    }
                    let mut y = Guarded::new(x.len(), 9.0, edge);
                    to_rows(isa, &rows, features, &panel, Cell::from_mut(&mut y[..]).as_slice_of_cells()).unwrap();
                    for (i, y) in y.iter().enumerate() {
                        assert_eq!(*y, if rows.contains(&((i / features) as u32)) { x[i] } else { 9.0 });
                    }
                }
            }
        }
    }

    #[test]
    fn rows_outside_of_the_matrix_and_wrong_panels_are_refused() {
        let mut panel = [0.0; 2 * TOKENS];
        assert!(from_rows(Isa::best(), &[3], 2, &[0.0; 6], &mut panel).is_err());
        assert!(from_rows(Isa::best(), &[2], 2, &[0.0; 6], &mut panel).is_ok());
        assert!(from_rows(Isa::best(), &[0; 65], 2, &[0.0; 6], &mut panel).is_err());
        assert!(from_rows(Isa::best(), &[0], 3, &[0.0; 6], &mut panel).is_err());
        assert!(to_rows(Isa::best(), &[3], 2, &panel, Cell::from_mut(&mut [0.0; 6][..]).as_slice_of_cells()).is_err());
    }
}
