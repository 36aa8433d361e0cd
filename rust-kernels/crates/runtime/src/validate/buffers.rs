//! Ports, spaces, constants and buffers: sizes, places and who may write where.

use crate::error::{ErrorCode, Result, RuntimeError};
use crate::program::{DType, Layout, Place, Port, Program, Space};
use crate::shape::{element_count, product, tensor_bytes};
use crate::sys::memory::Memory;
use crate::weights::WeightSet;
use neural_engine_kernels::panel::TOKENS;
use std::ops::Range;

/// Alignment of everything in memory.
pub const LINE: usize = 64;

/// Which memory a location lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The run's copy of the inputs, one behind the other.
    Inputs,
    /// The run's outputs, one behind the other.
    Outputs,
    /// Shared by the threads of a run.
    Arena,
    /// The executing thread's own.
    Scratch,
    /// Bytes of the weight set, counted from the start of its entry.
    Weight(usize),
    /// The program's own constants.
    Constants,
}

/// Where bytes are: an offset into one memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loc {
    /// Which memory.
    pub base: Base,
    /// Bytes from its start, a multiple of 64.
    pub offset: usize,
}

/// A row-major operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Where it is.
    pub loc: Loc,
    /// Element type.
    pub dtype: DType,
    /// Elements.
    pub len: usize,
    /// Dimensions.
    pub dims: Vec<usize>,
}

/// A panel operand. In scratch, panel `j` of a unit lies at `j · panel_bytes`; elsewhere panel `p` of the space at `p · panel_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panels {
    /// Where the first panel is.
    pub loc: Loc,
    /// Element type.
    pub dtype: DType,
    /// The space its panels are cut from.
    pub space: usize,
    /// Rows of a panel.
    pub features: usize,
}

impl Panels {
    /// Elements of one panel.
    pub fn panel_len(&self) -> usize {
        self.features * TOKENS
    }

    /// Bytes of one panel.
    pub fn panel_bytes(&self) -> usize {
        self.panel_len() * self.dtype.size()
    }
}

/// A buffer that fits its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// Row-major.
    Rows(Rows),
    /// Panels.
    Panels(Panels),
}

impl Operand {
    /// Where it is.
    pub fn loc(&self) -> Loc {
        match self {
            Operand::Rows(rows) => rows.loc,
            Operand::Panels(panels) => panels.loc,
        }
    }
}

/// What is known of each space before a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceSize {
    /// Rows of the matrices it is cut from.
    pub rows: usize,
    /// Rows of one sequence; `rows` where there are no sequences.
    pub seq: usize,
    /// Whether a `token_map` step fills it.
    pub tokens: bool,
    /// Whether masked tokens are left out.
    pub pack: bool,
}

impl SpaceSize {
    /// Panels it has at most.
    pub fn max_panels(&self) -> usize {
        self.rows.div_ceil(TOKENS)
    }
}

/// Bytes and place of each port in its staging memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPlace {
    /// From the start of the staging memory.
    pub offset: usize,
    /// Bytes.
    pub bytes: usize,
}

/// Everything of a program but its steps.
pub struct Declared {
    /// Sizes of the spaces.
    pub spaces: Vec<SpaceSize>,
    /// Places of the inputs.
    pub inputs: Vec<PortPlace>,
    /// Places of the outputs.
    pub outputs: Vec<PortPlace>,
    /// The buffers.
    pub operands: Vec<Operand>,
    /// Bytes of each buffer; of one panel where it is panels in scratch.
    pub bytes: Vec<usize>,
    /// The program's constants.
    pub constants: Memory,
}

/// Bytes of staging memory for these ports.
pub fn staging_bytes(ports: &[PortPlace]) -> usize {
    ports.last().map_or(0, |last| (last.offset + last.bytes).next_multiple_of(LINE))
}

