//! Tasks with all that they need: what a manifest's names come to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};
use toml::Spanned;

use crate::error::PackError;
use crate::manifest::{DataEntry, JudgeEntry, Kind, Limits, Observed, ProgramLimits, TaskEntry};
use crate::pack::Pack;
use crate::set::PackSet;
use crate::suggest::did_you_mean;
use crate::template::Template;

/// A built component of a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// The pack's name.
    pub pack: String,
    /// The component's name within it.
    pub name: String,
    /// The pack's version.
    pub version: String,
    /// What it is.
    pub kind: Kind,
    /// The component's file.
    pub wasm: PathBuf,
    /// An interpreter's languages.
    pub languages: Vec<String>,
    /// Whether a reward compares a group's outputs with each other.
    pub relative: bool,
    /// The languages that a reward may run programs in; none: any.
    pub executes: Option<Vec<String>>,
    /// What a scheduler is to be told beyond what costs nothing.
    pub observes: Vec<Observed>,
    /// What it may use in one call.
    pub limits: Limits,
    /// Its default configuration, the texts of its files in it.
    pub config: Map<String, Value>,
    /// Those files, by their paths within the pack.
    pub config_files: Vec<String>,
}

impl Component {
    /// `pack/name`.
    pub fn qualified(&self) -> String {
        format!("{}/{}", self.pack, self.name)
    }
}

/// A task with all that it needs.
#[derive(Debug, Clone)]
pub struct Task {
    /// The pack's name.
    pub pack: String,
    /// The task's name within it.
    pub name: String,
    /// The pack's version.
    pub version: String,
    /// One line about it.
    pub description: String,
    /// Where the problems come from; none: from the user.
    pub source: Option<ItemSource>,
    /// The prompt template; none: the item's messages as they are.
    pub template: Option<Template>,
    /// The rewards, in the manifest's order.
    pub rewards: Vec<RewardUse>,
    /// The judge of `compare` requests.
    pub judge: Option<JudgeUse>,
    /// Further judges by name.
    pub judges: BTreeMap<String, JudgeUse>,
    /// The component that is reported as accuracy; none: the primary reward's first.
    pub metric: Option<String>,
    /// Limits of each program that a reward has run.
    pub limits: ProgramLimits,
    /// Rows with a `completion` that must score full.
    pub gold: Vec<Value>,
}

impl Task {
    /// `pack/name`.
    pub fn qualified(&self) -> String {
        format!("{}/{}", self.pack, self.name)
    }
}

/// Where a task's problems come from.
#[derive(Debug, Clone)]
pub enum ItemSource {
    /// A task component, with its configuration.
    Component(Component, Map<String, Value>),
    /// A file of rows for each split; see [`crate::rows::read`].
    Data(BTreeMap<String, PathBuf>),
}

/// A reward as a task uses it.
#[derive(Debug, Clone)]
pub struct RewardUse {
    /// The component.
    pub component: Component,
    /// The component's configuration with the task's over it.
    pub config: Map<String, Value>,
    /// Whether it is what the task is about. Exactly one is.
    pub primary: bool,
    /// Whether an undefined component of it with a weight excludes the output.
    pub required: bool,
    weight: Option<f64>,
    by_component: Option<BTreeMap<String, f64>>,
    place: (PathBuf, usize),
}

impl RewardUse {
    /// The weight of each component that the plugin says it returns, in that
    /// order: as the manifest's `components` has it, else `weight` for the
    /// first and 0 for the others (1 for a primary reward, 0.1 for another,
    /// where the manifest says nothing).
    ///
    /// # Errors
    /// When the manifest weighs a component that the reward does not return.
    pub fn weights(&self, returned: &[String]) -> Result<Vec<f64>, PackError> {
        if let Some(weights) = &self.by_component {
            if let Some(name) = weights.keys().find(|name| !returned.contains(name)) {
                let message =
                    format!("{} returns no component `{name}`", self.component.qualified());
                let help = did_you_mean(name, returned.iter().map(String::as_str));
                let key = "task.rewards.components";
                return Err(PackError::at(&self.place.0, Some(self.place.1), key, message, help));
            }
            let weight = |name: &String| weights.get(name).copied().unwrap_or(0.0);
            return Ok(returned.iter().map(weight).collect());
        }
        let first = self.weight.unwrap_or(if self.primary { 1.0 } else { 0.1 });
        let weight = |index| if index == 0 { first } else { 0.0 };
        Ok((0..returned.len()).map(weight).collect())
    }
}

