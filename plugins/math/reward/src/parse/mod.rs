//! Tokens to a syntax tree: a recursive descent with bounded depth and bounded steps.
//!
//! `mod` reads several answers, relations and operations on sets; `sum` sums, products and powers;
//! `atom` what they are made of; `call` functions and commands with arguments. A text that does not
//! fit to its last token has no reading.

mod atom;
mod call;
mod rows;
mod suffix;
mod sum;

use crate::Fault;
use crate::lex::{Commas, Lexeme, Token, lex};
use crate::syntax::{Expr, Relation, Separator, SetOperation};

/// Brackets in brackets.
const MAX_DEPTH: u32 = 40;
/// Looks at a token; enough for the longest text that has a reading.
const MAX_STEPS: u32 = 200_000;

/// Reads an answer.
///
/// # Errors
/// When it is empty, fits no rule, or is too long or too deep.
pub fn parse(text: &str) -> Result<Expr, Fault> {
    parse_with(text, Commas::Group)
}

/// Reads an answer in which commas mean what is said.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_with(text: &str, commas: Commas) -> Result<Expr, Fault> {
    tokens(lex(text, commas)?)
}

/// Reads an answer from its tokens.
///
/// # Errors
/// As [`parse`].
pub(crate) fn tokens(mut tokens: Vec<Lexeme>) -> Result<Expr, Fault> {
    // Outside of an environment nothing is aligned, and a row that ends the text ends nothing.
    if !tokens
        .iter()
        .any(|lexeme| matches!(&lexeme.token, Token::Command(name) if name.starts_with("begin:")))
    {
        tokens.retain(|lexeme| lexeme.token != Token::Sign('&'));
        while tokens.last().is_some_and(|lexeme| lexeme.token == Token::Sign('¶')) {
            tokens.pop();
        }
    }
    if nesting(&tokens) > MAX_DEPTH {
        return Err(Fault::Beyond);
    }
    if let Some(based) = based(&tokens) {
        return Ok(based);
    }
    let mut parser = Parser { tokens, at: 0, depth: 0, steps: 0, bars: 0, braces: false };
    let answer = parser.answers()?;
    if parser.at < parser.tokens.len() {
        return Err(Fault::Syntax);
    }
    Ok(answer)
}

/// What may stand before an answer: an announcement, or the letter of a choice.
fn is_label(text: &str) -> bool {
    let mut chars = text.chars();
    text.ends_with(':')
        || matches!(
            (chars.next(), chars.next(), chars.next(), chars.next()),
            (Some('('), Some('A'..='J'), Some(')'), None)
        )
}

