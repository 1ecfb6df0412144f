//! What a run is made of, and what it comes to.

use std::sync::atomic::AtomicBool;

use omni_policy::{Policy, PolicyError, Tokenizer};
use omni_record::{EvalEvent, RunFolder};

use crate::RunConfig;
use crate::outside::{Evidence, Problems, Progress, Scheduler, Scorer};
use crate::reward::RewardSpec;

/// A task of the run, resolved: its index is that of the run file's entry.
#[derive(Clone, Debug)]
pub struct TaskSpec {
    /// The name in every record; [`crate::config::Task::label`].
    pub name: String,
    /// How its components become its reward.
    pub reward: RewardSpec,
}

/// Everything that a run is made of.
pub struct Training<'a> {
    /// The resolved configuration.
    pub config: &'a RunConfig,
    /// One for each `[[task]]`, in the same order.
    pub tasks: &'a [TaskSpec],
    /// The policy, holding θ0; a resumed run replaces its weights.
    pub policy: &'a mut dyn Policy,
    /// Makes the reference, holding θ0; called once, and only if some β is above 0.
    pub reference: &'a mut dyn FnMut() -> Result<Box<dyn Policy>, PolicyError>,
    /// The policy's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Where problems come from.
    pub problems: &'a dyn Problems,
    /// Scores groups.
    pub scorer: &'a dyn Scorer,
    /// Says what comes next.
    pub scheduler: &'a mut dyn Scheduler,
    /// What the scheduler may choose by.
    pub evidence: Option<&'a Evidence>,
    /// The audience.
    pub progress: &'a dyn Progress,
    /// Set from outside (Ctrl-C) to end the run after the step at hand, with a checkpoint that holds
    /// what is left of a phase of several.
    pub stop: &'a AtomicBool,
    /// Where records and checkpoints go.
    pub folder: &'a RunFolder,
    /// Go on from the newest checkpoint in the folder; without one, start over.
    pub resume: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps were taken.
    Finished,
    /// It was told to stop; a checkpoint holds everything to go on from.
    Interrupted,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How it ended.
    pub ending: Ending,
    /// Steps taken, those before a resume included.
    pub steps: u64,
    /// The test split before the first step, if it was evaluated.
    pub before: Option<EvalEvent>,
    /// The test split after the last step, if it was evaluated.
    pub after: Option<EvalEvent>,
    /// The step of the best checkpoint by validation, if there was a validation.
    pub best: Option<u64>,
}
