//! `cargo xtask test` and its parts, in an order that builds nothing twice.
//!
//! The cheap checks stand first, so that a slip of formatting is told at once; then one
//! `cargo test --no-run` builds libraries, binary and tests together, the binary builds the packs,
//! and the tests run against both.

use anyhow::Result;

use crate::phases::Phases;
use crate::tidy;
use crate::toolchain;
use crate::workspace::Workspace;

/// Installs what guests are built with.
pub(crate) fn setup(workspace: &Workspace, phases: &mut Phases) -> Result<()> {
    phases.need("set-up", || toolchain::setup(&workspace.root))
}

/// Builds the binary and the first-party packs, and nothing that only tests need.
pub(crate) fn build(workspace: &Workspace, phases: &mut Phases) -> Result<()> {
    setup(workspace, phases)?;
    binary(workspace, phases)?;
    packs(workspace, phases)
}

/// Builds `omni-host`.
///
/// Beside it one test of the workspace is built, so that cargo resolves features as it does for
/// `cargo test --workspace`: else wasmtime would be compiled for the demo and again for the tests.
fn binary(workspace: &Workspace, phases: &mut Phases) -> Result<()> {
    phases.need("build omni-host", || {
        workspace.cargo(&[
            "build",
            "--release",
            "--locked",
            "--workspace",
            "--bin=omni-host",
            "--test=scenarios",
        ])
    })
}

/// Builds the first-party packs with the built binary, as a stranger's are built.
pub(crate) fn packs(workspace: &Workspace, phases: &mut Phases) -> Result<()> {
    phases.need("build packs", || {
        workspace.host(&["pack", "build", "plugins", "--out", &text(&workspace.packs())])?;
        // Compiles them into the cache, so that no test or run waits for that.
        workspace.host(&["plugin", "list", "--plugins", &text(&workspace.packs())])
    })
}

/// Everything that CI checks.
pub(crate) fn run(workspace: &Workspace, phases: &mut Phases) -> Result<()> {
    setup(workspace, phases)?;
    phases.check("tidy", || tidy::check(workspace));
    phases.check("formatting", || formatting(workspace));
    phases.need("build", || {
        workspace.cargo(&["test", "--release", "--locked", "--workspace", "--no-run"])
    })?;
    packs(workspace, phases)?;
    if workspace.root.join("tests/hostile").is_dir() {
        phases.need("build hostile guests", || {
            let out = text(&workspace.test_packs());
            workspace.host(&["pack", "build", "tests/hostile", "--out", &out])
        })?;
    }
    phases.check("tests", || {
        workspace.cargo(&["test", "--release", "--locked", "--workspace", "--no-fail-fast"])
    });
    phases.check("tests of the plugins' own logic", || {
        let plugins = workspace.root.join("plugins");
        // A component is made small; a test that runs once is made fast to build.
        workspace.cargo_in(
            &plugins,
            &[
                "test",
                "--release",
                "--locked",
                "--workspace",
                "--no-fail-fast",
                "--config=profile.release.lto=false",
                "--config=profile.release.codegen-units=16",
            ],
        )
    });
    phases.check("clippy", || clippy(workspace));
    docs(workspace, phases, true)
}

/// The checks that need no tests run.
pub(crate) fn lint(workspace: &Workspace, phases: &mut Phases) -> Result<()> {
    phases.check("tidy", || tidy::check(workspace));
    phases.check("formatting", || formatting(workspace));
    phases.check("clippy", || clippy(workspace));
    Ok(())
}

/// Writes the generated documents, or says which are stale.
pub(crate) fn docs(workspace: &Workspace, phases: &mut Phases, check: bool) -> Result<()> {
    if !workspace.omni_host().is_file() || !check {
        binary(workspace, phases)?;
    }
    phases.check("generated documents", || {
        if check {
            workspace.host(&["__docs", "docs", "--check"])
        } else {
            workspace.host(&["__docs", "docs"])
        }
    });
    Ok(())
}

fn formatting(workspace: &Workspace) -> Result<()> {
    workspace.cargo(&["fmt", "--all", "--check"])?;
    for folder in workspace.guest_workspaces() {
        workspace.cargo_in(&folder, &["fmt", "--all", "--check"])?;
    }
    Ok(())
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let strict = ["--", "--deny", "warnings"];
    let mut arguments = vec!["clippy", "--release", "--locked", "--workspace", "--all-targets"];
    arguments.extend(strict);
    workspace.cargo(&arguments)?;
    workspace.cargo_in(&workspace.root.join("plugins"), &arguments)
}

fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}
