//! The `qa` reward: 1 if the answer is the reference, or one of the accepted answers, else 0.
//!
//! Exact match after a stated normalisation. Case is kept by default, since it can be all that
//! tells a distractor from the answer: the genotypes `Aa` and `AA`, mM and MM.

use omni_sdk::reward::{Component, Error, Group, Item, Reply, Result, Reward, Turn};
use omni_sdk::text::answer;
use serde::Deserialize;

/// What is made equal before two answers are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// Nothing but the white space around the answer, which the tags leave there.
    None,
    /// White space: trimmed, and each run of it one space.
    #[default]
    Space,
    /// White space, and the case of letters.
    Case,
}

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
        let accepted = self.accepted(&group.item);
        let components = group.rollouts.iter().map(|rollout| {
            vec![match &accepted {
                Ok(accepted) => {
                    let answer = answer(&rollout.text).map(|answer| self.normalise.apply(answer));
                    let right = answer.is_some_and(|answer| accepted.contains(&answer));
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
    #[serde(default)]
    accepted: Vec<String>,
}

impl Qa {
    fn accepted(&self, item: &Item) -> Result<Vec<String>> {
        let data: Data = item.data()?;
        let all = item.reference.iter().chain(&data.accepted);
        let accepted: Vec<_> =
            all.map(|text| self.normalise.apply(text)).filter(|text| !text.is_empty()).collect();
        if accepted.is_empty() {
            return Err(Error::invalid_input(format!(
                "item `{}` has neither `reference` nor `data.accepted`",
                item.id
            )));
        }
        Ok(accepted)
    }
}

impl Normalise {
    fn apply(self, text: &str) -> String {
        let spaced = || text.split_whitespace().collect::<Vec<_>>().join(" ");
        match self {
            Self::None => text.trim().to_owned(),
            Self::Space => spaced(),
            Self::Case => spaced().to_lowercase(),
        }
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
        for (config, answer, expected) in [
            ("{}", "the Red  mill", &one),
            ("{}", "\n the Red mill\t", &one),
            ("{}", "the red mill", &zero),
            ("{}", "the Red mill.", &zero),
            ("{}", "Red mill", &zero),
            ("{}", "", &zero),
            (r#"{"normalise": "case"}"#, "THE red  mill", &one),
            (r#"{"normalise": "none"}"#, "the Red mill", &one),
            (r#"{"normalise": "none"}"#, "the Red  mill", &zero),
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
        assert!(omni_sdk::config::read::<Qa>(r#"{"normalise": "all"}"#).is_err());
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
