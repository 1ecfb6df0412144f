//! What can be wrong with a pack: always what, where, and what to do.

use std::path::{Path, PathBuf};

/// Why a pack could not be read, resolved or built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A place in a file says something wrong.
    #[error("{}{}: {key}{message}{}", file.display(), line_part(*line), help_part(help))]
    At {
        /// The file.
        file: PathBuf,
        /// The line, where it is known.
        line: Option<usize>,
        /// The key, followed by `: `, or empty.
        key: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// Something asked for by name is not there.
    #[error("{message}{}", help_part(help))]
    Unknown {
        /// What is not there.
        message: String,
        /// What there is.
        help: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// Such as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A tool that the build needs is missing.
    #[error("{what} is needed to build {wanted}, and it is not here\n{how}")]
    Tool {
        /// The tool.
        what: String,
        /// The component that needs it.
        wanted: String,
        /// How to get it.
        how: String,
    },
    /// A tool that the build ran has failed.
    #[error("building {wanted} failed: {tool} said\n{output}")]
    Build {
        /// The component.
        wanted: String,
        /// The tool.
        tool: String,
        /// The end of what it wrote.
        output: String,
    },
    /// A component is not what it should be.
    #[error("{wanted}: {message}")]
    Component {
        /// The component.
        wanted: String,
        /// What is wrong with it.
        message: String,
    },
}

fn line_part(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(":{line}"))
}

fn help_part(help: &str) -> String {
    if help.is_empty() { String::new() } else { format!("\n  {help}") }
}

impl PackError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn at(
        file: &Path,
        line: Option<usize>,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let key = if key.is_empty() { String::new() } else { format!("`{key}`: ") };
        let (message, help) = (message.into(), help.into());
        Self::At { file: file.to_owned(), line, key, message, help }
    }

    pub(crate) fn unknown(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Unknown { message: message.into(), help: help.into() }
    }
}
