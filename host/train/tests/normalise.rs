//! Whole runs with rewards made comparable: they resume, and they are what they say.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::path::Path;

use common::world::{Session, World, checkpoint, config, events};
use omni_record::{Event, ReasonKind, RunFolder, TaskStep};
use omni_train::Ending;

fn steps(folder: &Path, task: &str) -> Vec<TaskStep> {
    let step = |e| match e {
        Event::Step(e) => e.tasks.get(task).cloned(),
        _ => None,
    };
    RunFolder::new(folder).events().unwrap().into_iter().filter_map(step).collect()
}

#[test]
fn resumed_runs_are_as_if_they_never_stopped() {
    let world = World::new();
    let mut weights = Vec::new();
    for normalise in ["none", "gdpo", "median"] {
        let settings = [
            "schedule.max_steps=8",
            "schedule.epochs=2",
            "eval.every=0",
            "eval.final.items=0",
            // Forgets within the run, so that what is remembered matters.
            "advantage.median.window=40",
            &format!("advantage.normalise={normalise}"),
        ];
        let config = config(&settings);
        let whole = tempfile::tempdir().unwrap();
        Session::new(&world).run(&config, whole.path()).unwrap();
        for stop_at in [1, 5] {
            let dir = tempfile::tempdir().unwrap();
            let mut session = Session { stop_at, ..Session::new(&world) };
            let summary = session.run(&config, dir.path()).unwrap();
            assert_eq!((summary.ending, summary.steps), (Ending::Interrupted, stop_at));
            Session { resume: true, ..Session::new(&world) }.run(&config, dir.path()).unwrap();
            assert!(checkpoint(dir.path(), 8) == checkpoint(whole.path(), 8), "{normalise}");
            assert_eq!(events(dir.path()), events(whole.path()), "{normalise}");
        }
        weights.push(checkpoint(whole.path(), 8)[0].clone());
        let state = String::from_utf8(checkpoint(whole.path(), 8)[2].clone()).unwrap();
        assert_eq!(state.contains("\"rewards\""), normalise == "median");
        let step = &steps(whole.path(), "letters")[3];
        assert_eq!(step.reward_map.is_some(), normalise == "median");
    }
    assert!(weights[0] != weights[1] && weights[0] != weights[2] && weights[1] != weights[2]);
}

#[test]
fn a_checkpoint_from_before_the_setting_can_be_gone_on_from() {
    let world = World::new();
    let quiet = ["schedule.max_steps=6", "eval.every=0", "eval.final.items=0"];
    let dir = tempfile::tempdir().unwrap();
    Session { stop_at: 2, ..Session::new(&world) }.run(&config(&quiet), dir.path()).unwrap();
    let median = config(&[&quiet[..], &["advantage.normalise=median"]].concat());
    Session { resume: true, ..Session::new(&world) }.run(&median, dir.path()).unwrap();
    let maps: Vec<bool> =
        steps(dir.path(), "letters").iter().map(|s| s.reward_map.is_some()).collect();
    assert_eq!(maps, [false, false, true, true, true, true]);
}

#[test]
fn records_keep_the_rewards_as_they_were_and_say_how_they_were_mapped() {
    let world = World::new();
    let settings = [
        "schedule.max_steps=1",
        "eval.every=0",
        "eval.final.items=0",
        "advantage.normalise=median",
    ];
    let run = |extra: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let config = config(&[&settings[..], extra].concat());
        Session::new(&world).run(&config, dir.path()).unwrap();
        steps(dir.path(), "letters").remove(0)
    };
    let (median, plain) = (run(&[]), run(&["advantage.normalise=none"]));
    assert_eq!(median.reward_mean, plain.reward_mean);
    let map = median.reward_map.unwrap();
    assert!(map.median > 0.0 && map.median < 1.1 && map.spread >= 0.1, "{map:?}");
    assert!(median.mean_abs_advantage > 0.0);
}

#[test]
fn what_the_sandbox_lacks_is_shown_but_stops_no_run() {
    let mut world = World::new();
    world.undefined_from = Some((1, 3));
    let quiet = ["eval.every=0", "eval.final.items=0", "schedule.epochs=3"];
    world.undefined_kind = ReasonKind::Unsupported;
    let dir = tempfile::tempdir().unwrap();
    let summary = Session::new(&world).run(&config(&quiet), dir.path()).unwrap();
    assert_eq!(summary.ending, Ending::Finished);
    let step = &steps(dir.path(), "short")[0];
    assert_eq!((step.rollouts, step.valid, step.undefined["unsupported"]), (12, 6, 6));
    // The same rate of anything else does (tests/run.rs), also beside what is unsupported.
    world.undefined_kind = ReasonKind::Judge;
    let dir = tempfile::tempdir().unwrap();
    Session::new(&world).run(&config(&quiet), dir.path()).unwrap_err();
}
