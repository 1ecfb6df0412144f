//! What the arithmetic generator gives, judged by the reward that its task uses.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use omni_math_reward::Math;
use omni_quickstart_arithmetic::{Arithmetic, Calculation, Kind};
use omni_sdk::reward::{Group, Item, Reward, Turn, Value};
use omni_sdk::task::Task;
use serde_json::Value as Json;

fn generator(config: &str) -> Arithmetic {
    omni_sdk::config::read(config).unwrap()
}

fn accuracy(item: &Item, text: &str) -> f64 {
    match Math::default().score(&Group::new(item.clone(), &[text]), &[]).unwrap() {
        Turn::Done(mut scores) => match scores.remove(0).remove(0).value {
            Value::Scored(score) => score,
            Value::Undefined(reason) => panic!("{reason}"),
        },
        Turn::Ask(_) => panic!("asks"),
    }
}

#[test]
fn the_same_arguments_give_the_same_items() {
    let task = generator("{}");
    let items = task.items("train", 40, 20).unwrap();
    assert_eq!(items, task.items("train", 40, 20).unwrap());
    assert_eq!(items[7], task.item("train", 47).unwrap());
    assert_ne!(items, generator(r#"{"seed": 1}"#).items("train", 40, 20).unwrap());
}

#[test]
fn no_two_splits_share_a_problem_whatever_the_seed() {
    let mut splits: Vec<HashSet<String>> = Vec::new();
    for split in ["train", "warmup", "validation", "test"] {
        let mut seen = HashSet::new();
        for seed in 0..3 {
            let items = generator(&format!(r#"{{"level": 1, "seed": {seed}}}"#))
                .items(split, 0, 1_000)
                .unwrap();
            seen.extend(items.into_iter().map(|item| item.messages[0].content.clone()));
        }
        splits.push(seen);
    }
    for (at, split) in splits.iter().enumerate() {
        assert!(split.len() > 100, "{} problems", split.len());
        assert!(splits[..at].iter().all(|other| other.is_disjoint(split)));
    }
}

#[test]
fn demonstrations_are_what_they_say() {
    for config in [r#"{"level": 1}"#, "{}", r#"{"level": 3}"#] {
        let mut counts = [0; 3];
        for item in generator(config).items("warmup", 0, 2_000).unwrap() {
            let data: Json = serde_json::from_str(&item.data).unwrap();
            let text = data["demonstration"].as_str().unwrap();
            let is = data["demonstration_is"].as_str().unwrap();
            let right = f64::from(is == "right");
            assert_eq!(accuracy(&item, text), right, "{} {text}", item.messages[0].content);
            assert!(item.messages[0].content.len() <= 20 && text.len() <= 70, "{text}");
            counts[["right", "wrong", "broken"].iter().position(|known| *known == is).unwrap()] +=
                1;
        }
        assert!(
            (900..1100).contains(&counts[0]) && counts[1] > 750 && counts[2] > 100,
            "{counts:?}"
        );
    }
    let only_train = generator("{}").items("train", 0, 50).unwrap();
    assert!(only_train.iter().all(|item| !item.data.contains("demonstration")));
}

#[test]
fn paper_and_pencil() {
    for (calculation, prompt, text) in [
        (Calculation::Add(17, 25), "17+25=?", "<think>7+5=12 1+2+1=4</think><answer>42</answer>"),
        (Calculation::Add(50, 4), "50+4=?", "<think>0+4=4 5+0=5</think><answer>54</answer>"),
        (
            Calculation::Subtract(42, 17),
            "42-17=?",
            "<think>12-7=5 4-1-1=2</think><answer>25</answer>",
        ),
        (
            Calculation::Multiply(7, 23),
            "7*23=?",
            "<think>7*3=21 7*2=14 14+2=16</think><answer>161</answer>",
        ),
        (
            Calculation::Linear { a: 3, x: 5, b: 4, minus: false },
            "3x+4=19 x=?",
            "<think>19-4=15 15/3=5</think><answer>5</answer>",
        ),
        (
            Calculation::Linear { a: 3, x: 5, b: 4, minus: true },
            "3x-4=11 x=?",
            "<think>11+4=15 15/3=5</think><answer>5</answer>",
        ),
    ] {
        assert_eq!(calculation.prompt(), prompt);
        assert_eq!(calculation.solution().text(), text);
        assert!(calculation.mistakes().len() >= 2);
    }
}

#[test]
fn every_kind_has_mistakes_at_every_size() {
    let mut rng = omni_sdk::rng::Rng::new(0);
    for kind in Kind::ALL {
        for _ in 0..20_000 {
            let calculation = Calculation::draw(kind, 99, 9, &mut rng);
            let right = calculation.result().to_string();
            let mistakes = calculation.mistakes();
            assert!(mistakes.len() >= 2, "{}", calculation.prompt());
            assert!(mistakes.iter().all(|wrong| wrong.answer != right));
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    for (config, key) in [
        (r#"{"level": 4}"#, "`level`"),
        (r#"{"max": 500}"#, "`max`"),
        (r#"{"max_factor": 1}"#, "`max_factor`"),
        (r#"{"kinds": []}"#, "`kinds`"),
        (r#"{"wrong": 2.0}"#, "`wrong`"),
    ] {
        let error = generator(config).item("train", 0).unwrap_err();
        assert!(error.message().contains(key), "{error}");
    }
    assert!(omni_sdk::config::read::<Arithmetic>(r#"{"kinds": ["divide"]}"#).is_err());
    assert!(omni_sdk::config::read::<Arithmetic>(r#"{"lvl": 1}"#).is_err());
    assert!(generator("{}").items("tests", 0, 1).unwrap_err().message().contains("tests"));
}
