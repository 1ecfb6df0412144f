//! Every case of `cases/*.jsonl`: one object a line, `{"category", "reference", "answer" or "text"
//! with "extract", "equal", "note"?}`.

use std::fs;
use std::path::Path;

use omni_math_reward::{Extract, Verdict, verify, verify_text};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    category: String,
    reference: String,
    answer: Option<String>,
    text: Option<String>,
    #[serde(default)]
    extract: Extract,
    equal: bool,
    note: Option<String>,
}

#[test]
fn every_case_has_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    assert!(!files.is_empty(), "no cases");
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        for (at, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let place = format!("{}:{}", file.file_name().unwrap().display(), at + 1);
            let case: Case = serde_json::from_str(line).unwrap_or_else(|e| panic!("{place}: {e}"));
            let verdict = match (&case.text, &case.answer) {
                (Some(text), _) => verify_text(&case.reference, text, case.extract),
                (None, Some(answer)) => verify(&case.reference, answer),
                (None, None) => panic!("{place}: neither `answer` nor `text`"),
            };
            // Cases that reasonable people decide either way are kept for reading.
            if case.note.as_deref().is_some_and(|note| note.starts_with("debatable")) {
                continue;
            }
            count += 1;
            // A reference that cannot be used is undefined, which is not equal either.
            if (verdict == Verdict::Equal) != case.equal {
                wrong.push(format!(
                    "{place} [{}] {:?} ? {:?}: {verdict:?}, expected equal = {} {}",
                    case.category,
                    case.reference,
                    case.answer.or(case.text).unwrap_or_default(),
                    case.equal,
                    case.note.unwrap_or_default(),
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}
