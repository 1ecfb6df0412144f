//! Where scores go.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::fault::{Blame as _, Outcome};

/// Where scores go: a file, or standard output. A file is written aside and renamed when complete.
pub(super) enum Output {
    Standard(BufWriter<std::io::Stdout>),
    File { writer: BufWriter<File>, aside: std::path::PathBuf, path: std::path::PathBuf },
}

impl Output {
    /// Opens it.
    pub(super) fn open(path: Option<&Path>) -> Outcome<Self> {
        let Some(path) = path else {
            return Ok(Self::Standard(BufWriter::new(std::io::stdout())));
        };
        // A device or a pipe, as /dev/stdout, takes lines as they come.
        if path.exists() && !path.is_file() {
            let file =
                File::create(path).or_input_at(format!("cannot write {}", path.display()))?;
            let writer = BufWriter::new(file);
            return Ok(Self::File { writer, aside: path.to_owned(), path: path.to_owned() });
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(".partial");
        let aside = std::path::PathBuf::from(aside);
        let file = File::create(&aside).or_input_at(format!("cannot write {}", aside.display()))?;
        Ok(Self::File { writer: BufWriter::new(file), aside, path: path.to_owned() })
    }

    /// Writes a line.
    pub(super) fn write(&mut self, value: &serde_json::Value) -> Outcome<()> {
        match self {
            Self::Standard(writer) => match writeln!(writer, "{value}") {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    // Whoever read the scores has seen enough.
                    std::process::exit(0)
                }
                other => other.or_run_at("cannot write to standard output"),
            },
            Self::File { writer, aside, .. } => {
                writeln!(writer, "{value}").or_run_at(format!("cannot write {}", aside.display()))
            }
        }
    }

    /// Makes it complete.
    pub(super) fn finish(self) -> Outcome<()> {
        match self {
            Self::Standard(mut writer) => match writer.flush() {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                other => other.or_run_at("cannot write to standard output"),
            },
            Self::File { mut writer, aside, path } => {
                writer.flush().or_run_at(format!("cannot write {}", aside.display()))?;
                drop(writer);
                if aside == path {
                    return Ok(());
                }
                std::fs::rename(&aside, &path).or_run_at(format!("cannot write {}", path.display()))
            }
        }
    }
}
