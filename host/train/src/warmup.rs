//! Supervised training on the tasks' own demonstrations (`data.demonstration` of their items):
//! makes the model that reinforcement starts from, or continues one.

use std::sync::atomic::AtomicBool;

use omni_policy::{Policy, Tokenizer};

use crate::outside::{Problems, Progress};
use crate::{TrainError, WarmupConfig};

/// Everything that a warm-up is made of. `problems` speaks of tasks by their index in the
/// warm-up file.
pub struct Warmup<'a> {
    /// The configuration.
    pub config: &'a WarmupConfig,
    /// The policy, of whatever weights it begins with.
    pub policy: &'a mut dyn Policy,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Where demonstrations come from.
    pub problems: &'a dyn Problems,
    /// The audience.
    pub progress: &'a dyn Progress,
    /// Set from outside to end after the step at hand.
    pub stop: &'a AtomicBool,
}

/// What a warm-up came to.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmupSummary {
    /// Steps taken.
    pub steps: u64,
    /// Mean loss of a token over the last tenth of the steps.
    pub loss: f64,
    /// Demonstrations used at least once.
    pub demonstrations: u64,
    /// Demonstrations left out for their length.
    pub too_long: u64,
}

/// The texts that a new tokenizer is trained on: prompts and demonstrations.
///
/// # Errors
/// A source that fails, or an item without a demonstration.
pub fn corpus(config: &WarmupConfig, problems: &dyn Problems) -> Result<Vec<String>, TrainError> {
    let _ = (config, problems);
    Err(TrainError::Resume("warm-up is not built yet".into()))
}

/// Trains the policy; saving it is the caller's.
///
/// # Errors
/// A source or a model that fails, an item without a demonstration.
pub fn warmup(warmup: Warmup<'_>) -> Result<WarmupSummary, TrainError> {
    let _ = warmup;
    Err(TrainError::Resume("warm-up is not built yet".into()))
}
