//! What the batches of the `sequence` scheduler hold.

#![expect(clippy::unwrap_used, reason = "tests")]

use omni_sdk::scheduler::{Scheduler, Setup, TaskInfo};
use omni_sequence::Sequence;

fn setup(config: &str, epochs: f64) -> Setup {
    let task = |(name, items): (&str, u32)| TaskInfo {
        name: name.to_owned(),
        items: Some(items),
        weight: 1.0,
    };
    Setup {
        tasks: [("math", 10), ("code", 4), ("qa", 5)].into_iter().map(task).collect(),
        prompts_per_batch: 4,
        epochs,
        evidence: None,
        config: config.to_owned(),
        seed: 0,
    }
}

/// All batches as `task prompts`, with the state going through JSON between any two of them.
fn batches(setup: &Setup) -> Vec<String> {
    let mut state = serde_json::to_vec(&Sequence::start(setup).unwrap()).unwrap();
    let mut batches = Vec::new();
    loop {
        let mut sequence: Sequence = serde_json::from_slice(&state).unwrap();
        let batch = sequence.next(&[]).unwrap();
        state = serde_json::to_vec(&sequence).unwrap();
        match &batch[..] {
            [] => return batches,
            [share] => batches.push(format!("{} {}", share.task, share.prompts)),
            more => panic!("not pure: {more:?}"),
        }
    }
}

#[test]
fn one_task_with_all_its_epochs_then_the_next() {
    assert_eq!(
        batches(&setup(r#"{"order": ["code", "math", "qa"]}"#, 2.0)),
        [
            "code 4", "code 4", "math 4", "math 4", "math 2", "math 4", "math 4", "math 2", "qa 4",
            "qa 1", "qa 4", "qa 1"
        ]
    );
}

#[test]
fn without_an_order_the_run_file_s_counts_and_epochs_may_be_parts() {
    assert_eq!(batches(&setup("{}", 0.5)), ["math 4", "math 1", "code 2", "qa 3"]);
}

#[test]
fn orders_that_do_not_fit_the_run_are_errors() {
    for (config, part) in [
        (r#"{"order": ["code", "math"]}"#, "leaves out the run's task `qa`"),
        (r#"{"order": ["code", "math", "qa", "qa"]}"#, "`qa` twice"),
        (
            r#"{"order": ["code", "math", "qa", "art"]}"#,
            "names `art`; the run's tasks are math, code, qa",
        ),
        (r#"{"ordre": []}"#, "`ordre`"),
    ] {
        let error = Sequence::start(&setup(config, 1.0)).unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
    assert!(Sequence::start(&setup("{}", -1.0)).is_err());
    let mut endless = setup("{}", 1.0);
    endless.tasks[1].items = None;
    assert!(Sequence::start(&endless).unwrap_err().message().contains("`code`"));
}
