//! The run folder: where everything lies, how it is appended to, and how it is cut back.
//!
//! Appending flushes each line. After a crash the last line may be torn; after a resume, lines of
//! steps that the checkpoint doesn't know are cut off, so that the record of a resumed run is as
//! if it had never died.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Event, RecordError, Sample, VERSION, tensorboard};

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// Names a folder, without touching it.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the folder and its parents.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(&self) -> Result<(), RecordError> {
        let checkpoints = self.checkpoints();
        fs::create_dir_all(&checkpoints).map_err(RecordError::io("make", &checkpoints))
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved run file.
    #[must_use]
    pub fn run_toml(&self) -> PathBuf {
        self.root.join("run.toml")
    }

    /// Digests of everything that the run used.
    #[must_use]
    pub fn lock_toml(&self) -> PathBuf {
        self.root.join("lock.toml")
    }

    /// The evidence that the scheduler chose by.
    #[must_use]
    pub fn evidence_json(&self) -> PathBuf {
        self.root.join("evidence.json")
    }

    /// The events.
    #[must_use]
    pub fn events_jsonl(&self) -> PathBuf {
        self.root.join("events.jsonl")
    }

    /// The sampled outputs.
    #[must_use]
    pub fn samples_jsonl(&self) -> PathBuf {
        self.root.join("samples.jsonl")
    }

    /// What rejection sampling drew and kept, in a supervised run.
    #[must_use]
    pub fn rejection_jsonl(&self) -> PathBuf {
        self.root.join("rejection.jsonl")
    }

    /// The judges' replies.
    #[must_use]
    pub fn replies_jsonl(&self) -> PathBuf {
        self.root.join("replies.jsonl")
    }

    /// TensorBoard's event file.
    #[must_use]
    pub fn tensorboard(&self) -> PathBuf {
        self.root.join("events.out.tfevents.0000000000.omni")
    }

    /// The report.
    #[must_use]
    pub fn report_html(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// The folder of checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The checkpoint of a step.
    #[must_use]
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("step-{step}"))
    }

    /// Steps that have a checkpoint folder, ascending. Folders still being written have another
    /// name and are not among them.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn checkpoint_steps(&self) -> Result<Vec<u64>, RecordError> {
        let folder = self.checkpoints();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(RecordError::io("list", &folder)(e)),
        };
        let mut steps = Vec::new();
        for entry in entries {
            let entry = entry.map_err(RecordError::io("list", &folder))?;
            let name = entry.file_name();
            steps.extend(
                name.to_str()
                    .and_then(|n| n.strip_prefix("step-"))
                    .and_then(|n| n.parse::<u64>().ok()),
            );
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// All events, a torn last line left out.
    ///
    /// # Errors
    /// When the file cannot be read, holds a line that is no event, or is of a newer version.
    pub fn events(&self) -> Result<Vec<Event>, RecordError> {
        let path = self.events_jsonl();
        let events: Vec<Event> = read_lines(&path)?;
        match events.first() {
            Some(Event::Start(start)) if start.version > VERSION => {
                Err(RecordError::Version { path, found: start.version, known: VERSION })
            }
            _ => Ok(events),
        }
    }

    /// All samples, a torn last line left out.
    ///
    /// # Errors
    /// When the file cannot be read or holds a line that is no sample.
    pub fn samples(&self) -> Result<Vec<Sample>, RecordError> {
        read_lines(&self.samples_jsonl())
    }

    /// Cuts the records back to where a checkpoint saw them (the default: to nothing), and opens
    /// them for appending.
    ///
    /// # Errors
    /// When a file cannot be read or written, or holds less than the checkpoint saw.
    pub fn open(&self, at: Position) -> Result<RecordWriter, RecordError> {
        self.create()?;
        let events = first(self.events_jsonl(), at.events, || self.events())?;
        let samples = first(self.samples_jsonl(), at.samples, || self.samples())?;
        rewrite(&self.events_jsonl(), &lines(&events))?;
        rewrite(&self.samples_jsonl(), &lines(&samples))?;
        // TensorBoard's file says nothing that the events don't, so it is made from them again.
        let mut board = tensorboard::header();
        for event in &events {
            board.extend_from_slice(&tensorboard::records(event));
        }
        rewrite(&self.tensorboard(), &board)?;
        Ok(RecordWriter {
            at,
            events: Appender::open(self.events_jsonl())?,
            samples: Appender::open(self.samples_jsonl())?,
            board: Appender::open(self.tensorboard())?,
        })
    }
}

/// How many records there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Lines of `events.jsonl`.
    pub events: usize,
    /// Lines of `samples.jsonl`.
    pub samples: usize,
}

/// Appends to the records of a run.
#[derive(Debug)]
pub struct RecordWriter {
    at: Position,
    events: Appender,
    samples: Appender,
    board: Appender,
}

impl RecordWriter {
    /// How many records there are.
    #[must_use]
    pub fn position(&self) -> Position {
        self.at
    }

    /// Appends an event, to TensorBoard's file too.
    ///
    /// # Errors
    /// When the disk is full or the file system refuses otherwise.
    pub fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        self.events.append(&line(event))?;
        self.at.events += 1;
        self.board.append(&tensorboard::records(event))
    }

    /// Appends a sample.
    ///
    /// # Errors
    /// When the disk is full or the file system refuses otherwise.
    pub fn sample(&mut self, sample: &Sample) -> Result<(), RecordError> {
        self.samples.append(&line(sample))?;
        self.at.samples += 1;
        Ok(())
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&mut self) -> Result<(), RecordError> {
        for file in [&self.events, &self.samples, &self.board] {
            file.file.sync_data().map_err(RecordError::io("sync", &file.path))?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Appender {
    path: PathBuf,
    file: File,
}

impl Appender {
    fn open(path: PathBuf) -> Result<Self, RecordError> {
        let file =
            OpenOptions::new().append(true).open(&path).map_err(RecordError::io("open", &path))?;
        Ok(Self { path, file })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.file.write_all(bytes).map_err(RecordError::io("write to", &self.path))
    }
}

/// The first `count` records of a file.
fn first<T>(
    path: PathBuf,
    count: usize,
    read: impl FnOnce() -> Result<Vec<T>, RecordError>,
) -> Result<Vec<T>, RecordError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut records = read()?;
    if records.len() < count {
        return Err(RecordError::Missing { path, found: records.len(), expected: count });
    }
    records.truncate(count);
    Ok(records)
}

fn line<T: Serialize>(record: &T) -> Vec<u8> {
    // Records hold maps with string or integer keys and finite numbers (others become null), so
    // they always have a JSON form.
    let mut bytes = serde_json::to_vec(record).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn lines<T: Serialize>(records: &[T]) -> Vec<u8> {
    records.iter().flat_map(line).collect()
}

/// Writes a file aside, syncs and renames it, so that a crash leaves the old or the new one.
fn rewrite(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let aside = path.with_extension("aside");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(RecordError::io("write", path))
}

fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, RecordError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(RecordError::io("open", path)(e)),
    };
    let mut reader = BufReader::new(file);
    let mut records = Vec::new();
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let read = reader.read_until(b'\n', &mut text).map_err(RecordError::io("read", path))?;
        // A line without its newline was torn by a crash.
        if read == 0 || text.last() != Some(&b'\n') {
            break;
        }
        records.push(serde_json::from_slice(&text).map_err(|e| RecordError::Line {
            path: path.to_owned(),
            line: number,
            message: e.to_string(),
        })?);
    }
    Ok(records)
}
