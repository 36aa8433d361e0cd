//! Linear layers on u8 activations and s8 weights: y = epilogue(W · x) over panels of 64 tokens.
//!
//! W is dense ([`DenseU8S8`], and [`TiledU8S8`] for AMX) or sparse in 4x1 blocks ([`Sparse4x1U8S8`], and [`Compressed4x1U8S8`] for AMX).
//! With acc = init\[m\] + Σ w·x in wrapping 32-bit integers,
//! f = fma(acc, mul\[m\], add\[m\]) + residual; then, for 8-bit outputs,
//!
//! | given | output code |
//! | --- | --- |
//! | neither activation nor table | saturate(round_even(f)): `mul` and `add` already hold the code |
//! | `act` and `code` | saturate(round_even(fma(act(f), code.scale, code.zero))) |
//! | `table` | table\[saturate_u8(round_even(f))\] |
//!
//! and act(f) for f32 and bf16 outputs, the latter rounded to nearest even.
//!
//! Inputs may be coded token by token ([`TokenCodes`](crate::panel::TokenCodes), `sums`), for f32 and bf16 outputs: then
//! f = fma(acc − zero\[t\]·sums\[m\], mul\[m\]·step\[t\], add\[m\]) + residual, where Σ w·(x − zero) is exact. NaN becomes the lowest code. Every tier and every split of the rows gives the same bits.

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod amx;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
mod avx512_vnni;
mod check;
mod compressed;
mod cost;
mod dense;
mod element;
mod epilogue;
pub(crate) mod packed;
mod reference;
mod sparse;
#[cfg(test)]
mod tests;
mod tier;
mod tile_product;
mod tiled;
mod weight;

pub use compressed::Compressed4x1U8S8;
pub use cost::{CandidateI8, FormI8, candidates};
pub use dense::DenseU8S8;
pub use packed::{MAX_K, MAX_M};
pub use sparse::Sparse4x1U8S8;
pub use tiled::TiledU8S8;
pub use weight::WeightI8;

use crate::ahead::OWN;
use crate::error::expect_len;
use crate::panel::Io;
use crate::tiles::SoftwareTiles;
use crate::{Activation, Code, KernelError};
use element::Element;
use epilogue::Epilogue;
use neural_engine_isa::Isa;
use std::ops::Range;
use tile_product::{Call, TileWeight};

/// A range of output rows starts and ends at a multiple of this, or at the last row.
pub const ROW_GRANULE: usize = 4;
/// Panels that one call may share the weight stream over.
pub const MAX_PANELS: usize = 4;

/// One linear layer; see the [module](self) for what it computes.
#[derive(Clone, Copy, Debug)]
pub struct LinearI8<'a> {
    /// `[M][K]`.
    pub weight: WeightI8<'a>,
    /// Start of each row's accumulator: bias and zero-point corrections, `[M]`.
    pub init: &'a [i32],
    /// Multiplies each row's accumulator, `[M]`.
    pub mul: &'a [f32],
    /// Added to each row's product, `[M]`.
    pub add: &'a [f32],
    /// Applied after the residual.
    pub act: Activation,
    /// Code of act(f); given exactly when an 8-bit output has an activation.
    pub code: Option<Code>,
    /// Replaces activation and code by a lookup of the 8-bit code of f.
    pub table: Option<&'a [u8; 256]>,
    /// Σ of each row's weights, `[M]`: given exactly when inputs are coded token by token.
    pub sums: Option<&'a [i32]>,
}

