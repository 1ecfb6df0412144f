//! The `sequence` scheduler: one task until all its epochs are done, then the next.

use omni_scheduler_supply::InOrder;
use omni_sdk::scheduler::{Observation, Result, Scheduler, Setup, Share};
use serde::{Deserialize, Serialize};

/// Where training stands; all the state there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(InOrder);

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
        InOrder::of(setup, &order).map(Self)
    }

    fn next(&mut self, _: &[Observation]) -> Result<Vec<Share>> {
        Ok(self.0.batch())
    }
}

omni_sdk::export!(scheduler Sequence);
