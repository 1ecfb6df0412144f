//! Fine-tuning on the policy's own correct outputs (rejection sampling), the baseline of METHOD
//! section 6.
//!
//! The base policy samples, the run's own rewards score, what is correct is kept, and the mean of
//! −log p over the kept completions' tokens is minimised. Two parts, one folder: sampling writes
//! `rejection.jsonl` and goes on where it ends; training is a run like any other, with its records,
//! checkpoints, evaluations and resumption. Deliberately absent: a loss, a sampler or a checkpoint
//! of its own.

mod keep;
mod learn;
mod sample;

use std::sync::atomic::AtomicBool;

use omni_policy::{Policy, PolicyError, Tokenizer};
use omni_record::{Event, RejectionEvent, RunFolder};

use self::learn::Course;
use crate::loss::TaskLoss;
use crate::outside::{
    Decision, Observation, OutsideError, Problems, Progress, Report, ScheduleSetup, Scheduler,
    Scorer,
};
use crate::prompts::Order;
use crate::run::Run;
use crate::start::restore_or_start;
use crate::update::Rules;
use crate::{Ending, RunConfig, Summary, TaskSpec, TrainError, Training};

/// Everything that a supervised run is made of.
pub struct Sft<'a> {
    /// The resolved configuration; `[sft]` says what is sampled and how it is learned.
    pub config: &'a RunConfig,
    /// One for each `[[task]]`, in the same order.
    pub tasks: &'a [TaskSpec],
    /// The policy, holding θ0: outputs are sampled from it as it comes. A resumed run then replaces
    /// its weights.
    pub policy: &'a mut dyn Policy,
    /// The policy's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Where problems come from.
    pub problems: &'a dyn Problems,
    /// Scores groups.
    pub scorer: &'a dyn Scorer,
    /// The audience.
    pub progress: &'a dyn Progress,
    /// Set from outside (Ctrl-C) to end after the outputs, or the step, at hand.
    pub stop: &'a AtomicBool,
    /// Where records and checkpoints go.
    pub folder: &'a RunFolder,
    /// Go on from what the folder holds; without anything in it, start over.
    pub resume: bool,
}

/// What a supervised run came to.
#[derive(Clone, Debug)]
pub struct SftSummary {
    /// Its training; no steps where it was told to stop while it sampled.
    pub training: Summary,
    /// What was sampled and kept.
    pub sampling: RejectionEvent,
    /// Prompts that were sampled.
    pub sampled: u64,
    /// Prompts that are to be sampled in all.
    pub prompts: u64,
}

/// Samples, keeps and trains, or does what of it is left.
///
/// # Errors
/// What stopped it; nothing kept is an error too. What was sampled stands, and the last checkpoint
/// that was complete.
pub fn sft(mut parts: Sft<'_>) -> Result<SftSummary, TrainError> {
    let config = parts.config;
    config.validate()?;
    config.validate_for_sft()?;
    check_sft_folder(parts.folder, parts.resume)?;
    let sampled = sample::sample(&mut parts)?;
    let (sampling, done, prompts) = (sampled.event, sampled.done, sampled.total);
    if done < prompts {
        let training = Summary {
            ending: Ending::Interrupted,
            steps: 0,
            before: None,
            after: None,
            best: None,
        };
        return Ok(SftSummary { training, sampling, sampled: done, prompts });
    }
    if sampled.examples.is_empty() {
        return Err(TrainError::NothingKept(nothing_kept(&sampling)));
    }
    for (name, task) in sampling.tasks.iter().filter(|(_, task)| task.kept == 0) {
        parts.progress.report(Report::Notice(&format!(
            "nothing of task `{name}` was kept ({} of {} outputs correct): it is not learned",
            task.correct, task.sampled
        )));
    }
    let course = Course::new(config, sampled.examples);
    let mut scheduler = Unscheduled;
    let mut reference =
        || Err(PolicyError::Input { message: "supervised training has no reference".into() });
    let mut training = Training {
        config,
        tasks: parts.tasks,
        policy: parts.policy,
        reference: &mut reference,
        tokenizer: parts.tokenizer,
        problems: parts.problems,
        scorer: parts.scorer,
        scheduler: &mut scheduler,
        evidence: None,
        progress: parts.progress,
        stop: parts.stop,
        folder: parts.folder,
        resume: parts.resume,
    };
    let orders: Vec<Order> =
        parts.tasks.iter().map(|t| Order::new(&t.name, config.seed, Some(0))).collect();
    let (mut state, mut records, saved) = restore_or_start(&mut training, &orders)?;
    let digest = course.digest();
    match saved.as_ref().map(|state| state.examples) {
        None => {
            state.examples = Some(digest);
            records.event(&Event::Rejection(sampling.clone()))?;
        }
        Some(Some(of_checkpoint)) if of_checkpoint == digest => {}
        Some(other) => return Err(other_run(parts.folder, other.is_some())),
    }
    let progress = parts.progress;
    progress.report(Report::Begin { done: state.step, steps: Some(course.steps) });
    let mut run = Run {
        rules: Rules {
            loss: &config.loss,
            tasks: config.task.iter().map(|t| TaskLoss::of(&config.loss, t)).collect(),
            temperatures: vec![1.0; config.task.len()],
            max_completion_tokens: config.rollout.max_completion_tokens as usize,
            apart: false,
        },
        parts: training,
        reference: None,
        orders,
        longest: 0,
        total: Some(course.steps),
        state,
        records,
        saved,
    };
    let ending = run.learn(&course)?;
    Ok(SftSummary { training: run.summary(ending)?, sampling, sampled: done, prompts })
}

