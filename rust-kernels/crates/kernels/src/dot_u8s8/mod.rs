//! Sums of four u8 × s8 products per 32-bit lane: what all integer kernels are built from.

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
pub(crate) mod avx2;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
pub(crate) mod avx512_vnni;
