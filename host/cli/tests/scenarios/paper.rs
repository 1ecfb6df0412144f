//! The paper's set-up (`examples/paper`) and `--dry-run`: every file is checked without a model,
//! without data and without a network; what is said is what a run then does.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Ran, omni, policy, root, run_file, train};

/// `omni-host` for which there is nothing: no cache, no key, and a hub where nobody listens.
fn bare(folder: &Path) -> Command {
    let mut command = omni();
    command
        .env("HF_HUB_CACHE", folder.join("no-cache"))
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env_remove("HF_HUB_OFFLINE")
        .env_remove("OPENAI_API_KEY");
    command
}

fn example(name: &str) -> PathBuf {
    root().join("examples/paper").join(name)
}

/// A dry run as JSON.
#[track_caller]
fn dry(folder: &Path, words: &[&str]) -> Value {
    let ran = Ran::of(bare(folder).args(words).args(["--dry-run", "--json"])).ok();
    serde_json::from_str(&ran.out).unwrap()
}

/// What is missing, by the settings that ask for it.
fn missing(dry: &Value) -> Vec<String> {
    let all = dry["missing"].as_array().unwrap();
    all.iter().map(|need| format!("{}: {}", need["key"], need["what"])).collect()
}

fn has(all: &[String], words: &[&str]) -> bool {
    all.iter().any(|one| words.iter().all(|word| one.contains(word)))
}

#[test]
fn the_papers_run_is_checked_without_anything_of_it_being_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = example("run.toml");
    let file = file.to_str().unwrap();
    let run = dry(folder.path(), &["train", file]);
    assert_eq!(run["ready"], false);
    let lacks = missing(&run);
    for words in [
        ["policy.model", "Qwen2.5-7B-Instruct"],
        ["task.code.data.train", "ganler/code-r1-12k"],
        ["task.math.data.train", "open-r1/OpenR1-Math-220k"],
        ["task.math.data.test", "HuggingFaceH4/MATH-500"],
        ["task.qa.data.train", "m-a-p/SuperGPQA"],
        ["task.writing.data.train", "references/samples.jsonl"],
        ["models.judge.key_env", "$OPENAI_API_KEY"],
    ] {
        assert!(has(&lacks, &words), "{words:?} in {lacks:#?}");
    }
    // Bounded by the limits: 12,800, 11,800, 5,300 and 6,450 prompts, by 256, three times.
    let would = &run["train"];
    assert_eq!(would["steps"], json!({"at_most": 3 * (50 + 47 + 21 + 26)}));
    assert_eq!(would["prompts"], json!({"at_most": 3 * 36_350}));
    assert_eq!(would["outputs"], json!({"at_most": 16 * 3 * 36_350}));
    assert_eq!(would["validation"]["items"], json!(vec![json!({"exactly": 200}); 4]));
    // One question for each output that writing compares, in training and twice in 19 validations.
    assert_eq!(run["judge_questions"], json!({"at_most": 16 * 3 * 6_450 + 19 * 2 * 200}));

    let sft = dry(folder.path(), &["sft", file]);
    assert_eq!(sft["sft"]["outputs"], json!({"at_most": 128 * 36_350}), "128 a prompt");
    // Table 2's variants, and a single-task run.
    for set in ["task.qa.temperature=1.2", "task.writing.temperature=0.1"] {
        let one = ["train", file, "--set", set, "--set", "schedule.tasks=[\"qa\"]"];
        let one = dry(
            folder.path(),
            &[&one[..], &["--set", "schedule.plugin=joint", "--set", "schedule.config={}"]]
                .concat(),
        );
        assert_eq!(one["train"]["prompts"], json!({"at_most": 3 * 5_300}));
        assert_eq!(one["train"]["tasks"][0]["trained"], false);
    }

    let plain = Ran::of(bare(folder.path()).args(["train", file, "--dry-run"])).ok();
    for words in ["missing: policy.model", "hf download", "writing/judge-pairwise (judge)"] {
        assert!(plain.out.contains(words), "{words}: {}", plain.out);
    }
    assert!(plain.out.trim_end().ends_with("things are missing"), "{}", plain.out);
    assert!(!Path::new("runs/paper").exists(), "nothing is written");
}

