//! What the tests share: files to load, and a Parquet file in the form of code-r1.
#![allow(dead_code, clippy::allow_attributes, reason = "each test takes what it needs")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use omni_data::{Context, DataError, HubSettings, Loaded, Settings, load};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

/// Settings from JSON, as a run file's table comes.
pub(crate) fn settings(value: Value) -> Settings {
    Settings::from_json(value).unwrap()
}

/// Loads with neither template, hub nor tokenizer.
pub(crate) fn loaded(value: Value) -> Result<Loaded, DataError> {
    let hub = HubSettings::from_variables(&|_| None);
    load(&settings(value), &Context { template: None, hub: &hub, progress: &(), tokens: None })
}

/// Writes rows as JSON Lines.
pub(crate) fn lines(folder: &Path, name: &str, rows: &[Value]) -> PathBuf {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Rows in the form of code-r1: structs, a list of structs, text and whole numbers, with nulls.
pub(crate) const CODE_R1: &str = "message schema {
    optional binary data_source (UTF8);
    optional group prompt (LIST) { repeated group list { optional group element {
        optional binary role (UTF8);
        optional binary content (UTF8);
    } } }
    optional group reward_model { optional binary ground_truth (UTF8); }
    optional group extra_info { optional int64 index; optional binary split (UTF8); }
    optional group unused (LIST) { repeated group list { optional binary element (UTF8); } }
}";

/// A column's values with its definition and repetition levels.
enum Column<'a> {
    Texts(&'a [&'a str], &'a [i16], &'a [i16]),
    Numbers(&'a [i64], &'a [i16], &'a [i16]),
}

/// Three rows: two messages, one message, and one whose struct is null.
pub(crate) fn code_r1(path: &Path) {
    use Column::{Numbers, Texts};
    let stdin = r#"{"inputs": ["1 2\n"], "outputs": ["3\n"]}"#;
    let check = r#"{"functional": "def check(f):\n    assert f(1) == 2\n\ncheck(g)"}"#;
    write(
        path,
        CODE_R1,
        &[
            Texts(&["code", "leetcode", "code"], &[1, 1, 1], &[0, 0, 0]),
            Texts(&["system", "user", "user", "user"], &[4, 4, 4, 4], &[0, 1, 0, 0]),
            Texts(&["Be brief.", "Add.", "Write g.", "?"], &[4, 4, 4, 4], &[0, 1, 0, 0]),
            Texts(&[stdin, check], &[2, 2, 0], &[0, 0, 0]),
            Numbers(&[7, 8], &[2, 2, 1], &[0, 0, 0]),
            Texts(&["train", "train"], &[2, 2, 0], &[0, 0, 0]),
            Texts(&["a", "b"], &[3, 3, 0, 1], &[0, 1, 0, 0]),
        ],
    );
}

/// A file of two text columns, for the hub.
pub(crate) fn questions(path: &Path, rows: &[(&str, &str)]) {
    let schema =
        "message schema { required binary question (UTF8); required binary answer (UTF8); }";
    let questions: Vec<&str> = rows.iter().map(|row| row.0).collect();
    let answers: Vec<&str> = rows.iter().map(|row| row.1).collect();
    write(path, schema, &[Column::Texts(&questions, &[], &[]), Column::Texts(&answers, &[], &[])]);
}

fn write(path: &Path, schema: &str, columns: &[Column<'_>]) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in columns {
        let mut next = group.next_column().unwrap().unwrap();
        match column {
            Column::Texts(texts, definitions, repetitions) => {
                let values: Vec<ByteArray> =
                    texts.iter().map(|text| ByteArray::from(*text)).collect();
                let typed = next.typed::<ByteArrayType>();
                typed.write_batch(&values, some(definitions), some(repetitions)).unwrap();
            }
            Column::Numbers(values, definitions, repetitions) => {
                let typed = next.typed::<Int64Type>();
                typed.write_batch(values, some(definitions), some(repetitions)).unwrap();
            }
        }
        next.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

/// Columns that are required have no levels.
fn some(levels: &[i16]) -> Option<&[i16]> {
    (!levels.is_empty()).then_some(levels)
}
