//! Python guests, by componentize-py with every WASI import stubbed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BuildOptions, Job, tail};
use crate::error::PackError;
use crate::imports;

/// The version that packs are built with.
pub const COMPONENTIZE_PY: &str = "0.25.1";

/// A componentize-py.
pub(super) struct Compiler {
    program: PathBuf,
    version: String,
}

impl Compiler {
    /// The one in `target/tools/venv`, else the one on the path.
    pub(super) fn find(wanted: &str, target: &Path) -> Result<Self, PackError> {
        let own = target.join("tools/venv/bin/componentize-py");
        for program in [own, PathBuf::from("componentize-py")] {
            let program = if program.is_file() {
                std::path::absolute(&program).map_err(PackError::io("find", &program))?
            } else {
                program
            };
            let Ok(ran) = Command::new(&program).arg("--version").output() else { continue };
            if ran.status.success() {
                let version = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
                return Ok(Self { program, version });
            }
        }
        let venv = target.join("tools/venv");
        Err(PackError::Tool {
            what: "componentize-py".to_owned(),
            wanted: wanted.to_owned(),
            how: format!(
                "  python3 -m venv {venv}\n  {venv}/bin/pip install \
                 componentize-py=={COMPONENTIZE_PY}\n  in a checkout of omni-host, `cargo xtask \
                 setup` does that",
                venv = venv.display()
            ),
        })
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Builds one component.
    pub(super) fn compile(
        &self,
        job: &mut Job<'_>,
        module: &str,
        dir: &Path,
        options: &BuildOptions<'_>,
    ) -> Result<(), PackError> {
        (options.progress)(&format!("building {} with {}", job.name(), self.version));
        let place = tempfile::tempdir().map_err(PackError::io("create", &std::env::temp_dir()))?;
        let at = |name: &str| place.path().join(name);
        for name in ["wit", "no-site-packages"] {
            std::fs::create_dir(at(name)).map_err(PackError::io("create", place.path()))?;
        }
        let wit = at("wit").join("omni.wit");
        std::fs::write(&wit, imports::WIT).map_err(PackError::io("write", &wit))?;
        let ran = Command::new(&self.program)
            .current_dir(place.path())
            // The machine's own Python packages stay out of the component.
            .env("VIRTUAL_ENV", at("no-site-packages"))
            .env("PYTHONHASHSEED", "0")
            // Its frames would hide the Python error that they are about.
            .env("RUST_BACKTRACE", "0")
            .args(["-d", "wit", "-w", &job.kind().world(), "componentize", module])
            .arg("-p")
            .arg(std::path::absolute(dir).map_err(PackError::io("find", dir))?)
            .args(["--stub-wasi", "-o", "component.wasm"])
            .output()
            .map_err(PackError::io("run", &self.program))?;
        if !ran.status.success() {
            let mut output = tail(&ran.stdout, 40);
            output.push_str(&tail(&ran.stderr, 40));
            let tool = self.version.clone();
            return Err(PackError::Build { wanted: job.name(), tool, output });
        }
        let wasm = at("component.wasm");
        let component = std::fs::read(&wasm).map_err(PackError::io("read", &wasm))?;
        job.finish(&component)
    }
}
