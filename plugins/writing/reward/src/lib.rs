//! The `writing` reward: a judge compares the policy's text with the item's reference.
//!
//! Preferred 1, tie 0.5, dispreferred 0. The judge sees the answer alone, and which of the two
//! stands first is drawn from the group's seed and the rollout's index, so that a judge's liking
//! for the first or the second text favours nobody. `rouge_l` adds how much of the reference's
//! wording the text has, which is no measure of quality but of how far the policy copies.

mod rouge;

use omni_sdk::reward::{Component, Error, Group, Reply, Request, Result, Reward, Turn};
use omni_writing_compared::{Extract, comparison, outcome, reference, rubric, stands_first};
use serde::Deserialize;

pub use rouge::rouge_l;

/// The reward and its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writing {
    extract: Extract,
    /// The judge's name; absent, the task's own.
    judge: Option<String>,
    /// The set of `data.references` to compare with; absent, the item's `reference`.
    reference_set: Option<String>,
    /// Whether there is a component `rouge_l`.
    rouge_l: bool,
}

const PREFERENCE: &str = "preference";
const ROUGE_L: &str = "rouge_l";

impl Reward for Writing {
    fn components(&self) -> Vec<String> {
        let names: &[&str] = if self.rouge_l { &[PREFERENCE, ROUGE_L] } else { &[PREFERENCE] };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn score(&self, group: &Group, replies: &[Reply]) -> Result<Turn> {
        let item = &group.item;
        let reference = reference(item, self.reference_set.as_deref())?;
        let texts: Vec<_> =
            group.rollouts.iter().map(|rollout| self.extract.text(rollout)).collect();
        let asked: Vec<_> = texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| Some((index, text.as_ref()?)))
            .collect();
        if replies.is_empty() && !asked.is_empty() {
            let rubric = rubric(item)?;
            let requests = asked.iter().map(|(index, text)| {
                let pair = (text.as_str(), reference.as_str());
                let first = stands_first(group.seed, *index);
                Request::Compare(comparison(
                    item,
                    rubric.as_deref(),
                    self.judge.as_deref(),
                    pair,
                    first,
                ))
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
            scores[*index] = vec![match outcome(reply, stands_first(group.seed, *index)) {
                Ok(score) => Component::scored(PREFERENCE, score),
                Err(reason) => Component::undefined(PREFERENCE, reason),
            }];
        }
        if self.rouge_l {
            for (components, text) in scores.iter_mut().zip(&texts) {
                let score = text.as_ref().map_or(0.0, |text| rouge_l(&reference, text));
                components.push(Component::scored(ROUGE_L, score));
            }
        }
        Ok(Turn::Done(scores))
    }
}

omni_sdk::export!(reward Writing);

#[cfg(test)]
mod tests {
    use super::*;
    use omni_sdk::reward::{Comparison, Item, Preference, Value, Verdict};

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

    #[test]
    fn a_set_of_references_is_chosen_by_name() {
        let mut group = group();
        group.item.data = r#"{"references": {"gpt-4": "better", "vicuna": "other"}}"#.to_owned();
        let writing: Writing = omni_sdk::config::read(r#"{"reference_set": "vicuna"}"#).unwrap();
        let Turn::Ask(requests) = writing.score(&group, &[]).unwrap() else { panic!("is done") };
        for request in requests {
            let Request::Compare(comparison) = request else { panic!("runs a program") };
            assert!(comparison.first == "other" || comparison.second == "other");
        }
        let writing: Writing = omni_sdk::config::read(r#"{"reference_set": "llama"}"#).unwrap();
        assert!(writing.score(&group, &[]).is_err());
    }

    #[test]
    fn rouge_l_is_there_when_it_is_wanted() {
        let writing: Writing = omni_sdk::config::read(r#"{"rouge_l": true}"#).unwrap();
        assert_eq!(writing.components(), ["preference", "rouge_l"]);
        let item = Item::new("i", "write").with_reference("the cat sat");
        let texts = ["<answer>The cat sat.</answer>", "", "<answer>a dog</answer>"];
        let group = Group::new(item, &texts);
        let failed = vec![Reply::Failed("no judge".to_owned()); 2];
        let Turn::Done(scores) = writing.score(&group, &failed).unwrap() else { panic!("asks") };
        let values: Vec<_> = scores.iter().map(|list| list[1].value.clone()).collect();
        assert_eq!(values, [Value::Scored(1.0), Value::Scored(0.0), Value::Scored(0.0)]);
        assert!(matches!(scores[0][0].value, Value::Undefined(_)));
    }
}
