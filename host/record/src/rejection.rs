//! `rejection.jsonl`: what rejection sampling drew for each prompt and what it kept, one JSON object
//! a line.
//!
//! A prompt has a line whether or not anything of it was kept, so the number of lines says how far
//! sampling is: a killed run goes on after the last whole one. The file is never cut back with the
//! other records.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::lines::{self, LineWriter};
use crate::{Component, Item, RecordError};

/// One line of `rejection.jsonl`: a prompt with the outputs that were kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// The task.
    pub task: String,
    /// The prompt's place in the task's order, counted from 0.
    pub position: u64,
    /// The item's id.
    pub item: String,
    /// The prompt as the policy read it; empty where it was left out for its length.
    pub prompt: String,
    /// True where it was left out for its length, so that nothing was sampled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub long_prompt: bool,
    /// The seed that its scoring was given.
    pub seed: u32,
    /// Outputs sampled.
    pub sampled: u32,
    /// Outputs whose metric is 1.
    pub correct: u32,
    /// Outputs that the length limit cut, whatever their score.
    pub cut: u32,
    /// Outputs whose metric, or another required component, is undefined.
    pub undefined: u32,
    /// Outputs that the machinery failed to score in some weighted component.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub faults: u32,
    /// Outputs that need what the sandbox lacks, which is nobody's fault.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unsupported: u32,
    /// Different texts among the outputs that are correct and ended by themselves: what was chosen
    /// from.
    pub distinct: u32,
    /// Those that were chosen, in the order of sampling.
    pub kept: Vec<KeptOutput>,
    /// The reference, if the item has one and anything was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The whole problem, with which what was kept can be scored again; none where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Box<Item>>,
}

/// An output that is trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptOutput {
    /// Which of the prompt's samples it is, counted from 0.
    pub sample: u32,
    /// What the policy wrote.
    pub text: String,
    /// Its tokens' ids, the end-of-sequence token included.
    pub tokens: Vec<u32>,
    /// Its reward, the weighted sum.
    pub reward: f64,
    /// Its components.
    pub components: Vec<Component>,
}

/// Reads every line, a torn last one left out; a file that is not there has none.
///
/// # Errors
/// When the file cannot be read or holds a line that is no such record.
pub fn read_rejections(path: &Path, each: impl FnMut(Rejection)) -> Result<(), RecordError> {
    lines::read(path, each)
}

/// Appends to `rejection.jsonl`.
pub type RejectionWriter = LineWriter<Rejection>;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}
