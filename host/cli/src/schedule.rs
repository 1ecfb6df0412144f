//! A scheduler plugin as the trainer sees one.

use omni_pack::Observed;
use omni_runtime::{Evidence, Observation, SchedulerPlugin, Setup, TaskInfo};
use omni_train::outside::{self, Decision, OutsideError, ScheduleSetup, Scheduler, Share};

/// A plugin with its configuration.
pub(crate) struct PluginScheduler {
    /// The plugin.
    pub(crate) plugin: SchedulerPlugin,
    /// A JSON object.
    pub(crate) config: String,
    /// What its pack says that it observes.
    pub(crate) observes: Vec<Observed>,
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
            evidence: setup.evidence.as_ref().map(evidence),
            config: self.config.clone(),
            seed: setup.seed,
        })?)
    }

    fn wants_task_gradients(&self) -> bool {
        self.observes.contains(&Observed::GradientNorm)
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

fn evidence(measured: &outside::Evidence) -> Evidence {
    Evidence {
        tasks: measured.tasks.clone(),
        base_accuracy: measured.base_accuracy.clone(),
        self_accuracy: measured.self_accuracy.clone(),
        backward_transfer: measured.backward_transfer.concat(),
        entropy_change: measured
            .entropy_change
            .as_ref()
            .map(|rows| rows.concat())
            .unwrap_or_default(),
    }
}