#[test]
fn the_papers_evaluations_are_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    let eval = |name: &str| {
        let file = example(name);
        dry(folder.path(), &["eval", file.to_str().unwrap(), "--policy", "no-such-policy"])
    };
    let tables = eval("eval.toml");
    let lacks = missing(&tables);
    assert_eq!(tables["tasks"].as_array().unwrap().len(), 10);
    for words in [["--policy", "no-such-policy"], ["MT-Bench", "`qwen`"], ["MT-Bench", "`gpt-4`"]] {
        assert!(has(&lacks, &words), "{words:?} in {lacks:#?}");
    }
    // Three sets of references, each asked in both orders.
    assert_eq!(tables["judge_questions"], json!({"at_most": 3 * 2 * 20_000}));
    for name in ["references.toml", "diversity.toml"] {
        assert_eq!(eval(name)["judge_questions"], json!({"exactly": 0}), "{name} asks nobody");
    }
    let letters = dry(folder.path(), &["train", example("letters.toml").to_str().unwrap()]);
    assert_eq!(letters["tasks"][1]["uses"], "qa/letters");
}

#[test]
fn the_papers_studies_are_graphs_of_such_runs() {
    let folder = tempfile::tempdir().unwrap();
    let study = |name: &str| {
        let file = example(name);
        let out = folder.path().join("out");
        let mut command = bare(folder.path());
        command.arg("study").arg(file).arg("--out").arg(&out).arg("--dry-run");
        let ran = Ran::of(&mut command).ok();
        assert!(!out.exists(), "nothing is written");
        ran.out
    };
    let all = study("study.toml");
    for step in [
        "base/validation",
        "base/test",
        "seed-2/orders/writing/run",
        "seed-0/orders/code+math+qa+writing/run",
        "seed-1/orders/qa+math+writing+code/test",
        "seed-1/orders/qa+writing+code+math/test",
        "seed-1/orders/writing+qa+math+code/test",
        "seed-0/joint/run",
        "seed-0/sft/run",
        "seed-2/ties/model",
        "seed-0/qa-hot/run",
        "seed-2/writing-cold/test",
    ] {
        assert!(all.contains(step), "{step}: {all}");
    }
    let letters = study("letters-study.toml");
    assert!(letters.contains("seed-0/orders/letters/test"), "{letters}");
    assert!(!letters.contains("joint") && !letters.contains("ties"), "{letters}");
    assert!(study("size-study.toml").contains("seed-0/orders/qa/test"));
}

/// Steps, prompts by task and evaluations of a run, from its records.
fn recorded(run: &Path) -> (u64, Vec<u64>, u64) {
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names = ["arithmetic", "functions", "world", "sentences"];
    let of = |name: &str| {
        let steps = events.iter().filter(|event| event["event"] == "step");
        steps.filter_map(|event| event["tasks"][name]["prompts"].as_u64()).sum()
    };
    let count = |kind: &str| events.iter().filter(|event| event["event"] == kind).count() as u64;
    (count("step"), names.map(of).to_vec(), count("eval"))
}

#[test]
fn what_a_dry_run_says_is_what_the_run_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = run_file(folder.path(), 5);
    let sets = ["rollout.batches_per_phase=2", "eval.every=2", "eval.items=3"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let said = dry(folder.path(), &[&["train", file.to_str().unwrap()], &sets[..]].concat());
    assert_eq!(said["ready"], true, "{}", said["missing"]);
    assert_eq!(said["tasks"][0]["splits"]["test"], "endless");
    let out = folder.path().join("run");
    assert!(!out.exists());
    Ran::of(train(&file, &out).args(&sets)).ok();
    let (steps, prompts, evals) = recorded(&out);
    let would = &said["train"];
    assert_eq!(would["steps"], json!({"exactly": steps}));
    let by_task: Vec<&Value> =
        would["tasks"].as_array().unwrap().iter().map(|task| &task["prompts"]).collect();
    let expected: Vec<Value> = prompts.iter().map(|n| json!({"exactly": n})).collect();
    assert_eq!(by_task, expected.iter().collect::<Vec<_>>());
    let kinds = [&would["validation"]["evaluations"], &would["test"]["evaluations"]];
    let counted: u64 = kinds.iter().map(|count| count["exactly"].as_u64().unwrap()).sum();
    assert_eq!(counted, evals, "{would:#}");
    assert_eq!(would["phases"], json!({"exactly": 3}));
    // Now there is a run.
    let again = Ran::of(train(&file, &out).args(&sets).arg("--dry-run"));
    again.fails(2, &["already holds a run"]);
}

