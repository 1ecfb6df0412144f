//! A pairwise judgement.

use crate::values::Message;

/// Two texts to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What both texts answer.
    pub conversation: Vec<Message>,
    /// One text.
    pub first: String,
    /// The other.
    pub second: String,
    /// What counts, if the item says.
    pub rubric: Option<String>,
    /// A judge of the task by name; none is the task's default.
    pub judge: Option<String>,
}

/// Which text is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preference {
    /// The first.
    First,
    /// Neither.
    Tie,
    /// The second.
    Second,
}

/// What a judge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A preference.
    Preferred(Preference),
    /// No usable verdict; the component is then undefined, not zero.
    Undecided(String),
}
