//! The `math` reward: 1 if the answer equals the reference, else 0.
//!
//! Both are read as exact numbers (`expression`, `value`), with what may stand around a number
//! (`unit`), or compared by structure and spelling (`answer`, `text`). A text that cannot be read
//! equals nothing but itself: a false 1 teaches the policy to cheat, a false 0 costs a rollout.

pub mod answer;
pub mod expression;
pub mod text;
pub mod unit;
pub mod value;

use omni_sdk::reward::{Component, Group, Result, Reward, Turn};
use omni_sdk::text as marked;
use serde::Deserialize;

use crate::answer::Answer;
use crate::value::Fault;

/// Where the answer stands in what the policy wrote; never inside `<think>`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extract {
    /// In the last `<answer>…</answer>`.
    #[default]
    Tags,
    /// In the last `\boxed{…}`.
    Boxed,
    /// In the tags, else boxed, else the last formula between dollars, else the last number.
    Auto,
    /// The last formula between dollars, else the last number.
    Last,
}

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
        Ok(reference) if reference.accepts(answer) => Verdict::Equal,
        Ok(_) => Verdict::Unequal,
        Err(why) => Verdict::Undefined(why),
    }
}

/// Whether the answer in `text`, a whole completion, equals `reference`.
pub fn verify_text(reference: &str, text: &str, extract: Extract) -> Verdict {
    match Reference::read(Some(reference)) {
        Ok(reference) if (Math { extract }).correct(text, &reference) => Verdict::Equal,
        Ok(_) => Verdict::Unequal,
        Err(why) => Verdict::Undefined(why),
    }
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

    fn score(&self, group: &Group, _: &[omni_sdk::reward::Reply]) -> Result<Turn> {
        let reference = Reference::read(group.item.reference.as_deref());
        let components = group.rollouts.iter().map(|rollout| {
            vec![match &reference {
                Ok(reference) => {
                    Component::scored(ACCURACY, f64::from(self.correct(&rollout.text, reference)))
                }
                Err(reason) => {
                    Component::undefined(ACCURACY, format!("item `{}`: {reason}", group.item.id))
                }
            }]
        });
        Ok(Turn::Done(components.collect()))
    }
}

omni_sdk::export!(reward Math);

impl Math {
    fn correct(&self, text: &str, reference: &Reference) -> bool {
        self.extract(text).is_some_and(|answer| reference.accepts(&answer))
    }

    fn extract(&self, text: &str) -> Option<String> {
        let tagged = || marked::answer(text).map(str::to_owned);
        match self.extract {
            Extract::Tags => tagged(),
            Extract::Boxed => marked::boxed(text),
            Extract::Last => {
                let speech = marked::without_thinking(text);
                last_formula(&speech).or_else(|| last_number(&speech))
            }
            Extract::Auto => tagged().or_else(|| marked::boxed(text)).or_else(|| {
                let speech = marked::without_thinking(text);
                last_formula(&speech).or_else(|| last_number(&speech))
            }),
        }
    }
}

/// A reference, read once for its whole group.
#[derive(Debug)]
pub struct Reference {
    answer: Answer,
    spelling: String,
    text: String,
}

/// Longer answers are right only if they are the reference letter by letter.
const MAX_ANSWER: usize = 65_536;

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// With the reason, when there is none or it has no value.
    pub fn read(reference: Option<&str>) -> Result<Self, String> {
        let text = reference.ok_or("there is no `reference`")?;
        match Answer::read(text) {
            Ok(answer) => Ok(Self {
                answer,
                spelling: text::normalise(&text::strip_wrappers(text)),
                text: text.to_owned(),
            }),
            Err(Fault::Undefined) => Err(format!("the reference `{text}` divides by zero")),
            Err(_) if text.trim().is_empty() => Err("the reference is empty".to_owned()),
            Err(_) => Err(format!("the reference `{text}` cannot be read")),
        }
    }

    /// Whether an answer says the same; one that cannot be read does not.
    pub fn accepts(&self, answer: &str) -> bool {
        if answer.len() > MAX_ANSWER {
            return answer.trim() == self.text.trim();
        }
        let stripped = text::strip_wrappers(answer);
        if !stripped.is_empty() && text::normalise(&stripped) == self.spelling {
            return true;
        }
        Answer::read(answer).is_ok_and(|answer| answer.matches(&self.answer))
    }
}

/// What stands between the last two dollar signs, or in the last `\(…\)` or `\[…\]`.
fn last_formula(text: &str) -> Option<String> {
    let between = |open: &str, close: &str| {
        let end = text.rfind(close)?;
        let start = text[..end].rfind(open)? + open.len();
        (!text[start..end].trim().is_empty()).then_some((start, &text[start..end]))
    };
    let dollars = || {
        // A formula has no space inside its dollars; "$3 and $5" is money.
        between("$", "$").filter(|(_, inner)| {
            inner.trim() == *inner && text.matches('$').count().is_multiple_of(2)
        })
    };
    [dollars(), between("\\(", "\\)"), between("\\[", "\\]")]
        .into_iter()
        .flatten()
        .max()
        .map(|(_, inner)| inner.to_owned())
}

/// The last number in plain text, with its sign, separators and decimals.
fn last_number(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let last = bytes.iter().rposition(u8::is_ascii_digit)?;
    let part = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'/');
    let mut start = last;
    while start > 0 && part(bytes[start - 1]) {
        start -= 1;
    }
    let run = text[start..=last].trim_start_matches([',', '/']);
    let start = last + 1 - run.len();
    let before = &text[..start];
    let negative = before.ends_with('-')
        && !before[..before.len() - 1].ends_with(|c: char| c.is_alphanumeric() || c == ')');
    let percent = text[last + 1..].starts_with('%');
    Some(format!("{}{run}{}", if negative { "-" } else { "" }, if percent { "%" } else { "" }))
}
