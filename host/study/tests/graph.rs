//! The graph: shared beginnings, what waits for what, what is trained for how long.

mod common;

use std::collections::BTreeSet;

use common::{facts, study};
use omni_record::MethodKind;
use omni_study::{Chosen, Graph, Step, StepKind, graph};

const FOUR: [&str; 4] = ["math", "code", "qa", "writing"];

fn step<'a>(graph: &'a Graph, id: &str) -> &'a Step {
    graph.steps.iter().find(|step| step.id == id).unwrap_or_else(|| panic!("no step {id}"))
}

fn command(graph: &Graph, id: &str) -> String {
    let words: Vec<String> = step(graph, id).command.iter().map(|word| word.symbolic()).collect();
    words.join(" ")
}

fn training(graph: &Graph) -> Vec<&str> {
    let train = graph.steps.iter().filter(|step| step.kind == StepKind::Train);
    train.map(|step| step.id.as_str()).collect()
}

#[test]
fn all_orders_of_four_tasks_are_64_phases_and_the_first_four_are_the_single_task_runs() {
    let study = study("methods = []\norders = { all = true }");
    let graph = graph(&study, &facts(&FOUR), None);
    let training = training(&graph);
    assert_eq!(training.len(), 64);
    let singles = FOUR.map(|task| format!("seed-0/orders/{task}/run"));
    assert_eq!(&training[..4], singles.each_ref().map(String::as_str));
    let orders = graph.rows.iter().filter(|row| row.kind == MethodKind::Order).count();
    assert_eq!(orders, 24);
    // Base twice, singles twice each, whole orders once each.
    let evaluations = graph.steps.iter().filter(|step| step.kind == StepKind::Eval).count();
    assert_eq!(evaluations, 2 + 8 + 24);
}

#[test]
fn every_step_stands_once_behind_all_that_it_waits_for() {
    let study = study(
        "seeds = [0, 1]\nmethods = [\"curriculum\", \"joint\", \"sft\", \"ties\", \"linear\"]\n\
         orders = { all = true, repeat = 2, prefixes = true }\n\
         [[schedule]]\nname = \"dump\"\nplugin = \"schedulers/dump\"\nevidence = true\n\
         [[variant]]\nname = \"cold\"\nset = [\"rollout.temperature=0.6\"]\ntasks = [\"math\"]",
    );
    let chosen = Chosen {
        curriculum: vec![1, 0, 2],
        worst: Some(vec![2, 0, 1]),
        repeated: vec![vec![1, 0, 2], vec![0, 1, 2]],
    };
    let graph = graph(&study, &facts(&["math", "code", "qa"]), Some(&chosen));
    let mut before = BTreeSet::new();
    for step in &graph.steps {
        for id in &step.after {
            assert!(before.contains(id), "{} waits for {id}", step.id);
        }
        assert!(before.insert(step.id.clone()), "{} stands twice", step.id);
    }
    let names: BTreeSet<&str> = graph.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), graph.rows.len(), "rows have names of their own");
    assert!(graph.rows.iter().flat_map(|row| &row.runs).all(|run| before.contains(&run.test)));
}

#[test]
fn a_later_task_continues_from_the_last_checkpoint_of_what_was_trained_before() {
    let study = study("methods = [\"curriculum\"]\n[curriculum]\nalso_worst = false");
    let facts = facts(&["math", "code", "qa"]);
    let before = graph(&study, &facts, None);
    let chosen = Chosen { curriculum: vec![1, 2, 0], ..Chosen::default() };
    let after = graph(&study, &facts, Some(&chosen));
    let new: Vec<&str> = after
        .steps
        .iter()
        .map(|step| step.id.as_str())
        .filter(|id| before.steps.iter().all(|step| step.id != *id))
        .collect();
    let expected = ["code+qa/run", "code+qa+math/run", "code+qa+math/test"];
    assert_eq!(new, expected.map(|id| format!("seed-0/orders/{id}")));
    let last = command(&after, "seed-0/orders/code+qa+math/run");
    for words in [
        "--set seed=0",
        "--set schedule.tasks=[\"math\"]",
        "--set eval.final.items=0",
        "--set eval.every=0",
        "policy.continue_from=seed-0/orders/code+qa/run/checkpoints/LAST",
    ] {
        assert!(last.contains(words), "no {words:?} in: {last}");
    }
    let row = after.rows.iter().find(|row| row.kind == MethodKind::Curriculum).unwrap();
    let made_by = ["code/run", "code+qa/run", "code+qa+math/run"];
    assert_eq!(row.runs[0].made_by, made_by.map(|id| format!("seed-0/orders/{id}")));
    // The first single-task run is as the study's own, validation included.
    assert!(!command(&after, "seed-0/orders/code/run").contains("eval.every"));
}

#[test]
fn with_a_falling_learning_rate_each_order_is_one_run() {
    let study = study("methods = [\"curriculum\"]\n[curriculum]\nalso_worst = false");
    let facts = omni_study::Facts { constant_rate: false, ..facts(&["math", "code", "qa"]) };
    let chosen = Chosen { curriculum: vec![1, 2, 0], ..Chosen::default() };
    let graph = graph(&study, &facts, Some(&chosen));
    assert_eq!(training(&graph).len(), 3 + 1);
    let whole = command(&graph, "seed-0/orders/code+qa+math/run");
    assert!(whole.contains("schedule.plugin=\"schedulers/sequence\""), "{whole}");
    assert!(whole.contains("order = [\"code\", \"qa\", \"math\"]"), "{whole}");
    assert_eq!(step(&graph, "seed-0/orders/code+qa+math/run").cost.steps, Some(120));
}

