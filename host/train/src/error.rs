//! What can stop a run.

use std::path::PathBuf;

use omni_policy::PolicyError;
use omni_record::RecordError;

use crate::ConfigError;
use crate::outside::OutsideError;

/// What can stop a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The model failed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The run folder failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file of a checkpoint failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A checkpoint is not one that this run can go on from.
    #[error("{}: {message}", path.display())]
    Checkpoint {
        /// The checkpoint's file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// What `policy.continue_from` names is not a checkpoint that a run can begin from.
    #[error("`policy.continue_from`: {}: {message}", path.display())]
    Continue {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// A source of problems failed.
    #[error("task `{task}`: {source}")]
    Problems {
        /// The task.
        task: String,
        /// What it said.
        source: OutsideError,
    },
    /// A task has not what the run asks of it.
    #[error("task `{task}`: {message}")]
    Task {
        /// The task.
        task: String,
        /// What is missing, and what to do.
        message: String,
    },
    /// The scheduler cannot schedule this run.
    #[error("`schedule`: {0}")]
    Setup(OutsideError),
    /// The scheduler failed.
    #[error("scheduler: {0}")]
    Scheduler(OutsideError),
    /// Too much of a task could not be scored.
    #[error(
        "task `{task}`: {undefined} of its last {rollouts} outputs could not be scored, more than \
         fault_limit = {limit} allows; latest reason ({kind}): {message}"
    )]
    Faults {
        /// The task.
        task: String,
        /// Outputs of the window without a usable score.
        undefined: u64,
        /// Outputs of the window.
        rollouts: u64,
        /// The limit.
        limit: f64,
        /// The kind of the latest reason.
        kind: &'static str,
        /// The latest reason.
        message: String,
    },
    /// The reward broke its promise towards the trainer.
    #[error("task `{task}`, item `{item}`: the reward scored {scored} of {rollouts} outputs")]
    Scores {
        /// The task.
        task: String,
        /// The item.
        item: String,
        /// Outputs scored.
        scored: usize,
        /// Outputs given.
        rollouts: usize,
    },
    /// Rejection sampling kept no output, so there is nothing to learn from.
    #[error(
        "none of the sampled outputs was both correct and finished ({0}), so there is nothing to \
         learn from; raise sft.samples, sft.prompts or rollout.max_completion_tokens, or begin from \
         a policy that solves some of the problems"
    )]
    NothingKept(String),
    /// The run cannot go on from what is there.
    #[error("{0}")]
    Resume(String),
}

impl TrainError {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn task(task: &str, message: impl Into<String>) -> Self {
        Self::Task { task: task.to_owned(), message: message.into() }
    }

    /// True where the input is wrong (exit code 2) rather than the run (exit code 1).
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Task { .. }
            | Self::Resume(_)
            | Self::Continue { .. }
            | Self::Setup(_)
            | Self::Checkpoint { .. } => true,
            Self::Policy(e) => e.is_input(),
            _ => false,
        }
    }
}
