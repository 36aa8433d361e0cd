//! What is known of a step before it runs, and how its work is divided.

use super::tensor::{Inputs, MAX_OUTPUTS, Outputs, RawTensor, RawTensorMut};
use crate::DType;
use serde::de::DeserializeOwned;
use std::ops::{Range, RangeInclusive};

/// Attributes of a step, as the program holds them.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// Dtype and dims of an operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Element type.
    pub dtype: DType,
    /// Row-major dimensions.
    pub dims: Vec<usize>,
}

impl TensorSpec {
    /// Elements; [`Step::new`] has proved that the product does not overflow.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether a dimension is 0.
    pub fn is_empty(&self) -> bool {
        self.dims.contains(&0)
    }

    /// Product of the dims before `axis`, of `axis` itself, and of those behind it.
    pub(super) fn around(&self, axis: usize) -> (usize, usize, usize) {
        (self.dims[..axis].iter().product(), self.dims[axis], self.dims[axis + 1..].iter().product())
    }
}

/// Why a generic operator stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenericError {
    /// The data of this run contradicts the model, such as an index outside its tensor (E_REQUEST).
    #[error("{0}")]
    Request(String),
    /// Workspace could not be allocated (E_LIMIT).
    #[error("not enough memory for {0} bytes of workspace")]
    Memory(usize),
    /// The caller broke the contract between `check` and `run` (E_INTERNAL).
    #[error("{0}")]
    Internal(&'static str),
}

/// A checked operator, ready to run any number of times from any threads.
pub trait GenericOp: Send + Sync + std::fmt::Debug {
    /// Into how many parts the work is best divided for `threads` threads: at least 1, at most `threads` (or 1).
    fn parts(&self, threads: usize) -> usize;

    /// Does part `part` of `parts`; the results do not depend on `parts`. All parts together write every element of every output.
    ///
    /// # Errors
    /// See [`GenericError`]; outputs are then unspecified.
    fn run(&self, part: usize, parts: usize, x: &[Option<RawTensor<'_>>], y: &[RawTensorMut<'_>]) -> Result<(), GenericError>;
}

/// The inside of an operator: computes some units of every output.
pub(super) trait Kernel: Send + Sync {
    /// `y` holds exactly the elements of `units`. Never called with nothing to do.
    fn run(&self, units: Range<usize>, x: &Inputs<'_>, y: &mut Outputs<'_>) -> Result<(), GenericError>;
}

/// How an operator's work divides.
pub(super) struct Plan {
    /// Equal slices that each output consists of.
    pub units: usize,
    /// Rough cost of the whole, in elements moved or multiplied.
    pub cost: usize,
    /// What computes them.
    pub kernel: Box<dyn Kernel>,
}

impl Plan {
    pub fn new(units: usize, cost: usize, kernel: impl Kernel + 'static) -> Result<Self, String> {
        Ok(Self { units, cost, kernel: Box::new(kernel) })
    }
}

/// One step as `check` sees it.
pub(super) struct Step<'a> {
    attrs: &'a Attributes,
    x: &'a [Option<TensorSpec>],
    y: &'a [TensorSpec],
}

impl<'a> Step<'a> {
    pub fn new(attrs: &'a Attributes, x: &'a [Option<TensorSpec>], y: &'a [TensorSpec]) -> Result<Self, String> {
        if y.is_empty() || y.len() > MAX_OUTPUTS {
            return Err(format!("{} outputs; 1 to {MAX_OUTPUTS} are possible", y.len()));
        }
        for spec in x.iter().flatten().chain(y) {
            let bytes = spec.dims.iter().try_fold(8usize, |product, &dim| product.checked_mul(dim.max(1)));
            if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
                return Err(format!("dims {:?} hold too many elements", spec.dims));
            }
        }
        Ok(Self { attrs, x, y })
    }

    /// The attributes as a struct that names all that are allowed.
    pub fn attrs<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(serde_json::Value::Object(self.attrs.clone())).map_err(|error| format!("attributes: {error}"))
    }

    /// Demands how many operands there are.
    pub fn arity(&self, x: RangeInclusive<usize>, y: usize) -> Result<(), String> {
        if !x.contains(&self.x.len()) || self.y.len() != y {
            return Err(format!("{} inputs and {} outputs; expected {x:?} and {y}", self.x.len(), self.y.len()));
        }
        Ok(())
    }

    /// How many inputs there are, absent ones included.
    pub fn inputs(&self) -> usize {
        self.x.len()
    }

    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.y.len()
    }

    /// Input `index`, which must be there.
    pub fn x(&self, index: usize) -> Result<&'a TensorSpec, String> {
        self.optional(index).ok_or_else(|| format!("input {index} is missing"))
    }

    /// Input `index` if it is there.
    pub fn optional(&self, index: usize) -> Option<&'a TensorSpec> {
        self.x.get(index).and_then(Option::as_ref)
    }

    /// Output `index`; `arity` has proved it present.
    pub fn y(&self, index: usize) -> &'a TensorSpec {
        &self.y[index]
    }
}

