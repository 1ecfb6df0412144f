//! What a dry run found, for people and for programs.

use std::path::PathBuf;

use serde::Serialize;

use super::count::{Count, grouped};
use super::estimate::{Estimate, EvaluationEstimate, SftEstimate};
use super::look::{ENDLESS, Look};
use super::needs::Need;
use crate::console;
use crate::fault::Outcome;

/// What a dry run found.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    command: &'static str,
    run: PathBuf,
    /// Whether nothing is missing.
    ready: bool,
    missing: Vec<Need>,
    found: Vec<Need>,
    tasks: Vec<TaskShown>,
    scheduler: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) train: Option<Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sft: Option<SftEstimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) eval: Option<EvaluationEstimate>,
    pub(super) judge_questions: Count,
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TaskShown {
    name: String,
    uses: String,
    trained: bool,
    /// Weights of its rewards' components.
    #[serde(serialize_with = "as_map")]
    components: Vec<(String, f64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judge_model: Option<String>,
    /// Items of each split.
    #[serde(serialize_with = "as_map")]
    splits: Vec<(String, Size)>,
}

/// The size of a split.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
enum Size {
    Items(Count),
    /// A generator that never runs out.
    #[serde(serialize_with = "endless")]
    Endless,
}

impl From<Count> for Size {
    fn from(count: Count) -> Self {
        if count == Count::Exactly(ENDLESS) { Self::Endless } else { Self::Items(count) }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Items(count) => count.fmt(f),
            Self::Endless => f.write_str("without end"),
        }
    }
}

fn endless<S: serde::Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("endless")
}

