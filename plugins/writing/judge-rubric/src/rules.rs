//! The rules: what a text's grade is made of.
//!
//! The share of required words that a text holds, less how far it is outside the length (as a share
//! of the nearer bound), less the share of its words that repeat one of the `window` before or,
//! where they are required, any of the twenty before, less its [faults](crate::faults).

use omni_sdk::judge::Comparison;
use serde::Deserialize;

use crate::faults::Faults;
use crate::text::{Text, is_form_of};

/// How many words back a required word counts as repeated.
const REQUIRED_WINDOW: usize = 20;

/// Where no length is given, a text this long is never too short.
const SUBSTANCE: usize = 20;

/// Worse than any text.
const EMPTY: f64 = -99.0;

/// What an item wants of a text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// Words that it must hold.
    pub words: Vec<String>,
    /// The least length, in words.
    pub min_words: usize,
    /// The greatest.
    pub max_words: Option<usize>,
}

/// The rules for one rubric.
#[derive(Debug)]
pub struct Rules<'a> {
    /// The rubric.
    pub wanted: &'a Wanted,
    /// How many words back a word counts as repeated.
    pub window: usize,
}

impl Rules<'_> {
    /// The grades of a comparison's two texts; only their difference means anything.
    pub fn grades(&self, comparison: &Comparison) -> (f64, f64) {
        let wanted: Vec<String> =
            self.wanted.words.iter().map(|word| word.to_lowercase()).collect();
        let (first, second) = (Text::read(&comparison.first), Text::read(&comparison.second));
        let asked: Vec<Text> =
            comparison.conversation.iter().map(|message| Text::read(&message.content)).collect();
        let faults = Faults::new(&wanted, &asked, [&first, &second]);
        let (a, b) = (first.words(), second.words());
        let grade = |text: &Text, own: &[&str], other: &[&str]| {
            if own.is_empty() {
                return EMPTY;
            }
            self.coverage(own, &wanted)
                - self.outside(own.len(), other.len())
                - self.repeated(own, &wanted)
                - faults.of(text)
        };
        (grade(&first, &a, &b), grade(&second, &b, &a))
    }

    /// The share of required words that are there.
    fn coverage(&self, words: &[&str], wanted: &[String]) -> f64 {
        if wanted.is_empty() {
            return 1.0;
        }
        let held = wanted.iter().filter(|wanted| words.iter().any(|word| is_form_of(word, wanted)));
        held.count() as f64 / wanted.len() as f64
    }

    /// How far the length is outside of what is wanted, as a share. Where nothing is said of it, a
    /// text is too short that has not even half the other's words, up to ten.
    fn outside(&self, length: usize, other: usize) -> f64 {
        let open = self.wanted.min_words == 0 && self.wanted.max_words.is_none();
        let minimum = if open { other.min(SUBSTANCE) / 2 } else { self.wanted.min_words };
        let maximum = self.wanted.max_words.unwrap_or(usize::MAX);
        if length < minimum {
            1.0 - length as f64 / minimum as f64
        } else if length > maximum {
            1.0 - maximum as f64 / length as f64
        } else {
            0.0
        }
    }

    /// The share of words that repeat one shortly before.
    fn repeated(&self, words: &[&str], wanted: &[String]) -> f64 {
        let repeats = |at: usize| {
            let required = wanted.iter().any(|wanted| is_form_of(words[at], wanted));
            let window = if required { self.window.max(REQUIRED_WINDOW) } else { self.window };
            words[at.saturating_sub(window)..at].contains(&words[at])
        };
        (1..words.len()).filter(|at| repeats(*at)).count() as f64 / words.len() as f64
    }
}
