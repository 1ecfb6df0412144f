//! The best order, by dynamic programming over subsets.
//!
//! Let `S` be the tasks trained first, in any order. The next task `k` gains what everything that
//! is still to come gives it, `Σ_{i ∉ S ∪ {k}} C[k][i]`, which depends on the set `S` alone. So the
//! best value of a set is the best over its last task: `2^K · K` steps, and one number and one byte
//! a set.

use crate::Order;
use crate::evidence::Evidence;

/// More tasks than this take too much memory and time (2^20 sets: 9 MiB, well below a second).
pub const MOST_EXACT: usize = 20;

/// The order with the highest score; none for more than [`MOST_EXACT`] tasks. Where the last of a
/// set of tasks is a tie, the one that comes later in the evidence is the last.
#[must_use]
pub fn exact(evidence: &Evidence) -> Option<Order> {
    let size = evidence.size();
    if size > MOST_EXACT {
        return None;
    }
    let rows = RowSums::new(evidence);
    let full = (1_usize << size) - 1;
    let mut value = vec![f64::NEG_INFINITY; full + 1];
    let mut last = vec![0_u8; full + 1];
    value[0] = 0.0;
    for set in 0..full {
        for task in (0..size).filter(|task| set & (1 << task) == 0) {
            let with = set | (1 << task);
            let gained = value[set] + rows.of(task, full & !with);
            if gained > value[with] {
                value[with] = gained;
                last[with] = task as u8;
            }
        }
    }
    let mut order = Vec::with_capacity(size);
    let mut set = full;
    while set != 0 {
        let task = usize::from(last[set]);
        order.push(task);
        set &= !(1 << task);
    }
    order.reverse();
    Some(order)
}

/// Sums of a row of the worth over any set of columns, by halves of the set's bits.
struct RowSums {
    low_bits: usize,
    low: Vec<Vec<f64>>,
    high: Vec<Vec<f64>>,
}

impl RowSums {
    fn new(evidence: &Evidence) -> Self {
        let worth = evidence.worth();
        let low_bits = evidence.size().div_ceil(2);
        let sums = |columns: &[f64]| {
            let mut sums = vec![0.0; 1 << columns.len()];
            for set in 1..sums.len() {
                let lowest = set.trailing_zeros() as usize;
                sums[set] = sums[set & (set - 1)] + columns[lowest];
            }
            sums
        };
        let rows = || (0..evidence.size()).map(|row| worth.row(row));
        Self {
            low_bits,
            low: rows().map(|row| sums(&row[..low_bits])).collect(),
            high: rows().map(|row| sums(&row[low_bits..])).collect(),
        }
    }

    fn of(&self, row: usize, set: usize) -> f64 {
        let low = set & ((1 << self.low_bits) - 1);
        self.low[row][low] + self.high[row][set >> self.low_bits]
    }
}
