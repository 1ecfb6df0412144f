//! Prompt templates: a row to the messages that the policy sees.
//!
//! A template is minijinja over the row's keys. A line that holds only
//! `[system]`, `[user]` or `[assistant]` starts a message; without any, the
//! whole text is the user's. A variable that the row lacks is an error.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::PackError;
use crate::rows::RowMessage;

const ROLES: [&str; 3] = ["system", "user", "assistant"];

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
            messages.push(RowMessage { role: role.clone(), content });
        }
        Ok(messages)
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
    fn a_missing_key_names_file_and_line() {
        let error = template("one\n{{ prompt }}").unwrap().render(&json!({"text": "?"}));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("prompts/x.txt:2:"), "{error}");
        assert!(error.contains("no `prompt`"), "{error}");
        let error = template("[user]\nfine\n{{ oops").unwrap_err().to_string();
        assert!(error.starts_with("prompts/x.txt:3:"), "{error}");
    }
}
