//! Checkpoints: a Hugging Face folder, the optimizer's moments, and where the run stands.
//!
//! One is written aside, synced and renamed, so that whatever happens meanwhile (a kill, a full
//! disk) leaves the earlier ones whole. `state.json` is written last, so a folder with it is
//! complete. There are no random states: every random number is a function of the seed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use omni_policy::{Policy, Tokenizer};
use omni_record::{Position, RunFolder};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::advantage::median::Window;
use crate::faults::Faults;
use crate::outside::Observation;
use crate::unfinished::{self, Unfinished};

const VERSION: u32 = 1;
const STATE: &str = "state.json";
const OPTIMIZER: &str = "optimizer.safetensors";

/// Where a run stands between two rollout phases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) version: u32,
    /// Steps taken.
    pub(crate) step: u64,
    /// Whether the run was stopped within a phase, whose rest lies beside this state.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) within_phase: bool,
    /// Steps of the runs that this one continues; the learning rate's warm-up counts them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) before: u64,
    pub(crate) seed: u64,
    /// The tasks, in the order of the run file.
    pub(crate) tasks: Vec<String>,
    /// The scheduler's own state.
    pub(crate) scheduler: Bytes,
    /// What it has not been told yet.
    pub(crate) observations: Vec<Observation>,
    /// The batches of the next phase, once decided: (task, prompts). Empty when training is over.
    pub(crate) decided: Option<Vec<Vec<(usize, u32)>>>,
    /// Prompts taken of each task.
    pub(crate) taken: Vec<u64>,
    pub(crate) faults: Vec<Faults>,
    /// The latest rewards of each task, where `advantage.normalise = "median"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rewards: Vec<Window>,
    /// `schedule.max_steps`; none in checkpoints of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u64>,
    /// Where the run stood when that limit ended it, before what is done only at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Ended>,
    /// The step before the latest phase.
    pub(crate) phase_began: u64,
    /// The step of the latest validation.
    pub(crate) validated: Option<u64>,
    /// The step of the latest test.
    pub(crate) tested: Option<u64>,
    /// Step and mean validation accuracy of the best checkpoint.
    pub(crate) best: Option<(u64, f64)>,
    /// Digest of what a supervised run learns from; none in a run of reinforcement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) examples: Option<u64>,
    /// Records that belong to this state.
    pub(crate) records: Position,
}

/// What the end of a run changes in its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    observations: Vec<Observation>,
    validated: Option<u64>,
    tested: Option<u64>,
    best: Option<(u64, f64)>,
    records: Position,
}

impl State {
    /// Keeps what the end of the run is about to change; once, however often that is tried.
    pub(crate) fn keep_end(&mut self, records: Position) {
        self.ended.get_or_insert_with(|| Ended {
            observations: self.observations.clone(),
            validated: self.validated,
            tested: self.tested,
            best: self.best,
            records,
        });
    }

    /// Undoes the end, so that the run goes on as if it had had more steps from the start. The best
    /// checkpoint stays the best where the one before it is no longer there. False where the run
    /// was not at its end.
    pub(crate) fn undo_end(&mut self, exists: impl Fn(u64) -> bool) -> bool {
        let Some(ended) = self.ended.take() else { return false };
        self.observations = ended.observations;
        (self.validated, self.tested, self.records) =
            (ended.validated, ended.tested, ended.records);
        if ended.best.is_none_or(|(step, _)| exists(step)) {
            self.best = ended.best;
        }
        self.decided = None;
        true
    }

    /// Steps that the weights and moments have behind them.
    pub(crate) fn steps_in_all(&self) -> u64 {
        self.before + self.step
    }

