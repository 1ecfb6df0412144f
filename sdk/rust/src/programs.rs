//! A program for an interpreter plugin, and what became of it.

/// Limits within what the task and the operator allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fuel, about one unit a WASM instruction.
    pub fuel: u64,
    /// Linear memory in bytes.
    pub memory_bytes: u64,
    /// Standard output and error together, in bytes.
    pub output_bytes: u32,
}

/// A program, run in an instance of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The language, such as `python`.
    pub language: String,
    /// The program's text.
    pub source: String,
    /// Its standard input.
    pub stdin: String,
    /// Seeds the language's random numbers.
    pub seed: u32,
    /// Less than what the task allows, if that is wanted.
    pub limits: Option<Limits>,
}

impl Program {
    /// A program in `language` with empty input, seed 0 and the task's limits.
    pub fn new(language: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            language: language.into(),
            source: source.into(),
            stdin: String::new(),
            seed: 0,
            limits: None,
        }
    }
}

/// Which limit the host stopped a program for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// It computed too long.
    Fuel,
    /// It wanted too much memory.
    Memory,
    /// It ran into the backstop of time.
    Time,
    /// It wrote too much.
    Output,
    /// The interpreter itself trapped.
    Trap,
}

/// Why the host stopped a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The limit.
    pub kind: StopKind,
    /// In words.
    pub message: String,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Ran to its end.
    Exited,
    /// Raised; the text is the language's own report.
    Raised(String),
    /// Stopped by the host.
    Stopped(Stop),
}

/// What became of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// How it ended.
    pub status: Status,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// What it used.
    pub fuel: u64,
}