fn lines(path: &Path, rows: &[Value]) {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(path, text).unwrap();
}

/// A policy that writes answers more often than not.
fn writer() -> PathBuf {
    root().join("examples/quickstart/policy")
}

/// A run file of two tasks: tales with references of another policy's, and lettered questions.
fn tales(folder: &Path) -> PathBuf {
    let row = |id: usize| json!({"id": id.to_string(), "prompt": format!("Tell of rain {id}.")});
    lines(&folder.join("tales.jsonl"), &(0..8).map(row).collect::<Vec<_>>());
    let question = |id: usize| {
        json!({"id": id.to_string(), "prompt": "A colour?", "reference": "red",
               "data": {"distractors": ["loud", "round", "late"]}})
    };
    lines(&folder.join("colours.jsonl"), &(0..4).map(question).collect::<Vec<_>>());
    let file = folder.join("tales.toml");
    let text = format!(
        r#"
[policy]
model = "{}"

[rollout]
prompts_per_batch = 4
group_size = 2
max_completion_tokens = 40

[eval.final]
items = 10
samples = 0
greedy = true

[[task]]
name = "tales"
use = "writing/writing"
fault_limit = 1.0
data = {{ train = "tales.jsonl", test = "tales.jsonl" }}

[[task]]
name = "colours"
use = "qa/letters"
data = {{ train = "colours.jsonl", test = "colours.jsonl" }}
"#,
        writer().display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn references_are_made_by_an_evaluation_and_trained_against() {
    let folder = tempfile::tempdir().unwrap();
    let file = tales(folder.path());
    let out = folder.path().join("references");
    // Without references nothing can be compared; the outputs are written none the less.
    let made = Ran::of(
        omni()
            .arg("eval")
            .arg(&file)
            .arg("--policy")
            .arg(writer())
            .arg("--out")
            .arg(&out)
            .args(["--samples", "all"]),
    )
    .ok();
    assert!(made.out.contains("tales"), "{}", made.out);
    let samples = std::fs::read_to_string(out.join("samples.jsonl")).unwrap();
    let samples: Vec<Value> =
        samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let colours: Vec<&Value> =
        samples.iter().filter(|sample| sample["task"] == "colours").collect();
    assert_eq!(colours.len(), 4);
    for sample in &colours {
        let prompt = sample["prompt"].as_str().unwrap();
        assert!(prompt.contains("\nA. ") && prompt.contains("\nD. "), "{prompt}");
        // A tiny policy is wrong, which is a zero and no fault.
        let accuracy = &sample["outputs"][0]["components"][0];
        assert_eq!(accuracy["name"], "accuracy");
        assert!(accuracy["value"]["scored"].is_number(), "{accuracy}");
    }

    let data = "task.tales.data.train={ file = \"tales.jsonl\", max_misfits = 0.9, references = { base = \"references/samples.jsonl\" } }";
    let sets =
        ["--set", data, "--set", "schedule.tasks=[\"tales\"]", "--set", "eval.final.items=0"];
    let said = dry(folder.path(), &[&["train", file.to_str().unwrap()], &sets[..]].concat());
    assert_eq!(said["ready"], true, "{said:#}");
    let kept = said["train"]["prompts"]["exactly"].as_u64().unwrap();
    let run = folder.path().join("run");
    Ran::of(train(&file, &run).args(sets).args(["--set", "checkpoint.samples_per_step=4"])).ok();
    let trained = std::fs::read_to_string(run.join("samples.jsonl")).unwrap();
    let trained: Vec<Value> =
        trained.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(trained.len() as u64, kept, "every prompt that has a reference is trained on");
    for sample in &trained {
        let base = samples
            .iter()
            .find(|base| base["task"] == "tales" && base["item"] == sample["item"])
            .unwrap();
        let text = base["outputs"][0]["text"].as_str().unwrap();
        let reference = sample["reference"].as_str().unwrap();
        assert!(!reference.is_empty() && text.contains(reference), "{reference:?} of {text:?}");
    }
    let lock = std::fs::read_to_string(run.join("lock.toml")).unwrap();
    assert!(lock.contains("references/samples.jsonl"), "{lock}");
}

#[test]
fn careless_settings_are_refused_by_a_dry_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = example("run.toml");
    let refused = |sets: &[&str], words: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let mut command = bare(folder.path());
        command.arg("train").arg(&file).args(sets).arg("--dry-run");
        Ran::of(&mut command).fails(2, words);
    };
    refused(&["task.code.reward_config={code={program_feul=1}}"], &["program_feul"]);
    refused(&["task.writing.judge_config={swop=true}"], &["swop", "writing/judge-pairwise"]);
    refused(&["task.writing.judge=writing/judge-parwise"], &["judge-parwise"]);
    refused(&["task.math.use=math/maths"], &["maths"]);
    refused(&["task.math.rewards={acuracy=1.0}"], &["acuracy"]);
    refused(&["task.math.data.train.mapping=openr1"], &["task `math`", "`openr1`", "data.train"]);
    refused(&["task.math.data.validation.take=0"], &["task `math`", "take"]);
    refused(&["task.math.validation_split=valid"], &["no split `valid`", "it has test, train"]);
    refused(&["schedule.config={order=[\"code\",\"maths\"]}"], &["refuses", "`math`"]);
    refused(&["schedule.plugin=sequense"], &["sequense"]);
    refused(&["models.judge.endpoint=api.openai.com"], &["models.judge", "https"]);
    refused(&["policy.device=cuda"], &["cuda", "not supported"]);
    refused(&["models={}"], &["task.3.judge_model", "there is no model `judge`"]);

    let mut command = bare(folder.path());
    command.arg("train").arg(&file).args(["--dry-run", "--resume"]);
    Ran::of(&mut command).fails(2, &["--resume"]);
    let mut command = bare(folder.path());
    command.arg("train").arg(&file).arg("--json");
    Ran::of(&mut command).fails(2, &["--dry-run"]);
    let mut command = bare(folder.path());
    command.arg("eval").arg(&file).args(["--policy", "x", "--dry-run"]);
    Ran::of(&mut command).fails(2, &["nothing to evaluate"]);

    // A judge that asks a model, and nobody to ask.
    let small = folder.path().join("small.toml");
    lines(&folder.path().join("rows.jsonl"), &[json!({"prompt": "Write.", "reference": "Wet."})]);
    let text = format!(
        "[policy]\nmodel = \"{}\"\n[rollout]\nmax_completion_tokens = 8\n[[task]]\n\
         use = \"writing/writing\"\njudge = \"writing/judge-pairwise\"\n\
         data = {{ train = \"rows.jsonl\", test = \"rows.jsonl\" }}\n",
        policy().display()
    );
    std::fs::write(&small, &text).unwrap();
    let of = |sets: &[&str]| {
        let mut command = bare(folder.path());
        Ran::of(command.arg("train").arg(&small).args(sets).arg("--dry-run"))
    };
    of(&[]).fails(2, &["task.0.judge_model", "[models.NAME]"]);
    of(&["--set", "rollout.max_completion_tokens=4096"]).fails(2, &["256 positions"]);
    let rubric = ["--set", "task.0.judge=writing/judge-rubric"];
    let more = [&rubric[..], &["--set", "task.0.items=5"]].concat();
    of(&more).fails(2, &["task.0.items", "has 1"]);
    let fine = of(&rubric).ok();
    assert!(fine.out.contains("as it must be"), "{}", fine.out);
}
