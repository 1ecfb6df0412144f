//! A run's records as one page that can be mailed: tables, curves and sample outputs.
//!
//! Reads `omni-record` alone, never the engine, so that old runs render. The page is self-contained
//! (inline SVG and CSS, no script, no network) and the same records give the same bytes. Whatever a
//! model wrote is escaped: its output may be hostile HTML.

mod evaluation;
pub mod html;
mod run;
mod summary;
pub mod svg;

use std::path::{Path, PathBuf};

use omni_record::{RecordError, RunFolder};

pub use evaluation::{EvalTable, eval_tables};
pub use run::{run_page, run_picture};
pub use summary::{Change, Row, Summary};

/// The report could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The records could not be read.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// There are none.
    #[error("{}: no events: is this a run folder?", .0.display())]
    NoRun(PathBuf),
    /// The page could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The page.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// The picture of a run folder's rewards, as the text of an SVG file.
///
/// # Errors
/// When the records cannot be read, or there are none.
pub fn picture(folder: &Path) -> Result<String, ReportError> {
    let events = RunFolder::new(folder).events()?;
    if events.is_empty() {
        return Err(ReportError::NoRun(folder.to_owned()));
    }
    Ok(run_picture(&events))
}

/// Writes `report.html` of a run folder, and says where it is.
///
/// # Errors
/// When the records cannot be read, there are none, or the page cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf, ReportError> {
    let run = RunFolder::new(folder);
    let events = run.events()?;
    if events.is_empty() {
        return Err(ReportError::NoRun(folder.to_owned()));
    }
    let samples = run.samples()?;
    let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name =
        name.file_name().map_or("run".to_owned(), |name| name.to_string_lossy().into_owned());
    let path = run.report_html();
    let failed = |source| ReportError::Write { path: path.clone(), source };
    // Written aside, so that a full disk leaves the last report whole.
    let aside = path.with_extension("html.aside");
    std::fs::write(&aside, run_page(&name, &events, &samples)).map_err(failed)?;
    std::fs::rename(&aside, &path).map_err(failed)?;
    Ok(path)
}
