//! The manifest `pack.toml`, as it is written.
//!
//! Unknown keys are errors. What a single manifest cannot say of itself (that
//! a reward of another pack exists) is checked in `set`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

/// What `pack.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The pack itself.
    pub pack: PackInfo,
    /// Its components.
    #[serde(default, rename = "component")]
    pub components: Vec<ComponentEntry>,
    /// Its tasks.
    #[serde(default, rename = "task")]
    pub tasks: Vec<TaskEntry>,
}

/// The table `[pack]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackInfo {
    /// `[a-z0-9-]`, unique among the packs in use.
    pub name: Spanned<String>,
    /// The pack's version, by semver.
    pub version: Spanned<String>,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// An SPDX expression.
    #[serde(default)]
    pub license: String,
}

/// The five kinds of plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Gives problems.
    Task,
    /// Gives reward components.
    Reward,
    /// Gives verdicts.
    Judge,
    /// Runs programs.
    Interpreter,
    /// Says which tasks come next.
    Scheduler,
}

impl Kind {
    /// As the manifest writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Reward => "reward",
            Self::Judge => "judge",
            Self::Interpreter => "interpreter",
            Self::Scheduler => "scheduler",
        }
    }

    /// The WIT world of the kind.
    pub fn world(self) -> String {
        format!("{}-plugin", self.as_str())
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A table `[[component]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentEntry {
    /// Unique in the pack.
    pub name: Spanned<String>,
    /// What it is.
    pub kind: Kind,
    /// The file in the built pack.
    pub wasm: Spanned<String>,
    /// What it is built from; absent in a pack that is shared built.
    #[serde(default)]
    pub source: Option<Source>,
    /// An interpreter's languages.
    #[serde(default)]
    pub languages: Vec<String>,
    /// A reward whose scores compare a group's outputs with each other; a group that it cannot
    /// score is then not scored output by output.
    #[serde(default)]
    pub relative: bool,
    /// The languages that a reward's programs are written in: only their interpreters are loaded
    /// with it. Absent: it may run programs in any.
    #[serde(default)]
    pub executes: Option<Vec<String>>,
    /// What a scheduler is to be told beyond what costs nothing.
    #[serde(default)]
    pub observes: Vec<Observed>,
    /// What it may use in one call.
    #[serde(default)]
    pub limits: Limits,
    /// Handed to it, under what a task or the run sets.
    #[serde(default)]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Keys of that configuration whose values are the texts of files of the pack, such as a
    /// judge's prompt: `config_files = { prompt = "prompts/pairwise.txt" }`. They are read when the
    /// pack is, so that a prompt is edited without building anything.
    #[serde(default)]
    pub config_files: BTreeMap<String, Spanned<String>>,
}

/// What a scheduler is told of each step only if its component says `observes = ["…"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// The gradient norm of each task's part of the batch, instead of the whole batch's.
    GradientNorm,
}

/// What a component is built from.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "lang", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A crate on `omni-sdk`.
    Rust(RustSource),
    /// A module for componentize-py.
    Python {
        /// The module that defines the world's exports.
        module: String,
        /// The folder that is the module path, relative to `pack.toml`.
        #[serde(default = "here")]
        dir: String,
    },
}

/// A crate on `omni-sdk`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RustSource {
    /// The crate's folder, relative to `pack.toml`.
    #[serde(rename = "crate")]
    pub dir: String,
}

fn here() -> String {
    ".".to_owned()
}

/// What a component may use in one call; absent: the host's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Fuel, about one unit a WASM instruction.
    pub fuel: Option<u64>,
    /// Linear memory in MiB.
    pub memory_mib: Option<u64>,
}

/// What one program of a task may use; absent: the host's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProgramLimits {
    /// Fuel, about one unit a WASM instruction.
    pub program_fuel: Option<u64>,
    /// Linear memory in MiB.
    pub program_memory_mib: Option<u64>,
    /// Standard output and error together, in bytes.
    pub program_output_bytes: Option<u32>,
}

/// A table `[[task]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskEntry {
    /// Unique in the pack.
    pub name: Spanned<String>,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// Where the problems come from; absent: from the user.
    #[serde(default)]
    pub source: Option<Spanned<TaskSource>>,
    /// A prompt template; absent: the item's messages as they are.
    #[serde(default)]
    pub template: Option<Spanned<String>>,
    /// The rewards, the primary one first unless another says it is.
    #[serde(default)]
    pub rewards: Vec<RewardEntry>,
    /// The judge that `compare` requests go to.
    #[serde(default)]
    pub judge: Option<Spanned<JudgeEntry>>,
    /// Further judges, by the name that a comparison may ask for.
    #[serde(default)]
    pub judges: BTreeMap<String, Spanned<JudgeEntry>>,
    /// The component that is reported as the task's accuracy; absent: the
    /// primary reward's first.
    #[serde(default)]
    pub metric: Option<String>,
    /// Limits of each program that a reward has run.
    #[serde(default)]
    pub limits: ProgramLimits,
    /// Rows with a `completion` that must score full.
    #[serde(default)]
    pub gold: Vec<serde_json::Value>,
}

/// Where a task's problems come from: one of the two.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSource {
    /// A component of kind `task`.
    #[serde(default)]
    pub component: Option<String>,
    /// Handed to it.
    #[serde(default)]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// A file of rows: one for every split, or a table of one for each.
    #[serde(default)]
    pub data: Option<DataEntry>,
}

/// Files of rows.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum DataEntry {
    /// One file, the split `train`.
    One(String),
    /// A file for each split.
    Splits(BTreeMap<String, String>),
}

/// One reward of a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardEntry {
    /// The component's name.
    #[serde(rename = "use")]
    pub component: Spanned<String>,
    /// Weight of the reward's first component; the others have 0.
    #[serde(default)]
    pub weight: Option<Spanned<f64>>,
    /// Weights by component, instead.
    #[serde(default)]
    pub components: Option<Spanned<BTreeMap<String, f64>>>,
    /// Whether it is what the task is about; absent: the first reward is.
    #[serde(default)]
    pub primary: Option<bool>,
    /// Whether an output is excluded when a component of it with a weight is
    /// undefined; absent: when it is primary.
    #[serde(default)]
    pub required: Option<bool>,
    /// Handed to it, over the component's own and under the run's.
    #[serde(default)]
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// A judge by name, or with a configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum JudgeEntry {
    /// `judge = "writing/judge-rubric"`.
    Name(String),
    /// `judge = { use = "…", config = { … } }`.
    With(JudgeWith),
}

/// A judge with a configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeWith {
    /// The component's name.
    #[serde(rename = "use")]
    pub component: String,
    /// Handed to it.
    #[serde(default)]
    pub config: serde_json::Map<String, serde_json::Value>,
}

impl JudgeEntry {
    /// The component's name.
    pub fn component(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::With(with) => &with.component,
        }
    }

    /// Handed to it.
    pub fn config(&self) -> serde_json::Map<String, serde_json::Value> {
        match self {
            Self::Name(_) => serde_json::Map::new(),
            Self::With(with) => with.config.clone(),
        }
    }
}
