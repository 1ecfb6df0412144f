//! `[sft]` of `RUN.toml`: rejection sampling, and fine-tuning on what it keeps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{finite_at_least, positive_temperature, require};
use super::{ConfigError, LrSchedule, Optimizer, RunConfig};

/// What `omni-host sft` does: it samples from the base policy, keeps correct outputs, and fine-tunes
/// on them. Lengths, top-k and top-p are `[rollout]`'s; what of AdamW is not said here is
/// `[optimizer]`'s; `[eval]` and `[checkpoint]` are as in `train`. The defaults are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sft {
    /// Outputs sampled for each prompt.
    pub samples: u32,
    /// Of each prompt's correct outputs, so many different texts are kept at most.
    pub keep: u32,
    /// Training prompts of each task, the first in the order in which `train` uses them; absent: the
    /// task's `items`, or its whole split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts: Option<u32>,
    /// Sampling temperature; absent: the task's, or `rollout.temperature`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Kept outputs in one optimizer batch; the last one may be short.
    pub batch: u32,
    /// How often each kept output is used.
    pub epochs: f64,
    /// Peak learning rate.
    pub lr: f64,
    /// The learning rate after its warm-up.
    pub schedule: LrSchedule,
    /// Steps over which the learning rate rises from 0, linearly.
    pub warmup_steps: u64,
    /// Optimizer steps after which training ends; 0 leaves it to `epochs`.
    pub max_steps: u64,
}

impl Default for Sft {
    fn default() -> Self {
        Self {
            samples: 128,
            keep: 4,
            prompts: None,
            temperature: None,
            batch: 128,
            epochs: 3.0,
            lr: 2.5e-6,
            schedule: LrSchedule::Cosine,
            warmup_steps: 0,
            max_steps: 0,
        }
    }
}

impl RunConfig {
    /// Checks what rejection sampling cannot do with a run file that is right otherwise.
    ///
    /// # Errors
    /// The setting, and what to do.
    pub fn validate_for_sft(&self) -> Result<(), ConfigError> {
        if self.policy.continue_from.is_none() {
            return Ok(());
        }
        Err(ConfigError::new(
            "policy.continue_from",
            "rejection sampling begins from the base policy",
        )
        .help("leave it out, or name the policy to sample from as policy.model"))
    }
}

/// More outputs than this for one prompt would not fit into memory at once.
const MOST_SAMPLES: u32 = 65_536;

impl Sft {
    /// True where nothing differs from the defaults, so that runs that do not use it need not name
    /// it.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// AdamW with this table's learning rate.
    pub(crate) fn optimizer(&self, optimizer: &Optimizer) -> Optimizer {
        Optimizer {
            lr: self.lr,
            schedule: self.schedule,
            warmup_steps: self.warmup_steps,
            ..optimizer.clone()
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        require(
            (1..=MOST_SAMPLES).contains(&self.samples),
            "sft.samples",
            &format!("must lie in 1 to {MOST_SAMPLES}, not {}", self.samples),
        )?;
        require(self.keep > 0, "sft.keep", "must be at least 1")?;
        require(
            self.prompts != Some(0),
            "sft.prompts",
            "must be at least 1; leave it out for all of a task's prompts",
        )?;
        if let Some(temperature) = self.temperature {
            positive_temperature(temperature, "sft.temperature")?;
        }
        require(self.batch > 0, "sft.batch", "must be at least 1")?;
        require(
            self.epochs.is_finite() && self.epochs > 0.0,
            "sft.epochs",
            &format!("must be a number above 0, not {}", self.epochs),
        )?;
        finite_at_least(self.lr, 0.0, "sft.lr")
    }
}
