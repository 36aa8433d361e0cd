//! One step on one thread: operands to slices, then one kernel call.

use super::kernel::{act, bug, clear_gaps, code, constant, linear_bf16, linear_f32, linear_i8, spans_of, token_form, wrong_division};
use super::memory::{Bases, Place};
use super::{MAX_PANELS, Run, share};
use crate::bytes::{Plain, view_mut};
use crate::error::{ErrorCode, Result, RuntimeError};
use crate::program::DType;
use crate::validate::MAX_OPERANDS;
use crate::validate::buffers::{Panels, Rows, SpaceSize};
use crate::validate::op::{Op, ResidualOp, TokensOp};
use neural_engine_generic::{GenericError, RawTensor, RawTensorMut};
use neural_engine_kernels::attention_f32::AttentionF32;
use neural_engine_kernels::attention_i8::AttentionI8;
use neural_engine_kernels::code::Codes;
use neural_engine_kernels::embed::{Ids, Lookup, Table, embed};
use neural_engine_kernels::layer_norm::{LayerNorm, NormCodes};
use neural_engine_kernels::linear_bf16::LinearBf16;
use neural_engine_kernels::linear_f32::ROW_GRANULE as F32_GRANULE;
use neural_engine_kernels::linear_i8::LinearI8;
use neural_engine_kernels::panel::{Io, Residual, TOKENS, TokenCodes};
use neural_engine_kernels::quantize::{CodesRef, dequantize, quantize};
use neural_engine_kernels::quantize_tokens::{quantize_tokens, quantize_tokens_bf16};
use neural_engine_kernels::tokens::{Mask, TokenMap};
use neural_engine_kernels::{KernelError, activate, add, bf16, rows};
use std::cell::Cell;
use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Most outputs of one generic step.
const MAX_OUTPUTS: usize = 4;

/// What a thread needs for its steps.
pub struct Thread<'r> {
    /// The run.
    pub run: &'r Run<'r>,
    /// Its memories as this thread sees them.
    pub bases: Bases<'r>,
    /// For kernels' own use.
    pub kernel_scratch: &'r mut [u8],
    /// Number of the thread.
    pub thread: usize,
}

/// Spaces are written by one step that has a region to itself, so this never waits.
pub fn read_lock(space: &RwLock<TokenMap>) -> RwLockReadGuard<'_, TokenMap> {
    space.read().unwrap_or_else(PoisonError::into_inner)
}

/// Empties a token space for its `token_map` step, fills a row space; later fills allocate nothing.
pub fn reset_space(map: &mut TokenMap, size: &SpaceSize) -> Result<()> {
    map.reserve(size.rows.checked_div(size.seq).unwrap_or(0), size.seq);
    if size.tokens {
        map.clear();
        return Ok(());
    }
    Ok(map.fill_rows(size.rows)?)
}

/// Panels of one unit with their place in it.
fn places(unit: Range<usize>) -> impl Iterator<Item = Place> {
    unit.enumerate().map(|(local, panel)| Place { panel, local })
}

