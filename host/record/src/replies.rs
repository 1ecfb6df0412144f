//! `replies.jsonl`: what judges' questions were answered, one JSON object a line.
//!
//! The file is a cache and a record at once: a resumed run asks nothing twice, and `score
//! --replay` repeats a run's rewards from it. It is therefore never cut back with the other
//! records. A line is written whole, in one piece; one that a crash tore is left out, and cut off
//! before the file is appended to again.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::lines::{self, LineWriter};
use crate::{Message, RecordError};

/// One line of `replies.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The model, as the run file calls it.
    pub model: String,
    /// What was asked: a digest of the model's identity, its parameters and the messages.
    pub key: String,
    /// The scoring that asked: task, item and seed.
    pub asker: String,
    /// The question, for people; the key alone is looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<RecordedQuestion>,
    /// What came of it.
    pub answer: RecordedAnswer,
    /// How often it was sent.
    #[serde(default)]
    pub tries: u32,
    /// Tokens that were read, over all tries.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Tokens that were written, over all tries.
    #[serde(default)]
    pub completion_tokens: u64,
}

/// A question as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedQuestion {
    /// The conversation.
    pub messages: Vec<Message>,
    /// The longest answer wanted, in tokens.
    pub max_tokens: u32,
    /// The sampling temperature.
    pub temperature: f32,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedAnswer {
    /// The model's text.
    Text(String),
    /// None could be had.
    Failed {
        /// The kind of the failure, as in `rate-limited`.
        kind: String,
        /// What happened.
        message: String,
    },
}

/// Reads every line, a torn last one left out; a file that is not there has none.
///
/// # Errors
/// When the file cannot be read or holds a line that is no reply.
pub fn read_replies(path: &Path, each: impl FnMut(Reply)) -> Result<(), RecordError> {
    lines::read(path, each)
}

/// Appends to `replies.jsonl`.
pub type ReplyWriter = LineWriter<Reply>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn reply(key: &str, answer: RecordedAnswer) -> Reply {
        Reply {
            model: "judge".into(),
            key: key.into(),
            asker: "writing/7#3".into(),
            question: Some(RecordedQuestion {
                messages: vec![Message { role: Role::User, content: "Which?\n".into() }],
                max_tokens: 8,
                temperature: 0.4,
            }),
            answer,
            tries: 1,
            prompt_tokens: 5,
            completion_tokens: 2,
        }
    }

    fn read(path: &Path) -> Vec<Reply> {
        let mut replies = Vec::new();
        read_replies(path, |reply| replies.push(reply)).unwrap();
        replies
    }

    #[test]
    fn replies_read_back_and_a_torn_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replies.jsonl");
        assert_eq!(read(&path), []);
        let first = reply("a", RecordedAnswer::Text("[[A]]\u{1f600}".into()));
        let failed = RecordedAnswer::Failed { kind: "timeout".into(), message: "60 s".into() };
        let second = reply("b", failed);
        ReplyWriter::open(&path).unwrap().append(&first).unwrap();

        let whole = std::fs::read(&path).unwrap();
        // However long the torn part is, and wherever it was torn.
        for torn in [&b"{"[..], &whole[..whole.len() - 1], &[b'x'; 200_000][..]] {
            std::fs::write(&path, [&whole[..], torn].concat()).unwrap();
            assert_eq!(read(&path), std::slice::from_ref(&first));
            ReplyWriter::open(&path).unwrap().append(&second).unwrap();
            assert_eq!(read(&path), [first.clone(), second.clone()]);
        }
    }

    #[test]
    fn a_line_that_is_no_reply_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replies.jsonl");
        std::fs::write(&path, "{\"model\": 3}\n").unwrap();
        let error = read_replies(&path, |_| {}).unwrap_err();
        assert!(matches!(error, RecordError::Line { line: 1, .. }), "{error}");
    }
}
