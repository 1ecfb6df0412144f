//! A study's page: findings, the accuracy of every method, orders as predicted and as measured,
//! both matrices, training, cost, outputs.

use std::path::{Path, PathBuf};

use omni_record::{STUDY_VERSION, Study};

use crate::ReportError;
use crate::html::{escape, page};
use crate::output::Document;

/// The record that a study's report is made from.
pub const RECORD: &str = "study.json";

/// Writes the report of a study's folder beside its record, and says where the page is.
///
/// # Errors
/// When the record cannot be read, is of a newer version, or something cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf, ReportError> {
    document(folder)?.write(folder)
}

/// The report of a study's folder.
pub(crate) fn document(folder: &Path) -> Result<Document, ReportError> {
    let study = read(&folder.join(RECORD))?;
    let body = format!("<h1>{}</h1>", escape(&study.name));
    Ok(Document {
        kind: "study",
        page: page(&format!("{} – omni-host", study.name), &body),
        name: study.name.clone(),
        findings: Vec::new(),
        tables: Vec::new(),
    })
}

/// The record.
fn read(path: &Path) -> Result<Study, ReportError> {
    let failed = |problem: String| ReportError::Study { path: path.to_owned(), problem };
    let text = std::fs::read(path).map_err(|e| failed(format!("cannot be read: {e}")))?;
    let version = serde_json::from_slice::<Version>(&text)
        .map_err(|e| failed(format!("not a study's record: {e}")))?
        .version;
    if version > STUDY_VERSION {
        return Err(failed(format!(
            "a record of version {version}, but this program reads up to {STUDY_VERSION}; use a \
             newer omni-host"
        )));
    }
    serde_json::from_slice(&text).map_err(|e| failed(format!("not a study's record: {e}")))
}

/// What a record says of itself first.
#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}
