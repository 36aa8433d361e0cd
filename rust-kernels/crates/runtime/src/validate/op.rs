//! Steps whose operands are proved to fit, as the executor runs them.

use super::buffers::{Loc, Panels, Rows};
use crate::program::{Activation, Code, TokenForm};
use neural_engine_generic::GenericOp;

/// What is added to a product.
#[derive(Clone, Copy, Debug)]
pub enum ResidualOp {
    /// Nothing.
    None,
    /// The destination's old content.
    InPlace,
    /// Another panel buffer.
    Panels(Panels),
}

/// Codes of an input that was quantised token by token.
#[derive(Clone, Copy, Debug)]
pub struct TokensOp {
    /// Distance of two codes.
    pub step: Panels,
    /// Code of zero.
    pub zero: Panels,
    /// Weight: Σ of each row's weights.
    pub sums: usize,
}

/// Where a LayerNorm writes the codes of its result.
#[derive(Clone, Copy, Debug)]
pub struct NormCodesOp {
    /// The codes.
    pub codes: Panels,
    /// Their code.
    pub code: Code,
    /// Weight: what each feature is multiplied by before it is coded.
    pub multipliers: Option<usize>,
}

/// A checked step. Weights are indices whose entries were proved to have the right kind, dtype and length.
#[derive(Debug)]
#[allow(missing_docs)] // the fields are those of `program::Step`
pub enum Op {
    TokenMap {
        space: usize,
        mask: Option<Rows>,
        masked_bias: f32,
    },
    Embed {
        y: Panels,
        ids: Rows,
        word: Rows,
        position: Option<Rows>,
        types: Option<(Rows, Rows)>,
    },
    FromRows {
        x: Rows,
        y: Panels,
    },
    ToRows {
        x: Panels,
        y: Rows,
    },
    Linear {
        weight: usize,
        x: Panels,
        y: Panels,
        bias: Option<usize>,
        residual: ResidualOp,
        act: Activation,
    },
    LinearI8 {
        weight: usize,
        x: Panels,
        y: Panels,
        init: usize,
        mul: usize,
        add: usize,
        residual: ResidualOp,
        act: Activation,
        code: Option<Code>,
        table: Option<usize>,
        tokens: Option<TokensOp>,
    },
    LinearBf16 {
        weight: usize,
        x: Panels,
        y: Panels,
        bias: Option<usize>,
        residual: ResidualOp,
        act: Activation,
    },
    LayerNorm {
        x: Panels,
        y: Option<Panels>,
        gamma: usize,
        beta: usize,
        epsilon: f32,
        quantized: Option<NormCodesOp>,
    },
    Quantize {
        x: Panels,
        y: Panels,
        code: Code,
    },
    QuantizeTokens {
        x: Panels,
        y: Panels,
        step: Panels,
        zero: Panels,
        form: TokenForm,
    },
    Dequantize {
        x: Panels,
        y: Panels,
        code: Code,
        bias: Option<usize>,
    },
    Narrow {
        x: Panels,
        y: Panels,
    },
    Widen {
        x: Panels,
        y: Panels,
    },
    Attention {
        q: Panels,
        k: Panels,
        v: Panels,
        y: Panels,
        heads: usize,
        scale: f32,
        scores: Option<Code>,
        probabilities: Option<Code>,
    },
    AttentionI8 {
        q: Panels,
        k: Panels,
        v: Panels,
        y: Panels,
        heads: usize,
        scale: f32,
        out_scale: f32,
        zero: i32,
    },
    Activate {
        x: Panels,
        y: Panels,
        act: Activation,
    },
    AddPanels {
        a: Panels,
        b: Panels,
        y: Panels,
    },
    Generic {
        op: Box<dyn GenericOp>,
        kind: String,
        x: Vec<Option<Rows>>,
        y: Vec<Rows>,
    },
}

impl Op {
    /// Whether it writes a row-major buffer that begins there.
    pub(super) fn writes_rows_at(&self, loc: Loc) -> bool {
        match self {
            Op::ToRows { y, .. } => y.loc == loc,
            Op::Generic { y, .. } => y.iter().any(|rows| rows.loc == loc),
            _ => false,
        }
    }

    /// As the program spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Op::TokenMap { .. } => "token_map",
            Op::Embed { .. } => "embed",
            Op::FromRows { .. } => "from_rows",
            Op::ToRows { .. } => "to_rows",
            Op::Linear { .. } => "linear",
            Op::LinearI8 { .. } => "linear_i8",
            Op::LinearBf16 { .. } => "linear_bf16",
            Op::LayerNorm { .. } => "layer_norm",
            Op::Quantize { .. } => "quantize",
            Op::QuantizeTokens { .. } => "quantize_tokens",
            Op::Dequantize { .. } => "dequantize",
            Op::Narrow { .. } => "narrow",
            Op::Widen { .. } => "widen",
            Op::Attention { .. } => "attention",
            Op::AttentionI8 { .. } => "attention_i8",
            Op::Activate { .. } => "activate",
            Op::AddPanels { .. } => "add_panels",
            Op::Generic { .. } => "generic",
        }
    }
}
