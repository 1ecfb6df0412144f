//! `score` on real data and by hand, and the commands that look at packs.

use std::path::Path;

use crate::common::{Ran, omni, root, shared};
use serde_json::{Value, json};

/// Scores rows and gives the output lines back.
fn score(task: &str, rows: &[Value], more: &[&str]) -> (Vec<Value>, String) {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("rows.jsonl");
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(&input, text).unwrap();
    let ran = Ran::of(omni().args(["score", task, "--input"]).arg(&input).args(more)).ok();
    let lines = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, ran.err)
}

fn component(line: &Value, completion: usize, name: &str) -> Value {
    line["scores"][completion]["components"][name].clone()
}

fn rows_of(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Real data lies beside the repository or nowhere.
fn data(name: &str) -> Option<Vec<Value>> {
    let file = shared().map(|folder| folder.join("data").join(name));
    match file.filter(|file| file.is_file()) {
        Some(file) => Some(rows_of(&file)),
        None => {
            println!("skipped: there is no shared/data/{name} beside the repository");
            None
        }
    }
}

#[test]
fn every_first_party_task_scores_by_hand() {
    let (lines, summary) = score(
        "math",
        &[json!({"id": "m", "prompt": "1/2 + 1/4?", "reference": "\\frac{3}{4}", "completions": [
            "<think>a half and a quarter</think><answer>0.75</answer>",
            "<answer>3/4</answer>",
            "<answer>1</answer>",
            ""
        ]})],
        &[],
    );
    let accuracy: Vec<Value> = (0..4).map(|i| component(&lines[0], i, "accuracy")).collect();
    assert_eq!(accuracy, [json!(1.0), json!(1.0), json!(0.0), json!(0.0)]);
    assert_eq!(component(&lines[0], 0, "format"), json!(1.0));
    assert_eq!(component(&lines[0], 1, "tags"), json!(0.5));
    assert_eq!(lines[0]["scores"][0]["total"], json!(1.1));
    assert!(lines[0]["fuel"]["reward"].as_u64().unwrap() > 0);
    assert!(
        summary.contains("1 rows, 4 rollouts") && summary.contains("undefined: none"),
        "{summary}"
    );

    let (lines, _) = score(
        "math",
        &[json!({"id": 1, "reference": "7", "completions": ["So it is \\boxed{7}.", "no"]})],
        &["--config", r#"{"extract": "boxed"}"#],
    );
    assert_eq!(lines[0]["id"], "1");
    assert_eq!(component(&lines[0], 0, "accuracy"), json!(1.0));

    let (lines, _) = score(
        "qa",
        &[json!({"id": "q", "data": {"accepted": ["Lima"]}, "completions": [
            "<answer>Lima</answer>", "<answer>Cusco</answer>"
        ]})],
        &[],
    );
    assert_eq!(component(&lines[0], 0, "accuracy"), json!(1.0));
    assert_eq!(component(&lines[0], 1, "accuracy"), json!(0.0));

    let (lines, _) = score(
        "code",
        &[
            json!({"id": "c", "data": {"assertions": ["assert f(2) == 4", "assert f(0) == 0"],
                                       "entry_point": "f"}, "completions": [
                "<answer>def f(x): return x * 2</answer>",
                "<answer>def f(x): return 4</answer>",
                "<answer>def f(x): return 1 / 0</answer>",
                "<answer>import sys; sys.exit(0)</answer>",
                "<answer>while True: pass</answer>"
            ]}),
            json!({"id": "io", "data": {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]},
                   "completions": ["<answer>print(sum(map(int, input().split())))</answer>"]}),
        ],
        &[],
    );
    let accuracy: Vec<Value> = (0..5).map(|i| component(&lines[0], i, "accuracy")).collect();
    assert_eq!(accuracy, [json!(1.0), json!(0.0), json!(0.0), json!(0.0), json!(0.0)]);
    assert_eq!(component(&lines[1], 0, "accuracy"), json!(1.0));
    assert!(lines[0]["fuel"]["programs"].as_u64().unwrap() > 0);

    let (lines, _) = score(
        "writing",
        &[json!({"id": "w", "prompt": "Write a sentence.", "reference": "The cat sat on the mat.",
                 "completions": ["<answer>The cat sat on the mat.</answer>", ""]})],
        &[],
    );
    assert_eq!(component(&lines[0], 0, "preference"), json!(0.5));
    assert!(component(&lines[0], 1, "preference").as_f64() < Some(0.5));
}

#[test]
fn an_unusable_reference_is_undefined_and_no_zero() {
    let (lines, summary) =
        score("math", &[json!({"id": "m", "completions": ["<answer>1</answer>"]})], &[]);
    let score = &lines[0]["scores"][0];
    assert_eq!(score["components"]["accuracy"], Value::Null);
    assert!(score["reasons"]["accuracy"].as_str().unwrap().starts_with("plugin:"), "{score}");
    assert!(summary.contains("undefined: plugin 1"), "{summary}");
}

#[test]
fn scores_do_not_depend_on_threads() {
    let rows: Vec<Value> = (0..40)
        .map(|i| {
            json!({"id": i, "reference": i, "completions": [format!("<answer>{}</answer>", i % 7)]})
        })
        .collect();
    let (one, _) = score("math", &rows, &["--threads", "1"]);
    let (two, _) = score("math", &rows, &["--threads", "2"]);
    assert_eq!(one, two);
    assert_eq!(one.len(), 40);
}

#[test]
fn human_eval() {
    let Some(problems) = data("code/humaneval.jsonl") else { return };
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows: Vec<Value> = problems
        .iter()
        .map(|row| {
            let program = text(row, "prompt") + &text(row, "canonical_solution");
            json!({
                "id": row["task_id"],
                "prompt": row["prompt"],
                "data": {"functional": row["test"], "entry_point": row["entry_point"]},
                "completions": [format!("<answer>\n{program}\n</answer>"), "<answer></answer>", ""],
            })
        })
        .collect();
    let (lines, summary) = score("code", &rows, &[]);
    let scored = |completion: usize, value: f64| {
        lines.iter().filter(|line| component(line, completion, "accuracy") == json!(value)).count()
    };
    assert_eq!(rows.len(), 164);
    assert_eq!((scored(0, 1.0), scored(1, 0.0), scored(2, 0.0)), (164, 164, 164), "{summary}");
}

/// Programs that are right in unusual ways, and programs that try to pass without being right.
#[test]
fn cheats_do_not_pass_and_honest_programs_do() {
    let rows = rows_of(&root().join("plugins/code/cheats.jsonl"));
    let (lines, _) = score("code", &rows, &[]);
    assert_eq!(lines.len(), rows.len());
    for line in &lines {
        let id = line["id"].as_str().unwrap();
        let wanted = json!(f64::from(u8::from(id.starts_with("honest/"))));
        let scores = line["scores"].as_array().unwrap();
        for index in 0..scores.len() {
            assert_eq!(component(line, index, "accuracy"), wanted, "{id}, completion {index}");
        }
    }
}

#[test]
fn gsm8k() {
    let Some(problems) = data("math/gsm8k_test.jsonl") else { return };
    let answers: Vec<String> = problems
        .iter()
        .map(|row| row["answer"].as_str().unwrap().rsplit("####").next().unwrap().trim().to_owned())
        .collect();
    let rows: Vec<Value> = (0..answers.len())
        .map(|i| {
            let next = &answers[(i + 1) % answers.len()];
            json!({"id": i, "prompt": problems[i]["question"], "reference": answers[i],
                   "completions": [format!("<answer>{}</answer>", answers[i]),
                                   format!("<answer>{next}</answer>")]})
        })
        .collect();
    let (lines, summary) = score("math", &rows, &[]);
    let ones = |completion: usize| {
        lines.iter().filter(|line| component(line, completion, "accuracy") == json!(1.0)).count()
    };
    assert_eq!(rows.len(), 1319);
    assert_eq!((ones(0), ones(1)), (1319, 15), "{summary}");
}

#[test]
fn packs_can_be_looked_into() {
    let ran = Ran::of(omni().args(["plugin", "list", "--json"])).ok();
    let packs: Value = serde_json::from_str(&ran.out).unwrap();
    let names: Vec<&str> =
        packs.as_array().unwrap().iter().map(|pack| pack["name"].as_str().unwrap()).collect();
    for name in ["math", "code", "qa", "writing", "format", "schedulers", "quickstart", "python"] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    let ran =
        Ran::of(omni().args(["pack", "inspect", "--json"]).arg(root().join("target/packs/math")))
            .ok();
    let pack: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(pack["components"][0]["kind"], "reward");
    for import in pack["components"][0]["imports"].as_array().unwrap() {
        assert!(import.as_str().unwrap().starts_with("omni:plugin/"), "{import}");
    }
    Ran::of(omni().args(["pack", "inspect", "Cargo.toml"])).fails(2, &["Cargo.toml"]);
}

#[test]
fn the_doctor_answers() {
    let ran = Ran::of(omni().args(["doctor", "--json"])).ok();
    let findings: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(findings["cpu"]["cores"].as_u64().unwrap() > 0);
    assert!(findings["cuda"]["found"].is_boolean());
    let ran = Ran::of(omni().arg("doctor")).ok();
    assert!(ran.out.contains("cuda:") && ran.out.contains("cores"), "{}", ran.out);
}
