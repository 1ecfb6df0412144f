//! A comparison as it is shown to a model: quoted, and without anybody's thinking.

use omni_sdk::judge::{Comparison, Message, Role};
use omni_sdk::text::{answer, without_thinking};

use crate::quote::Quotes;

/// What a conversation shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The last message of the user.
    pub question: String,
    /// Every message in turn.
    pub conversation: String,
    /// The rubric; none is said to be none.
    pub rubric: String,
}

impl Shown {
    /// Quotes a comparison's conversation and rubric.
    pub fn new(comparison: &Comparison, quotes: &Quotes) -> Self {
        let conversation = &comparison.conversation;
        let last = conversation.iter().rev().find(|message| message.role == Role::User);
        let question = last.map_or("", |message| message.content.as_str());
        let turns: Vec<String> =
            conversation.iter().map(|it| quotes.quote(from(it), &said(it))).collect();
        let rubric = rubric(comparison).map(|rubric| quotes.quote("rubric", rubric));
        Self {
            question: quotes.quote("request", question),
            conversation: turns.join("\n\n"),
            rubric: rubric.unwrap_or_else(|| "There is none.".to_owned()),
        }
    }
}

/// A comparison's rubric, unless it is blank.
pub fn rubric(comparison: &Comparison) -> Option<&str> {
    comparison.rubric.as_deref().map(str::trim).filter(|rubric| !rubric.is_empty())
}

/// Whether the request lies in one message of the user, so that nothing else need be shown.
pub fn is_single(comparison: &Comparison) -> bool {
    matches!(comparison.conversation.as_slice(), [only] if only.role == Role::User)
}

fn from(message: &Message) -> &'static str {
    match message.role {
        Role::System => "setting",
        Role::User => "message of the user",
        Role::Assistant => "earlier answer",
    }
}

/// A message without thinking, which an earlier answer of the policy may hold.
fn said(message: &Message) -> String {
    if message.role != Role::Assistant {
        return message.content.clone();
    }
    answer(&message.content).map_or_else(|| without_thinking(&message.content), str::to_owned)
}
