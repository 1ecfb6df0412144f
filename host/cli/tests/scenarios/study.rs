//! Whole studies with the quickstart's policy: what they leave, what a kill changes (nothing), what they
//! refuse.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Ran, omni, root, weights};

/// A run file of two tasks, and a study file beside it.
fn files(folder: &Path, study: &str) -> PathBuf {
    let run = format!(
        r#"
seed = 7

[policy]
model = "{}"

[optimizer]
lr = 1e-3

[rollout]
prompts_per_batch = 4
group_size = 4
max_completion_tokens = 48

[eval]
every = 1
items = 6

[eval.final]
items = 6
samples = 1
greedy = false

[sft]
samples = 4
prompts = 4
batch = 8

[[task]]
name = "math"
use = "quickstart/arithmetic"
items = 8
rewards = {{ tags = 0.5 }}

[[task]]
name = "world"
use = "quickstart/world"
items = 8
rewards = {{ tags = 0.5 }}
"#,
        root().join("examples/quickstart/policy").display()
    );
    std::fs::write(folder.join("run.toml"), run).unwrap();
    let file = folder.join("study.toml");
    std::fs::write(&file, format!("run = \"run.toml\"\n{study}")).unwrap();
    file
}

fn study(file: &Path, out: &Path) -> Command {
    let mut command = omni();
    command.arg("study").arg(file).arg("--out").arg(out);
    command
}

