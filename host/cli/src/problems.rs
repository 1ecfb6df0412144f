//! Where a run's problems come from: task plugins, or datasets with a template.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use indicatif::ProgressBar;
use omni_data::{HubSettings, Report, Settings, Splits, Used};
use omni_pack::{ItemSource, Row, Template};
use omni_policy::Tokenizer;
use omni_record::Item;
use omni_runtime::TaskPlugin;
use omni_train::config::Data;
use omni_train::outside::{OutsideError, Problems, Split};
use serde_json::{Map, Value, json};

use crate::console;
use crate::engine::Engine;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::task;

/// Items asked of a plugin in one call; its limits are those of a call.
const ITEMS_PER_CALL: u32 = 256;

/// The problems of a run's tasks, by their index.
pub(crate) struct Sources {
    tasks: Vec<Source>,
    datasets: Vec<Dataset>,
}

/// One task's problems.
enum Source {
    Plugin { plugin: TaskPlugin, config: String, template: Option<Template> },
    Rows(BTreeMap<String, Vec<Item>>),
}

/// A split that was read from files: what a run's records say of it.
pub(crate) struct Dataset {
    /// Task and split.
    pub(crate) name: String,
    /// What became of its rows.
    pub(crate) report: Report,
    /// The files read.
    pub(crate) files: Vec<Used>,
}

/// What a run file says of a task's problems.
pub(crate) struct Wanted<'a> {
    /// The task's name in the run.
    pub(crate) label: &'a str,
    /// The pack's task.
    pub(crate) pack: &'a omni_pack::Task,
    /// Datasets by split, instead of the pack's source.
    pub(crate) data: Splits,
    /// Laid over the source's configuration.
    pub(crate) config: &'a Map<String, Value>,
}

/// Where a task's problems come from.
pub(crate) enum Origin<'a> {
    /// Files.
    Rows(Splits),
    /// A plugin, with its configuration as JSON.
    Plugin(&'a omni_pack::Component, String),
}

impl<'a> Wanted<'a> {
    /// What run file and pack say together.
    pub(crate) fn origin(&self) -> Outcome<Origin<'a>> {
        if !self.data.is_empty() {
            return Ok(Origin::Rows(self.data.clone()));
        }
        match &self.pack.source {
            Some(ItemSource::Component(component, config)) => {
                let mut config = config.clone();
                config.extend(self.config.clone());
                Ok(Origin::Plugin(component, Value::Object(config).to_string()))
            }
            Some(ItemSource::Data(files)) => {
                let of_pack = |(split, file): (&String, &std::path::PathBuf)| {
                    let data = Data::File(file.clone());
                    (split.clone(), data)
                };
                Ok(Origin::Rows(settings(&files.iter().map(of_pack).collect())?))
            }
            None => Err(Fault::input(format!(
                "task `{}` has no problems of its own: give rows with \
                 `data = {{ train = \"…\", test = \"…\" }}`",
                self.pack.qualified()
            ))),
        }
    }
}

/// A run file's entry for a task's datasets, as the loader takes it.
pub(crate) fn settings(data: &BTreeMap<String, Data>) -> Outcome<Splits> {
    let one = |dataset| {
        let json = serde_json::to_value(dataset).or_run()?;
        Settings::from_json(json).or_input()
    };
    data.iter()
        .map(|(split, data)| {
            let all: Outcome<Vec<Settings>> = data.datasets().into_iter().map(one).collect();
            Ok((split.clone(), all?))
        })
        .collect()
}

