//! What the batches of the `dump` scheduler hold.

#![expect(clippy::unwrap_used, reason = "tests")]

use omni_dump::Dump;
use omni_sdk::scheduler::{Observation, Scheduler, Setup, Share, TaskInfo};

fn setup(items: &[(&str, u32)], config: &str) -> Setup {
    let task = |(name, items): &(&str, u32)| TaskInfo {
        name: (*name).to_owned(),
        items: Some(*items),
        weight: 1.0,
    };
    Setup {
        tasks: items.iter().map(task).collect(),
        prompts_per_batch: 16,
        epochs: 1.0,
        evidence: None,
        config: config.to_owned(),
        seed: 3,
    }
}

fn seen(task: &str, prompts: u32, mean_abs_advantage: f64) -> Observation {
    Observation {
        task: task.to_owned(),
        prompts,
        mean_reward: 0.5,
        mean_abs_advantage,
        gradient_norm: 1.0,
        entropy: 1.0,
        accuracy: None,
    }
}

/// Batches in a world where each task has one mean absolute advantage, state through JSON.
fn batches(setup: &Setup, advantage: impl Fn(&str, usize) -> f64, count: usize) -> Vec<Vec<Share>> {
    let mut state = serde_json::to_vec(&Dump::start(setup).unwrap()).unwrap();
    let mut observations = Vec::new();
    let mut batches: Vec<Vec<Share>> = Vec::new();
    for step in 0..count {
        let mut dump: Dump = serde_json::from_slice(&state).unwrap();
        let batch = dump.next(&observations).unwrap();
        state = serde_json::to_vec(&dump).unwrap();
        observations =
            batch.iter().map(|s| seen(&s.task, s.prompts, advantage(&s.task, step))).collect();
        batches.push(batch);
    }
    batches
}

fn prompts(batches: &[Vec<Share>], task: &str) -> u32 {
    batches.iter().flatten().filter(|it| it.task == task).map(|it| it.prompts).sum()
}

#[test]
fn where_there_is_more_to_learn_more_is_drawn() {
    let tasks = [("learnable", 100_000), ("solved", 100_000)];
    let world = |task: &str, _: usize| if task == "learnable" { 0.8 } else { 0.05 };
    let batches = batches(&setup(&tasks, "{}"), world, 200);
    let late = &batches[150..];
    assert!(prompts(late, "learnable") > 9 * prompts(late, "solved"));
    // It is still looked at now and then.
    assert!(prompts(&batches, "solved") > 16);
}

#[test]
fn what_is_learnt_gives_way_to_what_is_not() {
    let tasks = [("first", 100_000), ("second", 100_000)];
    // The first is solved after 60 steps; the window forgets how it was before.
    let world = |task: &str, step: usize| match task {
        "first" if step < 60 => 0.9,
        "first" => 0.0,
        _ => 0.4,
    };
    let batches = batches(&setup(&tasks, r#"{"window": 64}"#), world, 200);
    assert!(prompts(&batches[40..60], "first") > prompts(&batches[40..60], "second"));
    assert!(prompts(&batches[150..], "second") > 3 * prompts(&batches[150..], "first"));
}

#[test]
fn every_prompt_comes_once_and_a_seed_gives_one_schedule() {
    let tasks = [("a", 40), ("b", 7)];
    let all = batches(&setup(&tasks, "{}"), |_, _| 0.3, 5);
    assert_eq!((prompts(&all, "a"), prompts(&all, "b")), (40, 7));
    assert_eq!(all[2].iter().map(|it| it.prompts).sum::<u32>(), 15);
    assert!(all[3].is_empty());
    assert_eq!(all, batches(&setup(&tasks, "{}"), |_, _| 0.3, 5));
}

#[test]
fn setups_that_make_no_sense_are_errors() {
    for config in
        [r#"{"temperature": 0}"#, r#"{"window": 0}"#, r#"{"exploration": -1}"#, r#"{"x": 1}"#]
    {
        assert!(Dump::start(&setup(&[("a", 4)], config)).is_err(), "{config}");
    }
}
