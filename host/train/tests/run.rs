//! Whole runs: they learn, resume byte for byte, exclude what is undefined, and stop when they must.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::cell::Cell;
use std::fs;
use std::path::Path;

use common::world::{ITEMS, Session, World, checkpoint, config, events};
use omni_record::{Event, RunFolder, StepEvent};
use omni_train::{Ending, RunConfig, TrainError};

fn steps(folder: &Path) -> Vec<StepEvent> {
    let step = |e| match e {
        Event::Step(e) => Some(e),
        _ => None,
    };
    RunFolder::new(folder).events().unwrap().into_iter().filter_map(step).collect()
}

fn run(world: &World, config: &RunConfig) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let summary = Session::new(world).run(config, dir.path()).unwrap();
    assert_eq!(summary.ending, Ending::Finished);
    dir
}

#[test]
fn a_run_learns_and_records_what_it_did() {
    let world = World::new();
    let mut config = config(&["schedule.epochs=6", "optimizer.lr=0.5", "eval.final.samples=8"]);
    // One task alone: the two pull on the same table, one wanting letters, the other an early end.
    config.task.truncate(1);
    let dir = tempfile::tempdir().unwrap();
    let summary = Session::new(&world).run(&config, dir.path()).unwrap();
    assert_eq!((summary.ending, summary.steps), (Ending::Finished, u64::from(ITEMS) * 6 / 4));
    let (before, after) =
        (&summary.before.unwrap().tasks["letters"], &summary.after.unwrap().tasks["letters"]);
    let (b, a) = (before.sampled.unwrap(), after.sampled.unwrap());
    assert!(a.mean > b.mean + 0.3, "{} to {}", b.mean, a.mean);
    assert!(b.standard_error > 0.0 && b.items == 8);
    assert!(before.greedy.is_some() && before.entropy.unwrap() > after.entropy.unwrap());
    let steps = steps(dir.path());
    assert_eq!(steps.len() as u64, summary.steps);
    let first = &steps[0];
    assert_eq!((first.tasks["letters"].rollouts, first.tasks["letters"].valid), (4 * 6, 4 * 6));
    assert_eq!((first.lr, steps[1].lr, steps[2].lr), (0.25, 0.5, 0.5));
    assert!(first.grad_norm > 0.0 && first.loss.abs() < 1.0 && first.fuel.reward == 40);
    assert_eq!(first.tasks["letters"].pass_at_k.keys().copied().collect::<Vec<_>>(), [1, 2, 4]);
    let samples = RunFolder::new(dir.path()).samples().unwrap();
    assert!(
        samples.iter().any(|s| s.purpose == "train"
            && s.outputs.len() == 6
            && s.outputs[0].advantage.is_some())
    );
    let best = summary.best.expect("validated");
    let kept = RunFolder::new(dir.path()).checkpoint_steps().unwrap();
    assert!(kept.contains(&best) && kept.contains(&summary.steps) && kept.len() <= 3, "{kept:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_whatever_the_threads() {
    let world = World::new();
    let dirs = ["1", "4"].map(|n| {
        run(&world, &config(&["schedule.max_steps=6", &format!("rollout.scoring_threads={n}")]))
    });
    assert!(checkpoint(dirs[0].path(), 6) == checkpoint(dirs[1].path(), 6));
    assert_eq!(events(dirs[0].path()), events(dirs[1].path()));
    let other = run(&world, &config(&["schedule.max_steps=6", "seed=4"]));
    assert!(checkpoint(dirs[0].path(), 6)[0] != checkpoint(other.path(), 6)[0]);
}

#[test]
fn a_resumed_run_is_as_if_it_never_stopped() {
    let world = World::new();
    let config = config(&["schedule.max_steps=9", "schedule.epochs=2"]);
    let whole = run(&world, &config);
    for stop_at in [1, 4, 7] {
        let dir = tempfile::tempdir().unwrap();
        let mut session = Session { stop_at, ..Session::new(&world) };
        let summary = session.run(&config, dir.path()).unwrap();
        assert_eq!((summary.ending, summary.steps), (Ending::Interrupted, stop_at));
        let mut session = Session { resume: true, ..Session::new(&world) };
        assert_eq!(session.run(&config, dir.path()).unwrap().ending, Ending::Finished);
        assert!(checkpoint(dir.path(), 9) == checkpoint(whole.path(), 9), "stopped at {stop_at}");
        assert_eq!(events(dir.path()), events(whole.path()), "stopped at {stop_at}");
        assert_eq!(
            fs::read(dir.path().join("samples.jsonl")).unwrap(),
            fs::read(whole.path().join("samples.jsonl")).unwrap()
        );
    }
    // A finished run has nothing left to do.
    let before = checkpoint(whole.path(), 9);
    let summary =
        Session { resume: true, ..Session::new(&world) }.run(&config, whole.path()).unwrap();
    assert_eq!((summary.ending, summary.steps), (Ending::Finished, 9));
    assert!(summary.after.is_some());
    assert!(checkpoint(whole.path(), 9) == before);
}

#[test]
fn a_full_disk_loses_nothing_earlier_and_the_run_goes_on_from_there() {
    let world = World::new();
    let config = config(&["schedule.max_steps=8"]);
    let whole = run(&world, &config);
    let dir = tempfile::tempdir().unwrap();
    let mut session = Session::new(&world);
    session.policy.full_after = Some(Cell::new(2));
    let error = session.run(&config, dir.path()).unwrap_err();
    assert!(error.to_string().contains("optimizer.safetensors"), "{error}");
    assert!(!error.is_input(), "a full disk is no wrong input");
    let folder = RunFolder::new(dir.path());
    let saved = folder.checkpoint_steps().unwrap();
    assert!(!saved.is_empty(), "nothing was saved before");
    let left: Vec<_> =
        fs::read_dir(folder.checkpoints()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| !n.to_string_lossy().contains("aside")), "{left:?}");
    Session { resume: true, ..Session::new(&world) }.run(&config, dir.path()).unwrap();
    assert!(checkpoint(dir.path(), 8) == checkpoint(whole.path(), 8));
    assert_eq!(events(dir.path()), events(whole.path()));
}

