//! Letters of multiple-choice problems.

use crate::prose::takes_back;

/// The letter that a reference is, when it is one: `B`, `(B)`, `\text{(B)}`, in the form that
/// [`crate::lex::spelled`] gives it.
pub fn letter(spelled: &str) -> Option<char> {
    let bare = spelled.trim();
    let bare = bare.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(bare);
    let mut chars = bare.chars();
    match (chars.next(), chars.next()) {
        (Some(letter @ 'A'..='J'), None) => Some(letter),
        _ => None,
    }
}

/// Whether an answer chooses this letter, and no other: `b`, `(B)`, `B.`, `(B) 12`, `Option B`.
pub fn chooses(letter: char, spelled: &str) -> bool {
    let mut rest = spelled.trim().trim_matches(['{', '}', '*']).trim();
    for lead in
        ["the ", "The ", "option", "Option", "choice", "Choice", "answer", "Answer", " is ", ":"]
    {
        rest = rest.strip_prefix(lead).unwrap_or(rest);
    }
    let rest = rest.trim_start();
    let rest = rest.trim_start_matches(['(', '[']);
    let mut chars = rest.chars();
    if chars.next().is_none_or(|first| !first.eq_ignore_ascii_case(&letter)) {
        return false;
    }
    let rest = chars.as_str();
    let closed = rest.starts_with([')', ']']);
    let after = rest.trim_start_matches([')', ']', '.', ':']);
    if after.trim().is_empty() {
        return true;
    }
    // "(B) 12", "B. 12": the letter, and what stands beside it in the list of choices.
    let separated = closed || rest.starts_with(['.', ':']);
    if !separated || takes_back(after) || after.contains(['(', '[', '/', '∨', '∧']) {
        return false;
    }
    let mut pieces = after.split(|c: char| !c.is_alphanumeric());
    !pieces.any(|piece| {
        let mut chars = piece.chars();
        matches!((chars.next(), chars.next()), (Some('A'..='J'), None))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_chosen_alone() {
        assert_eq!(letter("(C)"), Some('C'));
        assert_eq!(letter("C"), Some('C'));
        assert_eq!(letter("x"), None);
        for answer in ["C", "c", "(C)", "C.", "(C)12", "option C", "(c)", "C) 12", "C: twelve"] {
            assert!(chooses('C', answer), "{answer}");
        }
        for answer in [
            "B",
            "(B)",
            "(C) or (D)",
            "CD",
            "C12",
            "not C",
            "C and D",
            "Cat",
            "(C) is wrong",
            "(C)(A)",
            "(C) no, (D)",
        ] {
            assert!(!chooses('C', answer), "{answer}");
        }
    }
}
