//! Reads one number as models and references write it: plain text or simple LaTeX.
//!
//! A recursive descent over characters, since LaTeX's arguments are single characters
//! (`\frac43`). It stops at the first thing that cannot continue a number and hands the rest back:
//! what may follow (a unit, a percent sign) is `answer`'s to judge. Anything else is an error,
//! so that a text is never half read.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Pow, Zero};

use crate::value::{Fault, Value};

const MAX_DEPTH: u32 = 48;
const MAX_EXPONENT: u32 = 4_000;

/// Reads the longest number at the start of `text`; returns it with what follows.
///
/// # Errors
/// When no number stands there, when it has no value, or when it is too large.
pub fn read(text: &str) -> Result<(Value, &str), Fault> {
    let mut parser = Parser { rest: text, depth: 0 };
    let value = parser.sum()?;
    // White space looked past is given back: before a unit it tells.
    let read = text[..text.len() - parser.rest.len()].trim_end().len();
    Ok((value, &text[read..]))
}

/// Reads a number that must be all of `text`.
///
/// # Errors
/// As [`read`], and when anything follows.
pub fn read_all(text: &str) -> Result<Value, Fault> {
    let (value, rest) = read(text)?;
    if rest.trim().is_empty() { Ok(value) } else { Err(Fault::Syntax) }
}

/// What was read last.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// A bare whole number: a fraction right after it makes a mixed number.
    Whole,
    /// Any other number, fraction or power.
    Other,
}

