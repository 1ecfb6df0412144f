//! Runs that begin where another stood, and runs of some of their tasks.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::fs;
use std::path::Path;

use common::world::{ITEMS, Session, World, checkpoint, config, events};
use omni_record::{EvalEvent, Event, StepEvent};
use omni_train::{Ending, RunConfig, TrainError};
use serde_json::Value;

/// Steps of one epoch of one task.
const STEPS: u64 = ITEMS as u64 / 4;

fn run(world: &World, config: &RunConfig) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let summary = Session { pure: true, ..Session::new(world) }.run(config, dir.path()).unwrap();
    assert_eq!(summary.ending, Ending::Finished);
    dir
}

fn refused(world: &World, overrides: &[&str]) -> TrainError {
    let dir = tempfile::tempdir().unwrap();
    let error = Session::new(world).run(&config(overrides), dir.path()).unwrap_err();
    assert!(!dir.path().join("events.jsonl").exists(), "it left a run behind: {error}");
    error
}

fn steps(folder: &Path) -> Vec<StepEvent> {
    let step = |e| match e {
        Event::Step(e) => Some(e),
        _ => None,
    };
    events(folder).into_iter().filter_map(step).collect()
}

fn evaluations(folder: &Path) -> Vec<EvalEvent> {
    let evaluation = |e| match e {
        Event::Eval(e) => Some(e),
        _ => None,
    };
    events(folder).into_iter().filter_map(evaluation).collect()
}

