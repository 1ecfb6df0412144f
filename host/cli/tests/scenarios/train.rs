//! Whole runs: the same bytes for any number of threads and across a kill, a full disk, a stop.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{Ran, omni, run_file, train, weights};
use serde_json::Value;

/// Events without what a clock wrote into them.
fn events(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            let fields = event.as_object_mut().unwrap();
            fields.remove("time");
            fields.remove("seconds");
            event
        })
        .collect()
}

#[test]
fn a_run_leaves_what_the_design_promises() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let ran = Ran::of(&mut train(&run_file(place.path(), 3), &out)).ok();
    for task in ["arithmetic", "functions", "world", "sentences", "average"] {
        assert!(ran.out.contains(task), "no {task} in the table:\n{}", ran.out);
    }
    for file in [
        "run.toml",
        "lock.toml",
        "events.jsonl",
        "samples.jsonl",
        "report.html",
        "checkpoints/step-3/config.json",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let steps: Vec<Value> =
        events(&out).into_iter().filter(|event| event["event"] == "step").collect();
    assert_eq!(steps.len(), 3);
    let task = &steps[0]["tasks"].as_object().unwrap().values().next().unwrap().clone();
    for key in [
        "reward_mean",
        "reward_std",
        "components",
        "mean_abs_advantage",
        "entropy",
        "completion_length",
        "truncated_fraction",
        "zero_variance_fraction",
        "pass_at_k",
        "undefined",
    ] {
        assert!(task.get(key).is_some(), "no {key} in {task}");
    }
    for key in ["loss", "kl", "clip_low", "clip_high", "grad_norm", "lr", "tokens"] {
        assert!(steps[0].get(key).is_some(), "no {key} in {}", steps[0]);
    }
    let tensorboard = std::fs::read_dir(&out).unwrap().any(|entry| {
        entry.unwrap().file_name().to_string_lossy().starts_with("events.out.tfevents")
    });
    assert!(tensorboard);

    // The run file that was written back is the run: it evaluates, and names what was used.
    let lock = std::fs::read_to_string(out.join("lock.toml")).unwrap();
    for used in ["math/math", "python/python", "writing/judge-rubric", "model.safetensors"] {
        assert!(lock.contains(used), "no {used} in lock.toml");
    }
    let ran = Ran::of(
        omni()
            .arg("eval")
            .arg(out.join("run.toml"))
            .arg("--policy")
            .arg(out.join("checkpoints/step-3"))
            .args(["--json", "--set", "eval.final.greedy=true"]),
    )
    .ok();
    let measured: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(measured["tasks"]["world"]["items"], 4);
    assert!(measured["tasks"]["world"]["greedy"]["mean"].is_number());

    // A folder that holds a run is not written over.
    Ran::of(&mut train(&run_file(place.path(), 3), &out)).fails(2, &["--resume", "--out"]);
}

#[test]
fn threads_change_no_byte() {
    let place = tempfile::tempdir().unwrap();
    let file = run_file(place.path(), 4);
    let outs = [1, 2].map(|threads| {
        let out = place.path().join(format!("threads-{threads}"));
        Ran::of(train(&file, &out).args(["--threads", &threads.to_string()])).ok();
        out
    });
    assert_eq!(weights(&outs[0], 4), weights(&outs[1], 4));
    assert_eq!(events(&outs[0]), events(&outs[1]));
    assert_ne!(
        weights(&outs[0], 4),
        std::fs::read(crate::common::policy().join("model.safetensors")).unwrap(),
        "nothing was learned, so nothing was compared"
    );
}

#[test]
fn another_seed_is_another_run() {
    let place = tempfile::tempdir().unwrap();
    let file = run_file(place.path(), 2);
    let outs = [1, 2].map(|seed| {
        let out = place.path().join(format!("seed-{seed}"));
        Ran::of(train(&file, &out).args(["--set", &format!("seed={seed}")])).ok();
        out
    });
    assert_ne!(weights(&outs[0], 2), weights(&outs[1], 2));
}

fn checkpoint(run: &Path, step: u32) -> PathBuf {
    run.join(format!("checkpoints/step-{step}"))
}

