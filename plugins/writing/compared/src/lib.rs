//! What rewards that ask a judge have in common: which text of a rollout is compared, with which
//! reference, which of two stands first, and what a failed comparison is called.

use omni_sdk::reward::{Comparison, Error, Item, Preference, Reply, Result, Rollout, Verdict};
use omni_sdk::rng::Rng;
use omni_sdk::text::{answer, without_thinking};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What of the policy's text is judged; never what it thought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extract {
    /// What stands in the last `<answer>…</answer>`.
    #[default]
    Tags,
    /// That, or without tags the whole text.
    Auto,
}

impl Extract {
    /// What is judged of a rollout; none when it is empty.
    pub fn text(self, rollout: &Rollout) -> Option<String> {
        let tagged = answer(&rollout.text).map(str::to_owned);
        let text = match self {
            Self::Tags => tagged,
            Self::Auto => {
                tagged.or_else(|| Some(without_thinking(&rollout.text).trim().to_owned()))
            }
        };
        text.filter(|text| !text.is_empty())
    }
}

/// What these rewards read of an item's data; tasks keep other things there too.
#[derive(Deserialize)]
struct Data {
    rubric: Option<Value>,
    references: Option<Map<String, Value>>,
    turns: Option<Vec<String>>,
}

/// The item's rubric for the judge: a text as it is, anything else as JSON.
///
/// # Errors
/// When the item's data is not an object.
pub fn rubric(item: &Item) -> Result<Option<String>> {
    let data: Data = item.data()?;
    Ok(data.rubric.map(|rubric| match rubric {
        Value::String(text) => text,
        other => other.to_string(),
    }))
}

/// The text to compare with: the item's `reference`, or of `data.references` the one of a set. A
/// list there holds one text for each turn of a conversation.
///
/// # Errors
/// When there is none, or it is blank.
pub fn reference(item: &Item, set: Option<&str>) -> Result<String> {
    let (place, text) = match set {
        None => ("reference".to_owned(), item.reference()?.to_owned()),
        Some(set) => (format!("data.references.{set}"), of_set(item, set)?),
    };
    if text.trim().is_empty() {
        let id = &item.id;
        return Err(Error::invalid_input(format!("the `{place}` of item `{id}` is empty")));
    }
    Ok(text)
}

fn of_set(item: &Item, set: &str) -> Result<String> {
    let data: Data = item.data()?;
    let id = &item.id;
    let wrong = |what: String| Error::invalid_input(format!("item `{id}`: {what}"));
    let sets = data.references.unwrap_or_default();
    let turn = || turn(item, data.turns.as_deref());
    match sets.get(set) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(turns)) => match turns.get(turn()) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(wrong(format!("`data.references.{set}` wants texts"))),
            None => Err(wrong(format!(
                "`data.references.{set}` has {} texts, and this is turn {}",
                turns.len(),
                turn() + 1
            ))),
        },
        Some(_) => {
            Err(wrong(format!("`data.references.{set}` wants a text, or one for each turn")))
        }
        None => {
            let known: Vec<&str> = sets.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(wrong(format!("`data.references` has no set `{set}`; it has {known}")))
        }
    }
}

/// Which turn an item asks for, from 0. Later turns are those in `data.turns`; without them each
/// message of the user is one.
fn turn(item: &Item, later: Option<&[String]>) -> usize {
    let mut asked =
        item.messages.iter().filter(|message| message.role == omni_sdk::reward::Role::User);
    match later {
        None => asked.count().saturating_sub(1),
        Some(later) => {
            let last = asked.next_back().map_or("", |message| message.content.trim());
            later.iter().rposition(|turn| turn.trim() == last).map_or(0, |at| at + 1)
        }
    }
}

/// Whether the first of two texts is shown first. `index` tells a group's comparisons apart.
pub fn stands_first(seed: u32, index: usize) -> bool {
    Rng::keyed(u64::from(seed), "which stands first", index as u64).chance(0.5)
}

/// A comparison of `one` and `other`, in this order or turned round.
pub fn comparison(
    item: &Item,
    rubric: Option<&str>,
    judge: Option<&str>,
    (one, other): (&str, &str),
    one_first: bool,
) -> Comparison {
    let (first, second) = if one_first { (one, other) } else { (other, one) };
    Comparison {
        conversation: item.messages.clone(),
        first: first.to_owned(),
        second: second.to_owned(),
        rubric: rubric.map(str::to_owned),
        judge: judge.map(str::to_owned),
    }
}

/// What `one` comes to in its comparison: 1 preferred, 0.5 a tie, 0 dispreferred.
///
/// # Errors
/// With the reason, as the host gave it, when there is no verdict.
pub fn outcome(reply: &Reply, one_first: bool) -> std::result::Result<f64, String> {
    match reply {
        Reply::Compared(Verdict::Preferred(preference)) => Ok(match (preference, one_first) {
            (Preference::Tie, _) => 0.5,
            (Preference::First, true) | (Preference::Second, false) => 1.0,
            (Preference::First, false) | (Preference::Second, true) => 0.0,
        }),
        Reply::Compared(Verdict::Undecided(reason)) => Err(format!("the judge: {reason}")),
        Reply::Failed(reason) => Err(reason.clone()),
        Reply::Executed(_) => Err("the host ran a program instead of comparing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omni_sdk::reward::{Message, Role};

    fn item(data: &str, users: &[&str]) -> Item {
        let mut item = Item::new("i", "").with_reference("plain");
        item.data = data.to_owned();
        item.messages = users
            .iter()
            .map(|text| Message { role: Role::User, content: (*text).to_owned() })
            .collect();
        item
    }

    #[test]
    fn a_reference_is_found_by_set_and_turn() {
        let one = r#"{"references": {"gpt-4": "g", "vicuna": ["v1", "v2"]}}"#;
        let of = |item: &Item, set: Option<&str>| reference(item, set).map_err(|e| e.to_string());
        assert_eq!(of(&item(one, &["a"]), None).unwrap(), "plain");
        assert_eq!(of(&item(one, &["a"]), Some("gpt-4")).unwrap(), "g");
        assert_eq!(of(&item(one, &["a"]), Some("vicuna")).unwrap(), "v1");
        assert_eq!(of(&item(one, &["a", "b"]), Some("vicuna")).unwrap(), "v2");
        let error = of(&item(one, &["a", "b", "c"]), Some("vicuna")).unwrap_err();
        assert!(error.contains("has 2 texts, and this is turn 3"), "{error}");
        let error = of(&item(one, &["a"]), Some("gpt")).unwrap_err();
        assert!(error.contains("no set `gpt`; it has gpt-4, vicuna"), "{error}");
        let error = of(&item(r#"{"references": {"x": 1}}"#, &["a"]), Some("x")).unwrap_err();
        assert!(error.contains("wants a text"), "{error}");
        assert!(of(&item(r#"{"references": {"x": " "}}"#, &["a"]), Some("x")).is_err());
        // A first turn of several messages is still the first.
        let turns = r#"{"references": {"v": ["v1", "v2"]}, "turns": ["b"]}"#;
        assert_eq!(of(&item(turns, &["a", "a2"]), Some("v")).unwrap(), "v1");
        assert_eq!(of(&item(turns, &["a", "a2", "b"]), Some("v")).unwrap(), "v2");
    }
}
