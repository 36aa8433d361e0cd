//! Typed arrays: their memory, as the engine itself reads it from V8 (a subclass or proxy cannot lie about it).

use crate::error::{Result, node, usage};
use napi::bindgen_prelude::{Array, JsValue, Unknown};
use napi::sys;
use neural_engine_runtime::program::DType;
use std::ptr::null_mut;

/// The memory of one typed array, valid until JavaScript runs again.
#[derive(Clone, Copy)]
pub struct Typed {
    /// What JavaScript calls it.
    pub kind: Kind,
    data: *mut u8,
    /// Bytes.
    pub bytes: usize,
}

/// The types of typed arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Float32,
    Float64,
    BigInt64,
    BigUint64,
}

impl Kind {
    /// The constructor's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Int8 => "Int8Array",
            Kind::Uint8 => "Uint8Array",
            Kind::Int16 => "Int16Array",
            Kind::Uint16 => "Uint16Array",
            Kind::Int32 => "Int32Array",
            Kind::Uint32 => "Uint32Array",
            Kind::Float32 => "Float32Array",
            Kind::Float64 => "Float64Array",
            Kind::BigInt64 => "BigInt64Array",
            Kind::BigUint64 => "BigUint64Array",
        }
    }

    /// The type that holds elements of `dtype`: f16 and bf16 are raw 16-bit patterns, bool is one byte.
    pub fn of(dtype: DType) -> Kind {
        match dtype {
            DType::F32 => Kind::Float32,
            DType::F64 => Kind::Float64,
            DType::F16 | DType::Bf16 | DType::U16 => Kind::Uint16,
            DType::U8 | DType::Bool => Kind::Uint8,
            DType::S8 => Kind::Int8,
            DType::S16 => Kind::Int16,
            DType::U32 => Kind::Uint32,
            DType::S32 => Kind::Int32,
            DType::U64 => Kind::BigUint64,
            DType::S64 => Kind::BigInt64,
        }
    }

    fn element(self) -> usize {
        match self {
            Kind::Int8 | Kind::Uint8 => 1,
            Kind::Int16 | Kind::Uint16 => 2,
            Kind::Int32 | Kind::Uint32 | Kind::Float32 => 4,
            Kind::Float64 | Kind::BigInt64 | Kind::BigUint64 => 8,
        }
    }

    fn from_raw(raw: sys::napi_typedarray_type) -> Option<Kind> {
        use sys::TypedarrayType as T;
        Some(match raw {
            T::int8_array => Kind::Int8,
            T::uint8_array | T::uint8_clamped_array => Kind::Uint8,
            T::int16_array => Kind::Int16,
            T::uint16_array => Kind::Uint16,
            T::int32_array => Kind::Int32,
            T::uint32_array => Kind::Uint32,
            T::float32_array => Kind::Float32,
            T::float64_array => Kind::Float64,
            T::bigint64_array => Kind::BigInt64,
            T::biguint64_array => Kind::BigUint64,
            _ => return None,
        })
    }
}

impl Typed {
    /// Reads what `value` is.
    ///
    /// # Errors
    /// E_USAGE, with `name`, for anything but a typed array of a known type.
    pub fn new(value: &Unknown<'_>, name: &str) -> Result<Typed> {
        let not_one = || usage(format!("{name}: expected a typed array"));
        let (env, raw) = (value.value().env, value.raw());
        let mut is_typed = false;
        // SAFETY: both handles belong to the call that is running.
        let status = unsafe { sys::napi_is_typedarray(env, raw, &mut is_typed) };
        if status != sys::Status::napi_ok || !is_typed {
            return Err(not_one());
        }
        let (mut kind, mut length, mut data, mut buffer, mut offset) = (0, 0, null_mut(), null_mut(), 0);
        // SAFETY: as above; the value is a typed array, and the results are written to locals.
        let status = unsafe { sys::napi_get_typedarray_info(env, raw, &mut kind, &mut length, &mut data, &mut buffer, &mut offset) };
        let kind = Kind::from_raw(kind).filter(|_| status == sys::Status::napi_ok).ok_or_else(not_one)?;
        let data: *mut u8 = data.cast();
        // A detached or shrunk array has no memory.
        let bytes = if data.is_null() { 0 } else { length * kind.element() };
        Ok(Typed { kind, data, bytes })
    }

