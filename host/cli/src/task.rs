//! A task, ready to score: its rewards with their weights, and what their requests can reach.
//!
//! Here alone rewards of several components become one list of components for each rollout.

use std::sync::Arc;

use omni_pack::JudgeUse;
use omni_record::{Component, Fuel, GroupScore, Item, Rollout};
use omni_runtime::{
    ConfiguredJudge, Effects, GroupCall, LoopLimits, NoModel, ProgramLimits, RewardPlugin,
};
use omni_train::reward::ComponentSpec;
use serde_json::{Map, Value};

use crate::engine::Engine;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::models::Asked;

/// What a run, or a command line, sets over a pack's task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Laid over the primary reward's configuration.
    pub(crate) primary: Map<String, Value>,
    /// Laid over the configuration of rewards by name.
    pub(crate) rewards: Map<String, Value>,
    /// Another judge than the pack's.
    pub(crate) judge: Option<String>,
    /// Laid over the judge's configuration.
    pub(crate) judge_config: Map<String, Value>,
}

/// A task whose rewards are loaded.
#[derive(Clone)]
pub(crate) struct Task {
    pack: omni_pack::Task,
    rewards: Vec<Reward>,
    specs: Vec<ComponentSpec>,
    effects: Effects,
    /// What its judges' questions go to, and the name under which answers are recorded.
    asked: (Asked, String),
}

#[derive(Clone)]
struct Reward {
    plugin: RewardPlugin,
    config: String,
    relative: bool,
}

impl Settings {
    /// What an entry of a run file sets.
    pub(crate) fn of(entry: &omni_train::config::Task) -> Self {
        Self {
            primary: Map::new(),
            rewards: entry.reward_config.clone(),
            judge: entry.judge.clone(),
            judge_config: entry.judge_config.clone(),
        }
    }
}

impl Task {
    /// Finds a task and loads what it needs.
    pub(crate) fn open(engine: &Engine, name: &str, settings: &Settings) -> Outcome<Self> {
        let pack = engine.packs().task(name).or_input()?;
        let mut rewards = Vec::new();
        let mut specs: Vec<ComponentSpec> = Vec::new();
        check_names(&pack, &settings.rewards)?;
        for reward in &pack.rewards {
            let plugin = engine.reward(&reward.component)?;
            let mut config = reward.config.clone();
            if reward.primary {
                config.extend(settings.primary.clone());
            }
            if let Some(over) = named(&settings.rewards, &reward.component) {
                config.extend(over.clone());
            }
            let config = Value::Object(config).to_string();
            let returned = plugin.components(&config).or_input()?;
            let weights = reward.weights(&returned).or_input()?;
            for (index, (name, weight)) in returned.iter().zip(weights).enumerate() {
                if specs.iter().any(|spec| spec.name == *name) {
                    return Err(Fault::input(format!(
                        "task `{}`: two of its rewards return a component `{name}`; \
                         leave one of them out",
                        pack.qualified()
                    )));
                }
                // What a task is about is its primary reward's first component, and whatever
                // else of it has a weight.
                let primary = reward.primary && (index == 0 || weight > 0.0);
                let required = Some(reward.required && weight > 0.0);
                specs.push(ComponentSpec { name: name.clone(), weight, primary, required });
            }
            rewards.push(Reward { plugin, config, relative: reward.component.relative });
        }
        if let Some(metric) = &pack.metric
            && !specs.iter().any(|spec| spec.name == *metric)
        {
            let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
            return Err(Fault::input(format!(
                "task `{}`: its metric `{metric}` is no component of its rewards, which return {}",
                pack.qualified(),
                names.join(", ")
            )));
        }
        let effects = effects(engine, &pack, settings)?;
        let asked = (Asked::None, pack.name.clone());
        Ok(Self { pack, rewards, specs, effects, asked })
    }

    /// Says what its judges' questions go to, and what the run calls the task.
    pub(crate) fn ask(&mut self, asked: Asked, label: &str) {
        self.asked = (asked, label.to_owned());
    }

    /// Whether comparisons go to a judge at all.
    pub(crate) fn has_judge(&self) -> bool {
        self.effects.judge.is_some() || !self.effects.judges.is_empty()
    }

    /// The task as its pack has it.
    pub(crate) fn pack(&self) -> &omni_pack::Task {
        &self.pack
    }

    /// The components, with what the pack says of them.
    pub(crate) fn components(&self) -> &[ComponentSpec] {
        &self.specs
    }

