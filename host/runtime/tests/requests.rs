//! What rewards ask for: programs, comparisons, and everything that can go wrong with them.

mod common;

use common::{effects, first, reward, runtime, score, why};
use omni_record::{ReasonKind, Value};
use omni_runtime::{Effects, LoopLimits, NoModel, ProgramLimits};
use std::sync::Arc;

/// The second component, by which the hostile reward says which reply it got.
fn reply_code(components: &[omni_record::Component]) -> f64 {
    components[1].value.score().expect("b is always scored")
}

#[test]
fn replies_come_in_the_order_of_asking() {
    let runtime = runtime(2);
    let reward = reward(&runtime);
    let effects = effects(&runtime);
    let texts: Vec<String> = (0..24)
        .map(|i| match i % 3 {
            // The later ones take longer, so finishing order is not asking order.
            0 => format!("run:print:{}", "x".repeat(24 - i)),
            1 => "compare:tie".into(),
            _ => "run:raise:no".into(),
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let group = score(&reward, &texts, &effects);
    for (i, rollout) in group.rollouts.iter().enumerate() {
        let expected = if i % 3 == 0 { (24 - i) as f64 } else { 0.5 };
        assert_eq!(first(rollout), expected, "rollout {i}");
        assert_eq!(reply_code(rollout), [0.0, 20.0, 1.0][i % 3], "rollout {i}");
    }
    assert!(group.fuel.programs > 0);
}

#[test]
fn a_stopped_program_is_the_models_fault() {
    let runtime = runtime(2);
    let reward = reward(&runtime);
    let effects = effects(&runtime);
    let texts = [
        "run:loop",
        "run:allocate",
        "run:output:40000000",
        "run:trap",
        "run:recurse",
        "run:print:ab",
    ];
    let group = score(&reward, &texts, &effects);
    let codes: Vec<f64> = group.rollouts.iter().map(|r| reply_code(r)).collect();
    assert_eq!(codes, [10.0, 11.0, 11.0, 14.0, 14.0, 0.0]);
    assert_eq!(first(&group.rollouts[0]), 0.0);
    assert_eq!(first(&group.rollouts[5]), 2.0);
    assert!(group.reproducible);
}

#[test]
fn the_tasks_cap_holds_for_programs() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    let mut effects = effects(&runtime);
    effects.limits.program =
        ProgramLimits { fuel: 100_000, memory_bytes: 8 << 20, output_bytes: 10 };
    let group = score(&reward, &["run:spin:1000000", "run:output:8", "run:print:short"], &effects);
    let codes: Vec<f64> = group.rollouts.iter().map(|r| reply_code(r)).collect();
    assert_eq!(codes, [10.0, 13.0, 0.0]);
}

#[test]
fn identical_programs_cost_the_same_however_often_they_run() {
    let runtime = runtime(2);
    let reward = reward(&runtime);
    let effects = effects(&runtime);
    let one = score(&reward, &["run:spin:1000"], &effects);
    let four = score(&reward, &["run:spin:1000"; 4], &effects);
    assert_eq!(four.fuel.programs, 4 * one.fuel.programs);
}

#[test]
fn what_cannot_be_had_is_the_systems_fault() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    let mut effects = effects(&runtime);
    let group = score(&reward, &["speak:cobol", "compare-by:nobody", "score:1"], &effects);
    let (kind, message) = why(&group.rollouts[0]);
    assert_eq!(kind, ReasonKind::Interpreter);
    assert!(message.contains("no interpreter for `cobol`; loaded: hostile"), "{message}");
    let (kind, message) = why(&group.rollouts[1]);
    assert_eq!(kind, ReasonKind::Judge);
    assert!(message.contains("no judge `nobody`"), "{message}");
    assert_eq!(first(&group.rollouts[2]), 1.0);
    effects.judge = None;
    let group = score(&reward, &["compare:first"], &effects);
    assert_eq!(why(&group.rollouts[0]).0, ReasonKind::Judge);
}