#[test]
fn what_a_crash_leaves_is_passed_over_or_put_back() {
    let world = World::new();
    let config = config(&["schedule.max_steps=8", "checkpoint.keep=9"]);
    let whole = run(&world, &config);
    let crashes: [fn(&Path); 4] = [
        // Killed while the newest was being written aside.
        |c| fs::rename(c.join("step-8"), c.join(".step-8.aside")).unwrap(),
        // A damaged folder: no state.
        |c| fs::remove_file(c.join("step-8/state.json")).unwrap(),
        |c| fs::write(c.join("step-8/state.json"), "{").unwrap(),
        // Killed between the two renames that replace a checkpoint.
        |c| fs::rename(c.join("step-8"), c.join(".step-8.old")).unwrap(),
    ];
    for (i, crash) in crashes.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        Session::new(&world).run(&config, dir.path()).unwrap();
        crash(&dir.path().join("checkpoints"));
        // And the records were further than the checkpoint.
        let mut torn =
            fs::OpenOptions::new().append(true).open(dir.path().join("events.jsonl")).unwrap();
        std::io::Write::write_all(&mut torn, b"{\"event\":\"step\",").unwrap();
        Session { resume: true, ..Session::new(&world) }.run(&config, dir.path()).unwrap();
        assert!(checkpoint(dir.path(), 8) == checkpoint(whole.path(), 8), "crash {i}");
        assert_eq!(events(dir.path()), events(whole.path()), "crash {i}");
    }
}

#[test]
fn a_folder_that_holds_a_run_is_not_written_over() {
    let world = World::new();
    let dir = run(&world, &config(&["schedule.max_steps=2"]));
    let error =
        Session::new(&world).run(&config(&["schedule.max_steps=2"]), dir.path()).unwrap_err();
    assert!(error.to_string().contains("--resume"), "{error}");
    let other = config(&["schedule.max_steps=4", "seed=8"]);
    let error =
        Session { resume: true, ..Session::new(&world) }.run(&other, dir.path()).unwrap_err();
    assert!(error.to_string().contains("seed"), "{error}");
}

#[test]
fn undefined_outputs_count_nowhere() {
    // The second half of each group undefined is the same as half the group, byte for byte.
    let mut world = World::new();
    for kind in ["grpo", "dapo", "bnpo", "dr_grpo"] {
        let common = [
            "schedule.max_steps=3",
            "eval.every=0",
            "eval.final.items=0",
            &format!("loss.kind={kind}"),
        ];
        world.undefined_from = Some((0, 3));
        let pure = ["schedule.epochs=1", "task.letters.fault_limit=1.0"];
        let run_pure = |size: &str| {
            let dir = tempfile::tempdir().unwrap();
            let all = [&common[..], &pure[..], &[size]].concat();
            Session { pure: true, ..Session::new(&world) }.run(&config(&all), dir.path()).unwrap();
            dir
        };
        let (six, three) = (run_pure("rollout.group_size=6"), run_pure("rollout.group_size=3"));
        assert!(checkpoint(six.path(), 3)[..2] == checkpoint(three.path(), 3)[..2], "{kind}");
        let step = &steps(six.path())[0].tasks["letters"];
        assert_eq!((step.rollouts, step.valid, step.undefined["fuel"]), (24, 12, 12));
        assert_eq!(step.reward_mean, steps(three.path())[0].tasks["letters"].reward_mean);
    }
}

