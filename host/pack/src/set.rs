//! Several packs together: names to components and tasks.

use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::error::PackError;
use crate::manifest::{ComponentEntry, Kind, TaskEntry};
use crate::pack::{MANIFEST, Pack};
use crate::suggest::did_you_mean;
use crate::task::{Component, Task};

/// The packs in use, every name in them resolved.
#[derive(Debug, Clone, Default)]
pub struct PackSet {
    packs: Vec<Pack>,
}

impl PackSet {
    /// Loads built packs: each path is a pack or a folder of packs.
    ///
    /// Everything is resolved here, so that a wrong name fails before anything
    /// runs.
    ///
    /// # Errors
    /// For a path without a pack, a broken manifest, the same name twice, an
    /// unknown or unfitting name, and a component that is not built.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, PackError> {
        let mut set = Self::default();
        for path in paths {
            for dir in pack_dirs(path.as_ref())? {
                set.add(Pack::read(&dir)?)?;
            }
        }
        for pack in &set.packs {
            for component in &pack.manifest().components {
                set.built(pack, component)?;
            }
            for task in &pack.manifest().tasks {
                set.resolve(pack, task)?;
            }
        }
        Ok(set)
    }

    fn add(&mut self, pack: Pack) -> Result<(), PackError> {
        if let Some(other) = self.packs.iter().find(|other| other.name() == pack.name()) {
            if same_dir(other.dir(), pack.dir()) {
                return Ok(());
            }
            let message =
                format!("a pack called `{}` is also in {}", pack.name(), other.dir().display());
            let help = "two packs cannot share a name; leave one of the folders out";
            return Err(pack.error(&pack.manifest().pack.name, "pack.name", message, help));
        }
        self.packs.push(pack);
        Ok(())
    }

    /// The packs, in the order they were loaded.
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// Every component.
    pub fn components(&self) -> impl Iterator<Item = Component> {
        self.packs
            .iter()
            .flat_map(|pack| pack.manifest().components.iter().map(|it| component(pack, it)))
    }

    /// The qualified names of every task.
    pub fn task_names(&self) -> Vec<String> {
        let names = |pack: &Pack| {
            let of = |task: &TaskEntry| format!("{}/{}", pack.name(), task.name.get_ref());
            pack.manifest().tasks.iter().map(of).collect::<Vec<_>>()
        };
        self.packs.iter().flat_map(names).collect()
    }

    /// A task by `pack/name`, or by its bare name where that is unique (or is
    /// also its pack's name).
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn task(&self, name: &str) -> Result<Task, PackError> {
        let all = self.packs.iter().flat_map(|pack| {
            pack.manifest().tasks.iter().map(move |task| (pack, task.name.get_ref(), task))
        });
        match pick(name, all) {
            Pick::One((pack, _, task)) => self.resolve(pack, task),
            Pick::Many(names) => {
                let message = format!("`{name}` stands for several tasks");
                Err(PackError::unknown(message, format!("write one of {}", names.join(", "))))
            }
            Pick::None => {
                let known = self.task_names();
                let help = did_you_mean(name, known.iter().map(String::as_str));
                Err(PackError::unknown(format!("there is no task `{name}`"), help))
            }
        }
    }

    /// A component of a kind, by `pack/name` or by a bare name that is unique
    /// (or is also its pack's name).
    ///
    /// # Errors
    /// When there is none, more than one, or one of another kind.
    pub fn component(&self, name: &str, kind: Kind) -> Result<Component, PackError> {
        self.find(None, name, kind).map_err(|(message, help)| PackError::unknown(message, help))
    }

    /// The interpreter of a language.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn interpreter(&self, language: &str) -> Result<Component, PackError> {
        let mut found: Vec<_> =
            self.components().filter(|it| it.languages.iter().any(|own| own == language)).collect();
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => {
                let all: Vec<_> = self.components().flat_map(|it| it.languages).collect();
                let help = did_you_mean(language, all.iter().map(String::as_str));
                Err(PackError::unknown(format!("no interpreter runs `{language}`"), help))
            }
            _ => {
                let names: Vec<_> = found.iter().map(Component::qualified).collect();
                let message = format!("several interpreters run `{language}`");
                Err(PackError::unknown(
                    message,
                    format!("leave out all but one of {}", names.join(", ")),
                ))
            }
        }
    }

    /// Finds a component, first in the pack that names it.
    fn find(
        &self,
        own: Option<&Pack>,
        name: &str,
        kind: Kind,
    ) -> Result<Component, (String, String)> {
        let all = |wanted: Option<Kind>| {
            self.packs.iter().flat_map(move |pack| {
                let entries = pack.manifest().components.iter();
                entries
                    .filter(move |entry| wanted.is_none_or(|kind| entry.kind == kind))
                    .map(move |entry| (pack, entry.name.get_ref(), entry))
            })
        };
        if let Some(own) = own.filter(|_| !name.contains('/')) {
            let entries = &own.manifest().components;
            if let Some(entry) =
                entries.iter().find(|it| it.kind == kind && it.name.get_ref() == name)
            {
                return Ok(component(own, entry));
            }
        }
        match pick(name, all(Some(kind))) {
            Pick::One((pack, _, entry)) => Ok(component(pack, entry)),
            Pick::Many(names) => Err((
                format!("`{name}` stands for several components"),
                format!("write one of {}", names.join(", ")),
            )),
            Pick::None => {
                if let Pick::One((_, _, entry)) = pick(name, all(None)) {
                    let message = format!("`{name}` is a {}, where a {kind} is wanted", entry.kind);
                    return Err((message, String::new()));
                }
                let known: Vec<_> = all(Some(kind))
                    .map(|(pack, name, _)| format!("{}/{name}", pack.name()))
                    .collect();
                let help = did_you_mean(name, known.iter().map(String::as_str));
                Err((format!("there is no {kind} `{name}`"), help))
            }
        }
    }

    /// As [`find`](Self::find), with the manifest's line in the error.
    pub(crate) fn named<T>(
        &self,
        pack: &Pack,
        place: &Spanned<T>,
        key: &str,
        name: &str,
        kind: Kind,
    ) -> Result<Component, PackError> {
        self.find(Some(pack), name, kind)
            .map_err(|(message, help)| pack.error(place, key, message, help))
    }

    fn built(&self, pack: &Pack, entry: &ComponentEntry) -> Result<(), PackError> {
        let wasm = pack.dir().join(entry.wasm.get_ref());
        if wasm.is_file() {
            return Ok(());
        }
        let message = format!("there is no file {}", wasm.display());
        let help = match &entry.source {
            Some(_) => {
                let dir = pack.dir().display();
                format!("it is not built: `omni-host pack build {dir}`, then load what that wrote")
            }
            None => "the pack is incomplete: get it again".to_owned(),
        };
        Err(pack.error(&entry.wasm, "component.wasm", message, help))
    }
}

