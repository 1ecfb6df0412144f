//! Which prompts are used, how often, and what is kept between two batches.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{BATCH, TOLD, batches, even, evidence, prompts, seen, setup};
use omni_adaptive::Adaptive;
use omni_sdk::scheduler::{Observation, Rng, Scheduler, Share};
use proptest::prelude::*;

/// Numbers that a run may show, and such as it should not.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..1.0_f64,
        1 => proptest::num::f64::ANY,
        1 => prop::sample::select(vec![0.0, -1.0, 1e300, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE]),
    ]
}

fn observation(task: &str, prompts: u32, numbers: &[f64; 5], rng: &mut Rng) -> Observation {
    Observation {
        task: task.to_owned(),
        prompts,
        mean_reward: numbers[0],
        mean_abs_advantage: numbers[1],
        gradient_norm: numbers[2],
        entropy: numbers[3],
        accuracy: rng.chance(0.5).then_some(numbers[4]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_prompt_is_used_as_often_as_there_are_epochs_whatever_is_observed(
        items in prop::collection::vec(0_u32..90, 1..7),
        epochs in prop::sample::select(vec![0.5, 1.0, 1.7, 3.0]),
        numbers in prop::collection::vec([number(), number(), number(), number(), number()], 8),
        transfer in prop::collection::vec(-2.0..2.0_f64, 36),
        with_evidence: bool,
        config in prop::sample::select(vec![
            "{}",
            r#"{"strength": 100, "least": 0, "probe": 100, "saturation": 0.001}"#,
            r#"{"max_steps": 5, "signal": 3}"#,
            r#"{"max_steps": 1000}"#,
        ]),
        seed: u32,
    ) {
        let expected: Vec<u32> = items
            .iter()
            .map(|n| {
                let whole = f64::trunc(epochs) * f64::from(*n);
                (whole + (f64::fract(epochs) * f64::from(*n)).round()) as u32
            })
            .collect();
        let total: u32 = expected.iter().sum();
        prop_assume!(total > 0);
        let names: Vec<String> = (0..items.len()).map(|task| format!("t{task}")).collect();
        let tasks: Vec<(&str, u32)> =
            names.iter().map(String::as_str).zip(items.iter().copied()).collect();
        let size = tasks.len();
        let given = with_evidence.then(|| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            evidence(&names, &transfer[..size * size], &transfer[..size * size])
        });
        let mut setup = setup(&tasks, given, config);
        (setup.epochs, setup.seed) = (epochs, seed);

        let world = |step: usize, batch: &[Share]| {
            let mut rng = Rng::keyed(7, "world", step as u64);
            let mut seen: Vec<Observation> = batch
                .iter()
                .map(|share| {
                    let numbers = rng.choose(&numbers).copied().unwrap();
                    observation(&share.task, share.prompts, &numbers, &mut rng)
                })
                .collect();
            if rng.chance(0.3) {
                // A validation, also of a task that the run does not train.
                for task in names.iter().map(String::as_str).chain(["other"]) {
                    let numbers = rng.choose(&numbers).copied().unwrap();
                    seen.push(observation(task, 0, &numbers, &mut rng));
                }
            }
            seen
        };
        let found = batches(&setup, usize::MAX, world);
        let used: Vec<u32> = names.iter().map(|task| prompts(&found, task)).collect();
        prop_assert_eq!(&used, &expected);
        let sizes: Vec<u32> =
            found.iter().map(|it| it.iter().map(|share| share.prompts).sum()).collect();
        let mut full = vec![BATCH; (total / BATCH) as usize];
        full.extend(Some(total % BATCH).filter(|rest| *rest > 0));
        prop_assert_eq!(sizes, full);

        // A scheduler that was never written out does the same: nothing but its state counts.
        let mut scheduler = Adaptive::start(&setup).unwrap();
        let mut observations = world(0, &[]);
        for (step, batch) in found.iter().enumerate() {
            prop_assert_eq!(&scheduler.next(&observations).unwrap(), batch);
            observations = world(step + 1, batch);
        }
    }
}

#[test]
fn where_nothing_is_known_every_batch_is_what_is_left() {
    let tasks = [("a", 640), ("b", 320), ("c", 64)];
    for config in [r#"{"probe": 0}"#, r#"{"strength": 0, "probe": 0}"#, r#"{"least": 1}"#] {
        let found = batches(&setup(&tasks, None, config), usize::MAX, even);
        assert_eq!(found.len(), 64, "{config}");
        for until in 1..=64 {
            for (task, items) in tasks {
                let wanted = f64::from(items) * until as f64 / 64.0;
                let got = f64::from(prompts(&found[..until], task));
                assert!((got - wanted).abs() <= 2.0, "{config}: {task}, {got} of {wanted}");
            }
        }
    }
}

#[test]
fn no_task_starves() {
    // Everything speaks for b first and a last, and b's entropy never falls.
    let told = evidence(&["a", "b"], &[0.0, -3.0, 3.0, 0.0], &[]);
    let tasks = [("a", 1600), ("b", 1600)];
    for (least, config) in [
        (0.25, r#"{"strength": 100, "probe": 0}"#),
        (0.6, r#"{"strength": 100, "probe": 0, "least": 0.6}"#),
    ] {
        let found = batches(&setup(&tasks, Some(told.clone()), config), usize::MAX, even);
        let mut left = [1600.0, 1600.0];
        let (mut floor, mut taken) = (0.0, 0.0);
        for batch in &found[..100] {
            let batch = std::slice::from_ref(batch);
            floor += least * f64::from(BATCH) * left[0] / (left[0] + left[1]);
            taken += f64::from(prompts(batch, "a"));
            assert!(taken >= floor - 2.0, "{taken} of at least {floor}");
            left[0] -= f64::from(prompts(batch, "a"));
            left[1] -= f64::from(prompts(batch, "b"));
        }
        // And it is no more than the tilt leaves it: b was far ahead.
        assert!(taken < 1.5 * floor + 20.0, "{taken}, floor {floor}");
    }
}

#[test]
fn the_state_does_not_grow() {
    let names: Vec<String> = (0..32).map(|task| format!("task-{task}")).collect();
    let tasks: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1_000_000)).collect();
    let names: Vec<&str> = tasks.iter().map(|(name, _)| *name).collect();
    let told = evidence(&names, &[-0.1; 1024], &[0.1; 1024]);
    let mut scheduler = Adaptive::start(&setup(&tasks, Some(told), "{}")).unwrap();
    let mut observations = Vec::new();
    let mut sizes = Vec::new();
    for step in 0..3_000 {
        let batch = scheduler.next(&observations).unwrap();
        observations = batch.iter().map(|share| seen(&share.task, share.prompts)).collect();
        if step % 1_000 == 999 {
            sizes.push(serde_json::to_vec(&scheduler).unwrap().len());
        }
    }
    assert!(sizes[2] < sizes[0] * 11 / 10, "{sizes:?}");
    assert!(sizes[2] < 250_000, "{sizes:?}");
    // So many tasks are scheduled by evidence alone.
    let names: Vec<String> = (0..200).map(|task| format!("task-{task}")).collect();
    let tasks: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 20)).collect();
    let found = batches(&setup(&tasks, None, "{}"), usize::MAX, even);
    assert_eq!(found.len(), 250);
}

