//! Whole tournaments against judges that the tests play.

#![expect(clippy::unwrap_used, reason = "tests")]

use omni_sdk::reward::{
    Comparison, Group, Item, Preference, Reply, Request, Reward, Turn, Value, Verdict,
};
use omni_writing_tournament::Tournament;
use proptest::prelude::*;

/// The group of these answers; the reference is `5`.
fn group(answers: &[&str], seed: u32) -> Group {
    let texts: Vec<String> =
        answers.iter().map(|it| format!("<think>99</think><answer>{it}</answer>")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Group { seed, ..Group::new(Item::new("i", "A number.").with_reference("5"), &texts) }
}

/// Prefers the greater number.
fn greater(comparison: &Comparison) -> Reply {
    let number = |text: &str| text.parse::<f64>().unwrap();
    let (first, second) = (number(&comparison.first), number(&comparison.second));
    Reply::Compared(Verdict::Preferred(if first > second {
        Preference::First
    } else if first < second {
        Preference::Second
    } else {
        Preference::Tie
    }))
}

/// Plays to the end: each output's components, and how many comparisons and rounds it took.
fn play(
    config: &str,
    group: &Group,
    judge: impl Fn(&Comparison) -> Reply,
) -> (Vec<Vec<Value>>, usize, usize) {
    let reward: Tournament = omni_sdk::config::read(config).unwrap();
    let mut replies = Vec::new();
    let mut rounds = 0;
    loop {
        match reward.score(group, &replies).unwrap() {
            Turn::Done(lists) => {
                let names = reward.components();
                let values = lists.into_iter().map(|list| {
                    let given: Vec<_> = list.iter().map(|it| it.name.clone()).collect();
                    assert_eq!(given, names);
                    list.into_iter().map(|it| it.value).collect()
                });
                return (values.collect(), replies.len(), rounds);
            }
            Turn::Ask(requests) => {
                assert!(!requests.is_empty());
                rounds += 1;
                replies.extend(requests.iter().map(|request| match request {
                    Request::Compare(comparison) => judge(comparison),
                    Request::Execute(_) => panic!("runs a program"),
                }));
            }
        }
    }
}

fn ranks(values: &[Vec<Value>]) -> Vec<f64> {
    let rank = |list: &Vec<Value>| match list[0] {
        Value::Scored(score) => score,
        Value::Undefined(_) => f64::NAN,
    };
    values.iter().map(rank).collect()
}

const FORMATS: [&str; 3] = ["elimination", "swiss", "round-robin"];

#[test]
fn the_best_is_first_and_the_worst_last() {
    let answers = ["3", "8", "1", "6", "4", "7", "2", "9"];
    for format in FORMATS {
        for seed in 0..20 {
            let config = format!(r#"{{"format": "{format}"}}"#);
            let (values, asked, rounds) = play(&config, &group(&answers, seed), greater);
            let ranks = ranks(&values);
            assert_eq!(ranks[7], 1.0, "{format} {ranks:?}");
            assert!(ranks[2] <= 0.25, "{format} {ranks:?}");
            assert!(ranks[1] > ranks[6] && ranks[5] > ranks[2], "{format} {ranks:?}");
            assert!((ranks.iter().sum::<f64>() - 4.0).abs() < 1e-9, "{format}: the mean is a half");
            let preferences: Vec<_> = values.iter().map(|list| list[1].clone()).collect();
            assert_eq!(preferences[0], Value::Scored(0.0));
            assert_eq!(preferences[1], Value::Scored(1.0));
            let most = match format {
                "elimination" => (8 + 7, 4),
                "swiss" => (8 + 12, 4),
                _ => (8 + 28, 2),
            };
            assert_eq!((asked, rounds), most, "{format}");
        }
    }
}

#[test]
fn a_round_robin_is_the_whole_order() {
    let (values, asked, _) = play(
        r#"{"format": "round-robin", "reference": "none"}"#,
        &group(&["3", "1", "2"], 0),
        greater,
    );
    assert_eq!((ranks(&values), asked), (vec![1.0, 0.0, 0.5], 3));
    assert_eq!(values[0].len(), 1, "there is no preference without an anchor");
}

#[test]
fn equals_share_their_place() {
    for format in FORMATS {
        let config = format!(r#"{{"format": "{format}", "reference": "none"}}"#);
        // Equal texts enter once; different ones that the judge finds equal tie.
        for seed in 0..10 {
            let tied = ["2", "2.0", "2.00", "2.000"];
            let (values, _, _) = play(&config, &group(&tied, seed), greater);
            assert_eq!(ranks(&values), [0.5; 4], "{format}");
            let (values, asked, _) = play(&config, &group(&["1", "3", "1", "3"], seed), greater);
            assert_eq!(ranks(&values), [1.0 / 6.0, 5.0 / 6.0, 1.0 / 6.0, 5.0 / 6.0], "{format}");
            assert_eq!(asked, 1, "{format}");
        }
    }
}

#[test]
fn empty_outputs_lose_without_being_asked_about() {
    for format in FORMATS {
        let config = format!(r#"{{"format": "{format}"}}"#);
        let mut some = group(&["7", "", "3"], 1);
        some.rollouts[0].text = "no tags, 9".to_owned();
        let (values, asked, _) = play(&config, &some, greater);
        assert_eq!(ranks(&values), [0.0, 0.0, 1.0], "{format}");
        assert_eq!(values[1][1], Value::Scored(0.0));
        assert_eq!(asked, 1, "{format}: the anchor alone");
        let (values, asked, _) = play(&config, &group(&["", ""], 1), greater);
        assert_eq!((ranks(&values), asked), (vec![0.0, 0.0], 0), "{format}");
    }
}

#[test]
fn the_reference_can_take_part() {
    for format in FORMATS {
        let config = format!(r#"{{"format": "{format}", "reference": "participant"}}"#);
        let of = |answers: &[&str]| ranks(&play(&config, &group(answers, 2), greater).0);
        assert_eq!(of(&["9"]), [1.0], "{format}");
        assert_eq!(of(&["1"]), [0.0], "{format}");
        assert_eq!(of(&["5"]), [0.5], "{format}");
        let both = of(&["9", "1"]);
        assert_eq!(both[0], 1.0, "{format}");
        assert!(both[1] < 0.5, "{format} {both:?}");
    }
    let (values, _, _) = play("{}", &group(&["9"], 2), greater);
    assert_eq!(values[0], [Value::Scored(0.5), Value::Scored(1.0)], "alone, but for the anchor");
}

#[test]
fn an_output_without_a_verdict_is_undefined_and_not_last() {
    let answers = ["3", "8", "1", "6", "4"];
    for format in FORMATS {
        for seed in 0..20 {
            let config = format!(r#"{{"format": "{format}", "reference": "none"}}"#);
            let judge = |comparison: &Comparison| {
                if comparison.first == "8" || comparison.second == "8" {
                    Reply::Compared(Verdict::Undecided("no verdict: hm".to_owned()))
                } else {
                    greater(comparison)
                }
            };
            let (values, _, _) = play(&config, &group(&answers, seed), judge);
            let Value::Undefined(why) = &values[1][0] else { panic!("{format} {values:?}") };
            assert!(why.contains("no verdict: hm"), "{why}");
            let defined: Vec<f64> =
                ranks(&values).into_iter().filter(|rank| !rank.is_nan()).collect();
            assert!(defined.len() >= 2, "{format}: others are placed {values:?}");
            assert!((defined.iter().sum::<f64>() / defined.len() as f64 - 0.5).abs() < 1e-9);

            let failed = |_: &Comparison| Reply::Failed("429 that stays".to_owned());
            let (values, _, _) = play(&config, &group(&answers, seed), failed);
            for value in values.iter().flatten() {
                assert_eq!(*value, Value::Undefined("429 that stays".to_owned()), "{format}");
            }
        }
    }
}

#[test]
fn an_anchor_that_says_nothing_leaves_the_ranks() {
    let judge = |comparison: &Comparison| {
        if comparison.first == "5" || comparison.second == "5" {
            Reply::Failed("cut off".to_owned())
        } else {
            greater(comparison)
        }
    };
    let (values, _, _) = play("{}", &group(&["3", "8", "1"], 4), judge);
    assert_eq!(values[1], [Value::Scored(1.0), Value::Undefined("cut off".to_owned())]);
}

#[test]
fn either_text_stands_first() {
    let answers: Vec<String> = (10..42).map(|n| n.to_string()).collect();
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    let first = std::cell::Cell::new(0);
    let (_, asked, _) = play("{}", &group(&answers, 3), |comparison| {
        assert!(!comparison.first.contains('<') && !comparison.second.contains("99"));
        if comparison.second == "5" {
            first.set(first.get() + 1);
        }
        greater(comparison)
    });
    assert_eq!(asked, 32 + 31);
    assert!((8..=24).contains(&first.get()), "{} of 32 stand first", first.get());
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let read = |config: &str| omni_sdk::config::read::<Tournament>(config);
    assert!(read(r#"{"format": "league"}"#).is_err());
    let rounds = read(r#"{"rounds": 3}"#).unwrap().score(&group(&["1"], 0), &[]).unwrap_err();
    assert!(rounds.message().contains("`config.rounds`"), "{rounds}");
    let mut none = group(&["1", "2"], 0);
    none.item.reference = None;
    assert!(read("{}").unwrap().score(&none, &[]).is_err());
    assert!(read(r#"{"reference": "none"}"#).unwrap().score(&none, &[]).is_ok());
    let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let error = read(r#"{"format": "round-robin", "reference": "none"}"#).unwrap();
    let error = error.score(&group(&many, 0), &[]).unwrap_err();
    assert!(error.message().contains("19900 comparisons"), "{error}");
}

proptest! {
    #[test]
    fn any_judge_gives_scores_between_0_and_1(
        answers in prop::collection::vec("[0-9]{0,2}", 1..20),
        verdicts in prop::collection::vec(0..4_u8, 64),
        seed in any::<u32>(),
        format in 0..3_usize,
        reference in 0..3_usize,
    ) {
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let reference = ["anchor", "participant", "none"][reference];
        let config = format!(r#"{{"format": "{}", "reference": "{reference}"}}"#, FORMATS[format]);
        let next = std::cell::Cell::new(0);
        let judge = |_: &Comparison| {
            next.set(next.get() + 1);
            Reply::Compared(match verdicts[next.get() % verdicts.len()] {
                0 => Verdict::Preferred(Preference::First),
                1 => Verdict::Preferred(Preference::Second),
                2 => Verdict::Preferred(Preference::Tie),
                _ => Verdict::Undecided("x".to_owned()),
            })
        };
        let (values, _, rounds) = play(&config, &group(&answers, seed), judge);
        prop_assert!(rounds <= 6);
        for list in &values {
            for value in list {
                if let Value::Scored(score) = value {
                    prop_assert!((0.0..=1.0).contains(score));
                }
            }
        }
    }
}
