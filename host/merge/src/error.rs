//! What can go wrong in a merge.

use std::path::{Path, PathBuf};

/// Why a merge failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The settings make no sense.
    #[error("{0}")]
    Settings(String),
    /// The result's folder is taken.
    #[error("{}: already exists; choose another folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder or file is not what it should be.
    #[error("{}: {message}", path.display())]
    Weights {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
}

impl MergeError {
    /// Whether the caller's input is at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::File { what: "write", .. })
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::File { what: "read", path: path.to_owned(), source }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::File { what: "write", path: path.to_owned(), source }
    }

    pub(crate) fn weights(path: &Path, message: impl Into<String>) -> Self {
        Self::Weights { path: path.to_owned(), message: message.into() }
    }
}
