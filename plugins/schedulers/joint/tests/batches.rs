//! What the batches of the `joint` scheduler hold.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use omni_joint::Joint;
use omni_sdk::scheduler::{Scheduler, Setup, Share, TaskInfo};

fn setup(items: &[(&str, Option<u32>)], epochs: f64, seed: u32) -> Setup {
    let task = |(name, items): &(&str, Option<u32>)| TaskInfo {
        name: (*name).to_owned(),
        items: *items,
        weight: 1.0,
    };
    Setup {
        tasks: items.iter().map(task).collect(),
        prompts_per_batch: 8,
        epochs,
        evidence: None,
        config: "{}".to_owned(),
        seed,
    }
}

/// All batches, with the state going through JSON between any two of them.
fn batches(setup: &Setup) -> Vec<Vec<Share>> {
    let mut state = serde_json::to_vec(&Joint::start(setup).unwrap()).unwrap();
    let mut batches = Vec::new();
    loop {
        let mut joint: Joint = serde_json::from_slice(&state).unwrap();
        let batch = joint.next(&[]).unwrap();
        state = serde_json::to_vec(&joint).unwrap();
        if batch.is_empty() {
            assert!(joint.next(&[]).unwrap().is_empty(), "it begins again");
            return batches;
        }
        batches.push(batch);
    }
}

fn totals(batches: &[Vec<Share>]) -> HashMap<String, u32> {
    let mut totals = HashMap::new();
    for share in batches.iter().flatten() {
        *totals.entry(share.task.clone()).or_default() += share.prompts;
    }
    totals
}

#[test]
fn every_prompt_once_an_epoch() {
    let batches = batches(&setup(&[("a", Some(100)), ("b", Some(30)), ("c", Some(0))], 2.0, 1));
    let epoch = 17;
    assert_eq!(batches.len(), 2 * epoch);
    for half in [&batches[..epoch], &batches[epoch..]] {
        assert_eq!(totals(half), HashMap::from([("a".to_owned(), 100), ("b".to_owned(), 30)]));
        let sizes: Vec<u32> =
            half.iter().map(|batch| batch.iter().map(|share| share.prompts).sum()).collect();
        assert!(sizes[..epoch - 1].iter().all(|size| *size == 8));
        assert_eq!(sizes[epoch - 1], 2, "the short last batch is kept");
    }
}

#[test]
fn half_an_epoch_is_half_of_each_task() {
    let batches = batches(&setup(&[("a", Some(100)), ("b", Some(31))], 1.5, 1));
    assert_eq!(totals(&batches), HashMap::from([("a".to_owned(), 150), ("b".to_owned(), 47)]));
}

#[test]
fn a_batch_is_uniform_over_the_union() {
    let mut first = 0u32;
    for seed in 0..2_000 {
        let mut joint =
            Joint::start(&setup(&[("a", Some(30)), ("b", Some(10))], 1.0, seed)).unwrap();
        let batch = joint.next(&[]).unwrap();
        first += batch.iter().find(|share| share.task == "a").map_or(0, |share| share.prompts);
    }
    // Hypergeometric: mean 6 of 8, variance 8·¾·¼·32/39; four standard errors of 2,000 draws are 0.1.
    let mean = f64::from(first) / 2_000.0;
    assert!((5.9..6.1).contains(&mean), "{mean}");
}

#[test]
fn a_seed_gives_one_schedule() {
    let tasks = [("a", Some(50)), ("b", Some(50))];
    assert_eq!(batches(&setup(&tasks, 1.0, 5)), batches(&setup(&tasks, 1.0, 5)));
    assert_ne!(batches(&setup(&tasks, 1.0, 5)), batches(&setup(&tasks, 1.0, 6)));
}

#[test]
fn setups_that_make_no_sense_are_errors() {
    assert!(
        Joint::start(&setup(&[("endless", None)], 1.0, 0))
            .unwrap_err()
            .message()
            .contains("`endless`")
    );
    assert!(Joint::start(&setup(&[], 1.0, 0)).is_err());
    assert!(Joint::start(&setup(&[("a", Some(0))], 1.0, 0)).is_err());
    assert!(Joint::start(&setup(&[("a", Some(1))], 0.0, 0)).is_err());
    assert!(Joint::start(&setup(&[("a", Some(1))], f64::NAN, 0)).is_err());
    let setup = Setup { config: r#"{"order": []}"#.to_owned(), ..setup(&[("a", Some(1))], 1.0, 0) };
    assert!(Joint::start(&setup).is_err());
}
