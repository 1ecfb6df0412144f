//! Rows of data: JSON objects to items.
//!
//! A row is `{"id"?, "messages"? | "prompt"?, "reference"?, "data"?}`; where a
//! template is used it may have any further keys, which only the template sees.
//! A template also sees `candidates`; see [`crate::candidates`].

use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::candidates::candidates;
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
    from_value(value, number, template)
        .map_err(|error| PackError::at(file, Some(number), &error.key, error.message, error.help))
}

/// What is wrong with a row, its place not said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", self.place())]
pub struct RowError {
    /// The key; empty where the whole row is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
}

impl RowError {
    /// About a key.
    #[must_use]
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: String::new() }
    }

    fn place(&self) -> String {
        if self.key.is_empty() { String::new() } else { format!("`{}`: ", self.key) }
    }
}

/// Makes a row of a JSON object; `number` is its id where it has none.
///
/// # Errors
/// With the key when it is not what it should be.
pub fn from_value(
    value: Value,
    number: usize,
    template: Option<&Template>,
) -> Result<Row, RowError> {
    let wrong = |key: &str, message: &str| RowError::new(key, message);
    let Value::Object(mut row) = value else {
        return Err(wrong("", "a row is a JSON object"));
    };
    let id = match row.get("id") {
        None | Some(Value::Null) => number.to_string(),
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        Some(_) => return Err(wrong("id", "wants a text or a number")),
    };
    let reference = match row.get("reference") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => return Err(wrong("reference", "wants a text")),
    };
    let data = match row.get("data") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(data)) => data.clone(),
        Some(_) => return Err(wrong("data", "wants an object")),
    };
    let messages = match template {
        Some(template) => {
            // Where the row speaks for itself, a key that nobody reads is a mistake, as below.
            if template.keeps_messages() {
                let read = template.variables();
                let known = |key: &str| KEYS.contains(&key) || read.contains(key);
                if let Some(key) = row.keys().find(|key| !known(key)) {
                    let help = crate::did_you_mean(key, KEYS);
                    return Err(RowError { help, ..wrong(key, "unknown key") });
                }
                // Both at once is refused, as it is without a template.
                messages(&row).map_err(|(key, message)| RowError::new(key, message))?;
            }
            let shown = candidates(&id, reference.as_deref(), &data)?;
            // A column that is called so by its own file stands.
            row.entry("candidates").or_insert(shown.into());
            let row = Value::Object(row);
            template.render(&row).map_err(|error| RowError::new("", error.to_string()))?
        }
        None => {
            if let Some(key) = row.keys().find(|key| !KEYS.contains(&key.as_str())) {
                let help = crate::did_you_mean(key, KEYS);
                return Err(RowError { help, ..wrong(key, "unknown key") });
            }
            messages(&row).map_err(|(key, message)| RowError::new(key, message))?
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
    fn a_template_sees_the_candidates_and_a_row_without_them_has_none() {
        let text = "{{ prompt }}\n{% for it in candidates %}* {{ it }}\n{% endfor %}";
        let template = Template::parse(Path::new("t.txt"), text).unwrap();
        let render = |line: &str| {
            let row = parse(Path::new("rows.jsonl"), 1, line, Some(&template)).unwrap();
            row.messages[0].content.clone()
        };
        let shown = render(r#"{"prompt": "?", "reference": "a", "data": {"distractors": ["b"]}}"#);
        let mut lines: Vec<&str> = shown.lines().skip(1).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["* a", "* b"]);
        assert_eq!(render(r#"{"prompt": "?", "reference": "a"}"#), "?");
    }

    #[test]
    fn a_template_that_keeps_messages_is_as_strict_as_none() {
        let template = Template::parse(
            Path::new("p.txt"),
            "[messages]\n{{ hint }}{% if candidates %}!{% endif %}",
        )
        .unwrap();
        let one = |line: &str| {
            parse(Path::new("rows.jsonl"), 7, line, Some(&template)).map_err(|it| it.to_string())
        };
        let row = one(r#"{"prompt": "2+2?", "hint": "4", "reference": "4"}"#).unwrap();
        assert_eq!(row.messages[0].content, "2+2?\n\n4");
        let row =
            r#"{"prompt": "?", "hint": "", "reference": "4", "data": {"distractors": ["5"]}}"#;
        assert_eq!(one(row).unwrap().messages[0].content, "?\n\n!");
        let error = one(r#"{"prompt": "2+2?", "hint": "", "refrence": "4"}"#).unwrap_err();
        assert!(error.contains("`refrence`: unknown key\n  did you mean `reference`?"), "{error}");
        let error = one(r#"{"prompt": "2+2?", "messages": [], "hint": ""}"#).unwrap_err();
        assert!(error.contains("stands beside `messages`"), "{error}");
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