struct Parser<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<Value, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::Beyond);
        }
        let mut total = Value::integer(0);
        let mut negative = self.sign().unwrap_or(false);
        loop {
            let term = self.product()?;
            total = total.plus(if negative { term.negate() } else { term })?;
            let before = self.rest;
            match self.sign() {
                // "5 - " with nothing that could follow is not a number and a unit.
                Some(sign) if self.at_operand() => negative = sign,
                Some(_) => {
                    self.rest = before;
                    break;
                }
                None => break,
            }
        }
        self.depth -= 1;
        Ok(total)
    }

    fn sign(&mut self) -> Option<bool> {
        if self.eat("-") {
            Some(true)
        } else if self.eat("+") {
            Some(false)
        } else {
            None
        }
    }

    fn product(&mut self) -> Result<Value, Fault> {
        let mut value = self.factor()?;
        loop {
            let before = self.rest;
            if self.eat_any(&["\\times", "\\cdot", "*"]) {
                value = value.multiply(&self.signed_factor()?)?;
            } else if self.eat_any(&["\\div", "/"]) {
                value = value.divide(&self.signed_factor()?)?;
            } else if self.at_implicit_factor() {
                value = value.multiply(&self.factor()?)?;
            } else {
                self.rest = before;
                return Ok(value);
            }
        }
    }

    fn signed_factor(&mut self) -> Result<Value, Fault> {
        let negative = self.sign().unwrap_or(false);
        let value = self.factor()?;
        Ok(if negative { value.negate() } else { value })
    }

    fn factor(&mut self) -> Result<Value, Fault> {
        let (value, shape) = self.base()?;
        if shape == Shape::Whole {
            if self.at_fraction() {
                return mixed(value, self.base()?.0);
            }
            if let Some((rest, fraction)) = self.spaced_fraction() {
                self.rest = rest;
                return mixed(value, fraction);
            }
        }
        let before = self.rest;
        if !self.eat_any(&["**", "^"]) || self.at_degree() {
            self.rest = before;
            return Ok(value);
        }
        let exponent = if self.eat("{") {
            let exponent = self.sum()?;
            self.expect("}")?;
            exponent
        } else {
            let negative = self.sign().unwrap_or(false);
            let exponent = self.base()?.0;
            if negative { exponent.negate() } else { exponent }
        };
        value.power(&exponent)
    }

    fn base(&mut self) -> Result<(Value, Shape), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::Beyond);
        }
        let out = self.base_inner();
        self.depth -= 1;
        out
    }

    fn base_inner(&mut self) -> Result<(Value, Shape), Fault> {
        self.skip_space();
        if self.at_number() {
            return self.number();
        }
        for (open, close) in [("(", ")"), ("[", "]"), ("{", "}")] {
            if self.eat(open) {
                let value = self.sum()?;
                self.expect(close)?;
                return Ok((value, Shape::Other));
            }
        }
        if self.eat_any(&FRACTIONS) {
            let numerator = self.argument()?;
            let denominator = self.argument()?;
            return Ok((numerator.divide(&denominator)?, Shape::Other));
        }
        if self.eat_command("sqrt") || self.eat("√") {
            let degree = if self.eat("[") {
                let degree = self.sum()?;
                self.expect("]")?;
                let degree =
                    degree.as_rational().filter(BigRational::is_integer).ok_or(Fault::Beyond)?;
                u32::try_from(degree.to_integer()).ok().filter(|d| *d <= 64).ok_or(Fault::Beyond)?
            } else {
                2
            };
            return Ok((self.argument()?.root(degree)?, Shape::Other));
        }
        if self.eat("sqrt(") {
            let value = self.sum()?;
            self.expect(")")?;
            return Ok((value.root(2)?, Shape::Other));
        }
        if self.eat_command("pi") || self.eat("π") || self.eat_word("pi") {
            return Ok((Value::pi(), Shape::Other));
        }
        Err(Fault::Syntax)
    }

    /// A LaTeX argument: a group, one digit, or one command.
    fn argument(&mut self) -> Result<Value, Fault> {
        self.skip_space();
        if self.eat("{") {
            let value = self.sum()?;
            self.expect("}")?;
            return Ok(value);
        }
        if let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(10)) {
            self.rest = &self.rest[1..];
            return Ok(Value::integer(digit));
        }
        if self.rest.starts_with(['\\', '(', 'π']) {
            return Ok(self.base()?.0);
        }
        Err(Fault::Syntax)
    }

    fn number(&mut self) -> Result<(Value, Shape), Fault> {
        let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(self.rest);
        let (mut text, mut scale) = (self.rest[..whole].to_owned(), 0usize);
        let mut rest = &self.rest[whole..];
        let mut shape = Shape::Whole;
        if let Some(after) = rest.strip_prefix('.') {
            let places = digits(after);
            if places > 0 || whole > 0 {
                text.push_str(&after[..places]);
                (scale, rest, shape) = (places, &after[places..], Shape::Other);
            }
        }
        let mut exponent = 0i64;
        if let Some(after) = rest.strip_prefix(['e', 'E']) {
            let unsigned = after.strip_prefix(['-', '+']).unwrap_or(after);
            let places = digits(unsigned);
            if places > 0 {
                let magnitude: i64 = unsigned[..places].parse().map_err(|_| Fault::Beyond)?;
                exponent = if after.starts_with('-') { -magnitude } else { magnitude };
                (rest, shape) = (&unsigned[places..], Shape::Other);
            }
        }
        if rest.starts_with(|c: char| c == '.' || c.is_ascii_digit()) {
            return Err(Fault::Syntax);
        }
        let mantissa: BigInt = if text.is_empty() {
            return Err(Fault::Syntax);
        } else {
            text.parse().map_err(|_| Fault::Syntax)?
        };
        let power = exponent - i64::try_from(scale).map_err(|_| Fault::Beyond)?;
        let magnitude = u32::try_from(power.unsigned_abs())
            .ok()
            .filter(|p| *p <= MAX_EXPONENT)
            .ok_or(Fault::Beyond)?;
        let ten = Pow::pow(BigInt::from(10), magnitude);
        self.rest = rest;
        let value = if mantissa.is_zero() {
            Value::integer(0)
        } else if power < 0 {
            Value::rational(BigRational::new(mantissa, ten))
        } else {
            Value::integer(mantissa * ten)
        };
        Ok((value, shape))
    }

    fn at_number(&self) -> bool {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some('.') => chars.next().is_some_and(|c| c.is_ascii_digit()),
            Some(c) => c.is_ascii_digit(),
            None => false,
        }
    }

    fn at_operand(&mut self) -> bool {
        self.skip_space();
        self.at_number() || self.at_implicit_factor() || self.rest.starts_with(['-', '+', '{'])
    }

    fn at_fraction(&mut self) -> bool {
        self.skip_space();
        FRACTIONS.iter().any(|name| is_command(self.rest, name))
    }

    /// Whether what stands next multiplies what came before. A bare digit does not: "3 4" is no number.
    fn at_implicit_factor(&mut self) -> bool {
        self.skip_space();
        self.at_fraction()
            || is_command(self.rest, "\\sqrt")
            || is_command(self.rest, "\\pi")
            || self.rest.starts_with(['(', '√', 'π'])
            || self.rest.starts_with("sqrt(")
            || is_word(self.rest, "pi")
    }

    /// `a/b` of plain digits after white space, with `a < b`.
    fn spaced_fraction(&self) -> Option<(&'a str, Value)> {
        let text = self.rest.trim_start();
        let split = |s: &'a str| s.split_at(s.bytes().take_while(u8::is_ascii_digit).count());
        let (numerator, rest) = split(text);
        let (denominator, rest) = split(rest.strip_prefix('/')?);
        let (n, d): (u64, u64) = (numerator.parse().ok()?, denominator.parse().ok()?);
        let ends = !rest.starts_with(['.', '/', '^']);
        (n < d && ends).then(|| (rest, Value::rational(BigRational::new(n.into(), d.into()))))
    }

    fn at_degree(&mut self) -> bool {
        self.skip_space();
        let inner = self.rest.strip_prefix('{').unwrap_or(self.rest).trim_start();
        is_command(inner, "\\circ") || inner.starts_with("\\degree")
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn eat_any(&mut self, tokens: &[&str]) -> bool {
        tokens.iter().any(|token| match token.strip_prefix('\\') {
            Some(name) => self.eat_command(name),
            None => self.eat(token),
        })
    }

    fn eat_command(&mut self, name: &str) -> bool {
        self.skip_space();
        let Some(rest) = self.rest.strip_prefix('\\').and_then(|rest| rest.strip_prefix(name))
        else {
            return false;
        };
        if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return false;
        }
        self.rest = rest;
        true
    }

    fn eat_word(&mut self, word: &str) -> bool {
        is_word(self.rest, word) && self.eat(word)
    }

    fn expect(&mut self, token: &str) -> Result<(), Fault> {
        if self.eat(token) { Ok(()) } else { Err(Fault::Syntax) }
    }
}

const FRACTIONS: [&str; 4] = ["\\frac", "\\dfrac", "\\tfrac", "\\cfrac"];

fn mixed(whole: Value, fraction: Value) -> Result<Value, Fault> {
    let proper = fraction
        .as_rational()
        .is_some_and(|q| q >= BigRational::zero() && q < BigRational::from_integer(1.into()));
    // `3\frac{5}{2}` and `2\frac{\sqrt3}{2}` are products.
    if proper { whole.plus(fraction) } else { whole.multiply(&fraction) }
}

fn is_command(text: &str, command: &str) -> bool {
    text.strip_prefix(command)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
}

fn is_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}
