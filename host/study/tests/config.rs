//! Study files: defaults, what errors say, and that the resolved form reads back.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{facts, study};
use omni_study::{Facts, MethodName, Outputs, StudyConfig};

fn invalid(text: &str) -> String {
    let study: StudyConfig = toml::from_str(&format!("run = \"run.toml\"\n{text}")).unwrap();
    let facts = facts(&["math", "code"]);
    study.validate().and_then(|()| facts.check(&study)).unwrap_err().to_string()
}

#[test]
fn a_study_file_needs_a_run_file_and_nothing_else() {
    let minimal = study("");
    assert_eq!(minimal.seeds, [0]);
    let methods = [MethodName::Curriculum, MethodName::Joint, MethodName::Sft, MethodName::Ties];
    assert_eq!(minimal.methods, methods);
    facts(&["math", "code"]).check(&minimal).unwrap();
    let text = toml::to_string(&minimal).unwrap();
    assert_eq!(toml::from_str::<StudyConfig>(&text).unwrap(), minimal);
    let missing = StudyConfig::default().validate().unwrap_err();
    assert_eq!(missing.key, "run");
}

#[test]
fn what_a_careless_hand_writes_is_refused_by_its_key() {
    for (text, words) in [
        ("seeds = []", ["`seeds`", "at least one"]),
        ("seeds = [1, 1]", ["`seeds`", "twice"]),
        ("methods = [\"sft\", \"sft\"]", ["`methods`", "twice"]),
        ("evidence = { floor = 0.0 }", ["`evidence.floor`", "no logarithm"]),
        ("evidence = { floor = nan }", ["`evidence.floor`", "NaN"]),
        ("evidence = { items = 0 }", ["`evidence.items`", "at least 1"]),
        ("evidence = { bootstrap = 0 }", ["`evidence.bootstrap`", "standard errors"]),
        ("merge = { density = 0.0 }", ["`merge.density`", "(0, 1]"]),
        ("merge = { lambda = inf }", ["`merge.lambda`", "number"]),
        ("orders = { repeat = 3 }", ["`orders.repeat`", "--all-orders"]),
        ("orders = { all = true, repeat = 3 }", ["`orders.repeat`", "second seed"]),
        ("curriculum = { orders = [[\"math\"]] }", ["`curriculum.orders.0`", "math, code"]),
        (
            "curriculum = { orders = [[\"math\", \"math\"]] }",
            ["`curriculum.orders.0`", "each task once"],
        ),
        ("[[schedule]]\nname = \"x\"", ["`schedule.0.plugin`", "is missing"]),
        ("[[schedule]]\nplugin = \"x\"", ["`schedule.0.name`", "is missing"]),
        ("[[schedule]]\nname = \"joint\"\nplugin = \"x\"", ["`schedule.0.name`", "taken"]),
        ("[[variant]]\nname = \"../x\"", ["`variant.0.name`", "folder"]),
        ("[[variant]]\nname = \"x\"\n[[variant]]\nname = \"x\"", ["`variant.1.name`", "taken"]),
        ("[[variant]]\nname = \"x\"\ntasks = [\"maths\"]", ["`variant.0.tasks`", "math, code"]),
        ("evidence = { outputs = \"greedy\" }", ["`evidence.outputs`", "greedy = true"]),
        ("test = { samples = 0 }", ["`evidence.outputs`", "[eval.final]"]),
    ] {
        let message = invalid(text);
        for word in words {
            assert!(message.contains(word), "no {word:?} for {text:?} in: {message}");
        }
    }
}

#[test]
fn unknown_keys_are_errors() {
    for text in ["method = [\"sft\"]", "evidence = { item = 3 }", "[[variant]]\nnam = \"x\""] {
        let error = toml::from_str::<StudyConfig>(&format!("run = \"r\"\n{text}")).unwrap_err();
        assert!(error.to_string().contains("unknown field"), "{error}");
    }
}

#[test]
fn the_run_file_must_fit() {
    let refused = |facts: &Facts| facts.check(&study("")).unwrap_err().to_string();
    assert!(refused(&facts(&["math"])).contains("two tasks or more"));
    assert!(refused(&facts(&["a/b", "a_b"])).contains("share the folder"));
    let falling = Facts { constant_rate: false, max_steps: 10, ..facts(&["math", "code"]) };
    assert!(refused(&falling).contains("falling learning rate"));
    let six = ["a", "b", "c", "d", "e", "f"];
    let all = study("orders = { all = true }");
    assert!(facts(&six).check(&all).unwrap_err().to_string().contains("too many orders"));
    facts(&six).check(&study("")).unwrap();
}

#[test]
fn entropy_and_accuracies_are_of_outputs_that_can_be_compared() {
    let two = facts(&["math", "code"]);
    let veto = study("curriculum = { veto = true }");
    two.check(&veto).unwrap();
    let mut cool = two.clone();
    cool.validation.temperature = 0.6;
    let refused = |facts: &Facts, study: &StudyConfig| facts.check(study).unwrap_err().to_string();
    assert!(refused(&cool, &study("")).contains("make them the same"));
    cool.test.temperature = 0.6;
    cool.check(&study("")).unwrap();
    assert!(refused(&cool, &veto).contains("temperature = 0.6"));
    let mut greedy = two.clone();
    for measured in [&mut greedy.validation, &mut greedy.test] {
        (measured.samples, measured.greedy) = (0, true);
    }
    greedy.validation.temperature = 0.6;
    greedy.check(&study("")).unwrap();
    assert!(refused(&greedy, &veto).contains("samples = 0"));
    let nine = facts(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    nine.check(&study("")).unwrap();
    assert!(refused(&nine, &veto).contains("up to 8 tasks"));
}

#[test]
fn accuracies_are_sampled_unless_only_greedy_ones_are_made() {
    let mut facts = facts(&["math", "code"]);
    assert_eq!(facts.outputs_of(&study("")), Outputs::Sampled);
    facts.validation.samples = 0;
    assert_eq!(facts.outputs_of(&study("")), Outputs::Greedy);
    assert_eq!(facts.outputs_of(&study("evidence = { samples = 2 }")), Outputs::Sampled);
}

#[test]
fn the_schema_knows_every_table() {
    let schema = omni_study::schema();
    let properties = schema["properties"].as_object().unwrap();
    for key in ["run", "seeds", "methods", "evidence", "curriculum", "orders", "merge", "variant"] {
        assert!(properties.contains_key(key), "{key}");
        assert!(properties[key]["description"].is_string(), "{key} has no description");
    }
}
