//! What the sentences generator gives, judged by the reward and the judge that its task uses.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use omni_judge_rubric::Rubric;
use omni_quickstart_sentences::Sentences;
use omni_sdk::judge::{Judge, Turn as Judged};
use omni_sdk::reward::{Group, Item, Reply, Request, Reward, Turn, Value};
use omni_sdk::task::Task;
use omni_writing_reward::Writing;
use serde_json::Value as Json;

fn generator(config: &str) -> Sentences {
    omni_sdk::config::read(config).unwrap()
}

/// The reward with the judge behind it, as the host joins them.
fn preference(item: &Item, text: &str) -> f64 {
    let group = Group::new(item.clone(), &[text]);
    let reward = Writing::default();
    let mut replies = Vec::new();
    loop {
        match reward.score(&group, &replies).unwrap() {
            Turn::Done(mut scores) => match scores.remove(0).remove(0).value {
                Value::Scored(score) => return score,
                Value::Undefined(reason) => panic!("{reason}"),
            },
            Turn::Ask(requests) => {
                let comparisons: Vec<_> = requests
                    .into_iter()
                    .map(|request| match request {
                        Request::Compare(comparison) => comparison,
                        Request::Execute(_) => panic!("runs a program"),
                    })
                    .collect();
                let Judged::Done(verdicts) =
                    Rubric::default().decide(&comparisons, &[], 0).unwrap()
                else {
                    panic!("asks")
                };
                replies = verdicts.into_iter().map(Reply::Compared).collect();
            }
        }
    }
}

#[test]
fn demonstrations_are_what_they_say() {
    for config in [r#"{"level": 1}"#, "{}", r#"{"level": 3}"#, r#"{"reference_lacks": 2}"#] {
        let (mut right, mut ties) = (0, 0);
        for item in generator(config).items("warmup", 0, 2_000).unwrap() {
            let data: Json = serde_json::from_str(&item.data).unwrap();
            let text = data["demonstration"].as_str().unwrap();
            let score = preference(&item, text);
            if data["demonstration_is"] == "right" {
                assert_eq!(score, 1.0, "{} {text}", item.messages[0].content);
                right += 1;
            } else {
                assert!(score <= 0.5, "{} {text} / {:?}", item.messages[0].content, item.reference);
                ties += i32::from(score == 0.5);
            }
            assert!(item.messages[0].content.len() <= 50 && text.len() <= 130, "{text}");
        }
        assert!((900..1100).contains(&right) && ties > 100, "{right} right, {ties} ties");
    }
}

#[test]
fn nothing_less_than_a_text_beats_the_reference() {
    for config in [r#"{"level": 1}"#, "{}", r#"{"level": 3}"#] {
        for item in generator(config).items("test", 0, 300).unwrap() {
            let prompt = item.messages[0].content.trim_start_matches("Write: ").to_owned();
            for text in [
                prompt.replace(',', ""),
                prompt.clone(),
                prompt.replace(", ", " ").repeat(2),
                "The cat.".to_owned(),
            ] {
                let score = preference(&item, &format!("<think></think><answer>{text}</answer>"));
                assert!(score < 1.0, "{prompt} {text} / {:?}", item.reference);
            }
            let same =
                preference(&item, &format!("<answer>{}</answer>", item.reference().unwrap()));
            assert_eq!(same, 0.5);
        }
    }
}

#[test]
fn the_same_arguments_give_the_same_items() {
    let task = generator("{}");
    let items = task.items("train", 3, 20).unwrap();
    assert_eq!(items[5], task.item("train", 8).unwrap());
    assert_ne!(items, generator(r#"{"seed": 1}"#).items("train", 3, 20).unwrap());
}

#[test]
fn no_two_splits_share_a_set_of_words() {
    let mut splits: Vec<HashSet<String>> = Vec::new();
    for split in ["train", "warmup", "validation", "test"] {
        let mut seen = HashSet::new();
        for seed in 0..3 {
            for item in generator(&format!(r#"{{"level": 1, "seed": {seed}}}"#))
                .items(split, 0, 1_000)
                .unwrap()
            {
                let mut words: Vec<_> =
                    item.messages[0].content.trim_matches(['W', '.']).split(", ").collect();
                words[0] = words[0].rsplit(' ').next().unwrap();
                words.sort_unstable();
                seen.insert(words.join(" "));
            }
        }
        splits.push(seen);
    }
    for (at, split) in splits.iter().enumerate() {
        assert!(split.len() > 100, "{} problems", split.len());
        assert!(splits[..at].iter().all(|other| other.is_disjoint(split)));
    }
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    for (config, key) in [
        (r#"{"level": 7}"#, "`level`"),
        (r#"{"words": 2}"#, "`words`"),
        (r#"{"vocabulary": 99}"#, "`vocabulary`"),
        (r#"{"words": 3, "reference_lacks": 3}"#, "`reference_lacks`"),
        (r#"{"wrong": -0.5}"#, "`wrong`"),
    ] {
        let error = generator(config).item("train", 0).unwrap_err();
        assert!(error.message().contains(key), "{error}");
    }
}
