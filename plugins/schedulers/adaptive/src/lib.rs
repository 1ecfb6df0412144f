//! The `adaptive` scheduler: mixed batches whose shares follow measured transfer, learning signal
//! and entropy while training goes on.
//!
//! Every prompt is used once an epoch, as in joint training; what the shares control is *when*.
//! With `r_j` the prompts that the rest of the run is to use of task j, and `q_j` its part of all
//! that are left (what joint training would take), its share of the next batch is
//!
//! ```text
//! s_j = (1 − least) · r_j w_j / Σ_m r_m w_m  +  least · q_j
//! ln w_j = strength · (A_j / ℓ − E_j) + probe_j        between −2 and 2
//! ```
//!
//! - `A_j`: what a prompt of j is worth now rather than later, for what tasks do to each other
//!   (`worth.rs`; ℓ is the part of the run that is left). What they do is estimated from the run
//!   itself, around the evidence if there is any (`movement.rs`).
//! - `E_j`: by how much j raises the others' entropy, where one of them lowers its own. A task whose
//!   entropy has fallen below a tenth of what it was is braked besides.
//! - `probe_j`: in the first half of the run tasks take turns at having more, so that what they do
//!   can be told apart.
//! - `r_j` is all that is left. Only in a run that `max_steps` ends before does it follow the learning
//!   signal, the mean absolute advantage (`amounts.rs`): what a task learns from its own prompts is
//!   the same early or late, so otherwise the signal has no say.
//!
//! With one task, with `strength` and `probe` 0, or where tasks do nothing to each other, it is joint
//! training without the luck of the draw. Derivation and comparison: `docs/schedules.md`.

mod amounts;
mod config;
mod movement;
mod recent;
mod worth;

use amounts::Amounts;
use config::Config;
use movement::{Measured, Movement, Sensor};
use omni_scheduler_supply::Supply;
use omni_sdk::scheduler::{Observation, Result, Rng, Scheduler, Setup, Share};
use recent::{Recent, effective, is_blank, usable};
use serde::{Deserialize, Serialize};
use worth::Rest;

/// `ln w` lies between minus and plus this.
const MOST_TILT: f64 = 2.0;

/// Prompts a task, on average, between two measurements from training steps; each has half at least.
const WINDOW: f64 = 64.0;

/// The part of its share that a braked task has at least, before `least`.
const BRAKED: f64 = 0.05;

/// Below this part of its first entropy a task is braked.
const COLLAPSED: f64 = 0.1;

