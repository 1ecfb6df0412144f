//! How training on one task moves another, estimated from what training shows.
//!
//! Between two measurements of a task, its log accuracy (or log reward) changes by `y`, while
//! tasks `1..K` move the policy as `z_1..z_K` of all their prompts would. `y_i ≈ Σ_j β_ij z_j` is
//! a ridge regression for each task i, around the evidence's transfers where there are any, else
//! around 0. The same regression with log entropies says what raises the entropy of what.
//!
//! All tasks share one matrix of `Σ z zᵀ`, so that the state is a few K × K numbers however long
//! the run. A task that was not measured is taken to have done as predicted, which leaves its
//! estimate as it is.

use omni_sdk::scheduler::Evidence;
use serde::{Deserialize, Serialize};

/// Beyond so many tasks nothing is estimated: no run is long enough to tell their transfers apart.
pub(crate) const MOST_TASKS: usize = 64;

/// Standard deviation, before anything was seen, of what all prompts of a task do to another.
const UNKNOWN: f64 = 0.2;

/// The same where evidence was measured beforehand: in mixed batches it may be off.
const MEASURED: f64 = 0.1;

/// The same for what they do to the task itself.
const OWN: f64 = 1.0;

/// What all prompts of a task are expected to do to its own log accuracy, without evidence.
const OWN_GAIN: f64 = 0.3;

/// A change of a logarithm is taken for at most this much.
const MOST_CHANGE: f64 = 1.0;

/// Levels, of which logarithms are taken, are at least this.
const LEAST_LEVEL: f64 = 0.01;

/// A measurement of some tasks: level (accuracy or reward) and entropy, by task.
pub(crate) type Measured = Vec<(Option<f64>, Option<f64>)>;

/// One way of measuring: training steps, or validations. Only like is compared with like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sensor {
    /// How far each task moved the policy since the last measurement, in all prompts of the task.
    since: Vec<f64>,
    /// Logarithms at the last measurement.
    levels: Vec<Option<f64>>,
    entropies: Vec<Option<f64>>,
}

impl Sensor {
    pub(crate) fn new(tasks: usize) -> Self {
        Self { since: vec![0.0; tasks], levels: vec![None; tasks], entropies: vec![None; tasks] }
    }

    pub(crate) fn moved(&mut self, task: usize, part: f64) {
        self.since[task] += part;
    }
}

/// The estimates: K × K matrices, rows the task that is moved, columns the task trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Movement {
    tasks: usize,
    /// `Σ z zᵀ / noise²`.
    gram: Vec<f64>,
    /// `Σ y zᵀ / noise²` of levels and of entropies.
    levels: Vec<f64>,
    entropies: Vec<f64>,
    /// Means before anything was seen; empty without evidence.
    prior_levels: Vec<f64>,
    prior_entropies: Vec<f64>,
}

/// What all prompts of a task do to the logarithms of another's accuracy and entropy.
pub(crate) struct Effects {
    tasks: usize,
    levels: Vec<f64>,
    entropies: Vec<f64>,
}

impl Effects {
    /// On the log accuracy of `moved`.
    pub(crate) fn on_level(&self, moved: usize, trained: usize) -> f64 {
        self.levels[moved * self.tasks + trained]
    }

    /// On the log entropy of `moved`.
    pub(crate) fn on_entropy(&self, moved: usize, trained: usize) -> f64 {
        self.entropies[moved * self.tasks + trained]
    }
}

impl Movement {
    /// Before the first step. `evidence` must have been checked.
    pub(crate) fn new(names: &[&str], evidence: Option<&Evidence>) -> Self {
        let tasks = names.len();
        let seen = if tasks > MOST_TASKS { 0 } else { tasks * tasks };
        let mut it = Self {
            tasks,
            gram: vec![0.0; seen],
            levels: vec![0.0; seen],
            entropies: vec![0.0; seen],
            prior_levels: Vec::new(),
            prior_entropies: Vec::new(),
        };
        let Some(given) = evidence else { return it };
        let size = given.tasks.len();
        let places: Vec<Option<usize>> =
            names.iter().map(|name| given.tasks.iter().position(|task| task == name)).collect();
        let pairs = || places.iter().flat_map(|i| places.iter().map(move |j| (*i, *j)));
        it.prior_levels = pairs()
            .map(|pair| match pair {
                (Some(i), Some(j)) if i == j => {
                    let gain = (given.self_accuracy[i] / given.base_accuracy[i]).ln();
                    if gain.is_finite() { gain } else { OWN_GAIN }
                }
                (Some(i), Some(j)) => given.backward_transfer[i * size + j],
                _ => 0.0,
            })
            .collect();
        if !given.entropy_change.is_empty() {
            // Its rows are the task trained.
            it.prior_entropies = pairs()
                .map(|pair| match pair {
                    (Some(i), Some(j)) => {
                        (1.0 + given.entropy_change[j * size + i]).max(LEAST_LEVEL).ln()
                    }
                    _ => 0.0,
                })
                .collect();
        }
        it
    }

