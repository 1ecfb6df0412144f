//! Ready mappings on rows of our own, in the forms that the datasets and their forks have.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{lines, loaded, settings};
use omni_data::{Context, HubSettings, Loaded, Mapping, load, load_splits};
use omni_pack::{Row, Template};
use serde_json::{Value, json};

/// Loads rows of a ready mapping; `more` are further settings.
fn mapped(mapping: &str, rows: &[Value], more: Value) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let file = lines(folder.path(), "rows.jsonl", rows);
    let mut table = json!({"file": file, "mapping": mapping, "max_misfits": 1.0});
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    loaded(table).unwrap()
}

fn one(mapping: &str, row: Value) -> Row {
    let mut all = mapped(mapping, &[row], json!({}));
    assert_eq!(all.rows.len(), 1, "{}", all.report);
    all.rows.remove(0)
}

fn prompt(row: &Row) -> &str {
    &row.messages.iter().find(|message| message.role == "user").unwrap().content
}

#[test]
fn every_ready_mapping_can_be_read() {
    let names: Vec<&str> = Mapping::names().collect();
    assert!(names.is_sorted() && names.len() >= 20, "{names:?}");
    for name in names {
        let mapping = Mapping::find(name).unwrap();
        assert!(!mapping.licence.is_empty() && !mapping.note.is_empty(), "{name}");
        assert!(["math", "code", "qa", "writing"].contains(&mapping.task.as_str()), "{name}");
        // The answer's form is said, since no row says it.
        let system = mapping.settings.system.unwrap();
        assert!(system.contains("<think>") && system.contains("</answer>"), "{name}");
    }
    let error = Mapping::find("gsm8").unwrap_err().to_string();
    assert!(error.contains("did you mean `gsm8k`"), "{error}");
}

