//! `pack build`, `pack inspect` and `plugin list`: packs as a person or a program looks at them.

use std::path::{Path, PathBuf};

use omni_pack::{BuildOptions, Pack, PackError, PackSet};
use omni_runtime::{Inspection, Interface};
use serde::Serialize;
use serde_json::json;

use crate::args::{Arguments, Json};
use crate::console;
use crate::engine::{self, Engine};
use crate::fault::{Blame as _, Fault, Outcome, chain};

/// Builds one pack or a folder of packs.
pub(crate) fn build(source: &Path, out: Option<&Path>) -> Outcome<()> {
    let target = PathBuf::from("target");
    let out = out.map_or_else(|| target.join("packs"), Path::to_owned);
    let options = BuildOptions { target, progress: &|line| console::say(line) };
    let report = omni_pack::build(&[source], &out, &options).map_err(fault)?;
    for pack in &report.packs {
        let compiled = pack.components.iter().filter(|component| component.compiled).count();
        let state = match (pack.written, compiled) {
            (false, _) => "up to date".to_owned(),
            (true, compiled) => format!("{compiled} compiled"),
        };
        console::say(format!(
            "{}: {} components, {state}, in {}",
            pack.name,
            pack.components.len(),
            pack.dir.display()
        ));
    }
    Ok(())
}

/// Whose fault a pack's error is: a pack that says something wrong is the input's.
pub(crate) fn fault(error: PackError) -> Fault {
    match &error {
        PackError::Io { action, .. } if !action.starts_with("read") => Fault::Run(chain(&error)),
        PackError::Tool { .. } => Fault::Run(chain(&error)),
        _ => Fault::Input(chain(&error)),
    }
}

/// What a pack holds.
#[derive(Serialize)]
struct Shown {
    name: String,
    version: String,
    description: String,
    license: String,
    components: Vec<ShownComponent>,
    tasks: Vec<ShownTask>,
}

#[derive(Serialize)]
struct ShownComponent {
    name: String,
    kind: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    languages: Vec<String>,
    bytes: u64,
    sha256: String,
    imports: Vec<String>,
    exports: Vec<String>,
}

#[derive(Serialize)]
struct ShownTask {
    name: String,
    description: String,
    rewards: Vec<String>,
    judge: Option<String>,
    metric: Option<String>,
    problems: &'static str,
}

/// Says what a built pack or a single component holds, without running it.
pub(crate) fn inspect(path: &Path, as_json: bool) -> Outcome<()> {
    if !path.exists() {
        return Err(Fault::input(format!("{}: there is no such file or folder", path.display())));
    }
    if path.is_file() {
        return inspect_component(path, as_json);
    }
    // One pack is shown for itself: what it takes from others need not be at hand.
    let shown = if path.join("pack.toml").is_file() {
        shown(&[Pack::read(path).map_err(fault)?])?
    } else {
        shown(PackSet::load(&[path]).map_err(fault)?.packs())?
    };
    if as_json {
        return match shown.as_slice() {
            [one] => console::json(one),
            many => console::json(&many),
        };
    }
    for pack in &shown {
        console::result(text(pack))?;
    }
    Ok(())
}

