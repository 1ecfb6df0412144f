//! Letters of multiple-choice problems.

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
pub fn chooses(letter: char, words: &str) -> bool {
    let mut rest = words.trim().trim_matches(['{', '}']).trim();
    for lead in ["option", "choice", "answer", "the answer is", "answer is", "is", ":"] {
        rest = rest.strip_prefix(lead).unwrap_or(rest).trim_start();
    }
    let marked = rest.starts_with('(') || rest.starts_with('[');
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
    if !separated || (closed && !marked && !after.starts_with(char::is_whitespace)) {
        return false;
    }
    let pieces = after.split(|c: char| !c.is_alphanumeric()).filter(|piece| !piece.is_empty());
    let mut others = pieces.filter(|piece| {
        let mut chars = piece.chars();
        matches!((chars.next(), chars.next()), (Some('A'..='J'), None))
            || matches!(*piece, "or" | "and" | "not")
    });
    others.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_chosen_alone() {
        assert_eq!(letter("(C)"), Some('C'));
        assert_eq!(letter("C"), Some('C'));
        assert_eq!(letter("x"), None);
        for answer in ["C", "c", "(C)", "C.", "(C) 12", "option C", "(c)", "C) 12", "C: twelve"] {
            assert!(chooses('C', answer), "{answer}");
        }
        for answer in ["B", "(B)", "(C) or (D)", "CD", "C12", "not C", "C and D", "Cat"] {
            assert!(!chooses('C', answer), "{answer}");
        }
    }
}