/// Starts a run of eight steps and kills it when it has told of one.
fn train_and_kill(file: &Path, out: &Path, fatal: u32) {
    let mut child = train(file, out).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let seen = lines.any(|line| line.unwrap().starts_with(&format!("step {fatal}/8")));
    assert!(seen, "the run ended before step {fatal}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let file = run_file(place.path(), 8);
    let whole = place.path().join("whole");
    Ran::of(&mut train(&file, &whole)).ok();

    // Killed after a step that has no checkpoint, and after one that may be writing it.
    for fatal in [5, 6] {
        let killed = place.path().join(format!("killed-{fatal}"));
        train_and_kill(&file, &killed, fatal);
        assert!(!killed.join("checkpoints/step-8").exists(), "it was not killed in time");

        Ran::of(train(&file, &killed).arg("--resume")).ok();
        assert_eq!(weights(&whole, 8), weights(&killed, 8), "killed after step {fatal}");
        assert_eq!(events(&whole), events(&killed), "killed after step {fatal}");
    }
}

/// Stops a run of six steps with Ctrl-C once it has told of its first.
#[cfg(unix)]
fn train_and_stop(command: &mut Command) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("step 1/6")));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("--resume")), "{rest:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_that_can_go_on() {
    let place = tempfile::tempdir().unwrap();
    let file = run_file(place.path(), 6);
    // One update for each rollout phase; and one phase of six, of which some are still to be made.
    for (batches, prompts) in [(1, 4), (6, 16)] {
        let folder = |name: &str| place.path().join(format!("{name}-{batches}"));
        let run = |name: &str| {
            let mut command = train(&file, &folder(name));
            command.args(["--set", &format!("rollout.batches_per_phase={batches}")]);
            command.args(["--set", &format!("rollout.prompts_per_batch={prompts}")]);
            command
        };
        Ran::of(&mut run("whole")).ok();
        train_and_stop(&mut run("stopped"));
        assert!(!checkpoint(&folder("stopped"), 6).exists(), "it was not stopped in time");
        Ran::of(run("stopped").arg("--resume")).ok();
        assert_eq!(
            weights(&folder("whole"), 6),
            weights(&folder("stopped"), 6),
            "{batches} batches"
        );
        assert_eq!(events(&folder("whole")), events(&folder("stopped")), "{batches} batches");
    }
}

#[test]
fn a_finished_run_takes_more_steps() {
    let place = tempfile::tempdir().unwrap();
    let [longer, shorter] = [6, 4].map(|steps| {
        let folder = place.path().join(steps.to_string());
        std::fs::create_dir(&folder).unwrap();
        let file = run_file(&folder, steps);
        Ran::of(&mut train(&file, &folder.join("run"))).ok();
        (file, folder.join("run"))
    });
    let more = |steps: u32| {
        let mut command = train(&shorter.0, &shorter.1);
        command.args(["--resume", "--set", &format!("schedule.max_steps={steps}")]);
        Ran::of(&mut command)
    };
    more(3).fails(2, &["schedule.max_steps", "fewer"]);
    let ran = more(6).ok();
    assert!(ran.err.contains("as if the run had been to take more steps"), "{}", ran.err);
    assert_eq!(weights(&longer.1, 6), weights(&shorter.1, 6));
    assert_eq!(events(&longer.1), events(&shorter.1));
}

#[cfg(unix)]
#[test]
fn a_full_disk_loses_nothing_earlier() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let file = run_file(place.path(), 8);
    let whole = place.path().join("whole");
    Ran::of(&mut train(&file, &whole)).ok();
    train_and_kill(&file, &out, 3);
    let last = *[6, 4, 2].iter().find(|step| checkpoint(&out, **step).exists()).unwrap();
    let earlier = weights(&out, last);

    // Files may not grow beyond 64 kB: records still fit, weights no longer do.
    assert!(earlier.len() > 2 * 64 * 1024, "the policy is too small for this test");
    let mut limited = Command::new("sh");
    limited
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 128; exec \"$@\"")
        .arg("sh")
        .arg(env!("CARGO_BIN_EXE_omni-host"))
        .args(["train".as_ref(), file.as_os_str(), "--out".as_ref(), out.as_os_str()])
        .arg("--resume")
        .current_dir(crate::common::root())
        .stdin(Stdio::null());
    let stands = format!("the checkpoint of step {last} stands");
    Ran::of(&mut limited).fails(1, &["safetensors", &stands, "--resume"]);
    assert_eq!(earlier, weights(&out, last));
    assert!(!checkpoint(&out, last + 2).exists());

    Ran::of(train(&file, &out).arg("--resume")).ok();
    assert_eq!(weights(&whole, 8), weights(&out, 8));
}

