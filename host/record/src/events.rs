//! `events.jsonl`: what a run did, one JSON object a line.
//!
//! A step's line has exactly the fields of [`StepEvent`]; readers of other programs find it by
//! `"event": "step"`. [`VERSION`] stands in the first line; a reader refuses a newer one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evaluation::by_k;
use crate::{EvalEvent, Fuel};

/// The version of the records in this crate.
pub const VERSION: u32 = 1;

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Event {
    /// The run began; always the first line.
    Start(StartEvent),
    /// One optimisation step.
    Step(StepEvent),
    /// One evaluation of held-out items.
    Eval(EvalEvent),
    /// What a supervised run learns from was sampled and sifted; follows the start.
    Rejection(RejectionEvent),
    /// One step of supervised training.
    Supervised(SupervisedEvent),
}

impl Event {
    /// The optimisation step after which it happened; 0 is before the first.
    #[must_use]
    pub fn step(&self) -> u64 {
        match self {
            Self::Start(_) | Self::Rejection(_) => 0,
            Self::Step(e) => e.step,
            Self::Eval(e) => e.step,
            Self::Supervised(e) => e.step,
        }
    }

    /// Seconds since 1970 when it was recorded.
    #[must_use]
    pub fn time(&self) -> f64 {
        match self {
            Self::Start(e) => e.time,
            Self::Step(e) => e.time,
            Self::Eval(e) => e.time,
            Self::Rejection(e) => e.time,
            Self::Supervised(e) => e.time,
        }
    }
}

/// How the run began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartEvent {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Seconds since 1970.
    pub time: f64,
    /// The tasks, in the order of the run file.
    pub tasks: Vec<String>,
    /// The run's seed.
    pub seed: u64,
    /// Parameters of the policy.
    pub parameters: u64,
}

/// One optimisation step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepEvent {
    /// Counted from 1.
    pub step: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// What the step showed of each task that it held.
    pub tasks: BTreeMap<String, TaskStep>,
    /// The loss.
    pub loss: f64,
    /// Mean of k3 over the completion tokens of tasks with a KL term; 0 where there is none.
    pub kl: f64,
    /// Fraction of completion tokens (or sequences) whose ratio was clipped from below.
    pub clip_low: f64,
    /// Fraction of completion tokens (or sequences) whose ratio was clipped from above.
    pub clip_high: f64,
    /// L2 norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The learning rate.
    pub lr: f64,
    /// Seconds of each phase.
    pub seconds: BTreeMap<String, f64>,
    /// Tokens of each phase.
    pub tokens: BTreeMap<String, u64>,
    /// What scoring consumed.
    pub fuel: Fuel,
}

/// What one step showed of one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskStep {
    /// Prompts, without those that were left out for their length.
    pub prompts: u32,
    /// Prompts left out because they were too long.
    pub long_prompts: u32,
    /// Outputs.
    pub rollouts: u32,
    /// Outputs that were not excluded.
    pub valid: u32,
    /// Mean reward of the valid outputs; none where there is none.
    pub reward_mean: Option<f64>,
    /// Standard deviation of the same (over all of them, not within groups).
    pub reward_std: Option<f64>,
    /// Mean of each component where it is defined; none where it never is.
    pub components: BTreeMap<String, Option<f64>>,
    /// Mean of |advantage| over the valid outputs.
    pub mean_abs_advantage: f64,
    /// Mean over outputs of the mean over tokens of the policy's entropy, in nats.
    pub entropy: Option<f64>,
    /// Mean tokens of an output.
    pub completion_length: f64,
    /// Fraction of outputs that the length limit cut.
    pub truncated_fraction: f64,
    /// Fraction of groups whose valid outputs all have the same reward.
    pub zero_variance_fraction: f64,
    /// Unbiased pass@k by k, success being a metric component of 1.
    #[serde(deserialize_with = "by_k")]
    pub pass_at_k: BTreeMap<u32, f64>,
    /// Undefined components, by the kind of their reason.
    pub undefined: BTreeMap<String, u64>,
    /// Of those, where a judge is to blame: by what its model failed with, `no-verdict` or `plugin`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub judge_failures: BTreeMap<String, u64>,
    /// L2 norm of the task's part of the gradient, before clipping; none unless the scheduler
    /// observes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// What rewards were mapped by, where `advantage.normalise = "median"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_map: Option<RewardMap>,
}

