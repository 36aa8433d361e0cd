//! Checks one step against its operands and weights.

use super::MAX_OPERANDS;
use super::access::{Access, Use};
use super::buffers::{Declared, Operand, Panels, Rows, SpaceSize};
use super::op::{NormCodesOp, Op, ResidualOp, TokensOp};
use crate::error::{Result, RuntimeError};
use crate::program::{Activation, Buf, Code, DType, ResidualRef, Step, TokensRef};
use crate::shape::product;
use crate::weights::WeightSet;
use DType::{Bf16, F32, S8, S32, S64, U8};
use neural_engine_generic::{self as generic, TensorSpec};
use neural_engine_kernels::attention_i8::MAX_HEAD_DIM;
use neural_engine_kernels::embed::STEP_BYTES;

/// Checks the steps of one region; collects who uses what.
pub struct Checker<'a> {
    /// What the program declares.
    pub declared: &'a Declared,
    /// Where weights are.
    pub weights: &'a WeightSet,
    /// The space of the region's panels, where it has one.
    pub space: Option<usize>,
    /// Number of the step that is being checked.
    pub step: usize,
    /// Uses found so far.
    pub accesses: Vec<Access>,
}

fn wrong<T>(message: impl Into<String>) -> Result<T> {
    Err(RuntimeError::program(message))
}

