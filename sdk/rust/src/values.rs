//! Values that more than one kind of plugin speaks of.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The instructions.
    System,
    /// The one who asks.
    User,
    /// The one who answers.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who wrote it.
    pub role: Role,
    /// What it says.
    pub content: String,
}

impl Message {
    /// A user's message.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// A system message.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: Role::System, content: content.into() }
    }

    /// An assistant's message.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }
}

/// One problem of a task.
///
/// `messages` is all that the policy sees; `reference` and `data` are for the
/// reward alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Names the item within its task.
    pub id: String,
    /// What the policy is asked.
    pub messages: Vec<Message>,
    /// The answer, where there is one.
    pub reference: Option<String>,
    /// A JSON object with whatever else the reward needs.
    pub data: String,
}

impl Item {
    /// An item with one user message, no reference and no data.
    pub fn new(id: impl Into<String>, prompt: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            messages: vec![Message::user(prompt)],
            reference: None,
            data: "{}".to_owned(),
        }
    }

    /// The same item with this reference.
    #[must_use]
    pub fn with_reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// The same item with these data.
    ///
    /// # Errors
    /// When `data` has no form in JSON, such as a map whose keys are no strings.
    pub fn with_data(mut self, data: &impl serde::Serialize) -> Result<Self> {
        self.data = serde_json::to_string(data)?;
        Ok(self)
    }

    /// The reference, which this reward cannot do without.
    ///
    /// # Errors
    /// `invalid-input`, naming the item, when there is none.
    #[track_caller]
    pub fn reference(&self) -> Result<&str> {
        match &self.reference {
            Some(reference) => Ok(reference),
            None => Err(Error::invalid_input(format!("item `{}` has no `reference`", self.id))),
        }
    }

    /// The data, read as `T`.
    ///
    /// # Errors
    /// `invalid-input`, naming the item and the key, when they do not fit.
    #[track_caller]
    pub fn data<T: DeserializeOwned>(&self) -> Result<T> {
        let text = if self.data.trim().is_empty() { "{}" } else { &self.data };
        match serde_json::from_str(text) {
            Ok(data) => Ok(data),
            Err(error) => Err(Error::invalid_input(format!("item `{}`: `data`: {error}", self.id))),
        }
    }
}

/// Why the policy stopped writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    Stop,
    /// It was cut.
    Length,
}

/// What the policy wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The text, without special tokens.
    pub text: String,
    /// Its length in tokens.
    pub tokens: u32,
    /// Why it ended.
    pub finish: Finish,
}

impl Rollout {
    /// A finished rollout, as tests write it.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), tokens: 0, finish: Finish::Stop }
    }
}
