//! What an answer says, and when two answers say the same.
//!
//! An answer is a number (with what may stand around it), a sequence of answers in brackets or
//! between commas, an assignment, or a text. Numbers are compared exactly, everything else by
//! structure or by its normalised spelling; where in doubt, two answers differ.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Pow, Signed};

use crate::expression;
use crate::text::{matching_close, normalise, strip_wrappers, top_level_commas};
use crate::unit::{self, Suffix};
use crate::value::{Fault, Value};

/// Longer answers are compared by spelling alone.
const MAX_PARSED: usize = 4_096;
const MAX_NESTING: u32 = 8;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An exact number.
    Number {
        /// Its value; of `50%`, fifty.
        value: Value,
        /// Whether a percent sign stood behind it.
        percent: bool,
        /// The unit behind it.
        unit: Option<String>,
    },
    /// Answers between commas: in brackets ordered, else (and in braces) unordered.
    Sequence {
        /// The bracket before and behind; spaces when there is none.
        brackets: (char, char),
        /// The members.
        members: Vec<Answer>,
    },
    /// `x = 5`.
    Assignment(String, Box<Answer>),
    /// Anything else, normalised.
    Text(String),
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is empty, or an expression without a value.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let stripped = strip_wrappers(text);
        if stripped.is_empty() {
            return Err(Fault::Syntax);
        }
        if stripped.len() > MAX_PARSED {
            return Ok(Self::Text(normalise(&stripped)));
        }
        read_nested(&stripped, true, 0)
    }

    /// Whether the two say the same.
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Number { value: a, percent: p, unit: u },
                Self::Number { value: b, percent: q, unit: v },
            ) => {
                let units = match (u, v) {
                    (Some(u), Some(v)) => u == v,
                    _ => true,
                };
                units && numbers_match(a, *p, b, *q)
            }
            (
                Self::Sequence { brackets: a, members: left },
                Self::Sequence { brackets: b, members: right },
            ) => {
                a == b
                    && left.len() == right.len()
                    && if matches!(a.0, ' ' | '{') {
                        same_members(left, right)
                    } else {
                        left.iter().zip(right).all(|(x, y)| x.matches(y))
                    }
            }
            (Self::Assignment(x, a), Self::Assignment(y, b)) => x == y && a.matches(b),
            (Self::Assignment(_, a), b) | (b, Self::Assignment(_, a)) => a.matches(b),
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

/// `50%` is a half, and where only one of the two has the sign, it may also stand for the unit in
/// which the other (larger than one) was asked for.
fn numbers_match(a: &Value, a_percent: bool, b: &Value, b_percent: bool) -> bool {
    if a_percent == b_percent {
        return a == b;
    }
    let (percent, plain) = if a_percent { (a, b) } else { (b, a) };
    let hundredth = Value::rational(BigRational::new(1.into(), 100.into()));
    if percent.multiply(&hundredth).is_ok_and(|fraction| fraction == *plain) {
        return true;
    }
    percent == plain && plain.as_rational().is_none_or(|q| q.abs() > BigRational::one())
}

fn same_members(left: &[Answer], right: &[Answer]) -> bool {
    let mut free: Vec<&Answer> = right.iter().collect();
    left.iter().all(|x| match free.iter().position(|y| x.matches(y)) {
        Some(at) => {
            free.swap_remove(at);
            true
        }
        None => false,
    })
}

fn read_nested(text: &str, thousands: bool, depth: u32) -> Result<Answer, Fault> {
    let text = text.trim();
    if depth > MAX_NESTING {
        return Err(Fault::Beyond);
    }
    if text.is_empty() {
        return Err(Fault::Syntax);
    }
    if let Some(sequence) = bracketed(text, depth) {
        return sequence;
    }
    let commas = top_level_commas(text, thousands);
    if !commas.is_empty() {
        return Ok(sequence_or_text(text, (' ', ' '), split_at(text, &commas), thousands, depth));
    }
    if let Some((name, right)) = assignment(text) {
        return Ok(Answer::Assignment(name, Box::new(read_nested(right, thousands, depth + 1)?)));
    }
    number(text, thousands)
}