/// Digits, perhaps letters among them, in a base: `A3_{16}`, `(1010)_2`, `\text{FF}_{16}`.
fn based(tokens: &[Lexeme]) -> Option<Expr> {
    let (digits, base) = match tokens {
        [
            digits @ ..,
            Lexeme { token: Token::Sign('_'), .. },
            Lexeme { token: Token::Number(base), .. },
        ] => (digits, base),
        [
            digits @ ..,
            Lexeme { token: Token::Sign('_'), .. },
            Lexeme { token: Token::Sign('{'), .. },
            Lexeme { token: Token::Number(base), .. },
            Lexeme { token: Token::Sign('}'), .. },
        ] => (digits, base),
        [
            digits @ ..,
            Lexeme { token: Token::Sign('_'), .. },
            Lexeme { token: Token::Sign('{'), .. },
            Lexeme { token: Token::Sign('('), .. },
            Lexeme { token: Token::Number(base), .. },
            Lexeme { token: Token::Sign(')'), .. },
            Lexeme { token: Token::Sign('}'), .. },
        ] => (digits, base),
        // "40 base 9"
        [
            digits @ ..,
            Lexeme { token: Token::Word(word) | Token::Text(word), .. },
            Lexeme { token: Token::Number(base), .. },
        ] if matches!(word.as_str(), "base" | "in base") => (digits, base),
        _ => return None,
    };
    let base: u32 = base.text.parse().ok().filter(|base| (2..=36).contains(base))?;
    let digits = match digits {
        [
            Lexeme { token: Token::Sign('('), .. },
            inner @ ..,
            Lexeme { token: Token::Sign(')'), .. },
        ] => inner,
        [
            Lexeme { token: Token::Sign('{'), .. },
            inner @ ..,
            Lexeme { token: Token::Sign('}'), .. },
        ] => inner,
        bare => bare,
    };
    let mut text = String::new();
    for (at, lexeme) in digits.iter().enumerate() {
        if at > 0 && lexeme.spaced {
            return None;
        }
        match &lexeme.token {
            Token::Number(literal) if literal.is_whole() => text.push_str(&literal.text),
            Token::Word(word) | Token::Text(word) => text.push_str(&word.to_uppercase()),
            Token::Name(_)
            | Token::Function(_)
            | Token::Command(_)
            | Token::Sign(_)
            | Token::Number(_) => {
                return None;
            }
        }
    }
    let fits = !text.is_empty() && text.chars().all(|c| c.is_digit(base));
    let text = text.trim_start_matches('0');
    fits.then(|| Expr::Based(if text.is_empty() { "0".to_owned() } else { text.to_owned() }, base))
}