#[test]
fn joint_training_sees_as_many_prompts_as_the_phases_of_an_order() {
    let study = study("methods = [\"joint\"]");
    let whole = graph(&study, &facts(&FOUR), None);
    assert!(!command(&whole, "seed-0/joint/run").contains("max_steps"));
    let joint = step(&whole, "seed-0/joint/run").cost;
    assert_eq!((joint.steps, joint.prompts, joint.generated), (Some(160), Some(5120), Some(40960)));
    // A phase of 10 steps of each of four tasks is 40 steps of all.
    let cut = omni_study::Facts { max_steps: 10, ..facts(&FOUR) };
    let cut = graph(&study, &cut, None);
    assert!(command(&cut, "seed-0/joint/run").contains("--set schedule.max_steps=40"));
    assert_eq!(step(&cut, "seed-0/orders/math/run").cost.prompts, Some(320));
}

#[test]
fn merges_take_the_best_checkpoints_and_lists_take_lambda_and_density() {
    let study = study("methods = [\"ties\", \"linear\"]\nmerge = { density = 0.5, lambda = -1.0 }");
    let graph = graph(&study, &facts(&["math", "code"]), None);
    let ties = command(&graph, "seed-0/ties/model");
    assert!(ties.contains("--model seed-0/orders/code/run/checkpoints/BEST"), "{ties}");
    assert!(ties.contains("--density 0.5 --scope global --lambda=-1"), "{ties}");
    assert!(!command(&graph, "seed-0/linear/model").contains("lambda"));
    let test = command(&graph, "seed-0/ties/test");
    assert!(test.contains("--policy seed-0/ties/model/policy"), "{test}");
}

#[test]
fn a_scheduler_gets_its_configuration_and_waits_for_evidence() {
    let study = study(
        "methods = []\n[[schedule]]\nname = \"mixed\"\nplugin = \"schedulers/interleave\"\n\
         evidence = true\nset = [\"optimizer.lr=1e-5\"]\n\
         config = { shares = { math = 0.25, \"a b\" = [1, true, \"x\\\"y\"] } }",
    );
    let facts = facts(&["math", "code"]);
    let missing = graph(&study, &facts, None);
    assert!(missing.steps.iter().all(|step| !step.id.contains("mixed")));
    let graph =
        graph(&study, &facts, Some(&Chosen { curriculum: vec![0, 1], ..Chosen::default() }));
    let run = step(&graph, "seed-0/mixed/run");
    assert!(run.evidence);
    let words = command(&graph, "seed-0/mixed/run");
    assert!(words.contains("--set schedule.evidence=evidence.json"), "{words}");
    assert!(words.contains("--set optimizer.lr=1e-5"), "{words}");
    let config = run
        .command
        .iter()
        .find_map(|word| word.symbolic().strip_prefix("schedule.config=").map(str::to_owned));
    let read: toml::Table = toml::from_str(&format!("v = {}", config.unwrap())).unwrap();
    assert_eq!(read["v"]["shares"]["math"].as_float(), Some(0.25));
    assert_eq!(read["v"]["shares"]["a b"][2].as_str(), Some("x\"y"));
}

#[test]
fn a_variant_without_tasks_evaluates_the_base_and_one_with_settings_is_evaluated_with_them() {
    let study = study(
        "seeds = [3, 4]\nmethods = []\n\
         [[variant]]\nname = \"letters\"\nset = [\"task.qa.use=qa/letters\"]\ntasks = []\n\
         [[variant]]\nname = \"cold\"\nset = [\"rollout.temperature=0.6\"]\ntasks = [\"math\"]",
    );
    let graph = graph(&study, &facts(&["math", "qa"]), None);
    let base = command(&graph, "base/letters");
    assert!(base.contains("--policy BASE") && base.contains("task.qa.use=qa/letters"), "{base}");
    for seed in [3, 4] {
        let test = command(&graph, &format!("seed-{seed}/cold/test"));
        assert!(test.contains("rollout.temperature=0.6"), "{test}");
        assert_eq!(step(&graph, &format!("seed-{seed}/cold/run")).cost.steps, Some(40));
    }
}

#[test]
fn repeated_orders_are_trained_with_every_seed_and_the_others_with_the_first() {
    let study = study(
        "seeds = [0, 1]\nmethods = [\"curriculum\"]\norders = { all = true, repeat = 2 }\n\
         [curriculum]\nalso_worst = false",
    );
    let chosen = Chosen {
        curriculum: vec![0, 1, 2],
        worst: None,
        repeated: vec![vec![0, 1, 2], vec![2, 1, 0]],
    };
    let graph = graph(&study, &facts(&["math", "code", "qa"]), Some(&chosen));
    let twice: Vec<&str> = graph
        .rows
        .iter()
        .filter(|row| row.order.as_ref().is_some_and(|order| order.len() == 3))
        .filter(|row| row.runs.len() == 2)
        .map(|row| row.name.as_str())
        .collect();
    assert_eq!(twice, ["math+code+qa", "qa+code+math"]);
}
