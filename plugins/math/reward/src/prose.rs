//! Answers inside sentences.

use crate::parse::parse;
use crate::syntax::Expr;

/// What an answer is announced by, the clearer first.
const ANNOUNCEMENTS: &[&str] = &[
    "final answer is",
    "final answer:",
    "final answer:**",
    "answer is:",
    "answer is",
    "answer:**",
    "answer**:",
    "answer:",
    "answer =",
    "####",
];

/// What follows the last announcement, up to the end of its sentence.
pub(crate) fn announced(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let (_, start) = ANNOUNCEMENTS
        .iter()
        .filter_map(|lead| lower.rfind(lead).map(|at| (at, at + lead.len())))
        .filter(|(_, end)| !lower[*end..].starts_with(|c: char| c.is_alphabetic()))
        .max_by_key(|(_, end)| *end)?;
    let rest = text[start..].trim_start_matches([':', '*', ' ', '\n', '\t', '=']);
    let sentence = sentence(rest);
    if sentence.is_empty() || matches!(words(sentence).next().as_deref(), Some("not" | "never")) {
        return None;
    }
    // A formula in the sentence is the answer; a unit behind it says nothing.
    if let Some(formula) = first_formula_run(sentence) {
        return Some(formula);
    }
    let sentence = sentence.trim_matches(['*', ' ']);
    Some(readable_start(sentence).unwrap_or(sentence).to_owned())
}

/// The longest beginning of a sentence that reads as mathematics, when the whole does not:
/// "5, I think", "(B) because …".
fn readable_start(sentence: &str) -> Option<&str> {
    if parse(sentence).is_ok() || sentence.len() > 400 {
        return None;
    }
    // "5, I think": what follows the comma is talk.
    if let Some((start, rest)) = sentence.split_once(", ")
        && rest.split(|c: char| !c.is_alphabetic()).any(|word| word.len() > 3)
        && parse(start).is_ok()
    {
        return Some(start);
    }
    let ends: Vec<usize> = sentence
        .char_indices()
        .filter(|(_, c)| matches!(c, ' ' | ',' | ';'))
        .map(|(at, _)| at)
        .collect();
    ends.into_iter().rev().take(64).find_map(|end| {
        let start = sentence[..end].trim_end_matches([',', ';', ' ']);
        let reads = parse(start).is_ok_and(|expr| !matches!(expr, Expr::Text(_) | Expr::Word(_)));
        reads.then_some(start)
    })
}

/// Words that say that a number is not the answer, or not all of it.
const TAKING_BACK: &[&str] = &[
    "not",
    "no",
    "never",
    "isn't",
    "aren't",
    "wasn't",
    "doesn't",
    "don't",
    "didn't",
    "won't",
    "more",
    "less",
    "least",
    "most",
    "dozen",
    "hundred",
    "thousand",
    "million",
    "or",
    "either",
    "maybe",
    "cannot",
    "can't",
    "except",
    "than",
    "neither",
    "nor",
    "wrong",
    "incorrect",
    "false",
    "between",
    "but",
    "double",
    "twice",
    "half",
    "triple",
    "negative",
    "minus",
    "over",
    "under",
    "above",
    "below",
    "up",
    "without",
    "unless",
    "instead",
    "multiple",
    "reciprocal",
    "opposite",
    "fewer",
    "nearly",
    "almost",
];

/// Words behind which an answer stands.
const STATING: &[&str] = &[
    "is",
    "are",
    "be",
    "was",
    "equals",
    "equal",
    "get",
    "gets",
    "have",
    "has",
    "obtain",
    "find",
    "found",
    "gives",
    "give",
    "yields",
    "thus",
    "therefore",
    "so",
    "hence",
    "answer",
    "to",
    "solution",
    "solutions",
    "result",
    "value",
    "exactly",
    "total",
    "that",
];

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphabetic() || matches!(c, '\'' | '’')))
        .filter(|word| !word.is_empty())
        .map(|word| word.replace('’', "'").to_lowercase())
}

/// Whether words make something else of what they speak of.
pub(crate) fn takes_back(text: &str) -> bool {
    words(text).any(|word| TAKING_BACK.contains(&word.as_str()))
}

