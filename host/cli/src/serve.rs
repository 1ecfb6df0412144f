//! `serve`: the policy and the tasks' rewards over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use omni_judge::Ledger;
use omni_policy::{CpuPolicy, Tokenizer};
use omni_serve::{Bound, Config, Model, Parts, Scorer, ServeError, Stop, Token};
use omni_train::RunConfig;
use omni_train::reward::ComponentSpec;
use serde_json::{Map, Value};

use crate::args::{Arguments, Serve};
use crate::console;
use crate::engine::{self, Engine};
use crate::fault::{Blame as _, Fault, Outcome, chain};
use crate::models::Models;
use crate::run;
use crate::score::score_line;
use crate::task::{Settings, Task};

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &Arguments, serve: &Serve) -> Outcome<()> {
    if serve.policy.is_none() && serve.tasks.is_empty() && serve.run.is_none() {
        return Err(Fault::input(
            "nothing to serve: name a policy with --policy DIR, tasks with --task TASK, or both",
        ));
    }
    // First, so that what cannot be listened on is not loaded for.
    let bound = Bound::new(config(arguments, serve)?).map_err(fault)?;
    let tasks = Tasks::open(arguments, serve)?;
    let model =
        serve.policy.as_deref().map(|folder| model(arguments, serve, folder)).transpose()?;
    let name = model.as_ref().map(|model| model.name.clone());
    let stop = Stop::default();
    let handle = stop.clone();
    ctrlc::set_handler(move || {
        if handle.stop() {
            console::say("stopped at once");
            std::process::exit(1);
        }
        console::say("stopping: running requests are finished (once more to stop at once)");
    })
    .or_run_at("cannot listen for Ctrl-C")?;
    if let Some(name) = name {
        console::say(format!("model: {}", console::printable(&name)));
    }
    if let Some(tasks) = &tasks {
        console::say(format!("tasks: {}", tasks.names.join(", ")));
    }
    console::say(format!("listening on http://{}", bound.address()));
    let scorer = tasks.map(|tasks| Arc::new(tasks) as Arc<dyn Scorer>);
    bound.run(Parts { model, scorer }, &stop).map_err(fault)
}

fn fault(error: ServeError) -> Fault {
    if error.is_input() { Fault::Input(chain(&error)) } else { Fault::Run(chain(&error)) }
}

fn config(arguments: &Arguments, serve: &Serve) -> Outcome<Config> {
    for (name, value) in [
        ("max-body-mib", serve.max_body_mib),
        ("max-tokens", serve.max_tokens),
        ("concurrency", serve.concurrency),
        ("queue", serve.queue),
    ] {
        if value == 0 {
            return Err(Fault::input(format!("--{name} 0: it must be at least 1")));
        }
    }
    Ok(Config {
        listen: serve.listen,
        token: serve.token_env.as_deref().map(token).transpose()?,
        max_body: (serve.max_body_mib as usize).saturating_mul(1 << 20),
        max_tokens: serve.max_tokens as usize,
        places: serve.concurrency as usize,
        queue: serve.queue as usize,
        score_threads: engine::threads(arguments)?,
        grace: Duration::from_secs(u64::from(serve.grace)),
        ..Config::default()
    })
}

/// The token that an environment variable holds.
fn token(variable: &str) -> Outcome<Token> {
    let at = format!("--token-env {variable}");
    match std::env::var(variable) {
        Ok(text) => Token::new(&text).or_input_at(at),
        Err(std::env::VarError::NotPresent) => {
            Err(Fault::input(format!("{at}: there is no such environment variable")))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Fault::input(format!("{at}: its value is not UTF-8")))
        }
    }
}

/// The policy under its name.
fn model(arguments: &Arguments, serve: &Serve, folder: &Path) -> Outcome<Model> {
    run::check_folder(folder)?;
    let tokenizer = Tokenizer::load(folder).map_err(run::policy_fault)?;
    let threads = engine::threads(arguments)?;
    let policy = CpuPolicy::load(folder, Some(threads)).map_err(run::policy_fault)?;
    let name = match &serve.name {
        Some(name) => name.clone(),
        // The folder's own name, also where it is written as `.`.
        None => std::fs::canonicalize(folder)
            .ok()
            .and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_else(|| "policy".to_owned()),
    };
    Ok(Model::new(name, policy, tokenizer))
}

