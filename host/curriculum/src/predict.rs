//! Terminal accuracies of an order under constant transfer. Eq: METHOD section 4, algorithm 1.

use crate::Order;
use crate::evidence::Evidence;

/// All orders are ranked up to this many tasks (8! = 40,320).
pub const MOST_RANKED: usize = 8;

/// What the model of constant backward transfer says of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The order.
    pub order: Order,
    /// Terminal accuracies by task (not by place in the order), in the evidence's unit.
    pub accuracies: Vec<f64>,
    /// `Σ α_k ln(Acc_k / base_k) / Σ α_k`: the weighted mean log gain over the base, a fraction
    /// (the paper's eq. 14, with weights).
    pub score: f64,
}

impl Prediction {
    /// Predicts an order.
    ///
    /// # Panics
    /// When `order` is no permutation of the evidence's tasks.
    #[must_use]
    pub fn of(evidence: &Evidence, order: &[usize]) -> Self {
        assert!(is_order(order, evidence.size()), "an order names every task once: {order:?}");
        let mut logs: Vec<f64> = evidence.own().iter().map(|own| own.ln()).collect();
        for (place, &task) in order.iter().enumerate() {
            // What comes later, is trained after the task reached its own accuracy.
            for &later in &order[place + 1..] {
                logs[task] += evidence.transfer()[(task, later)];
            }
        }
        let weights = evidence.weights();
        let gain: f64 =
            (0..order.len()).map(|k| weights[k] * (logs[k] - evidence.base()[k].ln())).sum();
        Self {
            order: order.to_vec(),
            accuracies: logs.iter().map(|log| log.exp()).collect(),
            score: gain / weights.iter().sum::<f64>(),
        }
    }
}

/// Every order with its prediction, best first; ties by the order of the tasks. None for more
/// than [`MOST_RANKED`] tasks.
#[must_use]
pub fn all_orders(evidence: &Evidence) -> Option<Vec<Prediction>> {
    if evidence.size() > MOST_RANKED {
        return None;
    }
    let mut orders = Vec::new();
    permute(&mut (0..evidence.size()).collect(), 0, &mut orders);
    let mut all: Vec<_> = orders.iter().map(|order| Prediction::of(evidence, order)).collect();
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.order.cmp(&b.order)));
    Some(all)
}

fn permute(order: &mut Order, from: usize, out: &mut Vec<Order>) {
    if from == order.len() {
        out.push(order.clone());
        return;
    }
    for at in from..order.len() {
        order.swap(from, at);
        permute(order, from + 1, out);
        order.swap(from, at);
    }
}

/// Whether `order` is a permutation of `0..size`.
fn is_order(order: &[usize], size: usize) -> bool {
    let mut seen = vec![false; size];
    order.len() == size
        && order.iter().all(|&task| task < size && !std::mem::replace(&mut seen[task], true))
}
