//! Sums of embedding rows, gathered into panels.

use crate::error::{KernelError, expect_len};
use crate::panel::{TOKENS, lane_of};
use neural_engine_isa::{Isa, Simd, SimdOp};

/// An embedding table `[rows][features]`, row-major, in the type it is stored in.
#[derive(Clone, Copy, Debug)]
pub enum Table<'a> {
    /// f32.
    F32(&'a [f32]),
    /// bfloat16: the upper half of an f32.
    Bf16(&'a [u16]),
    /// Rows of `features` s8 codes and, behind them, the value of one code step of that row, f32, little-endian.
    S8Rows(&'a [u8]),
}

/// Bytes that hold the step of a row of codes.
pub const STEP_BYTES: usize = 4;

impl Table<'_> {
    /// Rows, when each has so many features.
    fn rows(&self, features: usize) -> usize {
        match *self {
            Table::F32(values) => values.len().checked_div(features).unwrap_or(0),
            Table::Bf16(values) => values.len().checked_div(features).unwrap_or(0),
            Table::S8Rows(bytes) => bytes.len() / (features + STEP_BYTES),
        }
    }

    /// Up to 16 values of a row from one feature on, zeros behind them.
    #[inline(always)]
    fn load<S: Simd>(&self, s: S, row: usize, features: usize, from: usize, count: usize) -> S::F32 {
        let at = row * features + from;
        match *self {
            Table::F32(values) if count == 16 => s.load(&values[at..]),
            Table::F32(values) => s.load_partial(&values[at..at + count], 0.0),
            Table::Bf16(values) => {
                let mut bits = [0; 16];
                for (bits, value) in bits.iter_mut().zip(&values[at..at + count]) {
                    *bits = i32::from(*value) << 16;
                }
                s.from_bits(s.load_i32(&bits))
            }
            Table::S8Rows(bytes) => {
                let (codes, step) = bytes[row * (features + STEP_BYTES)..].split_at(features);
                let step = f32::from_le_bytes([step[0], step[1], step[2], step[3]]);
                let mut lanes = [0; 16];
                for (lane, code) in lanes.iter_mut().zip(&codes[from..from + count]) {
                    *lane = i32::from(*code as i8);
                }
                s.mul(s.to_f32(s.load_i32(&lanes)), s.splat(step))
            }
        }
    }
}

/// Row numbers for the rows of a `[batch, seq]` matrix.
#[derive(Clone, Copy, Debug)]
pub enum Ids<'a> {
    /// i64.
    S64(&'a [i64]),
    /// i32.
    S32(&'a [i32]),
    /// Row r has number r mod this: positions in a sequence of that length.
    Modulo(usize),
}

impl Ids<'_> {
    /// The number of row `row` as it was given; None past the end.
    fn get(&self, row: usize) -> Option<i64> {
        match self {
            Ids::S64(ids) => ids.get(row).copied(),
            Ids::S32(ids) => ids.get(row).map(|id| i64::from(*id)),
            Ids::Modulo(length) => row.checked_rem(*length).map(|row| row as i64),
        }
    }
}

/// One summand: a table and which of its rows each token takes.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// For messages: "input ids", "positions", ….
    pub name: &'static str,
    /// The table.
    pub table: Table<'a>,
    /// Its row for each row of the matrix that the token map points into.
    pub ids: Ids<'a>,
}

/// Most summands of one embedding.
pub const MAX_LOOKUPS: usize = 4;

/// Fills one panel `[features][64]`: token t is the sum, in order, of each lookup's row for matrix row `rows[t]`; absent lanes are zero.
///
/// # Errors
/// [`KernelError::Invalid`] naming the lookup for a number outside of its table; [`KernelError::Length`] for a panel of another size or
/// a table that is not made of whole rows.
pub fn embed(isa: Isa, rows: &[u32], features: usize, lookups: &[Lookup<'_>], panel: &mut [f32]) -> Result<(), KernelError> {
    expect_len("panel", panel.len(), features.saturating_mul(TOKENS))?;
    if rows.len() > TOKENS || lookups.is_empty() || lookups.len() > MAX_LOOKUPS {
        let reason = format!("expected at most {TOKENS} rows and 1 to {MAX_LOOKUPS} tables, got {} and {}", rows.len(), lookups.len());
        return Err(KernelError::Invalid { name: "embed", reason });
    }
    let mut taken = [[0; TOKENS]; MAX_LOOKUPS];
    for (taken, lookup) in taken.iter_mut().zip(lookups) {
        let count = lookup.table.rows(features);
        for (taken, row) in taken.iter_mut().zip(rows) {
            let id = lookup.ids.get(*row as usize);
            let valid = id.and_then(|id| usize::try_from(id).ok()).filter(|id| *id < count);
            let Some(valid) = valid else {
                let given = id.map_or("nothing".into(), |id| id.to_string());
                let reason = format!("row {row} asks for {given} of a table of {count} rows");
                return Err(KernelError::Invalid { name: lookup.name, reason });
            };
            *taken = valid;
        }
    }
    isa.dispatch(Gather { tokens: rows.len(), features, lookups, taken: &taken, panel });
    Ok(())
}

struct Gather<'a, 'b> {
    tokens: usize,
    features: usize,
    lookups: &'a [Lookup<'b>],
    /// The row of each table that each token takes.
    taken: &'a [[usize; TOKENS]; MAX_LOOKUPS],
    panel: &'a mut [f32],
}

