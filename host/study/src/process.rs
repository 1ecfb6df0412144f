//! Steps as child processes of the same program.
//!
//! A command's standard input is its step's lock file, locked: the lock is held for as long as the
//! process lives, even where the study that began it was killed. So a study that is taken up again
//! waits for a process that was left behind, and no step is ever done by two at once. Children are
//! in process groups of their own, so that Ctrl-C reaches them through the study, once.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use omni_record::RunFolder;

use crate::StudyError;
use crate::execute::{Ended, LOCK, Outcome, Runner};
use crate::step::{Place, Step, StepKind, Word};

/// Between two looks at the running commands.
const LOOK: Duration = Duration::from_millis(50);

/// Lines of a failed command's log that are shown.
const LAST_LINES: usize = 6;

/// Starts the program for each step.
pub struct Processes<'a> {
    /// The study's folder, absolute.
    pub root: PathBuf,
    /// The program.
    pub program: PathBuf,
    /// Its global options, before the command.
    pub options: Vec<String>,
    /// Threads for each command.
    pub threads: usize,
    /// Where the policy that everything begins from lies.
    pub base: PathBuf,
    /// How often the user asked to stop.
    pub stops: &'a AtomicU32,
    /// Looks at a step whose command went well; what it says is why the step failed after all.
    pub check: &'a dyn Fn(&Step, &Path) -> Option<String>,
    /// Says that a step waits for a process that a killed study left behind.
    pub waits: &'a dyn Fn(&Step),
}

/// A command under way, or one that waits for its lock.
pub struct Job {
    step: Step,
    lock: Option<File>,
    child: Option<(Child, Instant)>,
    interrupted: bool,
}

impl Runner for Processes<'_> {
    type Job = Job;

    fn start(&mut self, step: &Step) -> Result<Job, StudyError> {
        let path = self.root.join(&step.id).join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(StudyError::io("open", &path))?;
        let mut job = Job { step: step.clone(), lock: Some(lock), child: None, interrupted: false };
        if !self.spawn_if_free(&mut job)? {
            (self.waits)(step);
        }
        Ok(job)
    }

    fn poll(&mut self, job: &mut Job) -> Result<Option<Ended>, StudyError> {
        if job.child.is_none() {
            if job.interrupted {
                let outcome = Outcome::Interrupted;
                return Ok(Some(Ended { outcome, seconds: 0.0, processor_seconds: None }));
            }
            self.spawn_if_free(job)?;
            return Ok(None);
        }
        let Some((child, began)) = &mut job.child else { return Ok(None) };
        // Children are reaped here alone, so what is added meanwhile is this one's.
        let before = children_seconds();
        let folder = self.root.join(&job.step.id);
        let Some(status) = child.try_wait().map_err(StudyError::io("wait for", &folder))? else {
            return Ok(None);
        };
        let processor_seconds = before.zip(children_seconds()).map(|(before, now)| now - before);
        let seconds = began.elapsed().as_secs_f64();
        let log = Log::of(&folder, &job.step.id);
        let outcome = match status.code() {
            // `train` ends well when it is interrupted.
            Some(0) if log.says_interrupted() => Outcome::Interrupted,
            Some(0) => match (self.check)(&job.step, &folder) {
                None => Outcome::Done,
                Some(why) => Outcome::Failed(why),
            },
            _ if job.interrupted => Outcome::Interrupted,
            code => Outcome::Failed(log.failure(code)),
        };
        Ok(Some(Ended { outcome, seconds, processor_seconds }))
    }

    fn interrupt(&mut self, job: &mut Job) {
        job.interrupted = true;
        if let Some((child, _)) = &job.child
            && let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32)
        {
            // It may have ended meanwhile; it is not reaped, so the number is still its own.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
    }

    fn wait(&mut self) {
        std::thread::sleep(LOOK);
    }

    fn stops(&self) -> u32 {
        self.stops.load(Ordering::SeqCst)
    }

    fn threads(&self) -> usize {
        self.threads
    }
}

