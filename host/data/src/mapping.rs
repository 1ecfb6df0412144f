//! Mappings: what a dataset's columns come to, as a TOML file. Those of well-known datasets are
//! part of the program (host/data/mappings).

use std::path::Path;

use omni_pack::{Row, RowMessage};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::DataError;
use crate::expression::{Absent, Expression, Raw, kind, text};
use crate::settings::{LastMessage, Settings};

/// A mapping: what it is for, and settings to start from.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Its name.
    pub name: String,
    /// The dataset, in a few words.
    pub title: String,
    /// The dataset's licence, as far as it is known.
    pub licence: String,
    /// The task of the first-party packs that such rows are for.
    pub task: String,
    /// What is left out, and what else there is to know.
    pub note: String,
    /// Defaults for the settings of a dataset.
    pub settings: Settings,
}

/// The keys of a mapping file beside the settings.
#[derive(Deserialize)]
struct About {
    title: String,
    #[serde(default)]
    licence: String,
    #[serde(default)]
    task: String,
    #[serde(default)]
    note: String,
}

macro_rules! ready {
    ($($name:literal),* $(,)?) => {
        /// The ready mappings: name and text.
        const READY: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../mappings/", $name, ".toml")))),*];
    };
}

ready![
    "acecode",
    "aime24",
    "amc23",
    "bigcodebench",
    "code-r1-12k",
    "creative-writing-sharegpt",
    "gaokao2023en",
    "gsm8k",
    "humaneval",
    "livecodebench",
    "math500",
    "mbpp",
    "minerva-math",
    "mmlu-pro",
    "mt-bench",
    "olympiadbench",
    "open-instruct-rlvr",
    "openr1-math-220k",
    "reasoning-gym",
    "roll-code",
    "roll-math",
    "supergpqa",
    "svamp",
];

impl Mapping {
    /// A ready mapping by its name, or the mapping file at a path that ends in `.toml`.
    ///
    /// # Errors
    /// When there is none, or it says something wrong.
    pub fn find(name: &str) -> Result<Self, DataError> {
        if let Some((name, text)) = READY.iter().find(|(ready, _)| *ready == name) {
            return Self::parse(name, text);
        }
        if name.ends_with(".toml") {
            let path = Path::new(name);
            let text = std::fs::read_to_string(path).map_err(DataError::io(path))?;
            return Self::parse(name, &text);
        }
        let help = omni_pack::did_you_mean(name, Self::names());
        Err(DataError::setting(
            "mapping",
            format!("there is no mapping `{name}`; {help}; a file of one's own ends in .toml"),
        ))
    }

    /// The names of the ready mappings.
    pub fn names() -> impl Iterator<Item = &'static str> {
        READY.iter().map(|(name, _)| *name)
    }

    fn parse(name: &str, text: &str) -> Result<Self, DataError> {
        let wrong = |error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            DataError::setting("mapping", format!("{name}:{line}: {}", error.message()))
        };
        let mut table: toml::Table = toml::from_str(text).map_err(wrong)?;
        let about: About = toml::from_str(text).map_err(wrong)?;
        for key in ["title", "licence", "task", "note"] {
            table.remove(key);
        }
        let settings: Settings = toml::Value::Table(table).try_into().map_err(wrong)?;
        let files = !settings.references.is_empty()
            || (settings.file.is_some() && settings.hub.is_none())
            || settings.mapping.is_some()
            || settings.from.is_some()
            || settings.take.is_some();
        if files {
            return Err(DataError::setting(
                "mapping",
                format!(
                    "{name}: a mapping names no files, splits or further mappings of its own; \
                     they belong where it is used"
                ),
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            title: about.title,
            licence: about.licence,
            task: about.task,
            note: about.note,
            settings,
        })
    }
}

/// A mapping for rows that are at hand one by one.
#[derive(Debug, Clone)]
pub struct Mapper(Columns);

impl Mapper {
    /// That of a ready mapping, or of a mapping file. Only what it says of columns is used: nothing
    /// is filtered or chosen.
    ///
    /// # Errors
    /// When there is none, or it says something wrong.
    pub fn find(name: &str) -> Result<Self, DataError> {
        let settings = Mapping::find(name)?.settings;
        match Columns::read(&settings)? {
            Some(columns) => Ok(Self(columns)),
            None => Err(DataError::setting("mapping", format!("`{name}` says nothing of columns"))),
        }
    }

