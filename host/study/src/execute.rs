//! Runs a study's steps: what can run runs, and the graph grows with what is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::StudyError;
use crate::finished::{self, Finished};
use crate::graph::Graph;
use crate::step::Step;
use crate::survey::{find_finished, wanted};

/// Begins commands and says when they end.
pub trait Runner {
    /// A command under way.
    type Job;

    /// Begins a step's command, or goes on with it where an earlier attempt left something.
    ///
    /// # Errors
    /// When it cannot be begun at all; the step has then failed.
    fn start(&mut self, step: &Step) -> Result<Self::Job, StudyError>;

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When that cannot be told; the step has then failed.
    fn poll(&mut self, job: &mut Self::Job) -> Result<Option<Ended>, StudyError>;

    /// Asks a command to stop where it can go on later.
    fn interrupt(&mut self, job: &mut Self::Job);

    /// Waits until something may have changed.
    fn wait(&mut self);

    /// How often the user has asked to stop.
    fn stops(&self) -> u32;

    /// Threads that each command is given.
    fn threads(&self) -> usize;
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Whether it did all it should.
    pub outcome: Outcome,
    /// Seconds that passed.
    pub seconds: f64,
    /// Processor seconds, where the system says.
    pub processor_seconds: Option<f64>,
}

/// Whether a command did all it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did.
    Done,
    /// It stopped where it can go on.
    Interrupted,
    /// It failed: what it said.
    Failed(String),
}

/// What happens while a study runs.
#[derive(Debug)]
pub enum Happened<'a> {
    /// The graph is known anew, with what is finished.
    Grown {
        /// The graph.
        graph: &'a Graph,
        /// Finished steps.
        done: &'a BTreeMap<String, Finished>,
    },
    /// A step begins.
    Began(&'a Step),
    /// A step is finished.
    Done {
        /// The step.
        step: &'a Step,
        /// Its record.
        record: &'a Finished,
    },
    /// A step failed.
    Failed {
        /// The step.
        step: &'a Step,
        /// What it said.
        message: &'a str,
    },
    /// A step stopped where it can go on.
    Interrupted(&'a Step),
}

/// How a study stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Finished steps.
    pub done: BTreeMap<String, Finished>,
    /// Failed ones, with what they said.
    pub failed: BTreeMap<String, String>,
    /// The graph as far as it is known.
    pub graph: Graph,
    /// True where the user stopped it.
    pub interrupted: bool,
}

/// What the executor asks of a study.
pub trait Growing {
    /// The graph, given what is finished. Called again whenever that has changed.
    ///
    /// # Errors
    /// Evidence that cannot be made from finished steps.
    fn graph(&mut self, standing: &Standing) -> Result<Graph, StudyError>;

    /// Brings the study's record up to date. Called at first, and whenever a step has ended.
    ///
    /// # Errors
    /// Evaluations that cannot be compared, or a file system that refuses.
    fn record(&mut self, standing: &Standing) -> Result<(), StudyError>;

    /// Digests of files that steps read: `run.toml`, and `evidence.json` where there is one.
    fn inputs(&self) -> BTreeMap<String, String>;
}

/// The file in a step's folder that its command holds a lock of.
pub(crate) const LOCK: &str = ".busy";

/// How often a step was begun and how long that took, before it was finished.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Attempts {
    count: u32,
    started: f64,
    seconds: f64,
    processor_seconds: Option<f64>,
}

