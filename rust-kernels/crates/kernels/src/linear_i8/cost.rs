//! What a product would cost in each form of its weight: what a caller chooses a form by before anything is packed.
//!
//! The figures are cycles of one core, fitted to `examples/linear_i8.rs` on the machines named in `apps/docs/kernels/`. They need to be
//! right relative to each other only, and only for weights whose forms are close do they matter.

use super::LinearI8;
use super::packed::check_shape;
use super::tiled::{BLOCK_K, GROUP_ROWS};
use crate::KernelError;
use neural_engine_isa::Isa;

/// How a weight can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormI8 {
    /// [`DenseU8S8`](super::DenseU8S8).
    Dense,
    /// [`Sparse4x1U8S8`](super::Sparse4x1U8S8).
    Sparse4x1,
    /// [`TiledU8S8`](super::TiledU8S8).
    Tiled,
    /// [`Compressed4x1U8S8`](super::Compressed4x1U8S8).
    Compressed4x1,
}

/// A form that is worth considering on a CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CandidateI8 {
    /// The form.
    pub form: FormI8,
    /// Its kernel.
    pub kernel: &'static str,
    /// Estimated cycles of one call on all rows.
    pub cycles: f64,
}

/// 16 products of four weights by 64 tokens: sparse, gathering included, and dense. Below AMX only their ratio counts, which with VNNI puts
/// the break-even at 43% zeros.
const VNNI_GROUPS: (f64, f64) = (15.5, 8.6);
/// Without VNNI the sparse form, whose inputs stand beside those that they fit, takes fewer instructions: without any zeros it is 1.12
/// times as fast (Zen 3).
const IN_PAIRS: (f64, f64) = (36.0, 41.0);
/// Scaling and storing four rows of a panel.
const FOUR_ROWS: f64 = 60.0;
/// 32 rows × 64 inputs of a panel on tiles, and making tiles of that many compressed weights where one panel's products cannot hide it.
const TILES: f64 = 330.0;
const EXPANSION: f64 = 70.0;
/// Reading a byte of weights: a layer's come from beyond L2.
const BYTE: f64 = 0.25;

/// The forms that kernels of `isa` are made for, cheapest first. `blocks` counts the 4x1 blocks that hold anything but zeros, `panels`
/// the panels of one call.
///
/// # Errors
/// `Invalid` for a shape outside 1 to 2²⁴ × 1 to 65 536 and more blocks than it has.
pub fn candidates(isa: Isa, m: usize, k: usize, blocks: usize, panels: usize) -> Result<Vec<CandidateI8>, KernelError> {
    check_shape(m, k)?;
    let all = m.div_ceil(4) * k;
    if blocks > all {
        return Err(KernelError::Invalid { name: "blocks", reason: format!("a {m}x{k} weight has {all} blocks, got {blocks}") });
    }
    let (sparse_group, dense_group) = match (isa.avx512_vnni().is_some() || isa.has_avx_vnni(), isa.avx2().is_some()) {
        (false, true) => IN_PAIRS,
        _ => VNNI_GROUPS,
    };
    let (fours, panels) = (m.div_ceil(4) as f64, panels.max(1) as f64);
    let epilogue = panels * fours * FOUR_ROWS;
    // A row-block's last group is short by one and a half blocks on average.
    let groups = blocks as f64 / 4.0 + if blocks == 0 { 0.0 } else { 0.375 * fours };
    let dense_groups = fours * k.div_ceil(4) as f64;
    let tiles = (m.div_ceil(GROUP_ROWS) * k.div_ceil(BLOCK_K)) as f64;
    let bytes = |form| match form {
        FormI8::Dense => 16.0 * dense_groups,
        FormI8::Sparse4x1 => 24.0 * groups,
        FormI8::Tiled => 2048.0 * tiles,
        FormI8::Compressed4x1 => 64.0 * tiles + 4.0 * blocks as f64,
    };
    let work = |form| match form {
        FormI8::Dense => epilogue + panels * dense_groups * dense_group,
        FormI8::Sparse4x1 => epilogue + panels * groups * sparse_group,
        // The rows before are scaled in the shadow of the products.
        FormI8::Tiled => panels * tiles * TILES,
        FormI8::Compressed4x1 => panels * tiles * TILES + tiles * EXPANSION,
    };
    let sparse = m.is_multiple_of(4);
    let forms = [
        (FormI8::Dense, true),
        (FormI8::Sparse4x1, sparse),
        (FormI8::Tiled, isa.amx().is_some()),
        (FormI8::Compressed4x1, sparse && isa.amx().is_some()),
    ];
    let candidate = |form| CandidateI8 { form, kernel: LinearI8::kernel_of(form, isa), cycles: work(form) + BYTE * bytes(form) };
    let mut found: Vec<_> = forms.into_iter().filter(|(_, possible)| *possible).map(|(form, _)| candidate(form)).collect();
    found.sort_by(|a, b| a.cycles.total_cmp(&b.cycles));
    Ok(found)
}
