//! Weight sets.

use crate::error::{Result, coded, guard, usage};
use crate::typed::{Kind, Typed, all};
use napi::bindgen_prelude::{Array, Unknown};
use napi_derive::napi;
use neural_engine_isa::Isa;
use neural_engine_kernels::linear_i8::{CandidateI8, FormI8, candidates};
use neural_engine_runtime::bytes::view;
use neural_engine_runtime::program::DType;
use neural_engine_runtime::weights::{Format, OpenOptionsPacked, Order, Spec, WeightSet};
use std::path::Path;
use std::sync::Arc;

/// Immutable packed weights.
#[napi]
pub struct NativeWeights {
    pub(crate) set: Arc<WeightSet>,
}

/// See `PackOptions` in TypeScript.
#[napi(object)]
pub struct NativePackOptions {
    /// Where to write the packed file.
    pub file: Option<String>,
    /// Text to keep with the weights.
    pub meta: Option<String>,
    /// Private memory instead of a mapping.
    pub copy_weights: Option<bool>,
    /// Limit of the cache folder.
    pub cache_bytes: Option<f64>,
}

/// See `OpenOptions` in TypeScript.
#[napi(object)]
pub struct NativeOpenOptions {
    /// Private memory instead of a mapping.
    pub copy_weights: Option<bool>,
    /// Check the digest of all data.
    pub verify: Option<bool>,
}

#[napi]
impl NativeWeights {
    /// How many entries.
    #[napi(getter, catch_unwind)]
    pub fn length(&self) -> u32 {
        self.set.len() as u32
    }

    /// Bytes of the packed form.
    #[napi(getter, catch_unwind)]
    pub fn size_bytes(&self) -> f64 {
        self.set.size_bytes() as f64
    }

    /// Whether the bytes are a shared mapping of a file.
    #[napi(getter, catch_unwind)]
    pub fn mapped(&self) -> bool {
        self.set.is_mapped()
    }

    /// The caller's text.
    #[napi(getter, catch_unwind)]
    pub fn meta(&self) -> String {
        self.set.meta().to_owned()
    }

    /// The kernel of each entry on this CPU, null for constants.
    #[napi(getter, catch_unwind)]
    pub fn kernels(&self) -> Vec<Option<String>> {
        (0..self.set.len()).map(|index| self.set.kernel(index, Isa::best())).collect()
    }

    /// What the entries are, as JSON.
    ///
    /// # Errors
    /// E_INTERNAL only.
    #[napi(getter, catch_unwind)]
    pub fn table(&self) -> Result<String> {
        guard(|| serde_json::to_string(self.set.sections()).map_err(|error| usage(error.to_string())))
    }
}

/// A form of an s8 weight that this CPU has a kernel for.
#[napi(object)]
pub struct LinearCandidate {
    /// As a spec names it.
    pub format: String,
    /// The kernel's name.
    pub kernel: String,
    /// Estimated cycles of one product with all panels.
    pub cycles: f64,
}

/// What a product by an s8 weight `[m][k]` would cost in every form that this CPU has a kernel for, cheapest first.
///
/// # Errors
/// E_USAGE for a shape that no weight can have and for more blocks than it has.
#[napi(catch_unwind)]
pub fn linear_candidates(m: u32, k: u32, blocks: f64, panels: u32) -> Result<Vec<LinearCandidate>> {
    guard(|| {
        let found = candidates(Isa::best(), m as usize, k as usize, blocks as usize, panels as usize);
        let found = found.map_err(|error| usage(error.to_string()))?;
        let name = |form: FormI8| match form {
            FormI8::Dense => "dense",
            FormI8::Sparse4x1 => "sparse4x1",
            FormI8::Tiled => "tiled",
            FormI8::Compressed4x1 => "compressed4x1",
        };
        let report = |c: CandidateI8| LinearCandidate { format: name(c.form).to_owned(), kernel: c.kernel.to_owned(), cycles: c.cycles };
        Ok(found.into_iter().map(report).collect())
    })
}

