//! `study.json`: what a study measured and predicted, for its report and for other programs.
//!
//! Tasks stand in the run file's order everywhere; matrices are rows of columns in that order. What
//! is not measured yet is absent, so a study under way has a record too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Estimate;

/// The version of [`Study`].
pub const STUDY_VERSION: u32 = 1;

/// All that a study knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// [`STUDY_VERSION`] of the writer.
    pub version: u32,
    /// What people call it.
    pub name: String,
    /// The tasks.
    pub tasks: Vec<String>,
    /// Their weights α in scores.
    pub weights: Vec<f64>,
    /// The seeds of the training runs.
    pub seeds: Vec<u64>,
    /// How it was measured.
    pub measure: Measure,
    /// Steps of its graph.
    pub progress: Progress,
    /// Policies that were trained or made and evaluated, the base first, in the order of tables.
    pub methods: Vec<Method>,
    /// What single-task training did, by seed.
    pub evidence: Vec<StudyEvidence>,
    /// All orders for up to eight tasks, else those that were planned or trained; best predicted
    /// first.
    pub orders: Vec<OrderRecord>,
    /// How well predictions rank the orders that were trained; none for fewer than three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
}

/// How a study measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// `greedy` or `sampled`.
    pub outputs: String,
    /// Temperature of sampled outputs.
    pub temperature: Option<f64>,
    /// Sampled outputs for each item.
    pub samples: u32,
    /// Items of each task's test split, which tables report.
    pub test_items: u32,
    /// Items of each task's validation split, which evidence, orders and checkpoints come from.
    pub validation_items: u32,
    /// Accuracies below it count as it, where their logarithm is taken.
    pub floor: f64,
    /// Bootstrap samples of errors.
    pub bootstrap: u32,
}

/// How far a study is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Finished steps of the graph.
    pub done: u32,
    /// Steps known so far; more come once the evidence has chosen an order.
    pub total: u32,
    /// Processor seconds of the finished ones.
    pub seconds: f64,
    /// Steps that failed, with what they said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, String>,
}

/// What a policy was made by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MethodKind {
    /// Nothing: θ0.
    #[default]
    Base,
    /// Reinforcement on one task.
    Single,
    /// One task after the other in the order that the evidence chose.
    Curriculum,
    /// One task after the other in another order.
    Order,
    /// Mixed batches of all tasks.
    Joint,
    /// Another scheduler of mixed batches.
    Schedule,
    /// Rejection sampling and fine-tuning.
    Sft,
    /// A merge of the single-task policies.
    Merge,
    /// A run with settings of its own, as ablations are.
    Variant,
}

/// One row of the accuracy table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// A short unique name, as in folders: `base`, `single-math`, `code+math+qa+writing`.
    pub name: String,
    /// What it was made by.
    pub kind: MethodKind,
    /// What people read.
    pub label: String,
    /// The tasks in the order in which they were trained, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<String>>,
    /// One entry for each seed that was measured.
    pub runs: Vec<MethodRun>,
}

/// A method with one seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodRun {
    /// The seed.
    pub seed: u64,
    /// The test split.
    pub test: BTreeMap<String, TaskMeasure>,
    /// The validation split, where it was measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validation: BTreeMap<String, TaskMeasure>,
    /// Optimisation steps from θ0 on, those of shared prefixes included.
    pub steps: u64,
    /// Prompts of all those steps.
    pub prompts: u64,
    /// Seconds that it would have taken alone: its own steps and those of shared prefixes.
    pub seconds: f64,
    /// Weighted mean log gain over θ0 on the test split (eq. 14); a reader that finds none takes it
    /// from the accuracies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<Gain>,
    /// Run folders relative to the study's, in the order of training: curves are read from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<PathBuf>,
    /// Folder of the test evaluation, relative to the study's: sample outputs are read from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<PathBuf>,
}

/// A weighted mean log gain over θ0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// `Σ α ln(acc / acc θ0) / Σ α`.
    pub score: f64,
    /// Its standard error by bootstrap over items, paired with θ0's.
    pub standard_error: f64,
}

/// A policy on a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskMeasure {
    /// The study's accuracy: of sampled or greedy outputs as [`Measure::outputs`] says.
    pub accuracy: Estimate,
    /// Mean token entropy at T = 1 in nats, where outputs were sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// Mean ROUGE-L with the references, where the metric is a preference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rouge_l: Option<f64>,
    /// Mean tokens of an output.
    pub completion_length: f64,
}

/// What single-task training did, measured on validation splits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyEvidence {
    /// The seed of the runs; none for the mean over all seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// θ0's accuracies.
    pub base_accuracy: Vec<f64>,
    /// Each task's after training on itself.
    pub self_accuracy: Vec<f64>,
    /// Log ratios: **row evaluated, column trained**.
    pub backward_transfer: Vec<Vec<f64>>,
    /// Their standard errors by paired bootstrap over items (within a seed).
    pub standard_errors: Vec<Vec<f64>>,
    /// Relative changes of token entropy: **row trained, column evaluated**.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy_change: Option<Vec<Vec<f64>>>,
    /// Where the floor acted: the task evaluated and the one trained (none: θ0).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floored: Vec<(String, Option<String>)>,
}

/// What is known of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// The tasks, first trained first.
    pub order: Vec<String>,
    /// Predicted accuracies by task, from the evidence (its mean over seeds).
    pub predicted: BTreeMap<String, f64>,
    /// Standard errors of the same under the bootstrap of the evidence, where it was made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub predicted_errors: BTreeMap<String, f64>,
    /// Predicted weighted mean log gain over θ0.
    pub score: f64,
    /// Its standard error under the same bootstrap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_error: Option<f64>,
    /// Chance that it is the best, under the bootstrap of the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Whether the bootstrap cannot tell it from the best predicted.
    #[serde(default)]
    pub indistinguishable: bool,
    /// Pairs (raising, lowering) that entropy holds against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entropy_flags: Vec<(String, String)>,
    /// Rules that choose it: `exact`, `greedy`, `forgettability`, `worst`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen_by: Vec<String>,
    /// What training in it came to, by seed, on the test split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<MeasuredOrder>,
}

/// An order as it was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasuredOrder {
    /// The seed.
    pub seed: u64,
    /// Accuracies by task.
    pub accuracy: BTreeMap<String, f64>,
    /// Weighted mean log gain over θ0 on the same split.
    pub score: f64,
    /// Standard error of the score by bootstrap over items.
    pub standard_error: f64,
}

/// How well predicted scores rank measured ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// Orders that were both predicted and trained.
    pub orders: u32,
    /// The seed (or mean of seeds) whose measured scores are ranked.
    pub of: String,
    /// Predicted against measured scores.
    pub spearman: Correlation,
    /// The same by pairs.
    pub kendall: Correlation,
    /// The noise ceiling: measured scores of one seed against those of another, over the orders
    /// that were trained with both; none without a second seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
}

/// Measured scores of two seeds against each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// The seeds.
    pub seeds: (u64, u64),
    /// Orders trained with both.
    pub orders: u32,
    /// Rank correlation.
    pub spearman: Correlation,
    /// By pairs.
    pub kendall: Correlation,
}

/// A rank correlation with its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// The coefficient.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided p-value of no association by permutation; none where it was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
}
