//! What is made equal before two answers are compared.
//!
//! False positives are worse than false negatives: an answer that only looks alike must not be
//! right. So nothing is made equal that could tell one answer from another: no articles go, no
//! words, no punctuation within, and of the case only what a sentence changes. `x²` stays another
//! than `x2` (NFC, not NFKC), `Aa` another than `AA`, and one letter is never made equal to
//! anything.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

/// What is made equal before two answers are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Normalise {
    /// Nothing but the white space around the answer, which the tags leave there (`"none"`, or
    /// `false`). The paper's exact match.
    None,
    /// White space: trimmed, and each run of it one space (`"space"`).
    Space,
    /// White space, and the case of all letters (`"case"`).
    Case,
    /// What a writer changes who means the same (`"standard"`, or `true`), in this order:
    ///
    /// 1. Characters composed in several ways (NFC), and invisible ones, which go.
    /// 2. White space, as above.
    /// 3. Typographic quotation marks, apostrophes, hyphens, dashes and minus signs become ASCII.
    /// 4. One pair of quotation marks, backticks or asterisks around the whole goes (asterisks also
    ///    doubled), where none of the kind stands inside.
    /// 5. One full stop at the end goes, unless the last word has others (`U.S.`, `e.g.`, `…`;
    ///    a decimal's point is none) or all that is left is a letter.
    /// 6. A capital that begins a word of three or more letters, all others of which are small,
    ///    becomes small.
    #[default]
    Standard,
}

impl<'de> Deserialize<'de> for Normalise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match (&value, value.as_str()) {
            (Value::Bool(false), _) | (_, Some("none")) => Ok(Self::None),
            (Value::Bool(true), _) | (_, Some("standard")) => Ok(Self::Standard),
            (_, Some("space")) => Ok(Self::Space),
            (_, Some("case")) => Ok(Self::Case),
            _ => Err(serde::de::Error::custom(format!(
                "`normalise`: {value} is none of `standard` (or true), `space`, `case` and `none` \
                 (or false)"
            ))),
        }
    }
}

impl Normalise {
    /// The text as it is compared.
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::None => text.trim().to_owned(),
            Self::Space => spaced(text),
            Self::Case => spaced(text).to_lowercase(),
            Self::Standard => standard(text),
        }
    }
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn standard(text: &str) -> String {
    let plain: String = if text.is_ascii() {
        text.to_owned()
    } else {
        text.nfc().filter(|c| !is_invisible(*c)).map(ascii_mark).collect()
    };
    let spaced = spaced(&plain);
    let bare = without_stop(unquoted(&spaced));
    // A stop may stand inside the quotation marks or behind them.
    small_beginnings(without_stop(unquoted(bare)))
}

/// Soft hyphen, zero-width space and joiners, word joiner, byte order mark, marks of direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn ascii_mark(c: char) -> char {
    match c {
        '‘' | '’' | '‚' | '‛' | 'ʼ' | '′' => '\'',
        '“' | '”' | '„' | '‟' | '«' | '»' | '″' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        other => other,
    }
}

fn unquoted(text: &str) -> &str {
    for mark in ["**", "*", "`", "\"", "'"] {
        let inside = text.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        if let Some(inside) = inside.filter(|it| !it.contains(mark) && has_two(it)) {
            return inside.trim();
        }
    }
    text
}

fn without_stop(text: &str) -> &str {
    let Some(rest) = text.strip_suffix('.') else { return text };
    let last = rest.rsplit(' ').next().unwrap_or_default();
    let number =
        || last.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '$' | '%'));
    let abbreviated = last.ends_with('.') || last.contains('.') && !number();
    let letter = !has_two(rest) && !rest.contains(|c: char| c.is_ascii_digit());
    if abbreviated || letter { text } else { rest.trim_end() }
}

/// Whether more than one character is there, so that no letter alone is ever made equal to one.
fn has_two(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphanumeric()).nth(1).is_some()
}

/// `The Red mill` to `the red mill`; `AA`, `Aa`, `NaCl` and `DNA` as they are.
fn small_beginnings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| c.is_alphabetic() != first.is_alphabetic());
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        let others = piece.chars().skip(1);
        if first.is_uppercase()
            && others.clone().count() >= 2
            && others.clone().all(char::is_lowercase)
        {
            out.extend(first.to_lowercase());
            out.extend(others);
        } else {
            out.push_str(piece);
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_means_the_same_is_equal() {
        for (one, other) in [
            ("carbon dioxide", "Carbon  dioxide."),
            ("the Red mill", "\u{201c}The red mill\u{201d}"),
            ("the Red mill", "**The red mill**"),
            ("the Red mill", "\"The red mill.\""),
            ("the Red mill", "'The red mill'."),
            ("Hooke's law", "Hooke\u{2019}s law"),
            ("a well-known fact", "a well\u{2011}known fact"),
            ("-5", "\u{2212}5"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("New York", "new\u{a0}york"),
            ("ion\u{200b}ic", "ionic"),
            ("U.S.", "U.S."),
            ("0.5 m", "0.5 m."),
            ("5", "5."),
            ("12.5%", "12.5%."),
            ("It rises. It then falls.", "It rises. It then falls"),
            ("vitamin A", "Vitamin A."),
        ] {
            assert_eq!(Normalise::Standard.apply(one), Normalise::Standard.apply(other), "{one}");
        }
    }

    #[test]
    fn what_may_mean_something_else_is_not() {
        for (one, other) in [
            ("Aa", "AA"),
            ("mM", "MM"),
            ("A", "a"),
            ("A", "A."),
            ("A", "(A)"),
            ("A", "'A'"),
            ("B", "**B**"),
            ("DNA", "dna"),
            ("NaCl", "nacl"),
            ("Co", "CO"),
            ("x\u{b2}", "x2"),
            ("5", "-5"),
            ("1.5", "15"),
            (".5", "5"),
            ("A...", "A"),
            ("wait...", "wait"),
            ("the mill", "mill"),
            ("an ion", "a ion"),
            ("not red", "red"),
            ("red, blue", "red blue"),
            ("50%", "50"),
            ("U.S.", "US"),
            ("\"red\" or \"blue\"", "red\" or \"blue"),
            ("'n'", "n"),
        ] {
            assert_ne!(Normalise::Standard.apply(one), Normalise::Standard.apply(other), "{one}");
        }
    }

    proptest! {
        #[test]
        fn it_is_done_once(text in "[ .'\"*`A-Ca-cÉ’\u{2014}]{0,16}") {
            let once = Normalise::Standard.apply(&text);
            prop_assert!(once.chars().count() <= text.chars().count() + 1);
            let exact = Normalise::None.apply(&text);
            prop_assert_eq!(Normalise::Standard.apply(&exact), once);
        }
    }
}
