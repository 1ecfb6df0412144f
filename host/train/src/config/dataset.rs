//! Where the rows of a split come from: `[[task]] data.SPLIT`, a file's path or a table.
//!
//! What the settings mean is carried out elsewhere (`omni-data`); here they have their names, types
//! and paths. docs/data.md says more of each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The rows of a split.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Data {
    /// A file of rows in the form that needs no mapping: JSON Lines, unless its name says another
    /// format.
    File(PathBuf),
    /// A dataset.
    Table(Box<Dataset>),
    /// Several, one after the other; each is a file's path or a table.
    List(Vec<Data>),
}

/// A dataset, how its columns make rows, and which rows are taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dataset {
    /// A file (.jsonl, .json, .parquet), or several by `*` in its name; relative to the run file.
    /// With `hub`, a path within the dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// A dataset on the Hugging Face hub: `owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    /// The dataset's configuration, with `hub`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The dataset's split, with `hub`; by default `train`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The dataset's branch, tag or commit, with `hub`; by default `main`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What the files are, where their names do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<DataFormat>,
    /// The key that holds the rows of a JSON file whose top is an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// A ready mapping by its name, or a mapping file (`….toml`, relative to the run file), whose
    /// settings these go over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// Where the parts of a row come from: `id`, `prompt` or `messages`, `reference`, `data`,
    /// `data.NAME`, each a column or an expression over columns.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub columns: serde_json::Map<String, serde_json::Value>,
    /// A system message for rows that have none; empty: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// What becomes of an assistant's message that a row's messages end with; by default `keep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message: Option<LastMessage>,
    /// Files with other models' answers, by the names under which `data.references` has them;
    /// relative to the run file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<String, PathBuf>,
    /// How rows of `references` are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<DataJoin>,
    /// Conditions that a row must meet, after the mapping's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filter: Vec<DataFilter>,
    /// The longest prompt, in tokens of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The most messages of user and assistant together, an answer among them counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// How many rows to take; which ones depends on `seed` and their ids alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The part of a row (`data.category`, say) by whose values `limit` or `take` is shared out in
    /// proportion; empty: by none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proportional: Option<String>,
    /// The seed of what is chosen by chance; by default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// The fraction of rows that may fail to fit before that is an error; by default 0.05 with a
    /// mapping or columns, 0 without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_misfits: Option<f64>,
    /// Another split of the task, of whose rows `take` are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How many rows to take from it; it has them no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
}

/// What a data file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataFormat {
    /// An object a line.
    Jsonl,
    /// A list of objects, or an object that holds one.
    Json,
    /// Apache Parquet.
    Parquet,
}

/// What becomes of an assistant's message that a row's messages end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LastMessage {
    /// It stays in the prompt.
    Keep,
    /// It is the reference.
    Reference,
    /// It is left out.
    Drop,
}

/// How rows of `references` are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataJoin {
    /// The column, of both files, that must be equal.
    pub key: String,
    /// The answer in the other file: an expression for a text, or a list of texts by turn.
    pub value: serde_json::Value,
}

/// A condition that a row must meet to be kept. All that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataFilter {
    /// What the counts call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The value looked at: a column or an expression over the row as read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<serde_json::Value>,
    /// Instead of `column`, a part of the mapped row: `id`, `prompt`, `reference` or `data.NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// It is this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<serde_json::Value>,
    /// It is one of these.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub is_in: Option<Vec<serde_json::Value>>,
    /// It is none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_in: Option<Vec<serde_json::Value>>,
    /// Its text holds one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<Vec<String>>,
    /// Its text holds none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excludes: Option<Vec<String>>,
    /// It is at least this: numbers by size, texts by their letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<serde_json::Value>,
    /// It is less than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<serde_json::Value>,
    /// Upper and lower case are the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
}