/// A judge as a task uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeUse {
    /// The component.
    pub component: Component,
    /// The component's configuration with the task's over it.
    pub config: Map<String, Value>,
}

impl PackSet {
    pub(crate) fn resolve(&self, pack: &Pack, task: &TaskEntry) -> Result<Task, PackError> {
        let rewards = self.rewards(pack, task)?;
        let judge = |place: &Spanned<JudgeEntry>, key: &str| {
            let entry = place.get_ref();
            let component = self.named(pack, place, key, entry.component(), Kind::Judge)?;
            let config = merged(&component.config, &entry.config());
            Ok::<_, PackError>(JudgeUse { component, config })
        };
        let mut judges = BTreeMap::new();
        for (name, entry) in &task.judges {
            judges.insert(name.clone(), judge(entry, &format!("task.judges.{name}"))?);
        }
        let template = match &task.template {
            None => None,
            Some(place) => {
                let file = pack.inside(place, "task.template", place.get_ref())?;
                if !file.is_file() {
                    let message = format!("there is no file {}", file.display());
                    return Err(pack.error(place, "task.template", message, ""));
                }
                Some(Template::read(&file)?)
            }
        };
        Ok(Task {
            pack: pack.name().to_owned(),
            name: task.name.get_ref().clone(),
            version: pack.version().to_owned(),
            description: task.description.clone(),
            source: self.source(pack, task)?,
            template,
            rewards,
            judge: task.judge.as_ref().map(|entry| judge(entry, "task.judge")).transpose()?,
            judges,
            metric: task.metric.clone(),
            limits: task.limits,
            gold: task.gold.clone(),
        })
    }

    fn rewards(&self, pack: &Pack, task: &TaskEntry) -> Result<Vec<RewardUse>, PackError> {
        let named = task.rewards.iter().position(|entry| entry.primary == Some(true));
        let first = task.rewards.iter().position(|entry| entry.primary.is_none());
        let primary = named.or(first).unwrap_or(0);
        let mut rewards = Vec::new();
        for (index, entry) in task.rewards.iter().enumerate() {
            let place = &entry.component;
            let component =
                self.named(pack, place, "task.rewards.use", place.get_ref(), Kind::Reward)?;
            let line = crate::pack::line_of(pack.text(), &place.span());
            rewards.push(RewardUse {
                config: merged(&component.config, &entry.config),
                component,
                primary: index == primary,
                required: entry.required.unwrap_or(index == primary),
                weight: entry.weight.as_ref().map(|weight| *weight.get_ref()),
                by_component: entry.components.as_ref().map(|weights| weights.get_ref().clone()),
                place: (pack.file(), line),
            });
        }
        Ok(rewards)
    }

    fn source(&self, pack: &Pack, task: &TaskEntry) -> Result<Option<ItemSource>, PackError> {
        let Some(place) = &task.source else { return Ok(None) };
        let entry = place.get_ref();
        if let Some(name) = &entry.component {
            let key = "task.source.component";
            let component = self.named(pack, place, key, name, Kind::Task)?;
            let config = merged(&component.config, &entry.config);
            return Ok(Some(ItemSource::Component(component, config)));
        }
        let splits = match &entry.data {
            Some(DataEntry::One(file)) => BTreeMap::from([("train".to_owned(), file.clone())]),
            Some(DataEntry::Splits(splits)) => splits.clone(),
            None => BTreeMap::new(),
        };
        let mut files = BTreeMap::new();
        for (split, name) in splits {
            let file = pack.inside(place, "task.source.data", &name)?;
            if !file.is_file() {
                let message = format!("there is no file {}", file.display());
                return Err(pack.error(place, "task.source.data", message, ""));
            }
            files.insert(split, file);
        }
        Ok(Some(ItemSource::Data(files)))
    }
}

/// `over`'s keys laid over `under`'s.
fn merged(under: &Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    let mut all = under.clone();
    all.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
    all
}
