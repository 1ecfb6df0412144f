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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use omni_policy::{AdamWConfig, CpuPolicy, Decay};
    use safetensors::SafeTensors;

    use super::*;
    use crate::config::{Loss, LossKind};
    use crate::loss::{Denominators, Row, TaskLoss, loss};

    fn policy() -> CpuPolicy {
        let nano = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../policy/tests/fixtures/nano");
        CpuPolicy::load(&nano, Some(1)).unwrap()
    }

    fn fixture(name: &str) -> Vec<u8> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        std::fs::read(folder.join(name)).unwrap()
    }

    /// Eight completions of different lengths after two prompts.
    fn examples() -> Vec<Example> {
        let json: serde_json::Value = serde_json::from_slice(&fixture("b_c_batch.json")).unwrap();
        let lists = |key: &str| -> Vec<Vec<u32>> {
            serde_json::from_value(json["batch"][key].clone()).unwrap()
        };
        let prompts: Vec<Arc<[u32]>> = lists("prompts").into_iter().map(Arc::from).collect();
        let example = |(row, completion)| {
            let prompt = Arc::clone(&prompts[row / 4]);
            Example { prompt, completion }
        };
        lists("completions").into_iter().enumerate().map(example).collect()
    }

    /// The mean loss of a token.
    fn mean(losses: &[f64], batch: &[&Example]) -> f64 {
        losses.iter().sum::<f64>() / tokens(batch) as f64
    }

    /// Adds what the loss of GRPO, which agrees with TRL's, says of the same tokens with one
    /// advantage for all: its `dapo` form divides by the batch's tokens too.
    fn add_grpo(policy: &mut CpuPolicy, batch: &[&Example], advantage: f64) {
        let settings = Loss { kind: LossKind::Dapo, ..Loss::default() };
        let task = TaskLoss { epsilon_low: 0.2, epsilon_high: 0.2, beta: 0.0 };
        let groups: Vec<Group<'_>> = batch
            .iter()
            .map(|e| Group {
                prompt: &e.prompt,
                completions: vec![Completion { tokens: &e.completion, kept: None }],
            })
            .collect();
        let denominators = Denominators {
            sequences: batch.len(),
            tokens: tokens(batch),
            micro_tokens: tokens(batch),
            micro_batches: 1,
            max_completion_tokens: 12,
        };
        policy
            .accumulate(&groups, 1.0, &mut |stats| {
                let widen = |row: &Vec<f32>| row.iter().map(|x| f64::from(*x)).collect();
                let logp: Vec<Vec<f64>> = stats.logp.iter().flatten().map(widen).collect();
                let row =
                    |logp| Row { logp, old: None, reference: None, advantage, masked: false, task };
                let rows: Vec<Row<'_>> = logp.iter().map(|logp| row(logp)).collect();
                let (_, gradient) = loss(&rows, &settings, &denominators);
                let narrow = |row: Vec<f64>| vec![row.into_iter().map(|g| g as f32).collect()];
                gradient.into_iter().map(narrow).collect()
            })
            .unwrap();
    }

    #[test]
    fn the_loss_is_that_of_the_reference() {
        let examples = examples();
        let batch: Vec<&Example> = examples.iter().collect();
        let bytes = fixture("b_c_batch.safetensors");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let view = file.tensor("t10.logps_f64").unwrap();
        let number = |b: &[u8]| f64::from_le_bytes(b.try_into().unwrap());
        let logp: Vec<f64> = view.data().chunks_exact(8).map(number).collect();
        let losses = accumulate(&mut policy(), &batch, 0).unwrap();
        for ((example, row), ours) in examples.iter().zip(logp.chunks(view.shape()[1])).zip(losses)
        {
            let theirs: f64 = -row[..example.completion.len()].iter().sum::<f64>();
            assert!((ours - theirs).abs() < 1e-5 * theirs, "{ours} instead of {theirs}");
        }
    }

    #[test]
    fn the_gradient_is_that_of_grpo_with_one_advantage_however_it_is_cut() {
        let examples = examples();
        let batch: Vec<&Example> = examples.iter().collect();
        let mut policy = policy();
        accumulate(&mut policy, &batch, 0).unwrap();
        let norm = policy.grad_norm();
        assert!(norm > 0.1);
        for budget in [0, 1, 30] {
            policy.zero_grad();
            accumulate(&mut policy, &batch, budget).unwrap();
            add_grpo(&mut policy, &batch, -1.0);
            assert!(policy.grad_norm() < 1e-5 * norm, "{budget}: {}", policy.grad_norm());
        }
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let examples = examples();
        let batch: Vec<&Example> = examples.iter().take(5).collect();
        // Without memory and with an epsilon that dwarfs every derivative, AdamW's step is
        // −lr / eps times the gradient.
        let step = |by: f64| -> (f64, f64) {
            let mut policy = policy();
            accumulate(&mut policy, &batch, 40).unwrap();
            let norm = policy.grad_norm();
            let adamw = AdamWConfig {
                lr: by * 1e6,
                beta1: 0.0,
                beta2: 0.0,
                eps: 1e6,
                weight_decay: 0.0,
                decay: Decay::All,
            };
            policy.step(&adamw, None).unwrap();
            policy.zero_grad();
            (mean(&accumulate(&mut policy, &batch, 40).unwrap(), &batch), norm)
        };
        let h = 1e-3;
        let ((down, norm), (up, _)) = (step(h), step(-h));
        let slope = (up - down) / (2.0 * h);
        assert!((slope - norm * norm).abs() < 1e-3 * norm * norm, "{slope}, |g|² {}", norm * norm);
    }
}