    /// Goes on from where another run stood: what belongs to the weights is taken over, what
    /// belongs to that run's schedule and records is not.
    pub(crate) fn take_over(&mut self, earlier: Self) {
        self.before = earlier.steps_in_all();
        if earlier.rewards.is_empty() {
            return;
        }
        self.rewards = vec![Window::default(); self.tasks.len()];
        for (task, window) in earlier.tasks.iter().zip(earlier.rewards) {
            if let Some(index) = self.tasks.iter().position(|name| name == task) {
                self.rewards[index] = window;
            }
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Bytes, as hexadecimal digits in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().map(|b| format!("{b:02x}")).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits
            .map(|pair| byte(pair).ok_or_else(|| serde::de::Error::custom("not hexadecimal")))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Writes a checkpoint of `state` and returns its folder.
pub(crate) fn write(
    folder: &RunFolder,
    state: &State,
    phase: Option<&Unfinished>,
    policy: &dyn Policy,
    tokenizer: &Tokenizer,
) -> Result<PathBuf, TrainError> {
    let path = folder.checkpoint(state.step);
    let aside = aside(&path, "aside");
    let written = write_aside(&aside, state, phase, policy, tokenizer);
    if let Err(error) = written {
        // Gives back the space that a half-written checkpoint holds; the error is what matters.
        let _ = fs::remove_dir_all(&aside);
        return Err(error);
    }
    replace(&aside, &path)?;
    sync(&folder.checkpoints())?;
    Ok(path)
}

fn write_aside(
    aside: &Path,
    state: &State,
    phase: Option<&Unfinished>,
    policy: &dyn Policy,
    tokenizer: &Tokenizer,
) -> Result<(), TrainError> {
    remove(aside)?;
    fs::create_dir_all(aside).map_err(TrainError::io("make", aside))?;
    policy.save_model(aside)?;
    tokenizer.save(aside)?;
    policy.save_optimizer(&aside.join(OPTIMIZER))?;
    if let Some(phase) = phase {
        let file = aside.join(unfinished::FILE);
        let json = serde_json::to_vec(phase).unwrap_or_default();
        fs::write(&file, json).map_err(TrainError::io("write", &file))?;
        sync(&file)?;
    }
    let file = aside.join(STATE);
    // A state holds strings, numbers and lists, which always have a JSON form.
    let json =
        serde_json::to_vec_pretty(&State { version: VERSION, ..state.clone() }).unwrap_or_default();
    fs::write(&file, json).map_err(TrainError::io("write", &file))?;
    sync(&file)?;
    sync(aside)
}

/// Puts a folder in the place of another; at every moment one of the two is whole.
fn replace(aside: &Path, path: &Path) -> Result<(), TrainError> {
    let old = self::aside(path, "old");
    remove(&old)?;
    if path.exists() {
        fs::rename(path, &old).map_err(TrainError::io("rename", path))?;
    }
    fs::rename(aside, path).map_err(TrainError::io("rename", aside))?;
    remove(&old)
}

fn aside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}"))
}

fn remove(path: &Path) -> Result<(), TrainError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(TrainError::io("remove", path)(e))
        }
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<(), TrainError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(TrainError::io("sync", path))
}

/// A checkpoint's folder and what it says.
pub(crate) type Found = (PathBuf, State);

/// The newest complete checkpoint. Puts back one that a crash left half replaced; those that are
/// damaged are passed over and named in the second result.
pub(crate) fn newest(folder: &RunFolder) -> Result<(Option<Found>, Vec<String>), TrainError> {
    restore(folder)?;
    let mut passed_over = Vec::new();
    for step in folder.checkpoint_steps()?.into_iter().rev() {
        let path = folder.checkpoint(step);
        match read(&path) {
            Ok(state) => return Ok((Some((path, state)), passed_over)),
            Err(message) => passed_over
                .push(format!("{} is not complete ({message}); passing over it", path.display())),
        }
    }
    Ok((None, passed_over))
}

