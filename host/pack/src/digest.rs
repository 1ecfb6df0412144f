//! Digests of files and of all that a component is built from.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::PackError;

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, PackError> {
    let mut file = std::fs::File::open(path).map_err(PackError::io("read", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(PackError::io("read", path))?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every file below a folder, sorted, by its path there with `/` between the
/// parts. Hidden files, build outputs and Python's caches are left out.
pub(crate) fn files_below(dir: &Path) -> Result<Vec<(String, PathBuf)>, PackError> {
    let mut found = Vec::new();
    walk(dir, "", &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(dir: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) -> Result<(), PackError> {
    for entry in std::fs::read_dir(dir).map_err(PackError::io("read", dir))? {
        let entry = entry.map_err(PackError::io("read", dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || name == "__pycache__" {
            continue;
        }
        let path = entry.path();
        let within = format!("{prefix}{name}");
        if path.is_dir() {
            walk(&path, &format!("{within}/"), found)?;
        } else {
            found.push((within, path));
        }
    }
    Ok(())
}

/// A digest that grows by labelled parts, so that no two lists of parts meet.
#[derive(Default)]
pub(crate) struct Inputs(Sha256);

impl Inputs {
    pub(crate) fn text(&mut self, label: &str, text: &str) {
        self.bytes(label, text.as_bytes());
    }

    fn bytes(&mut self, label: &str, bytes: &[u8]) {
        for part in [label.as_bytes(), bytes] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    pub(crate) fn file(&mut self, label: &str, path: &Path) -> Result<(), PackError> {
        let bytes = std::fs::read(path).map_err(PackError::io("read", path))?;
        self.bytes(label, &bytes);
        Ok(())
    }

    pub(crate) fn folder(&mut self, label: &str, dir: &Path) -> Result<(), PackError> {
        for (within, path) in files_below(dir)? {
            self.file(&format!("{label}/{within}"), &path)?;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}
