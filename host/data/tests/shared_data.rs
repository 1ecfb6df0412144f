//! Ready mappings on real rows, where these are at hand (they are not part of the project): every
//! row fits, or is counted with its reason.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use omni_data::{Context, HubSettings, Loaded, Settings, load};
use serde_json::{Value, json};

/// The rows that lie beside a checkout, or in `OMNI_SHARED`, if they do.
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("OMNI_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("data");
    if !folder.is_dir() {
        #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
        {
            eprintln!("skipped: {} is not there", folder.display());
        }
        return None;
    }
    Some(folder)
}

fn settings(value: Value) -> Settings {
    Settings::from_json(value).unwrap()
}

fn mapped(settings: &Settings) -> Loaded {
    let hub = HubSettings::from_variables(&|_| None);
    let context = Context { template: None, hub: &hub, progress: &(), tokens: None };
    let loaded = load(settings, &context).unwrap();
    let report = &loaded.report;
    let counted = report.kept
        + report.filtered.values().sum::<usize>()
        + report.misfit_rows()
        + report.not_chosen;
    assert_eq!(counted, report.rows, "every row is counted: {report}");
    for row in &loaded.rows {
        assert!(row.messages.iter().any(|message| message.role == "user"), "{}", row.id);
    }
    loaded
}

fn reference<'l>(loaded: &'l Loaded, id: &str) -> &'l str {
    let row = loaded.rows.iter().find(|row| row.id == id).unwrap();
    row.reference.as_deref().unwrap()
}

#[test]
fn every_file_is_read_whole() {
    let Some(folder) = folder() else { return };
    for (file, mapping, rows, kept) in [
        ("math/gsm8k_train.jsonl", "gsm8k", 7473, 7473),
        ("math/gsm8k_test.jsonl", "gsm8k", 1319, 1319),
        ("math/math500.jsonl", "math500", 500, 500),
        ("math/aime24.jsonl", "aime24", 30, 30),
        ("math/amc23.jsonl", "amc23", 40, 40),
        ("math/svamp.jsonl", "svamp", 1000, 1000),
        ("code/humaneval.jsonl", "humaneval", 164, 164),
        ("code/mbpp.jsonl", "mbpp", 974, 974),
        ("code/acecode_sample.jsonl", "acecode", 1, 1),
        ("qa/mmlu_pro_sample.jsonl", "mmlu-pro", 1500, 1500),
        ("qa/openinstruct_rlvr_test.jsonl", "open-instruct-rlvr", 100, 100),
        ("writing/mt_bench_question.jsonl", "mt-bench", 80, 20),
        ("reasoning_gym/examples.jsonl", "reasoning-gym", 512, 504),
    ] {
        let loaded = mapped(&settings(json!({"file": folder.join(file), "mapping": mapping})));
        let report = &loaded.report;
        assert_eq!((report.rows, report.kept), (rows, kept), "{report}");
        assert_eq!(report.repeated_ids, 0, "{report}");
    }
}

#[test]
fn answers_are_what_the_datasets_say() {
    let Some(folder) = folder() else { return };
    let load = |file: &str, mapping: &str| {
        mapped(&settings(json!({"file": folder.join(file), "mapping": mapping})))
    };
    assert_eq!(reference(&load("math/gsm8k_test.jsonl", "gsm8k"), "1"), "18");
    assert_eq!(reference(&load("math/amc23.jsonl", "amc23"), "0"), "27");
    assert_eq!(reference(&load("math/svamp.jsonl", "svamp"), "chal-777"), "145");
    let mmlu = load("qa/mmlu_pro_sample.jsonl", "mmlu-pro");
    for row in &mmlu.rows {
        let answer = row.reference.clone().unwrap();
        let distractors = row.data["distractors"].as_array().unwrap();
        assert!(!distractors.contains(&answer.into()), "{}", row.id);
        assert!((2..=9).contains(&distractors.len()), "{}", row.id);
    }
    let gym = load("reasoning_gym/examples.jsonl", "reasoning-gym");
    let reasons: Vec<_> = gym.report.misfits.keys().collect();
    assert_eq!(reasons, ["`reference`: `answer` is null"]);
}

#[test]
fn mt_bench_is_joined_with_its_answers() {
    let Some(folder) = folder() else { return };
    let writing = folder.join("writing");
    let loaded = mapped(&settings(json!({
        "file": writing.join("mt_bench_question.jsonl"),
        "mapping": "mt-bench",
        "references": {
            "gpt-4": writing.join("mt_bench_model_answer_gpt-4.jsonl"),
            "vicuna-13b": writing.join("mt_bench_model_answer_vicuna-13b-v1.3.jsonl"),
        },
    })));
    assert_eq!(loaded.rows.len(), 20);
    for row in &loaded.rows {
        assert_eq!(row.data["turns"].as_array().unwrap().len(), 1, "{}", row.id);
        for name in ["gpt-4", "vicuna-13b"] {
            assert_eq!(row.data["references"][name].as_array().unwrap().len(), 2, "{}", row.id);
        }
        assert_eq!(
            Some(row.data["references"]["gpt-4"][0].as_str().unwrap()),
            row.reference.as_deref()
        );
    }
}
