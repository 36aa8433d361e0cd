//! What a step's kernel is made of: weights, activations, codes, spans, scratch.

use super::MAX_PANELS;
use crate::bytes::Plain;
use crate::error::{ErrorCode, Result, RuntimeError};
use crate::program;
use crate::validate::op::Op;
use crate::validate::{Division, Prepared};
use neural_engine_isa::Isa;
use neural_engine_kernels::attention_f32::AttentionF32;
use neural_engine_kernels::attention_i8::AttentionI8;
use neural_engine_kernels::linear_bf16::LinearBf16;
use neural_engine_kernels::linear_f32::LinearF32;
use neural_engine_kernels::linear_i8::LinearI8;
use neural_engine_kernels::panel::TOKENS;
use neural_engine_kernels::quantize_tokens::TokenForm;
use neural_engine_kernels::tokens::{Span, TokenMap};
use neural_engine_kernels::{Activation, Code, KernelError};
use std::cell::Cell;
use std::ops::Range;

/// Bytes that the kernels of a program need from each thread.
pub(super) fn kernel_scratch(prepared: &Prepared) -> usize {
    let of = |op: &Op, panels: usize| match *op {
        Op::LinearI8 { .. } => linear_i8(prepared, op).map_or(0, |linear| linear.scratch_len(panels)),
        Op::LinearBf16 { .. } => linear_bf16(prepared, op).map_or(0, |linear| linear.scratch_len(Isa::best(), panels) * size_of::<i32>()),
        Op::Attention { q, heads, .. } => AttentionF32::scratch_len(q.features / heads) * size_of::<f32>(),
        Op::AttentionI8 { q, heads, .. } => AttentionI8::scratch_len(q.features / heads),
        _ => 0,
    };
    let each = |region: &crate::validate::PreparedRegion| {
        let panels = match region.division {
            Division::Panels { group, .. } => group,
            _ => MAX_PANELS,
        };
        region.ops.iter().map(|op| of(op, panels)).max().unwrap_or(0)
    };
    prepared.regions.iter().map(each).max().unwrap_or(0).next_multiple_of(64)
}

pub(super) fn act(act: program::Activation) -> Activation {
    match act {
        program::Activation::None => Activation::None,
        program::Activation::GeluErf => Activation::GeluErf,
        program::Activation::GeluTanh => Activation::GeluTanh,
        program::Activation::Relu => Activation::Relu,
        program::Activation::Tanh => Activation::Tanh,
        program::Activation::Sigmoid => Activation::Sigmoid,
    }
}

pub(super) fn token_form(form: program::TokenForm) -> TokenForm {
    match form {
        program::TokenForm::Asymmetric => TokenForm::Asymmetric,
        program::TokenForm::Symmetric => TokenForm::Symmetric,
    }
}

pub(super) fn code(code: program::Code) -> Code {
    Code { scale: code.scale, zero: code.zero }
}

/// A kernel refused what validation let through.
pub(super) fn bug(error: KernelError) -> RuntimeError {
    RuntimeError::new(ErrorCode::Internal, format!("a kernel refused its operands: {error}"))
}

pub(super) fn wrong_division(op: &Op) -> RuntimeError {
    RuntimeError::new(ErrorCode::Internal, format!("{} cannot be divided like this", op.name()))
}

/// A raw weight as numbers; validation proved kind and length.
pub(super) fn constant<T: Plain>(prepared: &Prepared, weight: usize) -> Result<&[T]> {
    let elements = prepared.weights.tensor(weight)?.elements();
    elements.ok_or_else(|| RuntimeError::new(ErrorCode::Internal, "a weight is not aligned for its elements"))
}

pub(super) fn linear_f32<'p>(prepared: &'p Prepared, op: &Op) -> Result<LinearF32<'p>> {
    let Op::Linear { weight, bias, act: activation, .. } = *op else { return Err(wrong_division(op)) };
    let bias = bias.map(|bias| constant(prepared, bias)).transpose()?;
    Ok(LinearF32 { weight: prepared.weights.linear_f32(weight)?, bias, act: act(activation) })
}

pub(super) fn linear_bf16<'p>(prepared: &'p Prepared, op: &Op) -> Result<LinearBf16<'p>> {
    let Op::LinearBf16 { weight, bias, act: activation, .. } = *op else { return Err(wrong_division(op)) };
    let bias = bias.map(|bias| constant(prepared, bias)).transpose()?;
    Ok(LinearBf16 { weight: prepared.weights.linear_bf16(weight)?, bias, act: act(activation) })
}

pub(super) fn linear_i8<'p>(prepared: &'p Prepared, op: &Op) -> Result<LinearI8<'p>> {
    let Op::LinearI8 { weight, init, mul, add, act: activation, code: output, table, tokens, .. } = *op else {
        return Err(wrong_division(op));
    };
    let table = match table {
        Some(table) => constant::<u8>(prepared, table)?.first_chunk(),
        None => None,
    };
    Ok(LinearI8 {
        weight: prepared.weights.linear_i8(weight)?,
        init: constant(prepared, init)?,
        mul: constant(prepared, mul)?,
        add: constant(prepared, add)?,
        act: act(activation),
        code: output.map(code),
        table,
        sums: tokens.map(|tokens| constant(prepared, tokens.sums)).transpose()?,
    })
}

/// The spans that meet a panel; they ascend.
pub(super) fn spans_of(map: &TokenMap, panel: usize) -> &[Span] {
    let spans = map.spans();
    let from = spans.partition_point(|span| span.end() <= panel * TOKENS);
    let to = from + spans[from..].partition_point(|span| (span.start as usize) < (panel + 1) * TOKENS);
    &spans[from..to]
}

/// Writes zeros to the rows between this panel's tokens, from the token before; the last panel also clears what follows.
pub(super) fn clear_gaps(map: &TokenMap, panel: usize, features: usize, matrix: &[Cell<f32>]) {
    let tokens = map.panel_rows(panel);
    let mut next = if panel == 0 { 0 } else { map.rows()[panel * TOKENS - 1] as usize + 1 };
    let zero = |rows: Range<usize>| matrix[rows.start * features..rows.end * features].iter().for_each(|cell| cell.set(0.0));
    for &row in tokens {
        zero(next..row as usize);
        next = row as usize + 1;
    }
    if panel + 1 == map.panels() {
        zero(next..matrix.len() / features);
    }
}
