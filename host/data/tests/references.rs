//! Reference texts out of an evaluation's outputs, splits of several datasets, and looking at what
//! is not there.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{lines, loaded, settings};
use omni_data::{Context, DataError, HubSettings, Loaded, Look, Splits, load_splits, look};
use serde_json::{Value, json};

/// A line as `eval --samples all` writes it, as far as it matters here.
fn sample(task: &str, item: &str, turn: Option<u32>, prompt: &str, text: &str) -> Value {
    json!({
        "step": 0, "purpose": "test", "task": task, "item": item, "turn": turn, "prompt": "…",
        "problem": {"id": item, "messages": [
            {"role": "system", "content": "In tags."}, {"role": "user", "content": prompt},
        ]},
        "outputs": [
            {"text": text, "tokens": 9, "finish": "stop", "reward": 0.0, "components": []},
            {"text": "<answer>another</answer>", "tokens": 9, "finish": "stop", "reward": null,
             "components": []},
        ],
    })
}

fn rows(folder: &Path) -> std::path::PathBuf {
    let row = |id: &str, prompt: &str| json!({"id": id, "prompt": prompt});
    lines(folder, "rows.jsonl", &[row("1", "A poem."), row("2", "A tale."), row("2", "A joke.")])
}

#[test]
fn what_another_policy_answered_is_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(folder.path());
    let samples = [
        // The same id in another task, with another prompt.
        sample("other", "1", None, "Add 1 and 2.", "<answer>3</answer>"),
        sample("tales", "1", Some(1), "A poem.", "<think>Hm.</think><answer>Roses. </answer>"),
        sample("tales", "1", Some(2), "A poem.", "<answer>Violets.</answer>"),
        // Compared with a second set: the same outputs again.
        sample("tales", "1", Some(1), "A poem.", "<answer>not read</answer>"),
        sample("tales", "2", None, "A tale.", "<think>Hm.</think> Once."),
        sample("tales", "2#2", None, "A joke.", "Knock."),
    ];
    for name in ["samples.jsonl", "renamed.jsonl"] {
        let file = lines(folder.path(), name, &samples);
        let all = loaded(json!({"file": rows, "references": {"base": file}})).unwrap();
        let found: Vec<(&str, Option<&str>)> =
            all.rows.iter().map(|row| (row.id.as_str(), row.reference.as_deref())).collect();
        let expected = [("1", Some("Roses.")), ("2", Some("Once.")), ("2#2", Some("Knock."))];
        assert_eq!(found, expected, "{name}");
        assert_eq!(all.rows[0].data["references"], json!({"base": ["Roses.", "Violets."]}));
        assert!(all.files.iter().any(|used| used.path == file), "it stands in the lock");
    }
    // A reference that the row has stays.
    let own = lines(
        folder.path(),
        "own.jsonl",
        &[json!({"id": "1", "prompt": "A poem.", "reference": "Mine."})],
    );
    let file = folder.path().join("samples.jsonl");
    let all = loaded(json!({"file": own, "references": {"base": file}})).unwrap();
    assert_eq!(all.rows[0].reference.as_deref(), Some("Mine."));
    assert_eq!(all.rows[0].data["references"]["base"][0], "Roses.");
}

#[test]
fn outputs_that_are_of_no_use_are_counted_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(folder.path());
    let mut cut = sample("tales", "1", None, "A poem.", "<think>I think and think");
    cut["outputs"][0]["finish"] = "length".into();
    for (line, reason) in [
        (cut, "cut before its answer ended"),
        (sample("tales", "1", None, "A poem.", "<answer> </answer>"), "an empty answer"),
        (sample("tales", "1", None, "An ode.", "<answer>O</answer>"), "another prompt"),
        (sample("tales", "9", None, "A poem.", "<answer>O</answer>"), "no outputs for it"),
    ] {
        let file = lines(
            folder.path(),
            "samples.jsonl",
            &[
                line,
                sample("tales", "2", None, "A tale.", "Once."),
                sample("tales", "2#2", None, "A joke.", "Knock."),
            ],
        );
        let table = json!({"file": rows, "references": {"base": file}, "max_misfits": 0.4});
        let all = loaded(table).unwrap();
        assert_eq!((all.rows.len(), all.report.misfit_rows()), (2, 1), "{reason}");
        let (why, misfits) = all.report.misfits.first_key_value().unwrap();
        assert!(why.contains("`base`") && why.contains(reason), "{why}");
        assert!(misfits.first.ends_with("rows.jsonl:1"), "{misfits:?}");
        // Rows in their own form must all fit, unless something else is said.
        let error = loaded(json!({"file": rows, "references": {"base": file}})).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn files_that_hold_no_evaluation_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(folder.path());
    let of = |name: &str, line: Value| {
        let file = lines(folder.path(), name, &[line]);
        loaded(json!({"file": rows, "references": {"base": file}})).unwrap_err().to_string()
    };
    let mut trained = sample("tales", "1", None, "A poem.", "x");
    trained["purpose"] = "train".into();
    let error = of("samples.jsonl", trained);
    assert!(error.contains("line 1") && error.contains("of training"), "{error}");
    let mut old = sample("tales", "1", None, "A poem.", "x");
    old.as_object_mut().unwrap().remove("problem");
    let error = of("samples.jsonl", old);
    assert!(error.contains("older version"), "{error}");
    let error = of("my-samples.jsonl", json!({"id": 1}));
    assert!(
        error.contains("no evaluation's outputs") && error.contains("--samples all"),
        "{error}"
    );
    // Files of another form are found by columns, which rows in their own form have not.
    let error = of("answers.jsonl", json!({"id": 1, "answer": "x"}));
    assert!(error.contains("`references.base`") && error.contains("samples.jsonl"), "{error}");
}

