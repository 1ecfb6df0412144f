//! Rust guests: `cdylib`s for wasm32-unknown-unknown, made into components.
//!
//! All stale crates of one workspace and one kind are compiled by one cargo:
//! cargo unifies features within an invocation, and a guest must see only its
//! own kind's bindings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BuildOptions, Job, tail};
use crate::digest::Inputs;
use crate::error::PackError;
use crate::manifest::Kind;

const TARGET: &str = "wasm32-unknown-unknown";

const HOW: &str = "  with rustup:  rustup target add wasm32-unknown-unknown
  on Debian:    apt-get install rustc-web cargo-web rust-web-src lld
  in a checkout of omni-host, `cargo xtask setup` does the one that works";

/// A compiler for guests.
pub(super) struct Compiler {
    version: String,
    own_std: bool,
}

impl Compiler {
    /// The compiler on the path where it has the target's standard library,
    /// else Debian's, which builds that library from its source package.
    pub(super) fn find(wanted: &str, _target: &Path) -> Result<Self, PackError> {
        if let Some(sysroot) = sysroot("rustc")
            && sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
            && let Some(version) = output("rustc", &["-vV"])
        {
            return Ok(Self { version, own_std: false });
        }
        let rustc = "/usr/bin/rustc";
        let source = "lib/rustlib/src/rust/library/std/Cargo.toml";
        let linker = Path::new("/usr/bin/wasm-ld").exists();
        if let Some(sysroot) = sysroot(rustc)
            && sysroot.join(source).is_file()
            && linker
            && Path::new("/usr/bin/cargo").exists()
            && let Some(version) = output(rustc, &["-vV"])
        {
            return Ok(Self { version, own_std: true });
        }
        Err(PackError::Tool {
            what: format!("a Rust compiler for {TARGET}"),
            wanted: wanted.to_owned(),
            how: HOW.to_owned(),
        })
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    fn cargo(&self) -> Command {
        let mut cargo = Command::new(if self.own_std { "/usr/bin/cargo" } else { "cargo" });
        // What a surrounding `cargo run` or a user's settings for native code
        // left in the environment is not meant for guests.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_BUILD_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "LD_LIBRARY_PATH",
        ] {
            cargo.env_remove(name);
        }
        cargo.args(["build", "--quiet", "--release", "--target", TARGET]);
        if self.own_std {
            let path = std::env::var("PATH").unwrap_or_default();
            cargo.env("PATH", format!("/usr/bin:{path}"));
            cargo.env_remove("RUSTUP_TOOLCHAIN");
            cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
            cargo.arg("-Zbuild-std=std,panic_abort");
        }
        cargo
    }

