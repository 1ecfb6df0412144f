//! Prompts with their outputs, for people to read and for scoring them again.

use omni_record::{Sample, SampleOutput};

use crate::TaskSpec;
use crate::prompts::Prompt;
use crate::rollout::Rolled;

/// A prompt with its outputs, once for each set of references.
pub(super) fn sets(
    task: &TaskSpec,
    prompt: &Prompt,
    rolled: &Rolled,
    purpose: &str,
    step: u64,
    turn: Option<u32>,
) -> Vec<Sample> {
    let scores = std::iter::once(&rolled.score).chain(&rolled.more);
    scores
        .enumerate()
        .map(|(n, score)| {
            let mut sample = sample(task, prompt, rolled, purpose, step);
            sample.turn = turn;
            if let Some(view) = prompt.views.get(n) {
                sample.reference.clone_from(&view.item.reference);
                sample.set = Some(view.set.clone());
            }
            if let Some((item, seed)) = prompt.scored_as().get(n) {
                sample.problem = Some(Box::new((*item).clone()));
                sample.seed = Some(*seed);
            }
            for (output, components) in sample.outputs.iter_mut().zip(&score.rollouts) {
                output.reward = task.reward.outcome(components).reward();
                output.components.clone_from(components);
            }
            sample
        })
        .collect()
}

/// One prompt with its outputs, for people to read.
pub(crate) fn sample(
    task: &TaskSpec,
    prompt: &Prompt,
    rolled: &Rolled,
    purpose: &str,
    step: u64,
) -> Sample {
    let outputs = rolled
        .rollouts
        .iter()
        .zip(&rolled.score.rollouts)
        .map(|(rollout, components)| SampleOutput {
            text: rollout.text.clone(),
            tokens: rollout.tokens,
            finish: rollout.finish,
            reward: task.reward.outcome(components).reward(),
            advantage: None,
            components: components.clone(),
        })
        .collect();
    Sample {
        step,
        purpose: purpose.to_owned(),
        task: task.name.clone(),
        item: prompt.item.id.clone(),
        turn: None,
        set: None,
        prompt: prompt.text.clone(),
        reference: prompt.item.reference.clone(),
        problem: Some(Box::new(prompt.item.clone())),
        seed: Some(prompt.score_seed),
        outputs,
    }
}
