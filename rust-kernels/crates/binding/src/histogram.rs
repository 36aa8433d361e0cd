//! What calibration sees of a value.

use crate::error::{Result, guard, usage};
use crate::typed::{Kind, Typed};
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use neural_engine_isa::Isa;
use neural_engine_kernels::histogram;
use neural_engine_runtime::bytes::{view, view_mut};

/// Smallest and largest finite element, and how many elements are not finite.
#[napi(object)]
pub struct Extent {
    /// +∞ where nothing is finite.
    pub min: f64,
    /// −∞ where nothing is finite.
    pub max: f64,
    /// NaN and ±∞.
    pub non_finite: f64,
}

fn floats<'a>(values: &Unknown<'_>) -> Result<&'a [f32]> {
    let array = Typed::new(values, "values")?;
    if array.kind != Kind::Float32 {
        return Err(usage(format!("values: expected Float32Array, got {}", array.kind.name())));
    }
    // SAFETY: no JavaScript runs before the caller returns; an element that another thread changes meanwhile is seen old or new.
    view(unsafe { array.view() }).ok_or_else(|| usage("values: not aligned for their elements"))
}

/// The extent of a Float32Array.
///
/// # Errors
/// E_USAGE for anything else.
#[napi(catch_unwind)]
pub fn extent(values: Unknown<'_>) -> Result<Extent> {
    guard(|| {
        let seen = histogram::extent(Isa::best(), floats(&values)?);
        Ok(Extent { min: seen.min.into(), max: seen.max.into(), non_finite: seen.non_finite as f64 })
    })
}

/// Counts the elements of a Float32Array into bins of width 2^exponent, around the middle of `counts`.
///
/// # Errors
/// E_USAGE for arrays of another type or length, memory that both share, and widths that f32 cannot divide by.
#[napi(catch_unwind)]
pub fn count_values(values: Unknown<'_>, exponent: i32, counts: Unknown<'_>) -> Result<()> {
    guard(|| {
        let target = Typed::new(&counts, "counts")?;
        if target.kind != Kind::Float64 {
            return Err(usage(format!("counts: expected Float64Array, got {}", target.kind.name())));
        }
        if target.overlaps(&Typed::new(&values, "values")?) {
            return Err(usage("counts shares memory with values"));
        }
        // SAFETY: no JavaScript runs before this returns, and counts overlaps no other argument.
        let bins = view_mut(unsafe { target.view_mut() }).ok_or_else(|| usage("counts: not aligned for its elements"))?;
        histogram::count(Isa::best(), floats(&values)?, exponent, bins).map_err(|error| usage(error.to_string()))
    })
}
