//! Prompt files: a text with places for what is judged, to the messages of a question.
//!
//! A line that holds only `[system]`, `[user]` or `[assistant]` starts a message; without any, the
//! whole text is the user's. `{{ name }}` is the place of a value. Values are put in once and never
//! read again, so that a judged text which holds `{{ second }}` stays as it is.

use omni_sdk::judge::{Error, Message, Result, Role};

/// A prompt, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt<'a> {
    messages: Vec<(Role, Vec<Piece<'a>>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Place(&'a str),
}

impl<'a> Prompt<'a> {
    /// Reads a prompt. `key` is the configuration's, for messages; `known` are the names that may
    /// stand in it, and `needed` those that must.
    ///
    /// # Errors
    /// `invalid-input` when it is empty, has a place of another name or one that never closes, or
    /// lacks one that it needs.
    pub fn read(key: &str, text: &'a str, known: &[&str], needed: &[&str]) -> Result<Self> {
        let wrong = |what: String| Err(Error::invalid_input(format!("`config.{key}`: {what}")));
        if text.trim().is_empty() {
            return wrong(
                "there is no prompt: the pack's manifest names its file in \
                          `config_files`, or a run sets the text in `judge_config`"
                    .to_owned(),
            );
        }
        let mut messages = Vec::new();
        let mut seen = Vec::new();
        for (role, part) in parts(text) {
            let mut pieces = Vec::new();
            let mut rest = part.trim();
            while let Some(open) = rest.find("{{") {
                pieces.push(Piece::Text(&rest[..open]));
                let Some(close) = rest[open..].find("}}") else {
                    return wrong("a `{{` has no `}}`".to_owned());
                };
                let name = rest[open + 2..open + close].trim();
                if !known.contains(&name) {
                    let known = known.join(", ");
                    return wrong(format!("there is no `{{{{ {name} }}}}`; there is {known}"));
                }
                seen.push(name);
                pieces.push(Piece::Place(name));
                rest = &rest[open + close + 2..];
            }
            pieces.push(Piece::Text(rest));
            messages.push((role, pieces));
        }
        if let Some(missing) = needed.iter().find(|name| !seen.contains(*name)) {
            return wrong(format!("the prompt never shows `{{{{ {missing} }}}}`"));
        }
        Ok(Self { messages })
    }

    /// The messages, with the values in their places; a name without a value leaves nothing.
    pub fn fill(&self, values: &[(&str, &str)]) -> Vec<Message> {
        let value =
            |name: &str| values.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value);
        self.messages
            .iter()
            .map(|(role, pieces)| {
                let content = pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => text,
                        Piece::Place(name) => value(name),
                    })
                    .collect();
                Message { role: *role, content }
            })
            .collect()
    }
}

/// The parts of a prompt by role; text before the first role is the user's.
fn parts(text: &str) -> Vec<(Role, &str)> {
    let mut parts = Vec::new();
    let (mut role, mut start, mut at) = (Role::User, 0, 0);
    for line in text.split_inclusive('\n') {
        let next = match line.trim() {
            "[system]" => Some(Role::System),
            "[user]" => Some(Role::User),
            "[assistant]" => Some(Role::Assistant),
            _ => None,
        };
        if let Some(next) = next {
            parts.push((role, &text[start..at]));
            (role, start) = (next, at + line.len());
        }
        at += line.len();
    }
    parts.push((role, &text[start..]));
    parts.retain(|(_, part)| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["question", "first", "second"];

    #[test]
    fn places_are_filled_once() {
        let text =
            "[system]\nBe fair.\n\n[user]\nQ: {{question}}\n1: {{ first }} 2: {{ second }}\n";
        let prompt = Prompt::read("prompt", text, &KNOWN, &["first", "second"]).unwrap();
        let values = [("first", "{{ second }} {{"), ("second", "two"), ("question", "why?")];
        let messages = prompt.fill(&values);
        let expected = [
            Message { role: Role::System, content: "Be fair.".to_owned() },
            Message { role: Role::User, content: "Q: why?\n1: {{ second }} {{ 2: two".to_owned() },
        ];
        assert_eq!(messages, expected);
    }

    #[test]
    fn a_prompt_that_cannot_work_says_why() {
        for (text, expected) in [
            ("  \n", "there is no prompt"),
            ("{{ frist }}", "no `{{ frist }}`; there is question, first, second"),
            ("{{ first }} {{ second", "no `}}`"),
            ("{{ first }}", "never shows `{{ second }}`"),
        ] {
            let error = Prompt::read("prompt", text, &KNOWN, &["first", "second"]).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
            assert!(error.message().contains("`config.prompt`"), "{error}");
        }
    }
}
