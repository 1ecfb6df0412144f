//! One pack on disk: its manifest read, and checked for what it says of itself.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component as PathPart, Path, PathBuf};

use serde_json::{Map, Value};
use toml::Spanned;

use crate::error::PackError;
use crate::manifest::{ComponentEntry, Kind, Manifest, TaskEntry};

/// The manifest's file name.
pub(crate) const MANIFEST: &str = "pack.toml";

/// The longest file of `config_files`, in bytes.
const CONFIG_FILE_BYTES: u64 = 1 << 16;

/// A pack on disk.
#[derive(Debug, Clone)]
pub struct Pack {
    dir: PathBuf,
    text: String,
    manifest: Manifest,
    /// The texts of `config_files`, by component and key.
    texts: BTreeMap<String, Map<String, Value>>,
}

impl Pack {
    /// Reads `dir/pack.toml`. The components need not be built yet.
    ///
    /// # Errors
    /// When the manifest cannot be read, or says something wrong of itself:
    /// always with file, line and key.
    pub fn read(dir: &Path) -> Result<Self, PackError> {
        let file = dir.join(MANIFEST);
        let text = std::fs::read_to_string(&file).map_err(PackError::io("read", &file))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| {
            let line = error.span().map(|span| line_of(&text, &span));
            PackError::at(&file, line, "", error.message(), "")
        })?;
        let mut pack = Self { dir: dir.to_owned(), text, manifest, texts: BTreeMap::new() };
        pack.check()?;
        pack.texts = pack.read_texts()?;
        Ok(pack)
    }

    /// The pack's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The pack's name.
    pub fn name(&self) -> &str {
        self.manifest.pack.name.get_ref()
    }

    /// The pack's version.
    pub fn version(&self) -> &str {
        self.manifest.pack.version.get_ref()
    }

    /// What `pack.toml` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The manifest's path.
    pub fn file(&self) -> PathBuf {
        self.dir.join(MANIFEST)
    }

    /// An error at a place of the manifest.
    pub(crate) fn error<T>(
        &self,
        place: &Spanned<T>,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> PackError {
        let line = line_of(&self.text, &place.span());
        PackError::at(&self.file(), Some(line), key, message, help)
    }

    /// A file of the pack, which must lie inside it and exist.
    pub(crate) fn inside(
        &self,
        place: &Spanned<impl Sized>,
        key: &str,
        name: &str,
    ) -> Result<PathBuf, PackError> {
        let plain = Path::new(name).components().all(|part| matches!(part, PathPart::Normal(_)));
        if name.is_empty() || !plain {
            let help = "paths are relative to pack.toml and stay inside its folder";
            return Err(self.error(place, key, format!("`{name}` leads out of the pack"), help));
        }
        Ok(self.dir.join(name))
    }

    /// A component's configuration: `config` and the texts of `config_files`.
    pub(crate) fn config(&self, component: &ComponentEntry) -> Map<String, Value> {
        let mut config = component.config.clone();
        let texts = self.texts.get(component.name.get_ref()).into_iter().flatten();
        config.extend(texts.map(|(key, text)| (key.clone(), text.clone())));
        config
    }

    /// Reads what `config_files` names; the pack is checked already.
    fn read_texts(&self) -> Result<BTreeMap<String, Map<String, Value>>, PackError> {
        let mut texts = BTreeMap::new();
        for component in &self.manifest.components {
            let mut own = Map::new();
            for (key, place) in &component.config_files {
                own.insert(key.clone(), self.config_text(component, key, place)?.into());
            }
            texts.insert(component.name.get_ref().clone(), own);
        }
        Ok(texts)
    }

    fn config_text(
        &self,
        component: &ComponentEntry,
        key: &str,
        place: &Spanned<String>,
    ) -> Result<String, PackError> {
        let full = format!("component.config_files.{key}");
        let file = self.inside(place, &full, place.get_ref())?;
        let wrong = |message: String, help: &str| self.error(place, &full, message, help);
        if component.config.contains_key(key) {
            let help = "keep the key in one of `config` and `config_files`";
            return Err(wrong(format!("`config.{key}` is set too"), help));
        }
        let Ok(meta) = std::fs::metadata(&file) else {
            return Err(wrong(format!("there is no file {}", file.display()), ""));
        };
        // A link could lead anywhere, and a built pack would not hold what it leads to.
        let real = (self.dir.canonicalize(), file.canonicalize());
        if !matches!(&real, (Ok(dir), Ok(file)) if file.starts_with(dir)) {
            return Err(wrong(format!("`{}` leads out of the pack", place.get_ref()), ""));
        }
        if !meta.is_file() {
            return Err(wrong(format!("{} is no file", file.display()), ""));
        }
        if meta.len() > CONFIG_FILE_BYTES {
            let message = format!("{} has {} bytes", file.display(), meta.len());
            return Err(wrong(message, "a file of a configuration has at most 65536"));
        }
        let bytes = std::fs::read(&file).map_err(PackError::io("read", &file))?;
        String::from_utf8(bytes)
            .map_err(|error| wrong(format!("{} is not UTF-8: {error}", file.display()), ""))
    }

    fn check(&self) -> Result<(), PackError> {
        let info = &self.manifest.pack;
        self.check_name(&info.name, "pack.name")?;
        let version = info.version.get_ref();
        let numbers = version.split(['-', '+']).next().unwrap_or("");
        if numbers.split('.').count() != 3 || numbers.split('.').any(|n| n.parse::<u64>().is_err())
        {
            let message = format!("`{version}` is no version");
            return Err(self.error(&info.version, "pack.version", message, "write it as 0.1.0"));
        }
        let mut seen = BTreeMap::new();
        for component in &self.manifest.components {
            self.check_name(&component.name, "component.name")?;
            self.check_unique(&mut seen, &component.name, "component.name")?;
            self.check_component(component)?;
        }
        let mut seen = BTreeMap::new();
        for task in &self.manifest.tasks {
            self.check_name(&task.name, "task.name")?;
            self.check_unique(&mut seen, &task.name, "task.name")?;
            self.check_task(task)?;
        }
        Ok(())
    }

    fn check_name(&self, name: &Spanned<String>, key: &str) -> Result<(), PackError> {
        let text = name.get_ref();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
            let help = "names are made of a-z, 0-9 and -";
            return Err(self.error(name, key, format!("`{text}` is no name"), help));
        }
        Ok(())
    }

    fn check_unique<'a>(
        &self,
        seen: &mut BTreeMap<&'a str, usize>,
        name: &'a Spanned<String>,
        key: &str,
    ) -> Result<(), PackError> {
        let line = line_of(&self.text, &name.span());
        if let Some(first) = seen.insert(name.get_ref(), line) {
            let message = format!("`{}` is already taken on line {first}", name.get_ref());
            return Err(self.error(name, key, message, "give one of them another name"));
        }
        Ok(())
    }

    fn check_component(&self, component: &ComponentEntry) -> Result<(), PackError> {
        let wasm = component.wasm.get_ref();
        self.inside(&component.wasm, "component.wasm", wasm)?;
        if component.relative && component.kind != Kind::Reward {
            let message = format!("a {} is not relative", component.kind);
            let help = "only a reward's scores can be; remove the key";
            return Err(self.error(&component.name, "component.relative", message, help));
        }
        if component.executes.is_some() && component.kind != Kind::Reward {
            let message = format!("a {} runs no programs", component.kind);
            let help = "only a reward asks for programs to be run; remove the key";
            return Err(self.error(&component.name, "component.executes", message, help));
        }
        if !component.observes.is_empty() && component.kind != Kind::Scheduler {
            let message = format!("a {} observes no training", component.kind);
            let help = "only a scheduler does; remove the key";
            return Err(self.error(&component.name, "component.observes", message, help));
        }
        let languages = &component.languages;
        match (component.kind, languages.is_empty()) {
            (Kind::Interpreter, true) => {
                let message = "an interpreter names its languages";
                let help = "add, for example, languages = [\"python\"]";
                Err(self.error(&component.name, "component.languages", message, help))
            }
            (Kind::Interpreter, false) | (_, true) => Ok(()),
            (kind, false) => {
                let message = format!("a {kind} has no languages");
                Err(self.error(&component.name, "component.languages", message, "remove the key"))
            }
        }
    }

    fn check_task(&self, task: &TaskEntry) -> Result<(), PackError> {
        if let Some(source) = &task.source {
            let entry = source.get_ref();
            if entry.component.is_some() == entry.data.is_some() {
                let message = "names one of `component` and `data`";
                return Err(self.error(source, "task.source", message, ""));
            }
            if entry.data.is_some() && !entry.config.is_empty() {
                let message = "`config` is for a component; data have none";
                return Err(self.error(source, "task.source.config", message, "remove the key"));
            }
        }
        if task.rewards.is_empty() {
            let help = "add, for example, rewards = [{ use = \"format/format\" }]";
            return Err(self.error(&task.name, "task.rewards", "a task needs a reward", help));
        }
        for reward in &task.rewards {
            if let (Some(weight), Some(_)) = (&reward.weight, &reward.components) {
                let message = "`weight` and `components` exclude each other";
                return Err(self.error(weight, "task.rewards.weight", message, "keep one"));
            }
            if let Some(weight) = &reward.weight {
                self.check_weight(weight, "task.rewards.weight", *weight.get_ref())?;
            }
            if let Some(weights) = &reward.components {
                for (name, weight) in weights.get_ref() {
                    let key = format!("task.rewards.components.{name}");
                    self.check_weight(weights, &key, *weight)?;
                }
            }
        }
        let primary = task.rewards.iter().filter(|reward| reward.primary == Some(true)).count();
        if primary > 1 {
            let message = "only one reward is primary";
            return Err(self.error(&task.name, "task.rewards.primary", message, ""));
        }
        Ok(())
    }

    fn check_weight<T>(&self, at: &Spanned<T>, key: &str, weight: f64) -> Result<(), PackError> {
        if (0.0..=1.0).contains(&weight) {
            return Ok(());
        }
        Err(self.error(at, key, format!("{weight} is no weight"), "weights lie between 0 and 1"))
    }
}

/// The number of the line where a span starts.
pub(crate) fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().get(..span.start).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
