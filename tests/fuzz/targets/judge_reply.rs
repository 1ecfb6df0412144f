//! What judging models answer: a verdict is read from the last line alone, and a reply that ends
//! with the other marker is never the same verdict.
#![no_main]

use libfuzzer_sys::fuzz_target;
use omni_judge_pairwise::parse_verdict;
use omni_judge_rubric::parse_grade;

fuzz_target!(|reply: &str| {
    if let Ok(grade) = parse_grade(reply) {
        assert!((100..=1000).contains(&grade), "{grade}");
    }
    if let Ok(verdict) = parse_verdict(reply) {
        // White space behind it does not matter; a second verdict that differs voids it, or is
        // read in its place where the first was quoted.
        assert_eq!(parse_verdict(&format!("{reply}\n \n")), Ok(verdict));
        let verdicts = ["[[A]]", "[[B]]", "[[C]]"]
            .map(|marker| parse_verdict(&format!("{reply}\n{marker}")));
        let same = verdicts.iter().filter(|it| **it == Ok(verdict)).count();
        assert!(same <= 1, "{verdict:?}");
    }
});