    /// The row that columns come to; `number` is its id where it has none.
    ///
    /// # Errors
    /// Why they do not fit.
    pub fn row(&self, columns: &Map<String, Value>, number: usize) -> Result<Row, String> {
        let mapped = self.0.map(columns)?;
        Ok(Row {
            id: mapped.id.unwrap_or_else(|| number.to_string()),
            messages: mapped.messages,
            reference: mapped.reference,
            data: mapped.data,
        })
    }
}

/// A mapping's columns, read.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    id: Option<Expression>,
    prompt: Option<Expression>,
    reference: Option<Expression>,
    data: Option<Expression>,
    fields: Vec<(Vec<String>, Expression)>,
    system: Option<String>,
    system_beside: bool,
    last_message: LastMessage,
}

/// A row's parts, before any template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mapped {
    pub(crate) id: Option<String>,
    pub(crate) messages: Vec<RowMessage>,
    pub(crate) reference: Option<String>,
    pub(crate) data: Map<String, Value>,
}

const KEYS: [&str; 5] = ["id", "prompt", "messages", "reference", "data"];

impl Columns {
    /// The columns of some settings; none where the rows are already in their own form.
    pub(crate) fn read(settings: &Settings) -> Result<Option<Self>, DataError> {
        if settings.columns.is_empty() {
            if settings.last_message.is_some() || settings.system.is_some() {
                // Both work on rows in their own form, once these are read as a mapping would.
                let own = ["id?", "messages?", "prompt?", "reference?", "data?"];
                let columns = own.map(|name| (name.trim_end_matches('?').to_owned(), name.into()));
                let mut settings = settings.clone();
                settings.columns = columns.into_iter().collect();
                settings.columns.remove("prompt");
                settings.columns.insert(
                    "messages".to_owned(),
                    Value::Array(vec!["messages".into(), "prompt?".into()]),
                );
                return Self::read(&settings);
            }
            return Ok(None);
        }
        let expression = |key: &str| {
            let found = settings.columns.get(key);
            found.map(|it| Expression::read(&format!("columns.{key}"), it)).transpose()
        };
        let prompt = match (expression("prompt")?, expression("messages")?) {
            (Some(_), Some(_)) => {
                return Err(DataError::setting(
                    "columns.prompt",
                    "stands beside `columns.messages`; keep one",
                ));
            }
            (prompt, messages) => prompt.or(messages),
        };
        let mut fields = Vec::new();
        for (key, value) in &settings.columns {
            if KEYS.contains(&key.as_str()) {
                continue;
            }
            let Some(path) = key.strip_prefix("data.").filter(|path| !path.is_empty()) else {
                let help = omni_pack::did_you_mean(key, KEYS);
                return Err(DataError::setting(
                    format!("columns.{key}"),
                    format!("no part of a row, which has {} and data.…; {help}", KEYS.join(", ")),
                ));
            };
            let path = path.split('.').map(str::to_owned).collect();
            fields.push((path, Expression::read(&format!("columns.{key}"), value)?));
        }
        Ok(Some(Self {
            id: expression("id")?,
            prompt,
            reference: expression("reference")?,
            data: expression("data")?,
            fields,
            system: settings.system.clone().filter(|system| !system.is_empty()),
            system_beside: settings.system_beside.unwrap_or_default(),
            last_message: settings.last_message.unwrap_or_default(),
        }))
    }

