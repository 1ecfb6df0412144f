//! Datasets in run files, and wrong answers for them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Ran, omni, policy, train};
use crate::server::{Act, Request, Server};

/// Writes rows as JSON Lines.
fn lines(folder: &Path, name: &str, rows: &[Value]) -> PathBuf {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The rows of a JSON Lines file.
fn rows(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Questions in SuperGPQA's form.
fn questions(count: usize) -> Vec<Value> {
    let row = |id: usize| {
        json!({
            "uuid": format!("q{id}"),
            "question": format!("Which is number {id}?"),
            "options": [format!("option {id}"), "none of them"],
            "answer": format!("option {id}"),
            "discipline": if id.is_multiple_of(3) { "Law" } else { "Art" },
        })
    };
    (0..count).map(row).collect()
}

/// A run of a step or two on questions; `data` is the table of its splits.
fn run_file(folder: &Path, data: &str) -> PathBuf {
    let file = folder.join("run.toml");
    let text = format!(
        r#"
seed = 7

[policy]
model = "{}"

[rollout]
prompts_per_batch = 4
group_size = 2
max_completion_tokens = 8

[schedule]
max_steps = 1

[eval.final]
items = 2
samples = 1

[[task]]
use = "qa/qa"

[task.data]
{data}
"#,
        policy().display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_run_on_a_mapped_dataset() {
    let place = tempfile::tempdir().unwrap();
    let mut dataset = questions(30);
    dataset[4]["answer"] = Value::Null;
    let file = lines(place.path(), "questions.jsonl", &dataset);
    let data = r#"
train = { file = "questions.jsonl", mapping = "supergpqa", limit = 12, system = "", max_tokens = 150 }
test = { from = "train", take = 3 }
"#;
    let out = place.path().join("run");
    let run = run_file(place.path(), data);
    let ran = Ran::of(&mut train(&run, &out)).ok();
    for said in [
        "qa: train: 9 of 30 rows of",
        "17 beyond the limit",
        "3 to test",
        "1 do not fit: `reference`: `answer` is null",
        "questions.jsonl:5",
        "qa: test: 3 of 3 rows of train, taken from",
    ] {
        assert!(ran.err.contains(said), "no {said:?} in {}", ran.err);
    }
    // The prompt holds the answer among the other options, in full text.
    let samples = rows(&out.join("samples.jsonl"));
    let sample = samples.iter().find(|sample| sample["purpose"] == "train").unwrap();
    let (prompt, reference) =
        (sample["prompt"].as_str().unwrap(), sample["reference"].as_str().unwrap());
    assert!(prompt.contains(&format!("- {reference}\n")), "{prompt}");
    assert!(prompt.contains("- none of them"), "{prompt}");

    let lock = std::fs::read_to_string(out.join("lock.toml")).unwrap();
    let lock: toml::Table = toml::from_str(&lock).unwrap();
    let counts = &lock["data"]["qa: train"];
    assert_eq!(counts["rows"].as_integer(), Some(30));
    assert_eq!(counts["taken"]["test"].as_integer(), Some(3));

    // A run goes on with the rows that it began with, or not at all.
    dataset[0]["question"] = "Another?".into();
    lines(place.path(), "questions.jsonl", &dataset);
    Ran::of(train(&run, &out).arg("--resume")).fails(2, &["has changed", "questions.jsonl"]);
    assert!(file.exists());
}

#[test]
fn a_dataset_that_does_not_fit() {
    let place = tempfile::tempdir().unwrap();
    lines(place.path(), "rows.jsonl", &[json!({"question": "?", "choices": []})]);
    let out = place.path().join("run");
    for (data, words) in [
        (
            "train = { file = \"rows.jsonl\", mapping = \"supergpqa\" }",
            &["1 of 1 rows do not fit", "no column `answer`", "rows.jsonl:1", "question, choices"]
                [..],
        ),
        (
            "train = { file = \"rows.jsonl\", mapping = \"supergqpa\" }",
            &["task `qa`", "did you mean `supergpqa`"],
        ),
        (
            "train = { file = \"rows.jsonl\", maping = \"supergpqa\" }",
            &["run.toml:", "maping", "mapping"],
        ),
        (
            "train = { file = \"rows.jsonl\", columns = { prompt = \"question|trm\" } }",
            &["data.train.columns.prompt", "did you mean `trim`"],
        ),
        (
            "train = { file = \"rows.jsonl\", columns = { reference = \"question\" } }",
            &["the row has neither `messages` nor `prompt`"],
        ),
        ("train = { file = \"none.parquet\" }", &["none.parquet"]),
        ("train = \"rows.jsonl\"", &["rows.jsonl:1"]),
    ] {
        let run = run_file(place.path(), data);
        Ran::of(&mut train(&run, &out)).fails(2, words);
    }
    assert!(!out.exists(), "a run that never began left a folder");
}

#[test]
fn the_hub_is_not_asked_in_offline_mode() {
    let place = tempfile::tempdir().unwrap();
    let run = run_file(place.path(), "train = { mapping = \"supergpqa\" }");
    let mut command = train(&run, &place.path().join("run"));
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", place.path());
    Ran::of(&mut command).fails(2, &["m-a-p/SuperGPQA", "offline mode", "HF_HUB_CACHE"]);
}

/// `pack distractors` over questions.
fn distractors(input: &Path, output: &Path) -> std::process::Command {
    let mut command = omni();
    command.args(["pack", "distractors", "--mapping", "supergpqa", "--count", "3", "--input"]);
    command.arg(input).arg("--output").arg(output);
    command
}

#[test]
fn distractors_of_the_same_category() {
    let place = tempfile::tempdir().unwrap();
    let input = lines(place.path(), "questions.jsonl", &questions(10));
    let output = place.path().join("made.jsonl");
    let ran = Ran::of(&mut distractors(&input, &output)).ok();
    assert!(ran.err.contains("of which there are 2"), "{}", ran.err);
    let made = rows(&output);
    assert_eq!(made.len(), 10);
    for row in &made {
        let texts = row["data"]["distractors"].as_array().unwrap();
        assert_eq!(texts.len(), 3, "{row}");
        assert!(!texts.contains(&row["reference"]), "{row}");
        // Every third question is of law, and so are its wrong answers.
        let number = |text: &Value| text.as_str().unwrap()[7..].parse::<usize>().unwrap();
        let law = number(&row["reference"]).is_multiple_of(3);
        assert!(texts.iter().all(|text| number(text).is_multiple_of(3) == law), "{row}");
    }
    // Ended in the middle of a row, it goes on there and comes to the same bytes.
    let whole = std::fs::read(&output).unwrap();
    std::fs::write(&output, &whole[..whole.len() / 2]).unwrap();
    Ran::of(&mut distractors(&input, &output)).ok();
    assert_eq!(std::fs::read(&output).unwrap(), whole);
    // What it makes needs no mapping, and another dataset's rows are not mixed with it.
    let data = "train = \"made.jsonl\"\ntest = { from = \"train\", take = 2 }";
    Ran::of(&mut train(&run_file(place.path(), data), &place.path().join("run"))).ok();
    let other = lines(place.path(), "other.jsonl", &questions(3)[1..]);
    Ran::of(&mut distractors(&other, &output)).fails(2, &["made.jsonl:1", "q0", "--output"]);
}

/// What a request asks, as one text.
fn asked(request: &Request) -> String {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    messages.iter().filter_map(|message| message["content"].as_str()).collect()
}

#[test]
fn distractors_of_a_model_are_checked_and_asked_for_again() {
    let place = tempfile::tempdir().unwrap();
    let input = lines(place.path(), "questions.jsonl", &questions(4));
    let output = place.path().join("made.jsonl");
    // It proposes the right answer itself, and something that it then calls right as well; about
    // number 2 it fails.
    let server = Server::start(|request, _| {
        let asked = asked(request);
        if asked.contains("number 2") {
            Act::Respond(500, Vec::new(), b"oops".to_vec())
        } else if asked.contains("Which of the proposed") {
            let place = asked.lines().find_map(|line| line.strip_suffix(". the same"));
            Act::Say(place.map_or("[]".to_owned(), |place| format!("[{place}]")))
        } else if asked.contains("there already") {
            Act::Say("[\"wrong 1\", \"wrong 3\"]".into())
        } else {
            let number = asked.split("number ").nth(1).unwrap().chars().next().unwrap();
            Act::Say(format!("[\"wrong 1\", \"Option {number}.\", \"the same\", \"wrong 2\"]"))
        }
    });
    let run = place.path().join("models.toml");
    let models = |url: &str| {
        let text = format!(
            "[policy]\nmodel = \"nowhere\"\n[models.writer]\nendpoint = \"{url}\"\nmodel = \"m\"\n\
             retries = 0\n[[task]]\nuse = \"qa/qa\"\n"
        );
        std::fs::write(&run, text).unwrap();
    };
    models(&server.url());
    let ran = Ran::of(distractors(&input, &output).arg("--run").arg(&run));
    let ran = ran.fails(1, &["1 rows were not made", "run the same command again"]);
    assert!(ran.err.contains("right as well 3"), "{}", ran.err);
    assert!(ran.err.contains("3 rows made"), "{}", ran.err);
    let made = rows(&output);
    let ids: Vec<&str> = made.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["q0", "q1", "q3"]);
    for row in &made {
        assert_eq!(row["data"]["distractors"], json!(["wrong 1", "wrong 2", "wrong 3"]), "{row}");
    }
    // The model being well again, only what is missing is asked for.
    let well = Server::start(|request, _| {
        let check = asked(request).contains("Which of the proposed");
        Act::Say(if check { "[]".into() } else { "[\"a\", \"b\", \"c\"]".into() })
    });
    models(&well.url());
    Ran::of(distractors(&input, &output).arg("--run").arg(&run)).ok();
    assert_eq!(well.requests().len(), 2);
    assert_eq!(rows(&output)[3]["data"]["distractors"], json!(["a", "b", "c"]));
    Ran::of(distractors(&input, &output).arg("--run").arg(&run).args(["--model", "writr"]))
        .fails(2, &["models.writr", "did you mean `writer`"]);
}

#[test]
fn a_benchmarks_own_rows_are_scored() {
    let place = tempfile::tempdir().unwrap();
    let row = |question: &str, answer: &str, completion: &str| json!({"question": question, "answer": answer, "completions": [completion]});
    let right = "<think>.</think><answer>1004</answer>";
    let input = lines(
        place.path(),
        "rows.jsonl",
        &[row("?", "so\n#### 1,004", right), row("?", "so", right), row("?", "#### 3", right)],
    );
    let mut command = omni();
    command.args(["score", "math", "--mapping", "gsm8k", "--input"]).arg(&input);
    let ran = Ran::of(&mut command).fails(2, &["rows.jsonl:2", "has no `####`", "1 of 3 lines"]);
    let scores: Vec<Value> = ran.out.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let accuracy = |at: usize| scores[at]["scores"][0]["components"]["accuracy"].as_f64();
    assert_eq!((scores.len(), accuracy(0), accuracy(1)), (2, Some(1.0), Some(0.0)));
}
