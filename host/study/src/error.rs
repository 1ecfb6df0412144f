//! What can go wrong with a study; always with the path or the step.

use std::path::{Path, PathBuf};

/// An error of a study.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A record of a step is not one.
    #[error("{}: not a record of this version: {message}; make the step again with --redo", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A record of a run or an evaluation cannot be read.
    #[error(transparent)]
    Record(#[from] omni_record::RecordError),
    /// Two evaluations are not of the same items, or lack what the study compares.
    #[error("{}: {message}", path.display())]
    Items {
        /// The evaluation's items.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The evidence cannot be planned with.
    #[error("the evidence: {0}")]
    Evidence(#[from] omni_curriculum::EvidenceError),
    /// Finished steps are not those that the study would make now.
    #[error("{}", .0.join("\n"))]
    Changed(Vec<String>),
    /// `--redo` names no step.
    #[error("--redo {0}: there is no such step; `--dry-run` lists them")]
    NoStep(String),
    /// A step that is wanted has no checkpoint.
    #[error("{}: there is no checkpoint to go on from; make the step again with --redo", path.display())]
    NoCheckpoint {
        /// The run's folder.
        path: PathBuf,
    },
    /// A process that an earlier study left behind still works on a step that is to be removed.
    #[error(
        "--redo {0}: a process that an earlier call left is still at work on it; wait for it, or end it"
    )]
    StepBusy(String),
    /// Another process works on the study.
    #[error("{}: another study is at work in this folder; wait for it, or choose another --out", path.display())]
    Busy {
        /// The study's folder.
        path: PathBuf,
    },
}

impl StudyError {
    /// For `map_err`: what was tried, and where.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether the user's input is to blame, rather than the run.
    #[must_use]
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Changed(_) | Self::NoStep(_) | Self::StepBusy(_) | Self::Busy { .. })
    }
}
