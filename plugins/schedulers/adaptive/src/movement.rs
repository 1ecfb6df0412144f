//! How training on one task moves another, estimated from what training shows.
//!
//! Between two measurements of task i its log accuracy (or log reward) changes by `y_i`. Meanwhile
//! each task j moved the policy as `z_j` of all its prompts would, and task i itself had `s_i` of its
//! prompts, each counted by its mean absolute advantage, which falls as the task saturates:
//!
//! ```text
//! y_i ≈ ρ_i s_i + Σ_{j≠i} β_ij z_j
//! ```
//!
//! is a ridge regression for each task i, around the evidence's transfers where there are any, else
//! around 0. The same regression with log entropies says what raises the entropy of what.
//!
//! Sums of products are all that is kept, so the state is a few K × K numbers however long the run.
//! A task that was not measured is taken to have done as predicted, which leaves its estimates as
//! they are.

use omni_sdk::scheduler::Evidence;
use serde::{Deserialize, Serialize};

/// Beyond so many tasks nothing is estimated: no run is long enough to tell their transfers apart.
pub(crate) const MOST_TASKS: usize = 32;

/// Standard deviation, before anything was seen, of what all prompts of a task do to another.
const UNKNOWN: f64 = 0.2;

/// The same where evidence was measured beforehand: in mixed batches it may be off.
const MEASURED: f64 = 0.1;

/// Mean and standard deviation of what all prompts of a task do to its own log accuracy, were the
/// mean absolute advantage 1.
const OWN_GAIN: f64 = 1.0;
const OWN: f64 = 1.0;

/// Standard deviation of a measured change of log accuracy, before any was seen, and how many
/// measurements that is worth. From then on it is what predictions are off by.
const NOISE: f64 = 0.1;
const NOISE_WEIGHT: f64 = 10.0;

/// A change of a logarithm is taken for at most this much.
const MOST_CHANGE: f64 = 1.0;

/// Levels, of which logarithms are taken, are at least this.
const LEAST_LEVEL: f64 = 0.01;

/// A measurement of some tasks: level (accuracy or reward) and entropy, by task.
pub(crate) type Measured = Vec<(Option<f64>, Option<f64>)>;

/// One way of measuring: training steps, or validations. Only like is compared with like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sensor {
    /// `z` and `s` since the last measurement.
    moved: Vec<f64>,
    learned: Vec<f64>,
    /// Logarithms at the last measurement.
    levels: Vec<Option<f64>>,
    entropies: Vec<Option<f64>>,
    /// Changes of levels that were predicted, and the sum of the squares of what was wrong.
    predicted: f64,
    wrong: f64,
    /// Whether the last measurement was made after the beginning of the run.
    settled: bool,
}

impl Sensor {
    pub(crate) fn new(tasks: usize) -> Self {
        Self {
            moved: vec![0.0; tasks],
            learned: vec![0.0; tasks],
            levels: vec![None; tasks],
            entropies: vec![None; tasks],
            predicted: 0.0,
            wrong: 0.0,
            settled: false,
        }
    }

    /// The variance of a measured change of log accuracy.
    fn noise(&self) -> f64 {
        (NOISE_WEIGHT * NOISE * NOISE + self.wrong) / (NOISE_WEIGHT + self.predicted)
    }

    /// Counts a step's `z` and `s` of a task.
    pub(crate) fn step(&mut self, task: usize, moved: f64, learned: f64) {
        self.moved[task] += moved;
        self.learned[task] += learned;
    }
}