/// A task raises the others' entropy when its mean effect on its logarithm is above this, and lowers
/// its own when that falls by more: the flag of `omni-curriculum`, with room for noise.
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
    /// Prompts that the run will use, and has still to use.
    planned: u64,
    ahead: u64,
    /// The order in which tasks have more than their share at first.
    probing: Vec<usize>,
    recent: Vec<Recent>,
    /// Prompts, and sums of rewards and entropies over them, since the steps were last measured.
    window: Vec<Sums>,
    steps: Sensor,
    validations: Sensor,
    movement: Movement,
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
            config::check(evidence)?;
        }
        let prompts: Vec<f64> = supply.left().map(|left| left as f64).collect();
        let all: u64 = supply.left().sum();
        let most = |steps| u64::from(steps) * u64::from(setup.prompts_per_batch);
        let planned = config.max_steps.map_or(all, most).min(all);
        let movement = Movement::new(&names, setup.evidence.as_ref(), config.estimate);
        let tried = |task: &usize| movement.estimates() && prompts[*task] > 0.0;
        let mut probing: Vec<usize> = (0..size).filter(tried).collect();
        Rng::keyed(u64::from(setup.seed), "adaptive", 0).shuffle(&mut probing);
        Ok(Self {
            owed: vec![0.0; size],
            weights: config::weights(setup)?,
            prompts,
            planned,
            ahead: planned,
            probing,
            recent: vec![Recent::default(); size],
            window: vec![Sums::default(); size],
            steps: Sensor::new(size),
            validations: Sensor::new(size),
            movement,
            supply,
            config,
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
            .filter(|seen| !is_blank(seen))
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
            let settled = self.turn() > 0;
            self.movement.see(&mut self.validations, &measured, settled);
        }
    }

    fn step(&mut self, step: &[(usize, &Observation)]) {
        let seen: Vec<&Observation> = step.iter().map(|(_, seen)| *seen).collect();
        for ((task, seen), effective) in step.iter().zip(effective(&seen)) {
            self.recent[*task].see(seen);
            if self.prompts[*task] > 0.0 {
                let advantage = usable(seen.mean_abs_advantage).unwrap_or(0.0);
                let learned = f64::from(seen.prompts) * advantage / self.prompts[*task];
                let moved = effective / self.prompts[*task];
                self.steps.step(*task, moved, learned);
                self.validations.step(*task, moved, learned);
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
        let live = || self.supply.left().zip(&self.window).filter(|(left, _)| *left > 0);
        let least = live().map(|(_, window)| window.prompts).fold(f64::INFINITY, f64::min);
        let prompts: f64 = self.window.iter().map(|window| window.prompts).sum();
        let enough = WINDOW * live().count().max(1) as f64;
        // Not for ever: a task may have next to no share.
        if prompts >= enough && least >= WINDOW / 2.0 || prompts >= 4.0 * enough {
            let measured: Measured = self.window.iter().map(Sums::means).collect();
            self.window.fill(Sums::default());
            let settled = self.turn() > 0;
            self.movement.see(&mut self.steps, &measured, settled);
        }
    }

    /// The shares of the next batch: 0 of tasks that ran out, 1 together.
    fn proportions(&self) -> Vec<f64> {
        let left: Vec<f64> = self.supply.left().map(|left| left as f64).collect();
        let all: f64 = left.iter().sum();
        if all == 0.0 {
            return left;
        }
        let signals: Vec<Option<f64>> = self.recent.iter().map(Recent::advantage).collect();
        let amounts = Amounts {
            prompts: &self.prompts,
            left: &left,
            planned: self.planned as f64,
            ahead: self.ahead as f64,
        };
        let rest = amounts.rest(&signals, self.config.signal);
        let tilted: Vec<f64> = rest.iter().zip(self.tilts(&rest)).map(|(r, w)| r * w).collect();
        let sum: f64 = tilted.iter().sum();
        let least = self.config.least;
        let share =
            |(left, tilted): (&f64, &f64)| (1.0 - least) * tilted / sum + least * left / all;
        left.iter().zip(&tilted).map(share).collect()
    }

    /// `w`: how much more of a task than of the others, for what its prompts are worth now.
    fn tilts(&self, rest: &[f64]) -> Vec<f64> {
        let size = rest.len();
        let live: Vec<usize> = (0..size).filter(|task| rest[*task] > 0.0).collect();
        let part =
            |task: usize| if rest[task] > 0.0 { rest[task] / self.prompts[task] } else { 0.0 };
        let parts: Vec<f64> = (0..size).map(part).collect();
        let all = rest.iter().sum::<f64>() / self.prompts.iter().sum::<f64>();

        let effects = self.movement.effects();
        let state = Rest {
            weights: &self.weights,
            prompts: &self.prompts,
            left: &parts,
            saturation: self.config.saturation,
        };
        let worth = state.now_rather_than_later(|i, j| effects.on_level(i, j));

        let raises = |j: usize| {
            let others = live.iter().filter(|i| **i != j);
            let falling = others.clone().any(|i| effects.on_entropy(*i, *i) < -RAISES);
            let change: f64 = others.clone().map(|i| effects.on_entropy(*i, j)).sum();
            let mean = change / others.count().max(1) as f64;
            if falling { (mean - RAISES).max(0.0) } else { 0.0 }
        };

        let tried = self.turn().checked_sub(1).and_then(|turn| self.probing.get(turn));

        let tilt = |task: usize| {
            if rest[task] == 0.0 {
                return 0.0;
            }
            let probe = if tried == Some(&task) { self.config.probe } else { 0.0 };
            let tilt = self.config.strength * (worth[task] / all - raises(task)) + probe;
            let entropy = self.recent[task].entropy_left().unwrap_or(1.0);
            let brake = (entropy / COLLAPSED).clamp(BRAKED, 1.0);
            tilt.clamp(-MOST_TILT, MOST_TILT).exp() * brake
        };
        (0..size).map(tilt).collect()
    }

    /// The first half of the run is as many turns as there are tasks to try, and one before, in which
    /// all tasks move fast and nobody can tell why.
    fn turn(&self) -> usize {
        let done = 1.0 - self.ahead as f64 / self.planned as f64;
        (done * 2.0 * (self.probing.len() + 1) as f64) as usize
    }

    /// Rounds shares to prompts; what a task is kept from now it gets in the next batch.
    fn batch(&mut self, shares: &[f64]) -> Vec<Share> {
        let prompts = self.supply.batch();
        self.ahead = self.ahead.saturating_sub(u64::from(prompts));
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
