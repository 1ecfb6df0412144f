//! Numbers of groups for the record: means, pass@k, reasons.

mod bootstrap;

use std::collections::BTreeMap;

use omni_record::{Component, GroupScore, Value};

use crate::TaskSpec;

pub(crate) use bootstrap::Resampler;

/// Metric above which an output counts as a success for pass@k: a verifier's 1, a judge's
/// "preferred". Weighted metrics may fall short of 1 by rounding.
pub(crate) const SUCCESS: f64 = 1.0 - 1e-9;

/// Probability that at least one of `k` draws without replacement from `n` outputs, of which
/// `successes` succeed, does: `1 − C(n − c, k) / C(n, k)`, as a product that cannot overflow.
pub(crate) fn pass_at_k(n: usize, successes: usize, k: usize) -> f64 {
    if n - successes < k {
        return 1.0;
    }
    1.0 - ((n - successes + 1)..=n).map(|i| 1.0 - k as f64 / i as f64).product::<f64>()
}

/// The powers of two up to `n`.
pub(crate) fn ks(n: usize) -> impl Iterator<Item = u32> {
    (0..31).map(|p| 1u32 << p).take_while(move |k| *k as usize <= n)
}

/// A mean that may be of nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    sum: f64,
    square: f64,
    count: u64,
}

impl Mean {
    pub(crate) fn add(&mut self, value: f64) {
        self.sum += value;
        self.square += value * value;
        self.count += 1;
    }

    pub(crate) fn get(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Population standard deviation.
    pub(crate) fn deviation(&self) -> Option<f64> {
        let mean = self.get()?;
        Some((self.square / self.count as f64 - mean * mean).max(0.0).sqrt())
    }

    /// Standard error of the mean; 0 for fewer than two values.
    pub(crate) fn error(&self) -> f64 {
        match (self.deviation(), self.count) {
            (Some(deviation), n) if n > 1 => deviation / ((n - 1) as f64).sqrt(),
            _ => 0.0,
        }
    }
}

/// What the components of many outputs came to.
#[derive(Default)]
pub(crate) struct Components {
    means: BTreeMap<String, Mean>,
    pub(crate) undefined: BTreeMap<String, u64>,
    pub(crate) judge_failures: BTreeMap<String, u64>,
}

impl Components {
    pub(crate) fn new(task: &TaskSpec) -> Self {
        let means =
            task.reward.components.iter().map(|c| (c.name.clone(), Mean::default())).collect();
        Self { means, undefined: BTreeMap::new(), judge_failures: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, components: &[Component]) {
        for component in components {
            match &component.value {
                Value::Scored(score) => {
                    self.means.entry(component.name.clone()).or_default().add(*score)
                }
                Value::Undefined(why) => {
                    self.means.entry(component.name.clone()).or_default();
                    *self.undefined.entry(why.kind.as_str().to_owned()).or_default() += 1;
                    if let Some(failure) = why.judge_failure() {
                        *self.judge_failures.entry(failure.to_owned()).or_default() += 1;
                    }
                }
            }
        }
    }

    pub(crate) fn means(&self) -> BTreeMap<String, Option<f64>> {
        self.means.iter().map(|(name, mean)| (name.clone(), mean.get())).collect()
    }
}

/// pass@k over many groups.
#[derive(Default)]
pub(crate) struct PassAtK(BTreeMap<u32, Mean>);

impl PassAtK {
    /// Outputs whose metric is undefined take no part.
    pub(crate) fn add(&mut self, task: &TaskSpec, score: &GroupScore) {
        let metrics: Vec<f64> =
            score.rollouts.iter().filter_map(|c| task.reward.metric(c)).collect();
        self.count(metrics.len(), metrics.iter().filter(|m| **m >= SUCCESS).count());
    }

    /// One prompt's outputs, of which some succeed.
    pub(crate) fn count(&mut self, outputs: usize, successes: usize) {
        for k in ks(outputs) {
            self.0.entry(k).or_default().add(pass_at_k(outputs, successes, k as usize));
        }
    }

    pub(crate) fn means(&self) -> BTreeMap<u32, f64> {
        self.0.iter().filter_map(|(k, mean)| Some((*k, mean.get()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_at_k_is_the_fraction_of_subsets_with_a_success() {
        for n in 1..=8usize {
            for successes in 0..=n {
                for k in 1..=n {
                    let subsets: Vec<u32> =
                        (0u32..1 << n).filter(|s| s.count_ones() as usize == k).collect();
                    let hit = subsets.iter().filter(|s| **s & ((1 << successes) - 1) != 0).count();
                    let expected = hit as f64 / subsets.len() as f64;
                    assert!(
                        (pass_at_k(n, successes, k) - expected).abs() < 1e-12,
                        "n={n} c={successes} k={k}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_standard_error_is_that_of_a_mean() {
        let mut mean = Mean::default();
        [1.0, 0.0, 1.0, 0.0].into_iter().for_each(|x| mean.add(x));
        assert_eq!(mean.get(), Some(0.5));
        assert!((mean.error() - (1.0f64 / 3.0).sqrt() / 2.0).abs() < 1e-12);
        assert_eq!(Mean::default().get(), None);
    }
}
