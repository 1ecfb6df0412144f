//! From sources to a built pack.
//!
//! Finished components are kept under `target/components` by the digest of all
//! that they are built from, so that a build with nothing to do takes no time,
//! and components that do not build reproducibly (Python's) are built once.

mod assemble;
mod python;
mod rust;

use std::path::{Path, PathBuf};

use crate::digest::Inputs;
use crate::error::PackError;
use crate::imports;
use crate::manifest::{ComponentEntry, Kind, Source};
use crate::pack::Pack;
use crate::set::pack_dirs;

pub use python::COMPONENTIZE_PY;

/// How to build.
pub struct BuildOptions<'a> {
    /// Keeps compiled code, finished components and tools between builds:
    /// `target` of a checkout.
    pub target: PathBuf,
    /// Is told what takes long, a line at a time.
    pub progress: &'a dyn Fn(&str),
}

impl std::fmt::Debug for BuildOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildOptions").field("target", &self.target).finish_non_exhaustive()
    }
}

/// What a build made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildReport {
    /// The packs, by path and name.
    pub packs: Vec<BuiltPack>,
}

/// One pack that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuiltPack {
    /// The pack's name.
    pub name: String,
    /// The built pack's folder.
    pub dir: PathBuf,
    /// Its components.
    pub components: Vec<BuiltComponent>,
    /// False when the folder already was as it should be.
    pub written: bool,
}

/// One component of a built pack.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuiltComponent {
    /// The component's name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// False when it was there already.
    pub compiled: bool,
}

/// One component on its way.
struct Job<'a> {
    pack: &'a Pack,
    entry: &'a ComponentEntry,
    /// The digest of all that it is built from.
    digest: String,
    /// The finished component.
    artifact: PathBuf,
    compiled: bool,
}

impl Job<'_> {
    fn name(&self) -> String {
        format!("{}/{}", self.pack.name(), self.entry.name.get_ref())
    }

    fn kind(&self) -> Kind {
        self.entry.kind
    }

    /// Checks a component and keeps it under its digest.
    fn finish(&mut self, component: &[u8]) -> Result<(), PackError> {
        imports::check(&self.name(), self.kind(), component)?;
        write_aside(&self.artifact, component)?;
        self.compiled = true;
        Ok(())
    }
}

/// Builds packs (each path is one, or a folder of them) into `out/NAME`.
///
/// # Errors
/// When a manifest or source is wrong, a tool is missing (the message says how
/// to get it) or fails, or a component imports more than the log.
pub fn build<P: AsRef<Path>>(
    paths: &[P],
    out: &Path,
    options: &BuildOptions<'_>,
) -> Result<BuildReport, PackError> {
    let mut packs = Vec::new();
    for path in paths {
        for dir in pack_dirs(path.as_ref())? {
            packs.push(Pack::read(&dir)?);
        }
    }
    let kept = options.target.join("components");
    std::fs::create_dir_all(&kept).map_err(PackError::io("create", &kept))?;
    let mut tools = Tools::new(&options.target);
    let mut jobs = Vec::new();
    for pack in &packs {
        for entry in &pack.manifest().components {
            jobs.push(job(pack, entry, &kept, &mut tools)?);
        }
    }
    compile(&mut jobs, &tools, options)?;
    let mut report = BuildReport { packs: Vec::new() };
    for pack in &packs {
        let own: Vec<_> = jobs.iter().filter(|job| std::ptr::eq(job.pack, pack)).collect();
        report.packs.push(assemble::assemble(pack, &own, out, &kept)?);
    }
    Ok(report)
}

/// The compilers, found when first asked for.
struct Tools {
    target: PathBuf,
    rust: Option<rust::Compiler>,
    python: Option<python::Compiler>,
}

impl Tools {
    fn new(target: &Path) -> Self {
        Self { target: target.to_owned(), rust: None, python: None }
    }
}

