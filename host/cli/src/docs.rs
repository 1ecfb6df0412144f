//! `__docs`: the documents that are generated from the program itself, so that they cannot go
//! stale: docs/cli.md from the argument definitions, the schemas of the run and the warm-up
//! file from their types.

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;

use crate::args::Arguments;
use crate::console;
use crate::fault::{Blame as _, Fault, Outcome};

/// Writes them, or says which are stale.
pub(crate) fn run(folder: &Path, check: bool) -> Outcome<()> {
    let documents = [
        ("cli.md", command_line()),
        ("run.schema.json", schema(&omni_train::config::schema())?),
        ("study.schema.json", schema(&omni_study::schema())?),
        ("warmup.schema.json", schema(&omni_train::config::warmup_schema())?),
    ];
    let mut stale = Vec::new();
    for (name, text) in &documents {
        let path = folder.join(name);
        if std::fs::read_to_string(&path).ok().as_deref() == Some(text) {
            continue;
        }
        if check {
            stale.push(path.display().to_string());
            continue;
        }
        std::fs::create_dir_all(folder).or_run_at(folder.display())?;
        std::fs::write(&path, text).or_run_at(path.display())?;
        console::say(format!("wrote {}", path.display()));
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(Fault::run(format!("stale: {}: write them with `cargo xtask docs`", stale.join(", "))))
}

fn schema(schema: &serde_json::Value) -> Outcome<String> {
    let mut text = serde_json::to_string_pretty(schema).or_run()?;
    text.push('\n');
    Ok(text)
}

fn command_line() -> String {
    let mut out = String::from(
        "# omni-host's command line\n\nWritten by `cargo xtask docs` from the program itself.\n\n\
         Exit codes: 0 done, 1 the run failed, 2 the input was wrong.\n",
    );
    let mut command = Arguments::command().term_width(100);
    command.build();
    section(&mut out, &command, "omni-host");
    out
}

fn section(out: &mut String, command: &clap::Command, path: &str) {
    let mut shown = command.clone().bin_name(path).term_width(100);
    let help = shown.render_long_help().to_string();
    let _ = write!(out, "\n## {path}\n\n```text\n");
    for line in help.trim_end().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str("```\n");
    let mut subcommands: Vec<_> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
        .collect();
    subcommands.sort_by_key(|sub| sub.get_name().to_owned());
    for sub in subcommands {
        section(out, sub, &format!("{path} {}", sub.get_name()));
    }
}
