//! A run file with all that it names, as far as it is on this machine. Nothing is fetched, no model
//! is opened, nobody is asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use omni_data::Look as Found;
use omni_record::{Component, Finish, Item, Message, Role, Rollout};
use omni_train::RunConfig;
use omni_train::config::Task as Entry;

use super::count::Count;
use super::estimate::declared;
use super::needs::{self, Need};
use crate::args::Arguments;
use crate::console;
use crate::engine::Engine;
use crate::evidence::Measured;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::models::{Asked, Counter};
use crate::problems::{self, Loader, Origin};
use crate::run;
use crate::task::Task;

/// The size of a split of a generator that never runs out.
pub(super) const ENDLESS: u64 = u64::MAX;

/// A run file, looked at.
pub(super) struct Look {
    pub(super) file: PathBuf,
    pub(super) config: RunConfig,
    pub(super) engine: Engine,
    pub(super) tasks: Vec<Seen>,
    pub(super) needs: Vec<Need>,
    pub(super) evidence: Option<Measured>,
}

/// A task, looked at.
pub(super) struct Seen {
    task: Task,
    /// Sizes of the splits that it has; all that it has, where `complete`.
    pub(super) splits: BTreeMap<String, Split>,
}

/// A split, as far as it is there.
pub(super) struct Split {
    pub(super) size: Count,
    /// For each item, the answers that its evaluation asks for and how often they are judged; none
    /// where the items are not there.
    answers: Option<Vec<(u32, u32)>>,
    /// Sets of references that are named for it.
    sets: u32,
}

/// The questions that a judge asks for a group of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Questions {
    So(u64),
    Unknown,
}

impl Look {
    /// Looks; `policy` is measured instead of the one that the file names.
    pub(super) fn at(
        arguments: &Arguments,
        file: &Path,
        set: &[String],
        policy: Option<&Path>,
    ) -> Outcome<Self> {
        let config = RunConfig::resolve(file, set).or_input()?;
        run::device(config.policy.device)?;
        let engine = Engine::open(arguments)?;
        let (_, loaded) = run::open_tasks(&engine, &config, file)?;
        let mut needs = Vec::new();
        let (key, folder) = match policy {
            Some(policy) => ("--policy", policy),
            None => ("policy.model", config.policy.model.as_path()),
        };
        needs.push(needs::policy(key, folder, &config)?);
        let with_tokenizer = folder.join("tokenizer.json").is_file();
        let loader = Loader::new(with_tokenizer.then_some(folder));
        let mut tasks = Vec::new();
        for (entry, task) in config.task.iter().zip(loaded) {
            let splits = splits(&engine, entry, &task, &loader, &mut needs)?;
            tasks.push(Seen { task, splits });
        }
        let mut look = Self { file: file.to_owned(), config, engine, tasks, needs, evidence: None };
        look.judges()?;
        Ok(look)
    }

