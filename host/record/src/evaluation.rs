//! What an evaluation showed: by task, category, benchmark, domain and set of references.
//!
//! Every mean is an [`Estimate`]: over items, each weighing the same, with a standard error and a
//! bootstrap interval. Fields that older records lack read as absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One evaluation of held-out items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvalEvent {
    /// Optimisation steps taken before it.
    pub step: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// Why: `validation`, or `test` for the tables at the beginning and the end.
    pub purpose: String,
    /// Temperature of the sampled outputs; none where only greedy ones were made.
    pub temperature: Option<f64>,
    /// By task.
    pub tasks: BTreeMap<String, TaskEval>,
    /// By domain, where the run file groups tasks into domains.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub domains: BTreeMap<String, DomainEval>,
    /// How the intervals were made; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// How the intervals of an evaluation were made: by drawing items with replacement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Draws.
    pub resamples: u32,
    /// Probability that an interval is meant to hold, between its percentiles.
    pub level: f64,
    /// The run's seed, from which those of the draws are made.
    pub seed: u64,
}

/// What an evaluation showed of one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskEval {
    /// The split.
    pub split: String,
    /// The domain that the task is a benchmark of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Items evaluated.
    pub items: u32,
    /// Items left out because their prompts were too long.
    pub long_prompts: u32,
    /// Items that need what the sandbox lacks; they are in no mean.
    #[serde(default)]
    pub unsupported: u32,
    /// Items without a score for another reason; they are in no mean either.
    #[serde(default)]
    pub unscored: u32,
    /// Later turns that were not asked because the conversation had become too long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub long_turns: u32,
    /// The component that `accuracy` is the mean of.
    pub metric: String,
    /// Mean of the metric over sampled outputs, items weighing equally.
    pub sampled: Option<Estimate>,
    /// The same over greedy outputs.
    pub greedy: Option<Estimate>,
    /// Unbiased pass@k by k, over sampled outputs.
    #[serde(deserialize_with = "by_k")]
    pub pass_at_k: BTreeMap<u32, f64>,
    /// pass@1 with its interval: the fraction of sampled outputs that succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass_at_1: Option<Estimate>,
    /// By the items' `data.category`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<String, PartEval>,
    /// By the items' `data.benchmark`, where they name several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub benchmarks: BTreeMap<String, PartEval>,
    /// Mean over categories, each weighing the same; `sampled` and `greedy` are over items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_average: Option<Average>,
    /// By set of references, where items have several; `sampled` and `greedy` then pool them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<String, PartEval>,
    /// By turn of the conversation, counted from 1, where there is more than one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "by_k")]
    pub turns: BTreeMap<u32, PartEval>,
    /// What a judge said, where the metric is a preference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<Verdicts>,
    /// Mean ROUGE-L (F measure) of the outputs with their references, where the metric is a
    /// preference; over sampled outputs, or greedy ones where none were sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rouge_l: Option<Estimate>,
    /// Mean token entropy of sampled outputs, in nats; none where they were sampled at another
    /// temperature than 1.
    pub entropy: Option<f64>,
    /// Mean of each component over sampled outputs (greedy, where none were sampled).
    pub components: BTreeMap<String, Option<f64>>,
    /// Mean tokens of an output.
    pub completion_length: f64,
    /// Fraction of outputs that the length limit cut.
    pub truncated_fraction: f64,
    /// Undefined components, by the kind of their reason.
    pub undefined: BTreeMap<String, u64>,
    /// Of those, where a judge is to blame: by what its model failed with, `no-verdict` or `plugin`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub judge_failures: BTreeMap<String, u64>,
    /// What came to nothing through somebody's fault, over all outputs.
    #[serde(default)]
    pub lost: Lost,
}

/// Outputs without a value of the metric through somebody's fault, sampled and greedy. An output
/// counts once for each set of references that it is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Outputs without a value.
    pub outputs: u64,
    /// Of so many: all but those that are unsupported, and those that a preference scores 0
    /// without a comparison, since there is no answer in them.
    pub of: u64,
    /// By the kind of the reason; a judge's as `judge: ` and what its model failed with.
    pub kinds: BTreeMap<String, u64>,
}

impl Lost {
    /// The fraction that was lost; 0 of nothing.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        self.outputs as f64 / self.of.max(1) as f64
    }

    /// Whether every output has a value.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.outputs == 0
    }
}

impl TaskEval {
    /// The accuracy that checkpoints are chosen by: sampled where there is one, else greedy.
    #[must_use]
    pub fn accuracy(&self) -> Option<&Estimate> {
        self.sampled.as_ref().or(self.greedy.as_ref())
    }

    /// Undefined components that are somebody's fault: all but those that are unsupported.
    #[must_use]
    pub fn faults(&self) -> u64 {
        let unsupported = crate::ReasonKind::Unsupported.as_str();
        self.undefined.iter().filter(|(kind, _)| *kind != unsupported).map(|(_, n)| n).sum()
    }
}

/// What an evaluation showed of a part of a task's items or judgements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartEval {
    /// Items.
    pub items: u32,
    /// Those that need what the sandbox lacks.
    #[serde(default)]
    pub unsupported: u32,
    /// Mean of the metric over sampled outputs.
    pub sampled: Option<Estimate>,
    /// The same over greedy outputs.
    pub greedy: Option<Estimate>,
    /// What a judge said, where the metric is a preference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<Verdicts>,
    /// Mean ROUGE-L with the references of this part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rouge_l: Option<Estimate>,
}

/// A mean of means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// Over sampled outputs.
    pub sampled: Option<Estimate>,
    /// Over greedy outputs.
    pub greedy: Option<Estimate>,
}

/// The average of a domain's benchmarks, each weighing the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DomainEval {
    /// The benchmarks: tasks, or `task/benchmark` where a task's items name several.
    pub benchmarks: Vec<String>,
    /// Over sampled outputs; none unless every benchmark has a value.
    pub sampled: Option<Estimate>,
    /// Over greedy outputs.
    pub greedy: Option<Estimate>,
}

/// Judgements by their outcome; those without a verdict are in none of them. Of sampled outputs,
/// or of greedy ones where none were sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// The policy's text was preferred.
    pub wins: u64,
    /// Neither was.
    pub ties: u64,
    /// The reference was preferred.
    pub losses: u64,
}

/// A mean over items and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error over items.
    pub standard_error: f64,
    /// Items with at least one defined output.
    pub items: u32,
    /// Lower end of the bootstrap interval; none for fewer than two items, or without a bootstrap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the bootstrap interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Within a tagged enum, serde hands over integer keys as the strings that JSON has.
pub(crate) fn by_k<'de, D, T>(deserializer: D) -> Result<BTreeMap<u32, T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    BTreeMap::<String, T>::deserialize(deserializer)?
        .into_iter()
        .map(|(k, value)| Ok((k.parse().map_err(serde::de::Error::custom)?, value)))
        .collect()
}
