//! Prompt templates: a row to the messages that the policy sees.
//!
//! A template is minijinja over the row's keys. A line that holds only
//! `[system]`, `[user]` or `[assistant]` starts a message; without any, the
//! whole text is the user's. A variable that the row lacks is an error.
//!
//! A line `[messages]` stands for the row's own messages; what follows it is
//! put behind the last of them, after an empty line, and changes nothing where
//! it comes to nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::PackError;
use crate::rows::RowMessage;

const ROLES: [&str; 4] = ["system", "user", "assistant", MESSAGES];

/// The part that stands for the row's own messages.
const MESSAGES: &str = "messages";

/// A prompt template.
#[derive(Debug, Clone)]
pub struct Template {
    file: PathBuf,
    environment: minijinja::Environment<'static>,
    /// The roles of the parts, which are templates called `0`, `1`, ….
    roles: Vec<String>,
}

impl Template {
    /// Reads a template from a file.
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub fn read(file: &Path) -> Result<Self, PackError> {
        let text = std::fs::read_to_string(file).map_err(PackError::io("read", file))?;
        Self::parse(file, &text)
    }

    /// Parses a template; `file` is for messages.
    ///
    /// # Errors
    /// When it cannot be parsed.
    pub fn parse(file: &Path, text: &str) -> Result<Self, PackError> {
        let mut environment = minijinja::Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        let mut roles = Vec::new();
        for (line, role, part) in parts(text) {
            environment.add_template_owned(roles.len().to_string(), part).map_err(|error| {
                let line = error.line().map(|within| line + within - 1);
                PackError::at(file, line, "", reason(&error), "")
            })?;
            roles.push(role);
        }
        Ok(Self { file: file.to_owned(), environment, roles })
    }

    /// The row's keys that it reads.
    #[must_use]
    pub fn variables(&self) -> std::collections::BTreeSet<String> {
        let parts = (0..self.roles.len()).map(|index| index.to_string());
        let templates = parts.filter_map(|name| self.environment.get_template(&name).ok());
        templates.flat_map(|template| template.undeclared_variables(false)).collect()
    }

    /// Whether the row's own messages are in it.
    #[must_use]
    pub fn keeps_messages(&self) -> bool {
        self.roles.iter().any(|role| role == MESSAGES)
    }

    /// Renders the messages of a row.
    ///
    /// # Errors
    /// When the template wants a key that the row lacks.
    pub fn render(&self, row: &Value) -> Result<Vec<RowMessage>, PackError> {
        let mut messages = Vec::new();
        for (index, role) in self.roles.iter().enumerate() {
            let name = index.to_string();
            let rendered = self
                .environment
                .get_template(&name)
                .and_then(|template| template.render(minijinja::value::Serde(row)));
            let rendered = rendered.map_err(|error| self.failed(&name, row, &error))?;
            let content = rendered.trim().to_owned();
            if role != MESSAGES {
                messages.push(RowMessage { role: role.clone(), content });
                continue;
            }
            let mut own = self.own_messages(row)?;
            if let Some(last) = own.last_mut().filter(|_| !content.is_empty()) {
                last.content = format!("{}\n\n{content}", last.content.trim_end());
            }
            messages.extend(own);
        }
        Ok(messages)
    }

    /// The row's `messages`, or its `prompt` as the user's only one.
    fn own_messages(&self, row: &Value) -> Result<Vec<RowMessage>, PackError> {
        let mut own = serde_json::Map::new();
        for key in ["messages", "prompt"] {
            if let Some(value) = row.get(key).filter(|value| !value.is_null()) {
                own.insert(key.to_owned(), value.clone());
                break;
            }
        }
        let wrong =
            |(key, message): (&str, String)| PackError::at(&self.file, None, key, message, "");
        match crate::rows::messages(&own).map_err(wrong)? {
            none if none.is_empty() => {
                let message = "the row has neither `messages` nor `prompt`";
                Err(PackError::at(&self.file, None, "", message, ""))
            }
            own => Ok(own),
        }
    }

    /// Says which of the part's variables the row lacks.
    fn failed(&self, part: &str, row: &Value, error: &minijinja::Error) -> PackError {
        let wanted = self
            .environment
            .get_template(part)
            .map(|template| template.undeclared_variables(false))
            .unwrap_or_default();
        let mut missing: Vec<_> =
            wanted.iter().filter(|name| row.get(name.as_str()).is_none()).collect();
        missing.sort();
        let missing: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
        let message = if missing.is_empty() {
            reason(error)
        } else {
            format!("{}: the row has no {}", reason(error), missing.join(", "))
        };
        let keys = row.as_object().map(|row| row.keys().cloned().collect::<Vec<_>>());
        let help = format!("it has {}", keys.unwrap_or_default().join(", "));
        PackError::at(&self.file, error.line(), "", message, help)
    }
}

fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// The parts of a template: first line, role, text.
fn parts(text: &str) -> Vec<(usize, String, String)> {
    let mut parts: Vec<(usize, String, String)> = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim();
        let role = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(role) = role.filter(|role| ROLES.contains(role)) {
            parts.push((index + 2, role.to_owned(), String::new()));
            continue;
        }
        if parts.is_empty() {
            if bare.is_empty() {
                continue;
            }
            parts.push((index + 1, "user".to_owned(), String::new()));
        }
        if let Some((_, _, part)) = parts.last_mut() {
            part.push_str(line);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(text: &str) -> Result<Template, PackError> {
        Template::parse(Path::new("prompts/x.txt"), text)
    }

    #[test]
    fn roles_split_a_template() {
        let text = "[system]\nBe brief.\n[user]\n{{ prompt }}\n{% if data.hint %}hint{% endif %}\n";
        let messages =
            template(text).unwrap().render(&json!({"prompt": "2+2?", "data": {"hint": true}}));
        let messages: Vec<_> =
            messages.unwrap().into_iter().map(|it| (it.role, it.content)).collect();
        let expected = [("system", "Be brief."), ("user", "2+2?\nhint")];
        assert_eq!(messages, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_row_keeps_its_messages() {
        let text = "[messages]\n{%- for it in candidates %}\n- {{ it }}\n{%- endfor %}\n";
        let render = |row: Value| {
            let messages = template(text).unwrap().render(&row)?;
            let pairs = messages.into_iter().map(|it| format!("{}: {}", it.role, it.content));
            Ok::<_, PackError>(pairs.collect::<Vec<_>>())
        };
        let row = json!({"prompt": "Which?", "candidates": ["one", "two"]});
        assert_eq!(render(row).unwrap(), ["user: Which?\n\n- one\n- two"]);
        let messages =
            json!([{"role": "system", "content": "S"}, {"role": "user", "content": "Which? "}]);
        let row = json!({"messages": messages, "prompt": "Which? ", "candidates": ["one"]});
        assert_eq!(render(row).unwrap(), ["system: S", "user: Which?\n\n- one"]);
        let row = json!({"messages": messages, "candidates": []});
        assert_eq!(render(row).unwrap(), ["system: S", "user: Which? "]);
        let error = render(json!({"candidates": []})).unwrap_err().to_string();
        assert!(error.contains("neither `messages` nor `prompt`"), "{error}");
    }

    #[test]
    fn a_missing_key_names_file_and_line() {
        let error = template("one\n{{ prompt }}").unwrap().render(&json!({"text": "?"}));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("prompts/x.txt:2:"), "{error}");
        assert!(error.contains("no `prompt`"), "{error}");
        let error = template("[user]\nfine\n{{ oops").unwrap_err().to_string();
        assert!(error.starts_with("prompts/x.txt:3:"), "{error}");
    }
}