/// Checks all declarations of a program.
///
/// # Errors
/// E_IR naming what does not fit, E_LIMIT for sizes beyond what can be had.
pub fn declare(program: &Program, weights: &WeightSet) -> Result<Declared> {
    let spaces =
        program.spaces.iter().enumerate().map(|(i, space)| size_of_space(space).map_err(|error| error.at(format_args!("space {i}"))));
    let spaces: Vec<SpaceSize> = spaces.collect::<Result<_>>()?;
    let inputs = places(&program.inputs, "input")?;
    let outputs = places(&program.outputs, "output")?;
    let (constants, ranges) = constants(&program.constants)?;
    let mut declared = Declared { spaces, inputs, outputs, operands: Vec::new(), bytes: Vec::new(), constants };
    for index in 0..program.buffers.len() {
        let (operand, bytes) =
            buffer(program, weights, &declared, &ranges, index).map_err(|error| error.at(format_args!("buffer {index}")))?;
        declared.operands.push(operand);
        declared.bytes.push(bytes);
    }
    Ok(declared)
}

fn size_of_space(space: &Space) -> Result<SpaceSize> {
    let (rows, seq, tokens, pack) = match *space {
        Space::Rows { count } => (Some(count), count, false, false),
        Space::Tokens { batch, seq, pack } => (product(&[batch, seq]), seq, true, pack),
    };
    // Row numbers are u32 at run time, and every panel must be countable.
    match rows.filter(|&rows| rows <= (u32::MAX >> 1) as usize) {
        Some(rows) => Ok(SpaceSize { rows, seq, tokens, pack }),
        None => Err(RuntimeError::limit("too many rows")),
    }
}

fn places(ports: &[Port], what: &str) -> Result<Vec<PortPlace>> {
    let mut offset = 0usize;
    let mut places = Vec::with_capacity(ports.len());
    for port in ports {
        let bytes = tensor_bytes(port.dtype, &port.dims).map_err(|error| error.at(format_args!("{what} {:?}", port.name)))?;
        places.push(PortPlace { offset, bytes });
        let next = offset.checked_add(bytes).and_then(|end| end.checked_next_multiple_of(LINE));
        offset = next.filter(|&end| end <= isize::MAX as usize).ok_or_else(|| RuntimeError::limit(format!("the {what}s are too large")))?;
    }
    Ok(places)
}

fn constants(texts: &[String]) -> Result<(Memory, Vec<Range<usize>>)> {
    let mut ranges = Vec::with_capacity(texts.len());
    let mut offset = 0;
    for text in texts {
        ranges.push(offset..offset + text.len() / 2);
        offset = (offset + text.len() / 2).next_multiple_of(LINE);
    }
    let mut memory = Memory::new(offset, false)?;
    for (index, (text, range)) in texts.iter().zip(&ranges).enumerate() {
        let wrong = || RuntimeError::program(format!("constant {index} is not lower-case hexadecimal bytes"));
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(wrong()),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return Err(wrong());
        }
        for (byte, [high, low]) in memory.bytes_mut()[range.clone()].iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
    }
    Ok((memory, ranges))
}

