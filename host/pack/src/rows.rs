//! Rows of data: JSON Lines to items.
//!
//! A row is `{"id"?, "messages"? | "prompt"?, "reference"?, "data"?}`; where a
//! template is used it may have any further keys, which only the template sees.

use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::PackError;
use crate::template::Template;

/// One message of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What it says.
    pub content: String,
}

/// One row, ready to be an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The row's own id, or its line number.
    pub id: String,
    /// What the policy sees.
    pub messages: Vec<RowMessage>,
    /// The answer, where there is one.
    pub reference: Option<String>,
    /// Whatever else the reward needs.
    pub data: Map<String, Value>,
}

/// Reads every row of a JSON Lines file; empty lines are skipped.
///
/// # Errors
/// With file, line and key for the first line that is not what it should be.
pub fn read(file: &Path, template: Option<&Template>) -> Result<Vec<Row>, PackError> {
    let open = std::fs::File::open(file).map_err(PackError::io("read", file))?;
    let mut rows = Vec::new();
    for (index, line) in BufReader::new(open).lines().enumerate() {
        let line = line.map_err(PackError::io("read", file))?;
        if line.trim().is_empty() {
            continue;
        }
        rows.push(parse(file, index + 1, &line, template)?);
    }
    Ok(rows)
}

/// Parses one line; `file` and `number` are for messages.
///
/// # Errors
/// With file, line and key when it is not what it should be.
pub fn parse(
    file: &Path,
    number: usize,
    line: &str,
    template: Option<&Template>,
) -> Result<Row, PackError> {
    let wrong = |key: &str, message: String| PackError::at(file, Some(number), key, message, "");
    let value: Value =
        serde_json::from_str(line).map_err(|error| wrong("", format!("not JSON: {error}")))?;
    let Value::Object(row) = &value else {
        return Err(wrong("", "a row is a JSON object".to_owned()));
    };
    let id = match row.get("id") {
        None | Some(Value::Null) => number.to_string(),
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        Some(_) => return Err(wrong("id", "wants a text or a number".to_owned())),
    };
    let reference = match row.get("reference") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => return Err(wrong("reference", "wants a text".to_owned())),
    };
    let data = match row.get("data") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(data)) => data.clone(),
        Some(_) => return Err(wrong("data", "wants an object".to_owned())),
    };
    let messages = match template {
        Some(template) => template.render(&value).map_err(|error| wrong("", error.to_string()))?,
        None => {
            if let Some(key) = row.keys().find(|key| !KEYS.contains(&key.as_str())) {
                let help = crate::did_you_mean(key, KEYS);
                let message = "unknown key";
                return Err(PackError::at(file, Some(number), key, message, help));
            }
            messages(row).map_err(|(key, message)| wrong(key, message))?
        }
    };
    Ok(Row { id, messages, reference, data })
}

/// The keys of a row that no template reads.
const KEYS: [&str; 5] = ["id", "messages", "prompt", "reference", "data"];

/// The messages of a row: `messages`, or `prompt` as the user's only one.
///
/// # Errors
/// With the key and what is wrong with it.
pub fn messages(row: &Map<String, Value>) -> Result<Vec<RowMessage>, (&'static str, String)> {
    match (row.get("messages"), row.get("prompt")) {
        (Some(messages), None) => {
            let messages: Vec<RowMessage> = serde::Deserialize::deserialize(messages)
                .map_err(|error| ("messages", error.to_string()))?;
            let roles = ["system", "user", "assistant"];
            match messages.iter().find(|it| !roles.contains(&it.role.as_str())) {
                Some(odd) => Err(("messages.role", format!("`{}` is no role", odd.role))),
                None => Ok(messages),
            }
        }
        (None, Some(Value::String(prompt))) => {
            Ok(vec![RowMessage { role: "user".to_owned(), content: prompt.clone() }])
        }
        (None, Some(_)) => Err(("prompt", "wants a text".to_owned())),
        (None, None) => Ok(Vec::new()),
        (Some(_), Some(_)) => Err(("prompt", "stands beside `messages`; keep one".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Row, String> {
        parse(Path::new("rows.jsonl"), 7, line, None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_becomes_an_item() {
        let row = one(r#"{"prompt": "2+2?", "reference": 4, "data": {"hard": false}}"#).unwrap();
        assert_eq!(row.id, "7");
        assert_eq!(row.messages[0].content, "2+2?");
        assert_eq!(row.reference.as_deref(), Some("4"));
        assert_eq!(row.data["hard"], false);
    }

    #[test]
    fn errors_name_file_line_and_key() {
        for (line, expected) in [
            ("{", "rows.jsonl:7: not JSON"),
            ("[]", "rows.jsonl:7: a row is a JSON object"),
            (r#"{"promt": "x"}"#, "rows.jsonl:7: `promt`: unknown key\n  did you mean `prompt`?"),
            (r#"{"prompt": 1}"#, "rows.jsonl:7: `prompt`: wants a text"),
            (r#"{"data": "x"}"#, "rows.jsonl:7: `data`: wants an object"),
            (
                r#"{"messages": [{"role": "tool", "content": ""}]}"#,
                "rows.jsonl:7: `messages.role`: `tool` is no role",
            ),
        ] {
            let error = one(line).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
