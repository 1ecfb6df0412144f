//! The values that a run speaks of: problems, what the policy wrote, and what it scored.
//!
//! A failure is a value here, never a zero: a component is either [`Value::Scored`] or
//! [`Value::Undefined`] with the kind of its reason.

use serde::{Deserialize, Serialize};

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The instructions that stand before the conversation.
    System,
    /// The one who asks.
    User,
    /// The policy.
    Assistant,
}

impl Role {
    /// The name that chat templates know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// One problem of a task. `messages` is all that the policy sees;
/// `reference` and `data` are for the reward alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Unique within its split.
    pub id: String,
    /// The prompt.
    pub messages: Vec<Message>,
    /// The reference answer or output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// A JSON object with whatever else the reward needs; `{}` if absent.
    #[serde(default = "empty_object")]
    pub data: serde_json::Value,
}

fn empty_object() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// Why the policy stopped writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// It wrote an end-of-sequence token.
    Stop,
    /// It was cut by the length limit.
    Length,
}

/// One output of the policy, as a reward sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The decoded completion, without special tokens.
    pub text: String,
    /// Tokens generated, the end-of-sequence token included.
    pub tokens: u32,
    /// Why it ended.
    pub finish: Finish,
}

/// Whose fault an undefined component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReasonKind {
    /// The plugin itself said so: an undefined component, or an error that it returned.
    Plugin,
    /// The plugin does not do this: the row needs what the sandbox lacks.
    Unsupported,
    /// It ran out of fuel.
    Fuel,
    /// It ran out of memory.
    Memory,
    /// The backstop deadline stopped it; not reproducible.
    Time,
    /// It trapped.
    Trap,
    /// It broke its contract: a wrong count, a NaN, an unknown component, asking without end.
    Contract,
    /// The judge gave no verdict.
    Judge,
    /// The interpreter could not be had.
    Interpreter,
    /// A fault of the host's own.
    Host,
}

impl ReasonKind {
    /// The word under which it is counted and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Unsupported => "unsupported",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Trap => "trap",
            Self::Contract => "contract",
            Self::Judge => "judge",
            Self::Interpreter => "interpreter",
            Self::Host => "host",
        }
    }
}

/// Why a component has no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undefined {
    /// Whose fault.
    pub kind: ReasonKind,
    /// What happened, for people.
    pub message: String,
}

/// The words with which a judge's failures begin, as in `rate-limited: 429 Too Many Requests`.
const JUDGE_FAILURES: [&str; 13] = [
    "refused",
    "rate-limited",
    "server-error",
    "rejected",
    "timeout",
    "connection",
    "empty-reply",
    "too-large",
    "malformed",
    "budget",
    "local-model",
    "not-recorded",
    "not-kept",
];

impl Undefined {
    /// Why a judge gave no verdict: what its model failed with, `plugin` where the judge itself
    /// did, else `no-verdict`; none where no judge is to blame.
    #[must_use]
    pub fn judge_failure(&self) -> Option<&'static str> {
        if self.kind != ReasonKind::Judge {
            return None;
        }
        let stands_at = |word: &str| {
            self.message.match_indices(word).map(|(at, _)| at).find(|at| {
                let (before, after) = self.message.split_at(*at);
                (before.is_empty() || before.ends_with(": "))
                    && after[word.len()..].starts_with(": ")
            })
        };
        let named = JUDGE_FAILURES.iter().filter_map(|word| Some((stands_at(word)?, *word))).min();
        match named {
            Some((_, word)) => Some(word),
            None if self.message.contains(", decide: ") => Some("plugin"),
            None => Some("no-verdict"),
        }
    }
}

/// What a reward says of one component of one rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// Its score; always finite.
    Scored(f64),
    /// It could not be scored.
    Undefined(Undefined),
}

impl Value {
    /// The score, where there is one.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        match self {
            Self::Scored(x) => Some(*x),
            Self::Undefined(_) => None,
        }
    }
}

/// One named component of a rollout's reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// Its name, as the reward's `components` lists it.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// What scoring a group consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fuel {
    /// By the rewards and judges themselves.
    pub reward: u64,
    /// By the programs that they asked for.
    pub programs: u64,
}

impl std::ops::AddAssign for Fuel {
    fn add_assign(&mut self, other: Self) {
        self.reward = self.reward.saturating_add(other.reward);
        self.programs = self.programs.saturating_add(other.programs);
    }
}

/// The components of every rollout of one group, in the order given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupScore {
    /// One list of components for each rollout.
    pub rollouts: Vec<Vec<Component>>,
    /// What it consumed.
    pub fuel: Fuel,
    /// False where time, rather than fuel, decided something.
    pub reproducible: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judges_failure_is_found_wherever_a_plugin_puts_it() {
        let of = |kind, message: &str| Undefined { kind, message: message.into() }.judge_failure();
        for (message, failure) in [
            ("rate-limited: 429", "rate-limited"),
            ("the judge: timeout: 60 s", "timeout"),
            ("swapped: the judge: server-error: 500: rejected: x", "server-error"),
            ("no verdict in `it is a budget: mine`", "no-verdict"),
            ("timeouts: many", "no-verdict"),
            ("judge 0.1.0, decide: fuel: out of fuel", "plugin"),
        ] {
            assert_eq!(of(ReasonKind::Judge, message), Some(failure), "{message}");
        }
        assert_eq!(of(ReasonKind::Fuel, "timeout: 3 s"), None);
    }
}
