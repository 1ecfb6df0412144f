//! What the batches of the `interleave` scheduler hold.

#![expect(clippy::unwrap_used, reason = "tests")]

use omni_interleave::Interleave;
use omni_sdk::scheduler::{Scheduler, Setup, Share, TaskInfo};

fn setup(tasks: &[(&str, Option<u32>, f64)], config: &str) -> Setup {
    let task = |(name, items, weight): &(&str, Option<u32>, f64)| TaskInfo {
        name: (*name).to_owned(),
        items: *items,
        weight: *weight,
    };
    Setup {
        tasks: tasks.iter().map(task).collect(),
        prompts_per_batch: 8,
        epochs: 1.0,
        evidence: None,
        config: config.to_owned(),
        seed: 0,
    }
}

/// All batches, with the state going through JSON between any two of them.
fn batches(setup: &Setup) -> Vec<Vec<Share>> {
    let mut state = serde_json::to_vec(&Interleave::start(setup).unwrap()).unwrap();
    let mut batches = Vec::new();
    loop {
        let mut scheduler: Interleave = serde_json::from_slice(&state).unwrap();
        let batch = scheduler.next(&[]).unwrap();
        state = serde_json::to_vec(&scheduler).unwrap();
        if batch.is_empty() {
            return batches;
        }
        batches.push(batch);
    }
}

fn prompts(batches: &[Vec<Share>], task: &str) -> u32 {
    batches.iter().flatten().filter(|it| it.task == task).map(|it| it.prompts).sum()
}

#[test]
fn proportions_hold_over_any_stretch() {
    let config = r#"{"proportions": {"a": 5, "b": 2, "c": 1}}"#;
    let tasks = [("a", Some(1000), 1.0), ("b", Some(1000), 1.0), ("c", Some(1000), 1.0)];
    let batches = batches(&setup(&tasks, config));
    for (from, to) in [(0, 1), (3, 10), (0, 100), (57, 120)] {
        for (task, share) in [("a", 5.0), ("b", 2.0), ("c", 1.0)] {
            let wanted = share * (to - from) as f64;
            let got = f64::from(prompts(&batches[from..to], task));
            assert!((got - wanted).abs() <= 2.0, "{task} in {from}..{to}: {got} of {wanted}");
        }
    }
}

#[test]
fn weights_are_the_proportions_unless_others_are_given_and_thirds_come_out_even() {
    let tasks = [("a", Some(100), 1.0), ("b", Some(100), 1.0), ("c", Some(100), 1.0)];
    let batches = batches(&setup(&tasks, "{}"));
    assert_eq!([prompts(&batches[..3], "a"), prompts(&batches[..3], "b")], [8, 8]);
    assert!(batches[0].iter().all(|share| (2..=3).contains(&share.prompts)));
}

#[test]
fn every_prompt_comes_and_a_task_that_runs_out_leaves_its_share() {
    let tasks = [("a", Some(4), 1.0), ("b", Some(37), 1.0), ("c", Some(3), 0.0)];
    let batches = batches(&setup(&tasks, "{}"));
    assert_eq!(["a", "b", "c"].map(|task| prompts(&batches, task)), [4, 37, 3]);
    let sizes: Vec<u32> = batches.iter().map(|b| b.iter().map(|s| s.prompts).sum()).collect();
    assert_eq!(sizes, [8, 8, 8, 8, 8, 4]);
    // Without a proportion it comes last.
    assert_eq!(prompts(&batches[..5], "c"), 0);
}

#[test]
fn setups_that_make_no_sense_are_errors() {
    let tasks = [("a", Some(4), 1.0)];
    for config in [
        r#"{"proportions": {"z": 1}}"#,
        r#"{"proportions": {"a": -1}}"#,
        r#"{"proportions": {"a": 0}}"#,
        r#"{"proportion": {}}"#,
    ] {
        assert!(Interleave::start(&setup(&tasks, config)).is_err(), "{config}");
    }
    assert!(Interleave::start(&setup(&[("a", None, 1.0)], "{}")).is_err());
}