#[test]
fn a_run_does_not_go_on_as_another() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let file = run_file(place.path(), 2);
    Ran::of(&mut train(&file, &out)).ok();
    Ran::of(train(&file, &out).args(["--resume", "--set", "optimizer.lr=0.5"]))
        .fails(2, &["`optimizer.lr` was 0.001, now it is 0.5", "--out"]);
    Ran::of(train(&file, &out).args(["--resume", "--set", "task.arithmetic.items=41"]))
        .fails(2, &["task.quickstart/arithmetic.items", "policy.continue_from"]);
    Ran::of(train(&file, &place.path().join("none")).arg("--resume")).fails(2, &["no run"]);
}

/// A file of eight prompts a task (two steps each), one task after the other.
fn in_turn(folder: &Path) -> PathBuf {
    let file = run_file(folder, 99);
    let text = std::fs::read_to_string(&file).unwrap().replace("items = 40", "items = 8");
    let text = text.replace("[schedule]", "[schedule]\nplugin = \"sequence\"");
    let text = text.replace("[optimizer]", "[optimizer]\nwarmup_steps = 3");
    std::fs::write(&file, text).unwrap();
    file
}

/// The task of each step of a run whose batches are pure.
fn tasks_in_order(run: &Path) -> Vec<String> {
    let steps = events(run).into_iter().filter(|event| event["event"] == "step");
    steps.map(|step| step["tasks"].as_object().unwrap().keys().cloned().collect()).collect()
}

#[test]
fn runs_that_continue_each_other_are_one_run() {
    let place = tempfile::tempdir().unwrap();
    let file = in_turn(place.path());
    let [whole, first, second] = ["whole", "first", "second"].map(|name| place.path().join(name));
    let tasks = |names: &str| format!("schedule.tasks=[{names}]");
    Ran::of(train(&file, &whole).args(["--set", &tasks("'functions','world'")])).ok();
    Ran::of(train(&file, &first).args(["--set", &tasks("'functions'")])).ok();
    let from = format!("policy.continue_from={}", checkpoint(&first, 2).display());
    let ran =
        Ran::of(train(&file, &second).args(["--set", &tasks("'world'"), "--set", &from])).ok();
    assert!(ran.err.contains("continuing after 2 steps"), "{}", ran.err);
    assert_eq!(tasks_in_order(&whole), ["functions", "functions", "world", "world"]);
    assert_eq!(tasks_in_order(&second), ["world", "world"]);
    for name in ["model.safetensors", "optimizer.safetensors"] {
        let read = |run: &Path, step| std::fs::read(checkpoint(run, step).join(name)).unwrap();
        assert!(read(&whole, 4) == read(&second, 2), "{name} differs");
        assert!(read(&first, 2) != read(&second, 2), "nothing was learned");
    }
    // Tasks that are not trained are in every table.
    for task in ["arithmetic", "sentences"] {
        assert!(ran.out.contains(task), "no {task} in:\n{}", ran.out);
    }
    // The run was of these bytes: with others it does not go on.
    let lock = std::fs::read_to_string(second.join("lock.toml")).unwrap();
    assert!(lock.contains("continue_from/optimizer.safetensors"), "{lock}");
    let other = format!("policy.continue_from={}", checkpoint(&whole, 4).display());
    let again = |from: &str| {
        let mut command = train(&file, &second);
        command.args(["--resume", "--set", &tasks("'world'"), "--set", from]);
        command
    };
    Ran::of(&mut again(&from)).ok();
    let moved = place.path().join("moved");
    std::fs::rename(&first, &moved).unwrap();
    let from = format!("policy.continue_from={}", checkpoint(&moved, 2).display());
    Ran::of(&mut again(&from)).ok();
    Ran::of(&mut again(&other)).fails(2, &["continue_from", "--out"]);
    // Nothing of them is read any more: the run goes on where they are gone, and its lock stays.
    std::fs::remove_dir_all(&moved).unwrap();
    Ran::of(&mut again(&from)).ok();
    assert_eq!(std::fs::read_to_string(second.join("lock.toml")).unwrap(), lock);
}

#[test]
fn wrong_tasks_and_wrong_checkpoints_say_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let file = in_turn(place.path());
    let out = place.path().join("out");
    let refused = |set: &str, words: &[&str]| {
        Ran::of(train(&file, &out).args(["--set", set])).fails(2, words);
        assert!(!out.exists(), "{set} left a folder behind");
    };
    refused("schedule.tasks=['wrold']", &["schedule.tasks", "did you mean `world`?"]);
    refused("schedule.tasks=['world','world']", &["schedule.tasks", "twice"]);
    refused("policy.continue_from=nowhere/step-3", &["continue_from", "no such folder"]);
    let policy = format!("policy.continue_from={}", crate::common::policy().display());
    refused(&policy, &["state.json", "policy.model"]);
    // Of a run of another model, however alike.
    let earlier = place.path().join("earlier");
    Ran::of(train(&file, &earlier).args(["--set", "schedule.max_steps=2"])).ok();
    let other = place.path().join("other");
    crate::common::copy_folder(&checkpoint(&earlier, 2), &other);
    Ran::of(
        train(&file, &out).args(["--set", &format!("policy.model={}", other.display())]).args([
            "--set",
            &format!("policy.continue_from={}", checkpoint(&earlier, 2).display()),
        ]),
    )
    .fails(2, &["policy.continue_from", "another model", "model.safetensors"]);
}

