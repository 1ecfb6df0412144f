//! `step.json`: that a step is finished, with what it was made from. It is written last, so a step
//! without it is not finished.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::StudyError;
use crate::graph::MERGED;
use crate::process::{best_checkpoint, last_checkpoint};
use crate::step::{Step, StepKind, Word};

/// The version of [`Finished`].
pub const STEP_VERSION: u32 = 1;

/// A finished step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// [`STEP_VERSION`] of the writer.
    pub version: u32,
    /// The command line, paths by name.
    pub command: Vec<String>,
    /// sha256 of what it was made from: `run.toml`, `evidence.json`, and the [`Finished::output`]
    /// of each step that it waited for.
    pub inputs: BTreeMap<String, String>,
    /// sha256 of command and inputs.
    pub digest: String,
    /// sha256 of what it left for others: weights, or the items of an evaluation.
    pub output: String,
    /// Seconds since 1970.
    pub started: f64,
    /// Seconds since 1970.
    pub ended: f64,
    /// Seconds that passed while it ran, over all its attempts.
    pub seconds: f64,
    /// Processor seconds, over all its attempts; none where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor_seconds: Option<f64>,
    /// Threads that it was given; results do not depend on them.
    pub threads: usize,
    /// How often it was begun.
    pub attempts: u32,
}

impl Finished {
    /// What a step would be made from, with no times yet.
    #[must_use]
    pub fn of(step: &Step, inputs: BTreeMap<String, String>) -> Self {
        let command: Vec<String> = step.command.iter().map(Word::symbolic).collect();
        let mut hash = Sha256::new();
        for word in &command {
            hash.update(word.as_bytes());
            hash.update([0]);
        }
        for (name, digest) in &inputs {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(digest.as_bytes());
        }
        let digest = hex(&hash.finalize());
        Self { version: STEP_VERSION, command, inputs, digest, ..Self::default() }
    }

    /// Reads a step's record; none where it is not finished.
    ///
    /// # Errors
    /// A file that cannot be read, or that is no such record.
    pub fn read(folder: &Path) -> Result<Option<Self>, StudyError> {
        read(&folder.join("step.json"))
    }

    /// Writes it into the step's folder.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, folder: &Path) -> Result<(), StudyError> {
        write_json(&folder.join("step.json"), self)
    }

    /// Why a finished step is not the one that is wanted now; none where it is.
    #[must_use]
    pub fn differs(&self, wanted: &Self) -> Option<String> {
        if self.digest == wanted.digest {
            return None;
        }
        let words = self.command.iter().zip(&wanted.command);
        if let Some((old, new)) = words.clone().find(|(old, new)| old != new) {
            return Some(format!("its command had `{old}` where it now has `{new}`"));
        }
        if self.command.len() != wanted.command.len() {
            return Some("its command has become longer or shorter".into());
        }
        let names = self.inputs.keys().chain(wanted.inputs.keys());
        let mut changed = names.filter(|name| self.inputs.get(*name) != wanted.inputs.get(*name));
        Some(match changed.next() {
            Some(name) => format!("{name}, which it was made from, has changed"),
            None => "its record was changed".into(),
        })
    }
}

/// sha256 of what a step left for others.
pub(crate) fn output(step: &Step, folder: &Path) -> Result<String, StudyError> {
    let places = match step.kind {
        StepKind::Eval => vec![folder.join("items.json")],
        StepKind::Merge => vec![folder.join(MERGED)],
        StepKind::Train | StepKind::Sft => {
            let places = [last_checkpoint(folder), best_checkpoint(folder)];
            let mut places: Vec<_> = places.into_iter().flatten().collect();
            places.dedup();
            places
        }
    };
    let mut hash = Sha256::new();
    for place in places {
        let mut files = vec![place.clone()];
        if place.is_dir() {
            let entries = fs::read_dir(&place).map_err(StudyError::io("list", &place))?;
            files = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            files.retain(|file| file.extension().is_some_and(|it| it == "safetensors"));
            files.sort();
        }
        for file in files.iter().filter(|file| file.exists()) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            hash.update(name.as_bytes());
            hash.update([0]);
            digest_file(file, &mut hash).map_err(StudyError::io("read", file))?;
        }
    }
    Ok(hex(&hash.finalize()))
}

fn digest_file(path: &Path, hash: &mut Sha256) -> std::io::Result<()> {
    let mut file = fs::File::open(path)?;
    let mut piece = vec![0_u8; 1 << 20];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        hash.update(&piece[..read]);
    }
}

/// Reads a JSON file; none where there is none.
pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, StudyError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            StudyError::Damaged { path: path.to_owned(), message: error.to_string() }
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StudyError::io("read", path)(error)),
    }
}

/// Writes a file whole or not at all.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StudyError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| StudyError::Damaged {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    bytes.push(b'\n');
    write(path, &bytes)
}

/// Writes a file whole or not at all, unless it holds just that.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), StudyError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let aside = path.with_extension("aside");
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(StudyError::io("write", path))
}

/// sha256 of bytes, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