/// The estimates' sums: K × K matrices, each measurement over the variance of its noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Movement {
    tasks: usize,
    /// `Σ z zᵀ`; `Σ s zᵀ`; `Σ s_i²`.
    moved: Vec<f64>,
    learned: Vec<f64>,
    own: Vec<f64>,
    /// `Σ y xᵀ`, where x is z with `s_i` in place of `z_i`.
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
    pub(crate) fn new(names: &[&str], evidence: Option<&Evidence>, estimate: bool) -> Self {
        let tasks = names.len();
        let kept = if !estimate || tasks > MOST_TASKS { 0 } else { tasks };
        let square = vec![0.0; kept * kept];
        let mut it = Self {
            tasks,
            moved: square.clone(),
            learned: square.clone(),
            own: vec![0.0; kept],
            levels: square.clone(),
            entropies: square,
            prior_levels: Vec::new(),
            prior_entropies: Vec::new(),
        };
        let Some(given) = evidence else { return it };
        let size = given.tasks.len();
        let places: Vec<Option<usize>> =
            names.iter().map(|name| given.tasks.iter().position(|task| task == name)).collect();
        let matrix = |own: Option<f64>, of: &dyn Fn(usize, usize) -> f64| {
            let pairs = places.iter().enumerate().flat_map(|(n, i)| {
                places.iter().enumerate().map(move |(m, j)| (n == m, i.zip(*j)))
            });
            pairs
                .map(|(same, pair)| match (own.filter(|_| same), pair) {
                    (Some(own), _) => own,
                    (None, Some((i, j))) => of(i, j),
                    (None, None) => 0.0,
                })
                .collect()
        };
        it.prior_levels = matrix(Some(OWN_GAIN), &|i, j| given.backward_transfer[i * size + j]);
        if !given.entropy_change.is_empty() {
            // Its rows are the task trained.
            let change = |i: usize, j: usize| 1.0 + given.entropy_change[j * size + i];
            it.prior_entropies = matrix(None, &|i, j| change(i, j).max(LEAST_LEVEL).ln());
        }
        it
    }

    /// Whether anything is estimated while training goes on.
    pub(crate) fn estimates(&self) -> bool {
        !self.own.is_empty()
    }

    /// Takes in a measurement, and begins the next. Nothing is made of changes that began before the
    /// run had `settled`.
    pub(crate) fn see(&mut self, sensor: &mut Sensor, measured: &Measured, settled: bool) {
        let size = self.tasks;
        let moved = std::mem::replace(&mut sensor.moved, vec![0.0; size]);
        let learned = std::mem::replace(&mut sensor.learned, vec![0.0; size]);
        let mut levels = vec![None; size];
        let mut entropies = vec![None; size];
        for (task, (level, entropy)) in measured.iter().enumerate() {
            levels[task] = change(&mut sensor.levels[task], *level);
            entropies[task] = change(&mut sensor.entropies[task], *entropy);
        }
        let began_settled = std::mem::replace(&mut sensor.settled, settled);
        if !began_settled
            || !self.estimates()
            || levels.iter().chain(&entropies).all(Option::is_none)
        {
            return;
        }
        let effects = self.effects();
        let precision = 1.0 / sensor.noise();
        for i in 0..size {
            let row = i * size..(i + 1) * size;
            let x: Vec<f64> =
                (0..size).map(|j| if i == j { learned[i] } else { moved[j] }).collect();
            let predicted = |row: &[f64]| row.iter().zip(&x).map(|(b, x)| b * x).sum::<f64>();
            let expected = predicted(&effects.levels[row.clone()]);
            if let Some(level) = levels[i] {
                sensor.predicted += 1.0;
                sensor.wrong += (level - expected).powi(2);
            }
            let level = levels[i].unwrap_or(expected);
            let entropy =
                entropies[i].unwrap_or_else(|| predicted(&effects.entropies[row.clone()]));
            self.own[i] += precision * learned[i] * learned[i];
            for (j, at) in row.enumerate() {
                self.moved[at] += precision * moved[i] * moved[j];
                self.learned[at] += precision * learned[i] * moved[j];
                self.levels[at] += precision * level * x[j];
                self.entropies[at] += precision * entropy * x[j];
            }
        }
    }

    /// Means after what was seen.
    pub(crate) fn effects(&self) -> Effects {
        Effects {
            tasks: self.tasks,
            levels: self.ridge(&self.levels, &self.prior_levels, OWN_GAIN),
            entropies: self.ridge(&self.entropies, &self.prior_entropies, 0.0),
        }
    }

    /// Posterior means row by row, by Cholesky's decomposition.
    fn ridge(&self, sums: &[f64], prior: &[f64], own: f64) -> Vec<f64> {
        let size = self.tasks;
        let off = if prior.is_empty() { UNKNOWN } else { MEASURED };
        let mean = |i: usize, j: usize| match prior.get(i * size + j) {
            Some(mean) => *mean,
            None if i == j => own,
            None => 0.0,
        };
        let mut means = Vec::with_capacity(size * size);
        for i in 0..size {
            if !self.estimates() {
                means.extend((0..size).map(|j| mean(i, j)));
                continue;
            }
            let precision = |j: usize| if i == j { 1.0 / (OWN * OWN) } else { 1.0 / (off * off) };
            let entry = |j: usize, k: usize| {
                let seen = match (j == i, k == i) {
                    (true, true) => self.own[i],
                    (true, false) => self.learned[i * size + k],
                    (false, true) => self.learned[i * size + j],
                    (false, false) => self.moved[j * size + k],
                };
                if j == k { seen + precision(j) } else { seen }
            };
            let right = (0..size).map(|j| sums[i * size + j] + precision(j) * mean(i, j)).collect();
            means.extend(solve(size, entry, right));
        }
        means
    }
}

/// The change of the logarithm since the last measurement, where there are both.
fn change(last: &mut Option<f64>, now: Option<f64>) -> Option<f64> {
    let now = now.filter(|it| it.is_finite()).map(|it| it.max(LEAST_LEVEL).ln());
    let last = std::mem::replace(last, now);
    Some((now? - last?).clamp(-MOST_CHANGE, MOST_CHANGE))
}

/// `A⁻¹ b` for a symmetric positive definite `A`.
fn solve(size: usize, entry: impl Fn(usize, usize) -> f64, mut b: Vec<f64>) -> Vec<f64> {
    let mut lower = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..=i {
            let done: f64 = (0..j).map(|k| lower[i * size + k] * lower[j * size + k]).sum();
            let rest = entry(i, j) - done;
            lower[i * size + j] = if i == j {
                // Rounding alone could take it to 0: the prior keeps it far above.
                rest.max(f64::MIN_POSITIVE).sqrt()
            } else {
                rest / lower[j * size + j]
            };
        }
    }
    for i in 0..size {
        let done: f64 = (0..i).map(|k| lower[i * size + k] * b[k]).sum();
        b[i] = (b[i] - done) / lower[i * size + i];
    }
    for i in (0..size).rev() {
        let done: f64 = (i + 1..size).map(|k| lower[k * size + i] * b[k]).sum();
        b[i] = (b[i] - done) / lower[i * size + i];
    }
    b
}
