//! Packed bytes seen as numbers.

use crate::error::KernelError;

/// Where packed weights must begin.
pub const ALIGNMENT: usize = 64;

/// Refuses bytes that do not lie on a 64-byte boundary.
pub(crate) fn check_aligned(name: &'static str, bytes: &[u8]) -> Result<(), KernelError> {
    if (bytes.as_ptr() as usize).is_multiple_of(ALIGNMENT) {
        return Ok(());
    }
    Err(KernelError::Invalid { name, reason: format!("must lie on a {ALIGNMENT}-byte boundary") })
}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident, $type:ty) => {
        $(#[$doc])*
        pub(crate) fn $name<'a>(name: &'static str, bytes: &'a [u8]) -> Result<&'a [$type], KernelError> {
            // SAFETY: any four bytes are a value of this type; `align_to` splits off what is misaligned or incomplete.
            let (before, values, after) = unsafe { bytes.align_to::<$type>() };
            if before.is_empty() && after.is_empty() {
                return Ok(values);
            }
            Err(KernelError::Invalid { name, reason: "is not a whole number of aligned 4-byte values".into() })
        }
    };
}

view!(
    /// Little-endian f32 in place.
    f32s, f32
);
view!(
    /// Little-endian u32 in place.
    u32s, u32
);

macro_rules! bytes_of {
    ($(#[$doc:meta])* $name:ident, $type:ty) => {
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name(words: &[$type]) -> &[u8] {
            // SAFETY: the same memory, all of it initialised; bytes have no alignment and any value.
            unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
        }
    };
}

bytes_of!(
    /// The little-endian bytes of words.
    of_u32s, u32
);
bytes_of!(
    /// The little-endian bytes of words.
    of_i32s, i32
);

#[cfg(not(target_endian = "little"))]
compile_error!("packed weights are little-endian and read in place");
