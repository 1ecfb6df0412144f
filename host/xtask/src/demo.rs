//! `cargo xtask demo`: set-up, build, packs, then one real training run of the quickstart policy.

use anyhow::{Context as _, Result};

use crate::phases::{Phases, say};
use crate::test;
use crate::workspace::Workspace;

/// The run that the demo trains.
const RUN: &str = "examples/quickstart/run.toml";

/// Trains the quickstart; `omni-host` itself prints the table before and after.
pub(crate) fn run(workspace: &Workspace, phases: &mut Phases, seed: u64) -> Result<()> {
    test::build(workspace, phases)?;
    let out = workspace.root.join(format!("target/demo/seed-{seed}"));
    if out.exists() {
        // A demo shows a run from its beginning; the folder is this command's own.
        std::fs::remove_dir_all(&out)
            .with_context(|| format!("cannot clear the last demo's folder {}", out.display()))?;
    }
    let folder = out.display().to_string();
    let seed = format!("seed={seed}");
    phases.need("train and evaluate", || {
        workspace.host(&["train", RUN, "--out", &folder, "--set", &seed])
    })?;
    let report = out.join("report.html");
    say(&format!("\nThe report: {}", report.display()));
    Ok(())
}
