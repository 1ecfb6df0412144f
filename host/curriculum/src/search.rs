//! A good order of many tasks: local search over insertions.

use crate::Order;
use crate::evidence::Evidence;
use crate::heuristics::{forgettability, greedy, net_greedy};
use crate::matrix::Matrix;
use crate::predict::Prediction;

/// An improvement smaller than this fraction of the largest worth is rounding.
const ROUNDING: f64 = 1e-12;

/// The best local optimum from three starts (greedy, net greedy, forgettability): no task can be
/// taken out and put in elsewhere for the better. How far from the best it may be is what
/// [`crate::upper_bound`] says.
///
/// Each step takes the best of all `K²` insertions, found in `O(K²)`.
#[must_use]
pub fn local_search(evidence: &Evidence) -> Order {
    let worth = evidence.worth();
    let starts = [greedy(evidence), net_greedy(evidence), forgettability(evidence)];
    let mut best: Option<Prediction> = None;
    for start in starts {
        let found = Prediction::of(evidence, &climb(&worth, start));
        if best.as_ref().is_none_or(|best| found.score > best.score) {
            best = Some(found);
        }
    }
    best.map(|best| best.order).unwrap_or_default()
}

fn climb(worth: &Matrix, mut order: Order) -> Order {
    let largest = worth.values().iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    // Every step gains more than rounding, so this ends; the cap is for the impossible.
    for _ in 0..order.len().pow(3).max(1_000) {
        let Some((gain, from, to)) = best_insertion(worth, &order) else { break };
        if gain <= largest * ROUNDING {
            break;
        }
        let task = order.remove(from);
        order.insert(to, task);
    }
    order
}

/// The insertion that gains most: `(gain, from, to)`.
fn best_insertion(worth: &Matrix, order: &[usize]) -> Option<(f64, usize, usize)> {
    let mut best: Option<(f64, usize, usize)> = None;
    let mut offer = |gain: f64, from: usize, to: usize| {
        if best.is_none_or(|(most, _, _)| gain > most) {
            best = Some((gain, from, to));
        }
    };
    for (from, &task) in order.iter().enumerate() {
        // Stepping over a neighbour exchanges the two, and nothing else.
        let mut gain = 0.0;
        for (to, &passed) in order.iter().enumerate().skip(from + 1) {
            gain += worth[(passed, task)] - worth[(task, passed)];
            offer(gain, from, to);
        }
        gain = 0.0;
        for (to, &passed) in order.iter().enumerate().take(from).rev() {
            gain += worth[(task, passed)] - worth[(passed, task)];
            offer(gain, from, to);
        }
    }
    best
}
