//! The `interleave` scheduler: every batch mixes the tasks in fixed proportions.
//!
//! What rounding keeps from a task in one batch it gets in the next (largest remainders, carried
//! over), so that the proportions hold over any stretch of batches to within one prompt a task. A
//! task that runs out leaves its share to the others.

use std::collections::BTreeMap;

use omni_scheduler_supply::Supply;
use omni_sdk::scheduler::{Error, Observation, Result, Scheduler, Setup, Share};
use serde::{Deserialize, Serialize};

/// Where training stands; all the state there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interleave {
    supply: Supply,
    /// By task, in the run's order.
    proportions: Vec<f64>,
    /// What each task was kept from by rounding, in prompts.
    owed: Vec<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// By task, in any unit; absent, the tasks' weights. Tasks left out have the proportion 0, and
    /// come when nothing else is left.
    proportions: Option<BTreeMap<String, f64>>,
}

impl Scheduler for Interleave {
    fn start(setup: &Setup) -> Result<Self> {
        let config: Config = setup.config()?;
        let supply = Supply::of(setup)?;
        let mut proportions: Vec<f64> = setup.tasks.iter().map(|task| task.weight).collect();
        if let Some(given) = config.proportions {
            proportions.fill(0.0);
            for (task, proportion) in given {
                let at = supply.place(&task).ok_or_else(|| {
                    let known: Vec<_> = setup.tasks.iter().map(|it| it.name.as_str()).collect();
                    let known = known.join(", ");
                    Error::invalid_input(format!(
                        "`proportions` names `{task}`; the run's tasks are {known}"
                    ))
                })?;
                proportions[at] = proportion;
            }
        }
        if let Some(wrong) = proportions.iter().find(|it| !it.is_finite() || **it < 0.0) {
            return Err(Error::invalid_input(format!("{wrong} is no proportion")));
        }
        if proportions.iter().all(|it| *it == 0.0) {
            return Err(Error::invalid_input("every proportion is 0; one at least must be above"));
        }
        let owed = vec![0.0; proportions.len()];
        Ok(Self { supply, proportions, owed })
    }

    fn next(&mut self, _: &[Observation]) -> Result<Vec<Share>> {
        let batch = self.supply.batch();
        let mut counts = vec![0; self.proportions.len()];
        let has: Vec<bool> = self.supply.left().map(|left| left > 0).collect();
        let all: f64 =
            self.proportions.iter().zip(&has).filter(|(_, has)| **has).map(|(p, _)| p).sum();
        for (at, owed) in self.owed.iter_mut().enumerate() {
            *owed = if !has[at] {
                0.0
            } else if all > 0.0 {
                *owed + f64::from(batch) * self.proportions[at] / all
            } else {
                // Only tasks without a proportion are left.
                0.0
            };
        }
        for _ in 0..batch {
            // Whom most is owed comes next; of equals the first.
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
        Ok(self.supply.shares(&counts))
    }
}

omni_sdk::export!(scheduler Interleave);
