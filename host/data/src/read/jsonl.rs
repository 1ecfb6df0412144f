//! JSON Lines. A line that is no JSON object is a row that does not fit, so that one damaged line
//! is counted like any other misfit.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use serde_json::Value;

use super::Sink;
use crate::error::DataError;

/// The longest line, in bytes: a file without line ends must not fill the memory.
const MAX_LINE: u64 = 256 << 20;

pub(super) fn read(path: &Path, sink: &mut Sink<'_>) -> Result<(), DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line);
        if read.map_err(DataError::io(path))? == 0 {
            break;
        }
        if line.len() as u64 > MAX_LINE {
            return Err(DataError::file(
                path,
                format!("line {number} is longer than {} MiB; is this JSON Lines?", MAX_LINE >> 20),
            ));
        }
        // A byte order mark, as some editors write it.
        let bare =
            if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
        if bare.trim_ascii().is_empty() {
            continue;
        }
        let row = match serde_json::from_slice(bare) {
            Ok(Value::Object(row)) => Ok(row),
            Ok(_) => Err("a row is a JSON object".to_owned()),
            Err(error) => Err(match std::str::from_utf8(bare) {
                Ok(_) => format!("not JSON: {error}"),
                Err(error) => format!("not UTF-8: {error}"),
            }),
        };
        sink(number, row)?;
    }
    Ok(())
}
