//! How many prompts the tasks of a run have left: what schedulers share.

mod in_order;

pub use in_order::InOrder;

use omni_sdk::scheduler::{Error, Result, Setup, Share};
use serde::{Deserialize, Serialize};

/// The prompts that are left of each task, all epochs together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Supply {
    prompts_per_batch: u32,
    tasks: Vec<(String, u64)>,
}

impl Supply {
    /// What a run begins with. A part of an epoch is that part of each task's prompts, rounded.
    ///
    /// # Errors
    /// `invalid-input` for a task without an end, batches without prompts, epochs that are no
    /// positive number, or no prompts at all.
    pub fn of(setup: &Setup) -> Result<Self> {
        possible(setup)?;
        let tasks = setup.tasks.iter().map(|task| {
            let items = task.items.ok_or_else(|| endless(&task.name))?;
            let whole = setup.epochs.trunc() * f64::from(items);
            let part = (setup.epochs.fract() * f64::from(items)).round();
            Ok((task.name.clone(), (whole + part) as u64))
        });
        let tasks = tasks.collect::<Result<Vec<_>>>()?;
        if tasks.iter().all(|(_, left)| *left == 0) {
            return Err(Error::invalid_input("the run's tasks have no prompts"));
        }
        Ok(Self { prompts_per_batch: setup.prompts_per_batch, tasks })
    }

    /// Prompts left, by task.
    pub fn left(&self) -> impl Iterator<Item = u64> {
        self.tasks.iter().map(|(_, left)| *left)
    }

    /// The size of the next batch: short where less is left.
    pub fn batch(&self) -> u32 {
        let left: u64 = self.left().sum();
        u32::try_from(left).unwrap_or(u32::MAX).min(self.prompts_per_batch)
    }

    /// The task's place among the others.
    pub fn place(&self, task: &str) -> Option<usize> {
        self.tasks.iter().position(|(name, _)| name == task)
    }

    /// Takes one prompt of a task; false where it has none left.
    pub fn take(&mut self, task: usize) -> bool {
        match self.tasks.get_mut(task) {
            Some((_, left)) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// A batch from counts by task.
    pub fn shares(&self, counts: &[u32]) -> Vec<Share> {
        let shares = self.tasks.iter().zip(counts).filter(|(_, count)| **count > 0);
        shares.map(|((task, _), &prompts)| Share { task: task.clone(), prompts }).collect()
    }
}

/// Whether batches and epochs make sense.
fn possible(setup: &Setup) -> Result<()> {
    if setup.prompts_per_batch == 0 {
        return Err(Error::invalid_input("`prompts_per_batch` is 0"));
    }
    if !(setup.epochs.is_finite() && setup.epochs > 0.0) {
        let message = format!("`epochs` is {}; it must be above 0", setup.epochs);
        return Err(Error::invalid_input(message));
    }
    Ok(())
}

fn endless(task: &str) -> Error {
    Error::invalid_input(format!(
        "task `{task}` never runs out of prompts; set `items` for it in the run file"
    ))
}
