//! The `math` reward: 1 if the answer equals the reference, else 0.
//!
//! `extract` and `prose` find the answer; `lex` and `parse` read it, in LaTeX or plain text, into
//! the tree of `syntax`; `compare` decides by kind, with the arithmetics of `number`. An answer
//! that cannot be read equals nothing but its own spelling: a false 1 teaches the policy to cheat,
//! a false 0 costs a rollout. Everything is bounded: length, depth, digits, and what an evaluation
//! may spend.

pub mod compare;
mod extract;
mod fault;
pub mod lex;
pub mod number;
mod parse;
mod prose;
mod reference;
pub mod syntax;
pub mod unit;

use omni_sdk::reward::{Component, Group, Reply, Result, Reward, Turn};
use serde::Deserialize;

pub use crate::extract::{Extract, extract};
pub use crate::fault::Fault;
pub use crate::parse::parse;
pub use crate::reference::Reference;

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer equals the reference.
    Equal,
    /// It does not, or cannot be read.
    Unequal,
    /// The reference cannot be used, or the verifier ran out of its budget.
    Undefined(String),
}

impl Verdict {
    /// `equal`, `unequal` or `undefined`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Unequal => "unequal",
            Self::Undefined(_) => "undefined",
        }
    }
}

/// Whether `answer`, an answer alone, equals `reference`.
pub fn verify(reference: &str, answer: &str) -> Verdict {
    match Reference::read(Some(reference)) {
        Ok(reference) => reference.check(answer),
        Err(why) => Verdict::Undefined(why),
    }
}

/// Whether the answer in `text`, a whole completion, equals `reference`.
pub fn verify_text(reference: &str, text: &str, how: Extract) -> Verdict {
    match Reference::read(Some(reference)) {
        Ok(reference) => check_text(&reference, text, how),
        Err(why) => Verdict::Undefined(why),
    }
}

fn check_text(reference: &Reference, text: &str, how: Extract) -> Verdict {
    extract(text, how).map_or(Verdict::Unequal, |answer| reference.check(&answer))
}

/// The reward and its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Math {
    extract: Extract,
}

const ACCURACY: &str = "accuracy";

impl Reward for Math {
    fn components(&self) -> Vec<String> {
        vec![ACCURACY.to_owned()]
    }

    fn score(&self, group: &Group, _: &[Reply]) -> Result<Turn> {
        let undefined =
            |why: &str| Component::undefined(ACCURACY, format!("item `{}`: {why}", group.item.id));
        let reference = Reference::read(group.item.reference.as_deref());
        let components = group.rollouts.iter().map(|rollout| {
            vec![match &reference {
                Ok(reference) => match check_text(reference, &rollout.text, self.extract) {
                    Verdict::Equal => Component::scored(ACCURACY, 1.0),
                    Verdict::Unequal => Component::scored(ACCURACY, 0.0),
                    Verdict::Undefined(why) => undefined(&why),
                },
                Err(why) => undefined(why),
            }]
        });
        Ok(Turn::Done(components.collect()))
    }
}

omni_sdk::export!(reward Math);
