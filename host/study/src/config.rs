//! `STUDY.toml`: which runs a study makes of one run file.
//!
//! Everything but `run` has a default. How a policy is trained and evaluated is said by the run
//! file; a study says only what differs between its steps.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StudyConfig {
    /// The run file that says policy, tasks and settings, relative to the study file.
    pub run: PathBuf,
    /// What the report is called; absent: the study file's name, or its folder's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Everything that is trained is trained once with each of these.
    pub seeds: Vec<u64>,
    /// Overrides of the run file in every step, as `--set` takes them:
    /// `["schedule.max_steps=40"]`.
    pub set: Vec<String>,
    /// What is compared with single-task training, beside the tables `schedule` and `variant`.
    pub methods: Vec<MethodName>,
    /// How backward transfer and entropy are measured, on validation splits.
    pub evidence: EvidenceSettings,
    /// How the tables' accuracies are measured, on test splits.
    pub test: TestSettings,
    /// How the order of tasks is chosen, and which other orders are trained.
    pub curriculum: Curriculum,
    /// All orders, and how often.
    pub orders: Orders,
    /// How single-task policies are merged.
    pub merge: Merging,
    /// Further schedulers of mixed batches, each for as many steps as `joint`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Schedule>,
    /// Runs with settings of their own, as ablations are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variant: Vec<Variant>,
}

impl Default for StudyConfig {
    fn default() -> Self {
        Self {
            run: PathBuf::new(),
            name: None,
            seeds: vec![0],
            set: Vec::new(),
            methods: vec![
                MethodName::Curriculum,
                MethodName::Joint,
                MethodName::Sft,
                MethodName::Ties,
            ],
            evidence: EvidenceSettings::default(),
            test: TestSettings::default(),
            curriculum: Curriculum::default(),
            orders: Orders::default(),
            merge: Merging::default(),
            schedule: Vec::new(),
            variant: Vec::new(),
        }
    }
}

/// What a study compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// One task after the other, in the order that the evidence chose.
    Curriculum,
    /// Mixed batches, drawn uniformly from all tasks.
    Joint,
    /// Rejection sampling and fine-tuning (`[sft]` of the run file).
    Sft,
    /// A TIES merge of the single-task policies.
    Ties,
    /// The base plus the sum of the single-task policies' changes.
    TaskArithmetic,
    /// The mean of the single-task policies.
    Linear,
}

impl MethodName {
    /// As it is written in the file and in the names of folders.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Curriculum => "curriculum",
            Self::Joint => "joint",
            Self::Sft => "sft",
            Self::Ties => "ties",
            Self::TaskArithmetic => "task-arithmetic",
            Self::Linear => "linear",
        }
    }

    /// Whether it merges single-task policies.
    #[must_use]
    pub fn is_merge(self) -> bool {
        matches!(self, Self::Ties | Self::TaskArithmetic | Self::Linear)
    }
}

/// Which outputs an accuracy is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outputs {
    /// Sampled at the evaluation's temperature.
    #[default]
    Sampled,
    /// One greedy output for each item.
    Greedy,
}

/// How backward transfer and entropy are measured, on validation splits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceSettings {
    /// Which outputs every accuracy of the study is of; absent: sampled ones where the run file's
    /// `[eval]` samples, else greedy ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Outputs>,
    /// Items of each task's validation split; absent: `eval.items`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// Sampled outputs for each item; absent: `eval.samples`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// Accuracies below it count as it, where their logarithm is taken.
    pub floor: f64,
    /// Bootstrap samples of standard errors.
    pub bootstrap: u32,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self { outputs: None, items: None, samples: None, floor: 1e-3, bootstrap: 1000 }
    }
}

/// How the tables' accuracies are measured, on test splits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TestSettings {
    /// Items of each task's test split; absent: `eval.final.items`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// Sampled outputs for each item; absent: `eval.final.samples`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
}

/// How the order of tasks is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Curriculum {
    /// The rule.
    pub choose: Rule,
    /// Take the best order that entropy does not speak against, where there is one.
    pub veto: bool,
    /// Also train in the order that is predicted to be worst (up to eight tasks).
    pub also_worst: bool,
    /// Orders that are trained whatever the evidence says: lists of all tasks' names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Vec<String>>,
}

impl Default for Curriculum {
    fn default() -> Self {
        Self { choose: Rule::Exact, veto: false, also_worst: true, orders: Vec::new() }
    }
}

/// How an order is chosen from backward transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The order with the best prediction (by local search for more than 20 tasks).
    #[default]
    Exact,
    /// Next is the task that what is still to be trained hurts least.
    Greedy,
    /// Sorted by how little each task is hurt by all the others.
    Forgettability,
}

/// All orders, and how often.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Orders {
    /// Train all orders with the first seed (up to five tasks); `--all-orders` sets it.
    pub all: bool,
    /// Train so many of them with each further seed too, spread evenly from the best predicted to
    /// the worst: the noise ceiling of the ranking.
    pub repeat: u32,
    /// Evaluate the test splits after each task of an order, not only after its last one.
    pub prefixes: bool,
}

/// How single-task policies are merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Merging {
    /// TIES keeps this fraction of each policy's changes, the largest.
    pub density: f64,
    /// What the merged change is multiplied by (TIES and task arithmetic).
    pub lambda: f64,
    /// What TIES takes its fraction of.
    pub scope: Scope,
}

impl Default for Merging {
    fn default() -> Self {
        Self { density: 0.2, lambda: 1.0, scope: Scope::Global }
    }
}

