//! Gains over the base policy on the test splits, with a bootstrap that all policies share.
//!
//! Every policy is compared with θ0 item by item, and each bootstrap sample draws the same items for
//! all of them, so that what makes an item hard cancels, between policies too.

use omni_curriculum::Chance;

use crate::evidence::Measured;
use crate::statistics::{deviation, mean};

/// A policy's weighted mean log gain over θ0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gained {
    /// `Σ α ln(acc / acc θ0) / Σ α`.
    pub score: f64,
    /// The same with resampled items.
    pub resampled: Vec<f64>,
}

impl Gained {
    /// The standard error of the score.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        deviation(&self.resampled)
    }

    /// The mean of several seeds, sample by sample; none of none.
    #[must_use]
    pub(crate) fn mean(of: &[&Self]) -> Option<Self> {
        let samples = of.first()?.resampled.len();
        let resampled =
            (0..samples).map(|at| mean(&of.iter().map(|it| it.resampled[at]).collect::<Vec<_>>()));
        let score = mean(&of.iter().map(|it| it.score).collect::<Vec<_>>());
        Some(Self { score, resampled: resampled.collect() })
    }
}

/// Where the tasks' streams begin; the evidence's bootstrap has another.
const STREAMS: u64 = 0x7e57_0000;

/// What gains are measured with.
pub(crate) struct Comparison<'a> {
    pub(crate) base: &'a Measured,
    pub(crate) weights: &'a [f64],
    pub(crate) floor: f64,
    pub(crate) samples: usize,
}

impl Comparison<'_> {
    /// The gain of a policy that was evaluated on the base's items; none where a task that counts
    /// has no item with an accuracy of both.
    pub(crate) fn gain(&self, policy: &Measured) -> Option<Gained> {
        let mut score = 0.0;
        let mut resampled = vec![0.0; self.samples];
        let scale: f64 = self.weights.iter().sum();
        for (task, weight) in self.weights.iter().enumerate().filter(|(_, it)| **it > 0.0) {
            let pairs: Vec<Option<(f64, f64)>> = self.base.accuracy[task]
                .iter()
                .zip(&policy.accuracy[task])
                .map(|(base, own)| base.zip(*own))
                .collect();
            score += weight / scale * self.log_ratio(pairs.iter().flatten())?;
            // A task's stream of items is its own, and the same for every policy.
            let mut chance = Chance::new(STREAMS + task as u64);
            for sample in &mut resampled {
                let drawn = (0..pairs.len()).map(|_| &pairs[chance.below(pairs.len())]);
                // A sample without any pair says nothing new; it is rarer than can be met.
                *sample += weight / scale * self.log_ratio(drawn.flatten()).unwrap_or(0.0);
            }
        }
        Some(Gained { score, resampled })
    }

    fn log_ratio<'p>(&self, pairs: impl Iterator<Item = &'p (f64, f64)>) -> Option<f64> {
        let (mut base, mut own, mut count) = (0.0, 0.0, 0_u32);
        for (of_base, of_own) in pairs {
            base += of_base;
            own += of_own;
            count += 1;
        }
        let log = |sum: f64| (sum / f64::from(count)).max(self.floor).ln();
        (count > 0).then(|| log(own) - log(base))
    }
}
