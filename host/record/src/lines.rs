//! Files of JSON objects, one a line, that are appended to while a crash may happen at any moment.
//!
//! A line is written whole, in one piece. One that a crash tore has no newline: it is left out when
//! the file is read, and cut off before the file is appended to again.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use crate::RecordError;

/// Reads every line, a torn last one left out; a file that is not there has none.
///
/// # Errors
/// When the file cannot be read or holds a line that is no such record.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    mut each: impl FnMut(T),
) -> Result<(), RecordError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(RecordError::io("open", path)(e)),
    };
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        reader.read_until(b'\n', &mut text).map_err(RecordError::io("read", path))?;
        if text.last() != Some(&b'\n') {
            break;
        }
        each(serde_json::from_slice(&text).map_err(|e| RecordError::Line {
            path: path.to_owned(),
            line: number,
            message: e.to_string(),
        })?);
    }
    Ok(())
}

/// Appends records of one type to a file.
#[derive(Debug)]
pub struct LineWriter<T> {
    path: PathBuf,
    file: File,
    of: PhantomData<fn(&T)>,
}

impl<T: Serialize> LineWriter<T> {
    /// Opens a file for appending, made where it is not there; a torn last line is cut off.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(RecordError::io("open", path))?;
        let whole = whole_lines(&mut file).map_err(RecordError::io("read", path))?;
        file.set_len(whole).map_err(RecordError::io("cut", path))?;
        Ok(Self { path: path.to_owned(), file, of: PhantomData })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// When the disk is full or the file system refuses otherwise.
    pub fn append(&mut self, record: &T) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(record).map_err(|e| {
            RecordError::io("write to", &self.path)(std::io::Error::other(e.to_string()))
        })?;
        line.push(b'\n');
        let before = self.file.metadata().map_or(0, |metadata| metadata.len());
        self.file.write_all(&line).map_err(|error| {
            // Half a line would spoil the next one.
            let _ = self.file.set_len(before);
            RecordError::io("write to", &self.path)(error)
        })
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&mut self) -> Result<(), RecordError> {
        self.file.sync_data().map_err(RecordError::io("sync", &self.path))
    }
}

/// The length of a file up to its last newline.
fn whole_lines(file: &mut File) -> std::io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut piece = vec![0; 1 << 16];
    while end > 0 {
        let length = (piece.len() as u64).min(end) as usize;
        let start = end - length as u64;
        file.seek(SeekFrom::Start(start))?;
        std::io::Read::read_exact(file, &mut piece[..length])?;
        if let Some(at) = piece[..length].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
