//! `items.json` reads back, and what is not one is refused.

use std::collections::BTreeMap;
use std::fs;

use omni_record::{EvalItems, ITEMS_VERSION, RecordError, TaskItems};

fn items() -> EvalItems {
    let math = TaskItems {
        split: "test".into(),
        metric: "accuracy".into(),
        ids: vec!["a".into(), "b".into(), "c".into()],
        sampled: vec![Some(1.0 / 3.0), None, Some(1.0)],
        greedy: vec![None, None, Some(0.0)],
    };
    EvalItems {
        version: ITEMS_VERSION,
        purpose: "test".into(),
        tasks: BTreeMap::from([("math".into(), math)]),
    }
}

#[test]
fn values_read_back_to_the_bit_and_what_has_none_is_null() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("items.json");
    let text = serde_json::to_string(&items()).unwrap();
    assert!(text.contains(r#""greedy":[null,null,0.0]"#), "{text}");
    fs::write(&file, text).unwrap();
    assert_eq!(EvalItems::read(&file).unwrap(), items());
}

#[test]
fn what_is_not_such_a_file_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("items.json");
    assert!(matches!(EvalItems::read(&file), Err(RecordError::Io { .. })));
    let mut torn = items();
    torn.tasks.get_mut("math").unwrap().greedy.pop();
    let mut newer = items();
    newer.version += 1;
    for (text, expected) in [
        ("{".to_owned(), "items.json"),
        (r#"{"version":1,"purpose":"test"}"#.to_owned(), "tasks"),
        (serde_json::to_string(&torn).unwrap(), "`math` has 3 ids, 3 sampled and 2 greedy"),
        (serde_json::to_string(&newer).unwrap(), "version 2"),
    ] {
        fs::write(&file, &text).unwrap();
        let error = EvalItems::read(&file).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
