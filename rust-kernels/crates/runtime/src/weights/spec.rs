//! What a caller says about each weight, and how the packed file's table says it.

use crate::program::DType;
use serde::{Deserialize, Serialize};

/// How a linear weight is stored.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Every weight.
    Dense,
    /// Blocks of four outputs by one input that hold a non-zero.
    Sparse4x1,
    /// Every weight, as tiles for AMX; s8 only.
    Tiled,
    /// Those blocks, to be made into tiles for AMX; s8 only.
    Compressed4x1,
}

impl Format {
    /// Whether its kernels are fast with AMX only.
    pub fn is_for_tiles(self) -> bool {
        matches!(self, Format::Tiled | Format::Compressed4x1)
    }
}

/// Which way round a source matrix lies.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// `[M, K]`, outputs first.
    Mk,
    /// `[K, M]`, inputs first.
    Km,
}

/// One entry to pack. `buffer` is the index of its source bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Spec {
    /// A row-major constant, kept as it is.
    Tensor {
        /// Element type.
        dtype: DType,
        /// Dimensions.
        dims: Vec<usize>,
        /// Source.
        buffer: usize,
    },
    /// A matrix for `linear`, f32.
    LinearF32 {
        /// How it is stored.
        format: Format,
        /// Outputs.
        m: usize,
        /// Inputs.
        k: usize,
        /// How the source lies.
        order: Order,
        /// Source.
        buffer: usize,
    },
    /// A matrix for `linear_i8`, s8.
    LinearU8s8 {
        /// How it is stored.
        format: Format,
        /// Outputs.
        m: usize,
        /// Inputs.
        k: usize,
        /// How the source lies.
        order: Order,
        /// Source.
        buffer: usize,
    },
    /// A matrix for `linear_bf16`, bf16.
    LinearBf16 {
        /// How it is stored.
        format: Format,
        /// Outputs.
        m: usize,
        /// Inputs.
        k: usize,
        /// How the source lies.
        order: Order,
        /// Source.
        buffer: usize,
    },
}

/// What an entry of a weight set is.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// A row-major constant.
    Tensor {
        /// Element type.
        dtype: DType,
        /// Dimensions.
        dims: Vec<usize>,
    },
    /// A packed f32 matrix.
    LinearF32 {
        /// How it is stored.
        format: Format,
        /// Outputs.
        m: usize,
        /// Inputs.
        k: usize,
    },
    /// A packed s8 matrix.
    LinearU8s8 {
        /// How it is stored.
        format: Format,
        /// Outputs.
        m: usize,
        /// Inputs.
        k: usize,
    },
    /// A packed bf16 matrix.
    LinearBf16 {
        /// How it is stored.
        format: Format,
        /// Outputs.
        m: usize,
        /// Inputs.
        k: usize,
    },
}

impl Kind {
    /// For messages: `tensor f32 [768]`, `linear_f32 dense 768x3072`.
    pub fn describe(&self) -> String {
        match self {
            Kind::Tensor { dtype, dims } => format!("tensor {} {dims:?}", dtype.name()),
            Kind::LinearF32 { format, m, k } => format!("linear_f32 {format:?} {m}x{k}"),
            Kind::LinearU8s8 { format, m, k } => format!("linear_u8s8 {format:?} {m}x{k}"),
            Kind::LinearBf16 { format, m, k } => format!("linear_bf16 {format:?} {m}x{k}"),
        }
    }
}

/// One row of the table of packed weights: what, and where in the blob.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// What it is.
    pub what: Kind,
    /// First byte, a multiple of 64.
    pub offset: usize,
    /// How many bytes.
    pub bytes: usize,
}
