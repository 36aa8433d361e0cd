//! The program: the contract between the planner (TypeScript) and the executor.
//!
//! A program is JSON: a list of *regions*, each a chain of *steps* that are independent per *unit*; there is one barrier between
//! regions and none inside. The planner decides shapes, offsets, kernels and regions; [`crate::validate`] checks every offset,
//! length, index and weight once, and the executor then runs without checks. Offsets are in bytes, multiples of 64.

pub use neural_engine_generic::DType;
use serde::Deserialize;

/// Version of this format, of the packed weights and of the native entry points. Both sides refuse another's.
pub const ABI: u32 = 4;

/// A whole model for one set of input shapes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Must equal [`ABI`].
    pub abi: u32,
    /// What the caller feeds, in order.
    pub inputs: Vec<Port>,
    /// What the caller gets, in order.
    pub outputs: Vec<Port>,
    /// Sets of rows that panels are made of.
    pub spaces: Vec<Space>,
    /// Every tensor of the program.
    pub buffers: Vec<Buffer>,
    /// Small constants that planning made (shape arithmetic, positions): little-endian bytes in lower-case hexadecimal.
    #[serde(default)]
    pub constants: Vec<String>,
    /// Bytes of memory shared by all threads of a run.
    pub arena_bytes: u64,
    /// Bytes of memory each thread has for itself.
    pub scratch_bytes: u64,
    /// What is done, in order.
    pub regions: Vec<Region>,
}

/// An input or output of the model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// The model's name for it.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Row-major dimensions.
    pub dims: Vec<usize>,
}

/// A set of rows ("tokens") that panels of 64 are cut from.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Space {
    /// Rows `0..count` of a row-major matrix, all real.
    Rows {
        /// How many.
        count: usize,
    },
    /// The tokens of `batch` sequences of at most `seq`. A `token_map` step fills it at the start of each run: which rows of
    /// the `batch × seq` matrix are tokens (all of them, or with `pack` only the unmasked ones), in order, the span of each
    /// sequence, and the additive bias of each token as a key. A sequence that is masked entirely keeps all its tokens, biased.
    Tokens {
        /// Sequences.
        batch: usize,
        /// Padded length of each.
        seq: usize,
        /// Leave masked tokens out. Row-major outputs then hold zeros there.
        pack: bool,
    },
}

/// One tensor and where it lives.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    /// Where the bytes are.
    pub place: Place,
    /// Element type.
    pub dtype: DType,
    /// How the bytes are arranged.
    pub layout: Layout,
}

/// Where a buffer's bytes are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Fed by the caller: index into `inputs`.
    Input(usize),
    /// Given to the caller: index into `outputs`.
    Output(usize),
    /// Shared memory of the run, at this offset.
    Arena(u64),
    /// The executing thread's own memory, at this offset: a panel buffer there holds the panels of one unit.
    Scratch(u64),
    /// A constant: index into the weight set (entries of kind `tensor`).
    Weight(usize),
    /// A constant of this program: index into `constants`.
    Constant(usize),
}

/// How a buffer is arranged.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Row-major with these dimensions.
    Rows(Vec<usize>),
    /// Panels `[ceil(rows of the space / 64)][features][64]` (8-bit in token order, 32-bit in lane order, bf16 in the order that packing
    /// two 32-bit vectors leaves).
    Panels {
        /// Index into `spaces`.
        space: usize,
        /// Rows of each panel.
        features: usize,
    },
}

/// A chain of steps between two barriers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// How the work is divided.
    pub units: Units,
    /// Run in order for each unit.
    pub steps: Vec<Step>,
}

/// How a region's work is divided among threads.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Units {
    /// One unit is up to `group` consecutive panels of a space; every step is a panel step of that space.
    Panels {
        /// Index into `spaces`.
        space: usize,
        /// Most panels in a unit, 1 to 4.
        group: usize,
    },
    /// A single linear or attention step over all panels, split by output rows or heads: for few panels and many threads.
    Split {
        /// Index into `spaces`.
        space: usize,
    },
    /// A single `generic` step, which divides itself; or `token_map`, on one thread.
    Whole,
}

/// Index into `buffers`.
pub type Buf = usize;
/// Index into the weight set.
pub type Weight = usize;

/// Affine 8-bit code: `q = saturate(round_ties_even(x · scale) + zero)` (scale multiplies to quantise).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Multiplies the real value.
    pub scale: f32,
    /// Added after rounding.
    pub zero: i32,
}

/// Where the codes of an input that is quantised token by token come from.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensRef {
    /// Distance of two codes of each token: f32 panels of one feature.
    pub step: Buf,
    /// Code of zero of each token: f32 panels of one feature.
    pub zero: Buf,
    /// Σ of each row's weights, s32.
    pub sums: Weight,
}

/// How the range of a token becomes its code.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum TokenForm {
    /// Least to greatest value, zero inside.
    Asymmetric,
    /// ± the greatest magnitude, zero at 128.
    Symmetric,
}

/// What is added to a product.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResidualRef {
    /// The destination's old content (f32 or bf16).
    InPlace,
    /// Another panel buffer: f32, or bf16 where y is bf16.
    Buffer(Buf),
}

