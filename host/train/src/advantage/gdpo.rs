//! Advantages from components that are normalised one by one (GDPO, arXiv 2601.05242).
//!
//! Eq: METHOD section 2. For component `k` of a group, over the valid outputs that have it:
//!
//! ```text
//! A_k = (r_k − mean r_k) / (std r_k + eps)      fewer than two of them, or no variance: 0
//! S   = Σ_k w_k · A_k                           an undefined component is left out
//! A   = S / (std of S over the batch's valid outputs + eps)
//! ```
//!
//! GDPO also subtracts the batch's mean of `S`. That mean is 0, since each `A_k` sums to 0 in its
//! group; leaving it out keeps outputs without a signal at exactly 0.

use super::{mean, standard_deviation};
use crate::config::Advantage;

/// A group's outputs, component by component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComponentGroup {
    /// The weight of each component.
    pub weights: Vec<f64>,
    /// `[output][component]`: none for an excluded output, and for an undefined component.
    pub outputs: Vec<Option<Vec<Option<f64>>>>,
}

/// Advantages of a batch of groups, in the shape of their outputs; 0 where an output is excluded.
#[must_use]
pub fn gdpo(batch: &[ComponentGroup], settings: &Advantage) -> Vec<Vec<f64>> {
    let mut sums: Vec<Vec<f64>> = batch.iter().map(|group| sum(group, settings)).collect();
    let valid = batch.iter().flat_map(|g| &g.outputs).filter(|o| o.is_some()).count();
    let squares: f64 = sums.iter().flatten().map(|s| s * s).sum();
    let freedom = valid as f64 - f64::from(settings.ddof);
    let deviation = if freedom > 0.0 { (squares / freedom).sqrt() } else { 0.0 };
    // Without any signal there is nothing to divide.
    if squares > 0.0 {
        sums.iter_mut().flatten().for_each(|s| *s /= deviation + settings.eps);
    }
    sums
}

/// `S` of each output of a group.
fn sum(group: &ComponentGroup, settings: &Advantage) -> Vec<f64> {
    let mut sums = vec![0.0; group.outputs.len()];
    for (component, weight) in group.weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
        let scores: Vec<Option<f64>> = group
            .outputs
            .iter()
            .map(|output| output.as_ref().and_then(|o| o.get(component).copied().flatten()))
            .collect();
        let defined: Vec<f64> = scores.iter().copied().flatten().collect();
        if defined.len() < 2 || super::is_zero_variance(&scores) {
            continue;
        }
        let mean = mean(&defined);
        let divisor = standard_deviation(&defined, settings.ddof) + settings.eps;
        for (sum, score) in sums.iter_mut().zip(scores) {
            *sum += score.map_or(0.0, |score| weight * (score - mean) / divisor);
        }
    }
    sums
}
