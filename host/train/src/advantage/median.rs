//! Rewards of a task by a logistic curve through its running median (after MedGRPO, arXiv
//! 2512.06581).
//!
//! Eq: METHOD section 2. Over the task's latest valid outputs, those of the phase at hand included:
//!
//! ```text
//! R' = 1 / (1 + exp(−slope · (R − median) / spread − ln(target / (1 − target))))
//! spread = max(75th − 25th percentile, floor)
//! ```
//!
//! The curve is not a line on purpose: a group's advantages do not change when its rewards are
//! shifted and scaled, so a line would be undone by `scale = "group"`. For the same reason two
//! distinct rewards in a group keep their advantages there whatever the curve; with three or more,
//! or with `scale = "none"` or `"batch"`, it acts.

use serde::{Deserialize, Serialize};

use crate::config::MedianMap;

/// A task's latest rewards, oldest first; part of a checkpoint.
///
/// JSON numbers read back to the bit here: the workspace's serde_json has `float_roundtrip`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window(Vec<f64>);

/// The curve that a task's rewards go through in one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// The reward that becomes the target.
    pub median: f64,
    /// What distances from the median are divided by.
    pub spread: f64,
    slope: f64,
    /// The log-odds of the target.
    offset: f64,
}

impl Window {
    /// Takes in a phase's valid rewards, and gives the curve for them; none where there is no
    /// reward at all.
    pub fn curve(&mut self, phase: &[f64], settings: &MedianMap) -> Option<Curve> {
        self.0.extend_from_slice(phase);
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let curve = (!sorted.is_empty()).then(|| Curve {
            median: quantile(&sorted, 0.5),
            spread: (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)).max(settings.floor),
            slope: settings.slope,
            offset: (settings.target / (1.0 - settings.target)).ln(),
        });
        let old = self.0.len().saturating_sub(settings.window as usize);
        self.0.drain(..old);
        curve
    }
}

impl Curve {
    /// A reward on the curve, in [0, 1].
    #[must_use]
    pub fn apply(&self, reward: f64) -> f64 {
        let logit = self.slope * (reward - self.median) / self.spread + self.offset;
        1.0 / (1.0 + (-logit).exp())
    }
}

/// A quantile of sorted values, between neighbours by their distance (Hyndman and Fan's type 7).
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let below = place.floor();
    let (low, high) = (sorted[below as usize], sorted[place.ceil() as usize]);
    low + (place - below) * (high - low)
}