impl<'r> Thread<'r> {
    /// Runs a step on one unit of panels.
    pub fn panel_step(&mut self, op: &Op, map: &TokenMap, unit: Range<usize>) -> Result<()> {
        let isa = self.run.isa;
        // SAFETY of all reads and writes below: the operands are those of a program that validation proved. Panels of this unit are
        // used by this thread alone in this region, what is read across units is written by nobody, and the operands of one step
        // do not overlap except where it is handled by using one slice.
        match op {
            Op::Linear { x, y, residual, .. } => {
                let linear = linear_f32(self.run.prepared, op)?;
                let rows = 0..linear.weight.rows();
                self.product(x, &None, y, residual, rows.clone(), unit, |_, ios| linear.run(isa, rows.clone(), ios))
            }
            Op::LinearI8 { x, y, residual, tokens, .. } => {
                let linear = linear_i8(self.run.prepared, op)?;
                self.product_i8(&linear, x, tokens, y, residual, 0..linear.weight.m(), unit)
            }
            Op::LinearBf16 { x, y, residual, .. } => {
                let linear = linear_bf16(self.run.prepared, op)?;
                self.product_bf16(&linear, x, y, residual, 0..linear.weight.m(), unit)
            }
            Op::Embed { y, ids, word, position, types } => {
                let mut lookups = [Lookup { name: "token ids", table: self.table(word), ids: self.ids(ids) }; 3];
                let mut count = 1;
                if let Some(position) = position {
                    let seq = self.run.prepared.declared.spaces[y.space].seq;
                    lookups[count] = Lookup { name: "positions", table: self.table(position), ids: Ids::Modulo(seq) };
                    count += 1;
                }
                if let Some((types, table)) = types {
                    lookups[count] = Lookup { name: "token types", table: self.table(table), ids: self.ids(types) };
                    count += 1;
                }
                for place in places(unit) {
                    // SAFETY: see the top of the function.
                    let panel = unsafe { self.bases.write(y, place) };
                    embed(isa, map.panel_rows(place.panel), y.features, &lookups[..count], panel).map_err(|error| match error {
                        KernelError::Invalid { .. } => RuntimeError::new(ErrorCode::Request, error.to_string()),
                        _ => bug(error),
                    })?;
                }
                Ok(())
            }
            Op::FromRows { x, y } => {
                // SAFETY: see the top of the function.
                let matrix = unsafe { self.bases.rows(x) };
                each(unit, |place| {
                    // SAFETY: see the top of the function.
                    let panel = unsafe { self.bases.write(y, place) };
                    rows::from_rows(isa, map.panel_rows(place.panel), y.features, matrix, panel)
                })
            }
            Op::ToRows { x, y } => {
                // SAFETY: the output's range was proved; panels have different rows, and cells are only written to those of this
                // unit: its tokens and the gaps before them.
                let matrix = unsafe { std::slice::from_raw_parts(self.bases.at(y.loc).cast::<Cell<f32>>(), y.len) };
                each(unit, |place| {
                    let tokens = map.panel_rows(place.panel);
                    clear_gaps(map, place.panel, x.features, matrix);
                    // SAFETY: see the top of the function.
                    let panel = unsafe { self.bases.read(x, place) };
                    rows::to_rows(isa, tokens, x.features, panel, matrix)
                })
            }
            Op::LayerNorm { x, y, gamma, beta, epsilon, quantized } => {
                let (gamma, beta) = (constant(self.run.prepared, *gamma)?, constant(self.run.prepared, *beta)?);
                let norm = LayerNorm { gamma, beta, epsilon: *epsilon };
                let multipliers = quantized.as_ref().and_then(|op| op.multipliers);
                let multipliers = multipliers.map(|weight| constant(self.run.prepared, weight)).transpose()?;
                each(unit, |place| {
                    let codes =
                        quantized.as_ref().map(|op| NormCodes { code: code(op.code), codes: self.codes(&op.codes, place), multipliers });
                    // SAFETY: see the top of the function; the dtype chooses the width.
                    unsafe {
                        match (y, x.dtype) {
                            (Some(y), _) => norm.run_to_bf16(isa, self.bases.read(x, place), self.bases.write(y, place), codes),
                            (None, DType::Bf16) => norm.run_bf16(isa, self.bases.write(x, place), codes),
                            (None, _) => norm.run(isa, self.bases.write(x, place), codes),
                        }
                    }
                })
            }
            Op::Activate { x, y, act: activation } => each(unit, |place| {
                if x == y {
                    // SAFETY: see the top of the function.
                    activate::activate_in_place(isa, act(*activation), unsafe { self.bases.write(y, place) });
                    return Ok(());
                }
                // SAFETY: see the top of the function.
                let (x, y) = unsafe { (self.bases.read(x, place), self.bases.write(y, place)) };
                activate::activate(isa, act(*activation), x, y)
            }),
            Op::AddPanels { a, b, y } => each(unit, |place| {
                // SAFETY: see the top of the function; a slice is taken once where operands are the same.
                unsafe {
                    match (a == y, b == y) {
                        (true, true) => {
                            let y: &mut [f32] = self.bases.write(y, place);
                            y.iter_mut().for_each(|y| *y += *y);
                            Ok(())
                        }
                        (true, false) => add::add_in_place(isa, self.bases.write(y, place), self.bases.read(b, place)),
                        (false, true) => add::add_in_place(isa, self.bases.write(y, place), self.bases.read(a, place)),
                        (false, false) => add::add(isa, self.bases.read(a, place), self.bases.read(b, place), self.bases.write(y, place)),
                    }
                }
            }),
            Op::Quantize { x, y, code: output } => each(unit, |place| {
                // SAFETY: see the top of the function.
                let values = unsafe { self.bases.read(x, place) };
                quantize(isa, code(*output), values, self.codes(y, place))
            }),
            Op::QuantizeTokens { x, y, step, zero, form } => each(unit, |place| {
                let form = token_form(*form);
                // SAFETY: see the top of the function; the dtype chooses the width.
                unsafe {
                    let (y, step, zero) = (self.bases.write(y, place), self.bases.write(step, place), self.bases.write(zero, place));
                    match x.dtype {
                        DType::Bf16 => quantize_tokens_bf16(isa, form, self.bases.read(x, place), y, step, zero),
                        _ => quantize_tokens(isa, form, self.bases.read(x, place), y, step, zero),
                    }
                }
            }),
            Op::Dequantize { x, y, code: input, bias } => {
                let bias = bias.map(|weight| constant(self.run.prepared, weight)).transpose()?;
                each(unit, |place| {
                    // SAFETY: see the top of the function; the dtype chooses the sign.
                    unsafe {
                        let codes = match x.dtype {
                            DType::S8 => CodesRef::S8(self.bases.read(x, place)),
                            _ => CodesRef::U8(self.bases.read(x, place)),
                        };
                        dequantize(isa, code(*input), codes, bias, self.bases.write(y, place))
                    }
                })
            }
            Op::Narrow { x, y } => each(unit, |place| {
                // SAFETY: see the top of the function.
                unsafe { bf16::narrow(isa, self.bases.read(x, place), self.bases.write(y, place)) }
            }),
            Op::Widen { x, y } => each(unit, |place| {
                // SAFETY: see the top of the function.
                unsafe { bf16::widen(isa, self.bases.read(x, place), self.bases.write(y, place)) }
            }),
            Op::Attention { heads, .. } | Op::AttentionI8 { heads, .. } => self.attention(op, map, 0..*heads, unit),
            Op::TokenMap { .. } | Op::Generic { .. } => Err(wrong_division(op)),
        }
    }

