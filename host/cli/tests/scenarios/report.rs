//! `report`: pages and numbers from records alone.

use crate::common::{Ran, omni};

/// A study that has measured its base, on which nothing was trained yet.
const STUDY: &str = r#"{"version": 1, "name": "begun", "tasks": ["math"], "weights": [1.0], "seeds": [0],
"measure": {"outputs": "greedy", "temperature": null, "samples": 1, "test_items": 20,
  "validation_items": 20, "floor": 0.001, "bootstrap": 100},
"progress": {"done": 1, "total": 9, "seconds": 1.5},
"methods": [{"name": "base", "kind": "base", "label": "base", "runs": [{"seed": 0, "steps": 0,
  "prompts": 0, "seconds": 0.0, "test": {"math": {"completion_length": 9.5, "accuracy":
  {"mean": 0.25, "standard_error": 0.1, "items": 20}}}}]}],
"evidence": [], "orders": []}"#;

#[test]
fn a_study_under_way_has_a_page_and_its_numbers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("study.json"), STUDY).unwrap();
    let report = || {
        let mut command = omni();
        command.arg("report").arg(folder.path());
        command
    };
    let ran = Ran::of(&mut report()).ok();
    let page = std::fs::read_to_string(ran.out.trim()).unwrap();
    assert!(page.contains("1 of the 9 steps") && page.contains("25.0 ± 10.0"), "{page}");
    let csv = std::fs::read_to_string(folder.path().join("tables/accuracy.csv")).unwrap();
    assert!(csv.contains("base,base,base,,0.25,0.1,"), "{csv}");
    // Elsewhere, byte for byte the same.
    let out = tempfile::tempdir().unwrap();
    let ran = Ran::of(report().arg("--out").arg(out.path())).ok();
    assert_eq!(std::fs::read_to_string(ran.out.trim()).unwrap(), page);
    let picture = out.path().join("orders.svg");
    Ran::of(report().arg("--svg").arg(&picture)).fails(2, &["no order has been trained yet"]);
    assert!(!picture.exists());
}

#[test]
fn what_is_no_record_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let report = || Ran::of(omni().arg("report").arg(folder.path()));
    report().fails(2, &["neither a study's study.json nor a run's events.jsonl"]);
    std::fs::write(folder.path().join("study.json"), "{\"version\": 1}").unwrap();
    report().fails(2, &["study.json", "missing field"]);
    std::fs::write(folder.path().join("study.json"), STUDY).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let into = Ran::of(omni().arg("report").arg(folder.path()).arg("--out").arg(file));
    into.fails(1, &["cannot write"]);
}