/// The folders of packs at a path: itself, or those in it.
pub(crate) fn pack_dirs(path: &Path) -> Result<Vec<PathBuf>, PackError> {
    if path.join(MANIFEST).is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(PackError::io("read the packs in", path))?;
    let mut found = Vec::new();
    for entry in entries {
        let dir = entry.map_err(PackError::io("read the packs in", path))?.path();
        // A pack that is just being built stands beside the others under a hidden name.
        let hidden = dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && dir.join(MANIFEST).is_file() {
            found.push(dir);
        }
    }
    if found.is_empty() {
        let message = format!("there is no pack in {}", path.display());
        let help = "a pack is a folder with a file pack.toml; the first-party packs are built by \
                    `omni-host pack build plugins`";
        return Err(PackError::unknown(message, help));
    }
    found.sort();
    Ok(found)
}

fn same_dir(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn component(pack: &Pack, entry: &ComponentEntry) -> Component {
    Component {
        pack: pack.name().to_owned(),
        name: entry.name.get_ref().clone(),
        version: pack.version().to_owned(),
        kind: entry.kind,
        wasm: pack.dir().join(entry.wasm.get_ref()),
        languages: entry.languages.clone(),
        relative: entry.relative,
        executes: entry.executes.clone(),
        observes: entry.observes.clone(),
        limits: entry.limits,
        config: pack.config(entry),
        config_files: entry.config_files.values().map(|file| file.get_ref().clone()).collect(),
    }
}

enum Pick<T> {
    One(T),
    Many(Vec<String>),
    None,
}

/// Chooses by `pack/name`, by a bare name that only one has, or by a bare name
/// that is also its pack's.
fn pick<'a, T>(
    name: &str,
    all: impl Iterator<Item = (&'a Pack, &'a String, T)>,
) -> Pick<(&'a Pack, &'a String, T)> {
    let mut found: Vec<_> = all
        .filter(|(pack, own, _)| match name.split_once('/') {
            Some((of, bare)) => of == pack.name() && bare == own.as_str(),
            None => name == own.as_str(),
        })
        .collect();
    if found.len() > 1
        && let Some(index) = found.iter().position(|(pack, own, _)| pack.name() == own.as_str())
    {
        return Pick::One(found.swap_remove(index));
    }
    if found.len() > 1 {
        return Pick::Many(
            found.iter().map(|(pack, own, _)| format!("{}/{own}", pack.name())).collect(),
        );
    }
    found.pop().map_or(Pick::None, Pick::One)
}
