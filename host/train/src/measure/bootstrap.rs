//! Means over items with intervals: a percentile bootstrap, stratified by benchmark.
//!
//! Items are what is drawn, with replacement, since the outputs (and the turns, and the sets of
//! references) of one item hang together. The draws depend on the run's seed and the estimate's
//! name alone, so the same evaluation gives the same interval. Percentile intervals are too short
//! for few items, and of no width where all items have the same value.

use omni_record::{Bootstrap, Estimate};

use super::Mean;
use crate::advantage::median::quantile;
use crate::random;

/// The probability that an interval is meant to hold.
const LEVEL: f64 = 0.95;

/// Makes estimates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resampler {
    /// 0 makes no intervals.
    pub(crate) resamples: u32,
    pub(crate) seed: u64,
}

impl Resampler {
    /// What the record says of the intervals.
    pub(crate) fn describe(&self) -> Option<Bootstrap> {
        (self.resamples > 0).then_some(Bootstrap {
            resamples: self.resamples,
            level: LEVEL,
            seed: self.seed,
        })
    }

    /// The mean of some items' values; none where there are none.
    pub(crate) fn mean(&self, values: &[f64], name: &str) -> Option<Estimate> {
        self.mean_of_means(&[values], name)
    }

    /// The mean of several means, each weighing the same; none unless each is of something.
    pub(crate) fn mean_of_means(&self, strata: &[&[f64]], name: &str) -> Option<Estimate> {
        let count = strata.len() as f64;
        let (mut mean, mut variance, mut items) = (0.0, 0.0, 0);
        for stratum in strata {
            let mut of = Mean::default();
            stratum.iter().for_each(|v| of.add(*v));
            mean += of.get()? / count;
            variance += (of.error() / count).powi(2);
            items += stratum.len();
        }
        if strata.is_empty() {
            return None;
        }
        let (low, high) = self.interval(strata, items, name).unzip();
        let standard_error = variance.sqrt();
        Some(Estimate { mean, standard_error, items: items as u32, low, high })
    }

    fn interval(&self, strata: &[&[f64]], items: usize, name: &str) -> Option<(f64, f64)> {
        if self.resamples == 0 || items < 2 {
            return None;
        }
        let mut draws = random::Draws::new(random::seed(self.seed, "bootstrap", name, 0));
        let mut means: Vec<f64> = (0..self.resamples)
            .map(|_| {
                let mut sum = 0.0;
                for stratum in strata {
                    let drawn: f64 =
                        stratum.iter().map(|_| stratum[draws.below(stratum.len())]).sum();
                    sum += drawn / stratum.len() as f64;
                }
                sum / strata.len() as f64
            })
            .collect();
        means.sort_by(f64::total_cmp);
        let tail = (1.0 - LEVEL) / 2.0;
        Some((quantile(&means, tail), quantile(&means, 1.0 - tail)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Resampler = Resampler { resamples: 2000, seed: 1 };

    fn values(ones: usize, of: usize) -> Vec<f64> {
        (0..of).map(|i| f64::from(u8::from(i < ones))).collect()
    }

    #[test]
    fn an_interval_of_a_proportion_is_that_of_the_binomial() {
        // 60 of 200: the binomial's 2.5 and 97.5 percentiles are 47 and 73 of 200.
        let estimate = SOME.mean(&values(60, 200), "a").unwrap();
        let (low, high) = (estimate.low.unwrap(), estimate.high.unwrap());
        assert!((low - 0.235).abs() < 0.01 && (high - 0.365).abs() < 0.01, "{low} {high}");
        assert!((estimate.mean - 0.3).abs() < 1e-12 && estimate.items == 200);
        assert!((estimate.standard_error - (0.3f64 * 0.7 / 199.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn intervals_follow_seed_and_name() {
        let all: Vec<f64> = (0..30).map(|i| f64::from(i * i)).collect();
        assert_eq!(SOME.mean(&all, "a"), SOME.mean(&all, "a"));
        assert_ne!(SOME.mean(&all, "a"), SOME.mean(&all, "b"));
        assert_ne!(SOME.mean(&all, "a"), Resampler { seed: 2, ..SOME }.mean(&all, "a"));
    }

    #[test]
    fn an_average_weighs_benchmarks_the_same_and_draws_within_each() {
        let (small, large) = (values(10, 10), values(0, 1000));
        let average = SOME.mean_of_means(&[&small, &large], "domain").unwrap();
        // Neither benchmark varies within itself; mixing their items would make an interval.
        assert_eq!((average.mean, average.low, average.high), (0.5, Some(0.5), Some(0.5)));
        assert_eq!(average.items, 1010);
        let (half, quarter) = (values(50, 100), values(25, 100));
        let average = SOME.mean_of_means(&[&half, &quarter], "domain").unwrap();
        let error = ((0.25 + 0.1875) / 99.0f64).sqrt() / 2.0;
        assert!((average.standard_error - error).abs() < 1e-12);
        let width = average.high.unwrap() - average.low.unwrap();
        assert!((width / (2.0 * 1.96 * error) - 1.0).abs() < 0.1, "{width}");
    }

    proptest::proptest! {
        /// Whatever the values, an interval lies between them and around nothing else.
        #[test]
        fn intervals_lie_within_the_values(
            values in proptest::collection::vec(-3.0f64..3.0, 2..40), resamples in 1u32..50,
        ) {
            let estimate = Resampler { resamples, seed: 9 }.mean(&values, "a").unwrap();
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let (low, high) = (estimate.low.unwrap(), estimate.high.unwrap());
            let slack = 1e-12;
            proptest::prop_assert!(least - slack <= low && low <= high && high <= most + slack);
            proptest::prop_assert!(estimate.standard_error.is_finite());
        }
    }

    #[test]
    fn nothing_has_no_mean_and_one_item_no_interval() {
        assert_eq!(SOME.mean(&[], "a"), None);
        assert_eq!(SOME.mean_of_means(&[], "a"), None);
        assert_eq!(SOME.mean_of_means(&[&[1.0], &[]], "a"), None);
        let one = SOME.mean(&[0.5], "a").unwrap();
        assert_eq!((one.mean, one.low, one.high), (0.5, None, None));
        let without = Resampler { resamples: 0, seed: 1 };
        assert_eq!(without.mean(&[0.0, 1.0], "a").unwrap().low, None);
        assert_eq!(without.describe(), None);
    }
}