#[test]
fn openr1_keeps_word_problems_with_usable_answers_and_no_figures() {
    let row = |problem: &str, kind: &str, answer: Value| {
        json!({
            "problem": problem, "solution": "s", "answer": answer, "problem_type": "Algebra",
            "question_type": kind, "source": "olympiads", "uuid": problem,
            "is_reasoning_complete": [true, false], "generations": ["a", "b"],
            "correctness_math_verify": [true, false], "correctness_llama": null,
            "finish_reasons": null, "correctness_count": 1,
            "messages": [{"role": "user", "content": problem}],
        })
    };
    let rows = [
        row("How many?", "math-word-problem", json!("\\frac{1}{2}")),
        row("Which?", "MCQ", json!("A")),
        row("How long is it [asy] draw(); [/asy]?", "math-word-problem", json!("2")),
        row("As Shown, what is the angle?", "math-word-problem", json!("2")),
        row("![](https://x.org/a.png) How far?", "math-word-problem", json!("2")),
        row("Prove it.", "math-word-problem", json!("Proof")),
        row("Hm?", "math-word-problem", json!("")),
        row("Null?", "math-word-problem", Value::Null),
    ];
    let all = mapped("openr1-math-220k", &rows, json!({}));
    assert_eq!(all.rows.len(), 1, "{}", all.report);
    assert_eq!(all.rows[0].reference.as_deref(), Some("\\frac{1}{2}"));
    assert_eq!(all.rows[0].id, "How many?");
    let expected = [("needs a figure", 3), ("no usable answer", 2), ("no word problem", 1)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(all.report.filtered, BTreeMap::from(expected));
    assert_eq!(all.report.misfits["`reference`: `answer` is null"].rows, 1);
}

#[test]
fn code_r1_and_its_forks() {
    let truth = r#"{"inputs": ["1\n"], "outputs": ["2\n"]}"#;
    let user = json!({"role": "user", "content": "Write it."});
    let system = json!({"role": "system", "content": "Use tags."});
    let row = |source: &str, prompt: Value, index: Value, truth: &str| {
        json!({
            "data_source": source, "prompt": prompt, "ability": "coding",
            "reward_model": {"style": "rule", "ground_truth": truth},
            "extra_info": {"split": "train", "index": index, "reference": "", "dataset": "taco",
                "starter_code": "def f():"},
        })
    };
    let rows = [
        row("code", json!([system, user]), json!(3), truth),
        row("code-r1", json!([user]), json!("4"), truth),
        row("leetcode", json!([user]), json!(5), r#"{"functional": "assert f()"}"#),
        row("code", json!([{"role": "user", "content": "long ".repeat(2000)}]), json!(6), truth),
        row("code", json!([user]), json!(7), "{inputs"),
        row("code", json!([user]), json!(8), "[1]"),
        json!({"data_source": "code", "prompt": null, "reward_model": null, "extra_info": null}),
    ];
    let all = mapped("code-r1-12k", &rows, json!({}));
    let ids: Vec<&str> = all.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["taco-train-3", "taco-train-4", "taco-train-5"], "{}", all.report);
    assert_eq!(all.rows[0].messages[0].content, "Use tags.");
    assert!(all.rows[1].messages[0].content.contains("<answer>"));
    assert_eq!(all.rows[2].data["functional"], "assert f()");
    assert_eq!(all.report.filtered["more than 1024 tokens"], 1);
    assert_eq!(all.report.misfit_rows(), 3);
}

#[test]
fn supergpqa_is_sampled_in_proportion_with_distractors_of_its_own_or_made() {
    let row = |id: usize, discipline: &str, distractors: Value| {
        let mut row = json!({
            "uuid": id.to_string(), "question": format!("Q{id}?"), "answer": "right",
            "options": ["wrong", "right", "false"], "answer_letter": "B",
            "discipline": discipline, "field": "f", "subfield": "s", "difficulty": "hard",
            "is_calculation": false,
        });
        if !distractors.is_null() {
            row["distractors"] = distractors;
        }
        row
    };
    let rows: Vec<Value> = (0..100)
        .map(|id| {
            let discipline = if id < 60 {
                "Engineering"
            } else if id < 90 {
                "Law"
            } else {
                "Art"
            };
            row(id, discipline, if id == 0 { json!(["made"]) } else { Value::Null })
        })
        .collect();
    let all = mapped("supergpqa", &rows, json!({}));
    assert_eq!(all.rows[0].data["distractors"], json!(["made"]));
    assert_eq!(all.rows[1].data["distractors"], json!(["wrong", "false"]));
    let some = mapped("supergpqa", &rows, json!({"limit": 10, "seed": 3}));
    let mut counts = BTreeMap::new();
    for row in &some.rows {
        *counts.entry(row.data["category"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    let counts: Vec<_> = counts.into_iter().collect();
    assert_eq!(counts, [("Art".into(), 1), ("Engineering".into(), 6), ("Law".into(), 3)]);
    assert_eq!(some.report.not_chosen, 90);
    let ids = |loaded: &Loaded| loaded.rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
    let again = mapped("supergpqa", &rows, json!({"limit": 10, "seed": 3}));
    let other = mapped("supergpqa", &rows, json!({"limit": 10, "seed": 4}));
    assert_eq!(ids(&some), ids(&again));
    assert_ne!(ids(&some), ids(&other));
}

#[test]
fn sharegpt_of_two_turns() {
    let talk = |turns: &[(&str, &str)]| {
        let turns: Vec<Value> =
            turns.iter().map(|(from, value)| json!({"from": from, "value": value})).collect();
        json!({"conversations": turns})
    };
    let rows = [
        talk(&[("system", "You write."), ("human", "A poem?"), ("gpt", "Roses.")]),
        talk(&[("user", "A tale?"), ("assistant", "Once.")]),
        talk(&[("human", "a"), ("gpt", "b"), ("human", "c"), ("gpt", "d")]),
        talk(&[("human", "a"), ("gpt", "b"), ("human", "c")]),
        talk(&[("human", "unanswered")]),
        talk(&[("human", "a"), ("narrator", "b")]),
        talk(&[("human", "a"), ("gpt", " ")]),
        talk(&[]),
        json!({"conversations": null}),
    ];
    let all = mapped("creative-writing-sharegpt", &rows, json!({}));
    let kept: Vec<_> = all.rows.iter().map(|it| (prompt(it), it.reference.as_deref())).collect();
    assert_eq!(kept, [("A poem?", Some("Roses.")), ("A tale?", Some("Once."))], "{}", all.report);
    let system: Vec<_> = all.rows.iter().map(|it| it.messages[0].content.as_str()).collect();
    let own = system[0].strip_prefix("You write.\n\n");
    assert_eq!(own, Some(system[1]), "its own words, and the form that is asked of all");
    assert_eq!(all.report.filtered, BTreeMap::from([("more than 2 turns".to_owned(), 2)]));
    assert_eq!(all.report.misfit_rows(), 5);
}

#[test]
fn math_benchmarks() {
    let olympiad = json!({
        "id": 1606, "subfield": "Algebra", "context": null, "question": "Find n.",
        "final_answer": ["$2$", "$-2$"], "is_multiple_answer": true, "unit": null,
        "answer_type": "Numerical", "modality": "Text-only",
    });
    for (mapping, row, reference) in [
        ("amc23", json!({"id": 0, "problem": "p", "answer": 27.0}), "27"),
        ("aime24", json!({"id": 60, "problem": "p", "answer": "033"}), "033"),
        ("gsm8k", json!({"question": "q", "answer": "#### 1\n2+2\n#### 1,004"}), "1,004"),
        ("gaokao2023en", json!({"question": "q", "answer": "$[1, 2)$"}), "[1, 2)"),
        (
            "minerva-math",
            json!({"problem": "p", "solution": "so \\boxed{3 \\mathrm{~m}}."}),
            "3 \\mathrm{~m}",
        ),
        ("minerva-math", json!({"question": "p", "answer": "4"}), "4"),
        ("math500", json!({"problem": "p", "solution": "\\boxed{5}", "answer": null}), "5"),
        ("olympiadbench", olympiad.clone(), "2, -2"),
        ("svamp", json!({"Body": "He has 2", "Question": "How many?", "Answer": 2.0}), "2"),
        ("svamp", json!({"Body": "He has 2.", "Question": "How many?", "Answer": "2"}), "2"),
        (
            "open-instruct-rlvr",
            json!({"messages": [{"role": "user", "content": "q"}],
            "ground_truth": ["7"], "dataset": ["gsm8k"]}),
            "7",
        ),
        (
            "roll-math",
            json!({"id": "a", "messages": "[{\"role\":\"user\",\"content\":\"q\"}]",
            "prompt": "q", "ground_truth": "8", "difficulty": 0.5, "tag": "math"}),
            "8",
        ),
    ] {
        let row = one(mapping, row);
        assert_eq!(row.reference.as_deref(), Some(reference), "{mapping}");
    }
    let svamp = one("svamp", json!({"Body": "He has 2", "Question": "How many?", "Answer": 2}));
    assert_eq!(prompt(&svamp), "He has 2. How many?");
    let mut picture = olympiad;
    picture["modality"] = "Multimodal".into();
    let folder = tempfile::tempdir().unwrap();
    let file = lines(folder.path(), "rows.jsonl", &[picture]);
    let error = loaded(json!({"file": file, "mapping": "olympiadbench"})).unwrap_err().to_string();
    assert!(error.contains("no row is left") && error.contains("with pictures 1"), "{error}");
}

#[test]
fn code_benchmarks() {
    let row = one(
        "mbpp",
        json!({"task_id": 11, "text": "Add.", "code": "", "test_setup_code": "",
        "test_list": ["assert f(1) == 2", "assert f(2) == 3"], "challenge_test_list": []}),
    );
    assert_eq!((row.id.as_str(), row.data.get("setup")), ("11", None));
    assert!(prompt(&row).contains("assert f(1) == 2\nassert f(2) == 3\n```"), "{}", prompt(&row));
    let row = one(
        "mbpp",
        json!({"task_id": 2, "prompt": "Add.", "test_imports": ["import math"],
        "test_list": ["assert f(1) == 2"]}),
    );
    assert_eq!(row.data["setup"], "import math");
    let row = one(
        "humaneval",
        json!({"task_id": "HumanEval/0", "prompt": "def f():\n", "test": "t",
        "entry_point": "f", "canonical_solution": ""}),
    );
    assert_eq!(row.data["preamble"], "def f():\n", "to the byte");
    let row = one(
        "bigcodebench",
        json!({"task_id": "BigCodeBench/0", "complete_prompt": "import numpy",
        "test": "class TestCases(unittest.TestCase): pass", "entry_point": "task_func",
        "libs": "['numpy', 'random']"}),
    );
    assert_eq!(row.data["libs"], json!(["numpy", "random"]));
    assert_eq!(row.data["functional"], "class TestCases(unittest.TestCase): pass", "as it is");
    let row = one(
        "acecode",
        json!({"id": "oss_1", "source": "oss", "question": "q",
        "test_cases": "[\"assert f()\"]", "inferences": null}),
    );
    assert_eq!(row.data["assertions"], json!(["assert f()"]));
    let row = one(
        "roll-code",
        json!({"id": "x", "source": "KodCode", "difficulty": "0.8", "prompt": "p",
        "messages": "[{\"role\": \"user\", \"content\": \"p\"}]", "ground_truth": "[]",
        "case_type": "pytest", "test_case_function": " ", "tag": "KodCode",
        "test_cases": json!([{"assert_code": "def test_a(): f(1)"},
            {"assert_code": "def test_a(): f(2)"}]).to_string()}),
    );
    let tests = row.data["functional"].as_str().unwrap();
    let tests = tests.split_once("del globals()[name]\n").unwrap().1;
    let each = "\ndef test_a(): f(1)\n_call_tests()\ndef test_a(): f(2)\n_call_tests()\n";
    assert_eq!(tests, each, "each is called before the next takes its name");
    let lcb = |date: &str, starter: &str| {
        json!({"question_id": "abc", "question_content": "Add.", "starter_code": starter,
            "contest_date": date, "difficulty": "easy", "platform": "atcoder", "metadata": "{}",
            "public_test_cases": "[{\"input\": \"1\", \"output\": \"2\", \"testtype\": \"stdin\"}]",
            "private_test_cases": "[]"})
    };
    let rows = [lcb("2024-11-02T00:00:00", ""), lcb("2025-02-01T00:00:00", "")];
    let all = mapped("livecodebench", &rows, json!({}));
    assert_eq!((all.rows.len(), all.report.filtered["other months"]), (1, 1));
    assert_eq!(all.rows[0].data["inputs"], json!(["1"]));
    assert!(prompt(&all.rows[0]).ends_with("standard output."));
}

#[test]
fn mt_bench_with_answers_by_turn() {
    let folder = tempfile::tempdir().unwrap();
    let question = |id: u32, category: &str| json!({"question_id": id, "category": category, "turns": ["Write.", "Shorter."]});
    let file = lines(
        folder.path(),
        "question.jsonl",
        &[question(81, "writing"), question(91, "roleplay"), question(101, "reasoning")],
    );
    let answer = |id: u32, text: &str| json!({"question_id": id, "choices": [{"index": 0, "turns": [text, format!("{text}!")]}]});
    let first = lines(folder.path(), "a.jsonl", &[answer(91, "b"), answer(81, "a")]);
    let second = lines(folder.path(), "b.jsonl", &[answer(81, "c")]);
    let of = |references: Value| {
        loaded(
            json!({"file": file, "mapping": "mt-bench", "max_misfits": 0.4, "references": references}),
        )
    };
    let all = of(json!({"gpt-4": first})).unwrap();
    assert_eq!(all.rows.len(), 2);
    assert_eq!(all.rows[0].data["references"], json!({"gpt-4": ["a", "a!"]}));
    assert_eq!(all.rows[0].reference.as_deref(), Some("a"));
    assert_eq!(all.rows[0].data["turns"], json!(["Shorter."]));
    assert_eq!(all.files.len(), 2, "the answers' file is recorded too");
    let both = of(json!({"gpt-4": first, "other": second})).unwrap();
    assert_eq!(both.rows.len(), 1);
    assert_eq!(both.report.misfits["the references `other` have no row for it"].rows, 1);
    let hub = json!({"prompt_id": 81, "category": "writing", "prompt": ["Write.", "Shorter."]});
    let hub = lines(folder.path(), "hub.jsonl", &[hub]);
    let all = loaded(json!({"file": hub, "mapping": "mt-bench", "references": {"gpt-4": first}}));
    assert_eq!(all.unwrap().rows[0].data["references"], json!({"gpt-4": ["a", "a!"]}));
    let error = of(json!({"gpt-4": file})).unwrap_err().to_string();
    assert!(error.contains("row 1") && error.contains("no column `choices`"), "{error}");
}

#[test]
fn own_columns_go_over_a_mapping_and_filters_behind_it() {
    let row = |level: u32| json!({"problem": "p", "answer": "1", "level": level, "note": "n"});
    let rows = [row(1), row(2), row(5)];
    let more = json!({
        "columns": {"reference": {"value": "x"}, "data.note": "note"},
        "filter": [{"column": "level", "at_least": 2}, {"field": "data.note", "equals": "n"}],
        "system": "",
    });
    let all = mapped("math500", &rows, more);
    assert_eq!(all.rows.len(), 2);
    assert_eq!(all.rows[0].messages.len(), 1, "the system message is switched off");
    assert_eq!(
        (all.rows[0].reference.as_deref(), &all.rows[0].data["note"]),
        (Some("x"), &json!("n"))
    );
    assert_eq!(all.report.filtered["level"], 1);
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own.toml");
    std::fs::write(&own, "title = \"Own\"\n[columns]\nprompt = \"q\"\n").unwrap();
    let file = lines(folder.path(), "rows.jsonl", &[json!({"q": "?"})]);
    assert_eq!(loaded(json!({"file": file, "mapping": own})).unwrap().rows[0].messages.len(), 1);
    std::fs::write(&own, "title = \"Own\"\n[columns]\nprompt = \"q\"\n\n[filtr]\n").unwrap();
    let error = loaded(json!({"file": file, "mapping": own})).unwrap_err().to_string();
    assert!(error.contains("filtr") && error.contains("filter"), "{error}");
}

#[test]
fn a_template_sees_columns_parts_and_candidates() {
    let folder = tempfile::tempdir().unwrap();
    let row = json!({"question_id": 70, "question": "Q?", "options": ["a", "b"], "answer": "B",
        "answer_index": 1, "category": "law", "src": "exam", "cot_content": ""});
    let file = lines(folder.path(), "rows.jsonl", &[row]);
    let text = "{{ src }}: {{ prompt }} {{ data.category }} {{ candidates | sort | join('/') }}";
    let template = Template::parse(Path::new("t.txt"), text).unwrap();
    let hub = HubSettings::from_variables(&|_| None);
    let context = Context { template: Some(&template), hub: &hub, progress: &(), tokens: None };
    let all = load(&settings(json!({"file": file, "mapping": "mmlu-pro"})), &context).unwrap();
    assert_eq!(all.rows[0].messages[0].content, "exam: Q? law a/b");
    assert_eq!(all.rows[0].messages.len(), 1, "the template is the whole prompt");
}

#[test]
fn the_tokenizer_at_hand_counts() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        lines(folder.path(), "r.jsonl", &[json!({"prompt": "a b c"}), json!({"prompt": "a b"})]);
    let words = |text: &str| Ok(text.split(' ').count());
    let hub = HubSettings::from_variables(&|_| None);
    let context = Context { template: None, hub: &hub, progress: &(), tokens: Some(&words) };
    let all = load(&settings(json!({"file": file, "max_tokens": 2})), &context).unwrap();
    assert_eq!((all.rows.len(), all.report.filtered["more than 2 tokens"]), (1, 1));
    let broken = |_: &str| Err("no tokenizer.json".to_owned());
    let context = Context { template: None, hub: &hub, progress: &(), tokens: Some(&broken) };
    let error = load(&settings(json!({"file": file, "max_tokens": 2})), &context).unwrap_err();
    assert_eq!(error.to_string(), "`max_tokens`: no tokenizer.json");
}

#[test]
fn splits_are_carved_and_what_they_share_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<Value> =
        (0..20).map(|id| json!({"id": id, "prompt": format!("p{id}")})).collect();
    let train = lines(folder.path(), "train.jsonl", &rows);
    let test =
        lines(folder.path(), "test.jsonl", &[json!({"prompt": "p3"}), json!({"prompt": "q"})]);
    let hub = HubSettings::from_variables(&|_| None);
    let context = Context { template: None, hub: &hub, progress: &(), tokens: None };
    let of = |splits: Value| {
        let splits: BTreeMap<String, Value> = serde_json::from_value(splits).unwrap();
        let splits = splits.into_iter().map(|(name, it)| (name, vec![settings(it)])).collect();
        load_splits(&splits, &context)
    };
    let splits = json!({
        "train": {"file": train}, "test": {"file": test},
        "validation": {"from": "train", "take": 5}, "extra": {"from": "train", "take": 5},
    });
    let all = of(splits.clone()).unwrap();
    let sizes: Vec<usize> = all.values().map(|it| it.rows.len()).collect();
    assert_eq!(sizes, [5, 2, 10, 5], "extra, test, train, validation");
    let mut ids: Vec<String> = ["train", "validation", "extra"]
        .iter()
        .flat_map(|it| &all[*it].rows)
        .map(|it| it.id.clone())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20, "no row is in two of them, and none is lost");
    assert_eq!(all["train"].report.taken["validation"], 5);
    assert_eq!(of(splits).unwrap()["validation"].rows, all["validation"].rows);
    let shared: usize = all["test"].report.shared_prompts.values().sum();
    assert_eq!(shared, 1, "{}", all["test"].report);
    for (wrong, message) in [
        (
            json!({"train": {"file": train}, "v": {"from": "train", "take": 20}}),
            "`data.v.take`: train has 20",
        ),
        (
            json!({"train": {"file": train}, "v": {"from": "trian", "take": 2}}),
            "did you mean `train`",
        ),
        (
            json!({"train": {"file": train}, "v": {"from": "train"}}),
            "`from` and `take` go together",
        ),
        (
            json!({"train": {"file": train}, "v": {"from": "train", "take": 2, "limit": 1}}),
            "`data.v.from`",
        ),
    ] {
        let error = of(wrong).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn ids_that_repeat_are_told_apart_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let row = |id: &str| json!({"id": id, "prompt": id});
    let ids = ["a", "a", "b", "a#2", "a", "a#2"].map(row);
    let file = lines(folder.path(), "r.jsonl", &ids);
    let all = loaded(json!({"file": file})).unwrap();
    let ids: Vec<&str> = all.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["a", "a#2", "b", "a#2#2", "a#3", "a#2#3"]);
    assert!(all.report.to_string().ends_with("; 4 repeat an id"), "{}", all.report);
}