impl Checker<'_> {
    fn touch(&mut self, buffer: Buf, usage: Use) {
        self.accesses.push(Access { step: self.step, buffer, usage, in_place: false });
    }

    fn operand(&self, buffer: Buf) -> Result<&Operand> {
        match self.declared.operands.get(buffer) {
            Some(operand) => Ok(operand),
            None => wrong(format!("buffer {buffer} does not exist")),
        }
    }

    /// Panels of the region's space, of one of `dtypes`.
    fn panels(&mut self, name: &str, buffer: Buf, usage: Use, dtypes: &[DType]) -> Result<Panels> {
        let Operand::Panels(panels) = *self.operand(buffer)? else {
            return wrong(format!("{name} (buffer {buffer}) is row-major, expected panels"));
        };
        if self.space != Some(panels.space) {
            return wrong(format!("{name} (buffer {buffer}) belongs to space {}, the region to another", panels.space));
        }
        if !dtypes.contains(&panels.dtype) {
            let names: Vec<_> = dtypes.iter().map(|dtype| dtype.name()).collect();
            return wrong(format!("{name} (buffer {buffer}) is {}, expected {}", panels.dtype.name(), names.join(" or ")));
        }
        self.touch(buffer, usage);
        Ok(panels)
    }

    /// Row-major operand of one of `dtypes`; any where the list is empty.
    fn rows(&mut self, name: &str, buffer: Buf, usage: Use, dtypes: &[DType]) -> Result<Rows> {
        let Operand::Rows(rows) = self.operand(buffer)?.clone() else {
            return wrong(format!("{name} (buffer {buffer}) is panels, expected row-major"));
        };
        if !dtypes.is_empty() && !dtypes.contains(&rows.dtype) {
            let names: Vec<_> = dtypes.iter().map(|dtype| dtype.name()).collect();
            return wrong(format!("{name} (buffer {buffer}) is {}, expected {}", rows.dtype.name(), names.join(" or ")));
        }
        self.touch(buffer, usage);
        Ok(rows)
    }

    fn size(&self) -> Result<SpaceSize> {
        match self.space.and_then(|space| self.declared.spaces.get(space)) {
            Some(size) => Ok(*size),
            None => wrong("the region has no space"),
        }
    }

    /// The last access may be the same buffer as the step's output.
    fn allow_in_place(&mut self) {
        if let Some(last) = self.accesses.last_mut() {
            last.in_place = true;
        }
    }

    /// A raw weight of `len` elements.
    fn constant(&self, name: &str, weight: usize, dtype: DType, len: usize) -> Result<()> {
        let tensor = self.weights.tensor(weight).map_err(|error| error.at(name))?;
        let actual = tensor.bytes.len() / tensor.dtype.size();
        if tensor.dtype != dtype || actual != len {
            let (got, want) = (tensor.dtype.name(), dtype.name());
            return wrong(format!("{name} (weight {weight}) is {got} with {actual} elements, expected {want} with {len}"));
        }
        Ok(())
    }

    /// Checks one step and turns it into what the executor runs.
    ///
    /// # Errors
    /// E_IR naming the operand, what was expected and what came.
    pub fn check(&mut self, step: &Step) -> Result<Op> {
        match *step {
            Step::TokenMap { space, mask, masked_bias } => self.token_map(space, mask, masked_bias),
            Step::Embed { y, ids, word, position, types, type_table } => self.embed(y, ids, word, position, types, type_table),
            Step::FromRows { x, y } => {
                let y = self.panels("y", y, Use::WriteOwn, &[F32])?;
                let x = self.rows("x", x, Use::ReadAll, &[F32])?;
                self.same_matrix(&x, &y)?;
                Ok(Op::FromRows { x, y })
            }
            Step::ToRows { x, y } => {
                let x = self.panels("x", x, Use::ReadOwn, &[F32])?;
                let y = self.rows("y", y, Use::WriteAll, &[F32])?;
                self.same_matrix(&y, &x)?;
                Ok(Op::ToRows { x, y })
            }
            Step::Linear { weight, x, y, bias, residual, act } => {
                let matrix = self.weights.linear_f32(weight)?;
                let x = self.panels("x", x, Use::ReadOwn, &[F32])?;
                let y_buffer = y;
                let y = self.panels("y", y, Use::WriteOwn, &[F32])?;
                self.features("x", &x, matrix.inputs())?;
                self.features("y", &y, matrix.rows())?;
                if let Some(bias) = bias {
                    self.constant("bias", bias, F32, matrix.rows())?;
                }
                let residual = self.residual(residual, y_buffer, &y)?;
                Ok(Op::Linear { weight, x, y, bias, residual, act })
            }
            Step::LinearI8 { .. } => self.linear_i8(step),
            Step::LinearBf16 { weight, x, y, bias, residual, act } => {
                let matrix = self.weights.linear_bf16(weight)?;
                let x = self.panels("x", x, Use::ReadOwn, &[Bf16])?;
                let y_buffer = y;
                let y = self.panels("y", y, Use::WriteOwn, &[F32, Bf16])?;
                self.features("x", &x, matrix.k())?;
                self.features("y", &y, matrix.m())?;
                if let Some(bias) = bias {
                    self.constant("bias", bias, F32, matrix.m())?;
                }
                let residual = self.residual(residual, y_buffer, &y)?;
                Ok(Op::LinearBf16 { weight, x, y, bias, residual, act })
            }
            Step::LayerNorm { x, y, gamma, beta, epsilon, quantized, code, multipliers } => {
                let (x, y) = match y {
                    None => (self.panels("x", x, Use::WriteOwn, &[F32, Bf16])?, None),
                    Some(y) => (self.panels("x", x, Use::ReadOwn, &[F32])?, Some(self.panels("y", y, Use::WriteOwn, &[Bf16])?)),
                };
                if let Some(y) = &y {
                    self.features("y", y, x.features)?;
                }
                self.constant("gamma", gamma, F32, x.features)?;
                self.constant("beta", beta, F32, x.features)?;
                if !(epsilon.is_finite() && epsilon >= 0.0) {
                    return wrong(format!("epsilon is {epsilon}, expected a number that is not negative"));
                }
                let quantized = match (quantized, code) {
                    (Some(buffer), Some(code)) => {
                        let codes = self.panels("quantized", buffer, Use::WriteOwn, &[U8, S8])?;
                        self.features("quantized", &codes, x.features)?;
                        if let Some(multipliers) = multipliers {
                            self.constant("multipliers", multipliers, F32, x.features)?;
                        }
                        Some(NormCodesOp { codes, code: checked(code)?, multipliers })
                    }
                    (None, None) if multipliers.is_none() => None,
                    _ => return wrong("quantized and code go together, and multipliers with them"),
                };
                Ok(Op::LayerNorm { x, y, gamma, beta, epsilon, quantized })
            }
            Step::Quantize { x, y, code } => {
                let x = self.panels("x", x, Use::ReadOwn, &[F32])?;
                let y = self.panels("y", y, Use::WriteOwn, &[U8, S8])?;
                self.features("y", &y, x.features)?;
                Ok(Op::Quantize { x, y, code: checked(code)? })
            }
            Step::QuantizeTokens { x, y, step, zero, form } => {
                let x = self.panels("x", x, Use::ReadOwn, &[F32, Bf16])?;
                let y = self.panels("y", y, Use::WriteOwn, &[U8])?;
                let step = self.panels("step", step, Use::WriteOwn, &[F32])?;
                let zero = self.panels("zero", zero, Use::WriteOwn, &[F32])?;
                self.features("y", &y, x.features)?;
                self.features("step", &step, 1)?;
                self.features("zero", &zero, 1)?;
                Ok(Op::QuantizeTokens { x, y, step, zero, form })
            }
            Step::Dequantize { x, y, code, bias } => {
                let x = self.panels("x", x, Use::ReadOwn, &[U8, S8])?;
                let y = self.panels("y", y, Use::WriteOwn, &[F32])?;
                self.features("y", &y, x.features)?;
                if let Some(bias) = bias {
                    self.constant("bias", bias, F32, x.features)?;
                }
                Ok(Op::Dequantize { x, y, code: invertible(code)?, bias })
            }
            Step::Narrow { x, y } => {
                let x = self.panels("x", x, Use::ReadOwn, &[F32])?;
                let y = self.panels("y", y, Use::WriteOwn, &[Bf16])?;
                self.features("y", &y, x.features)?;
                Ok(Op::Narrow { x, y })
            }
            Step::Widen { x, y } => {
                let x = self.panels("x", x, Use::ReadOwn, &[Bf16])?;
                let y = self.panels("y", y, Use::WriteOwn, &[F32])?;
                self.features("y", &y, x.features)?;
                Ok(Op::Widen { x, y })
            }
            Step::Attention { q, k, v, y, heads, scale, scores, probabilities } => {
                let [q, k, v, y] = self.attention([q, k, v, y], heads, [F32; 4])?;
                let (scores, probabilities) = (scores.map(invertible).transpose()?, probabilities.map(invertible).transpose()?);
                Ok(Op::Attention { q, k, v, y, heads, scale: finite("scale", scale)?, scores, probabilities })
            }
            Step::AttentionI8 { q, k, v, y, heads, scale, out_scale, zero } => {
                let [q, k, v, y] = self.attention([q, k, v, y], heads, [U8, S8, S8, U8])?;
                let (scale, out_scale) = (finite("scale", scale)?, finite("out_scale", out_scale)?);
                if scale < 0.0 || !(0..=255).contains(&zero) || !(q.features / heads).is_multiple_of(4) || q.features / heads > MAX_HEAD_DIM
                {
                    return wrong(format!(
                        "int8 attention needs a scale that is not negative, a u8 zero point and heads of a multiple of 4 up to \
                         {MAX_HEAD_DIM} features, got {scale}, {zero} and {}",
                        q.features / heads
                    ));
                }
                Ok(Op::AttentionI8 { q, k, v, y, heads, scale, out_scale, zero })
            }
            Step::Activate { x, y, act } => {
                let y = self.panels("y", y, Use::WriteOwn, &[F32])?;
                let x = self.panels("x", x, Use::ReadOwn, &[F32])?;
                self.allow_in_place();
                self.features("x", &x, y.features)?;
                Ok(Op::Activate { x, y, act })
            }
            Step::AddPanels { a, b, y } => {
                let y = self.panels("y", y, Use::WriteOwn, &[F32])?;
                let a = self.panels("a", a, Use::ReadOwn, &[F32])?;
                self.allow_in_place();
                let b = self.panels("b", b, Use::ReadOwn, &[F32])?;
                self.allow_in_place();
                self.features("a", &a, y.features)?;
                self.features("b", &b, y.features)?;
                Ok(Op::AddPanels { a, b, y })
            }
            Step::Generic { ref kind, ref x, ref y, ref attrs } => self.generic(kind, x, y, attrs),
        }
    }

    fn token_map(&mut self, space: usize, mask: Option<Buf>, masked_bias: f32) -> Result<Op> {
        let Some(size) = self.declared.spaces.get(space).copied() else {
            return wrong(format!("space {space} does not exist"));
        };
        if !size.tokens {
            return wrong(format!("space {space} has rows, not tokens"));
        }
        let mask = match mask {
            Some(mask) => {
                let mask = self.rows("mask", mask, Use::ReadAll, &[S64, S32, F32, DType::Bool])?;
                if mask.len != size.rows {
                    return wrong(format!("mask has {} elements, the space {}", mask.len, size.rows));
                }
                Some(mask)
            }
            None => None,
        };
        if masked_bias.is_nan() {
            return wrong("masked_bias is not a number");
        }
        Ok(Op::TokenMap { space, mask, masked_bias })
    }

    fn embed(&mut self, y: Buf, ids: Buf, word: Buf, position: Option<Buf>, types: Option<Buf>, type_table: Option<Buf>) -> Result<Op> {
        let size = self.size()?;
        let y = self.panels("y", y, Use::WriteOwn, &[F32])?;
        let ids = self.ids("ids", ids, size)?;
        let word = self.table("word", word, &y)?;
        let position = position.map(|table| self.table("position", table, &y)).transpose()?;
        if let Some(position) = &position
            && position.dims[0] < size.seq
        {
            return wrong(format!("position has {} rows, sequences have {} tokens", position.dims[0], size.seq));
        }
        let types = match (types, type_table) {
            (Some(types), Some(table)) => Some((self.ids("types", types, size)?, self.table("type_table", table, &y)?)),
            (None, None) => None,
            _ => return wrong("types and type_table go together"),
        };
        if let Some((types, _)) = &types
            && types.dtype != ids.dtype
        {
            return wrong("ids and types have different dtypes");
        }
        Ok(Op::Embed { y, ids, word, position, types })
    }

    fn ids(&mut self, name: &str, buffer: Buf, size: SpaceSize) -> Result<Rows> {
        let ids = self.rows(name, buffer, Use::ReadAll, &[S64, S32])?;
        if ids.len != size.rows {
            return wrong(format!("{name} has {} elements, the space {} rows", ids.len, size.rows));
        }
        Ok(ids)
    }

    fn table(&mut self, name: &str, buffer: Buf, y: &Panels) -> Result<Rows> {
        let table = self.rows(name, buffer, Use::ReadAll, &[F32, U8])?;
        let width = y.features + if table.dtype == U8 { STEP_BYTES } else { 0 };
        if table.dims.len() != 2 || table.dims[1] != width {
            return wrong(format!("{name} has dims {:?}, expected [rows, {width}]", table.dims));
        }
        Ok(table)
    }

    fn same_matrix(&self, rows: &Rows, panels: &Panels) -> Result<()> {
        let expected = product(&[self.size()?.rows, panels.features]);
        if expected != Some(rows.len) {
            return wrong(format!(
                "the matrix has {} elements, the panels {} features of {} rows",
                rows.len,
                panels.features,
                self.size()?.rows
            ));
        }
        Ok(())
    }

    fn features(&self, name: &str, panels: &Panels, expected: usize) -> Result<()> {
        if panels.features == expected {
            return Ok(());
        }
        wrong(format!("{name} has {} features, expected {expected}", panels.features))
    }

    fn residual(&mut self, residual: Option<ResidualRef>, y_buffer: Buf, y: &Panels) -> Result<ResidualOp> {
        match residual {
            None => Ok(ResidualOp::None),
            Some(ResidualRef::InPlace) if !matches!(y.dtype, F32 | Bf16) => wrong("a residual in place needs an f32 or bf16 output"),
            Some(ResidualRef::InPlace) => Ok(ResidualOp::InPlace),
            Some(ResidualRef::Buffer(buffer)) if buffer == y_buffer => wrong("a residual that is the output must be in_place"),
            Some(ResidualRef::Buffer(buffer)) => {
                let dtypes: &[DType] = if y.dtype == Bf16 { &[F32, Bf16] } else { &[F32] };
                let panels = self.panels("residual", buffer, Use::ReadOwn, dtypes)?;
                self.features("residual", &panels, y.features)?;
                Ok(ResidualOp::Panels(panels))
            }
        }
    }

    fn linear_i8(&mut self, step: &Step) -> Result<Op> {
        let Step::LinearI8 { weight, x, y, init, mul, add, residual, act, code, table, tokens } = *step else {
            return wrong("not a linear_i8 step");
        };
        let matrix = self.weights.linear_i8(weight)?;
        let x = self.panels("x", x, Use::ReadOwn, &[U8])?;
        let y_buffer = y;
        let y = self.panels("y", y, Use::WriteOwn, &[F32, Bf16, U8, S8])?;
        self.features("x", &x, matrix.k())?;
        self.features("y", &y, matrix.m())?;
        self.constant("init", init, S32, matrix.m())?;
        self.constant("mul", mul, F32, matrix.m())?;
        self.constant("add", add, F32, matrix.m())?;
        if let Some(table) = table {
            self.constant("table", table, U8, 256)?;
            if act != Activation::None || code.is_some() || matches!(y.dtype, F32 | Bf16) {
                return wrong("a table gives 8-bit codes and replaces activation and code");
            }
        }
        let coded = !matches!(y.dtype, F32 | Bf16) && act != Activation::None;
        if coded != code.is_some() {
            return wrong("a code is needed for an activation before an 8-bit output, and only there");
        }
        let residual = self.residual(residual, y_buffer, &y)?;
        let code = code.map(checked).transpose()?;
        let tokens = tokens.map(|tokens| self.tokens(tokens, &y, matrix.m())).transpose()?;
        Ok(Op::LinearI8 { weight, x, y, init, mul, add, residual, act, code, table, tokens })
    }

    fn tokens(&mut self, TokensRef { step, zero, sums }: TokensRef, y: &Panels, rows: usize) -> Result<TokensOp> {
        if !matches!(y.dtype, F32 | Bf16) {
            return wrong("an input coded token by token gives f32 or bf16");
        }
        self.constant("sums", sums, S32, rows)?;
        let step = self.panels("step", step, Use::ReadOwn, &[F32])?;
        let zero = self.panels("zero", zero, Use::ReadOwn, &[F32])?;
        self.features("step", &step, 1)?;
        self.features("zero", &zero, 1)?;
        Ok(TokensOp { step, zero, sums })
    }

    fn attention(&mut self, [q, k, v, y]: [Buf; 4], heads: usize, dtypes: [DType; 4]) -> Result<[Panels; 4]> {
        let q = self.panels("q", q, Use::ReadOwn, &dtypes[..1])?;
        let k = self.panels("k", k, Use::ReadAll, &dtypes[1..2])?;
        let v = self.panels("v", v, Use::ReadAll, &dtypes[2..3])?;
        let y = self.panels("y", y, Use::WriteOwn, &dtypes[3..])?;
        if heads == 0 || !q.features.is_multiple_of(heads) {
            return wrong(format!("{} features cannot be divided among {heads} heads", q.features));
        }
        for (name, panels) in [("k", &k), ("v", &v), ("y", &y)] {
            self.features(name, panels, q.features)?;
        }
        Ok([q, k, v, y])
    }

    fn generic(&mut self, kind: &str, x: &[Option<Buf>], y: &[Buf], attrs: &serde_json::Map<String, serde_json::Value>) -> Result<Op> {
        if x.len() + y.len() > MAX_OPERANDS {
            return Err(RuntimeError::limit(format!("{kind}: more than {MAX_OPERANDS} operands")));
        }
        let x = x.iter().map(|buffer| buffer.map(|buffer| self.rows("x", buffer, Use::ReadAll, &[])).transpose());
        let x: Vec<Option<Rows>> = x.collect::<Result<_>>()?;
        let y = y.iter().map(|&buffer| self.rows("y", buffer, Use::WriteAll, &[]));
        let y: Vec<Rows> = y.collect::<Result<_>>()?;
        let spec = |rows: &Rows| TensorSpec { dtype: rows.dtype, dims: rows.dims.clone() };
        let specs: Vec<_> = x.iter().map(|rows| rows.as_ref().map(spec)).collect();
        let outputs: Vec<_> = y.iter().map(spec).collect();
        let op = generic::check(kind, attrs, &specs, &outputs).map_err(|reason| RuntimeError::program(format!("{kind}: {reason}")))?;
        Ok(Op::Generic { op, kind: kind.to_owned(), x, y })
    }
}

fn finite(name: &str, value: f32) -> Result<f32> {
    if value.is_finite() { Ok(value) } else { wrong(format!("{name} is {value}, expected a finite number")) }
}

fn checked(code: Code) -> Result<Code> {
    finite("scale of the code", code.scale)?;
    if !(-255..=255).contains(&code.zero) {
        return wrong(format!("zero point {} is outside -255..255", code.zero));
    }
    Ok(code)
}

/// A code whose values are wanted back.
fn invertible(code: Code) -> Result<Code> {
    if code.scale == 0.0 { wrong("a code of scale 0 cannot be undone") } else { checked(code) }
}