impl SimdOp for Gather<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn eval<S: Simd>(self, s: S) {
        let panel = self.panel.as_chunks_mut::<TOKENS>().0;
        for vector in 0..TOKENS / 16 {
            for feature in (0..self.features).step_by(16) {
                let count = (self.features - feature).min(16);
                let mut block = [s.splat(0.0); 16];
                for (lane, values) in block.iter_mut().enumerate() {
                    let token = lane_of(16 * vector + lane); // an involution
                    if token < self.tokens {
                        for (index, (lookup, taken)) in self.lookups.iter().zip(self.taken).enumerate() {
                            let row = lookup.table.load(s, taken[token], self.features, feature, count);
                            *values = if index == 0 { row } else { s.add(*values, row) };
                        }
                    }
                }
                let block = s.transpose(block);
                for (row, values) in panel[feature..feature + count].iter_mut().zip(block) {
                    s.store(&mut row[16 * vector..], values);
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
    fn every_tier_sums_the_rows_of_all_tables() {
        let mut rng = Rng::from_env(45);
        for (tokens, features) in [(1, 1), (17, 15), (64, 16), (50, 65), (64, 100)] {
            let words = rng.f32s(30 * features, -1.0, 1.0);
            let positions: Vec<u16> = rng.f32s(9 * features, -1.0, 1.0).iter().map(|x| (x.to_bits() >> 16) as u16).collect();
            let steps = [0.5f32, 0.03];
            let types: Vec<u8> = steps.iter().flat_map(|step| [rng.bytes(features), step.to_le_bytes().to_vec()].concat()).collect();
            let ids: Vec<i64> = (0..72).map(|_| rng.below(30) as i64).collect();
            let kinds: Vec<i32> = (0..72).map(|_| rng.below(2) as i32).collect();
            let rows: Vec<u32> = (0..tokens).map(|_| rng.below(72) as u32).collect();
            for isa in Isa::available() {
                for edge in Edge::BOTH {
                    let (words, positions, types) =
                        (Guarded::copy(&words, edge), Guarded::copy(&positions, edge), Guarded::copy(&types, edge));
                    let lookups = [
                        Lookup { name: "ids", table: Table::F32(&words), ids: Ids::S64(&ids) },
                        Lookup { name: "positions", table: Table::Bf16(&positions), ids: Ids::Modulo(9) },
                        Lookup { name: "types", table: Table::S8Rows(&types), ids: Ids::S32(&kinds) },
                    ];
                    let mut panel = Guarded::new(features * TOKENS, f32::NAN, edge);
                    embed(isa, &rows, features, &lookups, &mut panel).unwrap();
                    for f in 0..features {
                        for token in 0..TOKENS {
                            let want = rows.get(token).map_or(0.0, |row| {
                                let row = *row as usize;
                                let position = f32::from_bits(u32::from(positions[row % 9 * features + f]) << 16);
                                let kind = kinds[row] as usize;
                                let code = types[kind * (features + STEP_BYTES) + f] as i8;
                                words[ids[row] as usize * features + f] + position + f32::from(code) * steps[kind]
                            });
                            assert_eq!(panel[f * TOKENS + lane_of(token)], want, "feature {f}, token {token}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_number_outside_of_its_table_is_named() {
        let words = [0.0; 20];
        let mut panel = [0.0; 2 * TOKENS];
        for bad in [-1i64, 10, i64::MIN, i64::MAX] {
            let ids = [0, bad];
            let lookup = Lookup { name: "input ids", table: Table::F32(&words), ids: Ids::S64(&ids) };
            let error = embed(Isa::best(), &[0, 1], 2, &[lookup], &mut panel).unwrap_err();
            assert!(error.to_string().contains("input ids") && error.to_string().contains(&bad.to_string()), "{error}");
            assert_eq!(embed(Isa::best(), &[0], 2, &[lookup], &mut panel), Ok(()));
            assert!(embed(Isa::best(), &[2], 2, &[lookup], &mut panel).is_err(), "past the ids");
        }
        assert!(embed(Isa::best(), &[0], 2, &[], &mut panel).is_err());
    }
}
