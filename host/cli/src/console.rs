//! What people and programs see. Standard output carries results alone; everything else goes to
//! standard error, through the progress bar where one is drawn.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::fault::{Blame as _, Outcome};

/// The bars of this process; lines are printed around them.
fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(|| {
        let target =
            if interactive() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        MultiProgress::with_draw_target(target)
    })
}

/// True where a person watches: bars are drawn there, plain lines elsewhere.
pub(crate) fn interactive() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("CI").is_none()
}

/// A line on standard error. A reader that went away is no reason to stop a run.
pub(crate) fn say(line: impl AsRef<str>) {
    bars().suspend(|| {
        let mut out = std::io::stderr().lock();
        let _ = writeln!(out, "{}", line.as_ref());
    });
}

/// A result on standard output.
pub(crate) fn result(text: impl AsRef<str>) -> Outcome<()> {
    bars().suspend(|| {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush()) {
            // `omni-host … | head` is not a failure.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.or_run_at("cannot write to standard output"),
        }
    })
}

/// A value as JSON on standard output.
pub(crate) fn json(value: &impl serde::Serialize) -> Outcome<()> {
    result(serde_json::to_string_pretty(value).or_run()?)
}

/// A bar over a known number of units; hidden where nobody watches.
pub(crate) fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = bars().add(ProgressBar::new(length));
    if let Ok(style) =
        ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {elapsed} (left {eta}) {msg}")
    {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar
}

/// A table in plain text.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table.to_string()
}

/// Text from a model or a guest, fit for a terminal: no escape sequences, one line.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Sends the host's and the guests' log to standard error; `RUST_LOG` says how much of it.
pub(crate) fn init_tracing() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // Set once, by main; a second subscriber would be a bug, and no reason to stop a run.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| AroundBars(Vec::new()))
        .with_ansi(interactive())
        .without_time()
        .try_init();
}

/// A log line, written when it is complete, so that bars do not tear it.
struct AroundBars(Vec<u8>);

impl std::io::Write for AroundBars {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for AroundBars {
    fn drop(&mut self) {
        say(String::from_utf8_lossy(&self.0).trim_end());
    }
}

/// A sign of life for work of unknown length; hidden where nobody watches.
pub(crate) fn spinner(what: String) -> ProgressBar {
    let spinner = bars().add(ProgressBar::new_spinner());
    spinner.set_message(what);
    spinner.enable_steady_tick(std::time::Duration::from_millis(120));
    spinner
}
