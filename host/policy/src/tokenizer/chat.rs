//! Chat templates: Jinja as transformers runs it, in minijinja with Python's string methods.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, context};
use serde_json::{Map, Value};

/// A compiled template with the special tokens it may name.
pub(super) struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    special: Vec<(String, String)>,
}

const NAME: &str = "chat_template";

impl ChatTemplate {
    pub(super) fn new(source: String, config: &Map<String, Value>) -> Result<Self, String> {
        let mut environment = Environment::new();
        // As transformers sets them.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|e| format!("chat_template: {e:#}"))?;
        environment.set_syntax(syntax);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, source.clone())
            .map_err(|e| format!("chat_template: {e:#}"))?;
        let special = ["bos_token", "eos_token", "pad_token", "unk_token"]
            .into_iter()
            .filter_map(|key| {
                let token = super::special_token(config.get(key)?)?;
                Some((key.to_owned(), token.to_owned()))
            })
            .collect();
        Ok(Self { environment, source, special })
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn render(
        &self,
        messages: &[(&str, &str)],
        add_generation_prompt: bool,
    ) -> Result<String, String> {
        let messages: Vec<_> =
            messages.iter().map(|&(role, content)| context! { role, content }).collect();
        let special = minijinja::Value::from_pairs(self.special.iter().cloned());
        self.environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! { messages, add_generation_prompt, ..special })
            })
            .map_err(|e| format!("{e:#}"))
    }
}

/// `chat_template` is a text, or a list of named ones of which `default` counts.
pub(super) fn default_template(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => list
            .iter()
            .find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"))
            .and_then(|entry| entry.get("template")?.as_str())
            .map(str::to_owned),
        _ => None,
    }
}
