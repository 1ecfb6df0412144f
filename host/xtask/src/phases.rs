//! Named phases of a command, timed, with a table at the end.
//!
//! A phase that later ones stand on is run with [`Phases::need`] and stops the command; a check is
//! run with [`Phases::check`], and the next one is still run, so that one run shows all failures.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The phases run so far.
pub(crate) struct Phases {
    started: Instant,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    took: Duration,
    failure: Option<String>,
}

impl Phases {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), rows: Vec::new() }
    }

    /// Runs a phase that the rest needs.
    pub(crate) fn need<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        say(&format!("\n=== {name}"));
        let started = Instant::now();
        let result = work();
        let failure = result.as_ref().err().map(|error| format!("{error:#}"));
        self.rows.push(Row { name: name.to_owned(), took: started.elapsed(), failure });
        result
    }

    /// Runs a phase that nothing else needs; its failure is told at the end.
    pub(crate) fn check(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        if let Err(error) = self.need(name, work) {
            say(&format!("FAILED {name}: {error:#}"));
        }
    }

    /// Prints minutes per phase and what failed.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        say("\nminutes  phase");
        for row in &self.rows {
            let mark = if row.failure.is_some() { "  FAILED" } else { "" };
            say(&format!("{:>7.2}  {}{mark}", row.took.as_secs_f64() / 60.0, row.name));
        }
        say(&format!("{:>7.2}  in all", self.started.elapsed().as_secs_f64() / 60.0));
        let failed: Vec<&Row> = self.rows.iter().filter(|row| row.failure.is_some()).collect();
        say(&format!("phases: {} passed; {} failed", self.rows.len() - failed.len(), failed.len()));
        if failed.is_empty() {
            return Ok(());
        }
        for row in &failed {
            say(&format!("  {}: {}", row.name, row.failure.as_deref().unwrap_or_default()));
        }
        bail!("{} of {} phases failed", failed.len(), self.rows.len())
    }
}

/// Prints a line for the person or the log; a closed pipe is no reason to stop.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