/// Runs what is not finished, up to `jobs` steps at a time, until nothing is left that could run.
///
/// A step that fails stops those that wait for it; the others go on. When the user asks to stop,
/// nothing new begins, and each running command is asked once for each time.
///
/// # Errors
/// When the study itself fails: its records cannot be written, or the evidence cannot be made. Steps
/// that fail are in [`Standing::failed`].
pub fn execute<R: Runner>(
    root: &Path,
    jobs: usize,
    runner: &mut R,
    study: &mut dyn Growing,
    mut standing: Standing,
    watch: &mut dyn FnMut(Happened<'_>),
) -> Result<Standing, StudyError> {
    study.record(&standing)?;
    watch(Happened::Grown { graph: &standing.graph, done: &standing.done });
    let mut running: Vec<Running<R::Job>> = Vec::new();
    let mut stops = 0;
    // An error of the study itself waits until no command is left behind.
    let mut broken: Option<StudyError> = None;
    loop {
        while stops < runner.stops() {
            stops += 1;
            standing.interrupted = true;
            for one in &mut running {
                runner.interrupt(&mut one.job);
            }
        }
        let mut changed = false;
        let mut at = 0;
        while at < running.len() {
            let ended = match runner.poll(&mut running[at].job) {
                Ok(None) => {
                    at += 1;
                    continue;
                }
                Ok(Some(ended)) => ended,
                Err(error) => Ended {
                    outcome: Outcome::Failed(error.to_string()),
                    seconds: 0.0,
                    processor_seconds: None,
                },
            };
            let one = running.remove(at);
            changed = true;
            if let Err(error) = settle(root, one, ended, &mut standing, watch) {
                broken.get_or_insert(error);
            }
        }
        if changed && broken.is_none() {
            match study.graph(&standing) {
                Ok(graph) if graph != standing.graph => {
                    standing.graph = graph;
                    if let Err(error) = find_finished(root, study, &mut standing) {
                        broken = Some(error);
                    }
                    watch(Happened::Grown { graph: &standing.graph, done: &standing.done });
                }
                Ok(_) => {}
                Err(error) => broken = Some(error),
            }
            if broken.is_none() {
                broken = study.record(&standing).err();
            }
        }
        if broken.is_none() && !standing.interrupted {
            start_ready(root, jobs, runner, study, &mut standing, &mut running, watch);
        }
        if running.is_empty() {
            return broken.map_or(Ok(standing), Err);
        }
        runner.wait();
    }
}

/// A command under way.
struct Running<J> {
    step: Step,
    job: J,
    record: Finished,
    attempts: Attempts,
}

fn start_ready<R: Runner>(
    root: &Path,
    jobs: usize,
    runner: &mut R,
    study: &dyn Growing,
    standing: &mut Standing,
    running: &mut Vec<Running<R::Job>>,
    watch: &mut dyn FnMut(Happened<'_>),
) {
    for step in standing.graph.steps.clone() {
        if running.len() >= jobs.max(1) {
            return;
        }
        let known = standing.done.contains_key(&step.id) || standing.failed.contains_key(&step.id);
        let ready = step.after.iter().all(|id| standing.done.contains_key(id));
        if known || !ready || running.iter().any(|one| one.step.id == step.id) {
            continue;
        }
        let Some(mut record) = wanted(&step, study, &standing.done) else { continue };
        record.threads = runner.threads();
        let begun = begin(root, &step, runner);
        match begun {
            Ok((job, attempts)) => {
                watch(Happened::Began(&step));
                running.push(Running { step, job, record, attempts });
            }
            Err(error) => {
                let message = error.to_string();
                watch(Happened::Failed { step: &step, message: &message });
                standing.failed.insert(step.id.clone(), message);
            }
        }
    }
}

fn begin<R: Runner>(
    root: &Path,
    step: &Step,
    runner: &mut R,
) -> Result<(R::Job, Attempts), StudyError> {
    let folder = root.join(&step.id);
    std::fs::create_dir_all(&folder).map_err(StudyError::io("make", &folder))?;
    let mut attempts: Attempts = finished::read(&attempts_file(&folder))?.unwrap_or_default();
    if attempts.count == 0 {
        attempts.started = now();
    }
    attempts.count += 1;
    finished::write_json(&attempts_file(&folder), &attempts)?;
    Ok((runner.start(step)?, attempts))
}

fn settle<J>(
    root: &Path,
    one: Running<J>,
    ended: Ended,
    standing: &mut Standing,
    watch: &mut dyn FnMut(Happened<'_>),
) -> Result<(), StudyError> {
    let Running { step, mut record, mut attempts, .. } = one;
    let folder = root.join(&step.id);
    attempts.seconds += ended.seconds;
    if let Some(seconds) = ended.processor_seconds {
        *attempts.processor_seconds.get_or_insert(0.0) += seconds;
    }
    match ended.outcome {
        Outcome::Done => {
            record.output = finished::output(&step, &folder)?;
            record.started = attempts.started;
            record.ended = now();
            record.seconds = attempts.seconds;
            record.processor_seconds = attempts.processor_seconds;
            record.attempts = attempts.count;
            record.write(&folder)?;
            // Its numbers are in the record now.
            let _ = std::fs::remove_file(attempts_file(&folder));
            watch(Happened::Done { step: &step, record: &record });
            standing.done.insert(step.id, record);
        }
        Outcome::Interrupted => {
            finished::write_json(&attempts_file(&folder), &attempts)?;
            watch(Happened::Interrupted(&step));
            // Somebody stopped this command alone: it is not begun again within this session.
            if !standing.interrupted {
                standing.failed.insert(step.id, "it was interrupted".into());
            }
        }
        Outcome::Failed(message) => {
            finished::write_json(&attempts_file(&folder), &attempts)?;
            watch(Happened::Failed { step: &step, message: &message });
            standing.failed.insert(step.id, message);
        }
    }
    Ok(())
}

fn attempts_file(folder: &Path) -> PathBuf {
    folder.join("attempts.json")
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
