//! A scheduler plugin as the trainer sees one.

use omni_runtime::{Observation, SchedulerPlugin, Setup, TaskInfo};
use omni_train::outside::{self, Decision, OutsideError, ScheduleSetup, Scheduler, Share};

/// A plugin with its configuration.
pub(crate) struct PluginScheduler {
    /// The plugin.
    pub(crate) plugin: SchedulerPlugin,
    /// A JSON object.
    pub(crate) config: String,
}

impl Scheduler for PluginScheduler {
    fn start(&mut self, setup: &ScheduleSetup) -> Result<Vec<u8>, OutsideError> {
        let tasks = setup
            .tasks
            .iter()
            .map(|task| TaskInfo {
                name: task.name.clone(),
                items: task.items,
                weight: task.weight,
            })
            .collect();
        Ok(self.plugin.start(&Setup {
            tasks,
            prompts_per_batch: setup.prompts_per_batch,
            epochs: setup.epochs,
            evidence: None,
            config: self.config.clone(),
            seed: setup.seed,
        })?)
    }

    fn next(
        &mut self,
        state: &[u8],
        observations: &[outside::Observation],
    ) -> Result<Decision, OutsideError> {
        let observations: Vec<Observation> = observations
            .iter()
            .map(|seen| Observation {
                task: seen.task.clone(),
                prompts: seen.prompts,
                mean_reward: seen.mean_reward,
                mean_abs_advantage: seen.mean_abs_advantage,
                gradient_norm: seen.gradient_norm,
                entropy: seen.entropy,
                accuracy: seen.accuracy,
            })
            .collect();
        let decision = self.plugin.next(state, &observations)?;
        Ok(Decision {
            state: decision.state,
            batch: decision
                .batch
                .into_iter()
                .map(|share| Share { task: share.task, prompts: share.prompts })
                .collect(),
        })
    }
}
