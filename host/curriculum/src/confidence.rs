//! How sure the best order is: its chance of being best when the transfers vary as they were
//! measured to.

use crate::Order;
use crate::chance::Chance;
use crate::evidence::Evidence;
use crate::exact::exact;
use crate::matrix::Matrix;
use crate::predict::all_orders;
use crate::search::local_search;

/// Orders that are compared with the best though they never won: the likeliest.
const LOOKED_AT: usize = 1_000;

/// How one order stands against the best.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The order.
    pub order: Order,
    /// The share of the samples in which it was the best of all.
    pub probability: f64,
    /// The best order's score minus its own: the 2.5th and the 97.5th percentile over the samples.
    /// Where this holds 0 the two cannot be told apart.
    pub behind: (f64, f64),
}

impl Standing {
    /// Whether the samples cannot tell the order from the best.
    #[must_use]
    pub fn is_indistinguishable(&self) -> bool {
        self.behind.0 <= 0.0
    }
}

/// What the samples say of the orders.
#[derive(Clone, Debug, PartialEq)]
pub struct Confidence {
    /// Samples drawn.
    pub samples: usize,
    /// The orders that were best in some sample, or cannot be told from the best; the best by the
    /// measured transfers first, then by probability. Looked for among the
    /// 1,000 best by the measured transfers, and for more than [`crate::MOST_RANKED`] tasks only
    /// among those that were best in some sample.
    pub standings: Vec<Standing>,
}

impl Confidence {
    /// From independent normal errors of the entries; none without standard errors.
    #[must_use]
    pub fn from_standard_errors(evidence: &Evidence, samples: usize, seed: u64) -> Option<Self> {
        let errors = evidence.standard_errors()?;
        let size = evidence.size();
        let mut chance = Chance::new(seed);
        let matrices: Vec<Matrix> = (0..samples)
            .map(|_| {
                let mut matrix = evidence.transfer().clone();
                for i in 0..size {
                    for j in (0..size).filter(|j| *j != i) {
                        matrix[(i, j)] += errors[(i, j)] * chance.normal();
                    }
                }
                matrix
            })
            .collect();
        Some(Self::from_samples(evidence, &matrices))
    }

    /// From resampled matrices ([`crate::Transfer::resampled`]), whose entries vary together as
    /// the items they share make them.
    #[must_use]
    pub fn from_samples(evidence: &Evidence, samples: &[Matrix]) -> Self {
        let worths: Vec<Matrix> =
            samples.iter().map(|m| evidence.replaced(m.clone()).worth()).collect();
        let scale = evidence.weights().iter().sum::<f64>();
        let ranked = all_orders(evidence);
        let best = best_of(evidence);
        let mut wins: Vec<(Order, usize)> = vec![(best.clone(), 0)];
        for sample in samples {
            let winner = best_of(&evidence.replaced(sample.clone()));
            match wins.iter_mut().find(|(order, _)| *order == winner) {
                Some((_, count)) => *count += 1,
                None => wins.push((winner, 1)),
            }
        }
        // Orders that never won may still be indistinguishable.
        for prediction in ranked.iter().flatten().take(LOOKED_AT) {
            if wins.iter().all(|(order, _)| *order != prediction.order) {
                wins.push((prediction.order.clone(), 0));
            }
        }
        let of_best: Vec<f64> = worths.iter().map(|worth| pairs(worth, &best)).collect();
        let mut standings: Vec<Standing> = wins
            .into_iter()
            .map(|(order, count)| {
                let behind = |(worth, best): (&Matrix, &f64)| (best - pairs(worth, &order)) / scale;
                let mut behind: Vec<f64> = worths.iter().zip(&of_best).map(behind).collect();
                behind.sort_by(f64::total_cmp);
                let probability = count as f64 / samples.len().max(1) as f64;
                Standing { order, probability, behind: interval(&behind) }
            })
            .filter(|it| it.order == best || it.probability > 0.0 || it.is_indistinguishable())
            .collect();
        standings[1..].sort_by(|a, b| {
            b.probability.total_cmp(&a.probability).then_with(|| a.behind.1.total_cmp(&b.behind.1))
        });
        Self { samples: samples.len(), standings }
    }

    /// The chance that the order which is best by the measured transfers is the best.
    #[must_use]
    pub fn of_best(&self) -> f64 {
        self.standings.first().map_or(0.0, |best| best.probability)
    }
}

/// `Σ_{i before j} C[i][j]`.
fn pairs(worth: &Matrix, order: &[usize]) -> f64 {
    let place = |(at, &task): (usize, &usize)| {
        order[at + 1..].iter().map(|&later| worth[(task, later)]).sum::<f64>()
    };
    order.iter().enumerate().map(place).sum()
}

/// The best order, exactly where that is quick enough to be done for every sample.
fn best_of(evidence: &Evidence) -> Order {
    /// The exact order takes milliseconds up to here.
    const QUICK: usize = 12;
    match evidence.size() {
        ..=QUICK => exact(evidence).unwrap_or_else(|| local_search(evidence)),
        _ => local_search(evidence),
    }
}

/// The central 95 %; infinite where there are no samples.
fn interval(sorted: &[f64]) -> (f64, f64) {
    let at = |share: f64| {
        let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
        sorted.get(place).copied()
    };
    (at(0.025).unwrap_or(f64::NEG_INFINITY), at(0.975).unwrap_or(f64::INFINITY))
}
