//! How good an order can be at most.

use crate::evidence::Evidence;

/// No order scores higher: every pair of tasks stands one way or the other,
/// `Σ_{i<j} max(α_i BWT[i][j], α_j BWT[j][i])`, in the unit of [`crate::Prediction::score`].
#[must_use]
pub fn upper_bound(evidence: &Evidence) -> f64 {
    let worth = evidence.worth();
    let weights = evidence.weights();
    let own: f64 = (0..evidence.size())
        .map(|k| weights[k] * (evidence.own()[k].ln() - evidence.base()[k].ln()))
        .sum();
    let pairs: f64 = (0..evidence.size())
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j)| worth[(i, j)].max(worth[(j, i)]))
        .sum();
    (own + pairs) / weights.iter().sum::<f64>()
}