fn restore(folder: &RunFolder) -> Result<(), TrainError> {
    let checkpoints = folder.checkpoints();
    let Ok(entries) = fs::read_dir(&checkpoints) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(step) = name.to_str().and_then(|n| n.strip_prefix(".step-")?.strip_suffix(".old"))
        else {
            continue;
        };
        let path = checkpoints.join(format!("step-{step}"));
        if !path.exists() {
            fs::rename(entry.path(), &path).map_err(TrainError::io("rename", entry.path()))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<State, String> {
    let text = fs::read_to_string(path.join(STATE)).map_err(|e| format!("{STATE}: {e}"))?;
    let state: State = serde_json::from_str(&text).map_err(|e| format!("{STATE}: {e}"))?;
    if state.version > VERSION {
        return Err(format!(
            "{STATE} has version {}, this program reads up to {VERSION}",
            state.version
        ));
    }
    let phase = state.within_phase.then_some(unfinished::FILE);
    for file in [OPTIMIZER, "config.json", "model.safetensors"].into_iter().chain(phase) {
        if !path.join(file).is_file() {
            return Err(format!("{file} is missing"));
        }
    }
    Ok(state)
}

/// Looks whether a new run could begin from what `policy.continue_from` names, before anything of
/// that run is written.
///
/// # Errors
/// What is wrong with the folder, and which one was probably meant.
pub fn check_continued(path: &Path) -> Result<(), TrainError> {
    earlier(path).map(drop)
}

/// The state of another run's checkpoint, which a new run begins from.
///
/// # Errors
/// What is wrong with the folder, and which one was probably meant.
pub(crate) fn earlier(path: &Path) -> Result<State, TrainError> {
    let refuse = |message: String| TrainError::Continue { path: path.to_owned(), message };
    if !path.is_dir() {
        return Err(refuse("there is no such folder; name a checkpoint of another run".into()));
    }
    let run = RunFolder::new(path);
    let last = run.checkpoint_steps().unwrap_or_default().pop();
    if let Some(step) = last {
        let step = run.checkpoint(step);
        return Err(refuse(format!(
            "this is a run folder; name one of its checkpoints, the last of which is {}",
            step.display()
        )));
    }
    if !path.join(STATE).exists() {
        return Err(refuse(format!(
            "holds no {STATE}, so it is no checkpoint of a run; to begin from a model's weights \
             alone, name it as `policy.model`"
        )));
    }
    read(path).map_err(|message| refuse(format!("{message}; name a checkpoint that is complete")))
}

/// Brings a policy to where a checkpoint left it.
pub(crate) fn load(path: &Path, policy: &mut dyn Policy) -> Result<(), TrainError> {
    policy.load_weights(path)?;
    policy.load_optimizer(&path.join(OPTIMIZER))?;
    Ok(())
}

/// Removes all but the newest `keep` checkpoints and the best.
pub(crate) fn prune(folder: &RunFolder, keep: u32, best: Option<u64>) -> Result<(), TrainError> {
    let steps = folder.checkpoint_steps()?;
    let old = steps.len().saturating_sub(keep as usize);
    for step in steps.into_iter().take(old).filter(|s| Some(*s) != best) {
        remove(&folder.checkpoint(step))?;
    }
    Ok(())
}

/// Says which checkpoint is the best by validation, for those who look at the folder.
pub(crate) fn mark_best(folder: &RunFolder, step: u64, accuracy: f64) -> Result<(), TrainError> {
    let path = folder.checkpoints().join("best.json");
    let aside = path.with_extension("aside");
    let json =
        serde_json::json!({ "step": step, "accuracy": accuracy, "path": format!("step-{step}") });
    fs::write(&aside, format!("{json}\n"))
        .and_then(|()| fs::rename(&aside, &path))
        .map_err(TrainError::io("write", &path))
}

/// Refuses to go on from another run's checkpoint.
pub(crate) fn same_run(state: &State, seed: u64, tasks: &[String]) -> Result<(), TrainError> {
    if state.seed != seed {
        return Err(TrainError::Resume(format!(
            "the checkpoint is of a run with seed {}, the run file says {seed}; resume with the same seed",
            state.seed
        )));
    }
    if state.tasks != tasks {
        return Err(TrainError::Resume(format!(
            "the checkpoint is of a run with the tasks {}, the run file has {}; resume with the same tasks",
            state.tasks.join(", "),
            tasks.join(", ")
        )));
    }
    Ok(())
}
