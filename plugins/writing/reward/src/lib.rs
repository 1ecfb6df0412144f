//! The `writing` reward: a judge compares the policy's text with the item's reference.
//!
//! Preferred 1, tie 0.5, dispreferred 0. The judge sees the answer alone, and which of the two
//! stands first is drawn from the group's seed and the rollout's index, so that a judge's liking
//! for the first or the second text favours nobody.

use omni_sdk::reward::{
    Comparison, Component, Error, Group, Item, Preference, Reply, Request, Result, Reward, Rollout,
    Turn, Verdict,
};
use omni_sdk::rng::Rng;
use omni_sdk::text::{answer, without_thinking};
use serde::Deserialize;

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

/// The reward and its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writing {
    extract: Extract,
    /// The judge's name; absent, the task's own.
    judge: Option<String>,
}

const PREFERENCE: &str = "preference";

impl Reward for Writing {
    fn components(&self) -> Vec<String> {
        vec![PREFERENCE.to_owned()]
    }

    fn score(&self, group: &Group, replies: &[Reply]) -> Result<Turn> {
        let item = &group.item;
        let reference = item.reference()?;
        if reference.trim().is_empty() {
            return Err(Error::invalid_input(format!(
                "the `reference` of item `{}` is empty",
                item.id
            )));
        }
        let texts: Vec<_> = group.rollouts.iter().map(|rollout| self.text(rollout)).collect();
        let asked: Vec<_> = texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| Some((index, text.as_ref()?)))
            .collect();
        if replies.is_empty() && !asked.is_empty() {
            let rubric = rubric(item)?;
            let requests = asked.iter().map(|(index, text)| {
                let (first, second) = if stands_first(group.seed, *index) {
                    ((*text).clone(), reference.to_owned())
                } else {
                    (reference.to_owned(), (*text).clone())
                };
                Request::Compare(Comparison {
                    conversation: item.messages.clone(),
                    first,
                    second,
                    rubric: rubric.clone(),
                    judge: self.judge.clone(),
                })
            });
            return Ok(Turn::Ask(requests.collect()));
        }
        if replies.len() != asked.len() {
            return Err(Error::internal(format!(
                "{} replies to {} comparisons",
                replies.len(),
                asked.len()
            )));
        }
        // Nothing written is dispreferred to anything.
        let mut scores = vec![vec![Component::scored(PREFERENCE, 0.0)]; texts.len()];
        for ((index, _), reply) in asked.iter().zip(replies) {
            scores[*index] = vec![component(reply, stands_first(group.seed, *index))];
        }
        Ok(Turn::Done(scores))
    }
}

omni_sdk::export!(reward Writing);

impl Writing {
    /// What is judged of a rollout; none when it is empty.
    fn text(&self, rollout: &Rollout) -> Option<String> {
        let tagged = answer(&rollout.text).map(str::to_owned);
        let text = match self.extract {
            Extract::Tags => tagged,
            Extract::Auto => {
                tagged.or_else(|| Some(without_thinking(&rollout.text).trim().to_owned()))
            }
        };
        text.filter(|text| !text.is_empty())
    }
}

/// What this reward reads of an item's data; tasks keep other things there too.
#[derive(Deserialize)]
struct Data {
    rubric: Option<serde_json::Value>,
}

/// The item's rubric for the judge: a text as it is, anything else as JSON.
fn rubric(item: &Item) -> Result<Option<String>> {
    let data: Data = item.data()?;
    Ok(data.rubric.map(|rubric| match rubric {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }))
}

/// Whether the policy's text stands first.
fn stands_first(seed: u32, index: usize) -> bool {
    Rng::keyed(u64::from(seed), "which stands first", index as u64).chance(0.5)
}

