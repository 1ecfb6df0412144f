//! `cargo xtask`: the one entry for set-up, demo, test, lint and generated documents.
//!
//! Every command starts from a bare machine (rustup's stable Rust, a C compiler, Python 3) and does
//! the set-up that it needs itself. One profile (release) and one target folder serve them all, so
//! nothing is compiled twice. What is missing on the machine is an error that says how to get it.

mod demo;
mod phases;
mod test;
mod tidy;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::phases::Phases;
use crate::workspace::Workspace;

/// Set-up, demo, tests and checks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what guests are built with, and say what is missing.
    Setup,
    /// Build omni-host and the first-party packs (to target/packs).
    Build,
    /// Train the quickstart policy on four tasks (at most 8 minutes) and show what it learned.
    Demo {
        /// Seed of the run.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// All set-up, then every check: what CI runs.
    Test,
    /// Formatting, clippy and tidy.
    Lint,
    /// The rules of this repository that no compiler checks; part of lint and test.
    Tidy,
    /// Write the generated documents again (docs/cli.md, docs/*.schema.json).
    Docs {
        /// Change nothing; fail if a document is stale.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            phases::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let workspace = Workspace::find()?;
    let mut phases = Phases::new();
    let outcome = match command {
        Command::Setup => test::setup(&workspace, &mut phases),
        Command::Build => test::build(&workspace, &mut phases),
        Command::Demo { seed } => demo::run(&workspace, &mut phases, *seed),
        Command::Test => test::run(&workspace, &mut phases),
        Command::Tidy => tidy::check(&workspace),
        Command::Lint => test::lint(&workspace, &mut phases),
        Command::Docs { check } => test::docs(&workspace, &mut phases, *check),
    };
    let closing = phases.finish();
    outcome.and(closing)
}
