//! What can go wrong with a run folder; always with the path.

use std::io;
use std::path::{Path, PathBuf};

/// An error of a run folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line is not a record.
    #[error("{}:{line}: not a record of this version: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the reader said.
        message: String,
    },
    /// A file of one record is not that record.
    #[error("{}: not a record of this version: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The checkpoint saw more records than there are.
    #[error("{}: {found} records, but the checkpoint was written after {expected}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Whole records that it holds.
        found: usize,
        /// Records that it held.
        expected: usize,
    },
    /// The records are of a newer version.
    #[error("{}: records of version {found}, but this program reads up to {known}; use a newer omni-host", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
}

impl RecordError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// True where the disk is full.
    #[must_use]
    pub fn is_full_disk(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}