/// Activation after bias and residual.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Activation {
    #[default]
    None,
    GeluErf,
    GeluTanh,
    Relu,
    Tanh,
    Sigmoid,
}

/// One kernel call per unit.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // fields are described with their step
pub enum Step {
    /// Fills a token space from a mask, rows `[batch, seq]` s64/s32/f32/bool (non-zero = token); without a mask every row is a token.
    /// `masked_bias` is the additive key bias of masked tokens that are kept.
    TokenMap { space: usize, mask: Option<Buf>, masked_bias: f32 },
    /// y panel f32 = word[ids] + position[s] + type_table[types]. Ids out of range end the run with E_REQUEST. Tables are f32
    /// `[rows, features]`, or u8 `[rows, features + 4]`: s8 codes, then the f32 value of one code step of the row.
    Embed { y: Buf, ids: Buf, word: Buf, position: Option<Buf>, types: Option<Buf>, type_table: Option<Buf> },
    /// Rows f32 `[rows, features]` to panels.
    FromRows { x: Buf, y: Buf },
    /// Panels f32 to rows f32 `[rows, features]`, rows without a token become 0.
    ToRows { x: Buf, y: Buf },
    /// f32 product with a dense or sparse weight.
    Linear {
        weight: Weight,
        x: Buf,
        y: Buf,
        bias: Option<Weight>,
        residual: Option<ResidualRef>,
        #[serde(default)]
        act: Activation,
    },
    /// bf16 product: x bf16, y f32 or bf16. y = act(W·x + bias + residual), sums in f32; a bf16 y is rounded last.
    LinearBf16 {
        weight: Weight,
        x: Buf,
        y: Buf,
        bias: Option<Weight>,
        residual: Option<ResidualRef>,
        #[serde(default)]
        act: Activation,
    },
    /// u8 × s8 product. f = (acc + init[m])·mul[m] + add[m] (one fma), then residual, activation and code:
    /// f32 y: act(f + residual), bf16 y: the same rounded to nearest even. 8-bit y without `act`: mul and add already hold the code. With `act`: `code` quantises act(f).
    /// With `table` (weight, 256 bytes): q = saturate_u8(round(f)) looks up the output byte.
    /// With `tokens`: f = (acc + init[m] − zero[t]·sums[m])·mul[m]·step[t] + add[m], for f32 and bf16 y.
    LinearI8 {
        weight: Weight,
        x: Buf,
        y: Buf,
        init: Weight,
        mul: Weight,
        add: Weight,
        residual: Option<ResidualRef>,
        #[serde(default)]
        act: Activation,
        code: Option<Code>,
        table: Option<Weight>,
        #[serde(default)]
        tokens: Option<TokensRef>,
    },
    /// Normalises x f32 or bf16 over its features, in place, or x f32 to y bf16; what is bf16 is rounded last. Optionally also writes
    /// 8-bit codes: of the result, or of it times one multiplier a feature.
    LayerNorm {
        x: Buf,
        #[serde(default)]
        y: Option<Buf>,
        gamma: Weight,
        beta: Weight,
        epsilon: f32,
        quantized: Option<Buf>,
        code: Option<Code>,
        #[serde(default)]
        multipliers: Option<Weight>,
    },
    /// f32 panel to u8 or s8 panel.
    Quantize { x: Buf, y: Buf, code: Code },
    /// f32 or bf16 panel to u8 panel, each token by its own range; its step and code of zero are f32 panels of one feature.
    QuantizeTokens { x: Buf, y: Buf, step: Buf, zero: Buf, form: TokenForm },
    /// u8 or s8 panel to f32 panel, plus one value a feature.
    Dequantize {
        x: Buf,
        y: Buf,
        code: Code,
        #[serde(default)]
        bias: Option<Weight>,
    },
    /// f32 panel to bf16 panel, to nearest even; magnitudes below 2⁻⁵⁶ become zero.
    Narrow { x: Buf, y: Buf },
    /// bf16 panel to f32 panel, exactly.
    Widen { x: Buf, y: Buf },
    /// softmax(q·kᵀ·scale + key bias)·v per head over each span; k and v are read across units. Scaled products and probabilities are
    /// rounded to u8 codes where those are given.
    Attention {
        q: Buf,
        k: Buf,
        v: Buf,
        y: Buf,
        heads: usize,
        scale: f32,
        #[serde(default)]
        scores: Option<Code>,
        #[serde(default)]
        probabilities: Option<Code>,
    },
    /// The same on q u8 (zero point 128), k and v s8: `scale` turns the integer score into the softmax argument; y u8 by
    /// q = saturate(round(Σp·v / Σp · out_scale) + zero).
    AttentionI8 { q: Buf, k: Buf, v: Buf, y: Buf, heads: usize, scale: f32, out_scale: f32, zero: i32 },
    /// y = act(x) on panels; may be in place.
    Activate { x: Buf, y: Buf, act: Activation },
    /// y = a + b on panels f32; y may be a or b.
    AddPanels { a: Buf, b: Buf, y: Buf },
    /// A row-major operator of [`neural_engine_generic`], by name.
    Generic {
        kind: String,
        x: Vec<Option<Buf>>,
        y: Vec<Buf>,
        #[serde(default)]
        attrs: serde_json::Map<String, serde_json::Value>,
    },
}
