//! Judges: comparisons to questions for a model, its answers to verdicts.

use serde::de::DeserializeOwned;

pub use crate::error::{Error, Result};
pub use crate::judgements::{Comparison, Preference, Verdict};
pub use crate::values::{Message, Role};

/// A question for a language model.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The answer's greatest length.
    pub max_tokens: u32,
    /// The temperature to answer at.
    pub temperature: f32,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The model's answer.
    Text(String),
    /// None could be had.
    Failed(String),
}

/// What a call to [`Judge::decide`] comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Ask these, then call again with all answers so far, in this order.
    Ask(Vec<Question>),
    /// One verdict for each comparison, in the order given.
    Done(Vec<Verdict>),
}

/// A judge. The type is its own configuration, see `omni_sdk::reward::Reward`.
pub trait Judge: DeserializeOwned {
    /// Compares one pair with no model. Write this one for a judge by rules;
    /// write [`decide`](Self::decide) for one that asks.
    ///
    /// # Errors
    /// When the comparison cannot be judged at all.
    fn compare(&self, comparison: &Comparison) -> Result<Verdict> {
        let _ = comparison;
        Err(Error::unsupported("this judge writes neither `compare` nor `decide`"))
    }

    /// Decides, or asks a model first.
    ///
    /// # Errors
    /// When nothing can be judged at all; a comparison that alone cannot is
    /// rather [`Verdict::Undecided`].
    fn decide(&self, comparisons: &[Comparison], answers: &[Answer], seed: u32) -> Result<Turn> {
        let _ = (answers, seed);
        let verdicts = comparisons.iter().map(|comparison| self.compare(comparison));
        Ok(Turn::Done(verdicts.collect::<Result<_>>()?))
    }
}
