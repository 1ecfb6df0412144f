//! What the scenarios share: the built binary, the built packs, a tiny policy, small files.
//!
//! Everything is real: packs as `cargo xtask build` makes them, a policy that `omni-host warmup`
//! makes, processes that are started and killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("host/cli lies in a repository")
}

/// `omni-host` in the repository's root, with no input.
pub(crate) fn omni() -> Command {
    let packs = root().join("target/packs");
    assert!(packs.is_dir(), "{} is missing: run `cargo xtask build` first", packs.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_omni-host"));
    command.current_dir(root()).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("omni-host starts");
        Self {
            code: status.code(),
            out: String::from_utf8(stdout).expect("output is UTF-8"),
            err: String::from_utf8(stderr).expect("messages are UTF-8"),
        }
    }

    /// Asserts that it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self
    }

    /// Asserts an exit code, and that the message holds every one of these words.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }
}

/// A tiny policy, made once for each test program by `omni-host warmup`.
pub(crate) fn policy() -> &'static Path {
    static POLICY: OnceLock<PathBuf> = OnceLock::new();
    POLICY.get_or_init(|| {
        let name = format!("policy-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let file = folder.with_extension("toml");
        std::fs::write(&file, WARMUP).expect("a file is written");
        let _ = std::fs::remove_dir_all(&folder);
        Ran::of(omni().arg("warmup").arg(&file).arg("--out").arg(&folder)).ok();
        folder
    })
}

/// Few steps: enough that the four markers are written now and then, so that rewards vary.
const WARMUP: &str = r#"
steps = 150
batch = 16

[model]
hidden_size = 64
intermediate_size = 128
layers = 1
heads = 2
kv_heads = 1
max_positions = 256

[optimizer]
lr = 3e-3

[tokenizer]
vocab_size = 300
items = 50

[[task]]
use = "quickstart/arithmetic"
items = 100

[[task]]
use = "quickstart/world"
items = 100
"#;

/// A run of all four quickstart tasks that takes seconds.
pub(crate) fn run_file(folder: &Path, steps: u32) -> PathBuf {
    let file = folder.join("tiny.toml");
    let text = format!(
        r#"
seed = 7

[policy]
model = "{}"

[optimizer]
lr = 1e-3

[rollout]
prompts_per_batch = 4
group_size = 4
max_completion_tokens = 24

[schedule]
max_steps = {steps}

[eval.final]
items = 4
samples = 2

[checkpoint]
every = 2

[[task]]
use = "quickstart/arithmetic"
items = 40
rewards = {{ tags = 0.5 }}

[[task]]
use = "quickstart/functions"
items = 40
rewards = {{ tags = 0.5 }}

[[task]]
use = "quickstart/world"
items = 40
rewards = {{ tags = 0.5 }}

[[task]]
use = "quickstart/sentences"
items = 40
rewards = {{ tags = 0.5 }}
"#,
        policy().display()
    );
    std::fs::write(&file, text).expect("a file is written");
    file
}

/// `omni-host train FILE --out OUT`.
pub(crate) fn train(file: &Path, out: &Path) -> Command {
    let mut command = omni();
    command.arg("train").arg(file).arg("--out").arg(out);
    command
}

/// The bytes of a run's weights after a step.
pub(crate) fn weights(run: &Path, step: u32) -> Vec<u8> {
    let file = run.join(format!("checkpoints/step-{step}/model.safetensors"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A copy of a folder of files.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for entry in std::fs::read_dir(from).expect("a folder is listed") {
        let entry = entry.expect("a folder is listed");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file is copied");
    }
}

/// The folder of real data, where there is one: `OMNI_SHARED`, or `shared` beside or in the
/// repository.
pub(crate) fn shared() -> Option<PathBuf> {
    let set = std::env::var_os("OMNI_SHARED").map(PathBuf::from);
    let beside = root().parent().map(|parent| parent.join("shared"));
    [set, beside, Some(root().join("shared"))]
        .into_iter()
        .flatten()
        .find(|folder| folder.join("data").is_dir())
}
