//! Where things are in this repository, and how its commands are run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The repository's root and the folders that builds write to.
pub(crate) struct Workspace {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// The shared target folder.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The repository that this xtask was built from.
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here
            .ancestors()
            .nth(2)
            .context("xtask does not lie in host/xtask of a repository")?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(path) => root.join(path),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The built `omni-host`.
    pub(crate) fn omni_host(&self) -> PathBuf {
        self.target.join("release").join(format!("omni-host{}", std::env::consts::EXE_SUFFIX))
    }

    /// Where the first-party packs are built to; `omni-host` run from the repository looks there.
    pub(crate) fn packs(&self) -> PathBuf {
        self.root.join("target/packs")
    }

    /// Where the packs of guests that misbehave on purpose are built to.
    pub(crate) fn test_packs(&self) -> PathBuf {
        self.root.join("target/packs-test")
    }

    /// Cargo workspaces beside the root one: guests, which are built for another target.
    pub(crate) fn guest_workspaces(&self) -> Vec<PathBuf> {
        ["plugins", "tests/hostile"]
            .iter()
            .map(|folder| self.root.join(folder))
            .filter(|folder| {
                std::fs::read_to_string(folder.join("Cargo.toml"))
                    .is_ok_and(|manifest| manifest.contains("[workspace]"))
            })
            .collect()
    }

    /// Cargo in the root workspace, sharing the target folder.
    pub(crate) fn cargo<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<()> {
        self.cargo_in(&self.root, arguments)
    }

    /// Cargo in another workspace of this repository, sharing the target folder.
    pub(crate) fn cargo_in<S: AsRef<OsStr>>(&self, folder: &Path, arguments: &[S]) -> Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", &self.target);
        run(command)
    }

    /// The built `omni-host` in the repository's root.
    pub(crate) fn host<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<()> {
        let mut command = Command::new(self.omni_host());
        command.args(arguments).current_dir(&self.root);
        run(command)
    }
}

/// Runs a command with no input, showing what it prints.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let shown = show(&command);
    crate::phases::say(&format!("$ {shown}"));
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
