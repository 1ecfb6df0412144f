//! The `sequence` scheduler: pure batches, one task until all its epochs are done, then the next.
//!
//! The last batch of each epoch is short where it does not come out even.

use std::collections::VecDeque;

use omni_sdk::scheduler::{Error, Observation, Result, Scheduler, Setup, Share};
use serde::{Deserialize, Serialize};

/// Where training stands; all the state there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    prompts_per_batch: u32,
    /// What is still to come: for each task and epoch, how many prompts.
    ahead: VecDeque<Stretch>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stretch {
    task: String,
    /// Prompts of one epoch.
    items: u32,
    /// Prompts left in the epoch that has begun.
    left: u32,
    /// Epochs that are still to begin; the last may be a part of one.
    epochs_left: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// All the run's tasks, each once; absent, as the run file lists them.
    order: Option<Vec<String>>,
}

impl Scheduler for Sequence {
    fn start(setup: &Setup) -> Result<Self> {
        let config: Config = setup.config()?;
        let order = config
            .order
            .unwrap_or_else(|| setup.tasks.iter().map(|task| task.name.clone()).collect());
        Self::in_order(setup, &order)
    }

    fn next(&mut self, _: &[Observation]) -> Result<Vec<Share>> {
        while let Some(stretch) = self.ahead.front_mut() {
            if stretch.left == 0 {
                if stretch.epochs_left <= 0.0 {
                    self.ahead.pop_front();
                    continue;
                }
                let part = stretch.epochs_left.min(1.0);
                stretch.epochs_left -= part;
                stretch.left = (f64::from(stretch.items) * part).round() as u32;
                continue;
            }
            let prompts = stretch.left.min(self.prompts_per_batch);
            stretch.left -= prompts;
            return Ok(vec![Share { task: stretch.task.clone(), prompts }]);
        }
        Ok(Vec::new())
    }
}

omni_sdk::export!(scheduler Sequence);

impl Sequence {
    /// A run's tasks in this order, whatever the configuration says.
    ///
    /// # Errors
    /// `invalid-input` when the order is not one of the run's tasks, or the setup makes no sense.
    pub fn in_order(setup: &Setup, order: &[String]) -> Result<Self> {
        if setup.prompts_per_batch == 0 {
            return Err(Error::invalid_input("`prompts_per_batch` is 0"));
        }
        if !(setup.epochs.is_finite() && setup.epochs > 0.0) {
            return Err(Error::invalid_input(format!(
                "`epochs` is {}; it must be above 0",
                setup.epochs
            )));
        }
        if let Some(left_out) = setup.tasks.iter().find(|task| !order.contains(&task.name)) {
            return Err(Error::invalid_input(format!(
                "`order` leaves out the run's task `{}`",
                left_out.name
            )));
        }
        let mut ahead = VecDeque::new();
        for (at, name) in order.iter().enumerate() {
            if order[..at].contains(name) {
                return Err(Error::invalid_input(format!("`order` names `{name}` twice")));
            }
            let task = setup.tasks.iter().find(|task| task.name == *name).ok_or_else(|| {
                let known: Vec<_> = setup.tasks.iter().map(|task| task.name.as_str()).collect();
                Error::invalid_input(format!(
                    "`order` names `{name}`; the run's tasks are {}",
                    known.join(", ")
                ))
            })?;
            let items = task.items.ok_or_else(|| {
                Error::invalid_input(format!(
                    "task `{name}` never runs out of prompts; set `items` for it in the run file"
                ))
            })?;
            ahead.push_back(Stretch {
                task: name.clone(),
                items,
                left: 0,
                epochs_left: setup.epochs,
            });
        }
        if ahead.iter().all(|stretch| stretch.items == 0) {
            return Err(Error::invalid_input("the run's tasks have no prompts"));
        }
        Ok(Self { prompts_per_batch: setup.prompts_per_batch, ahead })
    }
}
