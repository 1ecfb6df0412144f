//! What the latest prompts of a task showed.

use omni_sdk::scheduler::Observation;
use serde::{Deserialize, Serialize};

/// Prompts of a task after which what they showed counts a factor e less.
const MEMORY: f64 = 64.0;

/// Prompts of a task that its first entropy is the mean over.
const FIRST: f64 = 32.0;

/// A mean over the latest prompts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Mean {
    weight: f64,
    value: f64,
}

impl Mean {
    fn see(&mut self, value: f64, prompts: f64) {
        self.weight = self.weight * (-prompts / MEMORY).exp() + prompts;
        self.value += prompts / self.weight * (value - self.value);
    }

    fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then_some(self.value)
    }
}

/// Learning signal and entropy of one task's latest prompts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recent {
    advantage: Mean,
    entropy: Mean,
    /// Entropy of the first prompts, once they are enough.
    first_entropy: Option<f64>,
}

impl Recent {
    /// Takes in one step.
    pub(crate) fn see(&mut self, seen: &Observation) {
        let prompts = f64::from(seen.prompts);
        if let Some(advantage) = usable(seen.mean_abs_advantage) {
            self.advantage.see(advantage, prompts);
        }
        // The host says 0 where nothing was measured; no policy has an entropy of 0.
        if let Some(entropy) = usable(seen.entropy).filter(|entropy| *entropy > 0.0) {
            self.entropy.see(entropy, prompts);
            if self.first_entropy.is_none() && self.entropy.weight >= FIRST {
                self.first_entropy = Some(self.entropy.value);
            }
        }
    }

    /// Mean absolute advantage: how much there is to learn from a prompt.
    pub(crate) fn advantage(&self) -> Option<f64> {
        self.advantage.value()
    }

    /// Entropy now as a fraction of that of the first prompts.
    pub(crate) fn entropy_left(&self) -> Option<f64> {
        Some(self.entropy.value()? / self.first_entropy?)
    }
}

/// Whether a step showed nothing of a task: none of its outputs could be scored, for which the host
/// puts zeros. That is not a reward of 0.
pub(crate) fn is_blank(seen: &Observation) -> bool {
    seen.prompts > 0
        && [seen.mean_reward, seen.mean_abs_advantage, seen.entropy].iter().all(|it| *it == 0.0)
}

/// A number that a mean can be taken over.
pub(crate) fn usable(value: f64) -> Option<f64> {
    (value.is_finite() && (0.0..1e6).contains(&value)).then_some(value)
}

/// The prompts of one step, shared out by how much each task moved the policy: by the norms of the
/// tasks' gradients where they were measured one by one, else by prompts × mean absolute
/// advantage; where nothing moved, as they are.
///
/// An optimizer such as AdamW takes steps of about the same length whatever the gradient, so
/// their sum is the step's prompts.
pub(crate) fn effective(step: &[&Observation]) -> Vec<f64> {
    let prompts: Vec<f64> = step.iter().map(|seen| f64::from(seen.prompts)).collect();
    // Without an advantage there is no gradient, whatever stands there for its norm.
    let norm = |seen: &&Observation| match seen.mean_abs_advantage {
        0.0 => Some(0.0),
        _ => usable(seen.gradient_norm),
    };
    let norms: Option<Vec<f64>> = step.iter().map(norm).collect();
    // The norm of the whole batch's gradient, where that is all there is, is one for all tasks.
    let one = step.iter().all(|seen| seen.gradient_norm == step[0].gradient_norm);
    let by_task = norms.filter(|_| !one);
    let moved = by_task.unwrap_or_else(|| {
        let moved = step.iter().zip(&prompts);
        moved.map(|(seen, n)| n * usable(seen.mean_abs_advantage).unwrap_or(0.0)).collect()
    });
    let (all, sum): (f64, f64) = (prompts.iter().sum(), moved.iter().sum());
    if sum > 0.0 { moved.iter().map(|moved| all * moved / sum).collect() } else { prompts }
}
