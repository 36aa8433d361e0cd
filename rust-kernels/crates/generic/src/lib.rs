//! The generic path: row-major operators that run outside encoder layers, one program region each.
//!
//! The planner resolves everything that shapes decide (axes, permutations, starts and steps, broadcast dims) before it names one of
//! the native *kinds* here. [`check`] then proves dtypes, dims and attributes once, and the [`GenericOp`] it returns runs without
//! panicking whatever the data holds: an index that lies outside its tensor ends the run with [`GenericError::Request`].
//!
//! Work is divided into *units*, equal consecutive slices of every output. Parts own disjoint ranges of units, so operators are
//! written in safe code over slices; the two `unsafe` constructors of [`tensor`] are the only place where memory is taken on trust.

mod arg;
mod attrs;
mod binary;
mod cast;
mod cumsum;
mod dtype;
pub mod element;
mod erf;
mod fill;
mod gather;
mod index;
mod join;
mod matmul;
mod normalize;
mod numeric;
mod pad;
mod product;
mod quantize;
mod reduce;
mod scatter;
mod select;
mod softmax;
mod spec;
mod strided;
pub mod tensor;
mod topk;
mod unary;
mod vector;
mod walk;

pub use dtype::DType;
pub use spec::{GenericError, GenericOp, TensorSpec};
pub use tensor::{RawTensor, RawTensorMut};

use spec::{Attributes, Plan};

/// Proves one generic step and prepares it.
///
/// `x` and `y` are the step's operands in order, `None` where an optional input is absent; `attrs` must hold exactly what the kind
/// asks for.
///
/// # Errors
/// The reason in words, without the step's name, when the kind is unknown or its operands or attributes do not fit.
pub fn check(kind: &str, attrs: &Attributes, x: &[Option<TensorSpec>], y: &[TensorSpec]) -> Result<Box<dyn GenericOp>, String> {
    let step = spec::Step::new(attrs, x, y)?;
    let plan: Plan = match kind {
        "arg" => arg::plan(&step)?,
        "batch_norm" => normalize::plan_batch(&step)?,
        "binary" => binary::plan(&step)?,
        "cast" => cast::plan(&step)?,
        "clip" => select::plan_clip(&step)?,
        "concat" => join::plan(&step)?,
        "cumsum" => cumsum::plan(&step)?,
        "dequantize" => quantize::plan_dequantize(&step)?,
        "dynamic_quantize" => quantize::plan_dynamic(&step)?,
        "eye" => fill::plan_eye(&step)?,
        "gather" => gather::plan_gather(&step)?,
        "gather_elements" => gather::plan_elements(&step)?,
        "gather_nd" => gather::plan_nd(&step)?,
        "lp_norm" => normalize::plan_lp(&step)?,
        "matmul" => matmul::plan(&step)?,
        "matmul_integer" => matmul::plan_integer(&step)?,
        "normalize" => normalize::plan(&step)?,
        "one_hot" => fill::plan_one_hot(&step)?,
        "pad" => pad::plan(&step)?,
        "quantize" => quantize::plan_quantize(&step)?,
        "range" => fill::plan_range(&step)?,
        "reduce" => reduce::plan(&step)?,
        "reverse_sequence" => fill::plan_reverse_sequence(&step)?,
        "scatter_elements" => scatter::plan_elements(&step)?,
        "scatter_nd" => scatter::plan_nd(&step)?,
        "softmax" => softmax::plan(&step)?,
        "strided" => strided::plan(&step)?,
        "topk" => topk::plan(&step)?,
        "trilu" => fill::plan_trilu(&step)?,
        "unary" => unary::plan(&step)?,
        "where" => select::plan_where(&step)?,
        _ => return Err(format!("no generic operator is named {kind:?}")),
    };
    Ok(Box::new(spec::Divided::new(&step, plan)?))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod testing;
