//! `lock.toml`: digests of everything that a run used, so that a result can be traced to its bytes.
//!
//! A resumed run must find the same bytes again: another component or prompt would make it a
//! different run under the same name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::fault::{Blame as _, Fault, Outcome};

/// What the files of a checkpoint that a run continues are called under.
const CONTINUED: &str = "continue_from/";

/// What a run used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    /// The program's version.
    pub(crate) omni_host: String,
    /// Files of the policy that the run began from: sha256 by name.
    pub(crate) policy: BTreeMap<String, String>,
    /// Versions of the packs used, by name.
    pub(crate) packs: BTreeMap<String, String>,
    /// Models that judges asked: what decides their answers, by the run's names for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) models: BTreeMap<String, String>,
    /// Components used: sha256 by `pack/component`.
    pub(crate) components: BTreeMap<String, String>,
    /// Prompts and data used: sha256 by path.
    pub(crate) files: BTreeMap<String, String>,
    /// What became of the rows of each dataset, by task and split.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) data: BTreeMap<String, omni_data::Report>,
}

impl Lock {
    /// A lock for this program that holds nothing yet.
    pub(crate) fn new() -> Self {
        Self { omni_host: env!("CARGO_PKG_VERSION").to_owned(), ..Self::default() }
    }

    /// Adds a policy folder's weights, configuration and tokenizer.
    pub(crate) fn add_policy(&mut self, folder: &Path) -> Outcome<()> {
        let entries = std::fs::read_dir(folder).or_input_at(folder.display())?;
        for entry in entries {
            let path = entry.or_input_at(folder.display())?.path();
            let known = path
                .extension()
                .is_some_and(|extension| extension == "safetensors" || extension == "json");
            if known && path.is_file() {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.policy.insert(name, file_digest(&path)?);
            }
        }
        Ok(())
    }

    /// Adds what a run takes from the checkpoint that it continues; what is missing is for the
    /// trainer to say.
    pub(crate) fn add_checkpoint(&mut self, folder: &Path) -> Outcome<()> {
        for name in ["model.safetensors", "optimizer.safetensors", "state.json"] {
            let path = folder.join(name);
            if path.is_file() {
                self.policy.insert(format!("{CONTINUED}{name}"), file_digest(&path)?);
            }
        }
        Ok(())
    }

    /// For a run that is under way and reads nothing of the checkpoint that it continued any more:
    /// where files of that are gone, what the run's own lock says of them stands.
    pub(crate) fn keep_checkpoint(&mut self, path: &Path) -> Outcome<()> {
        if path.is_file() {
            self.keep_checkpoint_of(Self::read(path)?);
        }
        Ok(())
    }

    fn keep_checkpoint_of(&mut self, old: Self) {
        for (name, digest) in old.policy {
            if name.starts_with(CONTINUED) {
                self.policy.entry(name).or_insert(digest);
            }
        }
    }

    /// Refuses to continue a run that began from another model: what this lock says of the policy is
    /// compared with the lock of that run, where the checkpoint still lies in its folder.
    pub(crate) fn check_origin(&self, checkpoint: &Path) -> Outcome<()> {
        let Some(run) = checkpoint.parent().and_then(Path::parent) else { return Ok(()) };
        let file = run.join("lock.toml");
        if !file.is_file() {
            return Ok(());
        }
        let old = Self::read(&file)?;
        let other = self.policy.iter().find(|(name, digest)| {
            // The chat template may lie in a file of its own or not; these decide what a policy is.
            let decides = name.ends_with(".safetensors") || *name == "tokenizer.json";
            decides && old.policy.get(*name) != Some(digest)
        });
        match other {
            None => Ok(()),
            Some((name, _)) => Err(Fault::input(format!(
                "`policy.continue_from`: {}: this run began from another model than `policy.model` \
                 names ({name} differs, by its lock.toml); name the model that it began from",
                run.display()
            ))),
        }
    }

    /// The file's text.
    pub(crate) fn to_toml(&self) -> Outcome<String> {
        let body = toml::to_string(self).or_run_at("lock.toml")?;
        Ok(format!("# What this run used, written by omni-host.\n{body}"))
    }

    /// Reads a run's lock.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(path).or_input_at(path.display())?;
        toml::from_str(&text).or_input_at(path.display())
    }

    /// Compares with the lock of the run that is to go on.
    pub(crate) fn check(&self, path: &Path) -> Outcome<()> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            // Killed before it wrote anything: there is nothing to contradict.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Fault::input(format!("{}: {error}", path.display()))),
        };
        let old: Self = toml::from_str(&text).or_input_at(path.display())?;
        let changed = self.changes(&old);
        if changed.is_empty() {
            return Ok(());
        }
        Err(Fault::input(format!(
            "{}: what the run used has changed since it began: {}; \
             bring it back, or start a new run with another --out",
            path.display(),
            changed.join(", ")
        )))
    }

    fn changes(&self, old: &Self) -> Vec<String> {
        let mut changed = Vec::new();
        for (what, ours, theirs) in [
            ("policy file", &self.policy, &old.policy),
            ("model", &self.models, &old.models),
            ("component", &self.components, &old.components),
            ("file", &self.files, &old.files),
        ] {
            let names: std::collections::BTreeSet<&String> =
                ours.keys().chain(theirs.keys()).collect();
            for name in names {
                if ours.get(name) != theirs.get(name) {
                    changed.push(format!("{what} {name}"));
                }
            }
        }
        changed
    }
}

/// sha256 of bytes, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// sha256 of a file, read piece by piece.
pub(crate) fn file_digest(path: &Path) -> Outcome<String> {
    let mut file = File::open(path).or_input_at(path.display())?;
    let mut hash = Sha256::new();
    let mut piece = vec![0_u8; 1 << 20];
    loop {
        let read = file.read(&mut piece).or_input_at(path.display())?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&piece[..read]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_component_is_named() {
        let mut ours = Lock::new();
        ours.components.insert("math/math".into(), digest(b"new"));
        let mut old = ours.clone();
        old.components.insert("math/math".into(), digest(b"old"));
        assert_eq!(ours.changes(&old), ["component math/math"]);
        assert!(ours.changes(&ours.clone()).is_empty());
    }

    #[test]
    fn a_checkpoint_that_is_gone_is_no_change_and_another_one_is() {
        let name = |file: &str| format!("{CONTINUED}{file}");
        let mut old = Lock::new();
        old.policy.insert("model.safetensors".into(), digest(b"m"));
        old.policy.insert(name("model.safetensors"), digest(b"old"));
        old.policy.insert(name("state.json"), digest(b"state"));
        let mut ours = Lock::new();
        ours.policy.insert(name("model.safetensors"), digest(b"new"));
        ours.keep_checkpoint_of(old.clone());
        assert_eq!(
            ours.changes(&old),
            ["policy file continue_from/model.safetensors", "policy file model.safetensors"]
        );
    }

    #[test]
    fn a_lock_reads_back() {
        let mut lock = Lock::new();
        lock.policy.insert("model.safetensors".into(), digest(b"x"));
        let text = lock.to_toml().unwrap();
        assert_eq!(toml::from_str::<Lock>(&text).unwrap(), lock);
    }

    #[test]
    fn the_digest_is_sha256() {
        assert_eq!(
            digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
