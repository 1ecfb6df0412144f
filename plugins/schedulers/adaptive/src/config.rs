//! What a run can set, and what it hands in, checked.

use omni_sdk::scheduler::{Error, Evidence, Result, Setup};
use serde::{Deserialize, Serialize};

/// `schedule.config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// κ: how strongly shares follow what is known of transfer and entropy; 0: not at all.
    pub(crate) strength: f64,
    /// The part of its share in joint training that a task always has.
    pub(crate) least: f64,
    /// Logarithm of the factor by which a task has more while it is being tried.
    pub(crate) probe: f64,
    /// x: a task closes a factor eˣ of its gap in all its prompts.
    pub(crate) saturation: f64,
    /// Whether transfers are estimated while training goes on; else the evidence stands.
    pub(crate) estimate: bool,
    /// The run's `schedule.max_steps`, where that ends it before its prompts do.
    pub(crate) max_steps: Option<u32>,
    /// γ: how strongly amounts follow the learning signal in such a run; 0: not at all.
    pub(crate) signal: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            strength: 4.0,
            least: 0.25,
            probe: 0.7,
            saturation: 3.0,
            estimate: true,
            max_steps: None,
            signal: 0.5,
        }
    }
}

impl Config {
    /// # Errors
    /// `invalid-input` for a value that makes no sense.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |key: &str, wanted: &str| {
            Err(Error::invalid_input(format!("`{key}` must be {wanted}")))
        };
        for (key, value) in
            [("strength", self.strength), ("signal", self.signal), ("probe", self.probe)]
        {
            if !(0.0..=100.0).contains(&value) {
                return wrong(key, "between 0 and 100");
            }
        }
        if !(0.0..=1.0).contains(&self.least) {
            return wrong("least", "between 0 and 1");
        }
        if !(0.001..=100.0).contains(&self.saturation) {
            return wrong("saturation", "between 0.001 and 100");
        }
        if self.max_steps == Some(0) {
            return wrong("max_steps", "above 0; leave it out where the run uses all its prompts");
        }
        Ok(())
    }
}

/// The run's weights α, 1 on average.
///
/// # Errors
/// `invalid-input` for one that is negative or no number, and where all are 0.
pub(crate) fn weights(setup: &Setup) -> Result<Vec<f64>> {
    let weights: Vec<f64> = setup.tasks.iter().map(|task| task.weight).collect();
    if let Some(task) = setup.tasks.iter().find(|it| !(it.weight.is_finite() && it.weight >= 0.0)) {
        let message = format!("the weight of `{}` is {}", task.name, task.weight);
        return Err(Error::invalid_input(message + "; it must not be negative"));
    }
    let most = weights.iter().copied().fold(0.0, f64::max);
    if most == 0.0 {
        return Err(Error::invalid_input("all tasks have the weight 0; at least one must count"));
    }
    // The largest first: a sum of numbers that are as large as there are would overflow.
    let weights: Vec<f64> = weights.iter().map(|weight| weight / most).collect();
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    Ok(weights.iter().map(|weight| weight / mean).collect())
}

/// Whether evidence is in shape; it may know other tasks than the run, and fewer. The diagonal of
/// `backward_transfer` and the accuracies are not used.
///
/// # Errors
/// `invalid-input`, naming what does not fit.
pub(crate) fn check(evidence: &Evidence) -> Result<()> {
    let size = evidence.tasks.len();
    let finite = |values: &[f64], but_for_diagonal: bool| {
        let skipped = |at: usize| but_for_diagonal && at.is_multiple_of(size + 1);
        values.iter().enumerate().all(|(at, value)| skipped(at) || value.is_finite())
    };
    let transfer = &evidence.backward_transfer;
    let entropy = &evidence.entropy_change;
    let wrong = if transfer.len() != size * size || !finite(transfer, true) {
        "backward_transfer"
    } else if !(entropy.is_empty() || entropy.len() == size * size && finite(entropy, false)) {
        "entropy_change"
    } else {
        return Ok(());
    };
    Err(Error::invalid_input(format!(
        "the evidence: `{wrong}` must be {size} × {size} finite numbers, as many as it has tasks"
    )))
}
