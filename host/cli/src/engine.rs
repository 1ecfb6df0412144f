//! The packs of this call, and their components loaded into the runtime, each once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use omni_pack::{Component, Kind, PackSet};
use omni_runtime::{
    Compiler, InterpreterPlugin, JudgePlugin, Limits, Plugin, PluginLabel, RewardPlugin, Runtime,
    RuntimeConfig, SchedulerPlugin, TaskPlugin,
};

use crate::args::Arguments;
use crate::console;
use crate::fault::{Blame as _, Fault, Outcome};

/// Where the first-party packs are built to, below the repository's root.
const BUILT_PACKS: &str = "target/packs";

/// Packs and plugins.
pub(crate) struct Engine {
    packs: PackSet,
    runtime: Runtime,
    loaded: Mutex<HashMap<String, Plugin>>,
    threads: usize,
}

impl Engine {
    /// Finds the packs and starts the runtime; loads nothing yet.
    pub(crate) fn open(arguments: &Arguments) -> Outcome<Self> {
        let packs = PackSet::load(&plugin_folders(arguments)?).or_input()?;
        let threads = threads(arguments)?;
        let mut config = RuntimeConfig::default();
        config.workers = threads;
        config.cache_dir = cache_dir();
        config.compiler = match std::env::current_exe() {
            Ok(program) => Compiler::Child(program),
            Err(error) => {
                return Err(Fault::run(format!("cannot tell where omni-host itself is: {error}")));
            }
        };
        let runtime = Runtime::new(config).or_run()?;
        Ok(Self { packs, runtime, loaded: Mutex::default(), threads })
    }

    /// The packs.
    pub(crate) fn packs(&self) -> &PackSet {
        &self.packs
    }

    /// Threads to use.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Loads a component, or hands out the one that is loaded already.
    pub(crate) fn load(&self, component: &Component) -> Outcome<Plugin> {
        let name = component.qualified();
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(&name) {
            return Ok(plugin.clone());
        }
        let wasm = std::fs::read(&component.wasm).or_input_at(component.wasm.display())?;
        let label = PluginLabel {
            pack: component.pack.clone(),
            name: component.name.clone(),
            version: component.version.clone(),
        };
        let spinner = console::spinner(format!("loading {name}"));
        let plugin = self.runtime.load(&wasm, label, limits(component));
        spinner.finish_and_clear();
        let at = || format!("{name} ({})", component.wasm.display());
        let plugin = plugin
            .map_err(|error| Fault::input(format!("{}: {}", at(), crate::fault::chain(&error))))?;
        if plugin.kind().as_str() != component.kind.as_str() {
            return Err(Fault::input(format!(
                "{}: the manifest calls it a {}, the component is a {}",
                at(),
                component.kind,
                plugin.kind()
            )));
        }
        loaded.insert(name, plugin.clone());
        Ok(plugin)
    }

    /// Loads a reward.
    pub(crate) fn reward(&self, component: &Component) -> Outcome<RewardPlugin> {
        match self.load(component)? {
            Plugin::Reward(plugin) => Ok(plugin),
            other => Err(wrong_kind(component, &other, Kind::Reward)),
        }
    }

    /// Loads a judge.
    pub(crate) fn judge(&self, component: &Component) -> Outcome<JudgePlugin> {
        match self.load(component)? {
            Plugin::Judge(plugin) => Ok(plugin),
            other => Err(wrong_kind(component, &other, Kind::Judge)),
        }
    }

    /// Loads a source of problems.
    pub(crate) fn task(&self, component: &Component) -> Outcome<TaskPlugin> {
        match self.load(component)? {
            Plugin::Task(plugin) => Ok(plugin),
            other => Err(wrong_kind(component, &other, Kind::Task)),
        }
    }