fn splits(table: Value) -> Splits {
    let all: BTreeMap<String, Value> = serde_json::from_value(table).unwrap();
    let list = |it: Value| match it {
        Value::Array(all) => all.into_iter().map(settings).collect(),
        one => vec![settings(one)],
    };
    all.into_iter().map(|(name, it)| (name, list(it))).collect()
}

fn all_of(table: Value) -> Result<BTreeMap<String, Loaded>, DataError> {
    let hub = HubSettings::from_variables(&|_| None);
    let context = Context { template: None, hub: &hub, progress: &(), tokens: None };
    load_splits(&splits(table), &context)
}

#[test]
fn several_datasets_make_one_split() {
    let folder = tempfile::tempdir().unwrap();
    let row = |id: u32, prompt: &str| json!({"id": id, "prompt": prompt});
    let one = lines(folder.path(), "one.jsonl", &[row(1, "a"), row(2, "b"), row(3, "c")]);
    let two = lines(folder.path(), "two.jsonl", &[row(1, "d"), row(1, "e")]);
    let table = json!({
        "test": [{"file": one, "limit": 2}, {"file": two}, {"file": two}],
        "held": {"from": "test", "take": 1},
    });
    let all = all_of(table).unwrap();
    let mut ids: Vec<&str> =
        all.values().flat_map(|it| &it.rows).map(|row| row.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6, "{ids:?}");
    let twos: Vec<&&str> = ids.iter().filter(|id| id.starts_with("two")).collect();
    assert_eq!(twos, [&"two-3/1", &"two-3/1#2", &"two/1", &"two/1#2"]);
    let report = &all["test"].report;
    assert_eq!((report.rows, report.kept, report.not_chosen), (7, 5, 1), "{report}");
    assert_eq!(all["test"].files.len(), 3);
    for (wrong, words) in [
        (json!({"test": [{"file": one}, {"file": two, "limit": 0}]}), "`data.test.1.limit`"),
        (
            json!({"train": {"file": one}, "test": [{"from": "train", "take": 1}, {"file": two}]}),
            "not in a list",
        ),
    ] {
        let error = all_of(wrong).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn looking_lists_what_is_missing_and_checks_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let hub = HubSettings::from_variables(&|name| match name {
        "HF_HUB_CACHE" => cache.to_str().map(str::to_owned),
        // Nobody listens there: a look must not ask.
        "HF_ENDPOINT" => Some("http://127.0.0.1:9".to_owned()),
        _ => None,
    });
    let context = Context { template: None, hub: &hub, progress: &(), tokens: None };
    let at = |table: Value| look(&splits(table), &context);
    let here = rows(folder.path());
    let gone = folder.path().join("gone.jsonl");
    let looks = at(json!({
        "train": {"mapping": "gsm8k"},
        "validation": {"from": "train", "take": 5},
        "test": [{"file": here}, {"file": gone}],
        "extra": {"file": here},
        "held": {"from": "extra", "take": 1},
        "talks": {"file": here, "references": {"base": folder.path().join("samples.jsonl")}},
        "parts": {"file": folder.path().join("nowhere/part-*.jsonl")},
    }))
    .unwrap();
    let missing = |name: &str| match &looks[name] {
        Look::Missing(all) => all.iter().map(|it| format!("{}: {}", it.what, it.how)).collect(),
        Look::There(loaded) => vec![format!("there: {}", loaded.rows.len())],
    };
    let train = missing("train").join("\n");
    assert!(train.contains("openai/gsm8k") && train.contains("hf download"), "{train}");
    assert_eq!(missing("validation"), [""; 0], "what it is taken from is listed");
    let test = missing("test");
    assert!(test.len() == 1 && test[0].contains("gone.jsonl"), "{test:?}");
    assert_eq!(missing("extra"), ["there: 2"]);
    assert_eq!(missing("held"), ["there: 1"]);
    assert!(missing("talks").join("").contains("--samples all"));
    assert!(missing("parts").join("").contains("part-*.jsonl"));

    // What is not there is checked none the less.
    for (wrong, words) in [
        (json!({"train": {"mapping": "gsm8", "limit": 3}}), "there is no mapping `gsm8`"),
        (json!({"train": {"mapping": "gsm8k", "columns": {"promt": "q"}}}), "columns.promt"),
        (json!({"train": {"mapping": "gsm8k", "limit": 0}}), "`data.train.limit`"),
        (json!({"train": {"file": gone, "split": "test"}}), "`data.train.split`"),
        (json!({"train": {"hub": "a/b/c"}}), "`data.train.hub`"),
        (
            json!({"train": {"mapping": "gsm8k"}, "validation": {"from": "trian", "take": 5}}),
            "trian",
        ),
        (json!({"train": {"mapping": "gsm8k"}, "validation": {"from": "train"}}), "`take`"),
    ] {
        let error = at(wrong).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
