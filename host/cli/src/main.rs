//! `omni-host`: arguments, progress, exit codes; the only place that wires the crates together,
//! and that prints.
//!
//! Exit codes: 0 done, 1 the run failed, 2 the input was wrong. Results go to standard output,
//! everything else to standard error.

mod args;
mod console;
mod distractors;
mod docs;
mod doctor;
mod dry_run;
mod engine;
mod eval;
mod evidence;
mod fault;
mod lock;
mod merge;
mod models;
mod packs;
mod plan;
mod problems;
mod progress;
mod reasons;
mod report;
mod resume;
mod run;
mod schedule;
mod score;
mod serve;
mod sft;
mod study;
mod task;
mod train;
mod warmup;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command, Pack, Plugin};
use crate::fault::{Fault, Outcome};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; clap says which stream each belongs to.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    console::init_tracing();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            console::say(format!("error: {}", fault.message()));
            fault.code()
        }
    }
}

fn dispatch(arguments: &Arguments) -> Outcome<()> {
    match &arguments.command {
        Command::Train(train) => train::run(arguments, train),
        Command::Eval(eval) => eval::run(arguments, eval),
        Command::Score(score) => score::run(arguments, score),
        Command::Warmup(warmup) => warmup::run(arguments, warmup),
        Command::Pack(Pack::Build { source, out }) => packs::build(source, out.as_deref()),
        Command::Pack(Pack::Inspect { path, json }) => packs::inspect(path, *json),
        Command::Pack(Pack::Distractors(distractors)) => distractors::run(distractors),
        Command::Pack(Pack::Other(words)) => Err(unsupported("pack", words)),
        Command::Plugin(Plugin::List(list)) => packs::list(arguments, list),
        Command::Plugin(Plugin::Other(words)) => Err(unsupported("plugin", words)),
        Command::Doctor(doctor) => doctor::run(doctor),
        Command::Report(report) => report::run(report),
        Command::Study(study) => study::run(arguments, study),
        Command::Plan(plan) => plan::run(plan),
        Command::Sft(sft) => sft::run(arguments, sft),
        Command::Merge(merge) => merge::run(merge),
        Command::Serve(serve) => serve::run(arguments, serve),
        Command::Bench(_) => Err(Fault::unsupported("omni-host bench")),
        Command::Dev(_) => Err(Fault::unsupported("omni-host dev")),
        Command::Compile { input, output } => engine::compile(input, output),
        Command::Docs { folder, check } => docs::run(folder, *check),
    }
}

fn unsupported(group: &str, words: &[String]) -> Fault {
    let word = words.first().map_or("", String::as_str);
    Fault::unsupported(&format!("omni-host {group} {word}"))
}
