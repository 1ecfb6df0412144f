//! Files to rows, one at a time: nothing but JSON's own lists must fit into memory.

mod footer;
mod json;
mod jsonl;
mod parquet;

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::DataError;
use crate::expression::Raw;
use crate::settings::Format;

/// What is wanted of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted<'a> {
    /// What it is; by default its name says it.
    pub(crate) format: Option<Format>,
    /// The key that holds the rows of a JSON object.
    pub(crate) rows: Option<&'a str>,
    /// The columns that will be looked at; none: all of them.
    pub(crate) columns: Option<&'a BTreeSet<String>>,
}

/// Takes a row with its number, counted from 1 (the line, for JSON Lines), or why it is none.
pub(crate) type Sink<'a> = dyn FnMut(usize, Result<Raw, String>) -> Result<(), DataError> + 'a;

/// Reads every row of a file, in order.
pub(crate) fn read(path: &Path, wanted: &Wanted<'_>, sink: &mut Sink<'_>) -> Result<(), DataError> {
    let format = match wanted.format {
        Some(format) => format,
        None => by_name(path)?,
    };
    if path.is_dir() {
        return Err(DataError::file(
            path,
            "is a folder; name files in it, as in `folder/*.parquet`",
        ));
    }
    match format {
        Format::Jsonl => jsonl::read(path, sink),
        Format::Json => json::read(path, wanted.rows, sink),
        Format::Parquet => parquet::read(path, wanted.columns, sink),
    }
}

/// What a file's name says that it is.
pub(crate) fn by_name(path: &Path) -> Result<Format, DataError> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_lowercase().as_str() {
        "jsonl" | "ndjson" => Ok(Format::Jsonl),
        "json" => Ok(Format::Json),
        "parquet" => Ok(Format::Parquet),
        _ => Err(DataError::file(
            path,
            "its name does not say what it is (.jsonl, .json or .parquet); \
             say `format = \"…\"` (compressed files have to be unpacked first)",
        )),
    }
}
