//! Where a run's problems come from: task plugins, or files of rows with a template.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use omni_pack::{ItemSource, Row, Template};
use omni_record::Item;
use omni_runtime::TaskPlugin;
use omni_train::outside::{OutsideError, Problems, Split};
use serde_json::{Map, Value, json};

use crate::engine::Engine;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::task;

/// Items asked of a plugin in one call; its limits are those of a call.
const ITEMS_PER_CALL: u32 = 256;

/// The problems of a run's tasks, by their index.
pub(crate) struct Sources {
    tasks: Vec<Source>,
}

/// One task's problems.
enum Source {
    Plugin { plugin: TaskPlugin, config: String, template: Option<Template> },
    Rows(BTreeMap<String, Vec<Item>>),
}

/// What a run file says of a task's problems.
pub(crate) struct Wanted<'a> {
    /// The pack's task.
    pub(crate) pack: &'a omni_pack::Task,
    /// Files of rows by split, instead of the pack's source.
    pub(crate) data: BTreeMap<String, PathBuf>,
    /// Laid over the source's configuration.
    pub(crate) config: &'a Map<String, Value>,
}

impl Sources {
    /// Loads the sources of some tasks.
    pub(crate) fn open(engine: &Engine, wanted: &[Wanted<'_>]) -> Outcome<Self> {
        let tasks = wanted.iter().map(|one| Source::open(engine, one)).collect::<Outcome<_>>()?;
        Ok(Self { tasks })
    }

    fn task(&self, index: usize) -> Result<&Source, OutsideError> {
        self.tasks.get(index).ok_or_else(|| format!("there is no task {index}").into())
    }
}

impl Source {
    fn open(engine: &Engine, wanted: &Wanted<'_>) -> Outcome<Self> {
        let template = wanted.pack.template.clone();
        if !wanted.data.is_empty() {
            return Self::rows(&wanted.data, template.as_ref());
        }
        match &wanted.pack.source {
            Some(ItemSource::Component(component, config)) => {
                let mut config = config.clone();
                config.extend(wanted.config.clone());
                let plugin = engine.task(component)?;
                let config = Value::Object(config).to_string();
                Ok(Self::Plugin { plugin, config, template })
            }
            Some(ItemSource::Data(files)) => Self::rows(files, template.as_ref()),
            None => Err(Fault::input(format!(
                "task `{}` has no problems of its own: give files of rows with \
                 `data = {{ train = \"…\", test = \"…\" }}`",
                wanted.pack.qualified()
            ))),
        }
    }

    fn rows(files: &BTreeMap<String, PathBuf>, template: Option<&Template>) -> Outcome<Self> {
        let mut splits = BTreeMap::new();
        for (split, file) in files {
            let rows = omni_pack::rows::read(file, template).or_input()?;
            let items: Outcome<Vec<Item>> = rows
                .into_iter()
                .map(|row| {
                    let id = row.id.clone();
                    let item = task::item(row).map_err(|error| {
                        Fault::input(format!("{}: row `{id}`: {error}", file.display()))
                    })?;
                    promptless(&item, file)?;
                    Ok(item)
                })
                .collect();
            splits.insert(split.clone(), items?);
        }
        Ok(Self::Rows(splits))
    }
}

/// A problem without a prompt cannot be put to a policy.
fn promptless(item: &Item, file: &Path) -> Outcome<()> {
    if item.messages.is_empty() {
        return Err(Fault::input(format!(
            "{}: row `{}` has neither `messages` nor `prompt`, and its task has no template",
            file.display(),
            item.id
        )));
    }
    Ok(())
}

impl Problems for Sources {
    fn splits(&self, task: usize) -> Result<Vec<Split>, OutsideError> {
        match self.task(task)? {
            Source::Plugin { plugin, config, .. } => {
                let splits = plugin.splits(config)?;
                Ok(splits
                    .into_iter()
                    .map(|split| Split { name: split.name, items: split.items })
                    .collect())
            }
            Source::Rows(splits) => Ok(splits
                .iter()
                .map(|(name, items)| Split {
                    name: name.clone(),
                    items: u32::try_from(items.len()).ok(),
                })
                .collect()),
        }
    }

    fn items(
        &self,
        task: usize,
        split: &str,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Item>, OutsideError> {
        match self.task(task)? {
            Source::Plugin { plugin, config, template } => {
                let mut items = Vec::with_capacity(limit as usize);
                while (items.len() as u32) < limit {
                    let have = items.len() as u32;
                    let piece = ITEMS_PER_CALL.min(limit - have);
                    let more = plugin.items(config, split, offset.saturating_add(have), piece)?;
                    let ended = (more.len() as u32) < piece;
                    items.extend(more);
                    if ended {
                        break;
                    }
                }
                if let Some(template) = template {
                    for item in &mut items {
                        apply(template, item)?;
                    }
                }
                Ok(items)
            }
            Source::Rows(splits) => {
                let Some(items) = splits.get(split) else {
                    let known: Vec<&str> = splits.keys().map(String::as_str).collect();
                    let known = known.join(", ");
                    return Err(format!("there is no split `{split}`; there is {known}").into());
                };
                let start = (offset as usize).min(items.len());
                let end = start.saturating_add(limit as usize).min(items.len());
                Ok(items[start..end].to_vec())
            }
        }
    }
}

/// Puts the pack's template over an item that a plugin made: the template sees the item's fields,
/// and `prompt`, the text of its last message.
fn apply(template: &Template, item: &mut Item) -> Result<(), OutsideError> {
    let prompt = item.messages.last().map_or("", |message| message.content.as_str());
    let row = json!({
        "id": item.id,
        "messages": item.messages,
        "prompt": prompt,
        "reference": item.reference,
        "data": item.data,
    });
    let rendered = Row {
        id: String::new(),
        messages: template.render(&row)?,
        reference: None,
        data: Map::new(),
    };
    item.messages = task::item(rendered)?.messages;
    Ok(())
}
