//! The `judge-rubric` judge: compares two texts by rules, and asks no model.
//!
//! The rubric is a JSON object: `words` that a text must hold (whole words, whatever their case,
//! and together with common endings: a required `cat` is found in `cats`), `min_words` and
//! `max_words` for its length. Without a rubric the length is free and repetition alone counts.
//!
//! A text's grade is the share of required words it holds, less how far it is outside the length
//! (as a share of the nearer bound), less the share of its words that repeat one of the `window`
//! before or, where they are required, any of the twenty before: lists of them said twice gain nothing.
//! The better grade wins; grades closer than `margin` are a tie.

use omni_sdk::judge::{Comparison, Judge, Preference, Result, Verdict};
use serde::Deserialize;

/// The judge and its configuration.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rubric {
    /// Grades closer than this are a tie.
    margin: f64,
    /// How many words back a word counts as repeated.
    window: usize,
}

impl Default for Rubric {
    fn default() -> Self {
        Self { margin: 0.05, window: 3 }
    }
}

/// How many words back a required word counts as repeated.
const REQUIRED_WINDOW: usize = 20;

/// What an item wants of a text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    words: Vec<String>,
    min_words: usize,
    max_words: Option<usize>,
}

impl Judge for Rubric {
    fn compare(&self, comparison: &Comparison) -> Result<Verdict> {
        let rubric =
            comparison.rubric.as_deref().map(str::trim).filter(|rubric| !rubric.is_empty());
        let wanted: Wanted = match rubric.map_or(Ok(Wanted::default()), serde_json::from_str) {
            Ok(wanted) => wanted,
            Err(error) => {
                return Ok(Verdict::Undecided(format!(
                    "the rubric is not one that judge-rubric reads: {error}"
                )));
            }
        };
        let difference =
            self.grade(&comparison.first, &wanted) - self.grade(&comparison.second, &wanted);
        Ok(Verdict::Preferred(if difference.abs() < self.margin {
            Preference::Tie
        } else if difference > 0.0 {
            Preference::First
        } else {
            Preference::Second
        }))
    }
}

omni_sdk::export!(judge Rubric);

impl Rubric {
    fn grade(&self, text: &str, wanted: &Wanted) -> f64 {
        let words: Vec<String> = text
            .split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        // Worse than any text.
        if words.is_empty() {
            return -3.0;
        }
        let held = wanted
            .words
            .iter()
            .filter(|wanted| words.iter().any(|word| is_form_of(word, &wanted.to_lowercase())))
            .count();
        let coverage =
            if wanted.words.is_empty() { 1.0 } else { held as f64 / wanted.words.len() as f64 };
        let maximum = wanted.max_words.unwrap_or(usize::MAX);
        let outside = if words.len() < wanted.min_words {
            1.0 - words.len() as f64 / wanted.min_words as f64
        } else if words.len() > maximum {
            1.0 - maximum as f64 / words.len() as f64
        } else {
            0.0
        };
        let repeats = |at: usize| {
            let required =
                wanted.words.iter().any(|wanted| is_form_of(&words[at], &wanted.to_lowercase()));
            let window = if required { self.window.max(REQUIRED_WINDOW) } else { self.window };
            words[at.saturating_sub(window)..at].contains(&words[at])
        };
        let repeated = (1..words.len()).filter(|at| repeats(*at)).count();
        coverage - outside - repeated as f64 / words.len() as f64
    }
}

/// Whether a word is the wanted one, perhaps with a regular ending.
fn is_form_of(word: &str, wanted: &str) -> bool {
    let Some(ending) = word.strip_prefix(wanted) else { return false };
    matches!(ending, "" | "s" | "es" | "d" | "ed" | "ing" | "'s" | "ly")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUBRIC: &str = r#"{"words": ["cat", "red", "play"], "min_words": 4, "max_words": 10}"#;

    fn verdict(rubric: Option<&str>, first: &str, second: &str) -> Verdict {
        let comparison = Comparison {
            conversation: Vec::new(),
            first: first.to_owned(),
            second: second.to_owned(),
            rubric: rubric.map(str::to_owned),
            judge: None,
        };
        Rubric::default().compare(&comparison).unwrap()
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
            assert_eq!(
                verdict(Some(RUBRIC), good, worse),
                Verdict::Preferred(Preference::First),
                "{worse}"
            );
            assert_eq!(
                verdict(Some(RUBRIC), worse, good),
                Verdict::Preferred(Preference::Second),
                "{worse}"
            );
        }
        assert_eq!(
            verdict(Some(RUBRIC), good, "A red cat likes to PLAY."),
            Verdict::Preferred(Preference::Tie)
        );
    }

    #[test]
    fn without_a_rubric_repetition_counts() {
        assert_eq!(
            verdict(None, "a fine day", "fine fine fine"),
            Verdict::Preferred(Preference::First)
        );
        assert_eq!(verdict(None, "a fine day", "a bad day"), Verdict::Preferred(Preference::Tie));
    }

    #[test]
    fn a_rubric_for_another_judge_is_undecided() {
        for rubric in ["be kind", r#"{"wrds": []}"#, r#"{"words": "cat"}"#] {
            assert!(matches!(verdict(Some(rubric), "a", "b"), Verdict::Undecided(_)), "{rubric}");
        }
    }
}
