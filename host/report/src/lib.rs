//! A run's or a study's records as one page that can be mailed, and its numbers as CSV and JSON.
//!
//! Reads `omni-record` alone, never the engine, so that old runs render. The page is self-contained
//! (inline SVG and CSS, no script, no network) and the same records give the same bytes. Whatever a
//! model wrote is escaped: its output may be hostile HTML.

pub mod chart;
mod evaluation;
pub mod html;
mod output;
mod run;
pub mod study;
mod summary;
mod table;

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
    #[error("{}: neither a study's study.json nor a run's events.jsonl: is this the folder of a run or a study?", .0.display())]
    NoRun(PathBuf),
    /// A study's record could not be read.
    #[error("{}: {problem}", path.display())]
    Study {
        /// The record.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The page could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The page.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// The picture of a run folder's rewards, or of a study's orders as predicted and as measured, as
/// the text of an SVG file.
///
/// # Errors
/// When the records cannot be read, or there is nothing to draw.
pub fn picture(folder: &Path) -> Result<String, ReportError> {
    if folder.join(study::RECORD).is_file() {
        return study::picture(folder);
    }
    let events = RunFolder::new(folder).events()?;
    if events.is_empty() {
        return Err(ReportError::NoRun(folder.to_owned()));
    }
    Ok(run_picture(&events))
}

/// Writes the report of a run's or a study's folder beside its records, and says where the page is.
///
/// # Errors
/// When the records cannot be read, there are none, or something cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf, ReportError> {
    write_to(folder, folder)
}

/// The same, into a folder of its own.
///
/// # Errors
/// As for [`write`].
pub fn write_to(folder: &Path, out: &Path) -> Result<PathBuf, ReportError> {
    let document = if folder.join(study::RECORD).is_file() {
        study::document(folder)?
    } else {
        run::document(folder)?
    };
    document.write(out)
}

/// What a folder is called.
fn name_of(folder: &Path) -> Option<String> {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    Some(whole.file_name()?.to_string_lossy().into_owned())
}
