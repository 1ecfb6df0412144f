//! Which order the `curriculum` scheduler takes, from the paper's own evidence.

#![expect(clippy::unwrap_used, reason = "tests")]

use omni_curriculum::{Prediction, forgettability, greedy, upper_bound};
use omni_curriculum_scheduler::Curriculum;
use omni_sdk::scheduler::{Evidence, Rng, Scheduler, Setup, TaskInfo};

/// Omni-Thinker's Table 4: accuracies and the transfers recovered from it.
fn evidence() -> Evidence {
    Evidence {
        tasks: ["M", "C", "Q", "W"].map(str::to_owned).to_vec(),
        base_accuracy: vec![55.5, 29.6, 41.5, 74.2],
        self_accuracy: vec![57.6018, 36.0996, 51.2965, 78.3976],
        backward_transfer: vec![
            0.0, -0.037239, -0.007095, 0.001774, //
            -0.063492, 0.0, 0.027411, 0.01621, //
            -0.273251, -0.017273, 0.0, 0.011512, //
            -0.034977, -0.034977, -0.163148, 0.0,
        ],
        entropy_change: Vec::new(),
    }
}

fn setup(tasks: &[&str], evidence: Option<Evidence>, config: &str) -> Setup {
    let task = |name: &&str| TaskInfo { name: (*name).to_owned(), items: Some(8), weight: 1.0 };
    Setup {
        tasks: tasks.iter().map(task).collect(),
        prompts_per_batch: 8,
        epochs: 1.0,
        evidence,
        config: config.to_owned(),
        seed: 0,
    }
}

/// The tasks as they come, the state going through JSON.
fn order(setup: &Setup) -> String {
    let mut state = serde_json::to_vec(&Curriculum::start(setup).unwrap()).unwrap();
    let mut order = String::new();
    loop {
        let mut scheduler: Curriculum = serde_json::from_slice(&state).unwrap();
        let batch = scheduler.next(&[]).unwrap();
        state = serde_json::to_vec(&scheduler).unwrap();
        match batch.as_slice() {
            [] => return order,
            [share] => order.push_str(&share.task),
            mixed => panic!("{mixed:?}"),
        }
    }
}

#[test]
fn the_papers_orders_are_chosen() {
    // The run's own order of its tasks does not matter.
    for (choose, expected) in [("exact", "MCQW"), ("greedy", "CMQW"), ("forgettability", "CMWQ")] {
        let config = format!(r#"{{"choose": "{choose}"}}"#);
        assert_eq!(order(&setup(&["W", "Q", "M", "C"], Some(evidence()), &config)), expected);
    }
    // Evidence may know more tasks than the run trains.
    assert_eq!(order(&setup(&["W", "Q"], Some(evidence()), "{}")), "QW");
    for choose in ["exact", "greedy", "forgettability"] {
        let config = format!(r#"{{"choose": "{choose}"}}"#);
        assert_eq!(order(&setup(&["C"], Some(evidence()), &config)), "C");
    }
}

#[test]
fn the_run_s_weights_say_whose_accuracy_counts() {
    let mut setup = setup(&["M", "C", "Q", "W"], Some(evidence()), "{}");
    assert_eq!(order(&setup), "MCQW");
    // Code and QA hurt maths, writing does not: where maths counts fifty times, it waits for them.
    setup.tasks[0].weight = 50.0;
    assert_eq!(order(&setup), "CQMW");
    setup.tasks.iter_mut().for_each(|task| task.weight = 0.0);
    assert!(Curriculum::start(&setup).unwrap_err().message().contains("weights"));
}

#[test]
fn more_tasks_than_can_be_searched_exactly_are_ordered_by_local_search() {
    let size = 25;
    let mut rng = Rng::new(5);
    let names: Vec<String> = (0..size).map(|task| char::from(b'A' + task).to_string()).collect();
    let side = usize::from(size);
    let given = Evidence {
        tasks: names.clone(),
        base_accuracy: vec![0.4; side],
        self_accuracy: vec![0.8; side],
        backward_transfer: (0..side * side).map(|_| rng.unit() - 0.6).collect(),
        entropy_change: Vec::new(),
    };
    let rows: Vec<Vec<f64>> = given.backward_transfer.chunks(side).map(<[f64]>::to_vec).collect();
    let evidence = omni_curriculum::Evidence::new(
        names.clone(),
        given.base_accuracy.clone(),
        given.self_accuracy.clone(),
        &rows,
    )
    .unwrap();
    let run: Vec<&str> = names.iter().map(String::as_str).collect();
    let found: Vec<usize> = order(&setup(&run, Some(given), "{}"))
        .chars()
        .map(|name| names.iter().position(|it| *it == name.to_string()).unwrap())
        .collect();
    let score = |order: &[usize]| Prediction::of(&evidence, order).score;
    assert!(score(&found) > score(&greedy(&evidence)));
    assert!(score(&found) > score(&forgettability(&evidence)));
    assert!(score(&found) <= upper_bound(&evidence));
}

#[test]
fn entropy_can_veto() {
    // Maths raises the others' entropy and writing lowers its own: M may not come before W.
    let entropy_change = vec![
        0.0, 0.2, 0.2, 0.2, //
        0.0, 0.1, 0.0, 0.0, //
        0.0, 0.0, 0.1, 0.0, //
        0.0, 0.0, 0.0, -0.1,
    ];
    let evidence = Some(Evidence { entropy_change, ..evidence() });
    let free = order(&setup(&["M", "C", "Q", "W"], evidence.clone(), "{}"));
    assert_eq!(free, "MCQW");
    let vetoed = order(&setup(&["M", "C", "Q", "W"], evidence.clone(), r#"{"veto": true}"#));
    // The best of the paper's printed orders that has W before M.
    assert_eq!(vetoed, "CWMQ");
    // Of a run of some of the tasks too: without W there is nothing to veto.
    let some = order(&setup(&["Q", "M", "C"], evidence.clone(), r#"{"veto": true}"#));
    assert_eq!(some, "MCQ");
    let some = order(&setup(&["M", "W"], evidence, r#"{"veto": true}"#));
    assert_eq!(some, "WM");
}

#[test]
fn setups_that_make_no_sense_are_errors() {
    let error = |setup: &Setup| Curriculum::start(setup).unwrap_err().message().to_owned();
    assert!(error(&setup(&["M"], None, "{}")).contains("schedule.evidence"));
    let unknown = error(&setup(&["M", "X"], Some(evidence()), "{}"));
    assert!(unknown.contains("nothing of `X`"), "{unknown}");
    let zero = Evidence { base_accuracy: vec![0.0; 4], ..evidence() };
    assert!(error(&setup(&["M"], Some(zero), "{}")).contains("`base_accuracy` of `M`"));
    let ragged = Evidence { backward_transfer: vec![0.0; 15], ..evidence() };
    assert!(Curriculum::start(&setup(&["M"], Some(ragged), "{}")).is_err());
    assert!(
        error(&setup(&["M"], Some(evidence()), r#"{"veto": true}"#)).contains("entropy_change")
    );
}
