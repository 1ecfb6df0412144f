//! Evaluation on held-out items: greedy, or sampled at a temperature, with pass@k and entropy.

use std::sync::atomic::AtomicBool;

use omni_policy::{Policy, Tokenizer};
use omni_record::{EvalEvent, Sample};

use crate::outside::{Problems, Progress, Scorer};
use crate::{RunConfig, TaskSpec, TrainError};

/// What to evaluate on.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalPlan {
    /// Written to the record: `validation` or `test`.
    pub purpose: String,
    /// One split for each task.
    pub splits: Vec<String>,
    /// Items of each split; fewer where it has fewer.
    pub items: u32,
    /// Sampled outputs for each item; 0 leaves sampling out.
    pub samples: u32,
    /// Their temperature.
    pub temperature: f64,
    /// Also one greedy output for each item.
    pub greedy: bool,
    /// Items of each task whose outputs are returned as samples.
    pub shown: u32,
}

/// Everything that an evaluation is made of.
pub struct Evaluation<'a> {
    /// The resolved configuration: lengths, sampling, seed.
    pub config: &'a RunConfig,
    /// One for each `[[task]]`, in the same order.
    pub tasks: &'a [TaskSpec],
    /// The policy.
    pub policy: &'a mut dyn Policy,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Where items come from.
    pub problems: &'a dyn Problems,
    /// Scores outputs.
    pub scorer: &'a dyn Scorer,
    /// The audience.
    pub progress: &'a dyn Progress,
    /// Set from outside to give up.
    pub stop: &'a AtomicBool,
}

/// Evaluates; none where `stop` was set before it was done.
///
/// # Errors
/// A model, source or reward that fails, or a task without the split.
pub fn evaluate(
    evaluation: Evaluation<'_>,
    plan: &EvalPlan,
    step: u64,
) -> Result<Option<(EvalEvent, Vec<Sample>)>, TrainError> {
    let _ = (evaluation, plan, step);
    Err(TrainError::Resume("evaluation is not built yet".into()))
}