/// Pairs as an object, in their order.
fn as_map<T: Serialize, S: serde::Serializer>(
    pairs: &[(String, T)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

impl Shown {
    pub(super) fn of(command: &'static str, look: &Look) -> Self {
        let (missing, found): (Vec<Need>, Vec<Need>) =
            look.needs.iter().cloned().partition(|need| need.missing.is_some());
        let tasks = look
            .config
            .task
            .iter()
            .zip(&look.tasks)
            .map(|(entry, seen)| TaskShown {
                name: entry.label().to_owned(),
                uses: seen.pack().qualified(),
                trained: command != "eval" && look.config.schedule.trains(entry.label()),
                components: seen
                    .components()
                    .map(|(name, weight)| {
                        let weight = entry.rewards.get(name).copied().unwrap_or(weight);
                        (name.to_owned(), weight)
                    })
                    .collect(),
                judge: entry.judge.clone().or_else(|| {
                    seen.pack().judge.as_ref().map(|judge| judge.component.qualified())
                }),
                judge_model: look.config.judge_model(entry).map(str::to_owned),
                splits: seen
                    .splits
                    .iter()
                    .map(|(name, it)| (name.clone(), Size::from(it.size)))
                    .collect(),
            })
            .collect();
        Self {
            command,
            run: look.file.clone(),
            ready: missing.is_empty(),
            missing,
            found,
            tasks,
            scheduler: look.config.schedule.plugin.clone(),
            train: None,
            sft: None,
            eval: None,
            judge_questions: Count::ZERO,
            notes: Vec::new(),
        }
    }

    pub(super) fn print(&self, look: &Look, json: bool) -> Outcome<()> {
        if json {
            return console::json(self);
        }
        console::result(format!(
            "{} {}: a dry run; nothing was fetched, written or asked\n",
            self.command,
            self.run.display()
        ))?;
        self.print_tasks()?;
        let lines = self.lines(look);
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &lines {
            console::result(format!("{name:width$}  {value}"))?;
        }
        console::result("")?;
        for need in &self.found {
            console::result(format!("there: {}: {}", need.key, need.what))?;
        }
        for need in &self.missing {
            let how = need.missing.as_deref().unwrap_or_default();
            console::result(format!("missing: {}: {}\n    {how}", need.key, need.what))?;
        }
        for note in &self.notes {
            console::result(format!("note: {note}"))?;
        }
        console::result(match self.missing.len() {
            0 => "all that can be checked without doing it is as it must be".to_owned(),
            1 => "the settings are as they must be; 1 thing is missing".to_owned(),
            n => format!("the settings are as they must be; {n} things are missing"),
        })
    }

    fn print_tasks(&self) -> Outcome<()> {
        let rows: Vec<Vec<String>> = self
            .tasks
            .iter()
            .map(|task| {
                let components: Vec<String> =
                    task.components.iter().map(|(name, w)| format!("{name} {w}")).collect();
                let judge = task.judge.as_ref().map_or("–".to_owned(), |judge| {
                    let model = task.judge_model.as_deref().unwrap_or("no model");
                    format!("{judge} ({model})")
                });
                let splits: Vec<String> =
                    task.splits.iter().map(|(name, size)| format!("{name} {size}")).collect();
                let uses = match (self.command, task.trained) {
                    ("eval", _) | (_, true) => task.uses.clone(),
                    _ => format!("{} (evaluated only)", task.uses),
                };
                vec![task.name.clone(), uses, components.join("\n"), judge, splits.join("\n")]
            })
            .collect();
        let head = ["task", "uses", "reward and weight", "judge (asks)", "items"];
        console::result(console::table(&head, &rows))
    }

    /// What would be done, line by line.
    fn lines(&self, look: &Look) -> Vec<(String, String)> {
        let mut lines: Vec<(&str, String)> = Vec::new();
        let config = &look.config;
        if let Some(train) = &self.train {
            lines.push(("scheduler", self.scheduler.clone()));
            let batch = u64::from(config.rollout.prompts_per_batch);
            let steps = format!("{}, of at most {} prompts each", train.steps, grouped(batch));
            lines.push(("optimizer steps", steps));
            let per_phase = config.rollout.batches_per_phase;
            lines.push(("rollout phases", format!("{}, of {per_phase} steps", train.phases)));
            let each: Vec<String> = train
                .tasks
                .iter()
                .filter(|task| task.trained)
                .map(|task| format!("{} {}", task.name, task.prompts))
                .collect();
            let epochs = config.schedule.epochs;
            lines.push((
                "prompts answered",
                format!("{} ({}; epochs: {epochs})", train.prompts, each.join(", ")),
            ));
            lines.push(("outputs written and scored", train.outputs.to_string()));
            lines.push(("validations", evaluation(&train.validation)));
            lines.push(("tests", evaluation(&train.test)));
        }
        if let Some(sft) = &self.sft {
            lines.push(("prompts sampled for", sft.prompts.to_string()));
            lines.push(("outputs written and scored", sft.outputs.to_string()));
            lines.push(("outputs kept", sft.kept.to_string()));
            let batch = u64::from(config.sft.batch);
            let steps = format!("{}, of at most {} outputs each", sft.steps, grouped(batch));
            lines.push(("optimizer steps", steps));
            lines.push(("validations", evaluation(&sft.validation)));
            lines.push(("tests", evaluation(&sft.test)));
        }
        if let Some(eval) = &self.eval {
            let all = Count::sum(eval.items.iter().copied());
            lines.push(("items", all.to_string()));
            lines.push(("outputs written and scored", eval.outputs.to_string()));
        }
        lines.push(("longest output", format!("{} tokens", config.rollout.max_completion_tokens)));
        lines.push(("questions to judges' models", self.judge_questions.to_string()));
        lines.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn evaluation(estimate: &EvaluationEstimate) -> String {
    if estimate.evaluations == Count::ZERO {
        return "none".to_owned();
    }
    let items = Count::sum(estimate.items.iter().copied());
    format!(
        "{}, of {items} items with {} outputs each: {} outputs in all",
        estimate.evaluations, estimate.outputs_per_item, estimate.outputs
    )
}
