//! Rewards: components for each rollout of one item.

use serde::de::DeserializeOwned;

pub use crate::error::{Error, Result};
pub use crate::judgements::{Comparison, Preference, Verdict};
pub use crate::programs::{Execution, Limits, Program, Status, Stop, StopKind};
pub use crate::values::{Finish, Item, Message, Role, Rollout};

/// The rollouts of one item, to be scored together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The task's name.
    pub task: String,
    /// The problem.
    pub item: Item,
    /// What the policy wrote, several times over.
    pub rollouts: Vec<Rollout>,
    /// All the randomness that there is.
    pub seed: u32,
}

impl Group {
    /// A group as tests write it: seed 0, finished rollouts.
    pub fn new(item: Item, texts: &[&str]) -> Self {
        Self {
            task: "test".to_owned(),
            item,
            rollouts: texts.iter().map(|text| Rollout::new(*text)).collect(),
            seed: 0,
        }
    }
}

/// What a reward asks of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Run a program.
    Execute(Program),
    /// Compare two texts.
    Compare(Comparison),
}

/// What the host answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The program was run.
    Executed(Execution),
    /// The texts were compared.
    Compared(Verdict),
    /// The host could not do it: the system's fault, so `undefined` and not zero.
    Failed(String),
}

/// A component's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A score.
    Scored(f64),
    /// No score, and why. Left out of the rollout's sum.
    Undefined(String),
}

/// One component of a rollout's reward.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// One of the names in [`Reward::components`].
    pub name: String,
    /// Its value.
    pub value: Value,
}

impl Component {
    /// A component with a score.
    pub fn scored(name: impl Into<String>, score: f64) -> Self {
        Self { name: name.into(), value: Value::Scored(score) }
    }

    /// A component that could not be computed: the system's fault, not the policy's.
    pub fn undefined(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), value: Value::Undefined(reason.into()) }
    }
}

/// What a call to [`Reward::score`] comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Do these, then call again with all replies so far, in this order.
    Ask(Vec<Request>),
    /// One list of components for each rollout, in the order given.
    Done(Vec<Vec<Component>>),
}

/// A verifier. The type is its own configuration: it is read from the JSON
/// object that the pack's manifest or the run sets (`{}` if neither does), so
/// derive `Deserialize` with `#[serde(default, deny_unknown_fields)]`.
///
/// It is a pure function: nothing is kept from one call to the next.
pub trait Reward: DeserializeOwned {
    /// The names of the components that [`score`](Self::score) may return.
    fn components(&self) -> Vec<String>;

    /// Scores one rollout. Write this one where the text and the item are
    /// enough; write [`score`](Self::score) where the host has to run or judge
    /// something, or where the rollouts are compared with each other.
    ///
    /// # Errors
    /// When the item cannot be scored at all.
    fn rollout(&self, item: &Item, rollout: &Rollout) -> Result<Vec<Component>> {
        let _ = (item, rollout);
        Err(Error::unsupported("this reward writes neither `rollout` nor `score`"))
    }

    /// Scores a group, or asks the host for what it needs to.
    ///
    /// # Errors
    /// When the group cannot be scored at all; a rollout that alone cannot is
    /// rather given [`Component::undefined`].
    fn score(&self, group: &Group, replies: &[Reply]) -> Result<Turn> {
        let _ = replies;
        let scores = group.rollouts.iter().map(|rollout| self.rollout(&group.item, rollout));
        Ok(Turn::Done(scores.collect::<Result<_>>()?))
    }
}