impl LinearI8<'_> {
    /// Computes output rows `rows` of 1 to 4 panels as f32 in lane order; u8 input in token order.
    ///
    /// # Errors
    /// `Length` and `Invalid`, naming the argument; see the fields for what goes together.
    pub fn run_f32(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, u8, f32>], scratch: &mut [u8]) -> Result<(), KernelError> {
        self.run::<_, OWN>(isa, rows, ios, scratch)
    }

    /// Computes output rows `rows` of 1 to 4 panels as bf16, in the order of [16-bit panels](crate::bf16).
    ///
    /// # Errors
    /// As [`run_f32`](Self::run_f32).
    pub fn run_bf16(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, u8, u16>], scratch: &mut [u8]) -> Result<(), KernelError> {
        self.run::<_, OWN>(isa, rows, ios, scratch)
    }

    /// Computes output rows `rows` of 1 to 4 panels as u8 in token order.
    ///
    /// # Errors
    /// As [`run_f32`](Self::run_f32).
    pub fn run_u8(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, u8, u8>], scratch: &mut [u8]) -> Result<(), KernelError> {
        self.run::<_, OWN>(isa, rows, ios, scratch)
    }

    /// Computes output rows `rows` of 1 to 4 panels as s8 in token order.
    ///
    /// # Errors
    /// As [`run_f32`](Self::run_f32).
    pub fn run_s8(&self, isa: Isa, rows: Range<usize>, ios: &mut [Io<'_, u8, i8>], scratch: &mut [u8]) -> Result<(), KernelError> {
        self.run::<_, OWN>(isa, rows, ios, scratch)
    }

    /// [`run_u8`](Self::run_u8) with weights prefetched `AHEAD` bytes before they are read, 0 for not at all, in place of the distance that
    /// the kernel has [chosen](Self::ahead): for measurements. AVX-512 does not prefetch dense weights, nor does any tier tiles.
    ///
    /// # Errors
    /// As [`run_f32`](Self::run_f32).
    pub fn run_u8_ahead<const AHEAD: usize>(
        &self,
        isa: Isa,
        rows: Range<usize>,
        ios: &mut [Io<'_, u8, u8>],
        scratch: &mut [u8],
    ) -> Result<(), KernelError> {
        self.run::<_, AHEAD>(isa, rows, ios, scratch)
    }

    /// How many bytes ahead the kernel that `isa` selects prefetches its weights; 0: it does not.
    pub fn ahead(&self, isa: Isa) -> usize {
        #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
        match self.weight {
            WeightI8::Compressed(_) if isa.amx().is_some() => return tile_product::AHEAD,
            WeightI8::Sparse(_) if isa.avx512_vnni().is_some() => return avx512_vnni::AHEAD,
            WeightI8::Sparse(_) | WeightI8::Dense(_) if isa.avx512_vnni().is_none() && isa.avx2().is_some() => return avx2::AHEAD,
            _ => {}
        }
        let _ = isa;
        0
    }

    /// Proves that no input makes an accumulator leave 32 bits; kernels wrap around there. Meant for load time: reads all weights once.
    ///
    /// # Errors
    /// `Length` when there is not one start per row, `Invalid` naming the first row that could overflow.
    pub fn check_sums(&self) -> Result<(), KernelError> {
        expect_len("init", self.init.len(), self.weight.m())?;
        for (row, &init) in self.init.iter().enumerate() {
            let (least, greatest) = self.weight.sums(row);
            let (least, greatest) = (i64::from(init) + least, i64::from(init) + greatest);
            if least < i64::from(i32::MIN) || greatest > i64::from(i32::MAX) {
                let reason = format!("sums of row {row} can reach {least} to {greatest}, beyond 32 bits");
                return Err(KernelError::Invalid { name: "init", reason });
            }
        }
        Ok(())
    }

    /// Bytes of scratch for a call on `panels` panels: copies of the inputs in the kernel's order, room to expand weights.
    pub fn scratch_len(&self, panels: usize) -> usize {
        match self.weight {
            WeightI8::Dense(weight) => panels * weight.k().div_ceil(4) * 256,
            WeightI8::Sparse(_) => 0,
            WeightI8::Tiled(weight) => tile_product::scratch_len(weight.k(), panels, false),
            WeightI8::Compressed(weight) => tile_product::scratch_len(weight.k(), panels, true),
        }
    }

    /// The kernel that `isa` selects, for logs and reports.
    pub fn kernel(&self, isa: Isa) -> &'static str {
        Self::kernel_of(self.weight.form(), isa)
    }

    /// The kernel for weights of that form.
    pub(crate) fn kernel_of(form: FormI8, isa: Isa) -> &'static str {
        let tier = (isa.avx512_vnni().is_some(), isa.avx2().is_some(), isa.has_avx_vnni());
        match (form, tier) {
            (FormI8::Tiled, _) if isa.amx().is_some() => "dense_u8s8_amx",
            (FormI8::Tiled, _) => "dense_u8s8_software_tiles",
            (FormI8::Compressed4x1, _) if isa.amx().is_some() => "spmm_u8s8_4x1_amx",
            (FormI8::Compressed4x1, _) => "spmm_u8s8_4x1_software_tiles",
            (FormI8::Sparse4x1, (true, ..)) => "spmm_u8s8_4x1_avx512_vnni",
            (FormI8::Sparse4x1, (_, true, true)) => "spmm_u8s8_4x1_avx_vnni",
            (FormI8::Sparse4x1, (_, true, false)) => "spmm_u8s8_4x1_avx2",
            (FormI8::Sparse4x1, _) => "spmm_u8s8_4x1_scalar",
            (FormI8::Dense, (true, ..)) => "dense_u8s8_6x64_avx512_vnni",
            (FormI8::Dense, (_, true, true)) => "dense_u8s8_4x16_avx_vnni",
            (FormI8::Dense, (_, true, false)) => "dense_u8s8_4x16_avx2",
            (FormI8::Dense, _) => "dense_u8s8_scalar",
        }
    }

    fn run<Y: Element, const A: usize>(
        &self,
        isa: Isa,
        rows: Range<usize>,
        ios: &mut [Io<'_, u8, Y>],
        scratch: &mut [u8],
    ) -> Result<(), KernelError> {
        check::call(self, &rows, ios, scratch.len())?;
        let epilogue = &Epilogue::new(self);
        let tiles = match &self.weight {
            WeightI8::Tiled(weight) => Some(TileWeight::Tiled(weight)),
            WeightI8::Compressed(weight) => Some(TileWeight::Compressed(weight)),
            WeightI8::Dense(_) | WeightI8::Sparse(_) => None,
        };
        if let Some(weight) = tiles {
            let call = Call { weight, init: self.init, epilogue, rows, ios, scratch };
            #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
            if let Some(token) = isa.amx() {
                amx::run::<Y, A>(token, call);
                return Ok(());
            }
            call.run::<_, A>(&mut SoftwareTiles::new());
            return Ok(());
        }
        #[cfg(all(target_arch = "x86_64", not(ne_portable)))]
        {
            if let Some(token) = isa.avx512_vnni() {
                match &self.weight {
                    WeightI8::Dense(weight) => avx512_vnni::dense(token, weight, self.init, epilogue, rows, ios, scratch),
                    WeightI8::Sparse(weight) => avx512_vnni::sparse::<Y, A>(token, weight, self.init, epilogue, rows, ios),
                    WeightI8::Tiled(_) | WeightI8::Compressed(_) => unreachable!("tiles have been dealt with"),
                }
                return Ok(());
            }
            if let Some(token) = isa.avx2() {
                match &self.weight {
                    WeightI8::Dense(weight) => {
                        avx2::Dense::<Y, A> { weight, init: self.init, epilogue, rows, ios, scratch }.run(token, isa);
                    }
                    WeightI8::Sparse(weight) => avx2::Sparse::<Y, A> { weight, init: self.init, epilogue, rows, ios }.run(token, isa),
                    WeightI8::Tiled(_) | WeightI8::Compressed(_) => unreachable!("tiles have been dealt with"),
                }
                return Ok(());
            }
        }
        let _ = isa;
        reference::run(&self.weight, self.init, epilogue, rows, ios);
        Ok(())
    }
}
