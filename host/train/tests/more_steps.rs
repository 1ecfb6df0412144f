//! A run that is resumed may take more steps than it was to, as if that had been so from the start.

mod common;

use std::fs;
use std::path::Path;

use common::world::{Session, World, checkpoint, config, events};
use omni_train::{Ending, Summary, TrainError};

/// Runs up to `limit`, from the start or on from what is there; gives what people were told.
fn go(
    world: &World,
    folder: &Path,
    limit: u64,
    resume: bool,
    stop_at: u64,
    overrides: &[&str],
) -> (Result<Summary, TrainError>, String) {
    let limit = format!("schedule.max_steps={limit}");
    let config = config(&[overrides, &[&limit, "schedule.epochs=3"]].concat());
    let mut session = Session { resume, stop_at, ..Session::new(world) };
    let summary = session.run(&config, folder);
    (summary, session.notices)
}

const NEVER: u64 = u64::MAX;

#[test]
fn more_steps_are_the_run_that_was_to_take_them_from_the_start() {
    let world = World::new();
    for overrides in [
        &[][..],
        // The old end has a validation that the longer run has not there.
        &["eval.every=3"],
        &["eval.every=0", "eval.final.items=0"],
        &["rollout.batches_per_phase=2", "advantage.normalise=median", "advantage.scale=none"],
    ] {
        let [whole, raised] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        go(&world, whole.path(), 9, false, NEVER, overrides).0.unwrap();
        let steps = |limit, resume| {
            let (summary, notices) = go(&world, raised.path(), limit, resume, NEVER, overrides);
            let summary = summary.unwrap();
            assert_eq!((summary.ending, summary.steps), (Ending::Finished, limit));
            notices
        };
        steps(4, false);
        // Twice: 6 is an end and no end, too.
        assert!(steps(6, true).contains("as if"), "{overrides:?}");
        steps(9, true);
        assert!(checkpoint(raised.path(), 9)[..2] == checkpoint(whole.path(), 9)[..2]);
        assert_eq!(events(raised.path()), events(whole.path()), "{overrides:?}");
        let samples = |folder: &Path| fs::read(folder.join("samples.jsonl")).unwrap();
        assert!(samples(raised.path()) == samples(whole.path()));
        if overrides.len() != 1 {
            // All of the state; else the best checkpoint may be the one of the old end, where the
            // one before it was removed.
            assert!(checkpoint(raised.path(), 9)[2] == checkpoint(whole.path(), 9)[2]);
        }
    }
}

#[test]
fn an_end_that_would_have_cut_the_next_phase_does_not() {
    let world = World::new();
    let phases = ["rollout.batches_per_phase=3"];
    let [whole, raised] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    go(&world, whole.path(), 9, false, NEVER, &phases).0.unwrap();
    // Stopped before a phase that was to have two batches, of which there are three now.
    let stopped = go(&world, raised.path(), 5, false, 3, &phases).0.unwrap();
    assert_eq!((stopped.ending, stopped.steps), (Ending::Interrupted, 3));
    go(&world, raised.path(), 9, true, NEVER, &phases).0.unwrap();
    assert!(checkpoint(raised.path(), 9) == checkpoint(whole.path(), 9));
    assert_eq!(events(raised.path()), events(whole.path()));
    // Where the short phase was begun, or is over, the difference is said.
    for stop_at in [4, NEVER] {
        let cut = tempfile::tempdir().unwrap();
        go(&world, cut.path(), 5, false, stop_at, &phases).0.unwrap();
        let (summary, notices) = go(&world, cut.path(), 9, true, NEVER, &phases);
        assert_eq!(summary.unwrap().steps, 9);
        assert!(notices.contains("2 of 3 batches"), "{notices}");
        assert!(notices.contains("not the same"), "{notices}");
    }
}

#[test]
fn what_would_be_another_run_is_refused() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    go(&world, dir.path(), 4, false, NEVER, &[]).0.unwrap();
    let before = (checkpoint(dir.path(), 4), events(dir.path()));
    let refused = |limit: u64, overrides: &[&str], expected: &str| {
        let error = go(&world, dir.path(), limit, true, NEVER, overrides).0.unwrap_err();
        assert!(error.is_input() && error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("schedule.max_steps"), "{error}");
    };
    refused(3, &[], "fewer; it was 4");
    refused(9, &["optimizer.schedule=linear"], "learning rate");
    assert!(before == (checkpoint(dir.path(), 4), events(dir.path())), "nothing was touched");

    // A scheduler that was at its end has nothing to add.
    let dir = tempfile::tempdir().unwrap();
    let ended = go(&world, dir.path(), 99, false, NEVER, &[]).0.unwrap();
    let (summary, notices) = go(&world, dir.path(), 200, true, NEVER, &[]);
    assert_eq!((summary.unwrap().steps, ended.steps), (36, 36));
    assert!(notices.contains("policy.continue_from"), "{notices}");
}
