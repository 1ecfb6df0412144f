//! The `joint` scheduler: each batch is drawn uniformly, without replacement, from the union of
//! the prompts that all tasks have left in this epoch.
//!
//! It hands out shares alone; which prompts they are, the host's order of each task's data says.
//! The last batch of an epoch is short where it does not come out even. A run file's weights do
//! not matter here: every prompt is used once an epoch.

use omni_sdk::rng::Rng;
use omni_sdk::scheduler::{Error, Observation, Result, Scheduler, Setup, Share};
use serde::{Deserialize, Serialize};

/// Where training stands; all the state there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joint {
    seed: u32,
    prompts_per_batch: u32,
    /// Epochs that are still to begin; the last may be a part of one.
    epochs_left: f64,
    batches: u64,
    tasks: Vec<Task>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Task {
    name: String,
    items: u32,
    left: u32,
}

/// There is nothing to configure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Scheduler for Joint {
    fn start(setup: &Setup) -> Result<Self> {
        let Config {} = setup.config()?;
        if setup.prompts_per_batch == 0 {
            return Err(Error::invalid_input("`prompts_per_batch` is 0"));
        }
        if !(setup.epochs.is_finite() && setup.epochs > 0.0) {
            return Err(Error::invalid_input(format!(
                "`epochs` is {}; it must be above 0",
                setup.epochs
            )));
        }
        let tasks = setup.tasks.iter().map(|task| {
            let items = task.items.ok_or_else(|| {
                Error::invalid_input(format!(
                    "task `{}` never runs out of prompts; set `items` for it in the run file",
                    task.name
                ))
            })?;
            Ok(Task { name: task.name.clone(), items, left: 0 })
        });
        let tasks = tasks.collect::<Result<Vec<_>>>()?;
        if tasks.iter().all(|task| task.items == 0) {
            return Err(Error::invalid_input("the run's tasks have no prompts"));
        }
        let (seed, prompts_per_batch, epochs_left) =
            (setup.seed, setup.prompts_per_batch, setup.epochs);
        Ok(Self { seed, prompts_per_batch, epochs_left, batches: 0, tasks })
    }

    fn next(&mut self, _: &[Observation]) -> Result<Vec<Share>> {
        // Part of an epoch may round to no prompt at all.
        while self.left() == 0 && self.epochs_left > 0.0 {
            let part = self.epochs_left.min(1.0);
            self.epochs_left -= part;
            for task in &mut self.tasks {
                task.left = (f64::from(task.items) * part).round() as u32;
            }
        }
        let mut rng = Rng::keyed(u64::from(self.seed), "joint", self.batches);
        self.batches += 1;
        let mut counts = vec![0; self.tasks.len()];
        for left in (1..=self.left()).rev().take(self.prompts_per_batch as usize) {
            let mut at = rng.below(left);
            for (task, count) in self.tasks.iter_mut().zip(&mut counts) {
                match at.checked_sub(u64::from(task.left)) {
                    Some(beyond) => at = beyond,
                    None => {
                        task.left -= 1;
                        *count += 1;
                        break;
                    }
                }
            }
        }
        let shares = self.tasks.iter().zip(counts).filter(|(_, count)| *count > 0);
        Ok(shares.map(|(task, prompts)| Share { task: task.name.clone(), prompts }).collect())
    }
}

omni_sdk::export!(scheduler Joint);

impl Joint {
    fn left(&self) -> u64 {
        self.tasks.iter().map(|task| u64::from(task.left)).sum()
    }
}