#[test]
fn setups_that_make_no_sense_are_errors() {
    let tasks = [("a", 40), ("b", 40)];
    for (config, part) in [
        (r#"{"strength": -1}"#, "`strength`"),
        (r#"{"least": 1.5}"#, "`least`"),
        (r#"{"estimate": 1}"#, "boolean"),
        (r#"{"saturation": 1e9}"#, "`saturation`"),
        (r#"{"max_steps": 0}"#, "`max_steps`"),
        (r#"{"strenght": 1}"#, "`strenght`"),
    ] {
        let error = Adaptive::start(&setup(&tasks, None, config)).unwrap_err();
        assert!(error.message().contains(part), "{config}: {error}");
    }
    let error = |setup| Adaptive::start(&setup).unwrap_err().message().to_owned();
    let told = |transfer: &[f64], entropy: &[f64]| Some(evidence(&["a", "b"], transfer, entropy));
    assert!(error(setup(&tasks, told(&[0.0; 3], &[]), TOLD)).contains("`backward_transfer`"));
    let nan = [0.0, f64::NAN, 0.0, 0.0];
    assert!(error(setup(&tasks, told(&nan, &[]), TOLD)).contains("2 × 2"));
    assert!(error(setup(&tasks, told(&[0.0; 4], &[0.0]), TOLD)).contains("`entropy_change`"));
    let mut endless = setup(&tasks, None, "{}");
    endless.tasks[1].items = None;
    assert!(error(endless).contains("`b`"));
    let mut weightless = setup(&tasks, None, "{}");
    weightless.tasks.iter_mut().for_each(|task| task.weight = 0.0);
    assert!(error(weightless).contains("weight"));
    let mut negative = setup(&tasks, None, "{}");
    negative.tasks[0].weight = -1.0;
    assert!(error(negative).contains("`a` is -1"));
    // The diagonal is not looked at.
    assert!(
        Adaptive::start(&setup(&tasks, told(&[f64::NAN, 0.0, 0.0, f64::NAN], &[]), "{}")).is_ok()
    );
}