/// Seconds of a product with `panels` panels by rows of an s8 weight, `[m][k]` or, with `order` "km", `[k][m]`, in each of `formats`.
///
/// # Errors
/// E_USAGE for a shape, an order or a format that does not exist and for a weight of another type or length; E_SPARSE; E_LIMIT.
#[napi(catch_unwind)]
pub fn time_formats(weight: Unknown<'_>, m: u32, k: u32, order: String, formats: Vec<String>, panels: u32) -> Result<Vec<f64>> {
    guard(|| {
        let source = Typed::new(&weight, "weight")?;
        if source.kind != Kind::Int8 {
            return Err(usage(format!("weight: expected {}, got {}", Kind::Int8.name(), source.kind.name())));
        }
        // The words that specs are written in.
        let order: Order = serde_json::from_value(order.into()).map_err(|error| usage(format!("order: {error}")))?;
        let formats: Vec<Format> = serde_json::from_value(formats.into()).map_err(|error| usage(format!("formats: {error}")))?;
        // SAFETY: no JavaScript runs before this returns; values that another thread changes meanwhile are timed old or new.
        let bytes = unsafe { source.view() };
        let weight: &[i8] = view(bytes).ok_or_else(|| usage("weight: not aligned for its elements"))?;
        neural_engine_runtime::weights::time_formats(Isa::best(), (m as usize, k as usize), order, weight, &formats, panels as usize)
            .map_err(coded)
    })
}

/// Packs weights in memory, or into a file that is then opened.
///
/// # Errors
/// E_USAGE when a source does not hold what its spec says; E_SPARSE, E_LIMIT; E_CANTCREAT, E_SPACE, E_IO from the file system.
#[napi(catch_unwind)]
pub fn pack_weights(specs: String, buffers: Array<'_>, options: NativePackOptions) -> Result<NativeWeights> {
    guard(|| {
        let specs: Vec<Spec> = serde_json::from_str(&specs).map_err(|error| usage(format!("weights: {error}")))?;
        let sources = all(&buffers, "source", buffers.len() as usize)?;
        for (index, spec) in specs.iter().enumerate() {
            let (dtype, buffer) = match *spec {
                Spec::Tensor { dtype, buffer, .. } => (dtype, buffer),
                Spec::LinearF32 { buffer, .. } => (DType::F32, buffer),
                Spec::LinearU8s8 { buffer, .. } => (DType::S8, buffer),
                Spec::LinearBf16 { buffer, .. } => (DType::Bf16, buffer),
            };
            if let Some(source) = sources.get(buffer)
                && source.kind != Kind::of(dtype)
            {
                let (want, got) = (Kind::of(dtype).name(), source.kind.name());
                return Err(usage(format!("weight {index}: expected {want} for {}, got {got}", dtype.name())));
            }
        }
        // SAFETY: packing runs to its end before JavaScript goes on. A SharedArrayBuffer that another thread changes meanwhile packs a
        // mixture of old and new values; what was packed is validated afterwards.
        let views: Vec<&[u8]> = sources.iter().map(|source| unsafe { source.view() }).collect();
        let meta = options.meta.unwrap_or_default();
        let set = match &options.file {
            Some(file) => {
                let open = OpenOptionsPacked { copy: options.copy_weights.unwrap_or(false), verify: false };
                let limit = options.cache_bytes.map(|bytes| bytes.max(0.0) as u64);
                WeightSet::in_file(Path::new(file), &specs, &views, &meta, limit, open)
            }
            None => WeightSet::in_memory(&specs, &views, meta),
        };
        Ok(NativeWeights { set: Arc::new(set.map_err(coded)?) })
    })
}

/// Opens a packed file; null when there is none, or one that was cut short or belongs to another version.
///
/// # Errors
/// E_PATH when policy refuses the file; E_IR_MISMATCH, E_SPARSE when its content is damaged; E_IO, E_LIMIT.
#[napi(catch_unwind)]
pub fn open_weights(path: String, options: NativeOpenOptions) -> Result<Option<NativeWeights>> {
    guard(|| {
        let open = OpenOptionsPacked { copy: options.copy_weights.unwrap_or(false), verify: options.verify.unwrap_or(false) };
        let set = WeightSet::open(Path::new(&path), open).map_err(coded)?;
        Ok(set.map(|set| NativeWeights { set: Arc::new(set) }))
    })
}
