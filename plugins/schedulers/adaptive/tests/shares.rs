//! What shares follow.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{BATCH, TOLD, batches, even, evidence, prompts, seen, setup};
use omni_sdk::scheduler::{Observation, Setup, Share};

const THREE: [(&str, u32); 3] = [("a", 1600), ("b", 1600), ("c", 1600)];
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Prompts by task in the first half of a run.
fn first_half(setup: &Setup) -> [u32; 3] {
    let found = batches(setup, usize::MAX, even);
    NAMES.map(|task| prompts(&found[..found.len() / 2], task))
}

#[test]
fn who_disturbs_comes_early_and_who_is_disturbed_comes_late() {
    // Column a: a lowers the others. Row c: c is lowered by b too.
    let told = evidence(&NAMES, &[0.0, 0.0, 0.0, -0.3, 0.0, 0.0, -0.3, -0.3, 0.0], &[]);
    let [a, b, c] = first_half(&setup(&THREE, Some(told.clone()), TOLD));
    assert!(a > 950 && c < 650 && c < b && b < a, "{a} {b} {c}");
    // What helps comes late, who is helped comes early.
    let helps = told.backward_transfer.iter().map(|it| -it).collect::<Vec<_>>();
    let [a, b, c] = first_half(&setup(&THREE, Some(evidence(&NAMES, &helps, &[])), TOLD));
    assert!(a < 650 && c > 950 && c > b && b > a, "{a} {b} {c}");
    // All alike: as in joint training.
    let alike = evidence(&NAMES, &[-0.3; 9], &[]);
    let shares = first_half(&setup(&THREE, Some(alike), TOLD));
    assert!(shares.iter().all(|it| it.abs_diff(800) <= 2), "{shares:?}");
}

#[test]
fn evidence_is_found_by_name_and_may_know_other_tasks() {
    // b lowers c, in the evidence's order z, c, b.
    let told = evidence(&["z", "c", "b"], &[0.0, 9.0, 9.0, 9.0, 0.0, -0.4, 9.0, 0.0, 0.0], &[]);
    let [a, b, c] = first_half(&setup(&THREE, Some(told), TOLD));
    assert!(b > a && a > c, "{a} {b} {c}");
}

#[test]
fn weights_say_whose_accuracy_counts() {
    // a and b lower each other alike.
    let told = evidence(&NAMES, &[0.0, -0.4, 0.0, -0.4, 0.0, 0.0, 0.0, 0.0, 0.0], &[]);
    let mut setup = setup(&THREE, Some(told), TOLD);
    let [a, b, _] = first_half(&setup);
    assert!(a.abs_diff(b) <= 2, "{a} {b}");
    setup.tasks[0].weight = 5.0;
    let [a, b, _] = first_half(&setup);
    assert!(b > a + 200, "{a} {b}");
}

/// A run in a world where prompts of `bad` take a part of the others' accuracies, and their own
/// raise them; validated every ten steps, or never.
fn disturbed(bad: &'static str, validated: bool) -> [u32; 3] {
    let mut levels = [0.5_f64.ln(); 3];
    let world = move |step: usize, batch: &[Share]| -> Vec<Observation> {
        for share in batch {
            let part = f64::from(share.prompts) / 1600.0;
            for (level, task) in levels.iter_mut().zip(NAMES) {
                if task == share.task {
                    *level += 2.0 * part * (0.9_f64.ln() - *level);
                } else if share.task == bad {
                    *level -= 0.8 * part;
                }
            }
        }
        let level = |task: &str| levels[NAMES.iter().position(|it| *it == task).unwrap()].exp();
        let mut shown: Vec<Observation> = batch
            .iter()
            .map(|share| Observation {
                mean_reward: level(&share.task),
                mean_abs_advantage: 1.0 - level(&share.task),
                gradient_norm: f64::from(share.prompts) * (1.0 - level(&share.task)),
                ..seen(&share.task, share.prompts)
            })
            .collect();
        if validated && step.is_multiple_of(10) {
            let accuracy = |task| Observation { accuracy: Some(level(task)), ..seen(task, 0) };
            shown.extend(NAMES.map(accuracy));
        }
        shown
    };
    let found = batches(&setup(&THREE, None, "{}"), usize::MAX, world);
    // Every task has had its turn; the last quarter is small change.
    let late = &found[found.len() / 2..found.len() * 3 / 4];
    NAMES.map(|task| prompts(late, task))
}

