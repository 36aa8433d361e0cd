//! Errors of the kernels' checked entries.

/// What a caller got wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A buffer does not hold what the shape says.
    #[error("{name}: expected {expected} elements, got {actual}")]
    Length {
        /// The argument.
        name: &'static str,
        /// Elements the shape asks for.
        expected: usize,
        /// Elements the buffer has.
        actual: usize,
    },
    /// A size or parameter is outside what the kernel can do.
    #[error("{name}: {reason}")]
    Invalid {
        /// The argument.
        name: &'static str,
        /// What was expected and what came.
        reason: String,
    },
    /// A packed sparse weight breaks its format.
    #[error("sparse weight: {0}")]
    Sparse(String),
}

/// Checks one length; the one place where lengths are compared.
pub(crate) fn expect_len(name: &'static str, actual: usize, expected: usize) -> Result<(), KernelError> {
    if actual == expected { Ok(()) } else { Err(KernelError::Length { name, expected, actual }) }
}