    /// Takes in a measurement, and begins the next.
    pub(crate) fn see(&mut self, sensor: &mut Sensor, measured: &Measured, noise: f64) {
        let since = std::mem::replace(&mut sensor.since, vec![0.0; self.tasks]);
        let mut levels = vec![None; self.tasks];
        let mut entropies = vec![None; self.tasks];
        for (task, (level, entropy)) in measured.iter().enumerate() {
            levels[task] = change(&mut sensor.levels[task], *level);
            entropies[task] = change(&mut sensor.entropies[task], *entropy);
        }
        let nothing = levels.iter().chain(&entropies).all(Option::is_none);
        if self.gram.is_empty() || nothing || since.iter().all(|z| *z == 0.0) {
            return;
        }
        let effects = self.effects();
        let predicted = |row: &[f64]| row.iter().zip(&since).map(|(b, z)| b * z).sum::<f64>();
        let precision = 1.0 / (noise * noise);
        for i in 0..self.tasks {
            let row = i * self.tasks..(i + 1) * self.tasks;
            let level = levels[i].unwrap_or_else(|| predicted(&effects.levels[row.clone()]));
            let entropy =
                entropies[i].unwrap_or_else(|| predicted(&effects.entropies[row.clone()]));
            for (j, at) in row.enumerate() {
                self.gram[at] += precision * since[i] * since[j];
                self.levels[at] += precision * level * since[j];
                self.entropies[at] += precision * entropy * since[j];
            }
        }
    }

    /// Means after what was seen.
    pub(crate) fn effects(&self) -> Effects {
        let size = self.tasks;
        let off = |prior: &[f64]| if prior.is_empty() { UNKNOWN } else { MEASURED };
        let prior = |prior: &[f64], own: f64| {
            if prior.is_empty() {
                let at = |n: usize| if n % (size + 1) == 0 { own } else { 0.0 };
                (0..size * size).map(at).collect()
            } else {
                prior.to_vec()
            }
        };
        let (levels, entropies) =
            (prior(&self.prior_levels, OWN_GAIN), prior(&self.prior_entropies, 0.0));
        if self.gram.is_empty() {
            return Effects { tasks: size, levels, entropies };
        }
        Effects {
            tasks: size,
            levels: ridge(size, &self.gram, &self.levels, &levels, off(&self.prior_levels)),
            entropies: ridge(
                size,
                &self.gram,
                &self.entropies,
                &entropies,
                off(&self.prior_entropies),
            ),
        }
    }
}

/// The change of the logarithm since the last measurement, where there are both.
fn change(last: &mut Option<f64>, now: Option<f64>) -> Option<f64> {
    let now = now.filter(|it| it.is_finite()).map(|it| it.max(LEAST_LEVEL).ln());
    let last = std::mem::replace(last, now);
    Some((now? - last?).clamp(-MOST_CHANGE, MOST_CHANGE))
}

/// Posterior means row by row: row i solves `(gram + D_i⁻²) β_i = rows_i + D_i⁻² prior_i`, where
/// `D_i` is `off` but for `OWN` at i.
///
/// One inverse serves all rows: with `M = gram + off⁻²`, row i's matrix is `M + δ e_i e_iᵀ`
/// (Sherman and Morrison).
fn ridge(size: usize, gram: &[f64], rows: &[f64], prior: &[f64], off: f64) -> Vec<f64> {
    let (off, own) = (1.0 / (off * off), 1.0 / (OWN * OWN));
    let mut matrix = gram.to_vec();
    for i in 0..size {
        matrix[i * size + i] += off;
    }
    let inverse = inverse(size, matrix);
    let mut means = vec![0.0; size * size];
    for i in 0..size {
        let row = i * size..(i + 1) * size;
        let right: Vec<f64> = row
            .clone()
            .map(|at| rows[at] + if at == i * size + i { own } else { off } * prior[at])
            .collect();
        let column = &inverse[row.clone()];
        let plain: Vec<f64> = (0..size)
            .map(|j| (0..size).map(|k| inverse[j * size + k] * right[k]).sum::<f64>())
            .collect();
        let delta = own - off;
        let pull = delta * plain[i] / (1.0 + delta * column[i]);
        for (j, at) in row.enumerate() {
            means[at] = plain[j] - pull * column[j];
        }
    }
    means
}

/// Of a symmetric positive definite matrix, by Gauss and Jordan; such need no pivots.
fn inverse(size: usize, mut matrix: Vec<f64>) -> Vec<f64> {
    let mut inverse = vec![0.0; size * size];
    for i in 0..size {
        inverse[i * size + i] = 1.0;
    }
    for pivot in 0..size {
        let scale = 1.0 / matrix[pivot * size + pivot];
        for at in pivot * size..(pivot + 1) * size {
            matrix[at] *= scale;
            inverse[at] *= scale;
        }
        for row in (0..size).filter(|row| *row != pivot) {
            let factor = matrix[row * size + pivot];
            if factor != 0.0 {
                for j in 0..size {
                    matrix[row * size + j] -= factor * matrix[pivot * size + j];
                    inverse[row * size + j] -= factor * inverse[pivot * size + j];
                }
            }
        }
    }
    inverse
}
