//! Packed weights that programs refer to by index.

use super::digest::Digest;
use super::pack::{LINE, Sink, pack};
use super::spec::{Format, Kind, Section, Spec};
use crate::bytes;
use crate::error::{ErrorCode, Result, RuntimeError};
use crate::program::DType;
use crate::shape::tensor_bytes;
use crate::sys::memory::Memory;
use memmap2::Mmap;
use neural_engine_isa::{Isa, Tier};
use neural_engine_kernels::Activation;
use neural_engine_kernels::linear_bf16::{DenseBf16, LinearBf16, Sparse4x1Bf16, WeightBf16};
use neural_engine_kernels::linear_f32::{DenseF32, Sparse4x1F32, WeightF32};
use neural_engine_kernels::linear_i8::{Compressed4x1U8S8, DenseU8S8, LinearI8, Sparse4x1U8S8, TiledU8S8, WeightI8};
use std::borrow::Cow;

/// Where the packed bytes are. They never move and never change while the set lives.
#[derive(Debug)]
pub enum Blob {
    /// A read-only mapping of a packed file. Truncating the file while it is mapped is outside what can be survived.
    File(Mmap),
    /// Private memory.
    Memory(Memory),
}

impl Blob {
    /// All bytes, from offset 0.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Blob::File(map) => map,
            Blob::Memory(memory) => memory.bytes(),
        }
    }
}

/// One validated entry. The lifetime is a promise of [`WeightSet`]: views point into its blob and are handed out for its life only.
#[derive(Debug)]
enum View {
    Tensor,
    F32(WeightF32<'static>),
    I8(WeightI8<'static>),
    Bf16(WeightBf16<'static>),
}

/// A raw constant of a weight set.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// Element type.
    pub dtype: DType,
    /// Dimensions.
    pub dims: &'a [usize],
    /// Row-major little-endian elements, aligned to 64 bytes.
    pub bytes: &'a [u8],
}

impl<'a> TensorView<'a> {
    /// The elements as `T`, where the width fits.
    pub fn elements<T: bytes::Plain>(&self) -> Option<&'a [T]> {
        bytes::view(self.bytes)
    }
}

/// Immutable packed weights, shared by every program and session.
#[derive(Debug)]
pub struct WeightSet {
    views: Vec<View>,
    sections: Vec<Section>,
    meta: String,
    blob: Blob,
}

impl WeightSet {
    /// Packs into private memory.
    ///
    /// # Errors
    /// As [`pack`]; E_LIMIT when memory is short.
    pub fn in_memory(specs: &[Spec], buffers: &[&[u8]], meta: String) -> Result<WeightSet> {
        let mut pieces = Pieces::default();
        let sections = pack(specs, buffers, 0, &mut pieces)?;
        let mut memory = Memory::new(pieces.total, true)?;
        let mut rest = memory.bytes_mut();
        for piece in pieces.list {
            let (place, after) = rest.split_at_mut(piece.len().next_multiple_of(LINE));
            place[..piece.len()].copy_from_slice(&piece);
            rest = after;
        }
        WeightSet::new(Blob::Memory(memory), sections, 0, meta)
    }

    /// Validates every section of `blob` once. Sections must lie one behind the other from `first`, each padded to 64 bytes.
    ///
    /// # Errors
    /// E_IR_MISMATCH when the table does not describe the blob, E_SPARSE when a sparse weight breaks its format.
    pub(super) fn new(blob: Blob, sections: Vec<Section>, first: usize, meta: String) -> Result<WeightSet> {
        let damaged = |text: String| RuntimeError::new(ErrorCode::IrMismatch, text);
        let mut views = Vec::with_capacity(sections.len());
        let mut next = first;
        for (index, section) in sections.iter().enumerate() {
            let place = || format!("weight {index} ({})", section.what.describe());
            let end = section.offset.checked_add(section.bytes).filter(|&end| end <= blob.bytes().len());
            if section.offset != next || end.is_none() {
                return Err(damaged(format!(
                    "{}: {} bytes at {} do not follow {next} within {} bytes",
                    place(),
                    section.bytes,
                    section.offset,
                    blob.bytes().len()
                )));
            }
            next = (section.offset + section.bytes).next_multiple_of(LINE);
            // SAFETY: the range was checked above. The blob's bytes neither move nor change while it lives, the set owns it, and
            // views leave the set only with the lifetime of a borrow of it.
            let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(blob.bytes().as_ptr().add(section.offset), section.bytes) };
            views.push(view(&section.what, bytes).map_err(|error| error.at(place()))?);
        }
        Ok(WeightSet { views, sections, meta, blob })
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// What entries are and where they lie.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The caller's text.
    pub fn meta(&self) -> &str {
        &self.meta
    }

    /// Bytes of the blob.
    pub fn size_bytes(&self) -> usize {
        self.blob.bytes().len()
    }

    /// Whether the bytes are a shared mapping of a file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.blob, Blob::File(_))
    }

    /// The kernel that `isa` selects for entry `index`, for reports; `None` for a constant.
    pub fn kernel(&self, index: usize, isa: Isa) -> Option<String> {
        match *self.views.get(index)? {
            View::Tensor => None,
            View::I8(weight) => {
                let linear = LinearI8 { weight, init: &[], mul: &[], add: &[], act: Activation::None, code: None, table: None, sums: None };
                Some(linear.kernel(isa).to_owned())
            }
            View::Bf16(weight) => Some(LinearBf16 { weight, bias: None, act: Activation::None }.kernel(isa).to_owned()),
            View::F32(weight) => {
                let form = if matches!(weight, WeightF32::Sparse(_)) { "spmm_f32_4x1" } else { "dense_f32" };
                // Floats gain nothing from VNNI.
                let tier = match isa.tier() {
                    Tier::Avx512Vnni | Tier::Amx => "avx512",
                    tier => tier.name(),
                };
                Some(format!("{form}_{tier}"))
            }
        }
    }