/// Refuses a folder in which a supervised run cannot begin or go on.
///
/// # Errors
/// What it holds, and what to do.
pub fn check_sft_folder(folder: &RunFolder, resume: bool) -> Result<(), TrainError> {
    let sampled = folder.rejection_jsonl().exists();
    if folder.events_jsonl().exists() && !sampled {
        return Err(other_run(folder, false));
    }
    if sampled && !resume {
        return Err(TrainError::Resume(format!(
            "{} already holds a run: go on with it with --resume, or choose another folder with \
             --out",
            folder.root().display()
        )));
    }
    Ok(())
}

/// Refuses a folder that holds a supervised run, for runs of reinforcement.
///
/// # Errors
/// What it holds, and what to do.
pub fn check_train_folder(folder: &RunFolder) -> Result<(), TrainError> {
    if !folder.rejection_jsonl().exists() {
        return Ok(());
    }
    Err(TrainError::Resume(format!(
        "{} holds a supervised run; go on with it with `omni-host sft --resume`, or choose another \
         folder with --out",
        folder.root().display()
    )))
}

fn other_run(folder: &RunFolder, supervised: bool) -> TrainError {
    TrainError::Resume(if supervised {
        format!(
            "{}: what was kept is not what the run's checkpoint learned from; bring the file back, \
             or start a new run with another --out",
            folder.rejection_jsonl().display()
        )
    } else {
        format!(
            "{} holds a run of reinforcement; go on with it with `omni-host train --resume`, or \
             choose another folder with --out",
            folder.root().display()
        )
    })
}

/// What was sampled of each task, for the error that there is nothing to learn from.
fn nothing_kept(event: &RejectionEvent) -> String {
    let task = |(name, t): (&String, &omni_record::RejectionTask)| {
        let mut text = format!("{name} {} of {} correct", t.correct, t.sampled);
        for (count, what) in [(t.cut, "cut by the limit"), (t.undefined, "undefined")] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        if t.long_prompts > 0 {
            text.push_str(&format!(", {} prompts too long", t.long_prompts));
        }
        text
    };
    event.tasks.iter().map(task).collect::<Vec<_>>().join("; ")
}

/// A run without a scheduler.
struct Unscheduled;

impl Scheduler for Unscheduled {
    fn start(&mut self, _: &ScheduleSetup) -> Result<Vec<u8>, OutsideError> {
        Ok(Vec::new())
    }

    fn next(&mut self, _: &[u8], _: &[Observation]) -> Result<Decision, OutsideError> {
        Err("supervised training has no scheduler".into())
    }
}
