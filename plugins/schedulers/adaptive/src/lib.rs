//! The `adaptive` scheduler: mixed batches whose shares follow measured transfer, learning signal
//! and entropy while training goes on.
//!
//! Every prompt is used once an epoch, as in joint training; what the shares control is *when* (and,
//! where `schedule.max_steps` ends a run before its prompts do, *how much*). With `q_j` the task's
//! part of the prompts that are left, as in joint training, a task's share is
//!
//! ```text
//! s_j = (1 − least) · q_j w_j / Σ_m q_m w_m  +  least · q_j
//! ln w_j = strength · A_j / ℓ  +  signal · ln(g_j / mean g)  −  strength · E_j  +  probe_j
//! ```
//!
//! - `A_j`: what a prompt of j is worth now rather than later, since tasks disturb and help each
//!   other ([`worth`]); ℓ is the part of all prompts that is left.
//! - `g_j`: mean absolute advantage × how far a prompt of j moves the policy ([`recent`]).
//! - `E_j`: by how much j raises the others' entropy, while one of them lowers its own. A task whose
//!   entropy has fallen below a tenth of what it was is braked besides.
//! - `probe_j`: in the first half of the run tasks take turns at having more, so that their
//!   transfers can be told apart ([`movement`]).
//!
//! With one task, or with `strength`, `signal` and `probe` 0, and as long as nothing is known, it is
//! joint training without the luck of the draw. Derivation and comparison: `docs/schedules.md`.

mod movement;
mod recent;
mod worth;

use movement::{Measured, Movement, Sensor};
use omni_scheduler_supply::Supply;
use omni_sdk::scheduler::{Error, Evidence, Observation, Result, Rng, Scheduler, Setup, Share};
use recent::{Recent, effective, usable};
use serde::{Deserialize, Serialize};
use worth::Rest;

/// `ln w` lies between minus and plus this.
const MOST_TILT: f64 = 2.0;

/// Prompts a task, all tasks together, between two measurements from training steps.
const WINDOW: f64 = 64.0;

/// Learning signals below this are alike.
const LEAST_SIGNAL: f64 = 0.05;

/// Below this part of its first entropy a task is braked.
const COLLAPSED: f64 = 0.1;

/// A task raises the others' entropy when its mean effect on its logarithm is above this
/// (METHOD section 5).
const RAISES: f64 = 0.05;

/// Where training stands; all the state there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adaptive {
    config: Config,
    supply: Supply,
    /// What rounding kept from each task, in prompts.
    owed: Vec<f64>,
    /// α, 1 on average.
    weights: Vec<f64>,
    /// Prompts of each task at the start.
    prompts: Vec<f64>,
    /// The order in which tasks have more than their share at first.
    probing: Vec<usize>,
    recent: Vec<Recent>,
    /// Prompts, and sums of rewards and entropies over them, since the steps were last measured.
    window: Vec<Sums>,
    steps: Sensor,
    validations: Sensor,
    movement: Movement,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// κ: how strongly shares follow what is known of transfer and entropy; 0: not at all.
    strength: f64,
    /// How strongly shares follow the learning signal; 0: not at all.
    signal: f64,
    /// Logarithm of the factor by which a task has more while it is being tried.
    probe: f64,
    /// The part of its share in joint training that a task always has.
    least: f64,
    /// x: a task closes a factor eˣ of its gap in all its prompts.
    saturation: f64,
    /// Standard deviation of a measured change of log accuracy.
    noise: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { strength: 4.0, signal: 0.5, probe: 0.7, least: 0.25, saturation: 3.0, noise: 0.1 }
    }
}

