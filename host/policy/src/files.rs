//! Reading and writing whole files, with the path in every error.
//!
//! Writes are synced to the disk before they return; making a folder appear at once (write aside,
//! rename) is the caller's, who knows when the folder is complete.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde_json::Value;

use crate::PolicyError;

/// The text of a file, `None` where there is no such file.
pub(crate) fn read_optional(path: &Path) -> Result<Option<String>, PolicyError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(PolicyError::read(path, e)),
    }
}

/// The value of a JSON file, `None` where there is no such file.
pub(crate) fn read_json(path: &Path) -> Result<Option<Value>, PolicyError> {
    read_optional(path)?
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|e| PolicyError::config(path, format!("is not JSON: {e}")))
}

/// Writes and syncs a file.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), PolicyError> {
    let write = || -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| PolicyError::write(path, e))
}

/// Writes and syncs a JSON file, indented, with a final newline.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<(), PolicyError> {
    write_synced(path, format!("{value:#}\n").as_bytes())
}
