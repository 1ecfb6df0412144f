//! Rejection sampling and fine-tuning: from a run file to a policy that loads, across kills, and
//! what a careless file is told.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Ran, omni, root, weights};

/// The quickstart's policy on two of its tasks: it solves some of their problems, so that something
/// is kept, and an answer takes it few tokens.
fn run_file(folder: &Path, more: &str) -> PathBuf {
    let file = folder.join("tiny.toml");
    let text = format!(
        r#"
seed = 7

[policy]
model = "{}"

[rollout]
max_completion_tokens = 48

[sft]
samples = 4
keep = 2
prompts = 600
batch = 16
epochs = 1.0
lr = 1e-3
max_steps = 8

[eval.final]
items = 4

[checkpoint]
every = 2

[[task]]
use = "quickstart/arithmetic"
items = 700

[[task]]
use = "quickstart/world"
items = 700
{more}"#,
        root().join("examples/quickstart/policy").display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn sft(file: &Path, out: &Path) -> Command {
    let mut command = omni();
    command.arg("sft").arg(file).arg("--out").arg(out);
    command
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Events without what a clock wrote into them.
fn events(run: &Path) -> Vec<Value> {
    let mut events = lines(&run.join("events.jsonl"));
    for event in &mut events {
        let fields = event.as_object_mut().unwrap();
        fields.remove("time");
        fields.remove("seconds");
    }
    events
}

#[test]
fn what_is_kept_is_correct_and_what_is_learned_loads() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let file = run_file(place.path(), "");
    let few = ["--set", "sft.prompts=60", "--set", "sft.samples=8"];
    let ran = Ran::of(sft(&file, &out).args(few)).ok();
    for words in ["arithmetic", "world", "kept", "average"] {
        assert!(ran.out.contains(words), "no {words} in:\n{}", ran.out);
    }
    let rejection = lines(&out.join("rejection.jsonl"));
    assert_eq!(rejection.len(), 120);
    let mut kept = 0;
    for line in &rejection {
        assert_eq!(line["sampled"], 8);
        for output in line["kept"].as_array().unwrap() {
            kept += 1;
            let accuracy = &output["components"].as_array().unwrap()[0];
            assert_eq!(accuracy["name"], "accuracy");
            assert_eq!(accuracy["value"]["scored"], 1.0, "{output}");
        }
    }
    assert!(kept > 0, "the policy solved nothing");

    // What the file says can be checked by anyone with `score`.
    let rows = place.path().join("rows.jsonl");
    let row = |line: &Value| {
        let texts: Vec<&Value> =
            line["kept"].as_array().unwrap().iter().map(|output| &output["text"]).collect();
        let (id, problem) = (&line["item"], &line["problem"]);
        serde_json::json!({
            "id": id, "messages": problem["messages"], "reference": problem["reference"],
            "data": problem["data"], "completions": texts,
        })
    };
    let of_world = |line: &&Value| line["task"] == "world" && line["problem"].is_object();
    let text: String =
        rejection.iter().filter(of_world).map(|line| format!("{}\n", row(line))).collect();
    std::fs::write(&rows, &text).unwrap();
    let ran = Ran::of(omni().args(["score", "quickstart/world", "--input"]).arg(&rows)).ok();
    assert_eq!(ran.out.lines().count(), text.lines().count());
    for line in ran.out.lines() {
        let scored: Value = serde_json::from_str(line).unwrap();
        for score in scored["scores"].as_array().unwrap() {
            assert_eq!(score["components"]["accuracy"], 1.0, "{line}");
        }
    }

    let steps: Vec<Value> =
        events(&out).into_iter().filter(|event| event["event"] == "supervised").collect();
    let last = steps.len();
    assert!(last >= 2, "{kept} kept");
    for key in ["loss", "grad_norm", "lr", "epoch", "examples", "tokens", "prompt_tokens", "tasks"]
    {
        assert!(steps[0].get(key).is_some(), "no {key} in {}", steps[0]);
    }
    for file in ["run.toml", "lock.toml", "samples.jsonl", "report.html"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    // The folder is a run's: its own run file evaluates its policy.
    let policy = out.join(format!("checkpoints/step-{last}"));
    let ran = Ran::of(
        omni().arg("eval").arg(out.join("run.toml")).arg("--policy").arg(&policy).arg("--json"),
    )
    .ok();
    let measured: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(measured["tasks"]["world"]["items"], 4);

    // Neither command takes the other's folder.
    Ran::of(&mut sft(&file, &out)).fails(2, &["--resume", "--out"]);
    let mut train = omni();
    train.arg("train").arg(out.join("run.toml")).arg("--out").arg(&out).arg("--resume");
    Ran::of(&mut train).fails(2, &["omni-host sft --resume"]);
    Ran::of(sft(&file, &out).args(few).args(["--resume", "--set", "sft.lr=0.5"]))
        .fails(2, &["lr", "--out"]);
}

/// Kills a run when it has told of something.
fn kill_at(file: &Path, out: &Path, words: &str) {
    let mut child = sft(file, out).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let seen = lines.any(|line| line.unwrap().starts_with(words));
    assert!(seen, "the run ended before it said {words:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let file = run_file(place.path(), "");
    let whole = place.path().join("whole");
    Ran::of(&mut sft(&file, &whole)).ok();
    for (name, words) in [("sampling", "sampled "), ("training", "step 5/8")] {
        let killed = place.path().join(name);
        kill_at(&file, &killed, words);
        let sampled = std::fs::read(killed.join("rejection.jsonl")).unwrap().len();
        let all = std::fs::read(whole.join("rejection.jsonl")).unwrap().len();
        assert_eq!(sampled < all, name == "sampling", "{name}: {sampled} of {all} bytes");
        assert!(!killed.join("checkpoints/step-8").exists(), "it was not killed in time");

        let ran = Ran::of(sft(&file, &killed).arg("--resume")).ok();
        assert!(ran.err.contains("were sampled before"), "{}", ran.err);
        for record in ["rejection.jsonl", "samples.jsonl"] {
            let [ours, theirs] = [&killed, &whole].map(|run| std::fs::read(run.join(record)));
            assert!(ours.unwrap() == theirs.unwrap(), "{name}: {record}");
        }
        assert!(weights(&whole, 8) == weights(&killed, 8), "killed while {name}");
        assert_eq!(events(&whole), events(&killed), "killed while {name}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_sampling_that_can_go_on() {
    let place = tempfile::tempdir().unwrap();
    let file = run_file(place.path(), "");
    let out = place.path().join("run");
    let mut child = sft(&file, &out).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("sampled ")));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    let last = rest.last().unwrap();
    assert!(last.contains("omni-host sft") && last.contains("--resume"), "{rest:?}");
    assert!(!out.join("events.jsonl").exists(), "it was not stopped in time");
    Ran::of(sft(&file, &out).arg("--resume")).ok();
    assert!(out.join("checkpoints/step-8/model.safetensors").is_file());
}

#[test]
fn nothing_to_keep_is_said_with_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let file = run_file(place.path(), "");
    let out = place.path().join("run");
    // No answer is finished in three tokens.
    let short = ["--set", "rollout.max_completion_tokens=3", "--set", "sft.prompts=4"];
    Ran::of(sft(&file, &out).args(short)).fails(
        1,
        &["16 cut by the limit", "rollout.max_completion_tokens", "rejection.jsonl", "--out"],
    );
    assert_eq!(lines(&out.join("rejection.jsonl")).len(), 8);
    assert!(!out.join("events.jsonl").exists());
}

#[test]
fn settings_that_cannot_be() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let file = run_file(place.path(), "");
    for (set, words) in [
        ("sft.samples=0", &["sft.samples", "1 to"][..]),
        ("sft.keep=0", &["sft.keep"]),
        ("sft.prompts=0", &["sft.prompts", "leave it out"]),
        ("sft.batch=0", &["sft.batch"]),
        ("sft.epochs=0", &["sft.epochs", "above 0"]),
        ("sft.epochs=nan", &["sft.epochs"]),
        ("sft.lr=-1.0", &["sft.lr"]),
        ("sft.temperature=0.0", &["sft.temperature"]),
        ("sft.sample=4", &["sft.sample", "did you mean `samples`"]),
        ("sft.schedule=cosin", &["sft.schedule", "cosine"]),
        ("schedule.tasks=[\"wrold\"]", &["world"]),
        ("policy.continue_from=x", &["policy.continue_from"]),
    ] {
        Ran::of(sft(&file, &out).args(["--set", set])).fails(2, words);
    }
    assert!(!out.join("rejection.jsonl").exists());
    Ran::of(sft(&file, &out).arg("--resume")).fails(2, &["no run"]);
    Ran::of(&mut sft(&place.path().join("none.toml"), &out)).fails(2, &["none.toml"]);
    Ran::of(omni().arg("sft")).fails(2, &["RUN.toml"]);
    // A wrong key in the file is found at its line.
    let text = std::fs::read_to_string(&file).unwrap().replace("keep = 2", "keeep = 2");
    std::fs::write(&file, text).unwrap();
    Ran::of(&mut sft(&file, &out)).fails(2, &["tiny.toml:12", "did you mean `keep`"]);
}
