//! Single integer products.

use crate::error::{Result, coded, guard, usage};
use crate::typed::{Kind, Typed};
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use neural_engine_isa::Isa;
use neural_engine_runtime::bytes::view;
use neural_engine_runtime::product::{Output, Product};

/// A packed s8 weight.
#[napi]
pub struct NativeMatrix {
    product: Product,
}

#[napi]
impl NativeMatrix {
    /// Output rows.
    #[napi(getter, catch_unwind)]
    pub fn m(&self) -> u32 {
        self.product.m() as u32
    }

    /// Inputs.
    #[napi(getter, catch_unwind)]
    pub fn k(&self) -> u32 {
        self.product.k() as u32
    }

    /// Whether it is stored in 4x1 blocks.
    #[napi(getter, catch_unwind)]
    pub fn sparse(&self) -> bool {
        self.product.is_sparse()
    }

    /// Bytes of the packed form.
    #[napi(getter, catch_unwind)]
    pub fn size_bytes(&self) -> f64 {
        self.product.size_bytes() as f64
    }

    /// Share of the weights that is stored.
    #[napi(getter, catch_unwind)]
    pub fn density(&self) -> f64 {
        self.product.density()
    }
}

fn expect(value: &Unknown<'_>, name: &str, kind: Kind) -> Result<Typed> {
    let array = Typed::new(value, name)?;
    if array.kind == kind {
        return Ok(array);
    }
    Err(usage(format!("{name}: expected {}, got {}", kind.name(), array.kind.name())))
}

/// A typed array's elements in place.
///
/// # Safety
/// As [`Typed::view`].
unsafe fn elements<'a, T: neural_engine_runtime::bytes::Plain>(array: &Typed, name: &str) -> Result<&'a [T]> {
    // SAFETY: the caller's contract.
    view(unsafe { array.view() }).ok_or_else(|| usage(format!("{name}: not aligned for its elements")))
}

/// Packs an s8 weight `[m][k]`.
///
/// # Errors
/// E_USAGE for a shape the format cannot hold or a weight of another type or length, E_LIMIT.
#[napi(catch_unwind)]
pub fn pack_matrix(weight: Unknown<'_>, m: u32, k: u32, sparse: bool) -> Result<NativeMatrix> {
    guard(|| {
        let weight = expect(&weight, "weight", Kind::Int8)?;
        // SAFETY: no JavaScript runs before this returns; values that another thread changes meanwhile are packed old or new.
        let weight = unsafe { elements::<i8>(&weight, "weight")? };
        let product = Product::pack(m as usize, k as usize, weight, sparse).map_err(coded)?;
        Ok(NativeMatrix { product })
    })
}

/// y `[M][n]` = epilogue(W · x) for x u8 `[K][n]`; `y` is a Float32Array, Uint8Array or Int32Array and says what is wanted.
///
/// # Errors
/// E_USAGE for arrays of another type or length, and for a `y` that shares memory with `x`; E_LIMIT.
#[napi(catch_unwind)]
pub fn multiply(matrix: &NativeMatrix, x: Unknown<'_>, n: u32, scale: Unknown<'_>, bias: Unknown<'_>, y: Unknown<'_>) -> Result<()> {
    let product = &matrix.product;
    guard(|| {
        let x = expect(&x, "x", Kind::Uint8)?;
        let (scale, bias) = (expect(&scale, "scale", Kind::Float32)?, expect(&bias, "bias", Kind::Float32)?);
        let y = Typed::new(&y, "dst")?;
        for (name, input) in [("x", &x), ("scale", &scale), ("bias", &bias)] {
            if y.overlaps(input) {
                return Err(usage(format!("dst shares memory with {name}")));
            }
        }
        // SAFETY: no JavaScript runs before this returns, and y overlaps no input.
        let (x, scale, bias) = unsafe { (elements(&x, "x")?, elements(&scale, "scale")?, elements(&bias, "bias")?) };
        // SAFETY: as above; nothing else refers to y's memory.
        let bytes = unsafe { y.view_mut() };
        let misaligned = || usage("dst: not aligned for its elements");
        use neural_engine_runtime::bytes::view_mut;
        let mut output = match y.kind {
            Kind::Float32 => Output::F32(view_mut(bytes).ok_or_else(misaligned)?),
            Kind::Int32 => Output::S32(view_mut(bytes).ok_or_else(misaligned)?),
            Kind::Uint8 => Output::U8(bytes),
            kind => return Err(usage(format!("dst: expected Float32Array, Int32Array or Uint8Array, got {}", kind.name()))),
        };
        product.run(Isa::best(), x, n as usize, scale, bias, &mut output).map_err(coded)
    })
}
