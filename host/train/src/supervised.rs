//! Supervised learning: the mean of −log p over a batch's completion tokens, and its gradient.
//!
//! Prompts are only read; an end-of-sequence token is part of the completion. The denominator is
//! the whole batch's, so how it is cut into micro-batches changes rounding and nothing else.

use std::sync::Arc;

use omni_policy::{Completion, Group, Policy};

use crate::TrainError;

/// A prompt and what is to be written after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// Shared by the examples of one prompt.
    pub(crate) prompt: Arc<[u32]>,
    pub(crate) completion: Vec<u32>,
}

/// Adds the gradient of a batch's mean token loss, at temperature 1, to the policy's; returns the
/// sum of −log p over each example's completion, before any update.
pub(crate) fn accumulate(
    policy: &mut dyn Policy,
    batch: &[&Example],
    budget: usize,
) -> Result<Vec<f64>, TrainError> {
    let budget = if budget == 0 { usize::MAX } else { budget };
    let weight = 1.0 / tokens(batch).max(1) as f64;
    let mut losses = Vec::with_capacity(batch.len());
    let mut rest = batch;
    while !rest.is_empty() {
        let mut held = 0;
        let fits = rest.iter().take_while(|e| {
            held += e.prompt.len() + e.completion.len();
            held <= budget
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        rest = later;
        let groups: Vec<Group<'_>> = now
            .iter()
            .map(|e| Group {
                prompt: &e.prompt,
                completions: vec![Completion { tokens: &e.completion, kept: None }],
            })
            .collect();
        policy.accumulate(&groups, 1.0, &mut |stats| {
            let loss = |row: &Vec<f32>| -row.iter().map(|x| f64::from(*x)).sum::<f64>();
            losses.extend(stats.logp.iter().flatten().map(loss));
            let slope = |row: &Vec<f32>| vec![-weight as f32; row.len()];
            stats.logp.iter().map(|group| group.iter().map(slope).collect()).collect()
        })?;
    }
    Ok(losses)
}

/// Completion tokens of a batch.
pub(crate) fn tokens(batch: &[&Example]) -> usize {
    batch.iter().map(|e| e.completion.len()).sum()
}
