//! What can go wrong with a policy, with the file, tensor or token it went wrong at.

use std::path::{Path, PathBuf};

/// A failure of loading, saving or using a policy or tokenizer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A file could not be read or written.
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A configuration file that is not usable.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the key.
        message: String,
    },
    /// A damaged weights file, or a tensor that is missing or of the wrong shape.
    #[error("{}: {message}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the tensor.
        message: String,
    },
    /// A tokenizer that cannot be read, or that does not fit the model.
    #[error("{}: {message}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A chat template that failed on the given messages.
    #[error("the chat template failed: {message}")]
    Template {
        /// The template engine's reason.
        message: String,
    },
    /// An argument that the policy cannot work with.
    #[error("{message}")]
    Input {
        /// What is wrong with it.
        message: String,
    },
    /// A gradient with an infinity or a NaN; no step was taken.
    #[error(
        "the gradient is not finite (norm {norm}); the step was not taken. \
         A lower learning rate or gradient clipping usually helps"
    )]
    NotFinite {
        /// The gradient's norm.
        norm: f64,
    },
    /// The model gave logits with an infinity or a NaN: its weights are damaged or have diverged.
    #[error("the model's logits are not finite: its weights are damaged or training has diverged")]
    NotFiniteLogits,
    /// The thread pool could not be made.
    #[error("failed to start {threads} threads: {message}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The system's reason.
        message: String,
    },
}

impl PolicyError {
    /// True where a file or an argument was wrong, false where the machine or the run failed.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Io { action, .. } => *action == "read",
            Self::NotFinite { .. } | Self::NotFiniteLogits | Self::Threads { .. } => false,
            _ => true,
        }
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Io { action: "read", path: path.to_owned(), source }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Io { action: "write", path: path.to_owned(), source }
    }

    pub(crate) fn config(path: &Path, message: impl Into<String>) -> Self {
        Self::Config { path: path.to_owned(), message: message.into() }
    }

    pub(crate) fn weights(path: &Path, message: impl Into<String>) -> Self {
        Self::Weights { path: path.to_owned(), message: message.into() }
    }

    pub(crate) fn tokenizer(path: &Path, message: impl Into<String>) -> Self {
        Self::Tokenizer { path: path.to_owned(), message: message.into() }
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::Input { message: message.into() }
    }
}
