//! Judges' prompts as files of a pack, tournaments, and candidates in prompts.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Ran, omni, root};
use crate::server::{Act, Server};

/// The text between the two lines that carry the question's mark.
fn quoted<'a>(question: &'a str, label: &str) -> &'a str {
    let (_, rest) = question.split_once(&format!("----- {label} begins ")).unwrap();
    let (mark, rest) = rest.split_once(" -----\n").unwrap();
    rest.split_once(&format!("\n----- {label} ends {mark} -----")).unwrap().0
}

/// An endpoint that prefers the longer text.
fn longer() -> Server {
    Server::start(|request, _| {
        let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
        let question: String = messages.iter().filter_map(|it| it["content"].as_str()).collect();
        let length = |label: &str| quoted(&question, label).len();
        Act::Say(match length("text A").cmp(&length("text B")) {
            std::cmp::Ordering::Greater => "Longer.\n[[A]]".into(),
            std::cmp::Ordering::Less => "Longer.\n[[B]]".into(),
            std::cmp::Ordering::Equal => "Even.\n[[C]]".into(),
        })
    })
}

/// Scores rows with the judge that asks the endpoint.
fn score(folder: &Path, url: &str, task: &str, packs: &[PathBuf], row: &Value) -> Value {
    let (file, input) = (folder.join("run.toml"), folder.join("rows.jsonl"));
    let text = format!(
        "[policy]\nmodel = \"nowhere\"\n[models.judge]\nendpoint = \"{url}\"\nmodel = \"m\"\n\
         [[task]]\nuse = \"{task}\"\njudge = \"writing/judge-pairwise\"\n"
    );
    std::fs::write(&file, text).unwrap();
    std::fs::write(&input, format!("{row}\n")).unwrap();
    let mut command = omni();
    command.args(["score", task, "--run"]).arg(&file).arg("--input").arg(&input);
    for pack in packs {
        command.arg("--plugins").arg(pack);
    }
    serde_json::from_str(Ran::of(&mut command).ok().out.trim()).unwrap()
}

fn answers(texts: &[&str]) -> Value {
    let all: Vec<String> =
        texts.iter().map(|text| format!("<think>so</think><answer>{text}</answer>")).collect();
    json!({"id": "w", "prompt": "Write.", "reference": "A reference.", "completions": all})
}

#[test]
fn a_judge_s_prompt_is_edited_without_building_anything() {
    let place = tempfile::tempdir().unwrap();
    let (built, pack) = (root().join("target/packs/writing"), place.path().join("writing"));
    std::fs::create_dir_all(pack.join("prompts")).unwrap();
    for folder in ["", "prompts"] {
        for entry in std::fs::read_dir(built.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                std::fs::copy(entry.path(), pack.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    let packs = [pack.clone(), root().join("target/packs/format")];
    let server = longer();
    let row = answers(&["Short.", "A much longer text than that."]);
    let scores = score(place.path(), &server.url(), "writing/writing", &packs, &row);
    let preference = |at: usize| scores["scores"][at]["components"]["preference"].clone();
    assert_eq!([preference(0), preference(1)], [json!(0.0), json!(1.0)]);

    let prompt = pack.join("prompts/pairwise.txt");
    let text = std::fs::read_to_string(&prompt).unwrap();
    std::fs::write(&prompt, text.replace("[user]", "Be stern.\n[user]")).unwrap();
    let before = server.requests().len();
    score(place.path(), &server.url(), "writing/writing", &packs, &row);
    let requests = server.requests();
    assert!(requests.len() > before);
    for (at, request) in requests.iter().enumerate() {
        let stern = request.body.to_string().contains("Be stern.");
        assert_eq!(stern, at >= before, "question {at}");
    }

    // A prompt that is gone is told before anything is asked, with the manifest's line.
    std::fs::remove_file(&prompt).unwrap();
    let ran = Ran::of(omni().args(["score", "writing", "--input", "-", "--plugins"]).arg(&pack));
    ran.fails(2, &["pack.toml:", "component.config_files.prompt", "there is no file"]);
}

#[test]
fn a_tournament_ranks_a_group_with_few_questions() {
    let place = tempfile::tempdir().unwrap();
    let server = longer();
    let texts: Vec<String> = (1..=8).map(|n| format!("Text {}", "x".repeat(5 * n))).collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.push("");
    let scores = score(place.path(), &server.url(), "writing/tournament", &[], &answers(&texts));
    let rank = |at: usize| scores["scores"][at]["components"]["rank"].as_f64().unwrap_or(f64::NAN);
    assert_eq!(rank(7), 1.0, "{scores}");
    assert_eq!(rank(8), 0.0, "{scores}");
    assert!(rank(6) > rank(0) && rank(0) > 0.0, "{scores}");
    assert_eq!(scores["scores"][7]["components"]["preference"], json!(1.0));
    assert_eq!(server.requests().len(), 8 + 7, "each with the reference, then a bracket");
}

#[test]
fn rows_with_distractors_show_them_behind_their_prompt() {
    let place = tempfile::tempdir().unwrap();
    let rows = [
        json!({"prompt": "Capital of Peru?", "reference": "Lima",
               "data": {"distractors": ["Rome", "Cairo"]}}),
        json!({"messages": [{"role": "system", "content": "Brief."},
                            {"role": "user", "content": "2+2?"}], "reference": "4"}),
    ];
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(place.path().join("rows.jsonl"), text).unwrap();
    let file = place.path().join("run.toml");
    let policy = crate::common::policy();
    let text = format!(
        "[policy]\nmodel = \"{}\"\n[rollout]\nmax_completion_tokens = 4\n[schedule]\n\
         plugin = \"schedulers/joint\"\n[eval.final]\nsamples = 1\n[[task]]\nuse = \"qa/qa\"\n\
         data = {{ train = \"rows.jsonl\", test = \"rows.jsonl\" }}\n",
        policy.display()
    );
    std::fs::write(&file, text).unwrap();
    let out = place.path().join("out");
    Ran::of(omni().arg("train").arg(&file).arg("--out").arg(&out)).ok();
    let samples = std::fs::read_to_string(out.join("samples.jsonl")).unwrap();
    let problems: Vec<Value> = samples
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["problem"]["messages"].clone())
        .collect();
    let shown = |messages: &Value| {
        let last = messages.as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
        last["content"].as_str().unwrap_or_default().to_owned()
    };
    let capital = problems.iter().map(&shown).find(|text| text.starts_with("Capital")).unwrap();
    for candidate in ["- Lima", "- Rome", "- Cairo"] {
        assert!(capital.lines().any(|line| line == candidate), "{capital}");
    }
    let sum = problems.iter().find(|messages| shown(messages).starts_with("2+2")).unwrap();
    assert_eq!(*sum, rows[1]["messages"], "a row without distractors stands as it is");
}