/// The running median of a task's rewards and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardMap {
    /// The reward that became the target.
    pub median: f64,
    /// The interquartile range that rewards were divided by, not below its floor.
    pub spread: f64,
}

/// What rejection sampling came to; `rejection.jsonl` holds its outputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RejectionEvent {
    /// Seconds since 1970.
    pub time: f64,
    /// Seconds that this process sampled for; less than all where it went on after a kill.
    pub seconds: f64,
    /// Outputs sampled for each prompt.
    pub samples: u32,
    /// Outputs kept of each prompt at most.
    pub keep: u32,
    /// By task; those that are not trained are absent.
    pub tasks: BTreeMap<String, RejectionTask>,
}

/// What rejection sampling came to on one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RejectionTask {
    /// Prompts that were sampled, without those that were left out for their length.
    pub prompts: u64,
    /// Prompts left out because they were too long.
    pub long_prompts: u64,
    /// Outputs.
    pub sampled: u64,
    /// Outputs whose metric is 1.
    pub correct: u64,
    /// Outputs that the length limit cut, whatever their score.
    pub cut: u64,
    /// Outputs whose metric, or another required component, is undefined.
    pub undefined: u64,
    /// Outputs kept.
    pub kept: u64,
    /// Prompts of which nothing was kept.
    pub without: u64,
}

/// One step of supervised training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SupervisedEvent {
    /// Counted from 1.
    pub step: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// Mean over the batch's completion tokens of −log p, in nats, before the step.
    pub loss: f64,
    /// L2 norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The learning rate.
    pub lr: f64,
    /// How often the examples have been used by the end of the step: 1 is all of them once.
    pub epoch: f64,
    /// Examples of the batch.
    pub examples: u64,
    /// Their completion tokens, each end-of-sequence token included.
    pub tokens: u64,
    /// Their prompts' tokens, which are only read.
    pub prompt_tokens: u64,
    /// Seconds that the step took.
    pub seconds: f64,
    /// The batch by task; a task without an example in it is absent.
    pub tasks: BTreeMap<String, SupervisedTask>,
}

/// What a supervised step held of one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SupervisedTask {
    /// Examples.
    pub examples: u64,
    /// Their completion tokens.
    pub tokens: u64,
    /// Mean of −log p over these tokens.
    pub loss: f64,
}

/// One line of `samples.jsonl`: a prompt with what the policy wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The optimisation step that it belongs to.
    pub step: u64,
    /// `train`, or an evaluation's purpose.
    pub purpose: String,
    /// The task.
    pub task: String,
    /// The item's id.
    pub item: String,
    /// Which of a conversation's answers these are, counted from 1; none where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// The set of references that the components are of, where the item has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The prompt as the policy read it.
    pub prompt: String,
    /// The reference, if the item has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The whole problem, with which the outputs can be scored again; none in records of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Box<crate::Item>>,
    /// The seed that its scoring was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// The outputs.
    pub outputs: Vec<SampleOutput>,
}

/// One output of a [`Sample`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleOutput {
    /// What the policy wrote.
    pub text: String,
    /// Its tokens.
    pub tokens: u32,
    /// Why it ended.
    pub finish: crate::Finish,
    /// The weighted sum; none where the output was excluded.
    pub reward: Option<f64>,
    /// Its advantage; none in an evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advantage: Option<f64>,
    /// Its components.
    pub components: Vec<crate::Component>,
}