fn json(file: PathBuf) -> Value {
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// Waits until something holds; a scenario that waits too long has failed.
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(300), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const SMALL: &str = "methods = [\"curriculum\", \"joint\", \"ties\"]\n[evidence]\nbootstrap = 20\n\
                     [[variant]]\nname = \"cold\"\nset = [\"rollout.temperature=0.5\"]\n\
                     tasks = [\"math\"]\n";

#[test]
fn a_study_leaves_its_steps_its_evidence_and_its_record() {
    let place = tempfile::tempdir().unwrap();
    let (file, out) = (files(place.path(), SMALL), place.path().join("out"));
    // What it would do, before there is anything.
    let plan = Ran::of(study(&file, &out).args(["--dry-run", "--json", "--all-orders"])).ok();
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let step = |id: &str| steps.iter().find(|it| it["step"] == id).unwrap();
    assert_eq!(step("seed-0/orders/math+world/run")["after"][0], "seed-0/orders/math/run");
    assert_eq!(step("seed-0/orders/math/run")["prompts"], 8);
    assert_eq!(step("base/test")["outputs_evaluated"], 12);
    assert!(!out.exists(), "a dry run writes nothing");

    let ran = Ran::of(study(&file, &out).args(["--jobs", "2"])).ok();
    for word in ["base", "only math", "curriculum: ", "joint", "merged (TIES)", "cold"] {
        assert!(ran.out.contains(word), "no {word} in the table:\n{}", ran.out);
    }
    for name in ["run.toml", "lock.toml", "study.toml", "report.html"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let record = json(out.join("study.json"));
    assert_eq!(record["progress"]["done"], record["progress"]["total"]);
    assert_eq!(record["tasks"], serde_json::json!(["math", "world"]));
    assert_eq!(record["orders"].as_array().unwrap().len(), 2);
    // Both orders were trained: the one that was chosen, and the other one.
    for order in record["orders"].as_array().unwrap() {
        assert_eq!(order["measured"].as_array().unwrap().len(), 1, "{order}");
    }
    // `plan` reads the evidence, and chooses what the study trained.
    let plan = Ran::of(omni().arg("plan").arg(out.join("evidence.json")).arg("--json")).ok();
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let curriculum = record["methods"].as_array().unwrap().iter();
    let curriculum = curriculum.clone().find(|it| it["kind"] == "curriculum").unwrap();
    assert_eq!(plan["exact"]["order"], curriculum["order"]);
    // Only the trained task moved the policy of its run; the other is evaluated all the same.
    let single = json(out.join("seed-0/orders/math/validation/items.json"));
    let base = json(out.join("base/validation/items.json"));
    assert_eq!(single["tasks"]["world"]["ids"], base["tasks"]["world"]["ids"]);

    // Nothing is run again.
    let again = Ran::of(&mut study(&file, &out)).ok();
    assert!(!again.err.contains("train …") && !again.err.contains("eval …"), "{}", again.err);
    // With all orders there is nothing to train that is not there.
    let all = Ran::of(study(&file, &out).arg("--all-orders")).ok();
    assert!(!all.err.contains("train …"), "{}", all.err);

    // Another run file is another study; another merge is another step.
    Ran::of(study(&file, &out).args(["--set", "run.optimizer.lr=2e-3"]))
        .fails(2, &["run.toml", "`optimizer.lr` was 0.001, now it is 0.002", "--out"]);
    let denser = ["--set", "merge.density=0.5"];
    Ran::of(study(&file, &out).args(denser)).fails(2, &["--redo seed-0/ties/model", "0.5"]);
    let redone = Ran::of(study(&file, &out).args(denser).args(["--redo", "seed-0/ties"])).ok();
    assert!(redone.err.contains("seed-0/ties/test: done"), "{}", redone.err);
    assert!(!redone.err.contains("train …"), "{}", redone.err);
}

#[test]
fn a_killed_study_goes_on_to_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let text = "methods = [\"sft\"]\n[curriculum]\nalso_worst = true\n[evidence]\nbootstrap = 20\n";
    let file = files(place.path(), text);
    let (whole, killed) = (place.path().join("whole"), place.path().join("killed"));
    Ran::of(&mut study(&file, &whole)).ok();

    // The first kill hits the study in the midst of a run, which is then an orphan.
    let mut first =
        study(&file, &killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let run = killed.join("seed-0/orders/math/run");
    until("the first run", || run.join("run.toml").exists());
    // Another study cannot work in the same folder meanwhile.
    Ran::of(&mut study(&file, &killed)).fails(2, &["another study"]);
    first.kill().unwrap();
    first.wait().unwrap();
    Ran::of(study(&file, &killed).args(["--jobs", "2"])).ok();

    let trained = |root: &Path| -> BTreeSet<String> {
        let orders = std::fs::read_dir(root.join("seed-0/orders")).unwrap();
        orders.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(trained(&whole), trained(&killed));
    for order in trained(&whole) {
        let at = |root: &Path| weights(&root.join(format!("seed-0/orders/{order}/run")), 2);
        assert!(at(&whole) == at(&killed), "{order} differs");
    }
    let evidence = |root: &Path| std::fs::read(root.join("evidence.json")).unwrap();
    assert_eq!(evidence(&whole), evidence(&killed));
    let outputs = |root: &Path| json(root.join("seed-0/sft/test/step.json"))["output"].clone();
    assert_eq!(outputs(&whole), outputs(&killed));
}

#[test]
fn a_step_that_fails_is_named_with_what_it_said_and_the_rest_goes_on() {
    let place = tempfile::tempdir().unwrap();
    // A group of one output has no variance to learn from, which is no error; a prompt limit that no
    // prompt keeps is one, and only this variant has it.
    let text = format!(
        "{SMALL}\n[[variant]]\nname = \"short\"\nset = [\"rollout.max_prompt_tokens=2\"]\n"
    );
    let (file, out) = (files(place.path(), &text), place.path().join("out"));
    let ran = Ran::of(study(&file, &out).args(["--jobs", "2"]))
        .fails(1, &["seed-0/short/run", "max_prompt_tokens", "log.txt", "1 step(s) failed"]);
    assert!(ran.err.contains("seed-0/ties/test: done"), "{}", ran.err);
    let record = json(out.join("study.json"));
    assert!(record["progress"]["failed"]["seed-0/short/run"].is_string());
    let log = std::fs::read_to_string(out.join("seed-0/short/run/log.txt")).unwrap();
    assert!(log.starts_with("$ omni-host train run.toml"), "{log}");
}

#[test]
fn what_is_wrong_with_a_study_file_is_said_with_its_place() {
    let place = tempfile::tempdir().unwrap();
    let refused = |text: &str, words: &[&str]| {
        let file = files(place.path(), text);
        Ran::of(study(&file, &place.path().join("out")).arg("--dry-run")).fails(2, words);
    };
    refused("seed = [0]", &["study.toml:2", "`seed`", "did you mean `seeds`"]);
    refused("methods = [\"tise\"]", &["study.toml:2", "unknown value `tise`", "`ties`"]);
    refused("seeds = []", &["study.toml:2", "`seeds`"]);
    refused(
        "[[variant]]\nname = \"x\"\ntasks = [\"code\"]",
        &["study.toml:4", "`code`", "math, world"],
    );
    refused("set = [\"optimizer.lt=1\"]", &["optimizer.lt", "did you mean `lr`"]);
    refused(
        "[[schedule]]\nname = \"x\"\nplugin = \"joint\"\nconfg = {}",
        &["study.toml:5", "`confg`"],
    );
    let file = files(place.path(), "");
    std::fs::write(&file, "run = \"rum.toml\"").unwrap();
    let out = place.path().join("out");
    Ran::of(study(&file, &out).arg("--dry-run")).fails(2, &["rum.toml"]);
    std::fs::write(&file, "seeds = [0]").unwrap();
    Ran::of(study(&file, &out).arg("--dry-run")).fails(2, &["`run`", "name the run file"]);
    // A scheduler that no pack has is found before anything is trained.
    let file = files(place.path(), "[[schedule]]\nname = \"x\"\nplugin = \"schedulers/nosuch\"");
    Ran::of(&mut study(&file, &out)).fails(2, &["schedulers/nosuch"]);
    assert!(!out.join("base").exists());
    Ran::of(study(&file, &out).args(["--jobs", "0"])).fails(2, &["--jobs", "at least 1"]);
    Ran::of(study(&file, &out).arg("--json")).fails(2, &["--dry-run"]);
}
