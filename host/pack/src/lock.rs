//! `pack.lock`: the digest of every file of a built pack.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::{files_below, sha256_file};
use crate::error::PackError;

/// The lock's file name.
pub(crate) const LOCK: &str = "pack.lock";

/// What `pack.lock` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The pack's name.
    pub name: String,
    /// The pack's version.
    pub version: String,
    /// SHA-256 of each file, by its path within the pack.
    pub files: BTreeMap<String, String>,
}

impl Lock {
    /// Reads the lock of a built pack.
    ///
    /// # Errors
    /// When it is missing or broken.
    pub fn read(dir: &Path) -> Result<Self, PackError> {
        let file = dir.join(LOCK);
        let text = std::fs::read_to_string(&file).map_err(PackError::io("read", &file))?;
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map(|span| crate::pack::line_of(&text, &span));
            PackError::at(&file, line, "", error.message(), "build or fetch the pack again")
        })
    }

    /// Computes the lock of the files as they are.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn compute(dir: &Path, name: &str, version: &str) -> Result<Self, PackError> {
        let mut files = BTreeMap::new();
        for (path, file) in files_below(dir)? {
            if path != LOCK {
                files.insert(path, sha256_file(&file)?);
            }
        }
        Ok(Self { name: name.to_owned(), version: version.to_owned(), files })
    }

    /// The paths that are not as the lock has them: changed, missing or extra.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn differences(&self, dir: &Path) -> Result<Vec<String>, PackError> {
        let now = Self::compute(dir, &self.name, &self.version)?;
        let changed =
            self.files.iter().filter(|(path, digest)| now.files.get(*path) != Some(digest));
        let extra = now.files.iter().filter(|(path, _)| !self.files.contains_key(*path));
        let mut paths: Vec<_> = changed.chain(extra).map(|(path, _)| path.clone()).collect();
        paths.sort();
        Ok(paths)
    }
}