impl Sources {
    /// Loads the sources of some tasks; `model` is the folder whose tokenizer counts tokens, where
    /// a dataset is to be cut by them.
    pub(crate) fn open(
        engine: &Engine,
        wanted: &[Wanted<'_>],
        model: Option<&Path>,
    ) -> Outcome<Self> {
        let loader = Loader::new(model);
        let mut sources = Self { tasks: Vec::new(), datasets: Vec::new() };
        for one in wanted {
            let source = sources.source(engine, one, &loader)?;
            sources.tasks.push(source);
        }
        Ok(sources)
    }

    /// The splits that were read from files.
    pub(crate) fn datasets(&self) -> &[Dataset] {
        &self.datasets
    }

    fn task(&self, index: usize) -> Result<&Source, OutsideError> {
        self.tasks.get(index).ok_or_else(|| format!("there is no task {index}").into())
    }

    fn source(
        &mut self,
        engine: &Engine,
        wanted: &Wanted<'_>,
        loader: &Loader<'_>,
    ) -> Outcome<Source> {
        let template = wanted.pack.template.clone();
        match wanted.origin()? {
            Origin::Rows(data) => self.rows(wanted.label, &data, template.as_ref(), loader),
            Origin::Plugin(component, config) => {
                let plugin = engine.task(component)?;
                Ok(Source::Plugin { plugin, config, template })
            }
        }
    }

    /// Reads the splits of a task, and says in a line what became of each one's rows.
    fn rows(
        &mut self,
        label: &str,
        data: &Splits,
        template: Option<&Template>,
        loader: &Loader<'_>,
    ) -> Outcome<Source> {
        let loaded = loader.splits(data, template).map_err(|fault| of_task(label, fault))?;
        let mut splits = BTreeMap::new();
        for (split, loaded) in loaded {
            let name = format!("{label}: {split}");
            console::say(format!("{name}: {}", console::printable(&loaded.report.to_string())));
            splits.insert(split, items(loaded.rows, &loaded.report.source)?);
            self.datasets.push(Dataset { name, report: loaded.report, files: loaded.files });
        }
        Ok(Source::Rows(splits))
    }
}

/// A place in a file speaks for itself; a setting is one of this task.
pub(crate) fn of_task(label: &str, fault: Fault) -> Fault {
    match fault {
        Fault::Input(message) if message.starts_with('`') => {
            Fault::Input(format!("task `{label}`: {message}"))
        }
        other => other,
    }
}

/// Rows as the trainer's items have them.
pub(crate) fn items(rows: Vec<Row>, source: &str) -> Outcome<Vec<Item>> {
    let item = |row: Row| {
        let id = row.id.clone();
        let item = task::item(row)
            .map_err(|error| Fault::input(format!("{source}: row `{id}`: {error}")))?;
        promptless(&item, source)?;
        Ok(item)
    };
    rows.into_iter().map(item).collect()
}

/// Loads datasets for the program: with its hub, its progress bars and a policy's tokenizer.
pub(crate) struct Loader<'a> {
    hub: HubSettings,
    model: Option<&'a Path>,
    tokenizer: OnceCell<Result<Tokenizer, String>>,
}

impl<'a> Loader<'a> {
    /// `model` is the folder whose tokenizer counts tokens.
    pub(crate) fn new(model: Option<&'a Path>) -> Self {
        Self { hub: HubSettings::from_env(), model, tokenizer: OnceCell::new() }
    }

    /// Loads the splits of a task.
    pub(crate) fn splits(
        &self,
        data: &Splits,
        template: Option<&Template>,
    ) -> Outcome<BTreeMap<String, omni_data::Loaded>> {
        let count = |text: &str| self.count(text);
        let tokens =
            self.model.is_some().then_some(&count as &dyn Fn(&str) -> Result<usize, String>);
        let progress = Downloads(Mutex::new(None));
        let context = omni_data::Context { template, hub: &self.hub, progress: &progress, tokens };
        omni_data::load_splits(data, &context).or_input()
    }

    /// Looks which splits of a task are on this machine.
    pub(crate) fn look(
        &self,
        data: &Splits,
        template: Option<&Template>,
    ) -> Outcome<BTreeMap<String, omni_data::Look>> {
        let count = |text: &str| self.count(text);
        let tokens =
            self.model.is_some().then_some(&count as &dyn Fn(&str) -> Result<usize, String>);
        let context = omni_data::Context { template, hub: &self.hub, progress: &(), tokens };
        omni_data::look(data, &context).or_input()
    }

    /// Tokens of a text; the tokenizer is read when the first text asks for it.
    fn count(&self, text: &str) -> Result<usize, String> {
        let tokenizer = self.tokenizer.get_or_init(|| match self.model {
            Some(model) => Tokenizer::load(model).map_err(|error| error.to_string()),
            None => Err("there is no tokenizer to count with".to_owned()),
        });
        let tokenizer = tokenizer.as_ref().map_err(Clone::clone)?;
        tokenizer.encode(text).map(|ids| ids.len()).map_err(|error| error.to_string())
    }
}

/// A bar for each file that is fetched.
struct Downloads(Mutex<Option<ProgressBar>>);

impl Downloads {
    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl omni_data::Progress for Downloads {
    fn begin(&self, file: &str, bytes: u64) {
        let mut bar = self.bar();
        // A download that is taken up again begins once more.
        if let Some(old) = bar.replace(console::bar(bytes, file)) {
            old.finish_and_clear();
        }
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = self.bar().as_ref() {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }
}

/// A problem without a prompt cannot be put to a policy.
fn promptless(item: &Item, source: &str) -> Outcome<()> {
    if item.messages.is_empty() {
        return Err(Fault::input(format!(
            "{source}: row `{}` has neither `messages` nor `prompt`, and its task has no template",
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
    let none = Map::new();
    let data = item.data.as_object().unwrap_or(&none);
    let candidates = omni_pack::candidates(&item.id, item.reference.as_deref(), data)?;
    let row = json!({
        "id": item.id,
        "messages": item.messages,
        "prompt": prompt,
        "reference": item.reference,
        "data": item.data,
        "candidates": candidates,
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