impl Data {
    /// Makes the paths of files on this machine absolute, from `folder`.
    pub(crate) fn resolve(&mut self, absolute: &dyn Fn(&Path) -> PathBuf) {
        match self {
            Self::File(file) => *file = absolute(file),
            Self::Table(dataset) => {
                if let (Some(file), None) = (&mut dataset.file, &dataset.hub) {
                    *file = absolute(file);
                }
                for file in dataset.references.values_mut() {
                    *file = absolute(file);
                }
                if let Some(mapping) = &mut dataset.mapping
                    && mapping.ends_with(".toml")
                {
                    *mapping = absolute(Path::new(mapping)).to_string_lossy().into_owned();
                }
            }
            Self::List(all) => {
                for data in all {
                    data.resolve(absolute);
                }
            }
        }
    }

    /// As datasets' settings.
    #[must_use]
    pub fn datasets(&self) -> Vec<Dataset> {
        match self {
            Self::File(file) => {
                let named = file.extension().is_some_and(|it| it == "json" || it == "parquet");
                vec![Dataset {
                    file: Some(file.clone()),
                    format: (!named).then_some(DataFormat::Jsonl),
                    ..Dataset::default()
                }]
            }
            Self::Table(dataset) => vec![(**dataset).clone()],
            Self::List(all) => all.iter().flat_map(Self::datasets).collect(),
        }
    }
}

/// By hand, so that an error in a table is about its key, and not about the choice.
impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Data;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "a file's path, a table with `file`, `hub`, `mapping` or `from`, or a list of \
                     those"
                )
            }

            fn visit_str<E>(self, path: &str) -> Result<Data, E> {
                Ok(Data::File(path.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
                let dataset = Dataset::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Data::Table(Box::new(dataset)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
                let mut all = Vec::new();
                while let Some(data) = items.next_element()? {
                    if matches!(data, Data::List(_)) {
                        return Err(A::Error::custom("a list in a list is no dataset"));
                    }
                    all.push(data);
                }
                if all.is_empty() {
                    return Err(A::Error::custom("an empty list is no dataset"));
                }
                Ok(Data::List(all))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::super::RunConfig;
    use super::*;

    fn read(data: &str) -> Result<RunConfig, String> {
        let text =
            format!("[policy]\nmodel = \"m\"\n[[task]]\nuse = \"math\"\n[task.data]\n{data}\n");
        RunConfig::from_text(&text, Path::new("/runs/run.toml"), &[]).map_err(|it| it.to_string())
    }

    #[test]
    fn paths_and_tables_are_read_written_and_made_absolute() {
        let config = read(
            "train = \"rows.jsonl\"\n\
             test = { file = \"a/*.parquet\", mapping = \"own.toml\", limit = 3 }\n\
             more = { hub = \"o/n\", file = \"test5.jsonl\", references = { g = \"g.jsonl\" } }\n\
             validation = { from = \"train\", take = 20 }\n\
             both = [\"a.jsonl\", { mapping = \"amc23\" }]\n",
        )
        .unwrap();
        let data = &config.task[0].data;
        assert_eq!(data["train"], Data::File("/runs/rows.jsonl".into()));
        let test = data["test"].datasets().remove(0);
        assert_eq!(test.file.unwrap(), Path::new("/runs/a/*.parquet"));
        assert_eq!(test.mapping.unwrap(), "/runs/own.toml");
        let more = data["more"].datasets().remove(0);
        assert_eq!(more.file.unwrap(), Path::new("test5.jsonl"));
        assert_eq!(more.references["g"], Path::new("/runs/g.jsonl"));
        let both = data["both"].datasets();
        assert_eq!(both[0].file.as_deref(), Some(Path::new("/runs/a.jsonl")));
        assert_eq!(both[1].mapping.as_deref(), Some("amc23"));
        let again: RunConfig = toml::from_str(&config.to_toml().unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn errors_are_about_the_key() {
        let error = read("train = { file = \"x\", limt = 3 }").unwrap_err();
        assert!(error.contains("limt") && error.contains("limit"), "{error}");
        assert!(error.contains("run.toml:6"), "{error}");
        let error = read("train = 3").unwrap_err();
        assert!(error.contains("a file's path, a table"), "{error}");
        assert!(read("train = []").unwrap_err().contains("an empty list"));
        assert!(read("train = [[\"a.jsonl\"]]").unwrap_err().contains("a list in a list"));
    }
}
