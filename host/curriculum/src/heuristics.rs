//! Orders found without a search. Eq: METHOD section 4 (the row forms).

use crate::Order;
use crate::evidence::Evidence;

/// Greedy: next is the task that what is still to be trained hurts least,
/// `argmax_k Σ_i α_k BWT[k][i]` over the tasks `i` still to be trained. Ties by the evidence's order.
#[must_use]
pub fn greedy(evidence: &Evidence) -> Order {
    let worth = evidence.worth();
    stepwise(evidence.size(), |task, rest| rest.iter().map(|&i| worth[(task, i)]).sum())
}

/// Net greedy: sorted by row sum minus column sum over all tasks: what coming early is worth to a
/// task, less what its coming early is worth to the others.
#[must_use]
pub fn net_greedy(evidence: &Evidence) -> Order {
    let worth = evidence.worth();
    sorted(evidence.size(), |task| {
        (0..evidence.size()).map(|i| worth[(task, i)] - worth[(i, task)]).sum()
    })
}

/// Forgettability: sorted by `Σ_i α_k BWT[k][i]` over all `i`, the least hurt first.
#[must_use]
pub fn forgettability(evidence: &Evidence) -> Order {
    let worth = evidence.worth();
    sorted(evidence.size(), |task| worth.row(task).iter().sum())
}

/// The highest score first; ties by the evidence's order.
fn sorted(size: usize, score: impl Fn(usize) -> f64) -> Order {
    let mut order: Order = (0..size).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    order
}

/// Takes the task with the highest score again and again; `rest` holds the other ones left.
fn stepwise(size: usize, score: impl Fn(usize, &[usize]) -> f64) -> Order {
    let mut left: Vec<usize> = (0..size).collect();
    let mut order = Vec::with_capacity(size);
    while !left.is_empty() {
        let mut best: Option<(f64, usize)> = None;
        for at in 0..left.len() {
            let mut rest = left.clone();
            let task = rest.remove(at);
            let score = score(task, &rest);
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, at));
            }
        }
        if let Some((_, at)) = best {
            order.push(left.remove(at));
        }
    }
    order
}
