//! Formats, and files that are damaged or made to harm: every one is rows or an error with its
//! place, never a panic.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{code_r1, lines, loaded};
use serde_json::json;

#[test]
fn parquet_of_structs_and_lists_is_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("train-00000-of-00001.parquet");
    code_r1(&file);
    let pattern = folder.path().join("train-*.parquet");
    let all =
        loaded(json!({"file": pattern, "mapping": "code-r1-12k", "max_misfits": 0.5})).unwrap();
    let [first, second] = all.rows.as_slice() else { panic!("{}", all.report) };
    assert_eq!(first.id, "train-7");
    assert_eq!(first.messages[0].content, "Be brief.");
    assert_eq!(first.messages[1].content, "Add.");
    assert_eq!(first.data["inputs"], json!(["1 2\n"]));
    assert_eq!(first.data["category"], "code");
    assert_eq!(second.messages[0].role, "system", "a row without one gets the mapping's");
    assert!(second.messages[0].content.contains("<answer>"));
    assert!(second.data["functional"].as_str().unwrap().ends_with("check(g)"));
    let (reason, misfits) = all.report.misfits.first_key_value().unwrap();
    assert_eq!(reason, "`data`: `reward_model` is null");
    assert_eq!(misfits.first, format!("{}: row 3", file.display()));
    let strict = loaded(json!({"file": file, "mapping": "code-r1-12k", "max_misfits": 0.1}));
    let error = strict.unwrap_err().to_string();
    assert!(
        error.contains("1 of 3 rows do not fit") && error.contains("the columns are"),
        "{error}"
    );
}

#[test]
fn json_lists_and_objects_that_hold_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.json");
    for (text, rows) in [
        (r#"[{"prompt": "a"}, {"prompt": "b"}]"#, Ok(2)),
        (r#"{"version": 1, "data": [{"prompt": "a"}], "rows": [1]}"#, Ok(1)),
        (r#"{"rows": [{"row_idx": 0, "row": {"prompt": "a"}, "truncated_cells": []}]}"#, Ok(1)),
        (r#"{"questions": [{"prompt": "a"}]}"#, Err("holds no list of rows")),
        (r#"[{"prompt": "a"}, 3]"#, Err("rows.json: row 2: a row is a JSON object")),
        (r#"[{"prompt": "a"}"#, Err("not JSON")),
        (r#"[] []"#, Err("not JSON")),
        ("[]", Err("holds no rows")),
        ("", Err("not JSON")),
        ("\u{0}", Err("not JSON")),
    ] {
        std::fs::write(&file, text).unwrap();
        let got =
            loaded(json!({"file": file})).map(|it| it.rows.len()).map_err(|it| it.to_string());
        match (&got, &rows) {
            (Ok(got), Ok(rows)) => assert_eq!(got, rows, "{text}"),
            (Err(got), Err(part)) => assert!(got.contains(part), "{text}: {got}"),
            _ => panic!("{text}: {got:?}"),
        }
    }
    std::fs::write(&file, r#"{"questions": [{"prompt": "a"}]}"#).unwrap();
    assert_eq!(loaded(json!({"file": file, "rows": "questions"})).unwrap().rows.len(), 1);
    // A column called `row` that is no row is a column.
    std::fs::write(&file, r#"[{"row_idx": 0, "row": "front"}]"#).unwrap();
    let all = loaded(json!({"file": file, "columns": {"prompt": "row"}})).unwrap();
    assert_eq!(all.rows[0].messages[0].content, "front");
}

#[test]
fn lines_that_are_broken_are_named_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.jsonl");
    let mut text = b"\xef\xbb\xbf{\"q\": \"one\", \"a\": 1}\r\n\n{\"q\": \"two\"}\n".to_vec();
    text.extend(b"{\"q\": \"\xff\", \"a\": 1}\n{\"q\": 3, \"a\": [1]}\nnot json\n{\"q\": \"cut");
    std::fs::write(&file, &text).unwrap();
    let columns = json!({"prompt": "q", "reference": "a"});
    let all = loaded(json!({"file": file, "columns": columns, "max_misfits": 0.9})).unwrap();
    assert_eq!((all.report.rows, all.report.kept, all.report.misfit_rows()), (6, 1, 5));
    assert_eq!(all.rows[0].reference.as_deref(), Some("1"));
    let reasons = all.report.reasons().join("\n");
    for part in
        ["no column `a`", "not UTF-8", "`reference` is a list, not a text", "not JSON", ":3)"]
    {
        assert!(reasons.contains(part), "{part} in {reasons}");
    }
    let shown = all.report.to_string();
    assert!(shown.starts_with("1 of 6 rows of ") && shown.contains("5 do not fit"), "{shown}");
    let error = loaded(json!({"file": file, "columns": columns})).unwrap_err().to_string();
    assert!(error.contains("5 of 6 rows do not fit"), "{error}");
}

#[test]
fn rows_in_their_own_form_are_read_strictly() {
    let folder = tempfile::tempdir().unwrap();
    let file = lines(folder.path(), "r.jsonl", &[json!({"prompt": "a"}), json!({"promt": "b"})]);
    let error = loaded(json!({"file": file})).unwrap_err().to_string();
    let expected = format!("{}:2: `promt`: unknown key\n  did you mean `prompt`?", file.display());
    assert_eq!(error, expected);
}

#[test]
fn files_that_are_not_there_or_say_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.jsonl");
    std::fs::write(&empty, "").unwrap();
    let of = |file: &std::path::Path| loaded(json!({"file": file})).unwrap_err().to_string();
    assert!(of(&empty).ends_with("empty.jsonl: holds no rows"));
    assert!(of(&folder.path().join("none.jsonl")).starts_with("cannot read"));
    assert!(of(&folder.path().join("rows.csv")).contains("does not say what it is"));
    assert!(of(&folder.path().join("x-*.parquet")).contains("no file is called so"));
    let error = loaded(json!({})).unwrap_err().to_string();
    assert!(error.contains("wants `file`, `hub`"), "{error}");
    let error = loaded(json!({"file": empty, "split": "train"})).unwrap_err().to_string();
    assert_eq!(error, "`split`: belongs to `hub`, which is not there");
}

/// Every byte of a Parquet file damaged in turn, and the file cut at every length: the reader's
/// faults (it is known to panic) must come out as errors.
#[test]
fn damaged_parquet_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whole.parquet");
    code_r1(&file);
    let whole = std::fs::read(&file).unwrap();
    let damaged = folder.path().join("damaged.parquet");
    let load = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        loaded(json!({"file": damaged, "mapping": "code-r1-12k", "max_misfits": 1.0}))
    };
    // The reader's panics are caught; their messages would fill the test's output.
    std::panic::set_hook(Box::new(|_| {}));
    let mut failed = 0;
    for place in 0..whole.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] ^= bits;
            failed += usize::from(load(&bytes).is_err());
        }
    }
    let cut = (0..whole.len()).step_by(7).filter(|length| load(&whole[..*length]).is_err()).count();
    let _ = std::panic::take_hook();
    assert_eq!(cut, (0..whole.len()).step_by(7).count(), "a file that is cut is no file");
    assert!(failed > whole.len(), "{failed} of {} damages were seen", 3 * whole.len());
    assert_eq!(load(&whole).unwrap().rows.len(), 2);
}
