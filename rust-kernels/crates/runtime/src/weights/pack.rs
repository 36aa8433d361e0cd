//! Sources to packed pieces, in the order of the specs.

use super::spec::{Format, Kind, Order, Section, Spec};
use crate::bytes::{self, Plain};
use crate::error::{ErrorCode, Result, RuntimeError};
use crate::shape::{element_count, tensor_bytes};
use neural_engine_kernels::linear_bf16::{DenseBf16, Sparse4x1Bf16};
use neural_engine_kernels::linear_f32::{DenseF32, Sparse4x1F32};
use neural_engine_kernels::linear_i8::{Compressed4x1U8S8, DenseU8S8, Sparse4x1U8S8, TiledU8S8};
use std::borrow::Cow;

/// Alignment of every section.
pub const LINE: usize = 64;

/// Receives packed bytes, section after section.
pub trait Sink<'a> {
    /// Takes the bytes of the next section; the sink pads it to a multiple of [`LINE`].
    fn put(&mut self, bytes: Cow<'a, [u8]>) -> Result<()>;
}

/// Packs every spec into `sink` and returns the table. Offsets start at `first`.
///
/// # Errors
/// E_USAGE when a source does not hold what its spec says, E_LIMIT for sizes that do not fit, E_IR and E_SPARSE from packing.
pub fn pack<'a>(specs: &[Spec], buffers: &[&'a [u8]], first: usize, sink: &mut dyn Sink<'a>) -> Result<Vec<Section>> {
    let mut offset = first;
    let mut sections = Vec::with_capacity(specs.len());
    for (index, spec) in specs.iter().enumerate() {
        let (what, packed) = pack_one(spec, buffers).map_err(|error| error.at(format_args!("weight {index}")))?;
        let bytes = packed.len();
        sink.put(packed)?;
        sections.push(Section { what, offset, bytes });
        offset += bytes.next_multiple_of(LINE);
    }
    Ok(sections)
}

fn pack_one<'a>(spec: &Spec, buffers: &[&'a [u8]]) -> Result<(Kind, Cow<'a, [u8]>)> {
    let source = |buffer: usize| {
        let missing = || RuntimeError::new(ErrorCode::Usage, format!("buffer {buffer} does not exist, there are {}", buffers.len()));
        buffers.get(buffer).copied().ok_or_else(missing)
    };
    match *spec {
        Spec::Tensor { dtype, ref dims, buffer } => {
            let source = source(buffer)?;
            expect_bytes(source, tensor_bytes(dtype, dims)?)?;
            Ok((Kind::Tensor { dtype, dims: dims.clone() }, Cow::Borrowed(source)))
        }
        Spec::LinearF32 { format, m, k, order, buffer } => {
            let matrix = matrix::<f32>(source(buffer)?, m, k, order)?;
            let packed = match format {
                Format::Dense => DenseF32::pack(m, k, &matrix),
                Format::Sparse4x1 => Sparse4x1F32::pack(m, k, &matrix),
                Format::Tiled | Format::Compressed4x1 => return Err(not_for_tiles()),
            };
            Ok((Kind::LinearF32 { format, m, k }, Cow::Owned(packed)))
        }
        Spec::LinearU8s8 { format, m, k, order, buffer } => {
            let matrix = matrix::<i8>(source(buffer)?, m, k, order)?;
            Ok((Kind::LinearU8s8 { format, m, k }, Cow::Owned(pack_u8s8(format, m, k, &matrix)?)))
        }
        Spec::LinearBf16 { format, m, k, order, buffer } => {
            let matrix = matrix::<u16>(source(buffer)?, m, k, order)?;
            let packed = match format {
                Format::Dense => DenseBf16::pack(m, k, &matrix)?,
                Format::Sparse4x1 => Sparse4x1Bf16::pack(m, k, &matrix)?,
                Format::Tiled | Format::Compressed4x1 => return Err(not_for_tiles()),
            };
            Ok((Kind::LinearBf16 { format, m, k }, Cow::Owned(packed)))
        }
    }
}

/// An s8 weight `[m][k]` in a format.
///
/// # Errors
/// E_IR, E_SPARSE a shape that the format cannot hold.
pub(crate) fn pack_u8s8(format: Format, m: usize, k: usize, weight: &[i8]) -> Result<Vec<u8>> {
    Ok(match format {
        Format::Dense => DenseU8S8::pack(m, k, weight)?,
        Format::Sparse4x1 => Sparse4x1U8S8::pack(m, k, weight)?,
        Format::Tiled => TiledU8S8::pack(m, k, weight)?,
        Format::Compressed4x1 => Compressed4x1U8S8::pack(m, k, weight)?,
    })
}

fn not_for_tiles() -> RuntimeError {
    RuntimeError::new(ErrorCode::Usage, "only 8-bit weights are packed for tiles")
}

fn expect_bytes(source: &[u8], expected: usize) -> Result<()> {
    if source.len() == expected {
        return Ok(());
    }
    Err(RuntimeError::new(ErrorCode::Usage, format!("its dims need {expected} bytes, the source has {}", source.len())))
}

/// The source as `[m][k]`, transposed where it lies the other way.
fn matrix<T: Plain>(source: &[u8], m: usize, k: usize, order: Order) -> Result<Cow<'_, [T]>> {
    if m == 0 || k == 0 {
        return Err(RuntimeError::new(ErrorCode::Usage, format!("a {m}x{k} matrix has no rows or no inputs")));
    }
    let count = element_count(&[m, k])?;
    let bytes = count.checked_mul(size_of::<T>()).ok_or_else(|| RuntimeError::limit(format!("{m}x{k} has too many bytes")))?;
    expect_bytes(source, bytes)?;
    let misaligned = || RuntimeError::new(ErrorCode::Usage, "the source is not aligned for its elements");
    let source = bytes::view::<T>(source).ok_or_else(misaligned)?;
    match order {
        Order::Mk => Ok(Cow::Borrowed(source)),
        Order::Km => {
            let mut turned = Vec::new();
            turned.try_reserve_exact(count).map_err(|_| RuntimeError::limit(format!("no memory for a {m}x{k} matrix")))?;
            turned.resize(count, T::default());
            // Square tiles keep both sides in the cache.
            const TILE: usize = 32;
            for k0 in (0..k).step_by(TILE) {
                for m0 in (0..m).step_by(TILE) {
                    for (row, line) in (k0..k.min(k0 + TILE)).map(|row| (row, &source[row * m..(row + 1) * m])) {
                        for column in m0..m.min(m0 + TILE) {
                            turned[column * k + row] = line[column];
                        }
                    }
                }
            }
            Ok(Cow::Owned(turned))
        }
    }
}
