//! A rollout phase that was stopped between two of its updates, as a checkpoint keeps it.
//!
//! The later batches of a phase are learned from outputs that an earlier policy wrote, which is no
//! longer there. So the outputs, their scores and their log-probabilities under that policy are kept
//! with the checkpoint; everything else of the phase is made from them again, and the run ends with
//! the same bytes as one that was never stopped.

use std::path::Path;

use omni_policy::{Generated, KeptSet, Tokenizer};
use omni_record::GroupScore;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::advantage::median::Window;
use crate::checkpoint::State;
use crate::faults::Faults;
use crate::rollout::{Rolled, rollouts};
use crate::update::PerToken;

/// Its file in a checkpoint's folder.
pub(crate) const FILE: &str = "phase.json";

/// A phase of which some updates are still to be made.
#[derive(Serialize, Deserialize)]
pub(crate) struct Unfinished {
    /// Its batches: (task, prompts).
    pub(crate) batches: Vec<Vec<(usize, u32)>>,
    /// Batches whose updates were made.
    pub(crate) done: usize,
    before: Before,
    outputs: Vec<Written>,
    /// By batch, lesson, output and token; none for the batch that the phase's policy learned from.
    old: Vec<Option<Vec<Vec<Vec<f32>>>>>,
}

/// What the phase changed in the run's state when it began.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Before {
    taken: Vec<u64>,
    faults: Vec<Faults>,
    rewards: Vec<Window>,
}

/// What was written for one prompt.
#[derive(Serialize, Deserialize)]
struct Written {
    tokens: Vec<Vec<u32>>,
    stopped: Vec<bool>,
    /// The tokens that each was drawn among, where that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Vec<Vec<Box<[u32]>>>>,
    score: GroupScore,
}

impl Before {
    pub(crate) fn of(state: &State) -> Self {
        Self {
            taken: state.taken.clone(),
            faults: state.faults.clone(),
            rewards: state.rewards.clone(),
        }
    }
}

impl Unfinished {
    pub(crate) fn new(
        batches: Vec<Vec<(usize, u32)>>,
        done: usize,
        before: Before,
        rolled: &[Rolled],
        old: &[Option<PerToken>],
    ) -> Self {
        // Log-probabilities came from the model as f32, so nothing is lost.
        let narrow = |lessons: &PerToken| -> Vec<Vec<Vec<f32>>> {
            let row = |row: &Vec<f64>| row.iter().map(|x| *x as f32).collect();
            lessons.iter().map(|outputs| outputs.iter().map(row).collect()).collect()
        };
        Self {
            batches,
            done,
            before,
            outputs: rolled.iter().map(Written::of).collect(),
            old: old.iter().map(|old| old.as_ref().map(narrow)).collect(),
        }
    }

    /// Reads what a checkpoint kept.
    pub(crate) fn read(checkpoint: &Path) -> Result<Self, TrainError> {
        let path = checkpoint.join(FILE);
        let bytes = std::fs::read(&path).map_err(TrainError::io("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|e| TrainError::Checkpoint {
            path,
            message: format!(
                "{e}; with this checkpoint's folder out of the way, the run goes on from the one \
                 before it"
            ),
        })
    }

    /// Puts the state back to where the phase began, but for the steps that were taken.
    pub(crate) fn begin_again(&self, state: &mut State) -> Before {
        state.taken.clone_from(&self.before.taken);
        state.faults.clone_from(&self.before.faults);
        state.rewards.clone_from(&self.before.rewards);
        self.before.clone()
    }

    /// The outputs, and their log-probabilities under the policy that wrote them.
    pub(crate) fn outputs(
        self,
        tokenizer: &Tokenizer,
    ) -> Result<(Vec<Rolled>, Vec<Option<PerToken>>), TrainError> {
        let widen = |lessons: Vec<Vec<Vec<f32>>>| -> PerToken {
            let row = |row: Vec<f32>| row.into_iter().map(f64::from).collect();
            lessons.into_iter().map(|outputs| outputs.into_iter().map(row).collect()).collect()
        };
        let rolled =
            self.outputs.into_iter().map(|w| w.rolled(tokenizer)).collect::<Result<_, _>>()?;
        Ok((rolled, self.old.into_iter().map(|old| old.map(widen)).collect()))
    }
}

impl Written {
    fn of(rolled: &Rolled) -> Self {
        let sets = |g: &Generated| -> Option<Vec<Box<[u32]>>> {
            Some(g.kept.as_ref()?.iter().map(|set| set.ids.clone()).collect())
        };
        Self {
            tokens: rolled.generated.iter().map(|g| g.tokens.clone()).collect(),
            stopped: rolled.generated.iter().map(|g| g.stopped).collect(),
            kept: rolled.generated.iter().map(sets).collect(),
            score: rolled.score.clone(),
        }
    }

    fn rolled(self, tokenizer: &Tokenizer) -> Result<Rolled, TrainError> {
        let mut kept = self.kept.map(Vec::into_iter);
        let generated: Vec<Generated> = self
            .tokens
            .into_iter()
            .zip(self.stopped)
            .map(|(tokens, stopped)| {
                let sets = kept.as_mut().and_then(Iterator::next);
                let kept = sets.map(|sets| sets.into_iter().map(|ids| KeptSet { ids }).collect());
                Generated { tokens, stopped, kept }
            })
            .collect();
        let rollouts = rollouts(tokenizer, &generated)?;
        Ok(Rolled { generated, rollouts, score: self.score, more: Vec::new() })
    }
}
