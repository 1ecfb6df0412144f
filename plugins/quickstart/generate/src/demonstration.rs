//! Demonstrations for the warm-up: right ones, and wrong ones that a policy can unlearn.
//!
//! A policy warmed up on a mixture of both knows how to be right and is so only sometimes, which
//! is where reinforcement learning starts from.

use omni_sdk::task::Rng;

use crate::Common;

/// Thoughts and an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// What stands in `<think>`.
    pub think: String,
    /// What stands in `<answer>`.
    pub answer: String,
}

impl Solution {
    /// Thoughts and an answer.
    pub fn new(think: impl Into<String>, answer: impl Into<String>) -> Self {
        Self { think: think.into(), answer: answer.into() }
    }

    /// The text in the form that is wanted.
    pub fn text(&self) -> String {
        format!("<think>{}</think><answer>{}</answer>", self.think, self.answer)
    }
}

/// A solution in a form that no answer can be read from.
pub fn broken(solution: &Solution, rng: &mut Rng) -> String {
    let Solution { think, answer } = solution;
    match rng.below(5) {
        0 => format!("<think>{think}<answer>{answer}</answer>"),
        1 => format!("<think>{think}</think>{answer}</answer>"),
        2 => format!("<think>{think}</think><answer>{answer}"),
        3 => format!("<think>{think}</think>{answer}"),
        _ => format!("<think>{think}</think>"),
    }
}

/// A demonstration and what it is: `right`, `wrong` or `broken`.
pub(crate) fn demonstrate(
    common: &Common,
    right: &Solution,
    wrong: &[Solution],
    rng: &mut Rng,
) -> (String, &'static str) {
    if !rng.chance(common.wrong) {
        return (right.text(), "right");
    }
    match rng.choose(wrong) {
        Some(wrong) if !rng.chance(common.broken) => (wrong.text(), "wrong"),
        _ => (broken(right, rng), "broken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omni_sdk::text::{answer, has_format};

    #[test]
    fn a_broken_form_has_no_answer() {
        let solution = Solution::new("1+1=2", "2");
        assert!(has_format(&solution.text()));
        let mut rng = Rng::new(1);
        for _ in 0..50 {
            let text = broken(&solution, &mut rng);
            assert!(!has_format(&text) && answer(&text).is_none(), "{text}");
        }
    }
}