fn inspect_component(path: &Path, as_json: bool) -> Outcome<()> {
    let wasm = std::fs::read(path).or_input_at(path.display())?;
    let inspection = Inspection::read(&wasm).or_input_at(path.display())?;
    let kind = inspection.kind();
    let digest = crate::lock::digest(&wasm);
    if as_json {
        return console::json(&json!({
            "kind": kind.as_ref().ok().map(|kind| kind.as_str()),
            "problem": kind.as_ref().err().map(ToString::to_string),
            "bytes": wasm.len(),
            "sha256": digest,
            "imports": inspection.imports,
            "exports": inspection.exports,
        }));
    }
    let verdict = match &kind {
        Ok(kind) => format!("{kind} plugin"),
        Err(error) => format!("cannot be loaded: {error}"),
    };
    console::result(format!(
        "{}: {verdict}\n  bytes    {}\n  sha256   {digest}\n  imports  {}\n  exports  {}",
        path.display(),
        wasm.len(),
        listed(&names(&inspection.imports)),
        listed(&names(&inspection.exports)),
    ))
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn shown(packs: &[Pack]) -> Outcome<Vec<Shown>> {
    packs.iter().map(shown_pack).collect()
}

fn shown_pack(pack: &Pack) -> Outcome<Shown> {
    let manifest = pack.manifest();
    let mut components = Vec::new();
    for component in &manifest.components {
        let file = pack.dir().join(component.wasm.get_ref());
        if !file.is_file() {
            return Err(Fault::input(format!(
                "{}: there is no such file: the pack is not built; `omni-host pack build {}` \
                 builds it into another folder",
                file.display(),
                pack.dir().display()
            )));
        }
        let wasm = std::fs::read(&file).or_input_at(file.display())?;
        let inspection = Inspection::read(&wasm).or_input_at(file.display())?;
        components.push(ShownComponent {
            name: component.name.get_ref().clone(),
            kind: component.kind.to_string(),
            languages: component.languages.clone(),
            bytes: wasm.len() as u64,
            sha256: crate::lock::digest(&wasm),
            imports: names(&inspection.imports),
            exports: names(&inspection.exports),
        });
    }
    let tasks = manifest
        .tasks
        .iter()
        .map(|task| ShownTask {
            name: task.name.get_ref().clone(),
            description: task.description.clone(),
            rewards: task.rewards.iter().map(|it| it.component.get_ref().clone()).collect(),
            judge: task.judge.as_ref().map(|it| it.get_ref().component().to_owned()),
            metric: task.metric.clone(),
            problems: match task.source.as_ref().map(|source| source.get_ref()) {
                Some(source) if source.component.is_some() => "generated",
                Some(_) => "rows of the pack",
                None => "rows of the user",
            },
        })
        .collect();
    Ok(Shown {
        name: pack.name().to_owned(),
        version: pack.version().to_owned(),
        description: manifest.pack.description.clone(),
        license: manifest.pack.license.clone(),
        components,
        tasks,
    })
}

/// Interfaces that can be called. Those of types alone stand among a component's imports too, and
/// ask nothing of the host.
fn names(interfaces: &[Interface]) -> Vec<String> {
    interfaces
        .iter()
        .filter(|interface| interface.bare || !interface.functions.is_empty())
        .map(|interface| interface.name.clone())
        .collect()
}

fn text(pack: &Shown) -> String {
    let mut lines = vec![format!("{} {}  {}", pack.name, pack.version, pack.description)];
    for component in &pack.components {
        let languages = match component.languages.as_slice() {
            [] => String::new(),
            names => format!(" of {}", names.join(", ")),
        };
        lines.push(format!(
            "  {} ({}{languages})  {} kB  sha256 {}  imports {}",
            component.name,
            component.kind,
            component.bytes.div_ceil(1000),
            &component.sha256[..12],
            listed(&component.imports),
        ));
    }
    for task in &pack.tasks {
        let judge = task.judge.as_ref().map_or(String::new(), |judge| format!("  judge {judge}"));
        lines.push(format!(
            "  task {}  {}  rewards {}{judge}  problems: {}",
            task.name,
            task.description,
            task.rewards.join(", "),
            task.problems,
        ));
    }
    lines.join("\n")
}

/// Loads every component of every pack found, and lists them with the tasks.
pub(crate) fn list(arguments: &Arguments, list: &Json) -> Outcome<()> {
    let engine = Engine::open(arguments)?;
    let started = std::time::Instant::now();
    for component in engine.packs().components() {
        engine.load(&component)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let shown = shown(engine.packs().packs())?;
    if list.json {
        return console::json(&shown);
    }
    let mut plugins = Vec::new();
    let mut tasks = Vec::new();
    for pack in &shown {
        for component in &pack.components {
            plugins.push(vec![
                format!("{}/{}", pack.name, component.name),
                component.kind.clone(),
                pack.version.clone(),
                format!("{}", component.bytes.div_ceil(1000)),
            ]);
        }
        for task in &pack.tasks {
            tasks.push(vec![
                format!("{}/{}", pack.name, task.name),
                task.rewards.join(", "),
                task.problems.to_owned(),
            ]);
        }
    }
    console::result(console::table(&["plugin", "kind", "version", "kB"], &plugins))?;
    console::result(console::table(&["task", "rewards", "problems"], &tasks))?;
    let folders: Vec<String> = engine::plugin_folders(arguments)?
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    console::say(format!(
        "{} plugins from {}, loaded in {:.0} ms",
        plugins.len(),
        folders.join(", "),
        1000.0 * seconds
    ));
    Ok(())
}