fn buffer(
    program: &Program,
    weights: &WeightSet,
    declared: &Declared,
    constants: &[Range<usize>],
    index: usize,
) -> Result<(Operand, usize)> {
    let buffer = &program.buffers[index];
    let dtype = buffer.dtype;
    let scratch = matches!(buffer.place, Place::Scratch(_));
    // What the layout asks for.
    let (bytes, dims, panels) = match &buffer.layout {
        Layout::Rows(dims) => (tensor_bytes(dtype, dims)?, Some(dims), None),
        &Layout::Panels { space, features } => {
            let Some(size) = declared.spaces.get(space) else {
                return Err(RuntimeError::program(format!("space {space} does not exist")));
            };
            if !matches!(dtype, DType::F32 | DType::Bf16 | DType::U8 | DType::S8) {
                return Err(RuntimeError::program(format!("panels hold f32, bf16, u8 or s8, not {}", dtype.name())));
            }
            if features == 0 {
                return Err(RuntimeError::program("panels need at least one feature"));
            }
            let count = if scratch { 1 } else { size.max_panels() };
            let bytes = product(&[count, features, TOKENS, dtype.size()]).ok_or_else(|| RuntimeError::limit("too many bytes"))?;
            // Even one panel of an empty space must be countable.
            product(&[features, TOKENS, dtype.size()]).ok_or_else(|| RuntimeError::limit("too many bytes"))?;
            (bytes, None, Some((space, features)))
        }
    };
    let rows_only = |what: &str| match dims {
        Some(dims) => Ok(dims.as_slice()),
        None => Err(RuntimeError::program(format!("{what} is row-major, not panels"))),
    };
    // What the place offers.
    let loc = match buffer.place {
        Place::Input(port) => {
            let offset = port_offset(&program.inputs, &declared.inputs, port, dtype, rows_only("an input")?, "input")?;
            Loc { base: Base::Inputs, offset }
        }
        Place::Output(port) => {
            let offset = port_offset(&program.outputs, &declared.outputs, port, dtype, rows_only("an output")?, "output")?;
            Loc { base: Base::Outputs, offset }
        }
        Place::Weight(weight) => {
            let tensor = weights.tensor(weight)?;
            let dims = rows_only("a weight")?;
            if tensor.dtype != dtype || element_count(tensor.dims)? != element_count(dims)? {
                return Err(RuntimeError::program(format!(
                    "weight {weight} is {} {:?}, the buffer is {} {dims:?}",
                    tensor.dtype.name(),
                    tensor.dims,
                    dtype.name()
                )));
            }
            Loc { base: Base::Weight(weight), offset: 0 }
        }
        Place::Constant(constant) => {
            rows_only("a constant")?;
            let Some(range) = constants.get(constant) else {
                return Err(RuntimeError::program(format!("constant {constant} does not exist")));
            };
            if range.len() != bytes {
                return Err(RuntimeError::program(format!("constant {constant} has {} bytes, the buffer needs {bytes}", range.len())));
            }
            Loc { base: Base::Constants, offset: range.start }
        }
        Place::Arena(offset) => Loc { base: Base::Arena, offset: fit(offset, bytes, program.arena_bytes, "arena")? },
        Place::Scratch(offset) => Loc { base: Base::Scratch, offset: fit(offset, bytes, program.scratch_bytes, "scratch")? },
    };
    let operand = match (panels, dims) {
        (Some((space, features)), _) => Operand::Panels(Panels { loc, dtype, space, features }),
        (None, dims) => {
            let dims = dims.cloned().unwrap_or_default();
            Operand::Rows(Rows { loc, dtype, len: bytes / dtype.size(), dims })
        }
    };
    Ok((operand, bytes))
}

fn port_offset(ports: &[Port], places: &[PortPlace], index: usize, dtype: DType, dims: &[usize], what: &str) -> Result<usize> {
    let (Some(port), Some(place)) = (ports.get(index), places.get(index)) else {
        return Err(RuntimeError::program(format!("{what} {index} does not exist")));
    };
    if port.dtype != dtype || element_count(&port.dims)? != element_count(dims)? {
        return Err(RuntimeError::program(format!(
            "{what} {:?} is {} {:?}, the buffer is {} {dims:?}",
            port.name,
            port.dtype.name(),
            port.dims,
            dtype.name()
        )));
    }
    Ok(place.offset)
}

/// The offset, when it is aligned and `bytes` from it stay below `size`.
fn fit(offset: u64, bytes: usize, size: u64, what: &str) -> Result<usize> {
    let fits = offset.is_multiple_of(LINE as u64) && size.checked_sub(offset).is_some_and(|rest| bytes as u64 <= rest);
    match usize::try_from(offset) {
        Ok(offset) if fits => Ok(offset),
        _ => Err(RuntimeError::new(
            ErrorCode::Ir,
            format!("{bytes} bytes at {offset} do not fit the {what} of {size} bytes on a multiple of {LINE}"),
        )),
    }
}
