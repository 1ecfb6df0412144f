//! `eval`: domains, categories, conversations with sets of references, rows that are unsupported.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Ran, omni, policy};

fn lines(path: &Path, rows: &[Value]) {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(path, text).unwrap();
}

/// A run file of four benchmarks, three of them in one domain.
fn benchmarks(folder: &Path) -> PathBuf {
    let qa = |id: u32, category: &str| {
        json!({ "id": id.to_string(), "prompt": "A colour?", "reference": "red",
                "data": { "category": category } })
    };
    lines(&folder.join("qa.jsonl"), &[qa(1, "light"), qa(2, "light"), qa(3, "paint")]);
    lines(&folder.join("easy.jsonl"), &[json!({ "id": "1", "prompt": "1+1?", "reference": "2" })]);
    let code = |id: &str, import: &str| {
        let test = format!("{import}\ndef check(candidate):\n    assert candidate(1) == 2\n");
        json!({ "id": id, "prompt": "Add 1.", "data": { "functional": test, "entry_point": "f" } })
    };
    lines(&folder.join("code.jsonl"), &[code("plain", ""), code("lacks", "import numpy as np")]);
    let sets = json!({ "gpt-4": ["Rain fell on the town.", "It poured."], "base": "Wet." });
    let poem = |id: u32| {
        json!({ "id": id.to_string(), "prompt": "Write of rain.",
                "data": { "turns": ["Shorter."], "references": sets, "category": "writing" } })
    };
    lines(&folder.join("writing.jsonl"), &[poem(1), poem(2)]);
    let file = folder.join("eval.toml");
    let text = format!(
        r#"
[policy]
model = "{}"

[rollout]
max_completion_tokens = 12

[eval]
items = 1
samples = 1
bootstrap = 200

[eval.final]
items = 10
samples = 2

[[task]]
name = "colours"
use = "qa/qa"
domain = "knowledge"
data = {{ test = "qa.jsonl", validation = "qa.jsonl" }}

[[task]]
name = "sums"
use = "math/math"
domain = "knowledge"
data = {{ test = "easy.jsonl", validation = "easy.jsonl" }}

[[task]]
name = "programs"
use = "code/code"
data = {{ test = "code.jsonl", validation = "code.jsonl" }}

[[task]]
name = "poems"
use = "writing/writing"
data = {{ test = "writing.jsonl", validation = "writing.jsonl" }}
"#,
        policy().display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn eval(file: &Path, more: &[&str]) -> Ran {
    Ran::of(omni().arg("eval").arg(file).arg("--policy").arg(policy()).args(more))
}

#[test]
fn a_policy_is_measured_by_domain_category_set_and_turn() {
    let place = tempfile::tempdir().unwrap();
    let file = benchmarks(place.path());
    let out = place.path().join("out");
    let folder = out.to_str().unwrap();
    let ran = eval(&file, &["--out", folder, "--samples", "all"]).ok();
    for word in [
        "knowledge average",
        "poems/gpt-4",
        "poems, turn 2",
        "colours by category (accuracy)",
        "average of categories",
        "unsupported",
        "200 bootstrap draws over items (seed 0)",
    ] {
        assert!(ran.out.contains(word), "no {word:?} in\n{}", ran.out);
    }
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);

    let result: Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("eval.json")).unwrap()).unwrap();
    assert_eq!(result["domains"]["knowledge"]["benchmarks"], json!(["colours", "sums"]));
    let programs = &result["tasks"]["programs"];
    assert_eq!((&programs["items"], &programs["unsupported"]), (&json!(2), &json!(1)));
    assert_eq!(programs["sampled"]["items"], 1, "what is unsupported is in no mean");
    let poems = &result["tasks"]["poems"];
    let verdicts = |of: &Value| {
        ["wins", "ties", "losses"].iter().map(|v| of["verdicts"][v].as_u64().unwrap()).sum::<u64>()
    };
    // Two items with two samples: both sets at the first turn, one at the second.
    assert_eq!(verdicts(&poems["references"]["base"]), 4);
    assert_eq!(verdicts(&poems["references"]["gpt-4"]), 8);
    assert_eq!(verdicts(poems), 12);
    assert_eq!(verdicts(&poems["turns"]["2"]), 4);
    assert!(poems["rouge_l"]["mean"].is_number());

    let items: Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("items.json")).unwrap()).unwrap();
    assert_eq!((&items["version"], &items["purpose"]), (&json!(1), &json!("test")));
    for (name, task) in items["tasks"].as_object().unwrap() {
        let values: Vec<f64> =
            task["sampled"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let reported = result["tasks"][name]["sampled"]["mean"].as_f64().unwrap();
        assert!((mean - reported).abs() < 1e-12, "{name}: {mean} for {reported}");
        assert_eq!(task["ids"].as_array().unwrap().len() as u64, result["tasks"][name]["items"]);
    }

    let samples = std::fs::read_to_string(out.join("samples.jsonl")).unwrap();
    // Three and one and two; and of each poem two sets and, for each sample, a second turn.
    assert_eq!(samples.lines().count(), 3 + 1 + 2 + 2 * (2 + 2));
    let resolved = std::fs::read_to_string(out.join("run.toml")).unwrap();
    assert!(resolved.contains("knowledge"), "{resolved}");
    let lock = std::fs::read_to_string(out.join("lock.toml")).unwrap();
    for used in ["\"model.safetensors\" = ", "\"math/math\" = ", "\"writing/judge-rubric\" = "] {
        assert!(lock.contains(used), "no {used} in\n{lock}");
    }

    // The record is not written over, and the numbers are the same again.
    eval(&file, &["--out", folder]).fails(2, &["already holds an evaluation", "--out"]);
    let again: Value = serde_json::from_str(&eval(&file, &["--json"]).ok().out).unwrap();
    assert_eq!(again["tasks"], result["tasks"]);
    assert_eq!(again["domains"], result["domains"]);
}

#[test]
fn a_split_is_measured_by_its_own_settings() {
    let place = tempfile::tempdir().unwrap();
    let file = benchmarks(place.path());
    let ran = eval(&file, &["--split", "validation", "--json"]).ok();
    let result: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(result["purpose"], "validation");
    assert_eq!(result["tasks"]["colours"]["items"], 1);
    assert_eq!(result["tasks"]["colours"]["greedy"], Value::Null);
    eval(&file, &["--split", "train"]).fails(2, &["validation"]);
    eval(&file, &["--samples", "all"]).fails(2, &["--out"]);
    let out = place.path().join("o");
    eval(&file, &["--samples", "some", "--out", out.to_str().unwrap()]).fails(2, &["`all`"]);
    eval(&file, &["--set", "eval.final.items=0"]).fails(2, &["nothing to evaluate"]);
}
