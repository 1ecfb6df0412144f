//! What guests are built with: a Rust compiler for WASM and componentize-py.
//!
//! Everything here looks first and is silent and quick where nothing is missing. Rust: rustup's
//! target where rustup can add it, else Debian's packages, with which the standard library is built
//! from source. Python: a virtual environment under `target/tools` with a pinned componentize-py.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::phases::say;

const TARGET: &str = "wasm32-unknown-unknown";
/// The version that `omni-host pack build` asks for too.
const COMPONENTIZE_PY: &str = "0.25.1";
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];
/// After this long without a network rustup has not found it.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// Installs what is missing.
pub(crate) fn setup(root: &Path) -> Result<()> {
    rust()?;
    python(root)
}

fn rust() -> Result<()> {
    if has_rustup_target() || has_debian() {
        return Ok(());
    }
    say(&format!("adding the Rust target {TARGET}"));
    if add_rustup_target() && has_rustup_target() {
        return Ok(());
    }
    if Path::new("/etc/debian_version").exists()
        && let Some(root) = administrator()
    {
        say(&format!("rustup cannot add it here; installing Debian's {}", DEBIAN.join(" ")));
        apt(&root, &["update", "-q"])?;
        let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
        install.extend(DEBIAN);
        apt(&root, &install)?;
        if has_debian() {
            return Ok(());
        }
    }
    bail!(
        "there is no Rust compiler for {TARGET}, which plugins are built with\n  \
         with rustup:  rustup target add {TARGET}\n  \
         on Debian:    apt-get install {}",
        DEBIAN.join(" ")
    )
}

fn has_rustup_target() -> bool {
    sysroot("rustc").is_some_and(|root| root.join("lib/rustlib").join(TARGET).join("lib").is_dir())
}

/// Debian's compiler, its standard library's source and the linker, all of them.
fn has_debian() -> bool {
    let source = "lib/rustlib/src/rust/library/std/Cargo.toml";
    let tools = ["/usr/bin/cargo", "/usr/bin/wasm-ld"];
    tools.iter().all(|tool| Path::new(tool).exists())
        && sysroot("/usr/bin/rustc").is_some_and(|root| root.join(source).is_file())
}

fn sysroot(rustc: &str) -> Option<PathBuf> {
    let ran =
        Command::new(rustc).args(["--print", "sysroot"]).stderr(Stdio::null()).output().ok()?;
    let path = String::from_utf8(ran.stdout).ok()?;
    ran.status.success().then(|| PathBuf::from(path.trim()))
}

/// Tries rustup, but not for ever: without a network it would retry for minutes.
fn add_rustup_target() -> bool {
    let started = Command::new("rustup")
        .args(["target", "add", TARGET])
        .env("RUSTUP_MAX_RETRIES", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else { return false };
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if begun.elapsed() < RUSTUP_LIMIT => {
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(None) | Err(_) => {
                // It ended between the two calls, or it does so now.
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

/// What goes before a command that only root may run; none where we may not.
fn administrator() -> Option<Vec<&'static str>> {
    let succeeds = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let root = Command::new("id").arg("-u").output();
    if root.is_ok_and(|ran| ran.stdout.trim_ascii() == b"0") {
        return Some(Vec::new());
    }
    succeeds("sudo", &["-n", "true"]).then(|| vec!["sudo", "-n"])
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Result<()> {
    let mut words = prefix.to_vec();
    words.push("apt-get");
    words.extend(arguments);
    let status = Command::new(words[0])
        .args(&words[1..])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .with_context(|| format!("cannot run {}", words.join(" ")))?;
    if !status.success() {
        bail!("`{}` failed: {status}", words.join(" "));
    }
    Ok(())
}

fn python(root: &Path) -> Result<()> {
    let venv = root.join("target/tools/venv");
    let program = venv.join("bin/componentize-py");
    let wanted = format!("componentize-py {COMPONENTIZE_PY}");
    if version(&program).is_some_and(|found| found == wanted) {
        return Ok(());
    }
    say(&format!("installing {wanted} in {}", venv.display()));
    let python = venv.join("bin/python3");
    if !python.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).status();
        if !made.is_ok_and(|status| status.success()) {
            bail!(
                "`python3 -m venv {}` failed\n  Python 3 with its venv module is needed (on \
                 Debian: apt-get install python3-venv)",
                venv.display()
            );
        }
    }
    let status = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .arg(format!("componentize-py=={COMPONENTIZE_PY}"))
        .status()
        .with_context(|| format!("cannot run {}", python.display()))?;
    if !status.success() {
        bail!("pip could not install {wanted}: {status}");
    }
    match version(&program) {
        Some(found) if found == wanted => Ok(()),
        found => bail!("{} is {found:?}, wanted {wanted}", program.display()),
    }
}

fn version(program: &Path) -> Option<String> {
    let ran = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(ran.stdout).ok()?;
    ran.status.success().then(|| text.trim().to_owned())
}
