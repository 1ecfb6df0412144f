//! What training sees of the world: problems, scores, schedules and an audience, as traits.
//!
//! Plugins stand behind them in the program; a test writes them out in a few lines. All are object
//! safe. A task is spoken of by its index in the run file.

use std::path::Path;

use omni_record::{
    EvalEvent, GroupScore, Item, RejectionEvent, Rollout, StepEvent, SupervisedEvent,
};

/// An error from behind one of these traits; its message is for people.
pub type OutsideError = Box<dyn std::error::Error + Send + Sync>;

/// Scores groups. Called from several threads at once while generation goes on.
pub trait Scorer: Sync {
    /// Scores all outputs of one item; faults are undefined components, never an error.
    /// `seed` depends on the run's seed and the item's place in it alone.
    fn score(&self, task: usize, item: &Item, rollouts: &[Rollout], seed: u32) -> GroupScore;
}

/// A split of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Its name.
    pub name: String,
    /// Its items; none for a generator that never runs out.
    pub items: Option<u32>,
}

/// Where problems come from. The same arguments always give the same items.
pub trait Problems {
    /// The splits that a task has.
    ///
    /// # Errors
    /// When the source is broken.
    fn splits(&self, task: usize) -> Result<Vec<Split>, OutsideError>;

    /// Items `offset .. offset + limit` of a split; fewer only at its end.
    ///
    /// # Errors
    /// When the source is broken or has no such split.
    fn items(
        &self,
        task: usize,
        split: &str,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Item>, OutsideError>;
}

/// A task as a scheduler sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// Its name.
    pub name: String,
    /// Its training prompts; none for a generator that never runs out.
    pub items: Option<u32>,
    /// Its weight in the objective.
    pub weight: f64,
}

/// What was measured before training, from which an order of tasks can be chosen; METHOD sections 4
/// and 5.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The tasks, in the matrices' order; it may know more of them than are trained.
    pub tasks: Vec<String>,
    /// Accuracy of the first policy, by task.
    pub base_accuracy: Vec<f64>,
    /// Accuracy of each task after training on it alone.
    pub self_accuracy: Vec<f64>,
    /// Backward transfer: rows are the tasks evaluated, columns the tasks trained.
    pub backward_transfer: Vec<Vec<f64>>,
    /// Relative changes of entropy: rows are the tasks trained, columns the tasks evaluated.
    pub entropy_change: Option<Vec<Vec<f64>>>,
}

/// What a scheduler knows at the beginning, beside its own configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleSetup {
    /// The tasks that are trained, in the order of the run file.
    pub tasks: Vec<TaskInfo>,
    /// Prompts in a batch.
    pub prompts_per_batch: u32,
    /// How often each prompt is to be used.
    pub epochs: f64,
    /// The run's seed.
    pub seed: u32,
    /// What was measured before, where there is something.
    pub evidence: Option<Evidence>,
}

/// What one optimisation step, or an evaluation, showed of one task.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Observation {
    /// The task.
    pub task: String,
    /// Prompts of the step; 0 for an evaluation.
    pub prompts: u32,
    /// Mean reward of the valid outputs.
    pub mean_reward: f64,
    /// Mean of |advantage| over them.
    pub mean_abs_advantage: f64,
    /// L2 norm of the step's gradient before clipping: of the part that the task's outputs
    /// contribute, where [`Scheduler::wants_task_gradients`], else of the whole batch's.
    pub gradient_norm: f64,
    /// Mean token entropy, in nats.
    pub entropy: f64,
    /// Held-out accuracy, where an evaluation was made.
    pub accuracy: Option<f64>,
}

/// How many prompts of a task a batch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The task.
    pub task: String,
    /// Prompts.
    pub prompts: u32,
}

/// What a scheduler says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Handed back at the next call, and kept in checkpoints.
    pub state: Vec<u8>,
    /// The next batch; empty when training is over.
    pub batch: Vec<Share>,
}

/// Says which tasks the next batch is drawn from. Keeps nothing: its state goes in and out.
pub trait Scheduler {
    /// The first state.
    ///
    /// # Errors
    /// When the set-up is not one that it can schedule.
    fn start(&mut self, setup: &ScheduleSetup) -> Result<Vec<u8>, OutsideError>;

    /// The next batch. `observations` are those since the last call.
    ///
    /// # Errors
    /// When the scheduler is broken or the state is not its own.
    fn next(
        &mut self,
        state: &[u8],
        observations: &[Observation],
    ) -> Result<Decision, OutsideError>;

    /// Whether observations are to hold the norm of each task's part of the gradient, which costs a
    /// copy of the gradient, instead of the whole batch's.
    fn wants_task_gradients(&self) -> bool {
        false
    }
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Writing outputs, while those that are finished are scored.
    Generate,
    /// Waiting for the last scores.
    Score,
    /// Rejection sampling: writing and scoring, before supervised training.
    Sample,
    /// Forward, backward and optimizer.
    Update,
    /// Held-out evaluation.
    Evaluate,
}

/// Something that an audience may want to show.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report<'a> {
    /// The run begins; `steps` is none where only the scheduler knows.
    Begin {
        /// Steps already taken (a resumed run).
        done: u64,
        /// Steps that the run will take at most.
        steps: Option<u64>,
    },
    /// `done` of `total` prompts of a phase are finished.
    Phase {
        /// The phase.
        phase: Phase,
        /// Finished.
        done: usize,
        /// In all.
        total: usize,
    },
    /// A step was taken.
    Step(&'a StepEvent),
    /// Rejection sampling is done, or has come so far that it may be worth a line.
    Rejection {
        /// Prompts that were sampled.
        done: u64,
        /// Prompts in all.
        total: u64,
        /// What it came to so far.
        event: &'a RejectionEvent,
    },
    /// A supervised step was taken.
    Supervised(&'a SupervisedEvent),
    /// An evaluation was made.
    Eval(&'a EvalEvent),
    /// A checkpoint was written.
    Checkpoint {
        /// After this step.
        step: u64,
        /// Where.
        path: &'a Path,
    },
    /// A supervised step was taken (warm-up only).
    Warmup {
        /// Steps taken.
        step: u64,
        /// Steps in all.
        steps: u64,
        /// Mean loss of a token since the last report.
        loss: f64,
        /// The learning rate.
        lr: f64,
        /// Gradient norm.
        grad_norm: f64,
    },
    /// Something that a person should know.
    Notice(&'a str),
}

/// An audience.
pub trait Progress {
    /// Told from the training thread, in order.
    fn report(&self, report: Report<'_>);
}

/// An audience that shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _: Report<'_>) {}
}
