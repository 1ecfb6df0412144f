//! Pure batches: one task until all its epochs are done, then the next.
//!
//! The last batch of each epoch is short where it does not come out even.

use std::collections::VecDeque;

use omni_sdk::scheduler::{Error, Result, Setup, Share};
use serde::{Deserialize, Serialize};

use crate::{endless, possible};

/// Tasks one after the other, and where training stands in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InOrder {
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

impl InOrder {
    /// All of a run's tasks, in this order.
    ///
    /// # Errors
    /// `invalid-input` when the order is not one of the run's tasks, or the setup makes no sense.
    pub fn of(setup: &Setup, order: &[String]) -> Result<Self> {
        possible(setup)?;
        if let Some(left_out) = setup.tasks.iter().find(|task| !order.contains(&task.name)) {
            let message = format!("`order` leaves out the run's task `{}`", left_out.name);
            return Err(Error::invalid_input(message));
        }
        let mut ahead = VecDeque::new();
        for (at, name) in order.iter().enumerate() {
            if order[..at].contains(name) {
                return Err(Error::invalid_input(format!("`order` names `{name}` twice")));
            }
            let task = setup.tasks.iter().find(|task| task.name == *name).ok_or_else(|| {
                let known: Vec<_> = setup.tasks.iter().map(|task| task.name.as_str()).collect();
                let known = known.join(", ");
                Error::invalid_input(format!("`order` names `{name}`; the run's tasks are {known}"))
            })?;
            let items = task.items.ok_or_else(|| endless(name))?;
            let (task, epochs_left) = (name.clone(), setup.epochs);
            ahead.push_back(Stretch { task, items, left: 0, epochs_left });
        }
        if ahead.iter().all(|stretch| stretch.items == 0) {
            return Err(Error::invalid_input("the run's tasks have no prompts"));
        }
        Ok(Self { prompts_per_batch: setup.prompts_per_batch, ahead })
    }

    /// The next batch; empty when all are done.
    pub fn batch(&mut self) -> Vec<Share> {
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
            return vec![Share { task: stretch.task.clone(), prompts }];
        }
        Vec::new()
    }
}
