//! Compiled code on disk.
//!
//! Damaged code is a segmentation fault, so each file ends in checksums of what stands before it
//! and is checked before it is mapped. The folder is for its owner alone; a file is written
//! aside and renamed, never changed in place, so what was checked is what is mapped. A file that
//! fails any check is compiled again, not an error.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compile::Code;
use crate::error::LoadError;

/// Changes whenever the files' form does.
const FORM: &[u8; 8] = b"omni-c03";
/// Each block of code has a checksum of its own.
const BLOCK: usize = 1 << 16;
const CHECKSUM: usize = 4;

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
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.clone().finalize()[..8]);
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
        let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(&self.folder)?;
        file.write_all(&code)?;
        for block in code.chunks(BLOCK) {
            file.write_all(&crc32c::crc32c(block).to_le_bytes())?;
        }
        file.write_all(&(code.len() as u64).to_le_bytes())?;
        file.write_all(FORM)?;
        file.flush()?;
        drop(code);
        let path = self.path(key);
        file.persist(&path).map_err(|e| e.error)?;
        load(engine, &path).map_err(|e| LoadError::Compile { reason: format!("{e:#}") })
    }
}

/// Whether the file is whole and every block of its code has its checksum.
///
/// Against damage, not against forgery: who can write to this folder needs no forgery.
fn checked(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let end_length = 8 + FORM.len() as u64;
    let Some(end_start) = length.checked_sub(end_length) else {
        return Ok(false);
    };
    let mut end = [0; 8 + FORM.len()];
    file.seek(SeekFrom::Start(end_start))?;
    file.read_exact(&mut end)?;
    let (code_length, form) = end.split_at(8);
    let code_length = u64::from_le_bytes(code_length.try_into().unwrap_or_default());
    let table = code_length.div_ceil(BLOCK as u64).checked_mul(CHECKSUM as u64);
    let expected = table.and_then(|t| t.checked_add(code_length)?.checked_add(end_length));
    if form != FORM || expected != Some(length) {
        return Ok(false);
    }
    let mut checksums =
        vec![0; usize::try_from(end_start - code_length).map_err(io::Error::other)?];
    file.seek(SeekFrom::Start(code_length))?;
    file.read_exact(&mut checksums)?;
    file.seek(SeekFrom::Start(0))?;
    let mut code = file.take(code_length);
    let mut block = Vec::with_capacity(BLOCK);
    for checksum in checksums.chunks(CHECKSUM) {
        block.clear();
        code.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if crc32c::crc32c(&block).to_le_bytes() != *checksum {
            return Ok(false);
        }
    }
    Ok(true)
}

fn load(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was made by our compiler, its checksums were checked just now, and it lies in
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