fn state(folder: &Path, step: u64) -> Value {
    let file = folder.join(format!("checkpoints/step-{step}/state.json"));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Everything that could tell two runs joined from one: a warm-up that is longer than the first, a
/// reference, rewards that go through a running median.
const ALL: [&str; 4] = [
    "optimizer.warmup_steps=9",
    "loss.beta=0.1",
    "advantage.normalise=median",
    "advantage.scale=none",
];

fn continuing(earlier: &Path, step: u64, task: &str) -> RunConfig {
    let from = earlier.join(format!("checkpoints/step-{step}"));
    let own = [
        format!("policy.continue_from={}", from.display()),
        format!("schedule.tasks=[\"{task}\"]"),
    ];
    config(&[&ALL[..], &[&own[0], &own[1]]].concat())
}

#[test]
fn two_runs_joined_are_one_run_of_both_to_the_byte() {
    let world = World::new();
    let whole = run(&world, &config(&ALL));
    let first = run(&world, &config(&[&ALL[..], &["schedule.tasks=[\"letters\"]"]].concat()));
    let second = run(&world, &continuing(first.path(), STEPS, "short"));

    let (one, joined) = (steps(whole.path()), steps(second.path()));
    assert_eq!((one.len() as u64, joined.len() as u64), (2 * STEPS, STEPS));
    for (ours, theirs) in joined.iter().zip(&one[STEPS as usize..]) {
        assert_eq!((ours.step + STEPS, ours.lr), (theirs.step, theirs.lr));
        assert_eq!((ours.loss, &ours.tasks), (theirs.loss, &theirs.tasks));
    }
    assert!(joined[0].lr < joined[5].lr, "the warm-up went on: {joined:?}");
    let [at, end] = [STEPS, 2 * STEPS];
    assert!(checkpoint(whole.path(), end)[..2] == checkpoint(second.path(), at)[..2]);
    assert!(
        checkpoint(first.path(), at)[0] != checkpoint(second.path(), at)[0],
        "nothing was learned, so nothing was compared"
    );

    // The weights alone would not do: the moments and the warm-up are part of it.
    let mut fresh = continuing(first.path(), STEPS, "short");
    fresh.policy.continue_from = None;
    let dir = tempfile::tempdir().unwrap();
    let mut session = Session { pure: true, ..Session::new(&world) };
    omni_policy::Policy::load_weights(
        &mut session.policy,
        &first.path().join(format!("checkpoints/step-{STEPS}")),
    )
    .unwrap();
    session.run(&fresh, dir.path()).unwrap();
    assert!(checkpoint(dir.path(), at)[0] != checkpoint(second.path(), at)[0]);
}

#[test]
fn runs_are_one_where_they_meet_at_the_end_of_a_phase() {
    let world = World::new();
    // Phases of two batches end where the first task does; of four, one phase holds both tasks, and
    // the second task's first outputs are written before the first task's last updates.
    for (batches, meet) in [(2, true), (4, false)] {
        let phases = format!("rollout.batches_per_phase={batches}");
        let whole = run(&world, &config(&[&ALL[..], &[&phases]].concat()));
        let mut alone = config(&[&ALL[..], &[&phases, "schedule.tasks=[\"letters\"]"]].concat());
        let first = run(&world, &alone);
        alone = continuing(first.path(), STEPS, "short");
        alone.rollout.batches_per_phase = batches;
        let second = run(&world, &alone);
        let (one, joined) = (checkpoint(whole.path(), 2 * STEPS), checkpoint(second.path(), STEPS));
        assert_eq!(one[..2] == joined[..2], meet, "phases of {batches} batches");
    }
}

#[test]
fn what_a_stopped_phase_still_held_is_left_out_and_said() {
    let world = World::new();
    let phases = ["rollout.batches_per_phase=3"];
    for (stop_at, within) in [(1, true), (3, false)] {
        let earlier = tempfile::tempdir().unwrap();
        let mut session = Session { stop_at, ..Session::new(&world) };
        let summary = session.run(&config(&phases), earlier.path()).unwrap();
        assert_eq!((summary.ending, summary.steps), (Ending::Interrupted, stop_at));
        let from = earlier.path().join(format!("checkpoints/step-{stop_at}"));
        let from = format!("policy.continue_from={}", from.display());
        let dir = tempfile::tempdir().unwrap();
        let mut session = Session::new(&world);
        session.run(&config(&[phases[0], &from]), dir.path()).unwrap();
        let said = session.notices.contains("stopped within a rollout phase");
        assert_eq!(said, within, "{}", session.notices);
    }
}

#[test]
fn a_run_that_continues_another_resumes_to_the_same_bytes() {
    let world = World::new();
    let first = run(&world, &config(&[&ALL[..], &["schedule.tasks=[\"letters\"]"]].concat()));
    let second = continuing(first.path(), STEPS, "short");
    let whole = run(&world, &second);
    for stop_at in [1, 4] {
        let dir = tempfile::tempdir().unwrap();
        let mut session = Session { pure: true, stop_at, ..Session::new(&world) };
        assert_eq!(session.run(&second, dir.path()).unwrap().ending, Ending::Interrupted);
        let mut session = Session { pure: true, resume: true, ..Session::new(&world) };
        session.run(&second, dir.path()).unwrap();
        assert!(checkpoint(dir.path(), STEPS) == checkpoint(whole.path(), STEPS));
        assert_eq!(events(dir.path()), events(whole.path()));
    }
}

#[test]
fn running_medians_follow_their_task_and_nothing_else_does() {
    let world = World::new();
    let first = run(&world, &config(&[&ALL[..], &["schedule.tasks=[\"letters\"]"]].concat()));
    let again = run(&world, &continuing(first.path(), STEPS, "letters"));
    let third = run(&world, &continuing(again.path(), STEPS, "short"));
    let outputs = ITEMS as usize * 6;
    let window = |folder: &Path, task: usize| {
        state(folder, STEPS)["rewards"][task].as_array().unwrap().len()
    };
    assert_eq!([window(first.path(), 0), window(first.path(), 1)], [outputs, 0]);
    assert_eq!([window(again.path(), 0), window(again.path(), 1)], [2 * outputs, 0]);
    assert_eq!([window(third.path(), 0), window(third.path(), 1)], [2 * outputs, outputs]);
    // Steps add up over the chain; prompts are counted anew.
    let before = |folder: &Path| state(folder, STEPS)["before"].as_u64();
    assert_eq!([before(first.path()), before(third.path())], [None, Some(2 * STEPS)]);
    assert_eq!(state(third.path(), STEPS)["taken"], serde_json::json!([0, ITEMS]));
}

#[test]
fn only_the_tasks_named_are_trained_and_all_are_evaluated() {
    let world = World::new();
    // The other task has no training data at all; there is nothing to take from it.
    let config = config(&["schedule.tasks=[\"letters\"]", "task.short.train_split=none"]);
    for pure in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let summary = Session { pure, ..Session::new(&world) }.run(&config, dir.path()).unwrap();
        assert_eq!(summary.steps, STEPS, "the steps of what is trained alone");
        assert!(steps(dir.path()).iter().all(|s| s.tasks.keys().eq(["letters"])));
        let evaluations = evaluations(dir.path());
        assert!(evaluations.len() > 2);
        assert!(evaluations.iter().all(|e| e.tasks.keys().eq(["letters", "short"])));

        // The best checkpoint is the best at what is trained.
        let validations = evaluations.iter().filter(|e| e.purpose == "validation");
        let of = |e: &EvalEvent| e.tasks["letters"].accuracy().unwrap().mean;
        let best = validations.map(of).fold(0.0, f64::max);
        assert_eq!(state(dir.path(), STEPS)["best"][1].as_f64(), Some(best));
        // And the scheduler is told of nothing that it does not know.
        let told = state(dir.path(), STEPS)["observations"].as_array().unwrap().clone();
        assert!(!told.is_empty() && told.iter().all(|o| o["task"] == "letters"), "{told:?}");
    }
}

