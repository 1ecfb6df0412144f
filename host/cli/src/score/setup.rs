//! What `score` scores with: a pack's task alone, the entry of a run file, or a recorded run's.

use std::path::Path;
use std::sync::Arc;

use omni_judge::Ledger;
use omni_record::RunFolder;
use omni_train::RunConfig;
use omni_train::reward::{ComponentSpec, RewardSpec};
use serde_json::Map;

use crate::args::{Arguments, Score};
use crate::console;
use crate::engine::Engine;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::lock::Lock;
use crate::models::Models;
use crate::run::reward_spec;
use crate::task::{Settings, Task};

/// Everything that scoring needs.
pub(super) struct Setup {
    /// What runs the task's plugins.
    engine: Engine,
    pub(super) task: Task,
    /// The components with their weights.
    pub(super) components: Vec<ComponentSpec>,
    pub(super) models: Models,
    /// The run's entry: its name for the task, and how components become a reward.
    pub(super) entry: Option<(String, RewardSpec)>,
    /// Rows that are scored at a time.
    pub(super) threads: usize,
}

impl Setup {
    /// Opens what the command line names.
    pub(super) fn open(arguments: &Arguments, score: &Score) -> Outcome<Self> {
        let over = score.config.as_deref().map(object).transpose()?.unwrap_or_default();
        match (&score.run, &score.replay) {
            (Some(file), _) => Self::of_run(arguments, score, file, over),
            (None, Some(folder)) => Self::of_record(arguments, score, folder, over),
            (None, None) => Self::of_pack(arguments, score, over),
        }
    }

    fn of_pack(
        arguments: &Arguments,
        score: &Score,
        over: Map<String, serde_json::Value>,
    ) -> Outcome<Self> {
        let engine = Engine::open(arguments)?;
        let settings = Settings { primary: over, ..Settings::default() };
        let task = Task::open(&engine, &score.task, &settings)?;
        let threads = engine.threads();
        let components = task.components().to_vec();
        Ok(Self { engine, task, components, models: Models::default(), entry: None, threads })
    }

    fn of_run(
        arguments: &Arguments,
        score: &Score,
        file: &Path,
        over: Map<String, serde_json::Value>,
    ) -> Outcome<Self> {
        let config = RunConfig::resolve(file, &[]).or_input()?;
        let ledger = Arc::new(match &score.record {
            Some(folder) => {
                Ledger::recording(&RunFolder::new(folder).replies_jsonl()).or_input()?
            }
            None => Ledger::in_memory(),
        });
        let mut setup = Self::of_entry(arguments, score, &config, file, over)?;
        let entry = &config.task[find(&config, &score.task, file)?];
        let name = config.judge_model(entry).filter(|_| setup.task.has_judge());
        setup.models = Models::open(&config, name.into_iter(), &ledger, file)?;
        setup.task.ask(setup.models.of(&config, entry), entry.label());
        // Whoever waits for a model needs no core meanwhile.
        setup.threads = setup.threads.max(setup.models.concurrency());
        if let Some(folder) = &score.record {
            record(folder, &config, &setup)?;
        }
        Ok(setup)
    }

    fn of_record(
        arguments: &Arguments,
        score: &Score,
        folder: &Path,
        over: Map<String, serde_json::Value>,
    ) -> Outcome<Self> {
        let run = RunFolder::new(folder);
        let file = run.run_toml();
        if !file.is_file() {
            return Err(Fault::input(format!(
                "--replay {}: no run is recorded there: it has no run.toml",
                folder.display()
            )));
        }
        let config = RunConfig::resolve(&file, &[]).or_input()?;
        let lock = match run.lock_toml() {
            lock if lock.is_file() => Lock::read(&lock)?,
            _ => Lock::new(),
        };
        let ledger = Arc::new(Ledger::replaying(&run.replies_jsonl()).or_input()?);
        let mut setup = Self::of_entry(arguments, score, &config, &file, over)?;
        let entry = &config.task[find(&config, &score.task, &file)?];
        warn_of_changes(&setup.engine, &lock)?;
        setup.models = Models::replaying(&config, &lock.models, &ledger);
        setup.task.ask(setup.models.of(&config, entry), entry.label());
        Ok(setup)
    }