/// The last formula with those joined to it, where the sentence around states it: behind a word
/// that states, or at the sentence's start.
pub(crate) fn stated_formula(text: &str) -> Option<String> {
    let all = formulas(text);
    let last = all.len().checked_sub(1)?;
    let mut first = last;
    while first > 0 && joins(&text[all[first - 1].end..all[first].start]) {
        first -= 1;
    }
    let (before, behind) = (&text[..all[first].start], &text[all[last].end..]);
    let stated = match words(before).last() {
        None => before.trim().is_empty(),
        Some(word) => {
            let colon = before.trim_end().ends_with([':', '=', ',']);
            (colon || STATING.contains(&word.as_str()))
                && before
                    .trim_end()
                    .ends_with(|c: char| c.is_alphabetic() || matches!(c, ':' | '=' | ','))
        }
    };
    if !stated || before.contains("quare") || takes_back(before) || takes_back(behind) {
        return None;
    }
    last_formula(text)
}

/// Whether a text reads like a sentence with one number in it.
pub(crate) fn is_sentence(text: &str) -> bool {
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || c.is_whitespace() || ".,;:'’\"!?$%()-−/*€£".contains(c));
    let count = words(text).filter(|word| word.len() > 1).count();
    plain && count >= 3 && !takes_back(text)
}

/// Up to the end of the first sentence: a full stop before a space or the end, or a line's end.
fn sentence(text: &str) -> &str {
    let (mut dollars, mut depth) = (false, 0_i32);
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'$' if at == 0 || bytes[at - 1] != b'\\' => dollars = !dollars,
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'\n' if depth <= 0 && (!dollars || bytes.get(at + 1) == Some(&b'\n')) => {
                return text[..at].trim();
            }
            b'!' if at > 0 && bytes[at - 1] == b'\\' => {}
            b'.' | b'!'
                if !dollars
                    && depth <= 0
                    && bytes.get(at + 1).is_none_or(|next| next.is_ascii_whitespace()) =>
            {
                // "5!" keeps its sign at the end.
                let end = if *byte == b'!' { at + 1 } else { at };
                return text[..end].trim();
            }
            _ => {}
        }
    }
    text.trim()
}

/// A formula with its place.
struct Formula<'a> {
    start: usize,
    end: usize,
    inner: &'a str,
}

/// The formulas of a text: `$…$`, `$$…$$`, `\(…\)`, `\[…\]`.
fn formulas(text: &str) -> Vec<Formula<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if let Some((length, end)) = environment(rest) {
            found.push(Formula { start: at, end: at + end, inner: rest[..length].trim() });
            at += end;
            continue;
        }
        let pair = if rest.starts_with("$$") {
            Some(("$$", "$$"))
        } else if rest.starts_with("\\(") {
            Some(("\\(", "\\)"))
        } else if rest.starts_with("\\[") {
            Some(("\\[", "\\]"))
        } else if rest.starts_with('$') {
            Some(("$", "$"))
        } else {
            None
        };
        let Some((open, close)) = pair else {
            // An escaped dollar is money.
            let skip = if rest.starts_with("\\$") { 2 } else { 1 };
            at += skip;
            while at < text.len() && !text.is_char_boundary(at) {
                at += 1;
            }
            continue;
        };
        let body = at + open.len();
        let Some(length) = closing(&text[body..], close) else {
            at = body;
            continue;
        };
        let inner = &text[body..body + length];
        // "$3 and $5" is money.
        let money = open == "$"
            && inner.ends_with(char::is_whitespace)
            && inner.starts_with(|c: char| c.is_ascii_digit())
            && inner.contains(|c: char| c.is_ascii_alphabetic());
        if money || inner.trim().is_empty() {
            at = body;
            continue;
        }
        at = body + length + close.len();
        found.push(Formula { start: body - open.len(), end: at, inner: inner.trim() });
    }
    found
}