/// How deep brackets stand in brackets.
fn nesting(tokens: &[Lexeme]) -> u32 {
    let (mut depth, mut most) = (0_u32, 0);
    for lexeme in tokens {
        match lexeme.token {
            Token::Sign('(' | '[' | '{' | '⦃' | '⟨' | '⌊' | '⌈') => depth += 1,
            Token::Sign(')' | ']' | '}' | '⦄' | '⟩' | '⌋' | '⌉') => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

struct Parser {
    tokens: Vec<Lexeme>,
    at: usize,
    depth: u32,
    steps: u32,
    /// Open bars of absolute values, in which a bar closes.
    bars: u32,
    /// Whether a set's braces are the bracket around, in which a bar begins a condition.
    braces: bool,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|lexeme| &lexeme.token)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|lexeme| &lexeme.token)
    }

    fn spaced(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|lexeme| lexeme.spaced)
    }

    fn sign(&self) -> Option<char> {
        match self.peek()? {
            Token::Sign(sign) => Some(*sign),
            _ => None,
        }
    }

    fn at_sign(&self, sign: char) -> bool {
        self.sign() == Some(sign)
    }

    fn eat(&mut self, sign: char) -> bool {
        let there = self.at_sign(sign);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, sign: char) -> Result<(), Fault> {
        if self.eat(sign) { Ok(()) } else { Err(Fault::Syntax) }
    }

    /// Counts a step, and a level for as long as `read` runs.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.steps += 1;
        self.depth += 1;
        if self.depth > 4 * MAX_DEPTH || self.steps > MAX_STEPS {
            return Err(Fault::Beyond);
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Answers between commas, semicolons, "or" and "and".
    fn answers(&mut self) -> Result<Expr, Fault> {
        self.nested(|parser| {
            let first = parser.clause()?;
            let mut members = vec![first];
            let mut kind = None;
            while let Some(separator) = parser.separator() {
                kind = match kind {
                    // "1, 2, and 3" is a list like "1, 2, 3".
                    None | Some(Separator::Comma) => Some(separator),
                    earlier => earlier,
                };
                // A comma may end an answer that goes no further.
                if parser.at == parser.tokens.len() && separator == Separator::Comma {
                    break;
                }
                members.push(parser.clause()?);
            }
            Ok(match (kind, members.len()) {
                (Some(kind), 2..) => Expr::List(kind, members),
                _ => members.swap_remove(0),
            })
        })
    }

    fn separator(&mut self) -> Option<Separator> {
        let mut found = None;
        loop {
            let separator = match self.sign() {
                Some(',' | ';') if found.is_none() => Separator::Comma,
                Some('∨') => Separator::Or,
                Some('∧') => Separator::And,
                _ => return found,
            };
            self.at += 1;
            found = Some(separator);
        }
    }

    /// One answer: a chain of relations, or a side alone.
    fn clause(&mut self) -> Result<Expr, Fault> {
        self.nested(|parser| {
            // "= 42", where what it equals was left to the question.
            if parser.at == 0 && (parser.at_sign('=') || parser.at_sign('≈')) {
                parser.at += 1;
            }
            // "Answer: 42", "(B) 42"
            if parser.at == 0
                && parser.tokens.len() > 1
                && matches!(parser.peek(), Some(Token::Text(text)) if is_label(text))
            {
                parser.at += 1;
            }
            let first = parser.side()?;
            let mut rest = Vec::new();
            while let Some(relation) = parser.relation() {
                rest.push((relation, parser.side()?));
            }
            let mut clause =
                if rest.is_empty() { first } else { Expr::Relation(Box::new(first), rest) };
            if parser.at_sign(':') && clause.is_scalar() && !parser.braces {
                clause = parser.ratio(clause)?;
            }
            Ok(clause)
        })
    }

    fn relation(&mut self) -> Option<Relation> {
        if let Some(Token::Word(word)) = self.peek()
            && word == "in"
            && matches!(self.peek_at(1), Some(Token::Sign('[' | '(' | '⦃')))
        {
            self.at += 1;
            return Some(Relation::In);
        }
        let relation = Relation::of(self.sign()?)?;
        self.at += 1;
        // "=>" and "= -" are no relations of their own; "> =" is one.
        if self.at_sign('=') && relation.is_order() {
            self.at += 1;
            return Some(match relation {
                Relation::Less => Relation::AtMost,
                Relation::Greater => Relation::AtLeast,
                other => other,
            });
        }
        Some(relation)
    }

    /// `3:4`, `10:30`.
    fn ratio(&mut self, first: Expr) -> Result<Expr, Fault> {
        let mut members = vec![first];
        while self.eat(':') {
            members.push(self.side()?);
        }
        // The unit of the last is the unit of all: "10:30 AM".
        match members.pop() {
            Some(Expr::Quantity(last, unit)) => {
                members.push(*last);
                Ok(Expr::Quantity(Box::new(Expr::Sequence(':', members, ':')), unit))
            }
            Some(last) => {
                members.push(last);
                Ok(Expr::Sequence(':', members, ':'))
            }
            None => Err(Fault::Syntax),
        }
    }

    /// A side of a relation: a quantity, or sets joined.
    fn side(&mut self) -> Result<Expr, Fault> {
        let first = self.quantity()?;
        let mut rest = Vec::new();
        while let Some(operation) = self.set_operation() {
            // "ℝ \\ {0}", in braces that only group.
            rest.push((
                operation,
                match self.quantity()? {
                    scalar if scalar.is_scalar() => Expr::Set(vec![scalar]),
                    set => set,
                },
            ));
        }
        Ok(if rest.is_empty() { first } else { Expr::Sets(Box::new(first), rest) })
    }

    fn set_operation(&mut self) -> Option<SetOperation> {
        let operation = match self.peek()? {
            Token::Sign('∪') => SetOperation::Union,
            Token::Sign('∩') => SetOperation::Intersection,
            Token::Sign('∖') => SetOperation::Difference,
            Token::Word(word)
                if (word == "U" || word == "u")
                    && matches!(self.peek_at(1), Some(Token::Sign('[' | '(' | '⦃')))
                    && self.after_bracket() =>
            {
                SetOperation::Union
            }
            _ => return None,
        };
        self.at += 1;
        Some(operation)
    }

    fn after_bracket(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.is_some_and(|lexeme| matches!(lexeme.token, Token::Sign(')' | ']' | '⦄')))
    }
}
