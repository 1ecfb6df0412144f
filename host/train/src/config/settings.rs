//! The tables of `RUN.toml`, each with its defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ModelSource, Preset, Sft, Task};

/// A training run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Settings to start from; whatever the file says itself stands above them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The same seed, files and machine give the same bytes.
    pub seed: u64,
    /// The model that is trained.
    pub policy: PolicySource,
    /// AdamW and its learning rate.
    pub optimizer: Optimizer,
    /// Prompts, groups and sampling.
    pub rollout: Rollouts,
    /// The objective.
    pub loss: Loss,
    /// How rewards of a group become advantages.
    pub advantage: Advantage,
    /// Which tasks next, and for how long.
    pub schedule: Schedule,
    /// Held-out evaluation.
    pub eval: Evaluation,
    /// What `omni-host sft` does; `train` does not read it.
    #[serde(skip_serializing_if = "Sft::is_default")]
    pub sft: Sft,
    /// What is kept on disk.
    pub checkpoint: Checkpoint,
    /// The language models that judges ask, by names of the run's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ModelSource>,
    /// The tasks, in the order in which every table shows them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub task: Vec<Task>,
}

/// Where the policy comes from and where it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySource {
    /// A Hugging Face model folder; relative to the run file. It is θ0: the reference of every KL
    /// term, and the tokenizer.
    pub model: PathBuf,
    /// Begin where another run stood: one of its checkpoints (`RUN/checkpoints/step-40`), relative
    /// to the run file. Weights, the optimizer's moments, the steps that the learning rate's warm-up
    /// counts and the running medians of tasks of the same name come from it; steps, records and
    /// the order of each task's prompts begin anew. `model` must be what that run began from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continue_from: Option<PathBuf>,
    /// Where to compute.
    pub device: Device,
    /// Threads; 0 takes all cores. The result does not depend on it.
    pub threads: usize,
}

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// CUDA where it is found, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// CUDA, or an error.
    Cuda,
}

/// AdamW and its learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// Peak learning rate.
    pub lr: f64,
    /// Exponential decay of both moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Which parameters decay.
    pub decay: Decay,
    /// The gradient is scaled down to this norm; 0 leaves it as it is.
    pub max_grad_norm: f64,
    /// The learning rate after its warm-up.
    pub schedule: LrSchedule,
    /// Steps over which the learning rate rises from 0, linearly.
    pub warmup_steps: u64,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            lr: 1e-6,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
            decay: Decay::Matrices,
            max_grad_norm: 1.0,
            schedule: LrSchedule::Constant,
            warmup_steps: 0,
        }
    }
}

/// Which parameters decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// All but biases and norms.
    #[default]
    Matrices,
    /// All.
    All,
}

/// The learning rate after its warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LrSchedule {
    /// It stays.
    #[default]
    Constant,
    /// It falls to 0, linearly.
    Linear,
    /// It falls to 0, along half a cosine.
    Cosine,
}

/// Prompts, groups and sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rollouts {
    /// Prompts in one optimizer batch.
    pub prompts_per_batch: u32,
    /// Optimizer batches that one rollout phase generates for.
    pub batches_per_phase: u32,
    /// Outputs for each prompt.
    pub group_size: u32,
    /// Sampling temperature.
    pub temperature: f64,
    /// Sample among this many most likely tokens; 0 takes all.
    pub top_k: u32,
    /// Sample among the most likely tokens that have this much mass together.
    pub top_p: f64,
    /// Longer prompts are what `long_prompts` says.
    pub max_prompt_tokens: u32,
    /// Tokens after which an output is cut.
    pub max_completion_tokens: u32,
    /// What to do with a prompt that is longer than `max_prompt_tokens`.
    pub long_prompts: LongPrompts,
    /// The distribution that log-probabilities are of, where top-k or top-p cut it.
    pub logprob_support: LogprobSupport,
    /// Threads that score while generation goes on; 0 takes all cores.
    pub scoring_threads: usize,
}

impl Default for Rollouts {
    fn default() -> Self {
        Self {
            prompts_per_batch: 32,
            batches_per_phase: 1,
            group_size: 8,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            max_prompt_tokens: 1024,
            max_completion_tokens: 256,
            long_prompts: LongPrompts::Error,
            logprob_support: LogprobSupport::Full,
            scoring_threads: 0,
        }
    }
}

/// What to do with a prompt that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LongPrompts {
    /// Stop the run.
    #[default]
    Error,
    /// Leave the prompt out; it is counted and shown.
    Skip,
}

/// The distribution that log-probabilities are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogprobSupport {
    /// The whole vocabulary at the sampling temperature.
    #[default]
    Full,
    /// The tokens that top-k and top-p kept, renormalised.
    Sampled,
}

/// The objective; METHOD section 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Loss {
    /// How token losses are put together.
    pub kind: LossKind,
    /// The ratio is clipped at 1 - this.
    pub epsilon_low: f64,
    /// The ratio is clipped at 1 + this.
    pub epsilon_high: f64,
    /// Weight of the KL term; 0 neither loads nor runs a reference.
    pub beta: f64,
    /// Multiply the KL term by the differentiable ratio.
    pub kl_correction: bool,
    /// One ratio for each token, or one for the sequence (GSPO).
    pub ratio: RatioLevel,
    /// Take the tokens of outputs that the length limit cut out of the loss.
    pub mask_truncated: bool,
    /// What `dapo` divides by.
    pub denominator: AggregationDenominator,
    /// Tokens that one forward and backward pass holds; 0 takes a whole batch.
    pub micro_batch_tokens: usize,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            kind: LossKind::Grpo,
            epsilon_low: 0.2,
            epsilon_high: 0.2,
            beta: 0.0,
            kl_correction: false,
            ratio: RatioLevel::Token,
            mask_truncated: false,
            denominator: AggregationDenominator::Batch,
            micro_batch_tokens: 16_384,
        }
    }
}

