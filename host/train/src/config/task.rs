//! A `[[task]]` of `RUN.toml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::Data;

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Task {
    /// The name in every record; the task's own, unless two entries use the same task.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The pack's task: `pack/name`, or the bare name where it is unique.
    #[serde(rename = "use")]
    pub uses: String,
    /// The domain that the task is a benchmark of; `eval` shows each domain's average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Weight of the task in the schedule's objective.
    pub weight: f64,
    /// Training prompts; 0 takes the whole split (a generator that never runs out needs a number).
    pub items: u32,
    /// The split that is trained on.
    pub train_split: String,
    /// The split that the best checkpoint is chosen on.
    pub validation_split: String,
    /// The split that tables report.
    pub test_split: String,
    /// The rows of each split, instead of the task's own: a JSON Lines file relative to the run
    /// file, or a dataset with its mapping.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Data>,
    /// What the source of problems is told, over what the pack says.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// What the rewards are told, by their names.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub reward_config: serde_json::Map<String, serde_json::Value>,
    /// Weights of reward components by name, over what the pack says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rewards: BTreeMap<String, f64>,
    /// Components that an output must have; absent: what the pack says, else every primary
    /// component with a weight above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// What an undefined component does to its output.
    pub undefined: UndefinedRule,
    /// The run stops when a larger fraction of this task's latest outputs could not be scored.
    pub fault_limit: f64,
    /// The judge of the task, instead of the pack's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<String>,
    /// What that judge is told.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub judge_config: serde_json::Map<String, serde_json::Value>,
    /// The model that the judge asks, one of `[models]`; may be left out where there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge_model: Option<String>,
    /// `loss.beta` for this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
    /// `loss.epsilon_low` for this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon_low: Option<f64>,
    /// `loss.epsilon_high` for this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon_high: Option<f64>,
    /// `rollout.temperature` for this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

impl Default for Task {
    fn default() -> Self {
        Self {
            name: String::new(),
            uses: String::new(),
            domain: None,
            weight: 1.0,
            items: 0,
            train_split: "train".into(),
            validation_split: "validation".into(),
            test_split: "test".into(),
            data: BTreeMap::new(),
            config: serde_json::Map::new(),
            reward_config: serde_json::Map::new(),
            rewards: BTreeMap::new(),
            required: None,
            undefined: UndefinedRule::Exclude,
            fault_limit: 0.1,
            judge: None,
            judge_config: serde_json::Map::new(),
            judge_model: None,
            beta: None,
            epsilon_low: None,
            epsilon_high: None,
            temperature: None,
        }
    }
}

impl Task {
    /// The name in every record.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.name.is_empty() {
            self.uses.rsplit('/').next().unwrap_or(&self.uses)
        } else {
            &self.name
        }
    }
}

/// What an undefined component does to its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UndefinedRule {
    /// The output is excluded when a required component is undefined.
    #[default]
    Exclude,
    /// The output is excluded only when no component is defined (the paper's rule).
    Omit,
}