    /// Scores all outputs of one item with every reward.
    pub(crate) fn score(&self, item: &Item, rollouts: &[Rollout], seed: u32) -> GroupScore {
        let mut all = GroupScore {
            rollouts: vec![Vec::<Component>::new(); rollouts.len()],
            fuel: Fuel::default(),
            reproducible: true,
        };
        let asking = self.has_judge().then(|| {
            let (asked, label) = &self.asked;
            let model = asked.by(format!("{label}/{}#{seed}", item.id));
            Effects { model, ..self.effects.clone() }
        });
        let effects = asking.as_ref().unwrap_or(&self.effects);
        for reward in &self.rewards {
            let group = GroupCall {
                task: &self.pack.name,
                config: &reward.config,
                item,
                rollouts,
                seed,
                relative: reward.relative,
            };
            let scored = reward.plugin.score(&group, effects);
            all.fuel += scored.fuel;
            all.reproducible &= scored.reproducible;
            for (into, components) in all.rollouts.iter_mut().zip(scored.rollouts) {
                into.extend(components);
            }
        }
        all
    }
}

/// Settings for a reward that the task does not have would otherwise do nothing, silently.
fn check_names(pack: &omni_pack::Task, settings: &Map<String, Value>) -> Outcome<()> {
    for (name, value) in settings {
        let known = pack.rewards.iter().any(|reward| is_called(&reward.component, name));
        let names: Vec<String> =
            pack.rewards.iter().map(|reward| reward.component.qualified()).collect();
        if !known {
            return Err(Fault::input(format!(
                "task `{}`: `reward_config.{name}`: no such reward; it has {}",
                pack.qualified(),
                names.join(", ")
            )));
        }
        if !value.is_object() {
            return Err(Fault::input(format!(
                "task `{}`: `reward_config.{name}`: wants a table",
                pack.qualified()
            )));
        }
    }
    Ok(())
}

fn is_called(component: &omni_pack::Component, name: &str) -> bool {
    name == component.name || name == component.qualified()
}

fn named<'a>(
    settings: &'a Map<String, Value>,
    component: &omni_pack::Component,
) -> Option<&'a Map<String, Value>> {
    settings.iter().find(|(name, _)| is_called(component, name))?.1.as_object()
}

fn effects(engine: &Engine, pack: &omni_pack::Task, settings: &Settings) -> Outcome<Effects> {
    let configured = |judge: &JudgeUse| {
        let plugin = engine.judge(&judge.component)?;
        let config = Value::Object(judge.config.clone()).to_string();
        // A misspelt key would otherwise leave every comparison of the run without a verdict.
        plugin.check(&config).or_input_at(format!(
            "task `{}`: the configuration of its judge `{}` is refused",
            pack.qualified(),
            judge.component.qualified()
        ))?;
        Ok::<_, Fault>(ConfiguredJudge { plugin, config })
    };
    let chosen = match &settings.judge {
        Some(name) => {
            let component = engine.packs().component(name, omni_pack::Kind::Judge).or_input()?;
            let config = component.config.clone();
            Some(JudgeUse { component, config })
        }
        None => pack.judge.clone(),
    };
    let judge = match chosen {
        Some(mut judge) => {
            judge.config.extend(settings.judge_config.clone());
            Some(configured(&judge)?)
        }
        None => None,
    };
    let rewards: Vec<_> = pack.rewards.iter().map(|reward| &reward.component).collect();
    let mut judges = std::collections::HashMap::new();
    for (name, judge) in &pack.judges {
        judges.insert(name.clone(), configured(judge)?);
    }
    Ok(Effects {
        interpreters: engine.interpreters(&rewards)?,
        judge,
        judges,
        model: Arc::new(NoModel),
        limits: LoopLimits { program: program_limits(pack), ..LoopLimits::default() },
    })
}

fn program_limits(pack: &omni_pack::Task) -> ProgramLimits {
    let mut limits = ProgramLimits::default();
    if let Some(fuel) = pack.limits.program_fuel {
        limits.fuel = fuel;
    }
    if let Some(mib) = pack.limits.program_memory_mib {
        limits.memory_bytes = mib << 20;
    }
    if let Some(bytes) = pack.limits.program_output_bytes {
        limits.output_bytes = bytes;
    }
    limits
}

/// The messages of a row, as the trainer's items have them.
pub(crate) fn item(row: omni_pack::Row) -> Result<Item, String> {
    let messages = row.messages.into_iter().map(message).collect::<Result<_, _>>()?;
    Ok(Item { id: row.id, messages, reference: row.reference, data: Value::Object(row.data) })
}

/// A message of a row.
pub(crate) fn message(message: omni_pack::RowMessage) -> Result<omni_record::Message, String> {
    let role = match message.role.as_str() {
        "system" => omni_record::Role::System,
        "user" => omni_record::Role::User,
        "assistant" => omni_record::Role::Assistant,
        other => return Err(format!("`{other}` is no role")),
    };
    Ok(omni_record::Message { role, content: message.content })
}