    /// Entry `index` as a constant.
    ///
    /// # Errors
    /// E_IR when there is no such entry or it is a matrix.
    pub fn tensor(&self, index: usize) -> Result<TensorView<'_>> {
        match (self.views.get(index), self.sections.get(index)) {
            (Some(View::Tensor), Some(Section { what: Kind::Tensor { dtype, dims }, offset, bytes })) => {
                Ok(TensorView { dtype: *dtype, dims, bytes: &self.blob.bytes()[*offset..*offset + *bytes] })
            }
            _ => Err(self.not(index, "tensor")),
        }
    }

    /// Entry `index` as an f32 matrix.
    ///
    /// # Errors
    /// E_IR when there is no such entry or it is something else.
    pub fn linear_f32(&self, index: usize) -> Result<WeightF32<'_>> {
        match self.views.get(index) {
            Some(View::F32(weight)) => Ok(*weight),
            _ => Err(self.not(index, "linear_f32")),
        }
    }

    /// Entry `index` as an s8 matrix.
    ///
    /// # Errors
    /// E_IR when there is no such entry or it is something else.
    pub fn linear_i8(&self, index: usize) -> Result<WeightI8<'_>> {
        match self.views.get(index) {
            Some(View::I8(weight)) => Ok(*weight),
            _ => Err(self.not(index, "linear_u8s8")),
        }
    }

    /// Entry `index` as a bf16 matrix.
    ///
    /// # Errors
    /// E_IR when there is no such entry or it is something else.
    pub fn linear_bf16(&self, index: usize) -> Result<WeightBf16<'_>> {
        match self.views.get(index) {
            Some(View::Bf16(weight)) => Ok(*weight),
            _ => Err(self.not(index, "linear_bf16")),
        }
    }

    fn not(&self, index: usize, wanted: &str) -> RuntimeError {
        RuntimeError::program(match self.sections.get(index) {
            Some(section) => format!("weight {index} is {}, expected {wanted}", section.what.describe()),
            None => format!("weight {index} does not exist, there are {}", self.len()),
        })
    }
}

fn view(what: &Kind, bytes: &'static [u8]) -> Result<View> {
    Ok(match *what {
        Kind::Tensor { dtype, ref dims } => {
            let expected = tensor_bytes(dtype, dims)?;
            if bytes.len() != expected {
                let text = format!("its dims need {expected} bytes, the table says {}", bytes.len());
                return Err(RuntimeError::new(ErrorCode::IrMismatch, text));
            }
            View::Tensor
        }
        Kind::LinearF32 { format: Format::Dense, m, k } => View::F32(WeightF32::Dense(DenseF32::view(m, k, bytes)?)),
        Kind::LinearF32 { format: Format::Sparse4x1, m, k } => View::F32(WeightF32::Sparse(Sparse4x1F32::view(m, k, bytes)?)),
        Kind::LinearU8s8 { format, m, k } => View::I8(view_u8s8(format, m, k, bytes)?),
        Kind::LinearBf16 { format: Format::Dense, m, k } => View::Bf16(WeightBf16::Dense(DenseBf16::view(m, k, bytes)?)),
        Kind::LinearBf16 { format: Format::Sparse4x1, m, k } => View::Bf16(WeightBf16::Sparse(Sparse4x1Bf16::view(m, k, bytes)?)),
        Kind::LinearF32 { format: Format::Tiled | Format::Compressed4x1, .. }
        | Kind::LinearBf16 { format: Format::Tiled | Format::Compressed4x1, .. } => {
            return Err(RuntimeError::new(ErrorCode::IrMismatch, "only 8-bit weights are packed for tiles"));
        }
    })
}

/// What [`pack_u8s8`](super::pack::pack_u8s8) made, checked.
///
/// # Errors
/// E_SPARSE, E_IR what is wrong with the bytes.
pub(crate) fn view_u8s8(format: Format, m: usize, k: usize, bytes: &[u8]) -> Result<WeightI8<'_>> {
    Ok(match format {
        Format::Dense => WeightI8::Dense(DenseU8S8::view(m, k, bytes)?),
        Format::Sparse4x1 => WeightI8::Sparse(Sparse4x1U8S8::view(m, k, bytes)?),
        Format::Tiled => WeightI8::Tiled(TiledU8S8::view(m, k, bytes)?),
        Format::Compressed4x1 => WeightI8::Compressed(Compressed4x1U8S8::view(m, k, bytes)?),
    })
}

/// Sections kept until their total is known. Constants stay borrowed.
#[derive(Default)]
struct Pieces<'a> {
    list: Vec<Cow<'a, [u8]>>,
    total: usize,
}

impl<'a> Sink<'a> for Pieces<'a> {
    fn put(&mut self, bytes: Cow<'a, [u8]>) -> Result<()> {
        self.total += bytes.len().next_multiple_of(LINE);
        self.list.push(bytes);
        Ok(())
    }
}

/// The checksum of all sections of a blob.
pub(super) fn digest_of(data: &[u8]) -> u64 {
    let mut digest = Digest::default();
    digest.update(data);
    digest.finish()
}