    /// Demands the type and length of `dtype` and `bytes`.
    ///
    /// # Errors
    /// E_USAGE naming both.
    pub fn expect(&self, name: &str, dtype: DType, bytes: usize) -> Result<()> {
        let kind = Kind::of(dtype);
        if self.kind != kind {
            return Err(usage(format!("{name}: expected {} for {}, got {}", kind.name(), dtype.name(), self.kind.name())));
        }
        if self.bytes != bytes {
            let (expected, actual) = (bytes / dtype.size(), self.bytes / kind.element());
            return Err(usage(format!(
                "{name}: expected {expected} elements of {}, got {actual} (detached arrays have none)",
                dtype.name()
            )));
        }
        Ok(())
    }

    /// Copies all bytes to `target` of the same length.
    pub fn copy_to(&self, target: &mut [u8]) {
        assert_eq!(self.bytes, target.len(), "lengths were compared");
        if self.bytes > 0 {
            // SAFETY: V8 gave `bytes` readable bytes, and no JavaScript has run since. Another thread may write a SharedArrayBuffer
            // meanwhile: the copy then holds old or new bytes, and only the copy is used.
            unsafe { std::ptr::copy_nonoverlapping(self.data, target.as_mut_ptr(), self.bytes) }
        }
    }

    /// Copies `source` of the same length over all bytes.
    pub fn copy_from(&self, source: &[u8]) {
        assert_eq!(self.bytes, source.len(), "lengths were compared");
        if self.bytes > 0 {
            // SAFETY: V8 gave `bytes` writable bytes, and no JavaScript has run since; `source` is native memory.
            unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), self.data, self.bytes) }
        }
    }

    /// The bytes in place.
    ///
    /// # Safety
    /// No JavaScript runs on this thread during `'a`, and no other thread writes the memory: it is not shared.
    pub unsafe fn view<'a>(&self) -> &'a [u8] {
        if self.bytes == 0 {
            return &[];
        }
        // SAFETY: V8 gave `bytes` readable bytes; the caller keeps them unchanged.
        unsafe { std::slice::from_raw_parts(self.data, self.bytes) }
    }

    /// The bytes in place, to write.
    ///
    /// # Safety
    /// As [`view`](Self::view), and nothing else refers to the memory during `'a`.
    pub unsafe fn view_mut<'a>(&self) -> &'a mut [u8] {
        if self.bytes == 0 {
            return &mut [];
        }
        // SAFETY: V8 gave `bytes` writable bytes; the caller is their only user.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.bytes) }
    }

    /// Whether two arrays have a byte in common.
    pub fn overlaps(&self, other: &Typed) -> bool {
        let (a, b) = (self.data as usize, other.data as usize);
        self.bytes > 0 && other.bytes > 0 && a < b + other.bytes && b < a + self.bytes
    }
}

/// All elements of a JavaScript array as typed arrays, named `{what} {index}` in errors.
///
/// # Errors
/// E_USAGE when there are not exactly `count`, and as [`Typed::new`].
pub fn all(array: &Array<'_>, what: &str, count: usize) -> Result<Vec<Typed>> {
    if array.len() as usize != count {
        return Err(usage(format!("expected {count} {what}s, got {}", array.len())));
    }
    let element = |index: u32| {
        let value = array.get::<Unknown<'_>>(index).map_err(node)?;
        let value = value.ok_or_else(|| usage(format!("{what} {index} is missing")))?;
        Typed::new(&value, &format!("{what} {index}"))
    };
    (0..array.len()).map(element).collect()
}