/// `(…, …)`, `[…, …)`, `\{…\}`: brackets around the whole with a comma inside.
fn bracketed(text: &str, depth: u32) -> Option<Result<Answer, Fault>> {
    let (open, inner_start) = match text.strip_prefix("\\{") {
        Some(_) => ('{', 2),
        None => (text.chars().next().filter(|c| matches!(c, '(' | '['))?, 1),
    };
    let close_at = matching_close(text)?;
    let close = text[close_at..].trim_end();
    let close = match close {
        "\\}" => '}',
        ")" | "]" => close.chars().next()?,
        _ => return None,
    };
    let inner = text[inner_start..close_at].trim_end_matches('\\');
    let commas = top_level_commas(inner, false);
    if commas.is_empty() && open != '{' {
        return None;
    }
    Some(Ok(sequence_or_text(text, (open, close), split_at(inner, &commas), false, depth)))
}

fn sequence_or_text(
    whole: &str,
    brackets: (char, char),
    parts: Vec<&str>,
    thousands: bool,
    depth: u32,
) -> Answer {
    let members: Result<Vec<_>, _> = parts
        .into_iter()
        .map(|part| match read_nested(part, thousands, depth + 1) {
            // Inside brackets a comma separates; "(1,000)" is then no pair.
            Ok(_)
                if !thousands
                    && part.trim().len() > 1
                    && part.trim().starts_with('0')
                    && part.trim().bytes().all(|b| b.is_ascii_digit()) =>
            {
                Ok(Answer::Text(part.trim().to_owned()))
            }
            other => other,
        })
        .collect();
    match members {
        Ok(members) => Answer::Sequence { brackets, members },
        Err(_) => Answer::Text(normalise(whole)),
    }
}

fn split_at<'a>(text: &'a str, commas: &[usize]) -> Vec<&'a str> {
    let mut parts = Vec::with_capacity(commas.len() + 1);
    let mut start = 0;
    for comma in commas {
        parts.push(&text[start..*comma]);
        start = comma + 1;
    }
    parts.push(&text[start..]);
    parts
}

/// One letter, perhaps with an index, before the only equals sign.
fn assignment(text: &str) -> Option<(String, &str)> {
    let (left, right) = text.split_once('=')?;
    let (left, right) = (left.trim(), right.trim());
    if right.is_empty() || right.contains('=') || left.ends_with(['<', '>', '!', '\\', ':']) {
        return None;
    }
    let (base, index) = left.split_once('_').unwrap_or((left, "1"));
    let letter = base.chars().count() == 1 && base.chars().all(char::is_alphabetic);
    let index_fits = !index.is_empty() && index.chars().all(|c| c.is_ascii_alphanumeric());
    (letter && index_fits).then(|| (left.to_owned(), right))
}

fn number(text: &str, thousands: bool) -> Result<Answer, Fault> {
    let spelled = || Answer::Text(normalise(text));
    // A currency sign may stand before the number; a dollar is also LaTeX's delimiter, and is gone.
    let bare = text.trim_start_matches(['€', '£', '¥']);
    let joined = if thousands { join_thousands(bare) } else { bare.to_owned() };
    let (value, rest) = match expression::read(&joined) {
        Ok(read) => read,
        Err(Fault::Undefined) => return Err(Fault::Undefined),
        Err(_) => return Ok(spelled()),
    };
    let Some(suffix) = unit::read(rest) else { return Ok(spelled()) };
    let (percent, scale, unit) = match suffix {
        Suffix::None => (false, 0, None),
        Suffix::Percent => (true, 0, None),
        Suffix::Unit(unit) => (false, 0, Some(unit)),
        Suffix::Scale(power, unit) => (false, power, unit),
    };
    let value = value.multiply(&Value::integer(Pow::pow(BigInt::from(10), scale)))?;
    Ok(Answer::Number { value, percent, unit })
}

/// Takes the separators out of `1,450,000`; the commas that are left by now are all separators.
fn join_thousands(text: &str) -> String {
    text.chars().filter(|c| *c != ',').collect()
}
