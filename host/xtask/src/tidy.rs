//! Rules of this repository that no compiler checks, each with the file that breaks it.
//!
//! Every Rust file opens with `//!`; none is longer than [`MOST_LINES`]; every crate takes the
//! workspace's lints; ARCHITECTURE.md names every crate and every top folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::phases::say;
use crate::workspace::Workspace;

/// A file longer than this is more than one idea.
const MOST_LINES: usize = 1000;

/// Folders that hold no source of ours.
const SKIPPED: [&str; 5] = ["target", ".git", "node_modules", "fixtures", "__pycache__"];

/// Says every problem at once.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    collect(&workspace.root, &mut files)?;
    for file in &files {
        source(workspace, file, &mut problems)?;
    }
    manifests(workspace, &files, &mut problems)?;
    architecture(workspace, &mut problems)?;
    for problem in &problems {
        say(problem);
    }
    if problems.is_empty() {
        say(&format!("tidy: {} files", files.len()));
        return Ok(());
    }
    bail!("{} untidy places, named above", problems.len())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        // Links are not followed: a data folder may be linked into a checkout.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn source(workspace: &Workspace, file: &Path, problems: &mut Vec<String>) -> Result<()> {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !matches!(extension, "rs" | "py" | "wit" | "toml") {
        return Ok(());
    }
    let shown = file.strip_prefix(&workspace.root).unwrap_or(file).display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let lines = text.lines().count();
    if lines > MOST_LINES {
        problems.push(format!("{shown}: {lines} lines, at most {MOST_LINES}: split it"));
    }
    if extension == "rs" && !text.starts_with("//!") {
        problems.push(format!("{shown}: does not open with `//!` saying what it is for"));
    }
    Ok(())
}

fn manifests(workspace: &Workspace, files: &[PathBuf], problems: &mut Vec<String>) -> Result<()> {
    for file in files.iter().filter(|file| file.ends_with("Cargo.toml")) {
        let shown = file.strip_prefix(&workspace.root).unwrap_or(file).display();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let manifest: toml::Table =
            text.parse().with_context(|| format!("{shown} is not a manifest"))?;
        if !manifest.contains_key("package") {
            continue;
        }
        // A workspace of one crate states its lints itself.
        let lints = manifest.get("lints");
        let inherited = lints
            .and_then(|lints| lints.get("workspace"))
            .and_then(toml::Value::as_bool)
            .unwrap_or(false);
        let own = manifest.contains_key("workspace") && lints.is_some();
        if !inherited && !own {
            problems.push(format!("{shown}: has no `[lints] workspace = true`"));
        }
    }
    Ok(())
}

fn architecture(workspace: &Workspace, problems: &mut Vec<String>) -> Result<()> {
    let path = workspace.root.join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&path).context("cannot read ARCHITECTURE.md")?;
    for name in crates(workspace)? {
        if !text.contains(&format!("`{name}`")) {
            problems.push(format!("ARCHITECTURE.md: does not name the crate `{name}`"));
        }
    }
    for entry in std::fs::read_dir(&workspace.root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir()
            && !name.starts_with('.')
            && !SKIPPED.contains(&name.as_str())
            && !text.contains(&format!("`{name}/`"))
        {
            problems.push(format!("ARCHITECTURE.md: does not say what `{name}/` is for"));
        }
    }
    Ok(())
}

/// The root workspace's crates, as cargo itself names them.
fn crates(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
    Ok(packages
        .iter()
        .filter_map(|package| package.get("name").and_then(Value::as_str))
        .map(str::to_owned)
        .collect())
}
