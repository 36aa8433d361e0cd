//! The panel layout and what a kernel reads and writes of it.

/// Tokens in one panel.
pub const TOKENS: usize = 64;

/// Where token `t` of a panel lies in a 32-bit panel row: bits 5:4 swapped with bits 3:2 (an involution).
///
/// Unpacking 64 bytes of four rows into groups of four leaves 32-bit lanes in this order; packing back to bytes undoes it.
#[inline]
pub const fn lane_of(token: usize) -> usize {
    (token & 0b00_0011) | ((token & 0b00_1100) << 2) | ((token & 0b11_0000) >> 2)
}

/// What a linear kernel adds to its product before the activation.
#[derive(Debug)]
pub enum Residual<'a> {
    /// Nothing.
    None,
    /// The same rows of another f32 panel, `[rows][64]`.
    Panel(&'a [f32]),
    /// The same rows of another bf16 panel, `[rows][64]` (bf16 destinations only).
    Half(&'a [u16]),
    /// What the destination held before (f32 and bf16 destinations only).
    InPlace,
}

/// How the u8 codes of a panel are read where each token has a range of its own: real = (code − zero) · step.
#[derive(Clone, Copy, Debug)]
pub struct TokenCodes<'a> {
    /// Distance of two codes of each token, `[64]` in lane order.
    pub step: &'a [f32],
    /// Code of zero of each token, a whole number, `[64]` in lane order.
    pub zero: &'a [f32],
}

/// One panel's worth of input and output of a linear kernel.
#[derive(Debug)]
pub struct Io<'a, X, Y> {
    /// Whole input panel, `[K][64]`.
    pub x: &'a [X],
    /// Given exactly where 8-bit inputs are coded token by token.
    pub codes: Option<TokenCodes<'a>>,
    /// The output rows that are computed, `[rows][64]`.
    pub y: &'a mut [Y],
    /// Added to the product.
    pub residual: Residual<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lane_order_is_an_involution() {
        for token in 0..TOKENS {
            assert_eq!(lane_of(lane_of(token)), token);
        }
        assert_eq!(lane_of(4), 16);
        assert_eq!(lane_of(17), 5);
    }
}