fn job<'a>(
    pack: &'a Pack,
    entry: &'a ComponentEntry,
    kept: &Path,
    tools: &mut Tools,
) -> Result<Job<'a>, PackError> {
    let wanted = format!("{}/{}", pack.name(), entry.name.get_ref());
    let mut inputs = Inputs::default();
    inputs.text("kind", entry.kind.as_str());
    inputs.text("wit", imports::WIT);
    inputs.text("pack", env!("CARGO_PKG_VERSION"));
    match &entry.source {
        None => {
            let wasm = pack.dir().join(entry.wasm.get_ref());
            inputs.file("wasm", &wasm)?;
            let bytes = std::fs::read(&wasm).map_err(PackError::io("read", &wasm))?;
            imports::check(&wanted, entry.kind, &bytes)?;
            let digest = inputs.finish();
            return Ok(Job { pack, entry, digest, artifact: wasm, compiled: false });
        }
        Some(Source::Rust(source)) => {
            if tools.rust.is_none() {
                tools.rust = Some(rust::Compiler::find(&wanted, &tools.target)?);
            }
            if let Some(compiler) = &tools.rust {
                inputs.text("rust", compiler.version());
            }
            let dir = crate_dir(pack, entry, &source.dir)?;
            rust::inputs(&dir, &mut inputs)?;
        }
        Some(Source::Python { module, dir }) => {
            if tools.python.is_none() {
                tools.python = Some(python::Compiler::find(&wanted, &tools.target)?);
            }
            if let Some(compiler) = &tools.python {
                inputs.text("python", compiler.version());
            }
            inputs.text("module", module);
            inputs.folder("source", &source_dir(pack, entry, dir)?)?;
        }
    }
    let digest = inputs.finish();
    let artifact = kept.join(format!("{digest}.wasm"));
    Ok(Job { pack, entry, digest, artifact, compiled: false })
}

fn compile(
    jobs: &mut [Job<'_>],
    tools: &Tools,
    options: &BuildOptions<'_>,
) -> Result<(), PackError> {
    let mut crates = Vec::new();
    for job in jobs.iter_mut().filter(|job| !job.artifact.is_file()) {
        match &job.entry.source {
            Some(Source::Rust(source)) => {
                let dir = crate_dir(job.pack, job.entry, &source.dir)?;
                crates.push((job, dir));
            }
            Some(Source::Python { module, dir }) => {
                let dir = source_dir(job.pack, job.entry, dir)?;
                if let Some(compiler) = &tools.python {
                    compiler.compile(job, module, &dir, options)?;
                }
            }
            None => {}
        }
    }
    match &tools.rust {
        Some(compiler) if !crates.is_empty() => compiler.compile(crates, options),
        _ => Ok(()),
    }
}

fn crate_dir(pack: &Pack, entry: &ComponentEntry, dir: &str) -> Result<PathBuf, PackError> {
    let path = pack.dir().join(dir);
    if path.join("Cargo.toml").is_file() {
        return Ok(path);
    }
    let message = format!("there is no crate in {}", path.display());
    Err(pack.error(&entry.name, "component.source.crate", message, ""))
}

fn source_dir(pack: &Pack, entry: &ComponentEntry, dir: &str) -> Result<PathBuf, PackError> {
    let path = if dir == "." { pack.dir().to_owned() } else { pack.dir().join(dir) };
    if path.is_dir() {
        return Ok(path);
    }
    let message = format!("there is no folder {}", path.display());
    Err(pack.error(&entry.name, "component.source.dir", message, ""))
}

/// Writes a file whole or not at all.
fn write_aside(path: &Path, bytes: &[u8]) -> Result<(), PackError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut aside =
        tempfile::NamedTempFile::new_in(folder).map_err(PackError::io("write in", folder))?;
    std::io::Write::write_all(&mut aside, bytes).map_err(PackError::io("write", path))?;
    aside.persist(path).map_err(|error| PackError::io("write", path)(error.error))?;
    Ok(())
}

/// The last lines of what a tool wrote.
fn tail(output: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(output);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
