//! Interpreters: programs in one language.

pub use crate::programs::{Execution, Limits, Program, Status, Stop, StopKind};

/// Runs programs. Each call has an instance of its own, so nothing that a
/// program does outlives it; its limits are the host's work.
pub trait Interpreter {
    /// The languages that it runs.
    fn languages() -> Vec<String>;

    /// Runs a program to its end.
    fn run(program: &Program) -> Execution;
}
