//! The language model that judges' questions go to, behind a trait.
//!
//! Clients with network and keys live elsewhere; a run without any has [`NoModel`].

use omni_record::Message;

/// One question that a judge asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The conversation to continue.
    pub messages: Vec<Message>,
    /// The longest answer wanted.
    pub max_tokens: u32,
    /// Sampling temperature.
    pub temperature: f32,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The model's text.
    Text(String),
    /// No answer could be had, and why.
    Failed(String),
}

/// Something that answers questions.
pub trait Model: Send + Sync {
    /// Answers each question, in order; exactly one answer for each.
    ///
    /// Called once for each round of a judge, possibly from several threads at a time. A failure
    /// is an [`Answer::Failed`] for the question it concerns.
    fn answer(&self, questions: &[Question]) -> Vec<Answer>;
}

/// There is no model: every question fails and says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModel;

impl Model for NoModel {
    fn answer(&self, questions: &[Question]) -> Vec<Answer> {
        let failed = Answer::Failed("this run has no model to ask".into());
        vec![failed; questions.len()]
    }
}
