//! Setups, and worlds that answer a scheduler.

use omni_adaptive::Adaptive;
use omni_sdk::scheduler::{Evidence, Observation, Scheduler, Setup, Share, TaskInfo};

pub(crate) const BATCH: u32 = 16;

/// Only what the evidence says: nothing is tried, and nothing that is seen counts.
pub(crate) const TOLD: &str = r#"{"probe": 0, "estimate": false}"#;

pub(crate) fn setup(tasks: &[(&str, u32)], evidence: Option<Evidence>, config: &str) -> Setup {
    let task = |(name, items): &(&str, u32)| TaskInfo {
        name: (*name).to_owned(),
        items: Some(*items),
        weight: 1.0,
    };
    Setup {
        tasks: tasks.iter().map(task).collect(),
        prompts_per_batch: BATCH,
        epochs: 1.0,
        evidence,
        config: config.to_owned(),
        seed: 3,
    }
}

/// Transfers and entropy changes between tasks, row by row.
pub(crate) fn evidence(tasks: &[&str], transfer: &[f64], entropy: &[f64]) -> Evidence {
    Evidence {
        tasks: tasks.iter().map(|it| (*it).to_owned()).collect(),
        base_accuracy: vec![0.4; tasks.len()],
        self_accuracy: vec![0.8; tasks.len()],
        backward_transfer: transfer.to_vec(),
        entropy_change: entropy.to_vec(),
    }
}

/// A step of a task in which nothing is out of the ordinary.
pub(crate) fn seen(task: &str, prompts: u32) -> Observation {
    Observation {
        task: task.to_owned(),
        prompts,
        mean_reward: 0.5,
        mean_abs_advantage: 0.5,
        gradient_norm: f64::from(prompts),
        entropy: 0.3,
        accuracy: None,
    }
}

/// All batches (at most `most`), the state going through JSON, in a world that answers each batch.
pub(crate) fn batches(
    setup: &Setup,
    most: usize,
    mut world: impl FnMut(usize, &[Share]) -> Vec<Observation>,
) -> Vec<Vec<Share>> {
    let mut state = serde_json::to_vec(&Adaptive::start(setup).unwrap()).unwrap();
    let mut observations = world(0, &[]);
    let mut batches = Vec::new();
    while batches.len() < most {
        let mut scheduler: Adaptive = serde_json::from_slice(&state).unwrap();
        let batch = scheduler.next(&observations).unwrap();
        state = serde_json::to_vec(&scheduler).unwrap();
        if batch.is_empty() {
            assert!(scheduler.next(&[]).unwrap().is_empty(), "it begins again");
            break;
        }
        observations = world(batches.len() + 1, &batch);
        batches.push(batch);
    }
    batches
}

/// A world in which every step is like any other.
pub(crate) fn even(_: usize, batch: &[Share]) -> Vec<Observation> {
    batch.iter().map(|share| seen(&share.task, share.prompts)).collect()
}

pub(crate) fn prompts(batches: &[Vec<Share>], task: &str) -> u32 {
    batches.iter().flatten().filter(|it| it.task == task).map(|it| it.prompts).sum()
}
