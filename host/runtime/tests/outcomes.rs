//! Every way in which a reward can misbehave ends in its own typed outcome, voids nothing but
//! the rollout that caused it, and leaves the next call as if nothing had happened.

mod common;

use std::time::Duration;

use common::{effects, first, reward, runtime, score, score_with, why};
use omni_record::{ReasonKind, Value};
use omni_runtime::{Backstop, Effects, Limits, Plugin, Runtime, RuntimeConfig};

#[test]
fn each_fault_has_its_own_kind_and_leaves_its_neighbours_alone() {
    let runtime = runtime(2);
    let reward = reward(&runtime);
    let effects = effects(&runtime);
    let cases = [
        ("loop", ReasonKind::Fuel, "fuel consumed"),
        ("flood", ReasonKind::Fuel, "fuel consumed"),
        ("allocate", ReasonKind::Memory, "bytes of memory asked for"),
        // A guest's own stack, in its memory, is smaller than the one that its calls are on.
        ("recurse", ReasonKind::Trap, "out of bounds memory"),
        ("deep", ReasonKind::Trap, "call stack"),
        ("trap", ReasonKind::Trap, "unreachable"),
        ("panic", ReasonKind::Trap, "unreachable"),
        ("say-panic", ReasonKind::Plugin, "internal: index out of bounds (src/lib.rs:7:3)"),
        ("count", ReasonKind::Contract, "components for 2 rollouts, there are 1"),
        ("nan", ReasonKind::Contract, "component `a` is NaN"),
        ("infinite", ReasonKind::Contract, "component `a` is inf"),
        ("unknown", ReasonKind::Contract, "unknown component `surprise`"),
        ("missing", ReasonKind::Contract, "component `a` is missing"),
        ("twice", ReasonKind::Contract, "component `a` is given twice"),
        ("huge", ReasonKind::Contract, "the result is larger than"),
        ("not-utf8", ReasonKind::Contract, "breaks the contract"),
        ("ask-forever", ReasonKind::Contract, "still asks after 64 rounds"),
        ("ask-nothing", ReasonKind::Contract, "asks for nothing"),
        ("ask-many", ReasonKind::Contract, "requests"),
        ("error", ReasonKind::Plugin, "internal: broken on purpose"),
        ("undefined", ReasonKind::Plugin, "it said so"),
    ];
    for (fault, kind, message) in cases {
        let group = score(&reward, &["score:0.25", fault, "score:0.75"], &effects);
        assert_eq!(group.rollouts.len(), 3, "{fault}");
        assert_eq!(first(&group.rollouts[0]), 0.25, "{fault}");
        let (found, text) = why(&group.rollouts[1]);
        assert_eq!(found, kind, "{fault}: {text}");
        assert!(text.contains(message), "{fault}: {text}");
        assert_eq!(first(&group.rollouts[2]), 0.75, "{fault}");
        assert!(group.reproducible, "{fault}");
        // The same fault alone, where there is no group to repeat.
        let alone = score(&reward, &[fault], &effects);
        assert_eq!(why(&alone.rollouts[0]).0, kind, "{fault} alone");
        let next = score(&reward, &["score:1"], &effects);
        assert_eq!(first(&next.rollouts[0]), 1.0, "after {fault}");
    }
}

#[test]
fn a_fault_costs_the_fuel_that_it_burnt() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    let looped = score(&reward, &["loop"], &Effects::default());
    assert_eq!(looped.fuel.reward, common::limits().fuel);
    let trapped = score(&reward, &["trap"], &Effects::default());
    assert!(trapped.fuel.reward > 0 && trapped.fuel.reward < 1_000_000);
}

#[test]
fn only_the_components_that_break_the_contract_are_undefined() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    let group = score(&reward, &["nan"], &Effects::default());
    let [a, b] = group.rollouts[0].as_slice() else { panic!("two components") };
    assert_eq!((a.name.as_str(), b.name.as_str()), ("a", "b"));
    assert!(matches!(a.value, Value::Undefined(_)));
    assert_eq!(b.value, Value::Scored(0.0));
    // A component nobody knows says nothing about the others either.
    let group = score(&reward, &["unknown"], &Effects::default());
    assert!(group.rollouts[0].iter().all(|c| matches!(c.value, Value::Undefined(_))));
    assert_eq!(group.rollouts[0].len(), 2);
}