fn component(reply: &Reply, policy_first: bool) -> Component {
    match reply {
        Reply::Compared(Verdict::Preferred(preference)) => {
            let score = match (preference, policy_first) {
                (Preference::Tie, _) => 0.5,
                (Preference::First, true) | (Preference::Second, false) => 1.0,
                (Preference::First, false) | (Preference::Second, true) => 0.0,
            };
            Component::scored(PREFERENCE, score)
        }
        Reply::Compared(Verdict::Undecided(reason)) => {
            Component::undefined(PREFERENCE, format!("the judge: {reason}"))
        }
        Reply::Failed(reason) => Component::undefined(PREFERENCE, reason),
        Reply::Executed(_) => {
            Component::undefined(PREFERENCE, "the host ran a program instead of comparing")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omni_sdk::reward::Value;

    fn group() -> Group {
        let mut item = Item::new("i", "write").with_reference("reference");
        item.data = r#"{"rubric": {"words": ["a"]}, "kind": "x"}"#.to_owned();
        let texts: Vec<String> =
            (0..64).map(|i| format!("<think>t</think><answer>text {i}</answer>")).collect();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        texts[3] = "";
        texts[5] = "<think>only</think>";
        Group { seed: 11, ..Group::new(item, &texts) }
    }

    fn ask(group: &Group) -> Vec<Comparison> {
        let Turn::Ask(requests) = Writing::default().score(group, &[]).unwrap() else {
            panic!("does not ask")
        };
        requests
            .into_iter()
            .map(|request| match request {
                Request::Compare(comparison) => comparison,
                Request::Execute(_) => panic!("runs a program"),
            })
            .collect()
    }

    #[test]
    fn each_text_is_compared_once_and_either_stands_first() {
        let group = group();
        let comparisons = ask(&group);
        assert_eq!(comparisons, ask(&group));
        assert_eq!(comparisons.len(), 62, "the empty ones are not asked about");
        let first = comparisons.iter().filter(|c| c.second == "reference").count();
        assert!((16..=46).contains(&first), "{first} of 62 stand first");
        assert!(comparisons.iter().all(|c| (c.first == "reference") != (c.second == "reference")));
        assert!(
            comparisons.iter().all(|c| !c.first.contains('<') && !c.second.contains('<')),
            "markup reaches the judge"
        );
        assert_eq!(comparisons[0].rubric.as_deref(), Some(r#"{"words":["a"]}"#));
    }

    #[test]
    fn verdicts_are_turned_back_into_the_policy_s_favour() {
        let group = group();
        let replies: Vec<_> = ask(&group)
            .iter()
            .enumerate()
            .map(|(i, comparison)| {
                let policy = if comparison.second == "reference" {
                    Preference::First
                } else {
                    Preference::Second
                };
                match i {
                    0 => Reply::Compared(Verdict::Preferred(Preference::Tie)),
                    1 => Reply::Compared(Verdict::Undecided("both refuse".to_owned())),
                    2 => Reply::Failed("no judge".to_owned()),
                    _ => Reply::Compared(Verdict::Preferred(policy)),
                }
            })
            .collect();
        let Turn::Done(scores) = Writing::default().score(&group, &replies).unwrap() else {
            panic!("asks again")
        };
        let values: Vec<_> = scores.into_iter().map(|mut s| s.remove(0).value).collect();
        assert_eq!(values[0], Value::Scored(0.5));
        assert!(matches!(&values[1], Value::Undefined(reason) if reason.contains("both refuse")));
        assert!(matches!(&values[2], Value::Undefined(reason) if reason == "no judge"));
        assert_eq!(values[3], Value::Scored(0.0), "an empty completion");
        assert_eq!(values[5], Value::Scored(0.0), "no answer");
        assert!(values[6..].iter().all(|value| *value == Value::Scored(1.0)));
    }

    #[test]
    fn without_a_reference_nothing_is_asked() {
        let mut group = group();
        group.item.reference = None;
        assert!(Writing::default().score(&group, &[]).is_err());
        group.item.reference = Some(" ".to_owned());
        assert!(Writing::default().score(&group, &[]).is_err());
    }

    #[test]
    fn a_group_of_empty_texts_is_scored_at_once() {
        let item = Item::new("i", "write").with_reference("reference");
        let turn = Writing::default().score(&Group::new(item, &["", " "]), &[]).unwrap();
        assert!(matches!(turn, Turn::Done(scores) if scores.len() == 2));
    }
}
