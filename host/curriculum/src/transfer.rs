//! Backward transfer from evaluations of the same items, with paired bootstrap errors.
//! Eq: METHOD section 4.

use crate::chance::Chance;
use crate::matrix::Matrix;

/// Accuracies of K + 1 policies on the items of each task.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemAccuracies {
    /// `base[i][n]`: the base policy on item `n` of task `i`.
    pub base: Vec<Vec<f64>>,
    /// `trained[j][i][n]`: the policy trained on task `j`, on item `n` of task `i`; the same items
    /// in the same order as the base's.
    pub trained: Vec<Vec<Vec<f64>>>,
}

/// A measured matrix of backward transfers.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// `BWT[i][j]`, its diagonal (what a task gains from itself) included.
    pub matrix: Matrix,
    /// Bootstrap standard errors of the entries.
    pub standard_errors: Matrix,
    /// Resampled matrices, for what depends on several entries at once.
    pub resampled: Vec<Matrix>,
    /// Logarithms of the base's accuracies in the same samples, by task.
    pub resampled_base: Vec<Vec<f64>>,
    /// Where the floor acted: `(i, none)` for the base's accuracy on task `i`, `(i, some j)` for
    /// that of the policy trained on `j`.
    pub floored: Vec<(usize, Option<usize>)>,
}

impl ItemAccuracies {
    /// `ln max(Acc, floor) − ln max(base, floor)`, with standard errors over `samples` bootstrap
    /// samples of each task's items. All policies are evaluated on the same resampled items, so
    /// that what makes an item hard for all of them cancels.
    ///
    /// None where shapes differ, a task has no items, or `floor` is not above 0.
    #[must_use]
    pub fn transfer(&self, floor: f64, samples: usize, seed: u64) -> Option<Transfer> {
        let size = self.base.len();
        let fits = floor > 0.0
            && self.trained.len() == size
            && self.base.iter().all(|items| !items.is_empty())
            && self.trained.iter().all(|tasks| {
                tasks.len() == size && tasks.iter().zip(&self.base).all(|(a, b)| a.len() == b.len())
            });
        if !fits {
            return None;
        }
        let mut floored = Vec::new();
        let mut matrix = Matrix::zeros(size);
        for i in 0..size {
            let all: Vec<usize> = (0..self.base[i].len()).collect();
            self.row(i, &all, floor, &mut matrix);
            let low = |items: &[f64]| mean(items, &all) < floor;
            if low(&self.base[i]) {
                floored.push((i, None));
            }
            floored.extend((0..size).filter(|&j| low(&self.trained[j][i])).map(|j| (i, Some(j))));
        }
        let mut chance = Chance::new(seed);
        let mut resampled = Vec::with_capacity(samples);
        let mut resampled_base = Vec::with_capacity(samples);
        for _ in 0..samples {
            let mut sample = Matrix::zeros(size);
            let mut bases = Vec::with_capacity(size);
            for i in 0..size {
                let items = self.base[i].len();
                let chosen: Vec<usize> = (0..items).map(|_| chance.below(items)).collect();
                bases.push(self.row(i, &chosen, floor, &mut sample));
            }
            resampled.push(sample);
            resampled_base.push(bases);
        }
        let standard_errors = deviations(size, &resampled);
        Some(Transfer { matrix, standard_errors, resampled, resampled_base, floored })
    }

    /// Fills a row; the logarithm of the base's accuracy.
    fn row(&self, i: usize, items: &[usize], floor: f64, into: &mut Matrix) -> f64 {
        let base = mean(&self.base[i], items).max(floor).ln();
        for j in 0..self.base.len() {
            into[(i, j)] = mean(&self.trained[j][i], items).max(floor).ln() - base;
        }
        base
    }
}

fn mean(values: &[f64], items: &[usize]) -> f64 {
    items.iter().map(|&n| values[n]).sum::<f64>() / items.len() as f64
}

fn deviations(size: usize, samples: &[Matrix]) -> Matrix {
    let count = samples.len() as f64;
    let mut out = Matrix::zeros(size);
    if samples.len() < 2 {
        return out;
    }
    for i in 0..size {
        for j in 0..size {
            let mean = samples.iter().map(|m| m[(i, j)]).sum::<f64>() / count;
            let sum = samples.iter().map(|m| (m[(i, j)] - mean).powi(2)).sum::<f64>();
            out[(i, j)] = (sum / (count - 1.0)).sqrt();
        }
    }
    out
}