#[test]
fn what_cannot_be_continued_is_an_error_that_says_what_to_do() {
    let world = World::new();
    let earlier = run(&world, &config(&["schedule.max_steps=2"]));
    let place = tempfile::tempdir().unwrap();
    let complete = earlier.path().join("checkpoints/step-2");
    let torn = place.path().join("torn");
    fs::create_dir(&torn).unwrap();
    for file in ["state.json", "model.safetensors", "config.json"] {
        fs::copy(complete.join(file), torn.join(file)).unwrap();
    }
    for (path, expected) in [
        (place.path().join("none"), "there is no such folder"),
        (earlier.path().to_owned(), "checkpoints/step-2"),
        (place.path().to_owned(), "policy.model"),
        (torn, "optimizer.safetensors is missing"),
    ] {
        let error = refused(&world, &[&format!("policy.continue_from={}", path.display())]);
        assert!(error.is_input() && error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("policy.continue_from"), "{error}");
    }
    for schedule in ["linear", "cosine"] {
        let overrides = [
            format!("policy.continue_from={}", complete.display()),
            format!("optimizer.schedule={schedule}"),
            "schedule.max_steps=4".to_owned(),
        ];
        let text = format!("policy.model='m'\n{}", "[[task]]\nuse='letters'\n");
        let error =
            RunConfig::from_text(&text, Path::new("RUN.toml"), &overrides).unwrap_err().to_string();
        assert!(error.contains("optimizer.schedule") && error.contains("constant"), "{error}");
    }
}

#[test]
fn tasks_that_are_not_there_or_twice_there_are_errors() {
    let read = |value: &str| {
        let text = "policy.model='m'\n[[task]]\nuse='a/math'\n[[task]]\nuse='a/code'\n";
        let overrides = [format!("schedule.tasks={value}")];
        RunConfig::from_text(text, Path::new("RUN.toml"), &overrides)
    };
    assert!(read("[\"code\"]").is_ok());
    for (value, expected) in [
        ("[\"maht\"]", "did you mean `math`?"),
        ("[\"poetry\"]", "the tasks are math, code"),
        ("[\"code\", \"code\"]", "twice"),
        ("[]", "leave it out"),
        ("math", "[\"a\", \"b\"]"),
    ] {
        let error = read(value).unwrap_err().to_string();
        assert!(error.contains("schedule.tasks") && error.contains(expected), "{error}");
    }
}
