//! Literal numbers: separators, decimals, exponents of ten, repeating decimals.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Pow;

use super::symbols::plain;
use super::{Commas, Lexer, Literal, Token, starts_with_digit};
use crate::Fault;

/// Greater exponents of ten in "1e9" make no number.
const MAX_EXPONENT: u32 = 1_000;
/// The longest repeating block that an ellipsis is taken for.
const MAX_BLOCK: usize = 8;

impl Lexer<'_> {
    pub(super) fn number(&mut self) -> Result<(), Fault> {
        let mut digits = self.digits();
        if !digits.is_empty() && digits.len() <= 3 {
            self.groups(&mut digits);
        }
        let rest = self.rest();
        let point = if rest.starts_with("{.}") { 3 } else { 1 };
        if rest.starts_with(['.', '{'])
            && rest[point - 1..].starts_with(['.', '}'])
            && starts_with_digit(rest.get(point..).unwrap_or_default())
            && (point == 3 || rest.starts_with('.'))
        {
            self.at += point;
            digits.push('.');
            digits.push_str(&self.digits());
        } else if rest.starts_with('.') && self.repeats_at(1).is_some() {
            self.at += 1;
            digits.push_str(if digits.is_empty() { "0." } else { "." });
        }
        let mut literal = Literal::new(digits).ok_or(Fault::Beyond)?;
        if literal.decimals.is_some() {
            self.repeating(&mut literal);
        }
        self.scientific(&mut literal)?;
        self.push(Token::Number(literal));
        Ok(())
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let Some(c) = self.rest().chars().next() {
            let digit = plain(c);
            if !digit.is_ascii_digit() {
                break;
            }
            digits.push(digit);
            self.at += c.len_utf8();
        }
        digits
    }

    /// Takes the groups of thousands behind the first digits.
    fn groups(&mut self, digits: &mut String) {
        let rest = self.rest();
        let (mut taken, mut grouped, mut zero) = (0, String::new(), false);
        let mut separator = None;
        while let Some((length, kind)) = separator_at(&rest[taken..]) {
            let after = &rest[taken + length..];
            let three = after.bytes().take_while(u8::is_ascii_digit).count() == 3;
            if !three || separator.is_some_and(|earlier| earlier != kind) {
                // "1,234,56" has no reading as one number.
                if separator == Some(Separator::Comma) && kind == Separator::Comma {
                    return;
                }
                break;
            }
            separator = Some(kind);
            zero |= after.starts_with('0');
            grouped.push_str(&after[..3]);
            taken += length + 3;
        }
        let fits = match separator {
            None => false,
            Some(Separator::Marked) => true,
            Some(Separator::Comma) if self.brackets > 0 => zero && !digits.starts_with('0'),
            Some(Separator::Comma) => self.commas == Commas::Group && !digits.starts_with('0'),
            // A fraction behind a space makes a mixed number: "1 100/3".
            Some(Separator::Space) => {
                self.brackets == 0
                    && self.rows == 0
                    && !digits.starts_with('0')
                    && !rest[taken..].trim_start().starts_with('/')
            }
        };
        if fits {
            digits.push_str(&grouped);
            self.at += taken;
        }
    }

    /// `1.5e3`, without spaces.
    fn scientific(&mut self, literal: &mut Literal) -> Result<(), Fault> {
        let rest = self.rest();
        let Some(after) = rest.strip_prefix(['e', 'E']) else { return Ok(()) };
        let (negative, body) = match after.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, after.strip_prefix('+').unwrap_or(after)),
        };
        let length = body.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 || body[length..].starts_with(|c: char| c.is_alphanumeric()) {
            return Ok(());
        }
        let exponent = body[..length].parse::<u32>().ok().filter(|e| *e <= MAX_EXPONENT);
        let power =
            BigRational::from_integer(Pow::pow(BigInt::from(10), exponent.ok_or(Fault::Beyond)?));
        literal.value = if negative { &literal.value / power } else { &literal.value * power };
        literal.text.push_str(&rest[..rest.len() - body.len() + length]);
        self.at += rest.len() - body.len() + length;
        Ok(())
    }

    /// The repeating digits that a bar marks, `skip` bytes ahead.
    pub(super) fn repeats_at(&self, skip: usize) -> Option<(String, usize)> {
        let rest = self.rest().get(skip..)?;
        ["\\overline{", "\\bar{", "\\dot{", "(", "\\overline ", "\\bar "].iter().find_map(|mark| {
            let body = rest.strip_prefix(mark)?;
            let length = body.bytes().take_while(u8::is_ascii_digit).count();
            let closed = if mark.ends_with(['{', '(']) {
                body[length..].starts_with(if *mark == "(" { ')' } else { '}' })
            } else {
                length == 1
            };
            (closed && (1..=64).contains(&length)).then(|| {
                let end = mark.len() + length + usize::from(mark.ends_with(['{', '(']));
                (body[..length].to_owned(), end)
            })
        })
    }

    fn repeating(&mut self, literal: &mut Literal) {
        let (block, length) = if let Some(found) = self.repeats_at(0) {
            found
        } else {
            let rest = self.rest();
            let Some(mark) = ["...", "…", "\\ldots", "\\dots", "\\cdots"]
                .into_iter()
                .find(|mark| rest.starts_with(mark))
            else {
                return;
            };
            let Some(block) = repeated_block(&literal.text) else { return };
            (block, mark.len())
        };
        self.at += length;
        let decimals = literal.decimals.unwrap_or(0);
        let Ok(repeat) = block.parse::<BigInt>() else { return };
        let nines = Pow::pow(BigInt::from(10), block.len()) - 1;
        let scale = Pow::pow(BigInt::from(10), decimals);
        literal.value += BigRational::new(repeat, nines * scale);
        literal.decimals = None;
        literal.text = format!("{}({block})", literal.text);
    }
}

/// What may stand between groups of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    Comma,
    Space,
    /// One that has no other meaning: `{,}`, `,\!`, `\,`.
    Marked,
}

fn separator_at(rest: &str) -> Option<(usize, Separator)> {
    for mark in
        ["{,}\\!", "{,}", ",\\! ", ",\\!", "\\,", "\\;", "\\:", "\\ ", "~", "\u{202f}", "\u{2009}"]
    {
        if rest.starts_with(mark) {
            return Some((mark.len(), Separator::Marked));
        }
    }
    match rest.as_bytes().first()? {
        b',' => Some((1, Separator::Comma)),
        b' ' => Some((1, Separator::Space)),
        _ if rest.starts_with('，') => Some(('，'.len_utf8(), Separator::Comma)),
        _ if rest.starts_with('\u{a0}') => Some(('\u{a0}'.len_utf8(), Separator::Space)),
        _ => None,
    }
}

/// The shortest block that the decimals end in, said at least twice (one digit: three times).
fn repeated_block(text: &str) -> Option<String> {
    let (_, fraction) = text.split_once('.')?;
    (1..=MAX_BLOCK).find_map(|length| {
        let times = if length == 1 { 3 } else { 2 };
        let tail = fraction.get(fraction.len().checked_sub(length * times)?..)?;
        let block = &tail[..length];
        (tail == block.repeat(times)).then(|| block.to_owned())
    })
}
