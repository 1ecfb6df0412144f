//! Compiling components, in a child process with limits or, for tests, in this one.
//!
//! A hostile component can make a compiler take all memory or all day; the child can not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine;
use crate::error::LoadError;

/// CPU time that compiling one component may take, over all its threads.
const CPU_SECONDS: u64 = 600;
/// Address space of the child, before what its threads reserve.
const ADDRESS_SPACE: u64 = 6 << 30;
/// What the allocator reserves for each thread of the child.
const ADDRESS_SPACE_PER_CORE: u64 = 256 << 20;

/// Where compiling happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, with no limits; for tests.
    InProcess,
    /// In a child: this program, run as `PROGRAM __compile IN OUT`, which calls [`compile_main`].
    Child(PathBuf),
}

/// Compiled code on its way into the cache.
pub(crate) enum Code {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file that goes away with this value.
    File(tempfile::TempPath),
}

impl Compiler {
    pub(crate) fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<Code, LoadError> {
        match self {
            Self::InProcess => engine
                .precompile_component(wasm)
                .map(Code::Bytes)
                .map_err(|e| LoadError::Compile { reason: format!("{e:#}") }),
            Self::Child(program) => compile_in_child(program, wasm),
        }
    }
}

impl Code {
    /// The code's bytes.
    pub(crate) fn into_bytes(self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(path) => std::fs::read(path),
        }
    }

    /// Makes it runnable without keeping it anywhere.
    pub(crate) fn load(self, engine: &Engine) -> Result<Component, LoadError> {
        let bytes = self.into_bytes()?;
        // SAFETY: the bytes come from our own compiler, this moment, through memory or through a
        // file in a fresh private folder; nobody else had them.
        #[expect(unsafe_code, reason = "loading compiled code")]
        let component = unsafe { Component::deserialize(engine, bytes) };
        component.map_err(|e| LoadError::Compile { reason: format!("{e:#}") })
    }
}

fn compile_in_child(program: &Path, wasm: &[u8]) -> Result<Code, LoadError> {
    let input = tempfile::NamedTempFile::new()?;
    std::fs::write(input.path(), wasm)?;
    let output = tempfile::NamedTempFile::new()?.into_temp_path();
    let result = Command::new(program)
        .arg("__compile")
        .arg(input.path())
        .arg(&output)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| LoadError::Compile {
            reason: format!("cannot start the compiler {}: {e}", program.display()),
        })?;
    if result.status.success() {
        return Ok(Code::File(output));
    }
    let said = String::from_utf8_lossy(&result.stderr);
    let said = said.trim();
    let reason = match result.status.code() {
        Some(code) if said.is_empty() => format!("the compiler ended with code {code}"),
        Some(_) => said.to_owned(),
        None => format!(
            "the compiler was stopped ({}), most likely by its limits on time and memory {said}",
            result.status
        ),
    };
    Err(LoadError::Compile { reason })
}

/// What the child does: limits itself, compiles the component in `input`, writes `output`.
///
/// # Errors
/// A message for people, when the input cannot be read, does not compile, or the output cannot
/// be written.
pub fn compile_main(input: &Path, output: &Path) -> Result<(), String> {
    limit_this_process().map_err(|e| format!("cannot limit the compiler: {e}"))?;
    let wasm = std::fs::read(input).map_err(|e| format!("cannot read {}: {e}", input.display()))?;
    let engine = engine::compiling_engine().map_err(|e| format!("{e:#}"))?;
    let code = engine.precompile_component(&wasm).map_err(|e| format!("{e:#}"))?;
    std::fs::write(output, code).map_err(|e| format!("cannot write {}: {e}", output.display()))
}

fn limit_this_process() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let limits = [
        (Resource::As, ADDRESS_SPACE + cores * ADDRESS_SPACE_PER_CORE),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Core, 0),
    ];
    for (resource, wanted) in limits {
        // A limit that is tighter already stays.
        let hard = getrlimit(resource).maximum;
        let limit = Some(hard.map_or(wanted, |h| h.min(wanted)));
        setrlimit(resource, Rlimit { current: limit, maximum: limit })?;
    }
    Ok(())
}