#[test]
fn too_many_faults_stop_the_run_and_say_why() {
    let mut world = World::new();
    world.undefined_from = Some((1, 3));
    let dir = tempfile::tempdir().unwrap();
    let error = Session::new(&world)
        .run(&config(&["eval.final.items=0", "eval.every=0", "schedule.epochs=3"]), dir.path());
    match error {
        Err(TrainError::Faults { task, kind: "fuel", undefined, rollouts, .. }) => {
            assert_eq!((task.as_str(), undefined * 2), ("short", rollouts));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_prompt_is_used_once_an_epoch_jointly_or_in_turn() {
    let world = World::new();
    let quiet =
        ["eval.every=0", "eval.final.items=0", "schedule.epochs=2", "rollout.prompts_per_batch=5"];
    let mut orders = Vec::new();
    for pure in [false, true] {
        world.scored.lock().unwrap().clear();
        let dir = tempfile::tempdir().unwrap();
        let config = config(&[&quiet[..], &["checkpoint.samples_per_step=5"]].concat());
        let summary = Session { pure, ..Session::new(&world) }.run(&config, dir.path()).unwrap();
        // A short last batch is kept: 96 prompts by 5; or twice 48 by 5.
        assert_eq!(summary.steps, 20);
        for task in 0..2 {
            let mut twice: Vec<String> =
                (0..ITEMS).flat_map(|i| [format!("train-{i}"), format!("train-{i}")]).collect();
            twice.sort();
            assert_eq!(world.taken(task), twice, "pure: {pure}");
        }
        let samples = RunFolder::new(dir.path()).samples().unwrap();
        let of = |task: &str| -> Vec<(u64, String)> {
            samples.iter().filter(|s| s.task == task).map(|s| (s.step, s.item.clone())).collect()
        };
        if pure {
            let last_letters = of("letters").last().unwrap().0;
            assert!(of("short").iter().all(|s| s.0 > last_letters), "one task, then the next");
        }
        let items = |task: &str| of(task).into_iter().map(|s| s.1).collect::<Vec<_>>();
        orders.push([items("letters"), items("short")]);
    }
    // All of a batch is shown, in its order: each task's is the same in both schedules.
    assert_eq!(orders[0], orders[1]);
}

#[test]
fn a_reference_is_made_once_and_only_where_a_task_has_a_kl_term() {
    let world = World::new();
    let short = ["schedule.max_steps=3", "eval.every=0", "eval.final.items=0"];
    for (overrides, expected) in [(&[][..], 0), (&["task.short.beta=0.5"][..], 1)] {
        let dir = tempfile::tempdir().unwrap();
        let mut session = Session::new(&world);
        session.run(&config(&[&short[..], overrides].concat()), dir.path()).unwrap();
        assert_eq!(session.references, expected);
        let steps = steps(dir.path());
        assert_eq!(steps[0].kl, 0.0, "the policy is still the reference");
        assert_eq!(steps[2].kl > 0.0, expected == 1);
    }
}

#[test]
fn micro_batches_change_rounding_only() {
    let world = World::new();
    let weights = |overrides: &[&str]| -> Vec<f32> {
        let quiet = [
            "schedule.max_steps=3",
            "eval.every=0",
            "eval.final.items=0",
            "task.short.temperature=0.8",
            "loss.beta=0.1",
        ];
        let dir = run(&world, &config(&[&quiet[..], overrides].concat()));
        checkpoint(dir.path(), 3)[0]
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    for kind in ["loss.kind=grpo", "loss.kind=dapo", "loss.kind=dr_grpo"] {
        let whole = weights(&[kind, "loss.micro_batch_tokens=0"]);
        for budget in ["loss.micro_batch_tokens=1", "loss.micro_batch_tokens=60"] {
            let cut = weights(&[kind, budget]);
            let most = whole.iter().zip(&cut).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 2e-4, "{kind} {budget}: {most}");
        }
    }
}

#[test]
fn several_updates_a_phase_meet_old_log_probabilities() {
    let world = World::new();
    let quiet = [
        "eval.every=0",
        "eval.final.items=0",
        "schedule.max_steps=6",
        "optimizer.lr=0.3",
        "rollout.batches_per_phase=3",
    ];
    let dir = run(&world, &config(&quiet));
    let steps = steps(dir.path());
    assert_eq!(steps.len(), 6);
    let clipped: Vec<bool> = steps.iter().map(|s| s.clip_low + s.clip_high > 0.0).collect();
    assert!(!clipped[0] && !clipped[3], "the first update of a phase is on-policy");
    assert!(clipped[2] || clipped[5], "later ones are not: {steps:?}");
}

#[test]
fn a_run_that_is_stopped_within_a_phase_goes_on_there() {
    let world = World::new();
    for overrides in [
        &["optimizer.lr=0.3", "advantage.normalise=median", "advantage.scale=none"][..],
        &["loss.beta=0.1", "loss.kind=dapo", "loss.denominator=generation"],
    ] {
        let common = ["schedule.max_steps=8", "rollout.batches_per_phase=3"];
        let config = config(&[&common[..], overrides].concat());
        let whole = run(&world, &config);
        // Within a phase, at its end, and in the last one, which is shorter.
        for stop_at in [1, 2, 3, 5, 7] {
            let dir = tempfile::tempdir().unwrap();
            let mut session = Session { stop_at, ..Session::new(&world) };
            let summary = session.run(&config, dir.path()).unwrap();
            assert_eq!((summary.ending, summary.steps), (Ending::Interrupted, stop_at));
            let rest = dir.path().join(format!("checkpoints/step-{stop_at}/phase.json"));
            assert_eq!(rest.exists(), stop_at != 3);
            // Stopped again within the same phase.
            let mut session =
                Session { resume: true, stop_at: stop_at + 1, ..Session::new(&world) };
            assert!(session.run(&config, dir.path()).unwrap().steps <= stop_at + 1);
            world.scored.lock().unwrap().clear();
            let mut session = Session { resume: true, ..Session::new(&world) };
            assert_eq!(session.run(&config, dir.path()).unwrap().ending, Ending::Finished);
            assert!(checkpoint(dir.path(), 8) == checkpoint(whole.path(), 8), "at {stop_at}");
            assert_eq!(events(dir.path()), events(whole.path()), "at {stop_at}");
            if stop_at == 7 {
                // What was scored is not scored again: the evaluations of the end alone.
                let scored = world.scored.lock().unwrap();
                assert!(scored.iter().all(|(_, item, _)| !item.starts_with("train")), "{scored:?}");
            }
        }
    }
}

#[test]
fn the_rest_of_a_phase_is_part_of_its_checkpoint() {
    let world = World::new();
    let config = config(&["schedule.max_steps=6", "rollout.batches_per_phase=3"]);
    let whole = run(&world, &config);
    let stopped = || {
        let dir = tempfile::tempdir().unwrap();
        Session { stop_at: 5, ..Session::new(&world) }.run(&config, dir.path()).unwrap();
        let file = dir.path().join("checkpoints/step-5/phase.json");
        (dir, file)
    };
    let resume = |dir: &Path| {
        Session { resume: true, ..Session::new(&world) }.run(&config, dir).map(|s| s.steps)
    };
    // A checkpoint without it is not complete, and is passed over.
    let (dir, file) = stopped();
    fs::remove_file(file).unwrap();
    assert_eq!(resume(dir.path()).unwrap(), 6);
    assert!(checkpoint(dir.path(), 6) == checkpoint(whole.path(), 6));
    // One in which it is damaged says so, and what to do.
    let (dir, file) = stopped();
    fs::write(&file, "{").unwrap();
    let error = resume(dir.path()).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("phase.json"), "{error}");
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    assert_eq!(resume(dir.path()).unwrap(), 6);
    assert!(checkpoint(dir.path(), 6) == checkpoint(whole.path(), 6));
}

#[test]
fn long_prompts_are_an_error_or_counted() {
    let world = World::new();
    let short = ["rollout.max_prompt_tokens=60", "eval.every=0", "eval.final.items=0"];
    let dir = tempfile::tempdir().unwrap();
    let error = Session::new(&world).run(&config(&short), dir.path()).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("long_prompts"), "{error}");
    let dir = run(&world, &config(&[&short[..], &["rollout.long_prompts=skip"]].concat()));
    let left_out: u32 =
        steps(dir.path()).iter().flat_map(|s| s.tasks.values()).map(|t| t.long_prompts).sum();
    assert_eq!(left_out, 2 * ITEMS / 6);
}

#[test]
fn what_the_run_asks_and_a_task_has_not_is_an_error() {
    let world = World::new();
    for (overrides, expected) in [
        (&["task.letters.train_split=tain"][..], "no split `tain`"),
        (&["task.letters.items=25"][..], "has 24"),
        (&["task.letters.train_split=endless"][..], "never runs out"),
        (&["rollout.max_completion_tokens=256"][..], "256 positions"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let error = Session::new(&world).run(&config(overrides), dir.path()).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(expected), "{error}");
    }
    let endless = [
        "task.letters.train_split=endless",
        "schedule.max_steps=2",
        "eval.every=0",
        "eval.final.items=0",
    ];
    run(&world, &config(&endless));
}
