//! Compiled code on disk.
//!
//! Damaged code is a segmentation fault, so each file ends in a digest of what stands before it
//! and is checked before it is mapped. The folder is for its owner alone; a file is written
//! aside and renamed, never changed in place, so what was checked is what is mapped. A file that
//! fails any check is compiled again, not an error.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compile::Code;
use crate::error::LoadError;

/// Changes whenever the files' form does.
const FORM: &[u8; 8] = b"omni-c01";
const DIGEST: usize = 32;

/// A folder of compiled components.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
}

/// Feeds what is hashed to a digest that is the same in every process.
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_le_bytes(first)
    }
}

impl CodeCache {
    /// Opens the folder, making it if need be.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let metadata = fs::metadata(folder)?;
        let me = rustix::process::geteuid().as_raw();
        if metadata.uid() != me {
            return Err(io::Error::other("it belongs to another user"));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The name under which a component's code is kept: its own digest, and everything that
    /// the code depends on.
    pub(crate) fn key(engine: &Engine, wasm: &[u8]) -> String {
        let mut hasher = DigestHasher(Sha256::new());
        hasher.0.update(FORM);
        hasher.0.update(Sha256::digest(wasm));
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hex(&hasher.0.finalize())
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.cwasm"))
    }

    /// The code under this key, if it is there and sound.
    pub(crate) fn get(&self, engine: &Engine, key: &str) -> Option<Component> {
        let path = self.path(key);
        match checked(&path) {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(file = %path.display(), "compiled code is damaged; compiling again");
                return None;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
            Err(e) => {
                tracing::warn!(file = %path.display(), "compiled code cannot be read: {e}");
                return None;
            }
        }
        match load(engine, &path) {
            Ok(component) => Some(component),
            Err(e) => {
                tracing::warn!(file = %path.display(), "compiled code does not load: {e:#}");
                None
            }
        }
    }

    /// Keeps code and loads it.
    pub(crate) fn put(
        &self,
        engine: &Engine,
        key: &str,
        code: Code,
    ) -> Result<Component, LoadError> {
        let code = code.into_bytes()?;
        let digest = Sha256::digest(&code);
        let mut file = tempfile::Builder::new()
            .prefix(".writing-")
            .tempfile_in(&self.folder)?;
        file.write_all(&code)?;
        file.write_all(FORM)?;
        file.write_all(&digest)?;
        file.flush()?;
        drop(code);
        let path = self.path(key);
        file.persist(&path).map_err(|e| e.error)?;
        load(engine, &path).map_err(|e| LoadError::Compile { reason: format!("{e:#}") })
    }
}

/// Whether the file is whole: the digest at its end is that of the rest.
fn checked(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let trailer = FORM.len() + DIGEST;
    let Some(code_length) = length.checked_sub(trailer) else {
        return Ok(false);
    };
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut left = code_length;
    while left > 0 {
        let want = left.min(buffer.len());
        file.read_exact(&mut buffer[..want])?;
        hasher.update(&buffer[..want]);
        left -= want;
    }
    let mut end = [0; FORM.len() + DIGEST];
    file.read_exact(&mut end)?;
    Ok(end[..FORM.len()] == *FORM && end[FORM.len()..] == hasher.finalize()[..])
}

fn load(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was made by our compiler, its digest was checked just now, and it lies in
    // a folder that only this user can write to, where files are replaced and never changed.
    #[expect(unsafe_code, reason = "loading compiled code")]
    unsafe {
        Component::deserialize_file(engine, path)
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