/// Evidence that favours one of two tasks to come first.
fn evidence(folder: &Path, first: &str, second: &str) -> PathBuf {
    let file = folder.join(format!("{first}-first.json"));
    let text = format!(
        r#"{{"tasks": ["{first}", "unused", "{second}"],
             "base_accuracy": [0.5, 0.5, 0.5], "self_accuracy": [0.6, 0.6, 0.6],
             "backward_transfer": [[0, 0, 0.1], [0, 0, 0], [-0.3, 0, 0]]}}"#
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn the_curriculum_follows_the_evidence() {
    let place = tempfile::tempdir().unwrap();
    let file = in_turn(place.path());
    let run = |out: &Path, evidence: &Path, more: &[&str]| {
        let mut command = train(&file, out);
        let evidence = format!("schedule.evidence={}", evidence.display());
        command.args(["--set", "schedule.plugin=curriculum", "--set", &evidence]);
        command.args(["--set", "schedule.tasks=['world','functions']"]).args(more);
        Ran::of(&mut command)
    };
    for (first, second) in [("functions", "world"), ("world", "functions")] {
        let out = place.path().join(first);
        let file = evidence(place.path(), first, second);
        run(&out, &file, &[]).ok();
        assert_eq!(tasks_in_order(&out), [first, first, second, second]);
        let copy = std::fs::read(out.join("evidence.json")).unwrap();
        assert_eq!(copy, std::fs::read(&file).unwrap());
    }
    // The run goes on with this evidence alone, wherever the file lies.
    let out = place.path().join("world");
    let moved = place.path().join("moved.json");
    std::fs::rename(place.path().join("world-first.json"), &moved).unwrap();
    run(&out, &moved, &["--resume"]).ok();
    run(&out, &place.path().join("functions-first.json"), &["--resume"])
        .fails(2, &["schedule.evidence", "--out"]);

    let bad = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(&moved).unwrap().replacen(from, to, 1);
        std::fs::write(place.path().join(name), text).unwrap();
        place.path().join(name)
    };
    for (file, words) in [
        (place.path().join("none.json"), &["schedule.evidence", "none.json"][..]),
        (bad("names.json", "\"functions\"", "\"maths\""), &["`functions`", "schedule.tasks"]),
        (bad("nan.json", "0.1", "NaN"), &["schedule.evidence", "nan.json"]),
        (bad("infinite.json", "0.1", "1e999"), &["schedule.evidence", "infinite.json"]),
        (bad("zero.json", "0.6", "0"), &["self_accuracy", "above 0"]),
        (bad("rows.json", ", [-0.3, 0, 0]", ""), &["backward_transfer", "3"]),
    ] {
        let out = place.path().join("bad");
        run(&out, &file, &[]).fails(2, words);
        assert!(!out.join("events.jsonl").exists());
    }
    let out = place.path().join("bad");
    Ran::of(train(&file, &out).args(["--set", "schedule.plugin=curriculum"]))
        .fails(2, &["schedule.evidence"]);
    assert!(!out.join("events.jsonl").exists());
}

#[test]
fn a_scheduler_that_observes_gradients_has_them_by_task() {
    let place = tempfile::tempdir().unwrap();
    let file = run_file(place.path(), 2);
    for (scheduler, observes) in [("adaptive", true), ("joint", false)] {
        let out = place.path().join(scheduler);
        let plugin = format!("schedule.plugin={scheduler}");
        Ran::of(train(&file, &out).args(["--set", &plugin, "--set", "eval.final.items=0"])).ok();
        for step in events(&out).iter().filter(|event| event["event"] == "step") {
            let tasks = step["tasks"].as_object().unwrap();
            let norms: Vec<f64> =
                tasks.values().filter_map(|task| task["grad_norm"].as_f64()).collect();
            assert_eq!(norms.len(), if observes { tasks.len() } else { 0 }, "{step}");
            let whole = step["grad_norm"].as_f64().unwrap();
            assert!(!observes || norms.iter().sum::<f64>() >= whole - 1e-6, "{step}");
        }
    }
}
