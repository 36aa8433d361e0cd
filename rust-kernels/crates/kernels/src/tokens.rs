//! Which rows of a matrix the panels of a space hold.

use crate::error::{KernelError, expect_len};
use crate::panel::TOKENS;

/// Consecutive tokens, in packed order, that attend to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First token.
    pub start: u32,
    /// Number of tokens.
    pub len: u32,
}

impl Span {
    /// The token after the last.
    pub fn end(self) -> usize {
        self.start as usize + self.len as usize
    }
}

/// A mask over `[batch, seq]`, row-major: not zero means token.
#[derive(Clone, Copy, Debug)]
pub enum Mask<'a> {
    /// i64.
    S64(&'a [i64]),
    /// i32.
    S32(&'a [i32]),
    /// f32; NaN is a token.
    F32(&'a [f32]),
    /// One byte each: bool or u8.
    Bool(&'a [u8]),
}

impl Mask<'_> {
    /// Elements.
    pub fn len(&self) -> usize {
        match self {
            Mask::S64(mask) => mask.len(),
            Mask::S32(mask) => mask.len(),
            Mask::F32(mask) => mask.len(),
            Mask::Bool(mask) => mask.len(),
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_token(&self, row: usize) -> bool {
        match self {
            Mask::S64(mask) => mask[row] != 0,
            Mask::S32(mask) => mask[row] != 0,
            Mask::F32(mask) => mask[row] != 0.0,
            Mask::Bool(mask) => mask[row] != 0,
        }
    }
}

/// The rows that are tokens, in order, their spans and key biases. Filled anew at each run; keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct TokenMap {
    rows: Vec<u32>,
    spans: Vec<Span>,
    bias: Vec<f32>,
    biased: bool,
}

impl TokenMap {
    /// Makes room, so that filling up to these sizes allocates nothing.
    pub fn reserve(&mut self, batch: usize, seq: usize) {
        let rows = batch * seq;
        self.rows.reserve(rows.saturating_sub(self.rows.len()));
        self.bias.reserve(rows.saturating_sub(self.bias.len()));
        self.spans.reserve(batch.saturating_sub(self.spans.len()));
    }

    /// Holds rows `0..count`, one span, no biases.
    ///
    /// # Errors
    /// [`KernelError::Invalid`] for 2³² rows or more.
    pub fn fill_rows(&mut self, count: usize) -> Result<(), KernelError> {
        self.fill(1, count, None, false, 0.0)
    }

    /// Holds the tokens of `batch` sequences of `seq` rows; without a mask every row is a token.
    ///
    /// With `pack`, masked rows are left out; else they stay and have `masked_bias` as a key. A sequence that is masked entirely keeps
    /// all its rows, biased. There is one span a sequence.
    ///
    /// # Errors
    /// [`KernelError::Length`] for a mask of another size, [`KernelError::Invalid`] for 2³² rows or more.
    pub fn fill(&mut self, batch: usize, seq: usize, mask: Option<Mask<'_>>, pack: bool, masked_bias: f32) -> Result<(), KernelError> {
        let rows = batch.checked_mul(seq).filter(|rows| u32::try_from(*rows).is_ok());
        let Some(rows) = rows else {
            return Err(KernelError::Invalid { name: "tokens", reason: format!("{batch} sequences of {seq} rows are too many") });
        };
        if let Some(mask) = mask {
            expect_len("mask", mask.len(), rows)?;
        }
        self.clear();
        for sequence in 0..batch {
            let start = self.rows.len();
            let range = sequence * seq..(sequence + 1) * seq;
            let is_token = |row: usize| mask.is_none_or(|mask| mask.is_token(row));
            let drop_masked = pack && range.clone().any(is_token);
            for row in range {
                let token = is_token(row);
                if token || !drop_masked {
                    self.rows.push(row as u32);
                    self.bias.push(if token { 0.0 } else { masked_bias });
                    self.biased |= !token;
                }
            }
            if self.rows.len() > start {
                self.spans.push(Span { start: start as u32, len: (self.rows.len() - start) as u32 });
            }
        }
        Ok(())
    }

    /// Holds no rows.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.spans.clear();
        self.bias.clear();
        self.biased = false;
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Panels that the tokens fill, the last one perhaps in part.
    pub fn panels(&self) -> usize {
        self.rows.len().div_ceil(TOKENS)
    }

    /// The row of each token, ascending.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The rows of one panel's tokens, 1 to 64.
    ///
    /// # Panics
    /// When there is no such panel.
    pub fn panel_rows(&self, panel: usize) -> &[u32] {
        &self.rows[panel * TOKENS..self.rows.len().min((panel + 1) * TOKENS)]
    }

    /// The spans, ascending; they cover all tokens.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// What is added to the scores of each token as a key; None when it is zero everywhere.
    pub fn key_bias(&self) -> Option<&[f32]> {
        self.biased.then_some(&self.bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_mask_every_row_is_a_token() {
        let mut map = TokenMap::default();
        map.fill(2, 40, None, true, -1.0).unwrap();
        assert_eq!((map.len(), map.panels()), (80, 2));
        assert_eq!(map.spans(), [Span { start: 0, len: 40 }, Span { start: 40, len: 40 }]);
        assert_eq!(map.panel_rows(1), (64..80).collect::<Vec<u32>>());
        assert!(map.key_bias().is_none());
    }

    #[test]
    fn packing_leaves_masked_rows_out_but_keeps_a_sequence_that_is_all_masked() {
        let mask = [1i64, 0, 1, 0, 0, 0, 0, 1, 1];
        let mut map = TokenMap::default();
        map.fill(3, 3, Some(Mask::S64(&mask)), true, -5.0).unwrap();
        assert_eq!(map.rows(), [0, 2, 3, 4, 5, 7, 8]);
        assert_eq!(map.spans(), [Span { start: 0, len: 2 }, Span { start: 2, len: 3 }, Span { start: 5, len: 2 }]);
        assert_eq!(map.key_bias().unwrap(), [0.0, 0.0, -5.0, -5.0, -5.0, 0.0, 0.0]);
    }

    #[test]
    fn without_packing_masked_rows_stay_and_are_biased() {
        let mut map = TokenMap::default();
        for mask in [Mask::S32(&[1, 0, 7]), Mask::F32(&[1.0, 0.0, -0.5]), Mask::Bool(&[1, 0, 255])] {
            map.fill(1, 3, Some(mask), false, -5.0).unwrap();
            assert_eq!((map.rows(), map.key_bias()), (&[0, 1, 2][..], Some(&[0.0, -5.0, 0.0][..])));
        }
    }

    #[test]
    fn empty_shapes_have_no_tokens_and_wrong_masks_are_refused() {
        let mut map = TokenMap::default();
        map.fill(3, 0, Some(Mask::S64(&[])), true, 0.0).unwrap();
        assert!(map.is_empty() && map.spans().is_empty() && map.panels() == 0);
        assert!(matches!(map.fill(2, 2, Some(Mask::Bool(&[1; 3])), true, 0.0), Err(KernelError::Length { name: "mask", .. })));
        assert!(map.fill(usize::MAX, 2, None, true, 0.0).is_err());
        assert!(map.fill(1 << 16, 1 << 16, None, true, 0.0).is_err());
    }

    #[test]
    fn refilling_after_a_reserve_allocates_nothing() {
        let mut map = TokenMap::default();
        map.reserve(4, 100);
        let before = map.rows.as_ptr();
        map.fill(4, 100, None, false, 0.0).unwrap();
        map.fill_rows(400).unwrap();
        assert_eq!(map.rows.as_ptr(), before);
    }
}
