//! What a report is written as: a page, and its numbers beside it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use crate::ReportError;
use crate::table::Table;

/// The version of `report.json`.
const VERSION: u32 = 1;

/// A report before it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// `run` or `study`.
    pub(crate) kind: &'static str,
    /// What people call it.
    pub(crate) name: String,
    /// The page.
    pub(crate) page: String,
    /// What the page says in sentences.
    pub(crate) findings: Vec<String>,
    /// The page's numbers.
    pub(crate) tables: Vec<Table>,
}

impl Document {
    /// The numbers as JSON.
    pub(crate) fn json(&self) -> Json {
        let tables: Map<String, Json> =
            self.tables.iter().map(|table| (table.name.to_owned(), table.json())).collect();
        json!({
            "version": VERSION,
            "kind": self.kind,
            "name": self.name,
            "findings": self.findings,
            "tables": tables,
        })
    }

    /// Writes `tables/*.csv`, `report.json` and, last, `report.html`, and says where that is.
    pub(crate) fn write(&self, folder: &Path) -> Result<PathBuf, ReportError> {
        let tables = folder.join("tables");
        std::fs::create_dir_all(&tables)
            .map_err(|source| ReportError::Write { path: tables.clone(), source })?;
        for table in &self.tables {
            aside(&tables.join(format!("{}.csv", table.name)), table.csv().as_bytes())?;
        }
        let mut text = self.json().to_string();
        text.push('\n');
        aside(&folder.join("report.json"), text.as_bytes())?;
        let page = folder.join("report.html");
        aside(&page, self.page.as_bytes())?;
        Ok(page)
    }
}

/// Written aside, so that a full disk leaves the last report whole.
fn aside(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let failed = |source| ReportError::Write { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".aside");
    let aside = path.with_file_name(name);
    std::fs::write(&aside, bytes).map_err(failed)?;
    std::fs::rename(&aside, path).map_err(failed)
}
