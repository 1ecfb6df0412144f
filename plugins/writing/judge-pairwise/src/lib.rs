//! The `judge-pairwise` judge: asks a model which of two texts is better.
//!
//! The model gives its reasons first and ends with one of three verdicts; what counts as one is
//! read by [`parse_verdict`]. With `swap` it is asked twice, in both orders, and a disagreement is
//! a tie. Without, which text stands first is up to whoever asks for the comparison. The prompts
//! are files of the pack; the texts in them stand between marks that they cannot know. A failed
//! answer, and one without a verdict, leaves the comparison undecided.

use omni_sdk::judge::{
    Answer, Comparison, Error, Judge, Preference, Question, Result, Turn, Verdict,
};
use omni_writing_judging::prompt::Prompt;
use omni_writing_judging::quote::Quotes;
use omni_writing_judging::shown::{Shown, is_single, rubric};
use serde::Deserialize;

pub use omni_writing_judging::reply::{Unread, parse_verdict};

/// What may stand in a prompt.
const KNOWN: [&str; 6] = ["question", "conversation", "rubric", "first", "second", "mark"];

/// The judge and its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pairwise {
    /// Whether each comparison is asked in both orders; verdicts that disagree are then a tie.
    swap: bool,
    /// The temperature of the model's answers.
    temperature: f32,
    /// The longest answer, in tokens, reasons included.
    max_tokens: u32,
    /// The prompt for a request in one message.
    prompt: String,
    /// The prompt for a conversation of several messages.
    prompt_turns: String,
    /// The prompt where there is a rubric.
    prompt_rubric: String,
}

impl Default for Pairwise {
    fn default() -> Self {
        Self {
            swap: false,
            temperature: 0.4,
            max_tokens: 1024,
            prompt: String::new(),
            prompt_turns: String::new(),
            prompt_rubric: String::new(),
        }
    }
}

impl Judge for Pairwise {
    fn decide(&self, comparisons: &[Comparison], answers: &[Answer], seed: u32) -> Result<Turn> {
        self.check()?;
        let asked: Vec<bool> = comparisons.iter().map(|it| outright(it).is_none()).collect();
        let each = if self.swap { 2 } else { 1 };
        let wanted = each * asked.iter().filter(|asked| **asked).count();
        if answers.is_empty() && wanted > 0 {
            let mut questions = Vec::with_capacity(wanted);
            for (comparison, _) in comparisons.iter().zip(&asked).filter(|(_, asked)| **asked) {
                questions.push(self.question(comparison, seed)?);
                if self.swap {
                    questions.push(self.question(&swapped(comparison), seed)?);
                }
            }
            return Ok(Turn::Ask(questions));
        }
        if answers.len() != wanted {
            let message = format!("{} answers to {wanted} questions", answers.len());
            return Err(Error::internal(message));
        }
        let mut answers = answers.chunks(each);
        let verdicts = comparisons.iter().map(|comparison| match outright(comparison) {
            Some(preference) => Verdict::Preferred(preference),
            None => verdict(answers.next().unwrap_or_default()),
        });
        Ok(Turn::Done(verdicts.collect()))
    }
}

omni_sdk::export!(judge Pairwise);

impl Pairwise {
    fn check(&self) -> Result<()> {
        if !(0.0..=2.0).contains(&self.temperature) {
            let given = self.temperature;
            return Err(Error::invalid_input(format!(
                "`config.temperature`: {given} is none; it lies between 0 and 2"
            )));
        }
        if self.max_tokens == 0 {
            let message = "`config.max_tokens`: an answer needs at least one token";
            return Err(Error::invalid_input(message));
        }
        // One that is missing is wrong only where a comparison wants it.
        for (key, text) in self.prompts().into_iter().filter(|(_, text)| !text.trim().is_empty()) {
            prompt(key, text)?;
        }
        Ok(())
    }

    fn prompts(&self) -> [(&'static str, &str); 3] {
        [
            ("prompt", &self.prompt),
            ("prompt_turns", &self.prompt_turns),
            ("prompt_rubric", &self.prompt_rubric),
        ]
    }

    fn question(&self, comparison: &Comparison, seed: u32) -> Result<Question> {
        let [single, turns, with_rubric] = self.prompts();
        let (key, text) = if rubric(comparison).is_some() {
            with_rubric
        } else if is_single(comparison) {
            single
        } else {
            turns
        };
        let prompt = prompt(key, text)?;
        let mut texts = vec![comparison.first.as_str(), comparison.second.as_str()];
        texts.extend(comparison.conversation.iter().map(|message| message.content.as_str()));
        texts.extend(comparison.rubric.as_deref());
        let quotes = Quotes::new(seed, &texts);
        let shown = Shown::new(comparison, &quotes);
        let messages = prompt.fill(&[
            ("question", &shown.question),
            ("conversation", &shown.conversation),
            ("rubric", &shown.rubric),
            ("first", &quotes.quote("text A", &comparison.first)),
            ("second", &quotes.quote("text B", &comparison.second)),
            ("mark", quotes.mark()),
        ]);
        Ok(Question { messages, max_tokens: self.max_tokens, temperature: self.temperature })
    }
}

fn prompt<'a>(key: &str, text: &'a str) -> Result<Prompt<'a>> {
    Prompt::read(key, text, &KNOWN, &["first", "second"])
}

/// What needs no model: equal texts are a tie, and nothing is worse than anything.
fn outright(comparison: &Comparison) -> Option<Preference> {
    match (comparison.first.trim(), comparison.second.trim()) {
        (first, second) if first == second => Some(Preference::Tie),
        ("", _) => Some(Preference::Second),
        (_, "") => Some(Preference::First),
        _ => None,
    }
}

fn swapped(comparison: &Comparison) -> Comparison {
    Comparison {
        first: comparison.second.clone(),
        second: comparison.first.clone(),
        ..comparison.clone()
    }
}

/// One verdict of the answers in each order.
fn verdict(answers: &[Answer]) -> Verdict {
    // What the host could not do comes first, in its own words: it tells faults apart by them.
    for answer in answers {
        if let Answer::Failed(why) = answer {
            return Verdict::Undecided(why.clone());
        }
    }
    let mut agreed = None;
    for (order, answer) in answers.iter().enumerate() {
        let Answer::Text(reply) = answer else { continue };
        let preference = match (parse_verdict(reply), order) {
            (Ok(preference), 0) => preference,
            (Ok(preference), _) => turned(preference),
            (Err(why), 0) => return Verdict::Undecided(why.to_string()),
            (Err(why), _) => {
                return Verdict::Undecided(format!("asked in the other order: {why}"));
            }
        };
        agreed = match agreed {
            Some(before) if before != preference => Some(Preference::Tie),
            _ => Some(preference),
        };
    }
    agreed.map_or_else(
        || Verdict::Undecided("the model was not asked".to_owned()),
        Verdict::Preferred,
    )
}

/// The same preference, seen with the texts the other way round.
fn turned(preference: Preference) -> Preference {
    match preference {
        Preference::First => Preference::Second,
        Preference::Tie => Preference::Tie,
        Preference::Second => Preference::First,
    }
}