/// What TIES takes its fraction of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All of a policy's parameters.
    #[default]
    Global,
    /// Each tensor.
    Tensor,
}

/// A scheduler of mixed batches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Its name in tables and folders.
    pub name: String,
    /// A scheduler component: `pack/name`, or the bare name where it is unique.
    pub plugin: String,
    /// What it is told.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Hand it the study's evidence; it then waits for the single-task runs.
    pub evidence: bool,
    /// Further overrides of the run file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// A run with settings of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Variant {
    /// Its name in tables and folders.
    pub name: String,
    /// What people read; absent: the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Overrides of the run file, in its training and its evaluation.
    pub set: Vec<String>,
    /// The tasks that it is trained on, in mixed batches; absent: all. An empty list trains
    /// nothing: the base policy is evaluated with these settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<String>>,
}

/// What is wrong with a study file, by its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {message}")]
pub struct Invalid {
    /// The dotted key.
    pub key: String,
    /// What is wrong, and what to do.
    pub message: String,
}

fn require(holds: bool, key: &str, message: impl Into<String>) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid { key: key.to_owned(), message: message.into() }) }
}

impl StudyConfig {
    /// Checks what can be checked without the run file.
    ///
    /// # Errors
    /// The first value that is wrong, by its key.
    pub fn validate(&self) -> Result<(), Invalid> {
        require(!self.run.as_os_str().is_empty(), "run", "is missing; name the run file")?;
        require(!self.seeds.is_empty(), "seeds", "is empty; give at least one seed")?;
        require(unique(&self.seeds), "seeds", "names a seed twice")?;
        require(unique(&names(&self.methods)), "methods", "names a method twice")?;
        let floor = self.evidence.floor;
        require(
            floor > 0.0 && floor < 1.0,
            "evidence.floor",
            format!("must lie between 0 and 1, not {floor}: an accuracy of 0 has no logarithm"),
        )?;
        require(
            self.evidence.bootstrap >= 2,
            "evidence.bootstrap",
            "must be at least 2: standard errors come from it",
        )?;
        require(self.evidence.items != Some(0), "evidence.items", "must be at least 1")?;
        require(self.test.items != Some(0), "test.items", "must be at least 1")?;
        let density = self.merge.density;
        require(
            density > 0.0 && density <= 1.0,
            "merge.density",
            format!("must lie in (0, 1], not {density}"),
        )?;
        require(self.merge.lambda.is_finite(), "merge.lambda", "must be a number")?;
        self.validate_names()
    }

    fn validate_names(&self) -> Result<(), Invalid> {
        let mut taken: BTreeSet<&str> =
            ["base", "orders", "curriculum", "joint", "sft", "ties", "task-arithmetic", "linear"]
                .into();
        let schedules = self.schedule.iter().enumerate();
        let schedules = schedules.map(|(i, it)| (format!("schedule.{i}.name"), &it.name));
        let variants = self.variant.iter().enumerate();
        let variants = variants.map(|(i, it)| (format!("variant.{i}.name"), &it.name));
        for (key, name) in schedules.chain(variants) {
            require(!name.is_empty(), &key, "is missing")?;
            require(
                is_plain(name),
                &key,
                format!("`{name}` names a folder: use letters, digits, `-`, `_` and `.`"),
            )?;
            require(taken.insert(name), &key, format!("`{name}` is taken; choose another"))?;
        }
        for (i, schedule) in self.schedule.iter().enumerate() {
            require(
                !schedule.plugin.is_empty(),
                &format!("schedule.{i}.plugin"),
                "is missing; name a scheduler, as in \"schedulers/interleave\"",
            )?;
        }
        Ok(())
    }

    /// Checks what the file says of tasks against those of the run file.
    ///
    /// # Errors
    /// The first name that is none of a task, or order that does not name each task once.
    pub fn validate_tasks(&self, tasks: &[String]) -> Result<(), Invalid> {
        let known = tasks.join(", ");
        for (i, order) in self.curriculum.orders.iter().enumerate() {
            let each = order.len() == tasks.len() && tasks.iter().all(|task| order.contains(task));
            require(
                each,
                &format!("curriculum.orders.{i}"),
                format!("[{}] must name each task once: {known}", order.join(", ")),
            )?;
        }
        for (i, variant) in self.variant.iter().enumerate() {
            let key = format!("variant.{i}.tasks");
            let named = variant.tasks.iter().flatten();
            for task in named.clone() {
                let message = format!("`{task}` is no task of the run file; it has {known}");
                require(tasks.contains(task), &key, message)?;
            }
            let named: Vec<&String> = named.collect();
            require(unique(&named), &key, "names a task twice")?;
        }
        // 6! orders have 1,956 phases.
        require(
            !self.orders.all || tasks.len() <= 5,
            "orders.all",
            format!("{} tasks have too many orders; five are the most", tasks.len()),
        )?;
        require(
            self.orders.repeat == 0 || self.orders.all,
            "orders.repeat",
            "needs `all = true` (--all-orders): it repeats some of all orders",
        )?;
        require(
            self.orders.repeat == 0 || self.seeds.len() > 1,
            "orders.repeat",
            "needs a second seed: `seeds = [0, 1]`",
        )
    }
}

/// Letters, digits, `-`, `_` and `.`, not beginning with a dot.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn names(methods: &[MethodName]) -> Vec<&'static str> {
    methods.iter().map(|method| method.as_str()).collect()
}

fn unique<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().all(|(at, value)| !values[..at].contains(value))
}

/// The JSON schema of `STUDY.toml`.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(StudyConfig).to_value()
}