/// How token losses are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Mean over a sequence's tokens, then over the batch's valid sequences.
    #[default]
    Grpo,
    /// Sum over all tokens, divided by the batch's completion tokens.
    Dapo,
    /// The same for each micro-batch, averaged over them.
    Bnpo,
    /// Sum over all tokens, divided by sequences times the longest completion allowed.
    DrGrpo,
}

/// What the ratio is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RatioLevel {
    /// Each token.
    #[default]
    Token,
    /// The sequence: the geometric mean over its tokens (GSPO).
    Sequence,
}

/// What `dapo` divides by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AggregationDenominator {
    /// The completion tokens of the optimizer batch.
    #[default]
    Batch,
    /// Those of the whole rollout phase; shrinks each gradient when a phase feeds several updates.
    Generation,
}

/// How rewards of a group become advantages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Advantage {
    /// Delta degrees of freedom of the standard deviation: 0 or 1.
    pub ddof: u32,
    /// Added to the standard deviation; with 0, a group without variance has advantage 0.
    pub eps: f64,
    /// What the centred rewards are divided by.
    pub scale: Scale,
    /// How rewards of different scales are made comparable.
    pub normalise: Normalise,
    /// What `normalise = "median"` does.
    pub median: MedianMap,
}

impl Default for Advantage {
    fn default() -> Self {
        Self {
            ddof: 1,
            eps: 1e-4,
            scale: Scale::Group,
            normalise: Normalise::None,
            median: MedianMap::default(),
        }
    }
}

/// How rewards of different scales are made comparable; METHOD section 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// Not at all: a group's advantages are made from its weighted sums (the paper's).
    #[default]
    None,
    /// Each component within its group before the weighted sum, then the sum within the batch
    /// (GDPO).
    Gdpo,
    /// Each task's rewards by a logistic curve through its running median (after MedGRPO).
    Median,
}

/// A task's reward `r` becomes `1 / (1 + exp(−slope · (r − median) / spread − logit(target)))`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MedianMap {
    /// Valid outputs of the task, before the rollout phase at hand, whose rewards the median and
    /// the spread are taken over; those of the phase at hand always count.
    pub window: u32,
    /// What the median becomes, in (0, 1).
    pub target: f64,
    /// How steep the curve is at the median.
    pub slope: f64,
    /// The spread is the interquartile range, but not below this.
    pub floor: f64,
}

impl Default for MedianMap {
    fn default() -> Self {
        Self { window: 4096, target: 0.5, slope: 3.0, floor: 0.1 }
    }
}

/// What centred rewards are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// The standard deviation of the group.
    #[default]
    Group,
    /// The standard deviation of the whole batch.
    Batch,
    /// Nothing (Dr. GRPO).
    None,
}

/// Which tasks next, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// A scheduler component: `pack/name`, or the bare name where it is unique.
    pub plugin: String,
    /// What it is told.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// What was measured before, which `curriculum` chooses its order by: a file of the form that
    /// `plan` reads, relative to the run file. It must know every task that is trained, by its name
    /// in this run; tasks weigh what `task.weight` says, not what the file does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<PathBuf>,
    /// The tasks that are trained, by their names in this run; absent: all. The others are only
    /// evaluated, in validation and test alike; the best checkpoint is chosen by the mean
    /// validation accuracy of those that are trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<String>>,
    /// How often each prompt is used.
    pub epochs: f64,
    /// Optimizer steps after which training ends; 0 leaves it to the scheduler.
    pub max_steps: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            plugin: "joint".into(),
            config: serde_json::Map::new(),
            evidence: None,
            tasks: None,
            epochs: 1.0,
            max_steps: 0,
        }
    }
}

impl Schedule {
    /// Whether a task is trained, by its name in this run.
    #[must_use]
    pub fn trains(&self, task: &str) -> bool {
        self.tasks.as_ref().is_none_or(|tasks| tasks.iter().any(|name| name == task))
    }
}

/// Held-out evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// Evaluate the validation split every so many steps; 0 never does.
    pub every: u64,
    /// Items of each task's validation split.
    pub items: u32,
    /// Sampled outputs for each item; 0 leaves sampling out.
    pub samples: u32,
    /// Their temperature; entropy is measured at 1 only.
    pub temperature: f64,
    /// Also one greedy output for each item.
    pub greedy: bool,
    /// Draws of the bootstrap that intervals come from; 0 leaves intervals out.
    pub bootstrap: u32,
    /// The test split, before the first step and after the last.
    #[serde(rename = "final")]
    pub last: FinalEvaluation,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            every: 0,
            items: 200,
            samples: 1,
            temperature: 1.0,
            greedy: false,
            bootstrap: 1000,
            last: FinalEvaluation::default(),
        }
    }
}

/// The evaluation before the first step and after the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FinalEvaluation {
    /// Items of each task's test split; 0 leaves it out.
    pub items: u32,
    /// Sampled outputs for each item; 0 leaves sampling out.
    pub samples: u32,
    /// Their temperature; entropy is measured at 1 only.
    pub temperature: f64,
    /// Also one greedy output for each item.
    pub greedy: bool,
}

impl Default for FinalEvaluation {
    fn default() -> Self {
        Self { items: 1000, samples: 1, temperature: 1.0, greedy: true }
    }
}

/// What is kept on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoint {
    /// Write one every so many steps; 0 writes only the last (and the best).
    pub every: u64,
    /// How many are kept, beside the best by validation.
    pub keep: u32,
    /// Prompts of each step whose outputs go to `samples.jsonl`.
    pub samples_per_step: u32,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self { every: 50, keep: 2, samples_per_step: 1 }
    }
}
