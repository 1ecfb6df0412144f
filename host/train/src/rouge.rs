//! ROUGE-L: how much of two texts is the same in the same order. METHOD section 7 measures the
//! diversity of writing by it.
//!
//! The tokens are those of `rouge_score` without its stemmer: lower case, every run of characters
//! other than a–z and 0–9 a space. A text of another script has no tokens, and scores 0.

use std::collections::HashMap;

/// Precision, recall and F measure, each in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeL {
    /// Longest common subsequence / tokens of the prediction.
    pub precision: f64,
    /// Longest common subsequence / tokens of the target.
    pub recall: f64,
    /// Their harmonic mean.
    pub f_measure: f64,
}

/// ROUGE-L of a prediction with its target; 0 where either has no tokens.
#[must_use]
pub fn rouge_l(target: &str, prediction: &str) -> RougeL {
    // Lower case first: a few capitals outside of ASCII, such as the Kelvin sign, have letters of
    // ASCII as their lower case, and rouge_score keeps those.
    let (target, prediction) = (target.to_lowercase(), prediction.to_lowercase());
    let (target, prediction) = (tokens(&target), tokens(&prediction));
    // Numbers compare faster than words; a word that the target lacks is in no subsequence.
    let numbers: HashMap<&str, usize> = target.iter().enumerate().map(|(i, t)| (*t, i)).collect();
    let of = |words: &[&str]| -> Vec<usize> {
        words.iter().filter_map(|word| numbers.get(word).copied()).collect()
    };
    let common = common(&of(&target), &of(&prediction)) as f64;
    if common == 0.0 {
        return RougeL::default();
    }
    let (precision, recall) = (common / prediction.len() as f64, common / target.len() as f64);
    RougeL { precision, recall, f_measure: 2.0 * precision * recall / (precision + recall) }
}

fn tokens(lower: &str) -> Vec<&str> {
    lower
        .split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()))
        .filter(|token| !token.is_empty())
        .collect()
}

/// Length of the longest common subsequence; time is the product of the lengths, memory one row.
fn common(a: &[usize], b: &[usize]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
