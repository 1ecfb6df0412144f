//! The `dump` scheduler: tasks are drawn by upper confidence bounds on how much there is to learn
//! from them, after *DUMP: Automated Distribution-Level Curriculum Learning for RL-based LLM
//! Post-training* (Wang et al., 2025, arXiv 2504.09710).
//!
//! How much there is to learn from a task is the mean absolute advantage of its latest prompts:
//! where all outputs of a group are right or all wrong it is 0. With `n_k` prompts of task `k` so
//! far and `n` of all,
//!
//! ```text
//! UCB_k = mean |A|_k + c · sqrt(2 ln(n + 1) / (n_k + 1))        P(k) = softmax(UCB_k / τ)
//! ```
//!
//! and each prompt of a batch is drawn from `P` over the tasks that have prompts left. A task's
//! weight multiplies its probability.

use std::collections::VecDeque;

use omni_scheduler_supply::Supply;
use omni_sdk::scheduler::{Error, Observation, Result, Rng, Scheduler, Setup, Share};
use serde::{Deserialize, Serialize};

/// Where training stands; all the state there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dump {
    seed: u32,
    batches: u64,
    supply: Supply,
    config: Config,
    tasks: Vec<Seen>,
}

/// What was seen of a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    weight: f64,
    prompts: u64,
    /// Steps in the window: prompts and mean absolute advantage of each.
    window: VecDeque<(u32, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// τ: how sharply the task with the highest bound is preferred.
    temperature: f64,
    /// c: how much is tried that is not known yet.
    exploration: f64,
    /// Prompts of a task that the mean is taken over: its latest.
    window: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { temperature: 0.1, exploration: 1.0, window: 300 }
    }
}

impl Scheduler for Dump {
    fn start(setup: &Setup) -> Result<Self> {
        let config: Config = setup.config()?;
        if !(config.temperature.is_finite() && config.temperature > 0.0) {
            return Err(Error::invalid_input("`temperature` must be above 0"));
        }
        if !(config.exploration.is_finite() && config.exploration >= 0.0) {
            return Err(Error::invalid_input("`exploration` must not be negative"));
        }
        if config.window == 0 {
            return Err(Error::invalid_input("`window` must be above 0"));
        }
        let supply = Supply::of(setup)?;
        let tasks = setup.tasks.iter().map(|task| Seen { weight: task.weight, ..Seen::default() });
        Ok(Self { seed: setup.seed, batches: 0, supply, config, tasks: tasks.collect() })
    }

    fn next(&mut self, observations: &[Observation]) -> Result<Vec<Share>> {
        for seen in observations.iter().filter(|it| it.prompts > 0) {
            if let Some(at) = self.supply.place(&seen.task) {
                self.tasks[at].see(seen, self.config.window);
            }
        }
        let mut rng = Rng::keyed(u64::from(self.seed), "dump", self.batches);
        self.batches += 1;
        let likely = self.likelihoods();
        let mut counts = vec![0; self.tasks.len()];
        for _ in 0..self.supply.batch() {
            let left: Vec<f64> = self
                .supply
                .left()
                .zip(&likely)
                .map(|(n, p)| if n > 0 { *p } else { 0.0 })
                .collect();
            if let Some(at) = draw(&left, rng.unit())
                && self.supply.take(at)
            {
                counts[at] += 1;
            }
        }
        Ok(self.supply.shares(&counts))
    }
}

omni_sdk::export!(scheduler Dump);

impl Dump {
    /// Probabilities up to a factor; the highest is about its task's weight.
    fn likelihoods(&self) -> Vec<f64> {
        let all: u64 = self.tasks.iter().map(|task| task.prompts).sum();
        let bound = |task: &Seen| {
            let unknown = 2.0 * (all as f64 + 1.0).ln() / (task.prompts as f64 + 1.0);
            task.mean() + self.config.exploration * unknown.sqrt()
        };
        let bounds: Vec<f64> = self.tasks.iter().map(bound).collect();
        let highest = bounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let likely = |(task, bound): (&Seen, &f64)| {
            task.weight * ((bound - highest) / self.config.temperature).exp()
        };
        self.tasks.iter().zip(&bounds).map(likely).collect()
    }
}

impl Seen {
    fn see(&mut self, seen: &Observation, window: u32) {
        self.prompts += u64::from(seen.prompts);
        if seen.mean_abs_advantage.is_finite() {
            self.window.push_back((seen.prompts, seen.mean_abs_advantage));
        }
        // The oldest step goes when the window is full without it.
        while let Some((oldest, _)) = self.window.front()
            && self.window.iter().map(|(prompts, _)| prompts).sum::<u32>() - oldest >= window
        {
            self.window.pop_front();
        }
    }

    /// Of a task that was never seen, the bound is exploration alone.
    fn mean(&self) -> f64 {
        let prompts: f64 = self.window.iter().map(|(prompts, _)| f64::from(*prompts)).sum();
        if prompts == 0.0 {
            return 0.0;
        }
        self.window.iter().map(|(prompts, mean)| f64::from(*prompts) * mean).sum::<f64>() / prompts
    }
}

/// The place that `uniform` in [0, 1) falls on, by weights; of weights that are all 0, the first
/// place there is none.
fn draw(weights: &[f64], uniform: f64) -> Option<usize> {
    let mut at = uniform * weights.iter().sum::<f64>();
    let mut last = None;
    for (place, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        last = Some(place);
        if at < *weight {
            break;
        }
        at -= weight;
    }
    last
}
