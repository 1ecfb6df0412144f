//! What schedulers are told of gradients, task by task, where they ask for it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::path::Path;

use common::world::{Session, World, checkpoint, config, events};
use omni_record::{Event, StepEvent};

const QUIET: [&str; 3] = ["eval.every=0", "eval.final.items=0", "schedule.max_steps=2"];

fn run(world: &World, gradients: bool, overrides: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&[&QUIET[..], overrides].concat());
    Session { gradients, ..Session::new(world) }.run(&config, dir.path()).unwrap();
    dir
}

fn steps(folder: &Path) -> Vec<StepEvent> {
    let step = |e| match e {
        Event::Step(e) => Some(e),
        _ => None,
    };
    events(folder).into_iter().filter_map(step).collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5 * a.abs().max(b.abs())
}

#[test]
fn a_tasks_part_is_the_gradient_of_its_outputs_alone() {
    let world = World::new();
    for kind in ["loss.kind=grpo", "loss.kind=dr_grpo"] {
        let both = steps(run(&world, true, &[kind, "loss.micro_batch_tokens=90"]).path());
        let whole = steps(run(&world, false, &[kind]).path());
        assert!(near(both[0].grad_norm, whole[0].grad_norm), "parts add up: {both:?}");
        assert!(near(both[1].grad_norm, whole[1].grad_norm), "and so do the steps they make");
        for task in ["letters", "short"] {
            // Half of each batch is of the task, and denominators are the whole batch's.
            let trained = format!("schedule.tasks=[\"{task}\"]");
            let half = ["rollout.prompts_per_batch=2", kind, &trained];
            let alone = steps(run(&world, false, &half).path())[0].grad_norm / 2.0;
            let part = both[0].tasks[task].grad_norm.unwrap();
            assert!(part > 0.0 && near(part, alone), "{kind}, {task}: {part} for {alone}");
        }
    }
}

#[test]
fn the_scheduler_is_told_the_parts_and_others_nothing_new() {
    let world = World::new();
    let told = |folder: &Path| -> Vec<f64> {
        let state: serde_json::Value = serde_json::from_slice(&checkpoint(folder, 2)[2]).unwrap();
        let observations = state["observations"].as_array().unwrap().clone();
        observations.iter().map(|o| o["gradient_norm"].as_f64().unwrap()).collect()
    };
    let asked = run(&world, true, &[]);
    let last = &steps(asked.path())[1];
    let parts = ["letters", "short"].map(|task| last.tasks[task].grad_norm.unwrap());
    assert_eq!(told(asked.path()), parts);
    assert!(parts[0] != parts[1] && last.grad_norm <= parts[0] + parts[1]);

    let unasked = run(&world, false, &[]);
    let last = &steps(unasked.path())[1];
    assert_eq!(told(unasked.path()), [last.grad_norm, last.grad_norm]);
    let text = std::fs::read_to_string(unasked.path().join("events.jsonl")).unwrap();
    assert_eq!(text.matches("grad_norm").count(), 2, "one for each step, as before");
}

#[test]
fn a_task_without_a_signal_pulls_on_nothing() {
    // All outputs of one task undefined: its groups have no valid output.
    let mut world = World::new();
    world.undefined_from = Some((0, 0));
    let dir = run(&world, true, &["task.letters.fault_limit=1.0"]);
    let steps = steps(dir.path());
    assert!(steps[0].grad_norm > 0.0);
    for step in steps {
        assert_eq!(step.tasks["letters"].grad_norm, Some(0.0));
        let part = step.tasks["short"].grad_norm.unwrap();
        assert!(part == step.grad_norm || near(part, step.grad_norm), "{part}: {step:?}");
    }
}
