//! What is said of a dataset: in a run file's table, or in a mapping, which is a set of defaults
//! for the same keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::DataError;
use crate::mapping::Mapping;

/// A dataset's settings. All are optional; docs/data.md says what each is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A file, or several by `*` in its name; with `hub`, files within the dataset.
    pub file: Option<PathBuf>,
    /// A dataset on the Hugging Face hub: `owner/name`.
    pub hub: Option<String>,
    /// The dataset's configuration.
    pub config: Option<String>,
    /// The dataset's split.
    pub split: Option<String>,
    /// The branch, tag or commit. Default: `main`.
    pub revision: Option<String>,
    /// What the files are; by default their names say it.
    pub format: Option<Format>,
    /// The key that holds the rows of a JSON file whose top is an object.
    pub rows: Option<String>,
    /// A ready mapping's name, or a mapping file.
    pub mapping: Option<String>,
    /// Where the parts of a row come from, over the mapping's.
    pub columns: Map<String, Value>,
    /// A system message for rows that have none.
    pub system: Option<String>,
    /// A row that has a system message gets `system` behind it.
    pub system_beside: Option<bool>,
    /// What becomes of an assistant's message that a row's messages end with.
    pub last_message: Option<LastMessage>,
    /// Files with the answers of other models, by the names under which they are kept.
    pub references: BTreeMap<String, PathBuf>,
    /// How rows of `references` are found.
    pub join: Option<Join>,
    /// Conditions that a row must meet, after the mapping's.
    pub filter: Vec<FilterSettings>,
    /// The longest prompt, in the policy's tokens.
    pub max_tokens: Option<usize>,
    /// The most messages of user and assistant together, an answer among them counted.
    pub max_turns: Option<usize>,
    /// How many rows to take; which ones depends on `seed` and their ids alone.
    pub limit: Option<usize>,
    /// A part of the row by whose values `limit` is shared out in proportion; empty: by none.
    pub proportional: Option<String>,
    /// The seed of what is chosen by chance.
    pub seed: Option<u64>,
    /// The fraction of rows that may fail to fit before it is an error.
    pub max_misfits: Option<f64>,
    /// Another split that these rows are taken from.
    pub from: Option<String>,
    /// How many rows to take from it.
    pub take: Option<usize>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// An object a line.
    Jsonl,
    /// A list of objects, or an object that holds one.
    Json,
    /// Apache Parquet.
    Parquet,
}

/// What becomes of an assistant's message that a row's messages end with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LastMessage {
    /// It stays in the prompt.
    #[default]
    Keep,
    /// It is the reference, and a row without one does not fit.
    Reference,
    /// It is left out.
    Drop,
}

/// How rows of `references` are found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The column, of both files, that must be equal; of a list, the first that a file has.
    pub key: Value,
    /// The answer in the other file: a text, or a list of texts by turn.
    pub value: Value,
}

/// A condition that a row must meet to be kept.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterSettings {
    /// What the counts call it.
    pub name: Option<String>,
    /// The value looked at: an expression over the row as read …
    pub column: Option<Value>,
    /// … or a part of the mapped row: `id`, `prompt`, `reference`, `data.…`.
    pub field: Option<String>,
    /// It is this.
    pub equals: Option<Value>,
    /// It is one of these.
    #[serde(rename = "in")]
    pub is_in: Option<Vec<Value>>,
    /// It is none of these.
    pub not_in: Option<Vec<Value>>,
    /// Its text holds one of these.
    pub contains: Option<Vec<String>>,
    /// Its text holds none of these.
    pub excludes: Option<Vec<String>>,
    /// It is at least this: numbers by size, texts by their letters.
    pub at_least: Option<Value>,
    /// It is less than this.
    pub below: Option<Value>,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
}

impl Settings {
    /// Reads a run file's table, handed on as JSON.
    ///
    /// # Errors
    /// With the key that is wrong.
    pub fn from_json(value: Value) -> Result<Self, DataError> {
        serde_json::from_value(value).map_err(|error| DataError::setting("data", error.to_string()))
    }

    /// A file of rows in the form that needs no mapping.
    #[must_use]
    pub fn of_file(file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), ..Self::default() }
    }

    /// These settings over those of the mapping that they name.
    pub(crate) fn over_mapping(&self) -> Result<Self, DataError> {
        let Some(name) = &self.mapping else { return Ok(self.clone()) };
        let mapping = Mapping::find(name)?;
        let mut all = mapping.settings;
        let own = self.clone();
        // What the mapping says of its place on the hub holds for the hub alone.
        if own.file.is_some() && own.hub.is_none() {
            (all.hub, all.file, all.config, all.split) = (None, None, None, None);
        }
        fn over<T>(under: &mut Option<T>, over: Option<T>) {
            if over.is_some() {
                *under = over;
            }
        }
        if own.hub.is_some() && own.hub != all.hub {
            (all.file, all.config) = (None, None);
        }
        over(&mut all.file, own.file);
        over(&mut all.hub, own.hub);
        over(&mut all.config, own.config);
        over(&mut all.split, own.split);
        over(&mut all.revision, own.revision);
        over(&mut all.format, own.format);
        over(&mut all.rows, own.rows);
        over(&mut all.system, own.system);
        over(&mut all.system_beside, own.system_beside);
        over(&mut all.last_message, own.last_message);
        over(&mut all.join, own.join);
        over(&mut all.max_tokens, own.max_tokens);
        over(&mut all.max_turns, own.max_turns);
        over(&mut all.limit, own.limit);
        over(&mut all.proportional, own.proportional);
        over(&mut all.seed, own.seed);
        over(&mut all.max_misfits, own.max_misfits);
        all.mapping = own.mapping;
        all.columns.extend(own.columns);
        all.references.extend(own.references);
        all.filter.extend(own.filter);
        (all.from, all.take) = (own.from, own.take);
        Ok(all)
    }
}
