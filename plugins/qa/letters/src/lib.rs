//! The `letters` reward: 1 if the answer is the letter that stands before the right option in the
//! prompt, else 0.
//!
//! The row's `reference` is the right option's full text, as everywhere; which letter it got is read
//! from the prompt, so that any prompt with lettered options will do.

use omni_sdk::reward::{Component, Error, Group, Item, Reply, Result, Reward, Turn};
use omni_sdk::text::answer;
use serde::Deserialize;

/// The reward. There is nothing to configure.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Letters {}

const ACCURACY: &str = "accuracy";

impl Reward for Letters {
    fn components(&self) -> Vec<String> {
        vec![ACCURACY.to_owned()]
    }

    fn score(&self, group: &Group, _: &[Reply]) -> Result<Turn> {
        let right = Right::of(&group.item);
        let components = group.rollouts.iter().map(|rollout| {
            vec![match &right {
                Ok(right) => {
                    let chosen = answer(&rollout.text).is_some_and(|answer| right.is(answer));
                    Component::scored(ACCURACY, f64::from(chosen))
                }
                Err(reason) => Component::undefined(ACCURACY, reason.message()),
            }]
        });
        Ok(Turn::Done(components.collect()))
    }
}

omni_sdk::export!(reward Letters);

/// The right option of an item.
#[derive(Debug)]
struct Right {
    letter: char,
    text: String,
}

impl Right {
    fn of(item: &Item) -> Result<Self> {
        let unusable = |why: &str| Error::invalid_input(format!("item `{}` {why}", item.id));
        let reference = item.reference.as_deref().ok_or_else(|| unusable("has no `reference`"))?;
        let text = spaced(reference);
        let prompt = item.messages.last().map_or("", |message| message.content.as_str());
        let options = options(prompt);
        let mut found = options.iter().filter(|(_, option)| *option == text);
        match (found.next(), found.next()) {
            (Some((letter, _)), None) => Ok(Self { letter: *letter, text }),
            (Some(_), Some(_)) => Err(unusable("has its reference among its options twice")),
            (None, _) if options.is_empty() => {
                Err(unusable("has no lettered options in its prompt (`A. …`, `B. …`)"))
            }
            (None, _) => Err(unusable("has no option that is its reference")),
        }
    }

    /// Whether an answer names it: the letter alone, whatever stands around it, or with the text
    /// behind it.
    fn is(&self, answer: &str) -> bool {
        let bare = answer.trim().trim_matches(|c: char| "()[]*`'\".:".contains(c)).trim();
        let mut rest = bare.chars();
        let letter = rest.next().map(|c| c.to_ascii_uppercase());
        if letter != Some(self.letter) {
            return false;
        }
        let rest = rest.as_str();
        let behind = rest.trim_start_matches(|c: char| ").:]*".contains(c));
        // Without a mark between them, the letter is a word's first.
        rest.is_empty()
            || (behind.len() < rest.len() || rest.starts_with(char::is_whitespace))
                && spaced(behind) == self.text
    }
}

/// The last run of options in a prompt, from `A` on: letters, and texts with single spaces. A text
/// may go on over lines; an empty line ends it.
fn options(prompt: &str) -> Vec<(char, String)> {
    let mut options: Vec<(char, Vec<&str>)> = Vec::new();
    let mut open = false;
    for line in prompt.lines() {
        let expected = options.last().map_or('A', |(letter, _)| next(*letter));
        match marked(line) {
            Some(('A', text)) => {
                options = vec![('A', vec![text])];
                open = true;
            }
            Some((letter, text)) if letter == expected && !options.is_empty() => {
                options.push((letter, vec![text]));
                open = true;
            }
            _ if line.trim().is_empty() => open = false,
            _ => {
                if let (true, Some((_, lines))) = (open, options.last_mut()) {
                    lines.push(line);
                }
            }
        }
    }
    options.into_iter().map(|(letter, lines)| (letter, spaced(&lines.join(" ")))).collect()
}

/// `C. text`, `C) text` or `(C) text`.
fn marked(line: &str) -> Option<(char, &str)> {
    let line = line.trim_start();
    let bare = line.strip_prefix('(').unwrap_or(line);
    let letter = bare.chars().next().filter(char::is_ascii_uppercase)?;
    let rest = &bare[1..];
    let text = rest.strip_prefix(')').or_else(|| {
        // `(C. text` is none of the three.
        if bare.len() == line.len() { rest.strip_prefix('.') } else { None }
    })?;
    text.starts_with(char::is_whitespace).then(|| (letter, text.trim()))
}

fn next(letter: char) -> char {
    char::from_u32(u32::from(letter) + 1).unwrap_or(letter)
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use omni_sdk::reward::Value;

    fn item(prompt: &str, reference: &str) -> Item {
        Item::new("1", prompt).with_reference(reference)
    }

    fn score(item: Item, text: &str) -> Value {
        let mut scores = match Letters::default().score(&Group::new(item, &[text]), &[]).unwrap() {
            Turn::Done(scores) => scores,
            Turn::Ask(_) => panic!("asks"),
        };
        scores.remove(0).remove(0).value
    }

    const PROMPT: &str = "Which gas do plants take in?\n\nThe answer is one of these:\n\n\
                          A. oxygen\nB. carbon\n   dioxide\nC. helium\n\nAnswer with the letter.";

    #[test]
    fn the_letter_of_the_right_option_is_right() {
        for (answer, right) in [
            ("B", true),
            (" b ", true),
            ("(B)", true),
            ("**B.**", true),
            ("B. carbon dioxide", true),
            ("B) carbon  dioxide", true),
            ("A", false),
            ("carbon dioxide", false),
            ("B. helium", false),
            ("Because", false),
            ("BC", false),
            ("A or B", false),
            ("", false),
        ] {
            let text = format!("<think>B</think><answer>{answer}</answer>");
            let expected = Value::Scored(f64::from(right));
            assert_eq!(score(item(PROMPT, "carbon dioxide"), &text), expected, "{answer}");
        }
        assert_eq!(score(item(PROMPT, "carbon dioxide"), "B"), Value::Scored(0.0), "no tags");
    }

    #[test]
    fn options_of_the_question_itself_are_not_those_that_are_asked_for() {
        let prompt = "Is it\nA. up\nB. down\n\nOptions:\nA) down\nB) up\n";
        assert_eq!(score(item(prompt, "up"), "<answer>B</answer>"), Value::Scored(1.0));
        assert_eq!(options("A. 1\n(B) 2\nC) 3\nE. 5").len(), 3, "D is missing");
        assert_eq!(options("An apple.\nB. pear"), []);
    }

    #[test]
    fn a_prompt_without_the_right_option_is_no_fault_of_the_answer() {
        for (prompt, word) in [
            ("Which gas?", "no lettered options"),
            ("A. oxygen\nB. helium", "no option that is its reference"),
            ("A. neon\nB. neon", "twice"),
        ] {
            match score(item(prompt, "neon"), "<answer>A</answer>") {
                Value::Undefined(reason) => assert!(reason.contains(word), "{reason}"),
                Value::Scored(score) => panic!("{prompt}: {score}"),
            }
        }
    }
}