impl Processes<'_> {
    /// False where another process still holds the step's lock.
    fn spawn_if_free(&self, job: &mut Job) -> Result<bool, StudyError> {
        let folder = self.root.join(&job.step.id);
        let Some(lock) = &job.lock else { return Ok(true) };
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(false),
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(StudyError::io("lock", &folder)(error));
            }
        }
        let resume = self.prepare(&job.step, &folder)?;
        let mut command = Command::new(&self.program);
        command
            .arg0("omni-host")
            .args(&self.options)
            .arg("--threads")
            .arg(self.threads.to_string());
        for word in &job.step.command {
            command.arg(self.word(word)?);
        }
        if resume {
            command.arg("--resume");
        }
        let log_path = folder.join("log.txt");
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(StudyError::io("open", &log_path))?;
        let words: Vec<String> = job.step.command.iter().map(Word::symbolic).collect();
        let again = if resume { " --resume" } else { "" };
        writeln!(log, "{MARK}{}{again}", words.join(" "))
            .map_err(StudyError::io("write", &log_path))?;
        let errors = log.try_clone().map_err(StudyError::io("open", &log_path))?;
        let held = lock.try_clone().map_err(StudyError::io("lock", &folder))?;
        command
            .stdin(Stdio::from(held))
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            .process_group(0);
        let child = command.spawn().map_err(StudyError::io("start", &self.program))?;
        job.child = Some((child, Instant::now()));
        // The child's copy is the one that counts from here on.
        job.lock = None;
        Ok(true)
    }

    /// Clears away what an earlier attempt left, but for what can be gone on with; true where there
    /// is something of that.
    fn prepare(&self, step: &Step, folder: &Path) -> Result<bool, StudyError> {
        let goes_on = matches!(step.kind, StepKind::Train | StepKind::Sft);
        if goes_on && RunFolder::new(folder).run_toml().exists() {
            return Ok(true);
        }
        let entries = std::fs::read_dir(folder).map_err(StudyError::io("list", folder))?;
        for entry in entries {
            let path = entry.map_err(StudyError::io("list", folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if [LOCK, "log.txt", "attempts.json"].contains(&name.as_str()) {
                continue;
            }
            let removed = match path.is_dir() && !path.is_symlink() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.map_err(StudyError::io("remove", &path))?;
        }
        Ok(false)
    }

    fn word(&self, word: &Word) -> Result<String, StudyError> {
        match word {
            Word::Plain(word) => Ok(word.clone()),
            Word::Path { before, place } => {
                let path = match place {
                    Place::Folder(path) => self.root.join(path),
                    Place::Base => self.base.clone(),
                    Place::Last(step) => last_checkpoint(&self.root.join(step))?,
                    Place::Best(step) => best_checkpoint(&self.root.join(step))?,
                };
                Ok(format!("{before}{}", path.display()))
            }
        }
    }
}

/// The last checkpoint of a run.
///
/// # Errors
/// When there is none, or the folder cannot be listed.
pub fn last_checkpoint(run: &Path) -> Result<PathBuf, StudyError> {
    let folder = RunFolder::new(run);
    let steps = folder.checkpoint_steps()?;
    let last = steps.last().ok_or_else(|| StudyError::NoCheckpoint { path: run.to_owned() })?;
    Ok(folder.checkpoint(*last))
}

/// The best checkpoint of a run by validation, else its last.
pub(crate) fn best_checkpoint(run: &Path) -> Result<PathBuf, StudyError> {
    #[derive(serde::Deserialize)]
    struct Best {
        step: u64,
    }
    let folder = RunFolder::new(run);
    match crate::finished::read::<Best>(&folder.checkpoints().join("best.json"))? {
        Some(best) => Ok(folder.checkpoint(best.step)),
        None => last_checkpoint(run),
    }
}

/// What begins an attempt's part of a log.
const MARK: &str = "$ omni-host ";

/// The last attempt's part of a step's log.
struct Log {
    /// Relative to the study's folder, as records hold paths.
    name: String,
    text: String,
}

impl Log {
    fn of(folder: &Path, step: &str) -> Self {
        /// More of a log is not looked at.
        const TAIL: u64 = 64 * 1024;
        let path = folder.join("log.txt");
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let from = text.rfind(MARK).unwrap_or(0);
        Self { text: text[from..].to_owned(), name: format!("{step}/log.txt") }
    }

    fn says_interrupted(&self) -> bool {
        self.text.lines().any(|line| line.starts_with("interrupted after "))
    }

    fn failure(&self, code: Option<i32>) -> String {
        let how = match code {
            Some(code) => format!("ended with {code}"),
            None => "was killed".to_owned(),
        };
        let lines: Vec<&str> =
            self.text.lines().skip(1).filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        let mut message = format!("{how}; its log is {}", self.name);
        for line in last {
            message.push_str("\n  ");
            message.push_str(line);
        }
        message
    }
}

/// Processor seconds of children that were waited for; none where the system does not say.
fn children_seconds() -> Option<f64> {
    /// Linux counts in hundredths of a second here, whatever its clock.
    const TICKS: f64 = 100.0;
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold anything; fields after it are counted from the third.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some((field(16)? + field(17)?) / TICKS)
}
