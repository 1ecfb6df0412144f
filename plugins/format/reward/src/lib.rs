//! The `format` reward: `format` is 1 when each of the four markers stands exactly once and in
//! order with nothing but white space outside, `tags` the share of markers that stand exactly once.

use omni_sdk::reward::{Component, Item, Result, Reward, Rollout};
use omni_sdk::text::{MARKERS, has_format, tag_count};
use serde::Deserialize;

/// The reward; there is nothing to configure.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Format {}

impl Reward for Format {
    fn components(&self) -> Vec<String> {
        vec!["format".to_owned(), "tags".to_owned()]
    }

    fn rollout(&self, _: &Item, rollout: &Rollout) -> Result<Vec<Component>> {
        let text = &rollout.text;
        let tags = f64::from(tag_count(text)) / MARKERS.len() as f64;
        Ok(vec![
            Component::scored("format", f64::from(has_format(text))),
            Component::scored("tags", tags),
        ])
    }
}

omni_sdk::export!(reward Format);

#[cfg(test)]
mod tests {
    use super::*;
    use omni_sdk::reward::{Group, Turn, Value};

    #[test]
    fn form_and_tags_are_scored_apart() {
        for (text, format, tags) in [
            (" <think>a</think>\n<answer>b</answer> ", 1.0, 1.0),
            ("<answer>b</answer><think>a</think>", 0.0, 1.0),
            ("<think>a</think> so <answer>b</answer>", 0.0, 1.0),
            ("<think>a</think><answer>b", 0.0, 0.75),
            ("<think>a</think><answer>b</answer><answer>c</answer>", 0.0, 0.5),
            ("", 0.0, 0.0),
        ] {
            let group = Group::new(Item::new("i", "?"), &[text]);
            let Turn::Done(scores) = Format::default().score(&group, &[]).unwrap() else {
                panic!("asks")
            };
            let values: Vec<_> =
                scores[0].iter().map(|component| component.value.clone()).collect();
            assert_eq!(values, [Value::Scored(format), Value::Scored(tags)], "{text}");
        }
    }
}
