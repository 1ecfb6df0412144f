//! What training a task does to the entropy of the others. Eq: METHOD section 5.
//!
//! Here **row i is the task trained and column j the task evaluated**, the paper's convention.

use crate::matrix::Matrix;

/// Relative changes of token entropy, `H[i][j] = E(θ(θ0, T_i), T_j) / E(θ0, T_j) − 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct EntropyChange {
    matrix: Matrix,
}

/// Why an order is flagged: the first of the two comes before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// A task whose training raises the entropy of the others.
    pub raising: usize,
    /// A task, trained later, that lowers its own.
    pub lowering: usize,
}

impl EntropyChange {
    /// A task raises the others' entropy when its mean off-diagonal change is above this.
    pub const RAISES: f64 = 0.05;

    /// From measured changes, row by row; none where they are not finite.
    #[must_use]
    pub fn new(matrix: Matrix) -> Option<Self> {
        matrix.values().iter().all(|value| value.is_finite()).then_some(Self { matrix })
    }

    /// From entropies: `base[j]` of the base on task `j`, `trained[i][j]` of the policy trained on
    /// task `i`. None where shapes differ or a base entropy is not above 0.
    #[must_use]
    pub fn measured(base: &[f64], trained: &[Vec<f64>]) -> Option<Self> {
        let mut matrix = Matrix::from_rows(trained)?;
        if matrix.size() != base.len() || base.iter().any(|entropy| *entropy <= 0.0) {
            return None;
        }
        for i in 0..base.len() {
            for (j, base) in base.iter().enumerate() {
                matrix[(i, j)] = matrix[(i, j)] / base - 1.0;
            }
        }
        Self::new(matrix)
    }

    /// The changes: rows trained, columns evaluated.
    #[must_use]
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// Mean change of the other tasks' entropy by training `task`; 0 for a single task.
    #[must_use]
    pub fn on_others(&self, task: usize) -> f64 {
        let others = self.matrix.size().saturating_sub(1).max(1) as f64;
        let row = self.matrix.row(task).iter().enumerate();
        row.filter(|(j, _)| *j != task).map(|(_, change)| change).sum::<f64>() / others
    }

    /// Every pair that speaks against an order: a task that raises the others' entropy before one
    /// that lowers its own.
    #[must_use]
    pub fn flags(&self, order: &[usize]) -> Vec<Flag> {
        let mut flags = Vec::new();
        for (place, &raising) in order.iter().enumerate() {
            if self.on_others(raising) <= Self::RAISES {
                continue;
            }
            let later = order[place + 1..].iter().copied();
            let lowers = later.filter(|&task| self.matrix[(task, task)] < 0.0);
            flags.extend(lowers.map(|lowering| Flag { raising, lowering }));
        }
        flags
    }
}