    fn of_entry(
        arguments: &Arguments,
        score: &Score,
        config: &RunConfig,
        file: &Path,
        over: Map<String, serde_json::Value>,
    ) -> Outcome<Self> {
        let index = find(config, &score.task, file)?;
        let entry = &config.task[index];
        let engine = Engine::open(arguments)?;
        let settings = Settings { primary: over, ..Settings::of(entry) };
        let task = Task::open(&engine, &entry.uses, &settings)?;
        let spec = reward_spec(&task, index, entry, file)?;
        let threads = engine.threads();
        Ok(Self {
            engine,
            task,
            components: spec.components.clone(),
            models: Models::default(),
            entry: Some((entry.label().to_owned(), spec)),
            threads,
        })
    }
}

/// The entry that a name means: the run's own name for it first, then the task that it uses.
fn find(config: &RunConfig, name: &str, file: &Path) -> Outcome<usize> {
    let by = |matches: &dyn Fn(&omni_train::config::Task) -> bool| -> Vec<usize> {
        (0..config.task.len()).filter(|index| matches(&config.task[*index])).collect()
    };
    let bare = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    for found in [
        by(&|task| task.label() == name),
        by(&|task| task.uses == name),
        by(&|task| {
            bare(&task.uses) == bare(name) && !(task.uses.contains('/') && name.contains('/'))
        }),
    ] {
        match found.as_slice() {
            [] => {}
            [one] => return Ok(*one),
            several => {
                let names: Vec<&str> = several.iter().map(|at| config.task[*at].label()).collect();
                return Err(Fault::input(format!(
                    "{}: `{name}` is used by several entries; say which one: {}",
                    file.display(),
                    names.join(", ")
                )));
            }
        }
    }
    let names: Vec<&str> = config.task.iter().map(|task| task.label()).collect();
    Err(Fault::input(format!(
        "{}: no entry is called `{name}` or uses it; there is {}",
        file.display(),
        names.join(", ")
    )))
}

/// Says which plugins are others than the run's: rewards may then differ for that reason.
fn warn_of_changes(engine: &Engine, lock: &Lock) -> Outcome<()> {
    let mut changed = Vec::new();
    for component in engine.used() {
        let Some(then) = lock.components.get(&component.qualified()) else { continue };
        if *then != crate::lock::file_digest(&component.wasm)? {
            changed.push(component.qualified());
        }
    }
    if !changed.is_empty() {
        console::say(format!(
            "not the plugins of the recorded run any more: {}; rewards may differ for that",
            changed.join(", ")
        ));
    }
    Ok(())
}

/// Writes beside the replies what `--replay` needs.
fn record(folder: &Path, config: &RunConfig, setup: &Setup) -> Outcome<()> {
    let run = RunFolder::new(folder);
    std::fs::create_dir_all(folder).or_input_at(folder.display())?;
    let mut lock = Lock::new();
    lock.models = setup.models.identities();
    for component in setup.engine.used() {
        lock.components.insert(component.qualified(), crate::lock::file_digest(&component.wasm)?);
    }
    if run.run_toml().exists() {
        crate::resume::same_run(config, &run.run_toml()).map_err(|fault| match fault {
            Fault::Input(message) => Fault::Input(message.replace("with --out", "with --record")),
            other => other,
        })?;
        let old = match run.lock_toml() {
            file if file.is_file() => Lock::read(&file)?,
            _ => Lock::new(),
        };
        // Other tasks of the same run file may have been recorded here.
        for (name, identity) in old.models {
            let ours = lock.models.entry(name.clone()).or_insert_with(|| identity.clone());
            if *ours != identity {
                return Err(Fault::input(format!(
                    "{}: the model `{name}` is another one than was recorded there; choose \
                     another folder with --record",
                    folder.display()
                )));
            }
        }
    }
    crate::train::write(&run.run_toml(), &config.to_toml().or_input()?)?;
    crate::train::write(&run.lock_toml(), &lock.to_toml()?)
}

fn object(text: &str) -> Outcome<Map<String, serde_json::Value>> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(config)) => Ok(config),
        Ok(_) => Err(Fault::input(format!("--config: {text} is not a JSON object"))),
        Err(error) => Err(Fault::input(format!("--config: not JSON: {error}"))),
    }
}