/// Demands equality of a dtype.
pub(super) fn expect_dtype(what: &str, actual: DType, expected: DType) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what} is {actual:?}, expected {expected:?}")) }
}

/// Demands equality of dims.
pub(super) fn expect_dims(what: &str, actual: &[usize], expected: &[usize]) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what} has dims {actual:?}, expected {expected:?}")) }
}

/// Demands that an axis exists.
pub(super) fn expect_axis(axis: usize, rank: usize) -> Result<(), String> {
    if axis < rank { Ok(()) } else { Err(format!("axis {axis} does not exist in rank {rank}")) }
}

/// A vector of `len` copies of `value`, or an error instead of an abort when memory is short.
pub(super) fn workspace<T: Clone>(len: usize, value: T) -> Result<Vec<T>, GenericError> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(len).map_err(|_| GenericError::Memory(len.saturating_mul(size_of::<T>())))?;
    memory.resize(len, value);
    Ok(memory)
}

/// Less work than this per part is not worth waking a thread for.
const PART_COST: usize = 16 * 1024;

/// A kernel with its operands' specs: divides the units into parts and compares operands before each run.
pub(super) struct Divided {
    x: Vec<Option<(DType, usize)>>,
    y: Vec<(DType, usize)>,
    empty: bool,
    plan: Plan,
}

impl Divided {
    pub fn new(step: &Step<'_>, plan: Plan) -> Result<Self, String> {
        let empty = step.y.iter().all(TensorSpec::is_empty);
        if !empty && (plan.units == 0 || step.y.iter().any(|spec| !spec.len().is_multiple_of(plan.units))) {
            return Err(format!("{} units do not divide the outputs", plan.units));
        }
        let describe = |spec: &TensorSpec| (spec.dtype, spec.len());
        Ok(Self { x: step.x.iter().map(|x| x.as_ref().map(describe)).collect(), y: step.y.iter().map(describe).collect(), empty, plan })
    }
}

impl std::fmt::Debug for Divided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GenericOp").field("x", &self.x).field("y", &self.y).field("units", &self.plan.units).finish()
    }
}

impl GenericOp for Divided {
    fn parts(&self, threads: usize) -> usize {
        threads.min(self.plan.units).min(self.plan.cost / PART_COST).max(1)
    }

    fn run(&self, part: usize, parts: usize, x: &[Option<RawTensor<'_>>], y: &[RawTensorMut<'_>]) -> Result<(), GenericError> {
        let same = x.len() == self.x.len()
            && y.len() == self.y.len()
            && x.iter().zip(&self.x).all(|(x, spec)| x.map(|x| (x.dtype(), x.len())) == *spec)
            && y.iter().zip(&self.y).all(|(y, spec)| (y.dtype(), y.len()) == *spec);
        if !same || part >= parts {
            return Err(GenericError::Internal("the operands are not those that were checked"));
        }
        if self.empty {
            return Ok(());
        }
        let cut = |part: usize| (self.plan.units as u128 * part as u128 / parts as u128) as usize;
        let units = cut(part)..cut(part + 1);
        if units.is_empty() {
            return Ok(());
        }
        let mut outputs = Outputs::cut(y, &units, self.plan.units);
        self.plan.kernel.run(units, &Inputs(x), &mut outputs)
    }
}
