//! Packs together: names found, weights, data and templates, the same name twice.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use omni_pack::{ItemSource, Kind, PackSet, rows};

fn pack(root: &Path, name: &str, rest: &str) -> PathBuf {
    let dir = root.join(name);
    fs::create_dir_all(dir.join("prompts")).unwrap();
    let head = format!("[pack]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
    fs::write(dir.join("pack.toml"), head + rest).unwrap();
    for wasm in ["a.wasm", "b.wasm"] {
        fs::write(dir.join(wasm), "").unwrap();
    }
    dir
}

fn component(name: &str, kind: &str) -> String {
    let languages = if kind == "interpreter" { "languages = [\"python\"]\n" } else { "" };
    format!("[[component]]\nname = \"{name}\"\nkind = \"{kind}\"\nwasm = \"a.wasm\"\n{languages}")
}

#[test]
fn tasks_are_resolved_across_packs() {
    let root = tempfile::tempdir().unwrap();
    let math = component("math", "reward") + "config = { strict = true, base = 10 }\n";
    pack(root.path(), "math", &math);
    pack(root.path(), "format", &component("format", "reward"));
    let judge = component("rubric", "judge") + &component("python", "interpreter");
    let task = "[[task]]\nname = \"sums\"\nmetric = \"accuracy\"\ntemplate = \"prompts/p.txt\"\n\
        source = { data = { train = \"a.jsonl\", test = \"b.jsonl\" } }\n\
        judge = { use = \"rubric\", config = { length = 3 } }\n\
        rewards = [\n  { use = \"format\", components = { format = 0.1, tags = 0.0 } },\n  \
        { use = \"math/math\", primary = true, config = { base = 2 } },\n]\n";
    let dir = pack(root.path(), "school", &(judge + task));
    fs::write(dir.join("prompts/p.txt"), "[system]\nBe brief.\n[user]\n{{ question }}").unwrap();
    fs::write(dir.join("a.jsonl"), "{\"question\": \"1+1?\", \"reference\": \"2\"}\n").unwrap();
    fs::write(dir.join("b.jsonl"), "\n{\"prompt\": \"1+1?\"}\n").unwrap();

    let set = PackSet::load(&[root.path()]).unwrap();
    let task = set.task("sums").unwrap();
    assert_eq!(task.qualified(), "school/sums");
    assert_eq!(set.task("school/sums").unwrap().rewards.len(), 2);
    let primary: Vec<_> = task.rewards.iter().map(|it| (it.primary, it.required)).collect();
    assert_eq!(primary, [(false, false), (true, true)]);
    let config = serde_json::to_string(&task.rewards[1].config).unwrap();
    assert_eq!(config, r#"{"base":2,"strict":true}"#);
    assert_eq!(task.judge.unwrap().config["length"], 3);
    assert_eq!(set.interpreter("python").unwrap().qualified(), "school/python");

    let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let weights = |index: usize, of: &[&str]| task.rewards[index].weights(&names(of));
    assert_eq!(weights(1, &["accuracy", "steps"]).unwrap(), [1.0, 0.0]);
    assert_eq!(weights(0, &["tags", "format"]).unwrap(), [0.0, 0.1]);
    let error = weights(0, &["tags", "form"]).unwrap_err().to_string();
    assert!(error.contains("returns no component `format`"), "{error}");
    assert!(error.contains("pack.toml:") && error.contains("did you mean `form`"), "{error}");

    let Some(ItemSource::Data(files)) = &task.source else { panic!("{:?}", task.source) };
    let items = rows::read(&files["train"], task.template.as_ref()).unwrap();
    assert_eq!(items[0].messages[1].content, "1+1?");
    assert_eq!(items[0].reference.as_deref(), Some("2"));
    let error = rows::read(&files["test"], task.template.as_ref()).unwrap_err().to_string();
    assert!(error.contains("b.jsonl:2:") && error.contains("question"), "{error}");
}

#[test]
fn unknown_and_ambiguous_names_say_what_there_is() {
    let root = tempfile::tempdir().unwrap();
    pack(root.path(), "one", &(component("joint", "scheduler") + &component("x", "reward")));
    pack(root.path(), "two", &(component("joint", "scheduler") + &component("p", "interpreter")));
    pack(root.path(), "three", &component("p", "interpreter"));
    let set = PackSet::load(&[root.path()]).unwrap();
    let message = |name, kind| set.component(name, kind).unwrap_err().to_string();
    assert_eq!(
        message("joint", Kind::Scheduler),
        "`joint` stands for several components\n  write one of one/joint, two/joint"
    );
    assert_eq!(
        message("one/join", Kind::Scheduler),
        "there is no scheduler `one/join`\n  did you mean `one/joint`?"
    );
    assert!(message("one/x", Kind::Judge).contains("is a reward, where a judge is wanted"));
    assert_eq!(set.component("two/joint", Kind::Scheduler).unwrap().pack, "two");
    let error = set.interpreter("python").unwrap_err().to_string();
    assert!(error.contains("two/p") && error.contains("three/p"), "{error}");
    let error = set.interpreter("pyton").unwrap_err().to_string();
    assert!(error.contains("did you mean `python`"), "{error}");
    assert!(set.task("sums").unwrap_err().to_string().contains("there is no task `sums`"));
}

#[test]
fn the_same_pack_twice_is_one_and_two_of_a_name_an_error() {
    let root = tempfile::tempdir().unwrap();
    let first = pack(&root.path().join("a"), "same", &component("x", "reward"));
    pack(&root.path().join("b"), "same", &component("x", "reward"));
    let set = PackSet::load(&[&first, &root.path().join("a")]).unwrap();
    assert_eq!(set.packs().len(), 1);
    let error = PackSet::load(&[root.path().join("a"), root.path().join("b")]).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("pack.toml:2:") && error.contains("is also in"), "{error}");
    let error = PackSet::load(&[root.path()]).unwrap_err().to_string();
    assert!(error.contains("there is no pack in"), "{error}");
    let error = PackSet::load(&[root.path().join("none")]).unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}

#[test]
fn texts_of_files_lie_under_what_a_task_sets() {
    let root = tempfile::tempdir().unwrap();
    let judge = component("judge", "judge")
        + "config = { swap = true }\nconfig_files = { prompt = \"prompts/a.txt\" }\n"
        + &component("r", "reward");
    let tasks = "[[task]]\nname = \"own\"\nrewards = [{ use = \"r\" }]\njudge = \"judge\"\n\
        [[task]]\nname = \"other\"\nrewards = [{ use = \"r\" }]\n\
        judge = { use = \"judge\", config = { prompt = \"Mine.\" } }\n";
    let dir = pack(root.path(), "p", &(judge + tasks));
    fs::write(dir.join("prompts/a.txt"), "Which is better?\n").unwrap();
    let set = PackSet::load(&[root.path()]).unwrap();
    let judge = |task: &str| set.task(task).unwrap().judge.unwrap();
    assert_eq!(judge("own").config["prompt"], "Which is better?\n");
    assert_eq!(judge("own").config["swap"], true);
    assert_eq!(judge("other").config["prompt"], "Mine.");
    assert_eq!(judge("own").component.config_files, ["prompts/a.txt"]);
    #[cfg(unix)]
    {
        fs::write(root.path().join("secret.txt"), "key").unwrap();
        fs::remove_file(dir.join("prompts/a.txt")).unwrap();
        std::os::unix::fs::symlink("../../secret.txt", dir.join("prompts/a.txt")).unwrap();
        let error = PackSet::load(&[root.path()]).unwrap_err().to_string();
        assert!(error.contains("leads out of the pack"), "{error}");
    }
}

#[test]
fn a_pack_that_is_being_built_is_not_one_yet() {
    let root = tempfile::tempdir().unwrap();
    let python = component("python", "interpreter");
    let dir = pack(root.path(), "python", &python);
    let building = pack(root.path(), "building", &python);
    fs::copy(dir.join("pack.toml"), building.join("pack.toml")).unwrap();
    fs::rename(building, root.path().join(".building-x1y2")).unwrap();
    assert!(PackSet::load(&[root.path()]).unwrap().interpreter("python").is_ok());
}