impl Config {
    fn check(&self) -> Result<()> {
        let wrong = |key: &str, wanted: &str| {
            Err(Error::invalid_input(format!("`{key}` must be {wanted}")))
        };
        for (key, value) in
            [("strength", self.strength), ("signal", self.signal), ("probe", self.probe)]
        {
            if !(value.is_finite() && value >= 0.0) {
                return wrong(key, "0 or above");
            }
        }
        if !(0.0..=1.0).contains(&self.least) {
            return wrong("least", "between 0 and 1");
        }
        for (key, value) in [("saturation", self.saturation), ("noise", self.noise)] {
            if !(value.is_finite() && value > 1e-3) {
                return wrong(key, "above 0.001");
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    prompts: f64,
    rewarded: f64,
    reward: f64,
    with_entropy: f64,
    entropy: f64,
}

impl Sums {
    fn means(&self) -> (Option<f64>, Option<f64>) {
        let mean = |sum: f64, prompts: f64| (prompts > 0.0).then(|| sum / prompts);
        (mean(self.reward, self.rewarded), mean(self.entropy, self.with_entropy))
    }
}

impl Scheduler for Adaptive {
    fn start(setup: &Setup) -> Result<Self> {
        let config: Config = setup.config()?;
        config.check()?;
        let supply = Supply::of(setup)?;
        let size = setup.tasks.len();
        let names: Vec<&str> = setup.tasks.iter().map(|task| task.name.as_str()).collect();
        if let Some(evidence) = &setup.evidence {
            check(evidence)?;
        }
        let prompts: Vec<f64> = supply.left().map(|left| left as f64).collect();
        let mut probing: Vec<usize> = (0..size).filter(|task| prompts[*task] > 0.0).collect();
        Rng::keyed(u64::from(setup.seed), "adaptive", 0).shuffle(&mut probing);
        Ok(Self {
            config,
            owed: vec![0.0; size],
            weights: weights(setup)?,
            prompts,
            probing,
            recent: vec![Recent::default(); size],
            window: vec![Sums::default(); size],
            steps: Sensor::new(size),
            validations: Sensor::new(size),
            movement: Movement::new(&names, setup.evidence.as_ref()),
            supply,
        })
    }

    fn next(&mut self, observations: &[Observation]) -> Result<Vec<Share>> {
        self.learn(observations);
        let shares = self.proportions();
        Ok(self.batch(&shares))
    }
}

omni_sdk::export!(scheduler Adaptive);

impl Adaptive {
    /// Takes in what was observed since the last batch: any number of steps, then validations.
    fn learn(&mut self, observations: &[Observation]) {
        let known: Vec<(usize, &Observation)> = observations
            .iter()
            .filter_map(|seen| Some((self.supply.place(&seen.task)?, seen)))
            .collect();
        let mut step: Vec<(usize, &Observation)> = Vec::new();
        for (task, seen) in known.iter().filter(|(_, seen)| seen.prompts > 0) {
            // A task is in a step once.
            if step.iter().any(|(other, _)| other == task) {
                self.step(&std::mem::take(&mut step));
            }
            step.push((*task, seen));
        }
        self.step(&step);
        let mut measured: Measured = vec![(None, None); self.prompts.len()];
        for (task, seen) in known.iter().filter(|(_, seen)| seen.prompts == 0) {
            let entropy = usable(seen.entropy).filter(|entropy| *entropy > 0.0);
            measured[*task] = (seen.accuracy.and_then(usable), entropy);
        }
        if measured.iter().any(|(accuracy, _)| accuracy.is_some()) {
            self.movement.see(&mut self.validations, &measured, self.config.noise);
        }
    }

    fn step(&mut self, step: &[(usize, &Observation)]) {
        let seen: Vec<&Observation> = step.iter().map(|(_, seen)| *seen).collect();
        for ((task, seen), effective) in step.iter().zip(effective(&seen)) {
            self.recent[*task].see(seen, effective);
            if self.prompts[*task] > 0.0 {
                let part = effective / self.prompts[*task];
                self.steps.moved(*task, part);
                self.validations.moved(*task, part);
            }
            let (window, prompts) = (&mut self.window[*task], f64::from(seen.prompts));
            window.prompts += prompts;
            if let Some(reward) = usable(seen.mean_reward) {
                window.rewarded += prompts;
                window.reward += prompts * reward;
            }
            if let Some(entropy) = usable(seen.entropy).filter(|entropy| *entropy > 0.0) {
                window.with_entropy += prompts;
                window.entropy += prompts * entropy;
            }
        }
        let live = self.supply.left().filter(|left| *left > 0).count().max(1);
        let prompts: f64 = self.window.iter().map(|window| window.prompts).sum();
        if prompts >= WINDOW * live as f64 {
            let measured: Measured = self.window.iter().map(Sums::means).collect();
            self.window.fill(Sums::default());
            self.movement.see(&mut self.steps, &measured, self.config.noise);
        }
    }

    /// The shares of the next batch: 0 of tasks that ran out, 1 together.
    fn proportions(&self) -> Vec<f64> {
        let left: Vec<f64> = self.supply.left().map(|left| left as f64).collect();
        let all: f64 = left.iter().sum();
        if all == 0.0 {
            return left;
        }
        let tilted: Vec<f64> = left.iter().zip(self.tilts(&left)).map(|(l, w)| l * w).collect();
        let sum: f64 = tilted.iter().sum();
        let least = self.config.least;
        let share = |(left, tilted): (&f64, &f64)| (1.0 - least) * tilted / sum + least * left / all;
        left.iter().zip(&tilted).map(share).collect()
    }

    /// `w`: how much more of a task than joint training would take.
    fn tilts(&self, left: &[f64]) -> Vec<f64> {
        let size = left.len();
        let live: Vec<usize> = (0..size).filter(|task| left[*task] > 0.0).collect();
        let all: f64 = left.iter().sum();
        let begun: f64 = self.prompts.iter().sum();
        let part = |task: usize| if left[task] > 0.0 { left[task] / self.prompts[task] } else { 0.0 };
        let parts: Vec<f64> = (0..size).map(part).collect();

        let effects = self.movement.effects();
        let rest = Rest {
            weights: &self.weights,
            prompts: &self.prompts,
            left: &parts,
            saturation: self.config.saturation,
        };
        let worth = rest.now_rather_than_later(|i, j| effects.on_level(i, j));

        let signals: Vec<Option<f64>> = self.recent.iter().map(Recent::signal).collect();
        let seen = || live.iter().filter_map(|task| Some((left[*task], signals[*task]?)));
        let weight: f64 = seen().map(|(left, _)| left).sum();
        let mean = seen().map(|(left, signal)| left * signal).sum::<f64>() / weight.max(1.0);

        let raises = |j: usize| {
            let others = live.iter().filter(|i| **i != j);
            let falling = others.clone().any(|i| effects.on_entropy(*i, *i) < 0.0);
            let change: f64 = others.clone().map(|i| effects.on_entropy(*i, j)).sum();
            let mean = change / others.count().max(1) as f64;
            if falling { (mean - RAISES).max(0.0) } else { 0.0 }
        };

        // Each task is tried once, in the first half.
        let turn = (begun - all) / begun * 2.0 * self.probing.len() as f64;
        let tried = self.probing.get(turn as usize);

        let tilt = |task: usize| {
            if left[task] == 0.0 {
                return 0.0;
            }
            let signal = signals[task].map_or(0.0, |signal| {
                ((signal + LEAST_SIGNAL) / (mean + LEAST_SIGNAL)).ln()
            });
            let probe = if tried == Some(&task) { self.config.probe } else { 0.0 };
            let tilt = self.config.strength * (worth[task] / (all / begun) - raises(task))
                + self.config.signal * signal
                + probe;
            let entropy = self.recent[task].entropy_left().unwrap_or(1.0);
            let brake = (entropy / COLLAPSED).clamp(LEAST_SIGNAL, 1.0);
            tilt.clamp(-MOST_TILT, MOST_TILT).exp() * brake
        };
        (0..size).map(tilt).collect()
    }

    /// Rounds shares to prompts; what a task is kept from now it gets in the next batch.
    fn batch(&mut self, shares: &[f64]) -> Vec<Share> {
        let prompts = self.supply.batch();
        let mut counts = vec![0; shares.len()];
        for (owed, share) in self.owed.iter_mut().zip(shares) {
            *owed = if *share > 0.0 { *owed + f64::from(prompts) * share } else { 0.0 };
        }
        for _ in 0..prompts {
            let left: Vec<u64> = self.supply.left().collect();
            let next = (0..left.len())
                .filter(|at| left[*at] > 0)
                .reduce(|best, at| if self.owed[at] > self.owed[best] { at } else { best });
            let Some(at) = next else { break };
            if self.supply.take(at) {
                self.owed[at] -= 1.0;
                counts[at] += 1;
            }
        }
        self.supply.shares(&counts)
    }
}

/// The run's weights α, 1 on average.
fn weights(setup: &Setup) -> Result<Vec<f64>> {
    let weights: Vec<f64> = setup.tasks.iter().map(|task| task.weight).collect();
    if let Some(task) = setup.tasks.iter().find(|it| !(it.weight.is_finite() && it.weight >= 0.0)) {
        let message = format!("the weight of `{}` is {}", task.name, task.weight);
        return Err(Error::invalid_input(message + "; it must not be negative"));
    }
    let sum: f64 = weights.iter().sum();
    if sum == 0.0 {
        return Err(Error::invalid_input("all tasks have the weight 0; at least one must count"));
    }
    Ok(weights.iter().map(|weight| weight * weights.len() as f64 / sum).collect())
}

/// Whether evidence is in shape; it may know other tasks than the run.
fn check(evidence: &Evidence) -> Result<()> {
    let size = evidence.tasks.len();
    let wrong = |what: &str| {
        let message = format!("the evidence: `{what}` does not fit its {size} tasks");
        Err(Error::invalid_input(message))
    };
    let list = |values: &[f64]| values.len() == size && values.iter().all(|it| it.is_finite());
    let square = |values: &[f64]| {
        let off = values.iter().enumerate().filter(|(at, _)| at % (size + 1) != 0);
        values.len() == size * size && off.clone().all(|(_, it)| it.is_finite())
    };
    if !list(&evidence.base_accuracy) {
        return wrong("base_accuracy");
    }
    if !list(&evidence.self_accuracy) {
        return wrong("self_accuracy");
    }
    if !square(&evidence.backward_transfer) {
        return wrong("backward_transfer");
    }
    let entropy = &evidence.entropy_change;
    if !entropy.is_empty() && !(square(entropy) && entropy.iter().all(|it| it.is_finite())) {
        return wrong("entropy_change");
    }
    Ok(())
}
