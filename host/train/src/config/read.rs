//! Reads a configuration: preset, then file, then overrides; every error with its place.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::error::nearest;
use super::{ConfigError, Preset, RunConfig, WarmupConfig};

impl RunConfig {
    /// Reads a run file and puts preset, file and `key=value` overrides on top of each other.
    /// Relative paths in it are taken from the file's folder.
    ///
    /// # Errors
    /// What is wrong, with file, line and key, or with the override that brought it in.
    pub fn resolve(file: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        Self::from_text(&read(file)?, file, overrides)
    }

    /// As [`RunConfig::resolve`], the file's text being at hand.
    ///
    /// # Errors
    /// As [`RunConfig::resolve`].
    pub fn from_text(text: &str, file: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let (mut config, source): (Self, _) = layered(text, file, overrides, |table| {
            let preset: Option<Preset> =
                table.get("preset").and_then(|p| p.clone().try_into().ok());
            preset.map(Preset::toml)
        })?;
        config.validate().map_err(|e| source.place(e))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.policy.model = absolute(folder, &config.policy.model);
        config.policy.continue_from = config.policy.continue_from.map(|p| absolute(folder, &p));
        config.schedule.evidence = config.schedule.evidence.map(|p| absolute(folder, &p));
        for model in config.models.values_mut() {
            model.place(|path| absolute(folder, path));
        }
        for data in config.task.iter_mut().flat_map(|t| t.data.values_mut()) {
            data.resolve(&|path| absolute(folder, path));
        }
        Ok(config)
    }

    /// The resolved configuration as TOML; reads back identically.
    ///
    /// # Errors
    /// When a value has no TOML form: a null in a plugin's configuration.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|e| ConfigError {
            file: None,
            line: None,
            key: None,
            message: format!("this configuration cannot be written as TOML: {e}"),
            help: Some("a plugin's configuration may not hold null".into()),
        })
    }
}

impl WarmupConfig {
    /// Reads a warm-up file and puts `key=value` overrides above it.
    /// Relative paths in it are taken from the file's folder.
    ///
    /// # Errors
    /// What is wrong, with file, line and key, or with the override that brought it in.
    pub fn resolve(file: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let text = read(file)?;
        let (mut config, source): (Self, _) = layered(&text, file, overrides, |_| None)?;
        config.validate().map_err(|e| source.place(e))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.from = config.from.map(|p| absolute(folder, &p));
        Ok(config)
    }
}

/// Reads another file of settings (a study's) as run files are read: with `key=value` overrides above
/// it, unknown keys being errors, and what `check` finds wrong placed in the file.
///
/// # Errors
/// As [`RunConfig::resolve`].
pub fn read_settings<T: DeserializeOwned>(
    file: &Path,
    overrides: &[String],
    check: impl FnOnce(&T) -> Result<(), ConfigError>,
) -> Result<T, ConfigError> {
    let text = read(file)?;
    let (settings, source) = layered(&text, file, overrides, |_| None)?;
    check(&settings).map_err(|e| source.place(e))?;
    Ok(settings)
}

fn read(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file).map_err(|e| ConfigError {
        file: Some(file.to_owned()),
        line: None,
        key: None,
        message: format!("cannot be read: {e}"),
        help: None,
    })
}

fn absolute(folder: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        return PathBuf::new();
    }
    let joined = folder.join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}

/// The text that an error is to be placed in.
struct Source<'a> {
    text: &'a str,
    file: &'a Path,
}

fn layered<'a, T: DeserializeOwned>(
    text: &'a str,
    file: &'a Path,
    overrides: &[String],
    preset: impl Fn(&Table) -> Option<&'static str>,
) -> Result<(T, Source<'a>), ConfigError> {
    let source = Source { text, file };
    // The file alone first: only then do errors have a place in it.
    toml::from_str::<T>(text).map_err(|e| source.explain(&e))?;
    let file_table: Table = toml::from_str(text).map_err(|e| source.explain(&e))?;

    let mut chosen = file_table.clone();
    for assignment in overrides.iter().filter(|o| o.starts_with("preset")) {
        assign::<T>(&mut chosen, assignment)?;
    }
    let mut merged = match preset(&chosen) {
        Some(settings) => toml::from_str(settings).map_err(|e| source.explain(&e))?,
        None => Table::new(),
    };
    merge(&mut merged, file_table);
    for assignment in overrides {
        assign::<T>(&mut merged, assignment)?;
    }
    let config =
        Value::Table(merged).try_into().map_err(|e: toml::de::Error| source.explain(&e))?;
    Ok((config, source))
}

fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(b)), Value::Table(a)) => merge(b, a),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// Sets `a.b.c=value`; a list's entry is named by its index, its `name` or the task it uses.
fn assign<T: DeserializeOwned>(table: &mut Table, assignment: &str) -> Result<(), ConfigError> {
    let Some((path, text)) = assignment.split_once('=') else {
        return Err(ConfigError::new(assignment, "an override is written key=value"));
    };
    let path = path.trim();
    let value = toml::from_str::<Table>(&format!("v = {text}"))
        .ok()
        .and_then(|mut t| t.remove("v"))
        .unwrap_or_else(|| Value::String(text.trim().to_owned()));
    let mut segments: Vec<&str> = path.split('.').collect();
    let Some(last) = segments.pop() else {
        return Err(ConfigError::new(path, "an override needs a key"));
    };
    let mut at = &mut *table;
    let mut rest = segments.iter();
    while let Some(segment) = rest.next() {
        let next = at.entry((*segment).to_owned()).or_insert_with(|| Value::Table(Table::new()));
        at = match next {
            Value::Table(t) => t,
            Value::Array(entries) => {
                let Some(name) = rest.next() else {
                    return Err(ConfigError::new(path, format!("`{segment}` is a list"))
                        .help(format!("say which entry: `{segment}.NAME.{last}`")));
                };
                entry(entries, name).ok_or_else(|| {
                    ConfigError::new(path, format!("`{segment}` has no entry `{name}`")).help(
                        "an entry is named by its position from 0, its `name` or what it uses",
                    )
                })?
            }
            _ => return Err(ConfigError::new(path, format!("`{segment}` is not a table"))),
        };
    }
    at.insert(last.to_owned(), value);
    // Read again after each, so that an error names the override that brought it in.
    Value::Table(table.clone()).try_into::<T>().map(drop).map_err(|e| {
        let (message, help) = friendly(e.message());
        ConfigError { file: None, line: None, key: Some(path.to_owned()), message, help }
    })
}

fn entry<'t>(entries: &'t mut [Value], name: &str) -> Option<&'t mut Table> {
    let by_index = name.parse::<usize>().ok();
    entries.iter_mut().enumerate().find_map(|(i, value)| {
        let table = value.as_table_mut()?;
        let named = |key: &str| {
            table
                .get(key)
                .and_then(Value::as_str)
                .is_some_and(|s| s == name || s.rsplit('/').next() == Some(name))
        };
        (by_index == Some(i) || named("name") || named("use")).then_some(table)
    })
}

impl Source<'_> {
    fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let (message, help) = friendly(error.message());
        let span = error.span();
        ConfigError {
            file: Some(self.file.to_owned()),
            line: span.as_ref().map(|s| line_of(self.text, s.start)),
            key: span.and_then(|s| self.key_at(s)),
            message,
            help,
        }
    }

    /// Gives an error about a key its place in the file, where the file has that key.
    fn place(&self, mut error: ConfigError) -> ConfigError {
        error.file = Some(self.file.to_owned());
        if let (Some(key), Ok(table)) = (&error.key, DeTable::parse(self.text)) {
            let path: Vec<&str> = key.split('.').collect();
            error.line = span_of(table.get_ref(), &path).map(|s| line_of(self.text, s.start));
        }
        error
    }

    fn key_at(&self, span: Range<usize>) -> Option<String> {
        let table = DeTable::parse(self.text).ok()?;
        let mut path = Vec::new();
        find(table.get_ref(), span.start, &mut path).then(|| path.join("."))
    }
}

/// The dotted key whose name or value covers a byte of the text.
fn find(table: &DeTable<'_>, at: usize, path: &mut Vec<String>) -> bool {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        let below = match value.get_ref() {
            DeValue::Table(t) => find(t, at, path),
            DeValue::Array(entries) => entries.iter().enumerate().any(|(i, e)| {
                let DeValue::Table(t) = e.get_ref() else { return false };
                path.push(i.to_string());
                let found = find(t, at, path);
                if !found {
                    path.pop();
                }
                found
            }),
            _ => false,
        };
        if below || key.span().contains(&at) || value.span().contains(&at) {
            return true;
        }
        path.pop();
    }
    false
}

/// The span of the deepest part of `path` that the file holds.
fn span_of(table: &DeTable<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (key, value) = table.iter().find(|(k, _)| Some(&&**k.get_ref()) == path.first())?;
    let rest = &path[1..];
    let deeper = match value.get_ref() {
        DeValue::Table(t) => span_of(t, rest),
        DeValue::Array(entries) => {
            rest.first().and_then(|i| i.parse::<usize>().ok()).and_then(|i| {
                let entry = entries.get(i)?;
                let DeValue::Table(t) = entry.get_ref() else { return None };
                span_of(t, &rest[1..]).or(Some(entry.span()))
            })
        }
        _ => None,
    };
    deeper.or(Some(key.span()))
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count()
}

/// Serde's message, and what was probably meant.
fn friendly(message: &str) -> (String, Option<String>) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let a_list = message.contains("invalid type") && message.contains("expected a sequence");
    let help = match quoted.split_first() {
        _ if a_list => Some("a list is written [\"a\", \"b\"]".into()),
        Some((word, known)) if message.starts_with("unknown ") => {
            Some(nearest(word, known.iter().copied()).map_or_else(
                || format!("known: {}", known.join(", ")),
                |k| format!("did you mean `{k}`?"),
            ))
        }
        _ => None,
    };
    let message = match (&help, quoted.first()) {
        (Some(_), Some(word)) if message.starts_with("unknown field") => {
            format!("unknown key `{word}`")
        }
        (Some(_), Some(word)) => format!("unknown value `{word}`"),
        _ => message.trim().to_owned(),
    };
    (message, help)
}