#[test]
fn a_judges_fault_stays_with_its_comparison() {
    let runtime = runtime(2);
    let reward = reward(&runtime);
    let effects = effects(&runtime);
    for (fault, message) in [
        ("loop", "fuel"),
        ("trap", "trap"),
        ("count", "verdicts for 1 comparisons"),
        ("error", "unsupported: not this"),
        ("ask-nothing", "asks nothing"),
        ("ask-forever", "still asks after"),
    ] {
        let fault = format!("compare:{fault}");
        let group = score(&reward, &["compare:first", &fault, "compare:second"], &effects);
        assert_eq!(first(&group.rollouts[0]), 1.0, "{fault}");
        let (kind, text) = why(&group.rollouts[1]);
        assert_eq!(kind, ReasonKind::Judge, "{fault}: {text}");
        assert!(text.contains(message), "{fault}: {text}");
        assert_eq!(first(&group.rollouts[2]), 0.0, "{fault}");
    }
    let group = score(&reward, &["compare:undecided"], &effects);
    assert_eq!(why(&group.rollouts[0]), (ReasonKind::Judge, "cannot tell".into()));
}

#[test]
fn a_judge_asks_the_model_and_hears_its_answers_in_order() {
    let runtime = runtime(2);
    let reward = reward(&runtime);
    let mut effects = effects(&runtime);
    let texts = ["compare:ask:the first", "compare:ask:other", "compare:ask:fail", "compare:tie"];
    let group = score(&reward, &texts, &effects);
    assert_eq!(first(&group.rollouts[0]), 1.0);
    assert_eq!(first(&group.rollouts[1]), 0.0);
    assert_eq!(why(&group.rollouts[2]), (ReasonKind::Judge, "the endpoint said 500".into()));
    assert_eq!(first(&group.rollouts[3]), 0.5);
    effects.model = Arc::new(NoModel);
    let group = score(&reward, &["compare:ask:the first"], &effects);
    let (kind, message) = why(&group.rollouts[0]);
    assert_eq!(kind, ReasonKind::Judge);
    assert!(message.contains("no model"), "{message}");
}

#[test]
fn the_loop_grants_only_so_much() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    let mut effects = effects(&runtime);
    effects.limits =
        LoopLimits { rounds: 2, requests: 100, request_bytes: 8 << 20, ..effects.limits };
    for (fault, message) in [
        ("ask-forever", "after 2 rounds"),
        ("ask-many", "more than 100 requests"),
        ("ask-much", "more than 8388608 bytes of requests"),
    ] {
        let group = score(&reward, &[fault, "score:1"], &effects);
        let (kind, text) = why(&group.rollouts[0]);
        assert_eq!(kind, ReasonKind::Contract);
        assert!(text.contains(message), "{fault}: {text}");
        assert_eq!(first(&group.rollouts[1]), 1.0);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let texts = [
        "run:spin:20000",
        "run:loop",
        "compare:ask:the first",
        "score:0.5",
        "spin:30000",
        "trap",
        "run:spin:20000",
        "compare:trap",
        "nan",
        "run:allocate",
    ];
    let scored: Vec<_> = [1, 2, 5]
        .into_iter()
        .map(|workers| {
            let runtime = runtime(workers);
            let (reward, effects) = (reward(&runtime), effects(&runtime));
            score(&reward, &texts, &effects)
        })
        .collect();
    assert_eq!(scored[0], scored[1]);
    assert_eq!(scored[0], scored[2]);
}

#[test]
fn more_callers_than_slots_wait_their_turn() {
    let runtime = runtime(2);
    let (reward, effects) = (reward(&runtime), effects(&runtime));
    let expected = score(&reward, &["run:spin:5000", "score:0.5"], &effects);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let group = score(&reward, &["run:spin:5000", "score:0.5"], &effects);
                    assert_eq!(group, expected);
                }
            });
        }
    });
}

#[test]
fn callers_on_a_work_stealing_pool_do_not_pile_up() {
    // A caller that waited by stealing would start the next row on top of its own stack, and
    // so on until that is gone.
    use rayon::prelude::*;
    let runtime = runtime(2);
    let (reward, effects) = (reward(&runtime), effects(&runtime));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).stack_size(256 << 10).build();
    pool.expect("a pool").install(|| {
        (0..3000).into_par_iter().for_each(|_| {
            let group = score(&reward, &["score:0.5", "run:print:x"], &effects);
            assert_eq!(first(&group.rollouts[1]), 1.0);
        });
    });
}

#[test]
fn a_reward_without_requests_needs_no_effects() {
    let runtime = runtime(1);
    let group = score(&reward(&runtime), &["score:0.5"], &Effects::default());
    assert_eq!(group.rollouts[0][0].value, Value::Scored(0.5));
    assert_eq!(group.fuel.programs, 0);
}
