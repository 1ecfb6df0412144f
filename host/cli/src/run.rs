//! What `train` and `eval` share: a run file turned into loaded tasks, problems and a policy.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use omni_judge::Ledger;
use omni_policy::{CpuPolicy, PolicyError, Tokenizer};
use omni_record::{GroupScore, Item, Rollout};
use omni_train::config::Device;
use omni_train::outside::Scorer;
use omni_train::reward::RewardSpec;
use omni_train::{RunConfig, TaskSpec, TrainError};

use crate::args::Arguments;
use crate::console;
use crate::engine::Engine;
use crate::fault::{Blame as _, Fault, Outcome, chain};
use crate::lock::Lock;
use crate::models::Models;
use crate::problems::{self, Sources, Wanted};
use crate::task::{Settings, Task};

/// A run, ready to begin.
pub(crate) struct Run {
    /// The resolved configuration.
    pub(crate) config: RunConfig,
    /// Packs and plugins.
    pub(crate) engine: Engine,
    /// What the trainer knows of the tasks.
    pub(crate) specs: Vec<TaskSpec>,
    /// The tasks' rewards.
    pub(crate) scorer: Tasks,
    /// The tasks' problems.
    pub(crate) problems: Sources,
    /// What the tasks' judges ask.
    pub(crate) models: Models,
}

/// The tasks' rewards, by the tasks' index.
pub(crate) struct Tasks(Vec<Task>);

impl Scorer for Tasks {
    fn score(&self, task: usize, item: &Item, rollouts: &[Rollout], seed: u32) -> GroupScore {
        self.0[task].score(item, rollouts, seed)
    }
}

impl Run {
    /// Reads the run file and loads what it names; judges' replies go to the ledger.
    pub(crate) fn open(
        arguments: &Arguments,
        file: &Path,
        set: &[String],
        ledger: &Arc<Ledger>,
    ) -> Outcome<Self> {
        let mut config = RunConfig::resolve(file, set).or_input()?;
        if let Some(threads) = arguments.threads {
            config.policy.threads = threads;
        }
        let engine = Engine::open(arguments)?;
        let (specs, mut tasks) = open_tasks(&engine, &config, file)?;
        let asked = config.task.iter().zip(&tasks).filter(|(_, task)| task.has_judge());
        let names = asked.filter_map(|(entry, _)| config.judge_model(entry));
        let models = Models::open(&config, names, ledger, file)?;
        for (entry, task) in config.task.iter().zip(&mut tasks) {
            task.ask(models.of(&config, entry), entry.label());
        }
        let wanted: Vec<Wanted<'_>> = config
            .task
            .iter()
            .zip(&tasks)
            .map(|(entry, task)| wanted(entry, task))
            .collect::<Outcome<_>>()?;
        let problems = Sources::open(&engine, &wanted, Some(&config.policy.model))?;
        Ok(Self { config, engine, specs, scorer: Tasks(tasks), problems, models })
    }

    /// The names of the tasks, in the run's order.
    pub(crate) fn task_names(&self) -> Vec<String> {
        self.specs.iter().map(|spec| spec.name.clone()).collect()
    }

    /// What the run uses: its policy, components, prompts and data.
    pub(crate) fn lock(&self) -> Outcome<Lock> {
        let mut lock = Lock::new();
        lock.models = self.models.identities();
        lock.add_policy(&self.config.policy.model)?;
        for component in self.engine.used() {
            let digest = crate::lock::file_digest(&component.wasm)?;
            lock.components.insert(component.qualified(), digest);
            lock.packs.insert(component.pack.clone(), component.version.clone());
            // A judge's prompts, which may lie in another pack than its task.
            let pack = self.engine.packs().packs().iter().find(|it| it.name() == component.pack);
            for name in &component.config_files {
                let Some(pack) = pack else { continue };
                let digest = crate::lock::file_digest(&pack.dir().join(name))?;
                lock.files.insert(format!("{}/{name}", component.pack), digest);
            }
        }
        for task in &self.scorer.0 {
            let pack = task.pack();
            lock.packs.insert(pack.pack.clone(), pack.version.clone());
            let dir = self.engine.packs().packs().iter().find(|it| it.name() == pack.pack);
            if let Some(dir) = dir {
                // The manifest holds weights and limits; prompts and data lie beside it.
                for (name, file) in files_of(dir.dir())? {
                    let digest = crate::lock::file_digest(&file)?;
                    lock.files.insert(format!("{}/{name}", pack.pack), digest);
                }
            }
        }
        for dataset in self.problems.datasets() {
            for file in &dataset.files {
                let name = format!("{}: {}", dataset.name, file.name);
                lock.files.insert(name, crate::lock::file_digest(&file.path)?);
            }
            lock.data.insert(dataset.name.clone(), dataset.report.clone());
        }
        Ok(lock)
    }
}

