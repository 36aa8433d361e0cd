//! Element types.

use serde::{Deserialize, Serialize};

/// Element types, spelt as in TypeScript.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum DType {
    F32,
    F64,
    F16,
    Bf16,
    U8,
    S8,
    U16,
    S16,
    U32,
    S32,
    U64,
    S64,
    Bool,
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::U8 | DType::S8 | DType::Bool => 1,
            DType::F16 | DType::Bf16 | DType::U16 | DType::S16 => 2,
            DType::F32 | DType::U32 | DType::S32 => 4,
            DType::F64 | DType::U64 | DType::S64 => 8,
        }
    }

    /// As TypeScript spells it.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::F16 => "f16",
            DType::Bf16 => "bf16",
            DType::U8 => "u8",
            DType::S8 => "s8",
            DType::U16 => "u16",
            DType::S16 => "s16",
            DType::U32 => "u32",
            DType::S32 => "s32",
            DType::U64 => "u64",
            DType::S64 => "s64",
            DType::Bool => "bool",
        }
    }
}
