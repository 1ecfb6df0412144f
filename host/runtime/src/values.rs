//! Plain Rust forms of the contract's values that only this crate and its callers speak of.
//!
//! Items, rollouts and components come from `omni-record`, because runs keep them.

use omni_record::Message;
use serde::{Deserialize, Serialize};

use crate::limits::ProgramLimits;

/// A split of a task's problems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Its name.
    pub name: String,
    /// How many items; none for a generator that never runs out.
    pub items: Option<u32>,
}

/// A program for an interpreter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    /// The language, as an interpreter names it.
    pub language: String,
    /// The source text.
    pub source: String,
    /// Its standard input.
    pub stdin: String,
    /// The only randomness it gets.
    pub seed: u32,
    /// What it may use; capped by task and operator.
    pub limits: Option<ProgramLimits>,
}

/// What stopped a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopKind {
    /// Out of fuel.
    Fuel,
    /// Out of memory.
    Memory,
    /// The backstop deadline; not reproducible.
    Time,
    /// More output than allowed.
    Output,
    /// The interpreter itself trapped under it.
    Trap,
}

impl StopKind {
    /// The word that people read.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Output => "output",
            Self::Trap => "trap",
        }
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It ran to its end.
    Exited,
    /// It raised; the text is the language's own report.
    Raised(String),
    /// The host stopped it.
    Stopped {
        /// By which limit.
        kind: StopKind,
        /// For people.
        message: String,
    },
}

/// What running a program gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// How it ended.
    pub status: Status,
    /// What it printed.
    pub stdout: String,
    /// What it printed to standard error.
    pub stderr: String,
    /// Fuel consumed, as the host measured it.
    pub fuel: u64,
}

/// A pairwise comparison for a judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What both texts answer.
    pub conversation: Vec<Message>,
    /// The one text.
    pub first: String,
    /// The other.
    pub second: String,
    /// What to look at.
    pub rubric: Option<String>,
    /// A judge of the task by name; none is the task's default.
    pub judge: Option<String>,
}

/// Which text is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preference {
    /// The first.
    First,
    /// Neither.
    Tie,
    /// The second.
    Second,
}

/// What a judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It decided.
    Preferred(Preference),
    /// It gave no usable verdict, and why.
    Undecided(String),
}

/// One task, as a scheduler sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Its name in the run.
    pub name: String,
    /// Items in its training split; none if it never runs out.
    pub items: Option<u32>,
    /// Its weight.
    pub weight: f64,
}

/// What one optimisation step, or an evaluation, showed of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The task.
    pub task: String,
    /// How many of its prompts.
    pub prompts: u32,
    /// Mean reward.
    pub mean_reward: f64,
    /// Mean of the advantages' absolute values.
    pub mean_abs_advantage: f64,
    /// Norm of the step's gradient.
    pub gradient_norm: f64,
    /// Mean token entropy.
    pub entropy: f64,
    /// Held-out accuracy, where it was measured.
    pub accuracy: Option<f64>,
}

/// What was measured before training; matrices row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The tasks, in the matrices' order.
    pub tasks: Vec<String>,
    /// Accuracy of the base model.
    pub base_accuracy: Vec<f64>,
    /// Accuracy after training on the task alone.
    pub self_accuracy: Vec<f64>,
    /// Rows: the task evaluated; columns: the task trained.
    pub backward_transfer: Vec<f64>,
    /// Rows: the task trained; columns: the task evaluated.
    pub entropy_change: Vec<f64>,
}

/// What a scheduler starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The run's tasks.
    pub tasks: Vec<TaskInfo>,
    /// Prompts in a full batch.
    pub prompts_per_batch: u32,
    /// How often each prompt is used.
    pub epochs: f64,
    /// Measured transfers, if there are any.
    pub evidence: Option<Evidence>,
    /// The scheduler's configuration, a JSON object.
    pub config: String,
    /// The run's seed.
    pub seed: u32,
}

/// How many prompts of one task a batch holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The task.
    pub task: String,
    /// How many of its prompts.
    pub prompts: u32,
}

/// A scheduler's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Opaque; handed back at the next call and kept in checkpoints.
    pub state: Vec<u8>,
    /// The next batch; empty when training is over.
    pub batch: Vec<Share>,
}
