//! The `qa` reward: 1 if the answer is the reference, or one of the accepted answers, else 0.
//!
//! Exact match, as the paper has it, after a stated normalisation that can be switched off; see
//! [`Normalise`]. A normalisation never makes a distractor right: an item of which a distractor
//! becomes equal to an accepted answer is matched without it.

mod normalise;

use omni_sdk::reward::{Component, Error, Group, Item, Reply, Result, Reward, Turn};
use omni_sdk::text::answer;
use serde::Deserialize;

pub use normalise::Normalise;

/// The reward and its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Qa {
    normalise: Normalise,
}

const ACCURACY: &str = "accuracy";

impl Reward for Qa {
    fn components(&self) -> Vec<String> {
        vec![ACCURACY.to_owned()]
    }

    fn score(&self, group: &Group, _: &[Reply]) -> Result<Turn> {
        let accepted = Accepted::read(&group.item, self.normalise);
        let components = group.rollouts.iter().map(|rollout| {
            vec![match &accepted {
                Ok(accepted) => {
                    let right = answer(&rollout.text).is_some_and(|answer| accepted.holds(answer));
                    Component::scored(ACCURACY, f64::from(right))
                }
                Err(reason) => Component::undefined(ACCURACY, reason.message()),
            }]
        });
        Ok(Turn::Done(components.collect()))
    }
}

omni_sdk::export!(reward Qa);

/// What this reward reads of an item's data; tasks keep other things there too.
#[derive(Deserialize)]
struct Data {
    accepted: Option<Vec<String>>,
    distractors: Option<Vec<serde_json::Value>>,
}

/// The right answers of an item, and what is made equal before they are compared with.
#[derive(Debug)]
struct Accepted {
    normalise: Normalise,
    texts: Vec<String>,
}

impl Accepted {
    fn read(item: &Item, normalise: Normalise) -> Result<Self> {
        let data: Data = item.data()?;
        let all: Vec<&String> =
            item.reference.iter().chain(data.accepted.iter().flatten()).collect();
        let of = |normalise: Normalise| Self {
            normalise,
            texts: all
                .iter()
                .map(|text| normalise.apply(text))
                .filter(|text| !text.is_empty())
                .collect(),
        };
        let accepted = of(normalise);
        if accepted.texts.is_empty() {
            return Err(Error::invalid_input(format!(
                "item `{}` has neither `reference` nor `data.accepted`",
                item.id
            )));
        }
        // A distractor that only white space tells from an answer is that answer: prompts leave it
        // out. One that only the normalisation makes equal is wrong, and has to stay so.
        let plain = of(Normalise::Space);
        let wrong = |text: &str| !plain.holds(text) && accepted.holds(text);
        let mut distractors = data.distractors.iter().flatten().filter_map(|it| it.as_str());
        Ok(if distractors.any(wrong) { plain } else { accepted })
    }

    fn holds(&self, answer: &str) -> bool {
        let answer = self.normalise.apply(answer);
        !answer.is_empty() && self.texts.contains(&answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omni_sdk::reward::Value;

    fn score(config: &str, item: Item, text: &str) -> Value {
        let qa: Qa = omni_sdk::config::read(config).unwrap();
        match qa.score(&Group::new(item, &[text]), &[]).unwrap() {
            Turn::Done(mut scores) => scores.remove(0).remove(0).value,
            Turn::Ask(_) => panic!("asks"),
        }
    }

    #[test]
    fn exact_match_with_the_stated_normalisation() {
        let one = Value::Scored(1.0);
        let zero = Value::Scored(0.0);
        let (none, space) = (r#"{"normalise": "none"}"#, r#"{"normalise": "space"}"#);
        for (config, answer, expected) in [
            ("{}", "the Red  mill", &one),
            ("{}", "\n the Red mill\t", &one),
            ("{}", "The red mill.", &one),
            (r#"{"normalise": true}"#, "The red mill.", &one),
            ("{}", "Red mill", &zero),
            ("{}", "the Red mill, of course", &zero),
            ("{}", "THE RED MILL", &zero),
            ("{}", "", &zero),
            (r#"{"normalise": "case"}"#, "THE red  mill", &one),
            (space, "the Red  mill", &one),
            (space, "the red mill", &zero),
            (space, "the Red mill.", &zero),
            (none, "the Red mill", &one),
            (none, "the Red  mill", &zero),
            (none, "The Red mill", &zero),
            (r#"{"normalise": false}"#, "The Red mill", &zero),
        ] {
            let item = Item::new("i", "?").with_reference("the Red mill");
            assert_eq!(
                &score(config, item, &format!("<think>.</think><answer>{answer}</answer>")),
                expected,
                "{config} {answer}"
            );
        }
        let item = Item::new("i", "?").with_reference("mill");
        assert_eq!(score("{}", item, "mill"), zero);
        let error = omni_sdk::config::read::<Qa>(r#"{"normalise": "all"}"#).unwrap_err();
        assert!(error.message().contains("none of `standard`"), "{error}");
    }

    #[test]
    fn a_letter_is_right_only_where_it_is_the_answer() {
        let letters = |reference: &str| {
            let right = |letter: &&str| {
                let item = Item::new("i", "?").with_reference(reference);
                score("{}", item, &format!("<answer>{letter}</answer>")) == Value::Scored(1.0)
            };
            ["A", "a", "A.", "(A)", "A)", "**A**", "B"].into_iter().filter(right).count()
        };
        assert_eq!(letters("an apple"), 0);
        assert_eq!(letters("A apple"), 0);
        assert_eq!(letters("A"), 1, "the blood group");
    }

    #[test]
    fn a_distractor_is_never_made_right() {
        let mut item = Item::new("i", "?").with_reference("Polish");
        let right = |item: &Item, answer: &str| {
            score("{}", item.clone(), &format!("<answer>{answer}</answer>")) == Value::Scored(1.0)
        };
        assert!(right(&item, "polish"));
        item.data = r#"{"distractors": ["polish", "German"]}"#.to_owned();
        assert!(!right(&item, "polish") && right(&item, "Polish") && !right(&item, "Polish."));
        item.data = r#"{"distractors": [" Polish ", "German"]}"#.to_owned();
        assert!(right(&item, "polish"), "a distractor that is the answer is none");
    }

    #[test]
    fn a_set_accepts_its_members_and_an_empty_one_is_undefined() {
        let mut item = Item::new("i", "?");
        item.data = r#"{"accepted": ["UK", "United Kingdom"], "field": 1}"#.to_owned();
        assert_eq!(
            score("{}", item.clone(), "<answer>United Kingdom</answer>"),
            Value::Scored(1.0)
        );
        assert_eq!(score("{}", item.clone(), "<answer>France</answer>"), Value::Scored(0.0));
        for data in [
            "{}",
            r#"{"accepted": []}"#,
            r#"{"accepted": [" "]}"#,
            r#"{"accepted": "UK"}"#,
            "nothing",
        ] {
            item.data = data.to_owned();
            assert!(matches!(score("{}", item.clone(), ""), Value::Undefined(_)), "{data}");
        }
    }
}
