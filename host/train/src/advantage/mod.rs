//! Rewards of a group to advantages. Eq: METHOD section 1, `A_i = (r_i − mean r) / (std r + eps)`.
//!
//! Mean and standard deviation are over the group's *valid* outputs; excluded ones (`None`) have
//! advantage 0 and take part in nothing. Fewer than two valid outputs, or a group without
//! variance, give 0. [`gdpo`] and [`median`] are the two ways to make rewards of different scales
//! comparable.

mod gdpo;
pub mod median;

use crate::config::{Advantage, Scale};

pub use gdpo::{ComponentGroup, gdpo};

/// Advantages of a batch of groups, in the shape of `rewards` (`[group][output]`).
#[must_use]
pub fn advantages(rewards: &[Vec<Option<f64>>], settings: &Advantage) -> Vec<Vec<f64>> {
    let batch_std = match settings.scale {
        Scale::Batch => {
            let all: Vec<f64> = rewards.iter().flatten().copied().flatten().collect();
            standard_deviation(&all, settings.ddof)
        }
        Scale::Group | Scale::None => 0.0,
    };
    rewards.iter().map(|group| group_advantages(group, settings, batch_std)).collect()
}

/// True where the valid outputs of a group (at least one) all have the same reward.
#[must_use]
pub fn is_zero_variance(rewards: &[Option<f64>]) -> bool {
    let mut valid = rewards.iter().copied().flatten();
    // Equality, not a small variance: rounding in the mean must not pass for a signal.
    valid.next().is_some_and(|first| valid.all(|r| r == first))
}

fn group_advantages(rewards: &[Option<f64>], settings: &Advantage, batch_std: f64) -> Vec<f64> {
    let valid: Vec<f64> = rewards.iter().copied().flatten().collect();
    if valid.len() < 2 || is_zero_variance(rewards) {
        return vec![0.0; rewards.len()];
    }
    let mean = mean(&valid);
    let divisor = match settings.scale {
        Scale::Group => standard_deviation(&valid, settings.ddof) + settings.eps,
        Scale::Batch => batch_std + settings.eps,
        Scale::None => 1.0,
    };
    rewards.iter().map(|r| r.map_or(0.0, |r| (r - mean) / divisor)).collect()
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// 0 for fewer values than degrees of freedom.
pub(crate) fn standard_deviation(values: &[f64], ddof: u32) -> f64 {
    let freedom = values.len() as f64 - f64::from(ddof);
    if freedom <= 0.0 {
        return 0.0;
    }
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / freedom).sqrt()
}