    /// What only training needs: the checkpoint to continue from, and evidence.
    pub(super) fn training(&mut self) -> Outcome<()> {
        if let Some(folder) = &self.config.policy.continue_from {
            self.needs.push(needs::checkpoint(folder));
        }
        if let Some(path) = &self.config.schedule.evidence {
            let (key, what) = ("schedule.evidence", format!("the evidence {}", path.display()));
            if path.exists() {
                self.evidence = Measured::of_run(&self.config)?;
                self.needs.push(Need::there(key, what));
            } else {
                let how = "a study measures it (evidence.json in its folder); `omni-host plan` \
                           says its form";
                self.needs.push(Need::missing(key, what, how));
            }
        }
        let trained: Vec<(usize, String)> = self
            .config
            .task
            .iter()
            .enumerate()
            .filter(|(_, entry)| self.config.schedule.trains(entry.label()))
            .map(|(index, entry)| (index, entry.train_split.clone()))
            .collect();
        for (index, split) in trained {
            self.has(index, &split, "train_split")?;
            let entry = &self.config.task[index];
            let label = entry.label();
            match (entry.items, self.size(index, &split)) {
                (0, Count::Exactly(ENDLESS)) if self.config.schedule.max_steps == 0 => {
                    return Err(Fault::input(format!(
                        "{}: `task.{index}.items`: `{label}` never runs out of items; say how many \
                         to train on, or set schedule.max_steps",
                        self.file.display()
                    )));
                }
                (wanted, Count::Exactly(size)) if u64::from(wanted) > size => {
                    return Err(Fault::input(format!(
                        "{}: `task.{index}.items`: {wanted} are asked for, but the split `{split}` \
                         of `{label}` has {size}",
                        self.file.display()
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that every task has the split that an evaluation measures.
    pub(super) fn measures(&self, splits: &[String], setting: &str) -> Outcome<()> {
        for (index, split) in splits.iter().enumerate() {
            self.has(index, split, setting)?;
        }
        Ok(())
    }

    fn has(&self, index: usize, split: &str, setting: &str) -> Outcome<()> {
        let Some(seen) = self.tasks.get(index) else { return Ok(()) };
        if seen.splits.contains_key(split) {
            return Ok(());
        }
        let known: Vec<&str> = seen.splits.keys().map(String::as_str).collect();
        Err(Fault::input(format!(
            "{}: `task.{index}.{setting}`: `{}` has no split `{split}`; it has {}",
            self.file.display(),
            self.config.task[index].label(),
            known.join(", ")
        )))
    }

    /// Items of a split.
    pub(super) fn size(&self, index: usize, split: &str) -> Count {
        let found = self.tasks.get(index).and_then(|seen| seen.splits.get(split));
        found.map_or(Count::Unknown, |split| split.size)
    }

    /// Answers that so many items of a split ask for, and judgements of them; each answer of a
    /// first turn goes on as a conversation of its own.
    pub(super) fn answers(&self, index: usize, split: &str, items: Count) -> (Count, Count) {
        let found = self.tasks.get(index).and_then(|seen| seen.splits.get(split));
        match found {
            Some(Split { answers: Some(answers), .. }) => {
                let most = items.most().and_then(|n| usize::try_from(n).ok());
                let taken = answers.iter().take(most.unwrap_or(usize::MAX));
                let (turns, judged) = taken.fold((0, 0), |(turns, judged), one| {
                    (turns + u64::from(one.0), judged + u64::from(one.1))
                });
                (Count::Exactly(turns), Count::Exactly(judged))
            }
            Some(split) => (items, items.times(u64::from(split.sets.max(1)))),
            None => (items, items),
        }
    }

    /// The models that judges ask: each must be named, and may be missing.
    fn judges(&mut self) -> Outcome<()> {
        let mut checked: Vec<&str> = Vec::new();
        for (index, (entry, seen)) in self.config.task.iter().zip(&self.tasks).enumerate() {
            if !seen.task.has_judge() {
                continue;
            }
            match self.config.judge_model(entry) {
                Some(name) if checked.contains(&name) => {}
                Some(name) => {
                    let Some(source) = self.config.models.get(name) else { continue };
                    self.needs.extend(needs::model(name, source, &self.file)?);
                    checked.push(name);
                }
                None if seen.questions(1) == Questions::So(0) => {}
                None => {
                    let names: Vec<&str> = self.config.models.keys().map(String::as_str).collect();
                    let what = match names.as_slice() {
                        [] => "the run names no model: add a table [models.NAME]".to_owned(),
                        names => format!("set it to one of {}", names.join(", ")),
                    };
                    return Err(Fault::input(format!(
                        "{}: `task.{index}.judge_model`: the judge of `{}` asks a model, and {what}",
                        self.file.display(),
                        entry.label()
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Seen {
    /// The task as its pack has it.
    pub(super) fn pack(&self) -> &omni_pack::Task {
        self.task.pack()
    }

    /// Components of its rewards, with their weights.
    pub(super) fn components(&self) -> impl Iterator<Item = (&str, f64)> {
        self.task.components().iter().map(|it| (it.name.as_str(), it.weight))
    }

    /// The questions that its judge asks about so many outputs of one prompt, counted by asking
    /// for the judgement of made-up ones.
    pub(super) fn questions(&self, outputs: u32) -> Questions {
        if outputs == 0 || !self.task.has_judge() {
            return Questions::So(0);
        }
        let text = |n| format!("<think>Well.</think><answer>This is the answer {n}.</answer>");
        let rollouts: Vec<Rollout> = (0..outputs)
            .map(|n| Rollout { text: text(n), tokens: 16, finish: Finish::Stop })
            .collect();
        let content = "Write two sentences.".to_owned();
        let item = Item {
            id: "dry-run".into(),
            messages: vec![Message { role: Role::User, content }],
            reference: Some("This is a text. It is to be compared with.".into()),
            data: serde_json::json!({}),
        };
        let counter = Arc::new(Counter::default());
        let mut task = self.task.clone();
        task.ask(Asked::Counted(Arc::clone(&counter)), "dry-run");
        let scored = task.score(&item, &rollouts, 0);
        let specs = self.task.components().iter();
        let primary: Vec<&str> = specs.filter(|it| it.primary).map(|it| it.name.as_str()).collect();
        let defined = |component: &Component| {
            primary.contains(&component.name.as_str()) && component.value.score().is_some()
        };
        match counter.questions() {
            // It could not even judge: its rows hold more than made-up ones do.
            0 if !scored.rollouts.iter().flatten().any(defined) => Questions::Unknown,
            count => Questions::So(count),
        }
    }
}

fn splits(
    engine: &Engine,
    entry: &Entry,
    task: &Task,
    loader: &Loader<'_>,
    needs: &mut Vec<Need>,
) -> Outcome<BTreeMap<String, Split>> {
    let label = entry.label();
    let wanted = run::wanted(entry, task)?;
    match wanted.origin()? {
        Origin::Plugin(component, config) => {
            let plugin = engine.task(component)?;
            let splits = plugin.splits(&config).or_input_at(format!("task `{label}`"))?;
            let size = |items: Option<u32>| Count::Exactly(items.map_or(ENDLESS, u64::from));
            Ok(splits
                .into_iter()
                .map(|it| (it.name, Split { size: size(it.items), answers: None, sets: 0 }))
                .collect())
        }
        Origin::Rows(data) => {
            let looks = loader
                .look(&data, task.pack().template.as_ref())
                .map_err(|fault| problems::of_task(label, fault))?;
            let mut splits = BTreeMap::new();
            for (name, found) in looks {
                let key = format!("task.{label}.data.{name}");
                let split = match found {
                    Found::There(loaded) => {
                        let report = console::printable(&loaded.report.to_string());
                        needs.push(Need::there(key, report));
                        let items = problems::items(loaded.rows, &loaded.report.source)?;
                        there(label, &items)?
                    }
                    Found::Missing(all) => {
                        needs.extend(
                            all.into_iter().map(|it| Need::missing(key.clone(), it.what, it.how)),
                        );
                        let sets = data.get(&name).into_iter().flatten();
                        let sets = sets.map(|one| one.references.len()).max().unwrap_or(0);
                        let sets = u32::try_from(sets).unwrap_or(u32::MAX);
                        Split { size: declared(entry, &name), answers: None, sets }
                    }
                };
                splits.insert(name, split);
            }
            Ok(splits)
        }
    }
}

/// A split whose items are there.
fn there(label: &str, items: &[Item]) -> Outcome<Split> {
    let answers = items.iter().map(|item| {
        omni_train::answers_of(item)
            .map_err(|why| Fault::input(format!("task `{label}`: item `{}`: {why}", item.id)))
    });
    let answers: Vec<(u32, u32)> = answers.collect::<Outcome<_>>()?;
    Ok(Split { size: Count::Exactly(items.len() as u64), answers: Some(answers), sets: 0 })
}
