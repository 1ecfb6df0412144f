//! Questions, answers, and the kinds of failure.

use std::fmt;

use omni_record::Message;

/// One question to a language model.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The conversation to continue.
    pub messages: Vec<Message>,
    /// The longest answer wanted, in tokens.
    pub max_tokens: u32,
    /// Sampling temperature; 0 takes the likeliest token.
    pub temperature: f32,
}

/// What came of a question.
pub type Answer = Result<String, Failure>;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Failure {
    /// Its kind, under which it is counted.
    pub kind: FailureKind,
    /// What happened, for people.
    pub message: String,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The kinds of failure. Each has one word, with which its messages begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The model declined, or a filter of the endpoint cut its answer.
    Refused,
    /// 429, and it stayed.
    RateLimited,
    /// A 5xx, or an error that came with a 200.
    Server,
    /// Another refusal of the endpoint: a wrong key, an unknown model, a question too long.
    Rejected,
    /// No whole reply within the time allowed.
    Timeout,
    /// No connection, or one that was cut.
    Connection,
    /// A reply without text.
    Empty,
    /// A reply larger than is read.
    TooLarge,
    /// A reply that is not what the protocol says.
    Malformed,
    /// The budget is spent.
    Budget,
    /// The model here failed to compute.
    Local,
    /// The run that is replayed never asked this.
    NotRecorded,
    /// The reply could not be recorded, and so is not used.
    NotKept,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Refused,
        Self::RateLimited,
        Self::Server,
        Self::Rejected,
        Self::Timeout,
        Self::Connection,
        Self::Empty,
        Self::TooLarge,
        Self::Malformed,
        Self::Budget,
        Self::Local,
        Self::NotRecorded,
        Self::NotKept,
    ];

    /// Its word, as records and tables have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::RateLimited => "rate-limited",
            Self::Server => "server-error",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Empty => "empty-reply",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::Budget => "budget",
            Self::Local => "local-model",
            Self::NotRecorded => "not-recorded",
            Self::NotKept => "not-kept",
        }
    }

    /// The kind of a word; a word of a newer version is [`FailureKind::Server`]'s.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).unwrap_or(Self::Server)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own_that_tables_know() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::from_word(kind.as_str()), kind);
            let why = omni_record::Undefined {
                kind: omni_record::ReasonKind::Judge,
                message: format!("the judge: {}", Failure::new(kind, "why")),
            };
            assert_eq!(why.judge_failure(), Some(kind.as_str()));
        }
    }
}
