//! Input that is wrong: what, where and what to do, and exit code 2.

use std::path::{Path, PathBuf};

use crate::common::{Ran, copy_folder, omni, policy, root, run_file, train};

/// A run file with one piece of it replaced.
fn changed(place: &Path, from: &str, to: &str) -> PathBuf {
    let file = run_file(place, 2);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "no {from:?} in the run file");
    std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
    file
}

/// Trains with a damaged copy of the policy.
fn with_policy(damage: impl FnOnce(&Path)) -> Ran {
    let place = tempfile::tempdir().unwrap();
    let damaged = place.path().join("policy");
    copy_folder(policy(), &damaged);
    damage(&damaged);
    let set = format!("policy.model={:?}", damaged.display().to_string());
    let file = run_file(place.path(), 2);
    Ran::of(train(&file, &place.path().join("run")).args(["--set", &set]))
}

#[test]
fn a_missing_pack() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let file = run_file(place.path(), 2);
    Ran::of(train(&file, &out).args(["--plugins", "no/such/folder"])).fails(2, &["no/such/folder"]);
    let file = changed(place.path(), "quickstart/world", "quickstrat/world");
    Ran::of(&mut train(&file, &out)).fails(2, &["quickstrat/world", "quickstart/world"]);
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    Ran::of(omni().args(["plugin", "list", "--plugins"]).arg(&empty)).fails(2, &["empty"]);
    assert!(!out.exists(), "a run that never began left a folder");
}

#[test]
fn a_pack_that_names_an_unknown_reward() {
    let place = tempfile::tempdir().unwrap();
    let pack = place.path().join("mine");
    std::fs::create_dir(&pack).unwrap();
    std::fs::write(
        pack.join("pack.toml"),
        "[pack]\nname = \"mine\"\nversion = \"0.1.0\"\n\n[[task]]\nname = \"sums\"\n\
         rewards = [{ use = \"math/maths\" }]\n",
    )
    .unwrap();
    Ran::of(
        omni()
            .args(["score", "mine/sums", "--input", "-", "--plugins"])
            .arg(&pack)
            .arg("--plugins")
            .arg(root().join("target/packs")),
    )
    .fails(2, &["pack.toml:7", "math/maths", "math/math"]);
}

#[test]
fn the_same_pack_twice() {
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("format");
    copy_folder(&root().join("target/packs/format"), &copy);
    Ran::of(
        omni()
            .args(["plugin", "list", "--plugins"])
            .arg(&copy)
            .arg("--plugins")
            .arg(root().join("target/packs")),
    )
    .fails(2, &["format"]);
}

#[test]
fn a_misspelt_key() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let file = changed(place.path(), "group_size = 4", "group_sise = 4");
    Ran::of(&mut train(&file, &out)).fails(2, &["tiny.toml:12", "group_sise", "group_size"]);
    let file = run_file(place.path(), 2);
    Ran::of(train(&file, &out).args(["--set", "rollout.group_sise=4"]))
        .fails(2, &["group_sise", "group_size"]);
    Ran::of(train(&file, &out).args(["--set", "rollout.group_size=many"]))
        .fails(2, &["group_size"]);
    Ran::of(&mut train(&place.path().join("absent.toml"), &out)).fails(2, &["absent.toml"]);
    assert!(!out.exists(), "a run that never began left a folder");
}

#[test]
fn a_component_that_the_task_does_not_have() {
    let place = tempfile::tempdir().unwrap();
    let file = changed(place.path(), "rewards = { tags = 0.5 }", "rewards = { acuracy = 1.0 }");
    Ran::of(&mut train(&file, &place.path().join("run"))).fails(2, &["acuracy", "accuracy"]);
}

#[test]
fn truncated_weights() {
    let ran = with_policy(|folder| {
        let file = folder.join("model.safetensors");
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    });
    ran.fails(2, &["model.safetensors"]);
    with_policy(|folder| std::fs::remove_file(folder.join("model.safetensors")).unwrap())
        .fails(2, &["model.safetensors"]);
}

