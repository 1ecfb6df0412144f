//! What the rules prefer, and that no cheat is preferred to an honest text.

#![expect(clippy::unwrap_used, reason = "tests")]

use omni_judge_rubric::Rubric;
use omni_sdk::judge::{Comparison, Judge, Message, Preference, Role, Verdict};

const RUBRIC: &str = r#"{"words": ["cat", "red", "play"], "min_words": 4, "max_words": 10}"#;

fn verdict(prompt: &str, rubric: Option<&str>, first: &str, second: &str) -> Verdict {
    let comparison = Comparison {
        conversation: vec![Message { role: Role::User, content: prompt.to_owned() }],
        first: first.to_owned(),
        second: second.to_owned(),
        rubric: rubric.map(str::to_owned),
        judge: None,
    };
    Rubric::default().compare(&comparison).unwrap()
}

/// Asserts that one text wins, wherever it stands.
fn wins(prompt: &str, rubric: Option<&str>, good: &str, worse: &str) {
    let first = verdict(prompt, rubric, good, worse);
    assert_eq!(first, Verdict::Preferred(Preference::First), "{good} / {worse}");
    let second = verdict(prompt, rubric, worse, good);
    assert_eq!(second, Verdict::Preferred(Preference::Second), "{good} / {worse}");
}

#[test]
fn the_better_text_wins_wherever_it_stands() {
    let good = "The red cat plays here.";
    for worse in [
        "The red dog plays here.",
        "The red cats play here and here and here and here and here.",
        "Red cat play.",
        "The the the red red cat plays.",
        "Red cat play. Red cat play.",
        "scatter redder playful things",
        "",
        "...",
    ] {
        wins("", Some(RUBRIC), good, worse);
    }
    let equal = verdict("", Some(RUBRIC), good, "A red cat likes to PLAY.");
    assert_eq!(equal, Verdict::Preferred(Preference::Tie));
}

/// Texts that hold every word of a short rubric and are no text.
#[test]
fn words_without_a_text_do_not_beat_the_reference() {
    let prompt = "Write: red, cat, play, dog.";
    let rubric = r#"{"words": ["red", "cat", "play", "dog"], "min_words": 6, "max_words": 12}"#;
    // As the quickstart's references, it lacks a word.
    let reference = "The red cat plays with a king.";
    for cheat in [
        "red cat play dog one two three four",
        "Red cat play dog very well all day.",
        "Red, cat, play, dog, and so on and on.",
        "red and cat and play and dog for a king",
        "Write: red, cat, play, dog. Write it now.",
        "A fine day came. Red cat play dog.",
        "red\ncat\nplay\ndog\nvery\nwell",
        "- red\n- cat\n- play\n- dog\n- and more\n- and more",
        "Red. Cat. Play. Dog. Very well.",
        "Red cat dog play the of a.",
        "the red the cat the play the dog",
        "Red blue cat green play pink dog grey.",
        "red cat play dog the king",
    ] {
        wins(prompt, Some(rubric), reference, cheat);
    }
    for honest in ["The red cat plays with a dog.", "Our dog can play near the red cat."] {
        wins(prompt, Some(rubric), honest, reference);
    }
}

const REQUEST: &str = "Write a short story of about a hundred words about a lighthouse keeper who \
                       finds a letter in a bottle. Use the words storm, lamp, letter and morning.";
const LONG_RUBRIC: &str =
    r#"{"words": ["storm", "lamp", "letter", "morning"], "min_words": 60, "max_words": 140}"#;
const STORY: &str = "The storm had gone by the time Ada climbed down from the lamp room. Below the \
    rocks something green knocked against the stairs, patient as a neighbour. She fished it out \
    with the boathook: a bottle, and in it a letter, its ink run to the colour of tea. It was \
    addressed to nobody. It said only that the writer had seen a light, far off, and had turned \
    the boat towards it. There was no date. Ada read it twice, then went up again and trimmed the \
    wick, though it was broad morning and no ship was due before the evening.";

#[test]
fn padding_copying_and_repeating_do_not_beat_an_honest_text() {
    let sentence = "The storm took the lamp and the letter in the morning. ";
    let filler: String =
        (0..100).map(|n| ["so", "very", "much", "more", "and"][n % 5].to_owned() + " ").collect();
    let honest = STORY.replace("Ada", "Jon").replace("green", "brown");
    // Without two of the words it still is a text.
    let reference = honest.replace("storm", "gale").replace("lamp room", "tower");
    for cheat in [
        "storm lamp letter morning ".repeat(20),
        sentence.repeat(9),
        format!("Storm, lamp, letter, morning. {filler}"),
        format!("{REQUEST} {REQUEST} {REQUEST}"),
        format!("{REQUEST} Storm lamp letter morning. {REQUEST}"),
        "The storm. The lamp. The letter. The morning. ".repeat(10),
        "Storm lamp letter morning keeper bottle light rocks sea wind gull boat. ".repeat(6),
    ] {
        wins(REQUEST, Some(LONG_RUBRIC), &reference, &cheat);
    }
    wins(REQUEST, Some(LONG_RUBRIC), STORY, &reference);
    let equals = verdict(REQUEST, Some(LONG_RUBRIC), STORY, &honest);
    assert_eq!(equals, Verdict::Preferred(Preference::Tie), "{STORY} / {honest}");
}

#[test]
fn honest_forms_are_not_punished() {
    let verse = "I lit the lamp against the storm,\nand kept the letter near,\nand morning came, and \
                 it was warm,\nand nobody was here.";
    let rubric = r#"{"words": ["storm", "lamp", "letter", "morning"]}"#;
    let prose = "I lit the lamp against the storm. The letter stayed near me. Morning came warm, \
                 and there was nobody here but me.";
    for (one, other) in [
        (verse, prose),
        (
            "I bought bread, milk, eggs and tea at the market.",
            "At the market I bought bread, and then milk, eggs and tea.",
        ),
    ] {
        let tie = verdict("", Some(rubric), one, other);
        assert_eq!(tie, Verdict::Preferred(Preference::Tie), "{one} / {other}");
    }
    let german = "Der Sturm war vorbei. Die Lampe brannte noch, und am Morgen kam ein Brief.";
    let other = "Am Morgen kam ein Brief. Sturm und Regen waren vorbei, aber die Lampe brannte.";
    assert_eq!(verdict("", None, german, other), Verdict::Preferred(Preference::Tie));
}

#[test]
fn without_a_rubric_form_counts() {
    wins("", None, "a fine day", "fine fine fine");
    assert_eq!(verdict("", None, "a fine day", "a bad day"), Verdict::Preferred(Preference::Tie));
    wins(REQUEST, None, STORY, "Yes.");
    wins(REQUEST, None, STORY, REQUEST);
    wins(REQUEST, None, STORY, &"It was a dark night and the sea was loud. ".repeat(12));
}

#[test]
fn a_rubric_for_another_judge_is_undecided() {
    for rubric in ["be kind", r#"{"wrds": []}"#, r#"{"words": "cat"}"#] {
        let verdict = verdict("", Some(rubric), "a", "b");
        assert!(matches!(verdict, Verdict::Undecided(_)), "{rubric}");
    }
}
