//! What the functions generator gives, judged by Python itself.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

use omni_quickstart_functions::{Family, Function, Functions};
use omni_sdk::reward::Item;
use omni_sdk::rng::Rng;
use omni_sdk::task::Task;
use serde_json::{Value as Json, json};

fn generator(config: &str) -> Functions {
    omni_sdk::config::read(config).unwrap()
}

/// Whether each program passes its assertions, by one Python process for all of them.
fn passes(programs: &[(String, Vec<String>)]) -> Vec<bool> {
    const RUNNER: &str = "
import json, sys
def passes(source, assertions):
    try:
        space = {}
        exec(source, space)
        for assertion in assertions: exec(assertion, space)
        return True
    except (AssertionError, SyntaxError, TypeError, NameError): return False
print(json.dumps([passes(*program) for program in json.load(sys.stdin)]))";
    let mut python = Command::new("python3")
        .args(["-I", "-c", RUNNER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(json!(programs).to_string().as_bytes()).unwrap();
    serde_json::from_slice(&python.wait_with_output().unwrap().stdout).unwrap()
}

fn assertions(item: &Item) -> Vec<String> {
    let data: Json = serde_json::from_str(&item.data).unwrap();
    assert_eq!(data["entry_point"], "f");
    data["assertions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn demonstrations_are_what_they_say() {
    for config in [r#"{"level": 1}"#, "{}", r#"{"level": 3}"#] {
        let items = generator(config).items("warmup", 0, 2_000).unwrap();
        let mut programs = Vec::new();
        let mut expected = Vec::new();
        for item in &items {
            let data: Json = serde_json::from_str(&item.data).unwrap();
            let text = data["demonstration"].as_str().unwrap();
            assert!(
                item.messages[0].content.len() <= 60 && text.len() <= 90,
                "{} {text}",
                item.messages[0].content
            );
            let program = omni_sdk::text::answer(text).unwrap_or("no program");
            programs.push((program.to_owned(), assertions(item)));
            expected.push(data["demonstration_is"] == "right");
        }
        let found = passes(&programs);
        for (at, item) in items.iter().enumerate() {
            assert_eq!(found[at], expected[at], "{} {:?}", item.messages[0].content, programs[at]);
        }
        let right = expected.iter().filter(|right| **right).count();
        assert!((900..1100).contains(&right), "{right}");
    }
}

#[test]
fn tests_fail_every_mistake_and_do_not_repeat_the_prompt() {
    let mut rng = Rng::new(3);
    let (mut programs, mut right) = (Vec::new(), Vec::new());
    for family in Family::of_level(3) {
        for _ in 0..100 {
            let function = Function::draw(*family, 9, 20, &mut rng);
            let (shown, hidden) = function.inputs(3, &mut rng);
            assert!(hidden.iter().all(|input| !shown.contains(input)));
            let tests: Vec<_> = hidden
                .iter()
                .map(|input| format!("assert f({input}) == {}", function.value(input)))
                .collect();
            programs.push((function.source(), tests.clone()));
            right.push(true);
            let mistakes = function.mistakes(&shown, &hidden);
            assert!(mistakes.len() >= 4);
            for mistake in mistakes {
                programs.push((mistake.answer, tests.clone()));
                right.push(false);
            }
        }
    }
    for (at, found) in passes(&programs).into_iter().enumerate() {
        assert_eq!(found, right[at], "{:?}", programs[at]);
    }
}

#[test]
fn the_same_arguments_give_the_same_items() {
    let task = generator("{}");
    let items = task.items("train", 3, 20).unwrap();
    assert_eq!(items[5], task.item("train", 8).unwrap());
    assert_ne!(items, generator(r#"{"seed": 1}"#).items("train", 3, 20).unwrap());
}

/// Which function it is: of numbers, its values at 0 and 1; of texts, what it puts on which side.
fn identity(prompt: &str, assertions: &[String]) -> String {
    let value = |input: &str| {
        prompt.split_once(&format!("f({input})=")).map(|(_, rest)| rest.split(' ').next().unwrap())
    };
    if let (Some(zero), Some(one)) = (value("0"), value("1")) {
        return format!("{zero} {one}");
    }
    let pairs: Vec<(&str, &str)> = assertions
        .iter()
        .map(|text| {
            text.trim_start_matches("assert f('")
                .trim_end_matches('\'')
                .split_once("') == '")
                .unwrap()
        })
        .collect();
    let behind: Option<HashSet<&str>> =
        pairs.iter().map(|(input, output)| output.strip_prefix(input)).collect();
    let before: Option<HashSet<&str>> =
        pairs.iter().map(|(input, output)| output.strip_suffix(input)).collect();
    match (before.filter(|all| all.len() == 1), behind.filter(|all| all.len() == 1)) {
        (Some(before), None) => format!("{before:?}+x"),
        (None, Some(behind)) => format!("x+{behind:?}"),
        other => panic!("{prompt} {other:?}"),
    }
}

#[test]
fn no_two_splits_share_a_function() {
    let mut splits: Vec<HashSet<String>> = Vec::new();
    for split in ["train", "warmup", "validation", "test"] {
        let mut seen = HashSet::new();
        for seed in 0..3 {
            for item in generator(&format!(r#"{{"wrong": 0.0, "seed": {seed}}}"#))
                .items(split, 0, 500)
                .unwrap()
            {
                seen.insert(identity(&item.messages[0].content, &assertions(&item)));
            }
        }
        splits.push(seen);
    }
    for (at, split) in splits.iter().enumerate() {
        assert!(split.len() > 20, "{} functions", split.len());
        assert!(splits[..at].iter().all(|other| other.is_disjoint(split)));
    }
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    for (config, key) in [
        (r#"{"level": 9}"#, "`level`"),
        (r#"{"families": []}"#, "`families`"),
        (r#"{"max_factor": 30}"#, "`max_factor`"),
        (r#"{"max_constant": 0}"#, "`max_constant`"),
        (r#"{"tests": 0}"#, "`tests`"),
        (r#"{"wrong": 7}"#, "`wrong`"),
    ] {
        let error = generator(config).item("train", 0).unwrap_err();
        assert!(error.message().contains(key), "{error}");
    }
}
