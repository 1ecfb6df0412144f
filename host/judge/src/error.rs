//! Why a model cannot be opened; all of these are faults of the input.

use std::path::PathBuf;

/// An error of opening a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The endpoint's address is not usable.
    #[error("endpoint `{url}`: {message}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// The key cannot be sent; it is not shown.
    #[error(
        "the key holds characters that an HTTP header cannot; check the variable that holds it"
    )]
    Key,
    /// The HTTP client or its threads could not be made.
    #[error("cannot start the HTTP client: {message}")]
    Client {
        /// The reason.
        message: String,
    },
    /// A file of a local model is missing or not usable.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Its tokenizer or configuration is not usable.
    #[error(transparent)]
    Folder(#[from] omni_policy::PolicyError),
}

impl OpenError {
    /// An error about a file.
    pub(crate) fn file(path: impl Into<PathBuf>, message: impl ToString) -> Self {
        Self::File { path: path.into(), message: message.to_string() }
    }
}
