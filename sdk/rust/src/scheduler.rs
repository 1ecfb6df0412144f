//! Schedulers: which tasks the next batch is drawn from.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::error::{Error, Result};
pub use crate::rng::Rng;

/// A task of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskInfo {
    /// Its name.
    pub name: String,
    /// The size of its training split; none if it never runs out.
    pub items: Option<u32>,
    /// Its weight in the run file.
    pub weight: f64,
}

/// What one optimisation step, or an evaluation, showed of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The task.
    pub task: String,
    /// Its prompts in the batch.
    pub prompts: u32,
    /// Mean reward.
    pub mean_reward: f64,
    /// Mean absolute advantage.
    pub mean_abs_advantage: f64,
    /// Norm of the gradient.
    pub gradient_norm: f64,
    /// Mean token entropy in nats.
    pub entropy: f64,
    /// Accuracy on the validation split, where it was measured.
    pub accuracy: Option<f64>,
}

/// Measured before training; matrices row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The tasks, in the order of rows and columns.
    pub tasks: Vec<String>,
    /// Accuracy of the base model.
    pub base_accuracy: Vec<f64>,
    /// Accuracy of each task after training on it.
    pub self_accuracy: Vec<f64>,
    /// Rows: the task evaluated; columns: the task trained.
    pub backward_transfer: Vec<f64>,
    /// Rows: the task trained; columns: the task evaluated.
    pub entropy_change: Vec<f64>,
}

/// What a scheduler starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The run's tasks.
    pub tasks: Vec<TaskInfo>,
    /// Prompts in one batch.
    pub prompts_per_batch: u32,
    /// How often each prompt is used.
    pub epochs: f64,
    /// What was measured beforehand.
    pub evidence: Option<Evidence>,
    /// A JSON object, what the run sets for this plugin; see [`Setup::config`].
    pub config: String,
    /// All the randomness that there is.
    pub seed: u32,
}

impl Setup {
    /// The configuration, read as `T`.
    ///
    /// # Errors
    /// `invalid-input`, naming the key, when it does not fit.
    #[track_caller]
    pub fn config<T: DeserializeOwned>(&self) -> Result<T> {
        crate::config::read(&self.config)
    }
}

/// So many prompts of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The task.
    pub task: String,
    /// How many prompts of it.
    pub prompts: u32,
}

/// A scheduler. The type is its own state: the host keeps it as bytes (JSON)
/// between the calls and in checkpoints, so all of it must survive `serde`.
pub trait Scheduler: Serialize + DeserializeOwned {
    /// The state before the first batch.
    ///
    /// # Errors
    /// `invalid-input` when the setup makes no sense.
    fn start(setup: &Setup) -> Result<Self>;

    /// The next batch, after what the last one showed; empty when training is over.
    ///
    /// # Errors
    /// When the observations make no sense.
    fn next(&mut self, observations: &[Observation]) -> Result<Vec<Share>>;
}
