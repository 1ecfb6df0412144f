//! Scores of a phase to rewards and advantages, by the setting `advantage.normalise`.

use omni_record::Component;

use crate::advantage::median::{Curve, Window};
use crate::advantage::{ComponentGroup, advantages, gdpo};
use crate::config::Normalise;
use crate::phase::Batch;
use crate::prompts::Prompt;
use crate::reward::{Outcome, RewardSpec};
use crate::rollout::Rolled;
use crate::run::Run;

/// What became of one prompt's outputs.
pub(crate) struct Graded {
    pub(crate) outcomes: Vec<Outcome>,
    /// The weighted sums, as they were before any normalisation.
    pub(crate) rewards: Vec<Option<f64>>,
    pub(crate) advantages: Vec<f64>,
}

impl Run<'_> {
    /// Rewards and advantages of all prompts, and the curve of each task's rewards where they go
    /// through one.
    pub(crate) fn grade(
        &mut self,
        prompts: &[Prompt],
        rolled: &[Rolled],
        batches: &[Batch],
    ) -> (Vec<Graded>, Vec<Option<Curve>>) {
        let mut graded: Vec<Graded> = prompts
            .iter()
            .zip(rolled)
            .map(|(prompt, rolled)| {
                let spec = &self.parts.tasks[prompt.task].reward;
                let outcomes: Vec<Outcome> =
                    rolled.score.rollouts.iter().map(|c| spec.outcome(c)).collect();
                let rewards = outcomes.iter().map(Outcome::reward).collect();
                Graded { outcomes, rewards, advantages: Vec::new() }
            })
            .collect();
        let settings = &self.parts.config.advantage;
        let curves = match settings.normalise {
            Normalise::Median => self.curves(prompts, &graded),
            Normalise::None | Normalise::Gdpo => vec![None; self.parts.tasks.len()],
        };
        for batch in batches {
            let range = batch.prompts.clone();
            let of_batch = match settings.normalise {
                Normalise::Gdpo => {
                    let groups: Vec<ComponentGroup> = range
                        .clone()
                        .map(|i| {
                            let spec = &self.parts.tasks[prompts[i].task].reward;
                            components(spec, &rolled[i].score.rollouts, &graded[i].outcomes)
                        })
                        .collect();
                    gdpo(&groups, settings)
                }
                Normalise::None | Normalise::Median => {
                    let groups: Vec<Vec<Option<f64>>> = range
                        .clone()
                        .map(|i| {
                            let curve = curves[prompts[i].task];
                            let mapped = |r: f64| curve.map_or(r, |c| c.apply(r));
                            graded[i].rewards.iter().map(|r| r.map(mapped)).collect()
                        })
                        .collect();
                    advantages(&groups, settings)
                }
            };
            for (graded, advantages) in graded[range].iter_mut().zip(of_batch) {
                graded.advantages = advantages;
            }
        }
        (graded, curves)
    }

    /// Takes the phase's rewards into each task's window.
    fn curves(&mut self, prompts: &[Prompt], graded: &[Graded]) -> Vec<Option<Curve>> {
        let settings = &self.parts.config.advantage.median;
        let windows = &mut self.state.rewards;
        // A checkpoint from before this setting has none.
        windows.resize(self.parts.tasks.len(), Window::default());
        windows
            .iter_mut()
            .enumerate()
            .map(|(task, window)| {
                let phase: Vec<f64> = prompts
                    .iter()
                    .zip(graded)
                    .filter(|(prompt, _)| prompt.task == task)
                    .flat_map(|(_, graded)| graded.rewards.iter().copied().flatten())
                    .collect();
                window.curve(&phase, settings)
            })
            .collect()
    }
}

/// A group's components in the order of its task's, excluded outputs left out.
fn components(
    spec: &RewardSpec,
    rollouts: &[Vec<Component>],
    outcomes: &[Outcome],
) -> ComponentGroup {
    let scores = |components: &Vec<Component>| {
        spec.components
            .iter()
            .map(|c| components.iter().find(|s| s.name == c.name).and_then(|s| s.value.score()))
            .collect()
    };
    ComponentGroup {
        weights: spec.components.iter().map(|c| c.weight).collect(),
        outputs: rollouts
            .iter()
            .zip(outcomes)
            .map(|(components, outcome)| outcome.reward().map(|_| scores(components)))
            .collect(),
    }
}