    /// Compiles and seals.
    pub(super) fn compile(
        &self,
        crates: Vec<(&mut Job<'_>, PathBuf)>,
        options: &BuildOptions<'_>,
    ) -> Result<(), PackError> {
        let guests = options.target.join("guests");
        let mut groups: BTreeMap<(PathBuf, Kind), Vec<(&mut Job<'_>, Crate)>> = BTreeMap::new();
        for (job, dir) in crates {
            let found = Crate::read(&dir)?;
            groups.entry((found.root.clone(), job.kind())).or_default().push((job, found));
        }
        for ((root, kind), group) in groups {
            let names: Vec<_> = group.iter().map(|(job, _)| job.name()).collect();
            let wanted = names.join(", ");
            (options.progress)(&format!("compiling the {kind} plugins {wanted}"));
            let mut cargo = self.cargo();
            cargo.current_dir(&root).env("CARGO_TARGET_DIR", absolute(&guests)?);
            for (_, found) in &group {
                cargo.args(["-p", &found.package]);
            }
            let ran = cargo.output().map_err(PackError::io("run cargo in", &root))?;
            if !ran.status.success() {
                let output = tail(&ran.stderr, 60);
                return Err(PackError::Build { wanted, tool: "cargo".to_owned(), output });
            }
            for (job, found) in group {
                let name = format!("{}.wasm", found.library);
                let core = guests.join(TARGET).join("release").join(name);
                let module = std::fs::read(&core).map_err(PackError::io("read", &core))?;
                let component = seal(&module)
                    .map_err(|message| PackError::Component { wanted: job.name(), message })?;
                job.finish(&component)?;
            }
        }
        Ok(())
    }
}

/// Makes a component of a core module, by what wit-bindgen left in it.
fn seal(module: &[u8]) -> Result<Vec<u8>, String> {
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| {
            format!(
                "cannot be made a component: {error:#}\n  \
                 a plugin's crate is a `cdylib` that calls omni_sdk::export!"
            )
        })
}

/// What the build needs to know of a guest's crate.
struct Crate {
    /// The folder of its workspace, or its own.
    root: PathBuf,
    package: String,
    library: String,
}

impl Crate {
    fn read(dir: &Path) -> Result<Self, PackError> {
        let manifest = manifest(dir)?;
        let package = text(&manifest, &["package", "name"]).unwrap_or_default().to_owned();
        let library = text(&manifest, &["lib", "name"]).unwrap_or(&package).replace('-', "_");
        Ok(Self { root: workspace_root(dir)?, package, library })
    }
}

/// Adds all that a guest is built from: its folder and those of its path
/// dependencies, what those say they read besides
/// (`package.metadata.omni.inputs`), the workspace's manifest and lock.
pub(super) fn inputs(dir: &Path, inputs: &mut Inputs) -> Result<(), PackError> {
    let root = workspace_root(dir)?;
    for name in ["Cargo.toml", "Cargo.lock"] {
        let file = root.join(name);
        if file.is_file() {
            inputs.file(&format!("workspace/{name}"), &file)?;
        }
    }
    let mut seen = BTreeSet::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        let dir = dir.canonicalize().map_err(PackError::io("read", &dir))?;
        if !seen.insert(dir.clone()) {
            continue;
        }
        let manifest = manifest(&dir)?;
        let name = text(&manifest, &["package", "name"]).unwrap_or_default();
        inputs.folder(&format!("crate {name}"), &dir)?;
        let extra = manifest
            .get("package")
            .and_then(|package| package.get("metadata")?.get("omni")?.get("inputs")?.as_array());
        for path in extra.into_iter().flatten().filter_map(toml::Value::as_str) {
            inputs.folder(&format!("crate {name}: {path}"), &dir.join(path))?;
        }
        waiting.extend(path_dependencies(&dir, &manifest)?);
    }
    Ok(())
}

/// The folders of a crate's path dependencies, its workspace's included.
fn path_dependencies(dir: &Path, manifest: &toml::Table) -> Result<Vec<PathBuf>, PackError> {
    let root = workspace_root(dir)?;
    let workspace = if root == dir { manifest.clone() } else { self::manifest(&root)? };
    let shared = |name: &str| {
        let path = workspace.get("workspace")?.get("dependencies")?.get(name)?.get("path")?;
        Some(root.join(path.as_str()?))
    };
    let mut tables = vec![manifest];
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    tables.extend(targets.into_iter().flatten().filter_map(|(_, target)| target.as_table()));
    let mut found = Vec::new();
    for table in tables {
        for kind in ["dependencies", "build-dependencies"] {
            let Some(entries) = table.get(kind).and_then(toml::Value::as_table) else { continue };
            for (name, entry) in entries {
                if let Some(path) = entry.get("path").and_then(toml::Value::as_str) {
                    found.push(dir.join(path));
                } else if entry.get("workspace").and_then(toml::Value::as_bool) == Some(true) {
                    found.extend(shared(name));
                }
            }
        }
    }
    Ok(found)
}

fn manifest(dir: &Path) -> Result<toml::Table, PackError> {
    let file = dir.join("Cargo.toml");
    let text = std::fs::read_to_string(&file).map_err(PackError::io("read", &file))?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| crate::pack::line_of(&text, &span));
        PackError::at(&file, line, "", error.message(), "")
    })
}

fn text<'a>(manifest: &'a toml::Table, path: &[&str; 2]) -> Option<&'a str> {
    manifest.get(path[0])?.get(path[1])?.as_str()
}

/// The nearest folder upwards whose `Cargo.toml` has a `[workspace]`, or the crate's own.
fn workspace_root(dir: &Path) -> Result<PathBuf, PackError> {
    let dir = dir.canonicalize().map_err(PackError::io("read", dir))?;
    for above in dir.ancestors() {
        if above.join("Cargo.toml").is_file() && manifest(above)?.contains_key("workspace") {
            return Ok(above.to_owned());
        }
    }
    Ok(dir)
}

fn absolute(path: &Path) -> Result<PathBuf, PackError> {
    std::path::absolute(path).map_err(PackError::io("find", path))
}

fn sysroot(rustc: &str) -> Option<PathBuf> {
    output(rustc, &["--print", "sysroot"]).map(|text| PathBuf::from(text.trim()))
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let ran = Command::new(program).args(arguments).output().ok()?;
    ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
}