#[test]
fn a_relative_reward_is_undefined_as_a_whole() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    let group = score_with(&reward, "{}", &["score:1", "trap"], &Effects::default(), true);
    for rollout in &group.rollouts {
        assert_eq!(why(rollout).0, ReasonKind::Trap);
    }
}

#[test]
fn globals_are_reset_for_every_call() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    for _ in 0..20 {
        let group = score(&reward, &["global"], &Effects::default());
        assert_eq!(first(&group.rollouts[0]), 1.0);
    }
}

#[test]
fn memory_that_one_call_wrote_is_not_seen_by_the_next() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    // Fills its memory, then another instance takes the same slot; Rust's allocator would trip
    // over its own metadata if a byte were left.
    for _ in 0..5 {
        let full = score(&reward, &["allocate"], &Effects::default());
        assert_eq!(why(&full.rollouts[0]).0, ReasonKind::Memory);
        let next = score(&reward, &["global"], &Effects::default());
        assert_eq!(first(&next.rollouts[0]), 1.0);
    }
}

#[test]
fn a_guest_may_live_with_a_refusal() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    let group = score(&reward, &["refused"], &Effects::default());
    assert_eq!(first(&group.rollouts[0]), 1.0);
}

#[test]
fn faults_of_components_reach_every_rollout() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    for (config, kind) in [
        ("refuse", ReasonKind::Plugin),
        ("none", ReasonKind::Contract),
        ("twice", ReasonKind::Contract),
        ("trap", ReasonKind::Trap),
        ("loop", ReasonKind::Fuel),
    ] {
        let error = reward.components(config).expect_err(config);
        assert_eq!(error.reason.kind, kind, "{config}");
        assert!(error.to_string().starts_with("hostile/reward 0.1.0, components: "), "{error}");
        let texts = ["score:1", "score:1"];
        let group = score_with(&reward, config, &texts, &Effects::default(), false);
        assert_eq!(group.rollouts.len(), 2);
        assert_eq!(why(&group.rollouts[1]).0, kind, "{config}");
    }
}

#[test]
fn an_empty_group_is_an_empty_score() {
    let runtime = runtime(1);
    let reward = reward(&runtime);
    assert!(score(&reward, &[], &Effects::default()).rollouts.is_empty());
}

#[test]
fn arguments_beyond_their_limit_never_reach_the_guest() {
    let runtime = runtime(1);
    let limits = Limits { argument_bytes: 1 << 10, ..common::limits() };
    let loaded = runtime.load(&common::wasm("reward"), common::label("reward"), limits);
    let Ok(Plugin::Reward(reward)) = loaded else { panic!("{loaded:?}") };
    let long = "x".repeat(2 << 10);
    let group = score(&reward, &[&long, "score:1"], &Effects::default());
    let (kind, message) = why(&group.rollouts[0]);
    assert_eq!(kind, ReasonKind::Host);
    assert!(message.contains("1024 allowed"), "{message}");
    assert_eq!(first(&group.rollouts[1]), 1.0);
}

#[test]
fn the_clock_is_a_backstop_that_says_so() {
    let mut config = RuntimeConfig::default();
    config.workers = 2;
    // So tight that the clock comes long before the fuel is gone.
    config.backstop =
        Backstop { fuel_per_second: 1 << 60, factor: 1.0, minimum: Duration::from_millis(50) };
    let runtime = Runtime::new(config).expect("the engine starts");
    let limits = Limits { fuel: u64::MAX / 4, ..common::limits() };
    let loaded = runtime.load(&common::wasm("reward"), common::label("reward"), limits);
    let Ok(Plugin::Reward(reward)) = loaded else { panic!("{loaded:?}") };
    let group = score(&reward, &["loop"], &Effects::default());
    assert_eq!(why(&group.rollouts[0]).0, ReasonKind::Time);
    assert!(!group.reproducible);
    let next = score(&reward, &["score:1"], &Effects::default());
    assert_eq!(first(&next.rollouts[0]), 1.0);
    assert!(next.reproducible);
}
