//! Evaluations measure entropy at a temperature of 1 and at no other.

mod common;

use std::path::Path;

use common::world::{Session, World, config, events};
use omni_record::Event;

/// Of each evaluation of a purpose, whether every task has an entropy; none where some have.
fn measured(folder: &Path, purpose: &str) -> Vec<Option<bool>> {
    let of = |event| match event {
        Event::Eval(e) if e.purpose == purpose => {
            let with = e.tasks.values().filter(|task| task.entropy.is_some()).count();
            assert!(e.tasks.values().all(|task| task.sampled.is_some()), "{e:?}");
            Some((with == 0 || with == e.tasks.len()).then_some(with > 0))
        }
        _ => None,
    };
    events(folder).into_iter().filter_map(of).collect()
}

#[test]
fn entropy_is_of_outputs_sampled_at_a_temperature_of_one() {
    let world = World::new();
    for (key, validation, test) in [
        ("eval.temperature", false, true),
        ("eval.final.temperature", true, false),
        // That of training has nothing to do with it.
        ("rollout.temperature", true, true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut session = Session::new(&world);
        let settings = ["schedule.max_steps=4", &format!("{key}=0.5")];
        session.run(&config(&settings), dir.path()).unwrap();
        assert_eq!(measured(dir.path(), "validation"), [Some(validation); 2], "{key}");
        assert_eq!(measured(dir.path(), "test"), [Some(test); 2], "{key}");
        let said = session.notices.matches("entropy is left out").count();
        assert_eq!(said, usize::from(!(validation && test)), "{}", session.notices);
        assert_eq!(said > 0, session.notices.contains(&format!("`{key}` is 0.5")));
    }
    // What is not sampled, or not done, needs no word.
    for none in [&["eval.every=0", "eval.temperature=0.5"][..], &["eval.final.samples=0"]] {
        let dir = tempfile::tempdir().unwrap();
        let mut session = Session::new(&world);
        session.run(&config(&[none, &["schedule.max_steps=1"]].concat()), dir.path()).unwrap();
        assert!(!session.notices.contains("entropy"), "{}", session.notices);
    }
}
