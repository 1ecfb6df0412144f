//! `doctor`: what this machine has, and what is missing for what.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::args::Json;
use crate::console;
use crate::fault::Outcome;

/// The findings.
#[derive(Serialize)]
struct Findings {
    version: &'static str,
    cpu: Cpu,
    cuda: Cuda,
    toolchains: Vec<Tool>,
    caches: Vec<Cache>,
}

#[derive(Serialize)]
struct Cpu {
    cores: usize,
    simd: Vec<&'static str>,
    memory_mib: Option<u64>,
}

#[derive(Serialize)]
struct Cuda {
    found: bool,
    library: Option<&'static str>,
    /// As the driver says it, 13000 for 13.0.
    driver_version: Option<i32>,
    note: String,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    needed_for: &'static str,
    version: Option<String>,
    hint: &'static str,
}

#[derive(Serialize)]
struct Cache {
    what: &'static str,
    path: PathBuf,
    mib: Option<f64>,
}

/// Looks and tells.
pub(crate) fn run(arguments: &Json) -> Outcome<()> {
    let findings = Findings {
        version: env!("CARGO_PKG_VERSION"),
        cpu: Cpu {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            simd: simd(),
            memory_mib: memory_mib(),
        },
        cuda: cuda(),
        toolchains: toolchains(),
        caches: caches(),
    };
    if arguments.json {
        return console::json(&findings);
    }
    console::result(text(&findings))
}

fn text(findings: &Findings) -> String {
    let mut lines = vec![format!("omni-host {}", findings.version)];
    let memory = findings.cpu.memory_mib.map_or(String::new(), |mib| format!(", {mib} MiB"));
    let simd = match findings.cpu.simd.as_slice() {
        [] => "none known".to_owned(),
        names => names.join(" "),
    };
    lines.push(format!("cpu: {} cores{memory}, SIMD: {simd}", findings.cpu.cores));
    lines.push(format!("cuda: {}", findings.cuda.note));
    for tool in &findings.toolchains {
        let found = match &tool.version {
            Some(version) => version.clone(),
            None => format!("not found ({})", tool.hint),
        };
        lines.push(format!("{} ({}): {found}", tool.name, tool.needed_for));
    }
    for cache in &findings.caches {
        let size = cache.mib.map_or("not there yet".to_owned(), |mib| format!("{mib:.1} MiB"));
        lines.push(format!("{}: {} ({size})", cache.what, cache.path.display()));
    }
    lines.join("\n")
}

#[cfg(target_arch = "x86_64")]
fn simd() -> Vec<&'static str> {
    let found = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
    ];
    found.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn simd() -> Vec<&'static str> {
    vec!["neon"]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn simd() -> Vec<&'static str> {
    Vec::new()
}

fn memory_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

/// Opens the CUDA driver's library, as a policy on a GPU would, and asks its version.
#[expect(unsafe_code, reason = "opening a shared library and calling a C function of it")]
fn cuda() -> Cuda {
    let names =
        if cfg!(windows) { ["nvcuda.dll"].as_slice() } else { &["libcuda.so.1", "libcuda.so"] };
    for name in names {
        // SAFETY: the CUDA driver's library has no initialisers that depend on this process.
        let Ok(library) = (unsafe { libloading::Library::new(*name) }) else {
            continue;
        };
        let mut version = 0_i32;
        // SAFETY: `int cuDriverGetVersion(int*)` is the driver API's published signature; it needs
        // no initialisation and writes one int.
        let status = unsafe {
            library
                .get::<unsafe extern "C" fn(*mut i32) -> i32>(b"cuDriverGetVersion\0")
                .map(|function| function(&raw mut version))
        };
        let driver_version = matches!(status, Ok(0)).then_some(version);
        let shown = driver_version.map_or("unknown".to_owned(), |version| {
            format!("{}.{}", version / 1000, version % 1000 / 10)
        });
        return Cuda {
            found: true,
            library: Some(name),
            driver_version,
            note: format!(
                "driver library {name} found, CUDA {shown}; this version trains on the CPU only"
            ),
        };
    }
    Cuda {
        found: false,
        library: None,
        driver_version: None,
        note: format!("no driver library ({}); everything works on the CPU", names.join(", ")),
    }
}

fn toolchains() -> Vec<Tool> {
    let mut tools = vec![
        Tool {
            name: "cargo",
            needed_for: "building Rust plugins",
            version: version("cargo", &["--version"]),
            hint: "install Rust from rustup.rs",
        },
        Tool {
            name: "python3",
            needed_for: "building Python plugins",
            version: version("python3", &["--version"]),
            hint: "install Python 3",
        },
    ];
    tools.push(wasm_target());
    tools.push(componentize_py());
    tools
}

/// The first line that a tool prints about itself.
pub(crate) fn version(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

fn caches() -> Vec<Cache> {
    let mut caches = Vec::new();
    if let Some(path) = crate::engine::cache_dir() {
        caches.push(Cache { what: "compiled plugins", mib: size_mib(&path), path });
    }
    caches
}

fn size_mib(path: &Path) -> Option<f64> {
    fn bytes(path: &Path) -> std::io::Result<u64> {
        let mut total = 0;
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                total += bytes(&entry.path())?;
            } else if kind.is_file() {
                total += entry.metadata()?.len();
            }
        }
        Ok(total)
    }
    bytes(path).ok().map(|bytes| bytes as f64 / f64::from(1 << 20))
}

/// The standard library that Rust guests are compiled with.
fn wasm_target() -> Tool {
    const TARGET: &str = "wasm32-unknown-unknown";
    let sysroot = version("rustc", &["--print", "sysroot"]);
    let has = |sysroot: &String| Path::new(sysroot).join("lib/rustlib").join(TARGET).is_dir();
    let debian = Path::new("/usr/lib/rustlib").join(TARGET).is_dir()
        || (Path::new("/usr/bin/wasm-ld").exists() && Path::new("/usr/bin/cargo").exists());
    let found = match sysroot {
        Some(sysroot) if has(&sysroot) => Some(format!("{TARGET} of {sysroot}")),
        _ if debian => Some(format!("{TARGET} by Debian's cargo-web")),
        _ => None,
    };
    Tool {
        name: "Rust for WebAssembly",
        needed_for: "building Rust plugins",
        version: found,
        hint: "rustup target add wasm32-unknown-unknown, or `cargo xtask setup`",
    }
}

fn componentize_py() -> Tool {
    let program = ["target/tools/venv/bin/componentize-py", "componentize-py"]
        .into_iter()
        .find_map(|program| version(program, &["--version"]));
    Tool {
        name: "componentize-py",
        needed_for: "building Python plugins",
        version: program,
        hint: "`cargo xtask setup` in a checkout, or from PyPI",
    }
}