#[test]
fn a_tokenizer_that_does_not_fit_the_model() {
    let ran = with_policy(|folder| {
        let file = folder.join("tokenizer.json");
        let mut tokenizer: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let added = tokenizer["added_tokens"].as_array_mut().unwrap();
        let mut token = added[0].clone();
        token["id"] = 5000.into();
        token["content"] = "<|from another model|>".into();
        added.push(token);
        // A vocabulary holds its added tokens too, or their ids would be given anew.
        tokenizer["model"]["vocab"]["<|from another model|>"] = 5000.into();
        std::fs::write(&file, tokenizer.to_string()).unwrap();
    });
    ran.fails(2, &["tokenizer.json", "5000"]);
}

#[test]
fn lines_that_are_not_rows() {
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("rows.jsonl");
    let output = place.path().join("scores.jsonl");
    std::fs::write(
        &input,
        b"{\"id\": \"a\", \"reference\": \"4\", \"completions\": [\"<answer>4</answer>\"]}\n\
         {\"id\": \"b\", \n\
         \n\
         {\"id\": \"c\", \"reference\": \"4\"}\n\
         {\"id\": \"\xff\"}\n\
         {\"id\": \"d\", \"reference\": \"4\", \"completions\": [\"<answer>5</answer>\", \"\"]}\n",
    )
    .unwrap();
    Ran::of(omni().args(["score", "math", "--input"]).arg(&input).arg("--output").arg(&output))
        .fails(
            2,
            &[
                "rows.jsonl:2:",
                "rows.jsonl:4:",
                "completions",
                "rows.jsonl:5:",
                "2 rows, 3 rollouts",
            ],
        );
    let lines: Vec<serde_json::Value> = std::fs::read_to_string(&output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let accuracy = |line: usize, completion: usize| {
        lines[line]["scores"][completion]["components"]["accuracy"].clone()
    };
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0]["id"].as_str(), lines[1]["id"].as_str()), (Some("a"), Some("d")));
    assert_eq!(
        (accuracy(0, 0), accuracy(1, 0), accuracy(1, 1)),
        (1.0.into(), 0.0.into(), 0.0.into())
    );

    Ran::of(omni().args(["score", "math", "--input", "no-such-file.jsonl"]))
        .fails(2, &["no-such-file.jsonl"]);
    Ran::of(omni().args(["score", "math", "--config", "[1]", "--input"]).arg(&input))
        .fails(2, &["--config"]);
    Ran::of(omni().args(["score", "mathematics", "--input"]).arg(&input))
        .fails(2, &["mathematics"]);
}

#[test]
fn rows_of_a_run_that_are_broken() {
    let place = tempfile::tempdir().unwrap();
    let rows = place.path().join("rows.jsonl");
    std::fs::write(&rows, "{\"prompt\": \"1+1=?\", \"reference\": \"2\"}\nnot a row\n").unwrap();
    let file = changed(
        place.path(),
        "use = \"quickstart/arithmetic\"\nitems = 40",
        "use = \"math\"\nname = \"mine\"\ndata = { train = \"rows.jsonl\" }",
    );
    Ran::of(&mut train(&file, &place.path().join("run"))).fails(2, &["rows.jsonl:2"]);
}

#[test]
fn commands_that_are_not_there_yet() {
    for words in [
        &["bench", "policy"][..],
        &["dev", "pack"],
        &["pack", "push", "x"],
        &["plugin", "new", "x", "--kind", "reward"],
    ] {
        Ran::of(omni().args(words)).fails(2, &["not supported"]);
    }
    Ran::of(omni().args(["plan", "evidence.json", "--json"])).fails(2, &["evidence.json"]);
    Ran::of(omni().args(["serve", "--policy", "x", "--listen", "0.0.0.0:0"]))
        .fails(2, &["--token-env"]);
    Ran::of(omni().arg("trian")).fails(2, &["trian", "train"]);
    Ran::of(omni().args(["train"])).fails(2, &["RUN.toml"]);
}
