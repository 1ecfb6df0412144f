//! `[models.NAME]` of `RUN.toml`: the language models that judges' questions go to.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, RunConfig};

/// A model that judges' questions go to: an endpoint, or a local folder or GGUF file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSource {
    /// The base URL of an OpenAI-compatible endpoint, as in `https://api.openai.com/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The model's name at that endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The environment variable that holds the endpoint's key; keys come from there alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// A Hugging Face folder of the Qwen2 family, run here on the CPU; relative to the run file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// A GGUF file of the Qwen2 or Llama family, run here on the CPU; relative to the run file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gguf: Option<PathBuf>,
    /// The folder with the GGUF file's tokenizer and chat template; absent, the file's own folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// Sampling temperature, instead of what the judge asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Longest answer in tokens, instead of what the judge asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Laid over the body of each request to the endpoint, as in `{ top_p = 0.9 }`.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Questions under way at a time.
    pub concurrency: u32,
    /// How long one request to the endpoint may take, its reply included.
    pub timeout_seconds: f64,
    /// How often a question is sent again after a failure that may pass.
    pub retries: u32,
    /// The wait before that; doubled each time, and spread by chance.
    pub backoff_seconds: f64,
    /// The longest wait. An endpoint that asks for a longer one (`Retry-After`) has failed.
    pub max_wait_seconds: f64,
    /// Tokens that the run may spend on this model, read and written ones together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<u64>,
    /// Money that the run may spend on this model, in the prices' currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money_budget: Option<f64>,
    /// Price of a million tokens read.
    #[serde(skip_serializing_if = "is_zero")]
    pub price_input: f64,
    /// Price of a million tokens written.
    #[serde(skip_serializing_if = "is_zero")]
    pub price_output: f64,
    /// Keep the questions' texts in `replies.jsonl` too, for people to read.
    pub record_questions: bool,
}

impl Default for ModelSource {
    fn default() -> Self {
        Self {
            endpoint: None,
            model: None,
            key_env: None,
            folder: None,
            gguf: None,
            tokenizer: None,
            temperature: None,
            max_tokens: None,
            extra: serde_json::Map::new(),
            concurrency: 8,
            timeout_seconds: 60.0,
            retries: 4,
            backoff_seconds: 0.5,
            max_wait_seconds: 120.0,
            token_budget: None,
            money_budget: None,
            price_input: 0.0,
            price_output: 0.0,
            record_questions: true,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl ModelSource {
    /// Takes over from `other` everything that changes no answer: how patiently it is asked, what
    /// it may cost, where its key is. A resumed run may have other values of those.
    pub fn operate_as(&mut self, other: &Self) {
        let theirs = other.clone();
        let mine = std::mem::replace(self, theirs);
        self.endpoint = mine.endpoint;
        self.model = mine.model;
        self.folder = mine.folder;
        self.gguf = mine.gguf;
        self.tokenizer = mine.tokenizer;
        self.temperature = mine.temperature;
        self.max_tokens = mine.max_tokens;
        self.extra = mine.extra;
    }

    /// Takes relative paths from the run file's folder.
    pub(super) fn place(&mut self, absolute: impl Fn(&Path) -> PathBuf) {
        for path in [&mut self.folder, &mut self.gguf, &mut self.tokenizer].into_iter().flatten() {
            *path = absolute(path);
        }
    }

    fn validate(&self, name: &str) -> Result<(), ConfigError> {
        let key = |field: &str| format!("models.{name}.{field}");
        let wrong = |field: &str, message: &str, help: &str| {
            Err(ConfigError::new(key(field), message).help(help))
        };
        let sources = [self.endpoint.is_some(), self.folder.is_some(), self.gguf.is_some()];
        if sources.iter().filter(|given| **given).count() != 1 {
            let message = "wants exactly one of `endpoint`, `folder` and `gguf`";
            return Err(ConfigError::new(format!("models.{name}"), message));
        }
        if self.endpoint.is_some() {
            if self.model.as_deref().unwrap_or_default().is_empty() {
                return wrong("model", "is missing", "name the model as the endpoint knows it");
            }
        } else {
            for (field, given) in [
                ("model", self.model.is_some()),
                ("key_env", self.key_env.is_some()),
                ("extra", !self.extra.is_empty()),
            ] {
                if given {
                    return wrong(field, "belongs to an `endpoint`", "leave it out");
                }
            }
        }
        if self.tokenizer.is_some() && self.gguf.is_none() {
            return wrong("tokenizer", "belongs to a `gguf` file", "leave it out");
        }
        if self.key_env.as_ref().is_some_and(|variable| variable.is_empty()) {
            return wrong("key_env", "is empty", "name an environment variable, or leave it out");
        }
        for field in ["model", "messages", "stream"] {
            if self.extra.contains_key(field) {
                return wrong("extra", &format!("may not set `{field}`"), "leave it out");
            }
        }
        let at_least = |field: &str, value: f64, low: f64| {
            if value.is_finite() && value >= low {
                return Ok(());
            }
            let message = format!("must be a number of at least {low}, not {value}");
            Err(ConfigError::new(key(field), message))
        };
        at_least("temperature", self.temperature.unwrap_or(0.0), 0.0)?;
        at_least("max_tokens", f64::from(self.max_tokens.unwrap_or(1)), 1.0)?;
        at_least("concurrency", f64::from(self.concurrency), 1.0)?;
        at_least("timeout_seconds", self.timeout_seconds, 0.001)?;
        at_least("backoff_seconds", self.backoff_seconds, 0.0)?;
        at_least("max_wait_seconds", self.max_wait_seconds, 0.0)?;
        at_least("money_budget", self.money_budget.unwrap_or(0.0), 0.0)?;
        at_least("price_input", self.price_input, 0.0)?;
        at_least("price_output", self.price_output, 0.0)?;
        for (field, value) in [
            ("timeout_seconds", self.timeout_seconds),
            ("backoff_seconds", self.backoff_seconds),
            ("max_wait_seconds", self.max_wait_seconds),
        ] {
            if value > 86_400.0 {
                return wrong(field, "is more than a day", "say it in seconds");
            }
        }
        if self.money_budget.is_some() && self.price_input == 0.0 && self.price_output == 0.0 {
            return wrong(
                "money_budget",
                "cannot be kept without prices",
                "set price_input and price_output, each for a million tokens",
            );
        }
        Ok(())
    }
}

impl RunConfig {
    /// Checks the models, and that tasks name one that there is.
    pub(super) fn validate_models(&self) -> Result<(), ConfigError> {
        for (name, model) in &self.models {
            model.validate(name)?;
        }
        for (index, task) in self.task.iter().enumerate() {
            let Some(name) = &task.judge_model else { continue };
            if !self.models.contains_key(name) {
                let known: Vec<&str> = self.models.keys().map(String::as_str).collect();
                let help = match known.as_slice() {
                    [] => format!("add a table: [models.{name}]"),
                    known => format!("this run has {}", known.join(", ")),
                };
                let message = format!("there is no model `{name}`");
                return Err(
                    ConfigError::new(format!("task.{index}.judge_model"), message).help(help)
                );
            }
        }
        Ok(())
    }

    /// The model that a task's judge asks: the one that it names, or the only one that there is.
    #[must_use]
    pub fn judge_model<'a>(&'a self, task: &'a super::Task) -> Option<&'a str> {
        match (&task.judge_model, self.models.len()) {
            (Some(name), _) => Some(name),
            (None, 1) => self.models.keys().next().map(String::as_str),
            (None, _) => None,
        }
    }
}
