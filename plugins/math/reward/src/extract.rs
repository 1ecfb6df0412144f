//! Where the answer stands in what a model wrote. Nothing inside `<think>` is ever an answer.
//!
//! One candidate is taken and no more, so that naming several answers is never better than naming
//! one.

use omni_sdk::text as marked;
use serde::Deserialize;

use crate::parse::parse;
use crate::prose;

/// Where the answer stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extract {
    /// In the last `<answer>…</answer>`.
    #[default]
    Tags,
    /// In the last `\boxed{…}`.
    Boxed,
    /// In the tags, else boxed, else after "answer is", else the last formula, else the last number.
    Auto,
    /// The last formula, else the last number.
    Last,
}

/// More text is not looked through; an answer stands near the end.
const MAX_TEXT: usize = 1 << 20;
/// How much of a longer text's end is looked through for formulas and numbers.
const MAX_TAIL: usize = 8_192;

/// The answer in a completion.
pub fn extract(text: &str, how: Extract) -> Option<String> {
    let text = tail(text, MAX_TEXT);
    let found = match how {
        Extract::Tags => marked::answer(text).map(str::to_owned),
        Extract::Boxed => boxed(&marked::without_thinking(text)),
        Extract::Auto => marked::answer(text).map(str::to_owned).or_else(|| {
            let speech = marked::without_thinking(text);
            boxed(&speech).or_else(|| inside(&speech))
        }),
        Extract::Last => {
            let speech = marked::without_thinking(text);
            let end = tail(&speech, MAX_TAIL);
            prose::last_formula(end).or_else(|| prose::last_number(end))
        }
    };
    found.filter(|answer| !answer.trim().is_empty())
}

/// The answer inside prose: boxed, announced, or the last formula or number.
pub(crate) fn inside(text: &str) -> Option<String> {
    let end = tail(text, MAX_TAIL);
    boxed(text)
        .or_else(|| prose::announced(end))
        .or_else(|| prose::last_formula(end))
        .or_else(|| {
            let bare = text.trim();
            (bare.len() <= 200 && parse(bare).is_ok()).then(|| bare.to_owned())
        })
        .or_else(|| prose::last_number(end))
        .or_else(|| {
            // A short text may be the answer itself.
            let bare = text.trim();
            (bare.len() <= 200 && !bare.contains('\n')).then(|| bare.to_owned())
        })
}

/// The answer inside a sentence that is itself meant as the answer; it must read like one, with no
/// word that takes the answer back or makes another of it.
pub(crate) fn inside_sentence(text: &str) -> Option<String> {
    let end = tail(text, MAX_TAIL);
    boxed(text).or_else(|| prose::announced(end)).or_else(|| prose::stated_formula(end)).or_else(
        || {
            if prose::is_sentence(end) { prose::last_number(end) } else { None }
        },
    )
}

fn tail(text: &str, length: usize) -> &str {
    let mut start = text.len().saturating_sub(length);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// What the last `\boxed{…}` holds; of several with nothing but "and", "or" and commas between
/// them, all, as a list.
pub(crate) fn boxed(text: &str) -> Option<String> {
    let mut end = text.len();
    let mut parts: Vec<&str> = Vec::new();
    let mut limit = end;
    let mut separator = ", ";
    for _ in 0..64 {
        let Some((at, start)) = last_box(&text[..end]) else { break };
        match balanced(&text[start..limit]) {
            Some(inner) => {
                let after = start + inner.len() + 1;
                if !parts.is_empty() && !joins(&text[after..limit]) {
                    break;
                }
                if !parts.is_empty() && text[after..limit].contains("or") {
                    separator = " \\text{ or } ";
                }
                parts.push(inner.trim());
                limit = at;
            }
            // One that never closes is none, nor does it join.
            None if parts.is_empty() => limit = at,
            None => break,
        }
        end = at;
    }
    parts.reverse();
    (!parts.is_empty()).then(|| parts.join(separator))
}

fn last_box(text: &str) -> Option<(usize, usize)> {
    [r"\boxed{", r"\fbox{", r"\boxed {"]
        .iter()
        .filter_map(|marker| text.rfind(marker).map(|at| (at, at + marker.len())))
        .max()
}

/// Whether what stands between two boxes makes them one answer.
fn joins(between: &str) -> bool {
    let bare = between.replace(['$', ',', ' ', ';', '\n'], "");
    let bare = bare.replace("\\text{and}", "and").replace("\\text{or}", "or").replace("\\quad", "");
    between.len() < 40 && matches!(bare.as_str(), "" | "and" | "or") && !between.contains("\n\n")
}

/// What stands before the `}` that closes an already opened brace.
fn balanced(text: &str) -> Option<&str> {
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(&text[..at]),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_found_from_the_end() {
        for (text, found) in [
            (r"so \boxed{1}", Some("1")),
            (r"\boxed{1} no, \boxed{\frac{1}{2}}.", Some(r"\frac{1}{2}")),
            (r"\boxed{1} and \boxed{2}", Some("1, 2")),
            (r"$\boxed{1}$, $\boxed{2}$ or $\boxed{3}$", Some(r"1 \text{ or } 2 \text{ or } 3")),
            (r"\boxed{1} then \boxed{2", Some("1")),
            (r"\boxed{\boxed{3}}", Some("3")),
            (r"\boxed{\{1\}}", Some(r"\{1\}")),
            ("none", None),
        ] {
            assert_eq!(boxed(text).as_deref(), found, "{text}");
        }
    }

    #[test]
    fn thinking_is_never_an_answer() {
        for how in [Extract::Tags, Extract::Boxed, Extract::Auto, Extract::Last] {
            for text in [
                r"<think><answer>5</answer> \boxed{5} $5$ the answer is 5</think>",
                r"<think>\boxed{5}",
                r"<answer>5</answer></think>",
            ] {
                assert_eq!(extract(text, how), None, "{how:?} {text}");
            }
        }
    }

    #[test]
    fn auto_takes_what_is_most_clearly_the_answer() {
        for (text, found) in [
            ("<answer>5</answer> $6$", "5"),
            (r"$7$ so \boxed{5} and $6$", "5"),
            ("We get $4+1$ and so $x=5$.", "x=5"),
            ("She has 3 eggs, then 5.", "5"),
            ("That costs $3 and then $5", "5"),
            ("**Answer:** 12", "12"),
            ("The final answer is $\\frac{1}{2}$. I hope it is correct.", "\\frac{1}{2}"),
            ("the answer is (B)", "(B)"),
        ] {
            assert_eq!(extract(text, Extract::Auto).as_deref(), Some(found), "{text}");
        }
    }
}
