//! What the world generator gives, judged by the reward that its task uses.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use omni_qa_reward::Qa;
use omni_quickstart_world::{RELATIONS, World};
use omni_sdk::reward::{Group, Item, Reward, Turn, Value};
use omni_sdk::task::Task;
use serde_json::Value as Json;

fn generator(config: &str) -> World {
    omni_sdk::config::read(config).unwrap()
}

fn accuracy(item: &Item, text: &str) -> f64 {
    match Qa::default().score(&Group::new(item.clone(), &[text]), &[]).unwrap() {
        Turn::Done(mut scores) => match scores.remove(0).remove(0).value {
            Value::Scored(score) => score,
            Value::Undefined(reason) => panic!("{reason}"),
        },
        Turn::Ask(_) => panic!("asks"),
    }
}

#[test]
fn facts_are_functions_that_no_two_subjects_share() {
    for relation in RELATIONS {
        let subjects: HashSet<_> = relation.facts.iter().map(|(subject, _)| subject).collect();
        let objects: HashSet<_> = relation.facts.iter().map(|(_, object)| object).collect();
        assert_eq!(relation.facts.len(), 16, "{}", relation.name);
        assert_eq!((subjects.len(), objects.len()), (16, 16), "{}", relation.name);
        assert!(relation.facts.iter().all(|(_, object)| !object.contains(',')));
    }
}

#[test]
fn the_answer_stands_once_among_distractors() {
    for (config, count) in [(r#"{"level": 1}"#, 3), ("{}", 4), (r#"{"distractors": 4}"#, 5)] {
        let mut first = 0;
        for item in generator(config).items("test", 0, 1_000).unwrap() {
            let prompt = &item.messages[0].content;
            let (_, candidates) = prompt.split_once("? ").unwrap();
            let candidates: Vec<_> = candidates.split(", ").collect();
            assert_eq!(candidates.len(), count, "{prompt}");
            let right: Vec<_> = candidates
                .iter()
                .filter(|c| accuracy(&item, &format!("<think></think><answer>{c}</answer>")) == 1.0)
                .collect();
            assert_eq!(right, [&item.reference().unwrap()], "{prompt}");
            first += usize::from(candidates[0] == item.reference().unwrap());
        }
        let expected = 1_000 / count;
        assert!((expected - 60..expected + 60).contains(&first), "{first} of 1000 stand first");
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
fn no_two_splits_share_a_question_with_its_candidates() {
    let mut splits: Vec<HashSet<String>> = Vec::new();
    for split in ["train", "warmup", "validation", "test"] {
        let mut seen = HashSet::new();
        for seed in 0..3 {
            for item in generator(&format!(r#"{{"seed": {seed}}}"#)).items(split, 0, 1_000).unwrap()
            {
                let (question, candidates) = item.messages[0].content.split_once("? ").unwrap();
                let mut candidates: Vec<_> = candidates.split(", ").collect();
                candidates.sort_unstable();
                seen.insert(format!("{question} {candidates:?}"));
            }
        }
        splits.push(seen);
    }
    for (at, split) in splits.iter().enumerate() {
        assert!(split.len() > 500, "{} problems", split.len());
        assert!(splits[..at].iter().all(|other| other.is_disjoint(split)));
    }
}

#[test]
fn demonstrations_are_what_they_say() {
    for config in [r#"{"level": 1}"#, "{}", r#"{"level": 3}"#] {
        let mut right = 0;
        for item in generator(config).items("warmup", 0, 2_000).unwrap() {
            let data: Json = serde_json::from_str(&item.data).unwrap();
            let text = data["demonstration"].as_str().unwrap();
            let is_right = data["demonstration_is"] == "right";
            assert_eq!(
                accuracy(&item, text),
                f64::from(is_right),
                "{} {text}",
                item.messages[0].content
            );
            assert!(
                item.messages[0].content.len() <= 90 && text.len() <= 80,
                "{} {text}",
                item.messages[0].content
            );
            right += i32::from(is_right);
        }
        assert!((900..1100).contains(&right), "{right}");
    }
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    for (config, key) in [
        (r#"{"level": 0}"#, "`level`"),
        (r#"{"facts": 40}"#, "`facts`"),
        (r#"{"distractors": 9}"#, "`distractors`"),
        (r#"{"broken": -1.0}"#, "`broken`"),
    ] {
        let error = generator(config).item("train", 0).unwrap_err();
        assert!(error.message().contains(key), "{error}");
    }
}