/// The tasks that are scored.
struct Tasks {
    tasks: Vec<(Task, Vec<ComponentSpec>)>,
    /// A run's name for each task, or its qualified name.
    names: Vec<String>,
    /// Questions that the judges' models take at a time.
    asked_at_a_time: usize,
    /// What runs their plugins.
    _engine: Engine,
}

impl Tasks {
    /// Loads the tasks that were asked for.
    fn open(arguments: &Arguments, serve: &Serve) -> Outcome<Option<Self>> {
        let tasks = match &serve.run {
            Some(file) => Self::of_run(arguments, serve, file)?,
            None if serve.tasks.is_empty() => return Ok(None),
            None => Self::of_packs(arguments, serve)?,
        };
        for (n, name) in tasks.names.iter().enumerate() {
            if tasks.names[..n].contains(name) {
                return Err(Fault::input(format!("--task: `{name}` is named twice")));
            }
        }
        Ok(Some(tasks))
    }

    fn of_packs(arguments: &Arguments, serve: &Serve) -> Outcome<Self> {
        let engine = Engine::open(arguments)?;
        let (mut tasks, mut names) = (Vec::new(), Vec::new());
        for name in &serve.tasks {
            let task = Task::open(&engine, name, &Settings::default())?;
            names.push(task.pack().qualified());
            let components = task.components().to_vec();
            tasks.push((task, components));
        }
        Ok(Self { tasks, names, asked_at_a_time: 1, _engine: engine })
    }

    /// The entries of a run file, with its judges and their models.
    fn of_run(arguments: &Arguments, serve: &Serve, file: &Path) -> Outcome<Self> {
        let config = RunConfig::resolve(file, &[]).or_input()?;
        let wanted = |entry: &omni_train::config::Task, name: &String| {
            entry.label() == name || entry.uses == *name
        };
        for name in &serve.tasks {
            if !config.task.iter().any(|entry| wanted(entry, name)) {
                let labels: Vec<&str> = config.task.iter().map(|entry| entry.label()).collect();
                return Err(Fault::input(format!(
                    "--task {name}: {} has no such entry; it has {}",
                    file.display(),
                    labels.join(", ")
                )));
            }
        }
        let engine = Engine::open(arguments)?;
        let mut loaded = Vec::new();
        for (index, entry) in config.task.iter().enumerate() {
            if serve.tasks.is_empty() || serve.tasks.iter().any(|name| wanted(entry, name)) {
                let task = Task::open(&engine, &entry.uses, &Settings::of(entry))?;
                let components = run::reward_spec(&task, index, entry, file)?.components;
                loaded.push((entry, task, components));
            }
        }
        // Each model once, for all the tasks that ask it.
        let asking = loaded.iter().filter(|(_, task, _)| task.has_judge());
        let models = asking.filter_map(|(entry, ..)| config.judge_model(entry));
        let models = Models::open(&config, models, &Arc::new(Ledger::in_memory()), file)?;
        let asked_at_a_time = models.concurrency();
        let (mut tasks, mut names) = (Vec::new(), Vec::new());
        for (entry, mut task, components) in loaded {
            task.ask(models.of(&config, entry), entry.label());
            names.push(entry.label().to_owned());
            tasks.push((task, components));
        }
        Ok(Self { tasks, names, asked_at_a_time, _engine: engine })
    }
}

impl Scorer for Tasks {
    fn tasks(&self) -> &[String] {
        &self.names
    }

    fn at_a_time(&self) -> usize {
        self.asked_at_a_time
    }

    fn find(&self, name: &str) -> Option<usize> {
        let named = self.names.iter().position(|known| known == name);
        named.or_else(|| {
            // A bare name, or what a run's entry uses, where one task alone is meant.
            let mut meant = (0..self.tasks.len()).filter(|&index| {
                let pack = self.tasks[index].0.pack();
                pack.name == name || pack.qualified() == name
            });
            let first = meant.next()?;
            meant.next().is_none().then_some(first)
        })
    }

    fn score(&self, task: usize, row: &Map<String, Value>, seed: u32) -> Result<Value, String> {
        let (task, components) = &self.tasks[task];
        let line = serde_json::to_vec(row).map_err(|error| error.to_string())?;
        let scored = score_line((task, components), Path::new("row"), &line, 1, seed)?;
        let (_, _, line) = scored;
        Ok(line)
    }
}
