//! The runtime's one error: a code the caller can act on and a message that names what is wrong.

use neural_engine_kernels::KernelError;

/// What kind of thing went wrong; the spelling is shared with TypeScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The caller used the interface wrongly.
    Usage,
    /// The data of this run contradicts the model.
    Request,
    /// A stated limit or the machine's memory is exceeded.
    Limit,
    /// A program is invalid.
    Ir,
    /// Parts do not belong together, or a packed file is damaged or of another version.
    IrMismatch,
    /// A sparse weight breaks its format.
    Sparse,
    /// A file is not where or what policy allows.
    Path,
    /// Another process holds what this one needs.
    Locked,
    /// Reading or writing failed.
    Io,
    /// The disk is full.
    Space,
    /// An output cannot be created.
    CantCreate,
    /// The caller ended the run.
    Aborted,
    /// A bug of the engine.
    Internal,
}

impl ErrorCode {
    /// As it stands in errors that users see.
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::Usage => "E_USAGE",
            ErrorCode::Request => "E_REQUEST",
            ErrorCode::Limit => "E_LIMIT",
            ErrorCode::Ir => "E_IR",
            ErrorCode::IrMismatch => "E_IR_MISMATCH",
            ErrorCode::Sparse => "E_SPARSE",
            ErrorCode::Path => "E_PATH",
            ErrorCode::Locked => "E_LOCKED",
            ErrorCode::Io => "E_IO",
            ErrorCode::Space => "E_SPACE",
            ErrorCode::CantCreate => "E_CANTCREAT",
            ErrorCode::Aborted => "E_ABORTED",
            ErrorCode::Internal => "E_INTERNAL",
        }
    }
}

/// Code and message. The message holds no address and no path that the caller did not give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuntimeError {
    /// What kind.
    pub code: ErrorCode,
    /// What is wrong, where, what was expected and what came.
    pub message: String,
}

/// What the runtime's functions return.
pub type Result<T> = std::result::Result<T, RuntimeError>;

impl RuntimeError {
    /// An error of that code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        RuntimeError { code, message: message.into() }
    }

    /// E_IR: the program is invalid.
    pub(crate) fn program(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Ir, message)
    }

    /// E_LIMIT: memory or a limit.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Limit, message)
    }

    /// The same error, its message prefixed with where it arose.
    pub(crate) fn at(mut self, place: impl std::fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// A failed system call while doing `what`.
    pub(crate) fn io(what: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let code = match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => ErrorCode::Space,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => ErrorCode::CantCreate,
            Kind::OutOfMemory => ErrorCode::Limit,
            _ => ErrorCode::Io,
        };
        Self::new(code, format!("{what}: {}", error.kind()))
    }
}

/// What a caught panic said.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the engine failed unexpectedly: {}", text.unwrap_or("no message"))
}

impl From<KernelError> for RuntimeError {
    fn from(error: KernelError) -> Self {
        let code = match error {
            KernelError::Sparse(_) => ErrorCode::Sparse,
            _ => ErrorCode::Ir,
        };
        Self::new(code, error.to_string())
    }
}
