//! The `judge-rubric` judge: grades two texts, and prefers the better grade.
//!
//! By rules, asking no model, unless `model = true`. The rubric is then a JSON object: `words` that
//! a text must hold (whole words, whatever their case, and together with common endings: a required
//! `cat` is found in `cats`), `min_words` and `max_words` for its length. [`rules`] says what a
//! text's grade is, and [`faults`] what it loses for the ways by which a policy would get words and
//! length without writing. With `model = true` a model grades each text by whatever the rubric
//! says; see [`graded`].
//!
//! Grades closer than `margin` are a tie.

pub mod faults;
pub mod graded;
pub mod rules;
pub mod text;

use omni_sdk::judge::{Answer, Comparison, Judge, Preference, Result, Turn, Verdict};
use omni_writing_judging::shown::rubric;
use serde::Deserialize;

use graded::Graded;
use rules::{Rules, Wanted};

pub use omni_writing_judging::reply::parse_grade;

/// The judge and its configuration.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rubric {
    /// Grades closer than this are a tie: in shares of the whole by rules, in points of ten by a
    /// model.
    margin: f64,
    /// How many words back a word counts as repeated.
    window: usize,
    /// Whether a model grades the texts.
    model: bool,
    /// The prompt for it.
    prompt: String,
    /// The temperature of its answers.
    temperature: f32,
    /// Its longest answer, in tokens, reasons included.
    max_tokens: u32,
}

impl Default for Rubric {
    fn default() -> Self {
        Self {
            margin: 0.05,
            window: 3,
            model: false,
            prompt: String::new(),
            temperature: 0.4,
            max_tokens: 1024,
        }
    }
}

impl Judge for Rubric {
    fn compare(&self, comparison: &Comparison) -> Result<Verdict> {
        let wanted: Wanted =
            match rubric(comparison).map_or(Ok(Wanted::default()), serde_json::from_str) {
                Ok(wanted) => wanted,
                Err(error) => {
                    return Ok(Verdict::Undecided(format!(
                        "the rubric is not one that judge-rubric reads by its rules: {error}"
                    )));
                }
            };
        let rules = Rules { wanted: &wanted, window: self.window };
        let (first, second) = rules.grades(comparison);
        Ok(self.verdict(first, second))
    }

    fn decide(&self, comparisons: &[Comparison], answers: &[Answer], seed: u32) -> Result<Turn> {
        if self.model {
            let graded = Graded {
                prompt: &self.prompt,
                temperature: self.temperature,
                max_tokens: self.max_tokens,
            };
            return graded.decide(comparisons, answers, seed, |a, b| self.verdict(a, b));
        }
        let verdicts = comparisons.iter().map(|comparison| self.compare(comparison));
        Ok(Turn::Done(verdicts.collect::<Result<_>>()?))
    }
}

omni_sdk::export!(judge Rubric);

impl Rubric {
    fn verdict(&self, first: f64, second: f64) -> Verdict {
        let difference = first - second;
        Verdict::Preferred(if difference.abs() < self.margin {
            Preference::Tie
        } else if difference > 0.0 {
            Preference::First
        } else {
            Preference::Second
        })
    }
}