    /// Every expression.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let parts = [&self.id, &self.prompt, &self.reference, &self.data];
        parts.into_iter().flatten().chain(self.fields.iter().map(|(_, field)| field))
    }

    /// The messages of user and assistant that a row has, an answer at their end among them.
    pub(crate) fn turns(&self, row: &Raw) -> Result<usize, String> {
        Ok(self.messages(row)?.iter().filter(|message| message.role != "system").count())
    }

    fn messages(&self, row: &Raw) -> Result<Vec<RowMessage>, String> {
        match value("prompt", self.prompt.as_ref(), row)? {
            None => Ok(Vec::new()),
            Some(prompt) => conversation(&prompt),
        }
    }

    /// A row's parts, or why it does not fit.
    pub(crate) fn map(&self, row: &Raw) -> Result<Mapped, String> {
        let id = match value("id", self.id.as_ref(), row)? {
            None => None,
            Some(id) => Some(text(&id).map_err(|error| format!("`id` {error}"))?),
        };
        let mut messages = self.messages(row)?;
        let mut reference = match value("reference", self.reference.as_ref(), row)? {
            None => None,
            Some(found) => {
                let found = text(&found).map_err(|error| format!("`reference` {error}"))?;
                if found.trim().is_empty() {
                    return Err("`reference` is empty".to_owned());
                }
                Some(found)
            }
        };
        let ends_with_answer = messages.last().is_some_and(|last| last.role == "assistant");
        match self.last_message {
            LastMessage::Keep => {}
            LastMessage::Drop if ends_with_answer => {
                messages.pop();
            }
            LastMessage::Drop => {}
            LastMessage::Reference if ends_with_answer => {
                let answer = messages.pop().map(|message| message.content).unwrap_or_default();
                if answer.trim().is_empty() {
                    return Err("the assistant's last message is empty".to_owned());
                }
                reference = Some(answer);
            }
            LastMessage::Reference => {
                return Err("the last message is not the assistant's".to_owned());
            }
        }
        if self.prompt.is_some() && !messages.iter().any(|message| message.role == "user") {
            return Err("`prompt` has no message of the user's".to_owned());
        }
        if let Some(system) = self.system.as_ref().filter(|_| !messages.is_empty()) {
            match messages.iter_mut().find(|message| message.role == "system") {
                None => {
                    let content = system.clone();
                    messages.insert(0, RowMessage { role: "system".to_owned(), content });
                }
                Some(own) if self.system_beside => {
                    own.content = format!("{}\n\n{system}", own.content.trim_end());
                }
                Some(_) => {}
            }
        }
        let mut data = match value("data", self.data.as_ref(), row)? {
            None => Map::new(),
            Some(Value::Object(data)) => data,
            Some(other) => return Err(format!("`data` is {}, not a struct", kind(&other))),
        };
        for (path, expression) in &self.fields {
            let key = || format!("data.{}", path.join("."));
            if let Some(found) = value(&key(), Some(expression), row)? {
                put(&mut data, path, found).map_err(|error| format!("`{}`: {error}", key()))?;
            }
        }
        Ok(Mapped { id, messages, reference, data })
    }
}

fn value(key: &str, expression: Option<&Expression>, row: &Raw) -> Result<Option<Value>, String> {
    match expression.map(|expression| expression.of(row)) {
        None | Some(Err(Absent::Allowed)) => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(Absent::Misfit(reason))) => Err(format!("`{key}`: {reason}")),
    }
}

fn put(data: &mut Map<String, Value>, path: &[String], value: Value) -> Result<(), String> {
    match path {
        [] => Ok(()),
        [last] => {
            data.insert(last.clone(), value);
            Ok(())
        }
        [first, rest @ ..] => {
            let below = data.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            match below {
                Value::Object(below) => put(below, rest, value),
                other => Err(format!("`{first}` is {} already", kind(other))),
            }
        }
    }
}

/// A prompt's messages: a text is the user's; a list holds `{role, content}`, or ShareGPT's
/// `{from, value}`.
fn conversation(value: &Value) -> Result<Vec<RowMessage>, String> {
    let items = match value {
        Value::Array(items) => items,
        other => {
            let content = text(other).map_err(|error| format!("`prompt` {error}"))?;
            if content.trim().is_empty() {
                return Err("`prompt` is empty".to_owned());
            }
            return Ok(vec![RowMessage { role: "user".to_owned(), content }]);
        }
    };
    let messages: Result<Vec<RowMessage>, String> = items.iter().map(message).collect();
    let messages = messages?;
    if messages.is_empty() {
        return Err("`prompt` is an empty list".to_owned());
    }
    Ok(messages)
}

fn message(item: &Value) -> Result<RowMessage, String> {
    let Value::Object(fields) = item else {
        return Err(format!("`prompt` holds {}, not messages", kind(item)));
    };
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| fields.get(name));
    let role = first(["role", "from"])
        .and_then(Value::as_str)
        .ok_or_else(|| "a message has neither `role` nor `from`".to_owned())?;
    let role = match role.to_lowercase().as_str() {
        "system" | "developer" => "system",
        "user" | "human" => "user",
        "assistant" | "gpt" | "model" | "bot" | "chatgpt" => "assistant",
        _ => return Err(format!("a message's role is `{role}`")),
    };
    let content = match first(["content", "value"]) {
        Some(Value::String(content)) => content.clone(),
        // Parts, as multimodal messages have them: only texts can be read.
        Some(Value::Array(parts)) => {
            let texts: Option<Vec<&str>> =
                parts.iter().map(|part| part.get("text").and_then(Value::as_str)).collect();
            texts.ok_or_else(|| "a message holds more than text".to_owned())?.concat()
        }
        Some(other) => return Err(format!("a message's content is {}", kind(other))),
        None => return Err("a message has neither `content` nor `value`".to_owned()),
    };
    if role == "user" && content.trim().is_empty() {
        return Err("a message of the user's is empty".to_owned());
    }
    Ok(RowMessage { role: role.to_owned(), content })
}
