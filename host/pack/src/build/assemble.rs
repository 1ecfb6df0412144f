//! Puts a built pack together: manifest, components, prompts, data, lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{BuiltComponent, BuiltPack, Job, write_aside};
use crate::digest::{Inputs, files_below};
use crate::error::PackError;
use crate::lock::{LOCK, Lock};
use crate::manifest::DataEntry;
use crate::pack::{MANIFEST, Pack};

/// Writes `out/NAME`, unless it already is what it should be.
pub(super) fn assemble(
    pack: &Pack,
    jobs: &[&Job<'_>],
    out: &Path,
    kept: &Path,
) -> Result<BuiltPack, PackError> {
    let files = files(pack)?;
    let mut inputs = Inputs::default();
    for (within, path) in &files {
        inputs.file(within, path)?;
    }
    for job in jobs {
        inputs.text(job.entry.wasm.get_ref(), &job.digest);
    }
    let digest = inputs.finish();
    let dir = out.join(pack.name());
    let stamp = kept.join(format!("{}.stamp", pack.name()));
    let mut components = Vec::new();
    for job in jobs {
        let meta = std::fs::metadata(&job.artifact);
        components.push(BuiltComponent {
            name: job.entry.name.get_ref().clone(),
            bytes: meta.map_err(PackError::io("read", &job.artifact))?.len(),
            compiled: job.compiled,
        });
    }
    let written = !is_whole(&dir, &stamp, &digest);
    if written {
        write(pack, jobs, &files, out, &dir)?;
        let line = format!("{digest} {}", std::path::absolute(&dir).unwrap_or_default().display());
        write_aside(&stamp, line.as_bytes())?;
    }
    Ok(BuiltPack { name: pack.name().to_owned(), dir, components, written })
}

/// Whether the folder was made from these inputs and all its files are there.
fn is_whole(dir: &Path, stamp: &Path, digest: &str) -> bool {
    let line = format!("{digest} {}", std::path::absolute(dir).unwrap_or_default().display());
    std::fs::read_to_string(stamp).is_ok_and(|kept| kept == line)
        && Lock::read(dir)
            .is_ok_and(|lock| lock.files.keys().all(|within| dir.join(within).is_file()))
}

fn write(
    pack: &Pack,
    jobs: &[&Job<'_>],
    files: &BTreeMap<String, PathBuf>,
    out: &Path,
    dir: &Path,
) -> Result<(), PackError> {
    std::fs::create_dir_all(out).map_err(PackError::io("create", out))?;
    let aside = tempfile::Builder::new()
        .prefix(".building-")
        .tempdir_in(out)
        .map_err(PackError::io("create a folder in", out))?;
    let copy = |from: &Path, within: &str| {
        let to = aside.path().join(within);
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(PackError::io("create", folder))?;
        }
        std::fs::copy(from, &to).map_err(PackError::io("copy", from))?;
        readable(&to, 0o644)
    };
    for (within, path) in files {
        copy(path, within)?;
    }
    for job in jobs {
        copy(&job.artifact, job.entry.wasm.get_ref())?;
    }
    let lock = Lock::compute(aside.path(), pack.name(), pack.version())?;
    let text = toml::to_string(&lock).map_err(|error| PackError::Component {
        wanted: pack.name().to_owned(),
        message: format!("its lock cannot be written: {error}"),
    })?;
    let file = aside.path().join(LOCK);
    std::fs::write(&file, text).map_err(PackError::io("write", &file))?;
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(PackError::io("replace", dir))?;
    }
    let aside = aside.keep();
    readable(&aside, 0o755)?;
    std::fs::rename(&aside, dir).map_err(PackError::io("write", dir))
}

/// Temporary files and folders are their owner's alone; a pack is for everybody.
fn readable(path: &Path, mode: u32) -> Result<(), PackError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, open).map_err(PackError::io("write", path))?;
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

/// What goes into a built pack besides its components: the manifest, what it
/// names, README and licence, and the folders `prompts` and `data`.
fn files(pack: &Pack) -> Result<BTreeMap<String, PathBuf>, PackError> {
    let dir = pack.dir();
    let mut files = BTreeMap::from([(MANIFEST.to_owned(), pack.file())]);
    for folder in ["prompts", "data"] {
        if dir.join(folder).is_dir() {
            let below = files_below(&dir.join(folder))?;
            files.extend(below.into_iter().map(|(name, path)| (format!("{folder}/{name}"), path)));
        }
    }
    for name in ["README.md", "LICENSE", "NOTICE"] {
        if dir.join(name).is_file() {
            files.insert(name.to_owned(), dir.join(name));
        }
    }
    for component in &pack.manifest().components {
        for place in component.config_files.values() {
            let file = pack.inside(place, "component.config_files", place.get_ref())?;
            files.insert(place.get_ref().clone(), file);
        }
    }
    for task in &pack.manifest().tasks {
        if let Some(place) = &task.template {
            let file = pack.inside(place, "task.template", place.get_ref())?;
            files.insert(place.get_ref().clone(), file);
        }
        let Some(place) = &task.source else { continue };
        let names: Vec<_> = match &place.get_ref().data {
            None => Vec::new(),
            Some(DataEntry::One(file)) => vec![file],
            Some(DataEntry::Splits(splits)) => splits.values().collect(),
        };
        for name in names {
            files.insert(name.clone(), pack.inside(place, "task.source.data", name)?);
        }
    }
    Ok(files)
}