    /// Runs this thread's rows or heads of a step over all panels.
    pub fn split_step(&mut self, op: &Op, map: &TokenMap) -> Result<()> {
        let (isa, threads) = (self.run.isa, self.run.threads);
        match op {
            Op::Linear { x, y, residual, .. } => {
                let linear = linear_f32(self.run.prepared, op)?;
                let all = linear.weight.rows();
                let granules = share(all.div_ceil(F32_GRANULE), self.thread, threads);
                let rows = (granules.start * F32_GRANULE).min(all)..(granules.end * F32_GRANULE).min(all);
                for unit in groups(map.panels(), &rows) {
                    self.product(x, &None, y, residual, rows.clone(), unit, |_, ios| linear.run(isa, rows.clone(), ios))?;
                }
                Ok(())
            }
            Op::LinearI8 { x, y, residual, tokens, .. } => {
                let linear = linear_i8(self.run.prepared, op)?;
                let rows = linear.weight.rows_of(self.thread, threads);
                for unit in groups(map.panels(), &rows) {
                    self.product_i8(&linear, x, tokens, y, residual, rows.clone(), unit)?;
                }
                Ok(())
            }
            Op::LinearBf16 { x, y, residual, .. } => {
                let linear = linear_bf16(self.run.prepared, op)?;
                let rows = linear.weight.rows_of(self.thread, threads);
                for unit in groups(map.panels(), &rows) {
                    self.product_bf16(&linear, x, y, residual, rows.clone(), unit)?;
                }
                Ok(())
            }
            Op::Attention { heads, .. } | Op::AttentionI8 { heads, .. } => {
                let heads = share(*heads, self.thread, threads);
                if heads.is_empty() { Ok(()) } else { self.attention(op, map, heads, 0..map.panels()) }
            }
            _ => Err(wrong_division(op)),
        }
    }