    /// Loads a scheduler.
    pub(crate) fn scheduler(&self, component: &Component) -> Outcome<SchedulerPlugin> {
        match self.load(component)? {
            Plugin::Scheduler(plugin) => Ok(plugin),
            other => Err(wrong_kind(component, &other, Kind::Scheduler)),
        }
    }

    /// The interpreters that some rewards may ask for, by language: those that they name, and
    /// every one of the packs if one of them names none.
    pub(crate) fn interpreters(
        &self,
        rewards: &[&Component],
    ) -> Outcome<HashMap<String, InterpreterPlugin>> {
        let asked = |language: &String| {
            rewards.iter().any(|reward| match &reward.executes {
                Some(languages) => languages.contains(language),
                None => true,
            })
        };
        // A language without an interpreter is told by the programs that want it, as undefined.
        let mut languages: Vec<String> =
            self.packs.components().flat_map(|it| it.languages).filter(asked).collect();
        languages.sort();
        languages.dedup();
        let mut interpreters = HashMap::new();
        for language in languages {
            let component = self.packs.interpreter(&language).or_input()?;
            match self.load(&component)? {
                Plugin::Interpreter(plugin) => interpreters.insert(language, plugin),
                other => return Err(wrong_kind(&component, &other, Kind::Interpreter)),
            };
        }
        Ok(interpreters)
    }

    /// Components loaded so far: what a run used.
    pub(crate) fn used(&self) -> Vec<Component> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.packs.components().filter(|it| loaded.contains_key(&it.qualified())).collect()
    }
}

fn wrong_kind(component: &Component, plugin: &Plugin, wanted: Kind) -> Fault {
    let name = component.qualified();
    Fault::input(format!("`{name}` is a {}, where a {wanted} is wanted", plugin.kind()))
}

fn limits(component: &Component) -> Limits {
    let mut limits = Limits::default();
    if let Some(fuel) = component.limits.fuel {
        limits.fuel = fuel;
    }
    if let Some(mib) = component.limits.memory_mib {
        limits.memory_bytes = mib << 20;
    }
    limits
}

/// The folders that `--plugins` names; without it, those of the checkout that this is run in.
pub(crate) fn plugin_folders(arguments: &Arguments) -> Outcome<Vec<PathBuf>> {
    if !arguments.plugins.is_empty() {
        for folder in &arguments.plugins {
            if !folder.is_dir() {
                return Err(Fault::input(format!(
                    "--plugins {}: there is no such folder",
                    folder.display()
                )));
            }
        }
        return Ok(arguments.plugins.clone());
    }
    let here = std::env::current_dir().or_run_at("cannot tell the current folder")?;
    let built = here.ancestors().map(|folder| folder.join(BUILT_PACKS)).find(|it| it.is_dir());
    // A checkout keeps its binary below target/, so the packs beside it are the same build's.
    let beside = || {
        let program = std::env::current_exe().ok()?;
        let packs = program.parent()?.parent()?.join("packs");
        packs.is_dir().then_some(packs)
    };
    match built.or_else(beside) {
        Some(folder) => Ok(vec![folder]),
        None => Err(Fault::input(
            "no packs: name a folder of built packs with --plugins DIR, or run \
             `cargo xtask build` in a checkout of the project",
        )),
    }
}

/// `--threads`, or every core.
pub(crate) fn threads(arguments: &Arguments) -> Outcome<usize> {
    match arguments.threads {
        Some(0) => Err(Fault::input("--threads 0: at least one thread is needed")),
        Some(threads) => Ok(threads),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// Where compiled plugins are kept: `OMNI_CACHE`, else the user's cache folder.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = absolute("OMNI_CACHE") {
        return Some(folder.join("compiled"));
    }
    let user = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|it| it.join(".cache")));
    user.map(|folder| folder.join("omni-host/compiled"))
}

/// The child process that compiles one component.
pub(crate) fn compile(input: &Path, output: &Path) -> Outcome<()> {
    omni_runtime::compile_main(input, output).map_err(|error| Fault::run(error.to_string()))
}