/// Loads a run's tasks, and says what the trainer knows of them.
pub(crate) fn open_tasks(
    engine: &Engine,
    config: &RunConfig,
    file: &Path,
) -> Outcome<(Vec<TaskSpec>, Vec<Task>)> {
    let mut tasks = Vec::new();
    let mut specs = Vec::new();
    for (index, task) in config.task.iter().enumerate() {
        let settings = Settings::of(task);
        let loaded = Task::open(engine, &task.uses, &settings).map_err(|fault| match fault {
            Fault::Input(message) => Fault::Input(format!("{}: {message}", file.display())),
            other => other,
        })?;
        let reward = reward_spec(&loaded, index, task, file)?;
        specs.push(TaskSpec { name: task.label().to_owned(), reward });
        tasks.push(loaded);
    }
    Ok((specs, tasks))
}

/// What an entry of a run file says of a task's problems.
pub(crate) fn wanted<'a>(
    entry: &'a omni_train::config::Task,
    task: &'a Task,
) -> Outcome<Wanted<'a>> {
    let data = problems::settings(&entry.data)?;
    Ok(Wanted { label: entry.label(), pack: task.pack(), data, config: &entry.config })
}

/// A task's reward as an entry of a run file has it.
pub(crate) fn reward_spec(
    task: &Task,
    index: usize,
    entry: &omni_train::config::Task,
    file: &Path,
) -> Outcome<RewardSpec> {
    let metric = task.pack().metric.as_deref();
    RewardSpec::resolve(task.components().to_vec(), metric, index, entry)
        .map_err(|mut error| {
            error.file = Some(file.to_owned());
            error
        })
        .or_input()
}

/// A pack's own files but its components and its lock, by their paths within it.
fn files_of(dir: &Path) -> Outcome<Vec<(String, PathBuf)>> {
    fn below(dir: &Path, under: &str, found: &mut Vec<(String, PathBuf)>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let name = format!("{under}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                below(&entry.path(), &format!("{name}/"), found)?;
            } else if !name.ends_with(".wasm") && name != "pack.lock" {
                found.push((name, entry.path()));
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    below(dir, "", &mut found).or_input_at(dir.display())?;
    Ok(found)
}

/// The policy that a run file names, with its tokenizer.
pub(crate) fn policy(config: &RunConfig, folder: &Path) -> Outcome<(CpuPolicy, Tokenizer)> {
    check_folder(folder)?;
    device(config.policy.device)?;
    let tokenizer = Tokenizer::load(folder).map_err(policy_fault)?;
    let policy = CpuPolicy::load(folder, threads(config.policy.threads)).map_err(policy_fault)?;
    Ok((policy, tokenizer))
}

/// A policy's folder must be there before its files are looked for.
pub(crate) fn check_folder(folder: &Path) -> Outcome<()> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(Fault::input(format!(
        "{}: there is no such folder; a policy is a Hugging Face folder with config.json, \
         model.safetensors and tokenizer.json",
        folder.display()
    )))
}

/// None takes every core.
pub(crate) fn threads(threads: usize) -> Option<usize> {
    (threads > 0).then_some(threads)
}

/// Only the CPU computes in this version.
pub(crate) fn device(device: Device) -> Outcome<()> {
    match device {
        Device::Auto | Device::Cpu => Ok(()),
        Device::Cuda => Err(Fault::input(
            "`device = \"cuda\"` is not supported in this version; use \"auto\" or \"cpu\"",
        )),
    }
}

/// Whose fault a policy's error is.
pub(crate) fn policy_fault(error: PolicyError) -> Fault {
    if error.is_input() { Fault::Input(chain(&error)) } else { Fault::Run(chain(&error)) }
}

/// Whose fault a trainer's error is.
pub(crate) fn train_fault(error: TrainError) -> Fault {
    if error.is_input() { Fault::Input(chain(&error)) } else { Fault::Run(chain(&error)) }
}

/// Set by Ctrl-C (or SIGTERM); the second one ends the process at once.
pub(crate) fn stop_flag(what: &'static str) -> Outcome<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if STOP.swap(true, Ordering::SeqCst) {
            console::say("stopped at once; the last checkpoint stands");
            std::process::exit(1);
        }
        console::say(format!("stopping: {what} (once more to stop at once)"));
    })
    .or_run_at("cannot listen for Ctrl-C")?;
    Ok(&STOP)
}
