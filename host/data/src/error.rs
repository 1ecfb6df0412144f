//! What can be wrong with a dataset: what, where, and what to do.

use std::path::{Path, PathBuf};

/// Why a dataset could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A setting of the dataset, or a mapping, says something wrong.
    #[error("`{key}`: {message}")]
    Setting {
        /// The setting.
        key: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// More rows than allowed do not fit.
    #[error("{message}")]
    Misfits {
        /// How many, the first with its place and reason, and what to do.
        message: String,
    },
    /// The hub, or what is cached of it, has not got what was asked for.
    #[error("{dataset}: {message}")]
    Hub {
        /// The dataset's name on the hub.
        dataset: String,
        /// What is missing, and how to get it.
        message: String,
    },
}

impl DataError {
    pub(crate) fn setting(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), message: message.into() }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn file(path: &Path, message: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), message: message.into() }
    }

    pub(crate) fn hub(dataset: &str, message: impl Into<String>) -> Self {
        Self::Hub { dataset: dataset.to_owned(), message: message.into() }
    }
}