    /// Runs this thread's part of a step that divides itself.
    pub fn whole_step(&mut self, outer: &Op) -> Result<()> {
        match outer {
            Op::TokenMap { space, mask, masked_bias } if self.thread == 0 => {
                let size = self.run.prepared.declared.spaces[*space];
                let mask = mask.as_ref().map(|mask| self.mask(mask));
                let batch = size.rows.checked_div(size.seq).unwrap_or(0);
                let mut map = self.run.spaces[*space].write().unwrap_or_else(PoisonError::into_inner);
                map.fill(batch, size.seq, mask, size.pack, *masked_bias).map_err(bug)
            }
            Op::TokenMap { .. } => Ok(()),
            Op::Generic { op, kind, x, y } => {
                let parts = op.parts(self.run.threads);
                if self.thread >= parts {
                    return Ok(());
                }
                // SAFETY: validation proved ranges, alignment and that outputs overlap nothing; in a run all parts use one number of
                // parts, and each is run by one thread.
                let read = |rows: &Rows| unsafe { RawTensor::new(rows.dtype, rows.len, self.bases.at(rows.loc)) };
                // SAFETY: as above.
                let write = |rows: &Rows| unsafe { RawTensorMut::new(rows.dtype, rows.len, self.bases.at(rows.loc)) };
                // On the stack: a run allocates nothing. Validation bounds both lists.
                let mut sources = [None; MAX_OPERANDS];
                for (source, rows) in sources.iter_mut().zip(x) {
                    *source = rows.as_ref().map(read);
                }
                let Some(last) = y.last() else { return Err(wrong_division(outer)) };
                let targets: [RawTensorMut<'_>; MAX_OUTPUTS] = std::array::from_fn(|index| write(y.get(index).unwrap_or(last)));
                let (sources, targets) = (&sources[..x.len().min(MAX_OPERANDS)], &targets[..y.len().min(MAX_OUTPUTS)]);
                op.run(self.thread, parts, sources, targets).map_err(|error| {
                    let code = match error {
                        GenericError::Request(_) => ErrorCode::Request,
                        GenericError::Memory(_) => ErrorCode::Limit,
                        GenericError::Internal(_) => ErrorCode::Internal,
                    };
                    RuntimeError::new(code, format!("{kind}: {error}"))
                })
            }
            _ => Err(wrong_division(outer)),
        }
    }

    /// Some heads of attention for the queries of some panels.
    fn attention(&mut self, op: &Op, map: &TokenMap, heads: Range<usize>, panels: Range<usize>) -> Result<()> {
        let isa = self.run.isa;
        let refused = || RuntimeError::new(ErrorCode::Internal, "scratch is not aligned");
        for place in places(panels) {
            let spans = spans_of(map, place.panel);
            let cells = |q: &Panels, all: usize| {
                let head = q.panel_len() / all;
                heads.start * head..heads.end * head
            };
            // SAFETY: as in `panel_step`; k and v are written by nobody in this region, and of y each thread has its own heads.
            unsafe {
                match *op {
                    Op::Attention { q, k, v, y, heads: all, scale, scores, probabilities } => {
                        let (head_dim, key_bias) = (q.features / all, map.key_bias());
                        let (scores, probabilities) = (scores.map(code), probabilities.map(code));
                        let attention = AttentionF32 { heads: all, head_dim, scale, spans, key_bias, scores, probabilities };
                        let (k, v) = (self.bases.read_all(&k, map.panels()), self.bases.read_all(&v, map.panels()));
                        let (query, y) = (self.bases.read(&q, place), self.bases.write_rows(&y, place, cells(&q, all)));
                        let scratch = view_mut(self.kernel_scratch).ok_or_else(refused)?;
                        attention.run(isa, place.panel, heads.clone(), query, k, v, y, scratch).map_err(bug)?;
                    }
                    Op::AttentionI8 { q, k, v, y, heads: all, scale, out_scale, zero } => {
                        let (head_dim, key_bias) = (q.features / all, map.key_bias());
                        let attention = AttentionI8 { heads: all, head_dim, scale, out_scale, zero, spans, key_bias };
                        let (k, v) = (self.bases.read_all(&k, map.panels()), self.bases.read_all(&v, map.panels()));
                        let (query, y) = (self.bases.read(&q, place), self.bases.write_rows(&y, place, cells(&q, all)));
                        attention.run(isa, place.panel, heads.clone(), query, k, v, y, self.kernel_scratch).map_err(bug)?;
                    }
                    _ => return Err(wrong_division(op)),
                }
            }
        }
        Ok(())
    }

    /// One product of up to four panels; `y` and the residual are cut to `rows`.
    #[expect(clippy::too_many_arguments, reason = "the operands of a product")]
    fn product<X: Plain, Y: Plain>(
        &mut self,
        x: &Panels,
        tokens: &Option<TokensOp>,
        y: &Panels,
        residual: &ResidualOp,
        rows: Range<usize>,
        unit: Range<usize>,
        run: impl FnOnce(&mut [u8], &mut [Io<'_, X, Y>]) -> std::result::Result<(), KernelError>,
    ) -> Result<()> {
        let cells = rows.start * TOKENS..rows.end * TOKENS;
        let mut ios: [Io<'_, X, Y>; MAX_PANELS] = std::array::from_fn(|_| Io { x: &[], codes: None, y: &mut [], residual: Residual::None });
        let count = unit.len();
        for (io, place) in ios.iter_mut().zip(places(unit)) {
            // SAFETY: as in `panel_step`. In a split region threads write the same panels, but each only its own rows: slices of the
            // whole panel would alias, so the cut is made before a reference exists.
            unsafe {
                io.x = self.bases.read(x, place);
                io.codes = tokens.as_ref().map(|TokensOp { step, zero, .. }| TokenCodes {
                    step: self.bases.read(step, place),
                    zero: self.bases.read(zero, place),
                });
                io.y = self.bases.write_rows(y, place, cells.clone());
                io.residual = match residual {
                    ResidualOp::None => Residual::None,
                    ResidualOp::InPlace => Residual::InPlace,
                    ResidualOp::Panels(panels) if panels.dtype == DType::Bf16 => {
                        Residual::Half(&self.bases.read::<u16>(panels, place)[cells.clone()])
                    }
                    ResidualOp::Panels(panels) => Residual::Panel(&self.bases.read::<f32>(panels, place)[cells.clone()]),
                };
            }
        }
        run(self.kernel_scratch, &mut ios[..count.min(MAX_PANELS)]).map_err(bug)
    }

    #[expect(clippy::too_many_arguments, reason = "the operands of a product")]
    fn product_i8(
        &mut self,
        linear: &LinearI8<'_>,
        x: &Panels,
        tokens: &Option<TokensOp>,
        y: &Panels,
        residual: &ResidualOp,
        rows: Range<usize>,
        unit: Range<usize>,
    ) -> Result<()> {
        let isa = self.run.isa;
        let range = rows.clone();
        match y.dtype {
            DType::F32 => self.product(x, tokens, y, residual, rows, unit, |scratch, ios| linear.run_f32(isa, range, ios, scratch)),
            DType::Bf16 => self.product(x, tokens, y, residual, rows, unit, |scratch, ios| linear.run_bf16(isa, range, ios, scratch)),
            DType::S8 => self.product(x, tokens, y, residual, rows, unit, |scratch, ios| linear.run_s8(isa, range, ios, scratch)),
            _ => self.product(x, tokens, y, residual, rows, unit, |scratch, ios| linear.run_u8(isa, range, ios, scratch)),
        }
    }

    fn product_bf16(
        &mut self,
        linear: &LinearBf16<'_>,
        x: &Panels,
        y: &Panels,
        residual: &ResidualOp,
        rows: Range<usize>,
        unit: Range<usize>,
    ) -> Result<()> {
        let isa = self.run.isa;
        let range = rows.clone();
        match y.dtype {
            DType::F32 => self.product(x, &None, y, residual, rows, unit, |scratch, ios| linear.run_f32(isa, range, ios, words(scratch)?)),
            _ => self.product(x, &None, y, residual, rows, unit, |scratch, ios| linear.run_bf16(isa, range, ios, words(scratch)?)),
        }
    }

    fn codes(&self, panels: &Panels, place: Place) -> Codes<'r> {
        // SAFETY: as in `panel_step`.
        unsafe {
            if panels.dtype == DType::S8 { Codes::S8(self.bases.write(panels, place)) } else { Codes::U8(self.bases.write(panels, place)) }
        }
    }

    fn table(&self, rows: &Rows) -> Table<'r> {
        // SAFETY: a read-only operand of the running program, f32 or u8 as validation proved.
        unsafe { if rows.dtype == DType::U8 { Table::S8Rows(self.bases.rows(rows)) } else { Table::F32(self.bases.rows(rows)) } }
    }

    fn ids(&self, rows: &Rows) -> Ids<'r> {
        // SAFETY: an operand that nobody writes in this region; its dtype chooses the width.
        unsafe { if rows.dtype == DType::S32 { Ids::S32(self.bases.rows(rows)) } else { Ids::S64(self.bases.rows(rows)) } }
    }

    fn mask(&self, rows: &Rows) -> Mask<'r> {
        // SAFETY: an operand that nobody writes in this region; its dtype chooses the width.
        unsafe {
            match rows.dtype {
                DType::S32 => Mask::S32(self.bases.rows(rows)),
                DType::F32 => Mask::F32(self.bases.rows(rows)),
                DType::S64 => Mask::S64(self.bases.rows(rows)),
                _ => Mask::Bool(self.bases.rows(rows)),
            }
        }
    }
}

/// Scratch as 32-bit words.
fn words(scratch: &mut [u8]) -> std::result::Result<&mut [i32], KernelError> {
    view_mut(scratch).ok_or_else(|| KernelError::Invalid { name: "scratch", reason: "is not aligned".into() })
}

/// Calls a kernel for each panel of a unit.
fn each(unit: Range<usize>, mut call: impl FnMut(Place) -> std::result::Result<(), KernelError>) -> Result<()> {
    places(unit).try_for_each(|place| call(place).map_err(bug))
}

/// All panels in groups that share one pass over the weight; none where this thread has no rows.
fn groups(panels: usize, rows: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let panels = if rows.is_empty() { 0 } else { panels };
    (0..panels).step_by(MAX_PANELS).map(move |start| start..panels.min(start + MAX_PANELS))
}