/// The length of a displayed environment of equations at the start of a text, with and without
/// what closes it.
fn environment(text: &str) -> Option<(usize, usize)> {
    let name = text.strip_prefix("\\begin{")?.split('}').next()?;
    if !matches!(name.trim_end_matches('*'), "align" | "equation" | "aligned" | "gather") {
        return None;
    }
    let close = format!("\\end{{{name}}}");
    let end = text.find(&close)? + close.len();
    Some((end, end))
}

/// Where a formula closes; a dollar inside braces or behind a backslash does not.
fn closing(text: &str, close: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(close)?;
        let escaped = close.starts_with('$') && text[..at].ends_with('\\');
        if !escaped {
            return Some(at);
        }
        from = at + close.len();
    }
}

/// Whether what stands between two formulas makes them one list.
fn joins(between: &str) -> bool {
    matches!(between.trim(), "," | "and" | "or" | ", and" | ", or" | ";" | "and also")
}

/// Formulas from `last` backwards that are joined to it.
fn run(text: &str, all: &[Formula], last: usize) -> String {
    let mut first = last;
    while first > 0 && joins(&text[all[first - 1].end..all[first].start]) {
        first -= 1;
    }
    all[first..=last].iter().map(|formula| formula.inner).collect::<Vec<_>>().join(", ")
}

fn first_formula_run(text: &str) -> Option<String> {
    let all = formulas(text);
    let mut last = 0;
    all.first()?;
    while last + 1 < all.len() && joins(&text[all[last].end..all[last + 1].start]) {
        last += 1;
    }
    Some(run(text, &all, last))
}

/// The last formula, with those that are joined to it; not a variable's name before a number.
pub(crate) fn last_formula(text: &str) -> Option<String> {
    let all = formulas(text);
    let last = all.len().checked_sub(1)?;
    let named = all[last].inner.chars().filter(|c| c.is_alphanumeric()).count() == 1
        && !all[last].inner.contains(|c: char| c.is_ascii_digit());
    if named && text[all[last].end..].contains(|c: char| c.is_ascii_digit()) {
        return last_number(&text[all[last].end..]);
    }
    Some(run(text, &all, last))
}

/// The last number in plain text, with its sign, separators, decimals, fraction and percent sign.
pub(crate) fn last_number(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let last = bytes.iter().rposition(u8::is_ascii_digit)?;
    let part = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'/');
    let mut start = last;
    while start > 0 && part(bytes[start - 1]) {
        start -= 1;
    }
    let run = text[start..=last].trim_start_matches([',', '/']);
    // ".5" keeps its point, "so...5" does not.
    let run = if run.starts_with("..") { run.trim_start_matches('.') } else { run };
    let start = last + 1 - run.len();
    let before = &text[..start];
    let before = before.strip_suffix('$').unwrap_or(before);
    let sign = ['-', '−'].into_iter().find_map(|minus| before.strip_suffix(minus));
    let negative =
        sign.is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric() || c == ')'));
    let behind = &text[last + 1..];
    let percent = behind.starts_with('%') || behind.starts_with("\\%") || behind.starts_with(" %");
    Some(format!("{}{run}{}", if negative { "-" } else { "" }, if percent { "%" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_plain_text() {
        for (text, found) in [
            ("it is 3,000 in all", "3,000"),
            ("so x is -5.", "-5"),
            ("from 3-5", "5"),
            ("about 12.5%", "12.5%"),
            ("he has 3/4 left", "3/4"),
            ("he pays $12.50.", "12.50"),
        ] {
            assert_eq!(last_number(text).as_deref(), Some(found), "{text}");
        }
    }

    #[test]
    fn formulas_joined_are_one_answer() {
        for (text, found) in [
            ("Thus $x=1$ or $x=-3$.", "x=1, x=-3"),
            ("Given $y$, we find $1$, $2$ and $3$.", "1, 2, 3"),
            ("the value of $x$ is 5", "5"),
            ("\\[ x = 5 \\]", "x = 5"),
            ("\\(a\\) and then \\(7\\)", "7"),
            ("$$\\text{cost } = \\$5$$", "\\text{cost } = \\$5"),
        ] {
            assert_eq!(last_formula(text).as_deref(), Some(found), "{text}");
        }
    }
}