#[test]
fn a_task_that_is_seen_to_disturb_is_got_over_with() {
    for validated in [true, false] {
        for (at, bad) in NAMES.into_iter().enumerate() {
            let shares = disturbed(bad, validated);
            let [even, ..] = disturbed("none", validated);
            let others = NAMES.len() - 1;
            let rest = (shares.iter().sum::<u32>() - shares[at]) / others as u32;
            assert!(shares[at] > rest * 9 / 8, "{bad} of {shares:?}, validated {validated}");
            assert!(even < shares[at], "{bad} of {shares:?}, {even} undisturbed");
        }
    }
}

#[test]
fn in_a_run_that_ends_early_a_task_that_saturates_gives_way() {
    let world = |_: usize, batch: &[Share]| -> Vec<Observation> {
        let left = |task: &str| if task == "a" { 0.0 } else { 0.6 };
        let shown = batch.iter().map(|share| Observation {
            mean_abs_advantage: left(&share.task),
            ..seen(&share.task, share.prompts)
        });
        shown.collect()
    };
    let early = setup(&THREE, None, r#"{"max_steps": 60, "signal": 1, "probe": 0}"#);
    let found = batches(&early, 60, world);
    let [a, b, c] = NAMES.map(|task| prompts(&found, task));
    assert!(a < b / 2 && b.abs_diff(c) <= 2, "{a} {b} {c}");
    assert!(a > 60 * BATCH / 3 / 4, "it starves: {a}");
    // With `signal` 0, and in a run that uses all its prompts, it does not.
    for config in [r#"{"max_steps": 60, "signal": 0, "probe": 0}"#, r#"{"probe": 0}"#] {
        let found = batches(&setup(&THREE, None, config), 60, world);
        let a = prompts(&found, "a");
        assert!(a.abs_diff(60 * BATCH / 3) <= 3, "{config}: {a}");
    }
}

#[test]
fn a_task_whose_entropy_collapses_is_braked() {
    let world = |step: usize, batch: &[Share]| -> Vec<Observation> {
        let entropy = |task: &str| if task == "a" && step > 40 { 0.003 } else { 0.3 };
        let shown = batch.iter().map(|share| Observation {
            entropy: entropy(&share.task),
            ..seen(&share.task, share.prompts)
        });
        shown.collect()
    };
    let found = batches(&setup(&THREE, None, r#"{"probe": 0}"#), usize::MAX, world);
    let before = prompts(&found[20..40], "a");
    let after = prompts(&found[90..110], "a");
    assert!(after * 3 < before * 2, "{before} before, {after} after");
    // Half of it, which learning does, is no collapse; and 0 means that nothing was measured.
    for entropy in [0.15, 0.0] {
        let world = |step: usize, batch: &[Share]| -> Vec<Observation> {
            let of = |task: &str| if task == "a" && step > 40 { entropy } else { 0.3 };
            let shown = batch.iter().map(|share| Observation {
                entropy: of(&share.task),
                ..seen(&share.task, share.prompts)
            });
            shown.collect()
        };
        let found = batches(&setup(&THREE, None, r#"{"probe": 0}"#), usize::MAX, world);
        let after = prompts(&found[90..110], "a");
        assert!(after * 5 > before * 4, "{entropy}: {before} before, {after} after");
    }
}

#[test]
fn a_task_that_raises_the_others_entropy_comes_late_where_one_lowers_its_own() {
    // Rows are the task trained: a raises b and c.
    let raising = [0.1, 0.3, 0.3, 0.0, -0.2, 0.0, 0.0, 0.0, 0.0];
    let told = |entropy: &[f64]| Some(evidence(&NAMES, &[0.0; 9], entropy));
    let [a, b, c] = first_half(&setup(&THREE, told(&raising), TOLD));
    assert!(a + 150 < b && b.abs_diff(c) <= 2, "{a} {b} {c}");
    // Where none lowers its own there is nothing to collapse.
    let mut open = raising;
    open[4] = 0.2;
    let shares = first_half(&setup(&THREE, told(&open), TOLD));
    assert!(shares.iter().all(|it| it.abs_diff(800) <= 2), "{shares:?}");
}

#[test]
fn tasks_take_turns_at_first_in_the_order_of_the_seed() {
    let most = |seed: u32| -> String {
        let setup = Setup { seed, ..setup(&THREE, None, r#"{"strength": 0, "probe": 1}"#) };
        let found = batches(&setup, usize::MAX, even);
        // The first half is a turn for nobody and one for each of three tasks.
        let turn = found.len() / 8;
        let nobody = NAMES.map(|task| prompts(&found[..turn - 1], task));
        assert!(nobody.iter().all(|it| it.abs_diff(nobody[0]) <= 2), "{nobody:?}");
        let favoured = (1..4).map(|n| {
            let turn = &found[n * turn + 2..(n + 1) * turn - 2];
            let shares = NAMES.map(|task| prompts(turn, task));
            let most = shares.iter().max().unwrap();
            assert!(*most as f64 > 1.4 * f64::from(turn.len() as u32 * BATCH) / 3.0, "{shares:?}");
            NAMES[shares.iter().position(|it| it == most).unwrap()]
        });
        let favoured: String = favoured.collect();
        for task in NAMES {
            assert!(favoured.contains(task), "{favoured}");
        }
        favoured
    };
    assert_eq!(most(1), most(1));
    // Where nothing is estimated nobody is tried.
    let shares = first_half(&setup(&THREE, None, r#"{"estimate": false, "probe": 5}"#));
    assert!(shares.iter().all(|it| it.abs_diff(800) <= 2), "{shares:?}");
    assert!((2..12).any(|seed| most(seed) != most(1)));
}

#[test]
fn a_step_of_which_nothing_could_be_scored_is_no_reward_of_zero() {
    let blank = |reported: bool| {
        move |step: usize, batch: &[Share]| -> Vec<Observation> {
            let shown = batch.iter().filter_map(|share| {
                let lost = share.task == "b" && (40..80).contains(&step);
                let seen = seen(&share.task, share.prompts);
                let (mean_reward, mean_abs_advantage, entropy) = (0.0, 0.0, 0.0);
                match (lost, reported) {
                    (false, _) => Some(seen),
                    (true, true) => {
                        Some(Observation { mean_reward, mean_abs_advantage, entropy, ..seen })
                    }
                    (true, false) => None,
                }
            });
            shown.collect()
        }
    };
    let setup = setup(&THREE, None, "{}");
    assert_eq!(batches(&setup, usize::MAX, blank(true)), batches(&setup, usize::MAX, blank(false)));
}

#[test]
fn what_moves_the_policy_is_told_by_gradients_and_nothing_moves_it_without_an_advantage() {
    // b lowers a's reward; the gradients say that c moves nothing, or everything.
    let run = |of_c: f64, advantage_of_c: f64| {
        let mut level = 0.8;
        let world = move |_: usize, batch: &[Share]| -> Vec<Observation> {
            let shown = batch.iter().map(|share| {
                let (norm, advantage) = match share.task.as_str() {
                    "c" => (of_c, advantage_of_c),
                    _ => (f64::from(share.prompts), 0.5),
                };
                if share.task == "b" {
                    level *= 1.0 - 0.0005 * f64::from(share.prompts);
                }
                let mean_reward = if share.task == "a" { level } else { 0.5 };
                Observation {
                    mean_reward,
                    gradient_norm: norm,
                    mean_abs_advantage: advantage,
                    ..seen(&share.task, share.prompts)
                }
            });
            shown.collect()
        };
        batches(&setup(&THREE, None, "{}"), usize::MAX, world)
    };
    assert_ne!(run(0.0, 0.5), run(50.0, 0.5));
    // What stands for the norm of a task without a gradient does not matter.
    assert_eq!(run(7.0, 0.0), run(50.0, 0.0));
}
