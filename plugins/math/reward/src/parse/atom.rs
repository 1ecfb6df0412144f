//! Numbers, variables, brackets, matrices.

use num_rational::BigRational;
use num_traits::{One, Signed};

use super::Parser;
use crate::Fault;
use crate::lex::{Function, Lexeme, Literal, Token};
use crate::syntax::{Constant, Expr, Relation, Separator};
use crate::unit;

/// Longer runs of letters are words, never products.
const MAX_PRODUCT: usize = 4;

impl Parser {
    pub(super) fn atom(&mut self) -> Result<Expr, Fault> {
        self.nested(|parser| {
            let token = parser.peek().ok_or(Fault::Syntax)?.clone();
            match token {
                Token::Number(literal) => {
                    parser.at += 1;
                    parser.number(literal)
                }
                Token::Word(word) => {
                    parser.at += 1;
                    parser.word(word)
                }
                Token::Name(name) => {
                    parser.at += 1;
                    if name == "pi" && !parser.at_sign('_') {
                        return Ok(Expr::Constant(Constant::Pi));
                    }
                    parser.subscripted(name)
                }
                Token::Text(text) => {
                    parser.at += 1;
                    Ok(Expr::Text(text))
                }
                Token::Function(function) => {
                    parser.at += 1;
                    parser.call(function)
                }
                Token::Command(name) => {
                    parser.at += 1;
                    parser.command(&name)
                }
                Token::Sign(sign) => parser.bracketed(sign),
            }
        })
    }

    fn number(&mut self, literal: Literal) -> Result<Expr, Fault> {
        if self.at_sign('_') {
            return self.based(&literal.text);
        }
        if literal.is_whole()
            && let Some((fraction, length)) = self.fraction_behind()
        {
            self.at += length;
            return Ok(Expr::Sum(vec![Expr::Number(literal), fraction]));
        }
        Ok(Expr::Number(literal))
    }

    /// The base behind digits: `_8`, `_{16}`, `_{\text{nine}}`.
    fn based(&mut self, digits: &str) -> Result<Expr, Fault> {
        self.expect('_')?;
        let braced = self.eat('{');
        let base = match self.peek() {
            Some(Token::Number(literal)) => literal.text.parse().map_err(|_| Fault::Syntax)?,
            Some(Token::Text(word) | Token::Word(word)) => base_word(word).ok_or(Fault::Syntax)?,
            _ => return Err(Fault::Syntax),
        };
        self.at += 1;
        if braced {
            self.expect('}')?;
        }
        if !(2..=36).contains(&base) {
            return Err(Fault::Syntax);
        }
        let digits = digits.trim_start_matches('0');
        Ok(Expr::Based(if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }, base))
    }

    /// A fraction of whole numbers, below one, that makes a mixed number of what stands before it.
    fn fraction_behind(&self) -> Option<(Expr, usize)> {
        let number = |ahead: usize| match self.peek_at(ahead) {
            Some(Token::Number(literal)) if literal.is_whole() => Some(literal.clone()),
            _ => None,
        };
        let sign = |ahead: usize, sign: char| self.peek_at(ahead) == Some(&Token::Sign(sign));
        // "3{\frac{1}{2}}"
        let braced = sign(0, '{') && self.peek_at(1) == Some(&Token::Command("frac".to_owned()));
        let from = usize::from(braced);
        let (n, d, length) = match self.peek_at(from)? {
            Token::Command(name) if name == "frac" => {
                let (mut at, mut parts) = (1 + from, Vec::new());
                while parts.len() < 2 {
                    if sign(at, '{') && sign(at + 2, '}') {
                        parts.push(number(at + 1)?);
                        at += 3;
                    } else {
                        // `\frac12`: the arguments are the first two digits.
                        let literal = number(at)?;
                        let need = 2 - parts.len();
                        if literal.text.len() > need {
                            return None;
                        }
                        for digit in literal.text.chars() {
                            parts.push(Literal::new(digit.to_string())?);
                        }
                        at += 1;
                    }
                }
                if braced && !sign(at, '}') {
                    return None;
                }
                let d = parts.pop()?;
                (parts.pop()?, d, at + from)
            }
            Token::Number(literal) if self.spaced() && literal.is_whole() && sign(1, '/') => {
                (literal.clone(), number(2)?, 3)
            }
            _ => return None,
        };
        let proper = !d.value.is_negative() && n.value < d.value && d.value > BigRational::one();
        proper
            .then(|| (Expr::Quotient(Box::new(Expr::Number(n)), Box::new(Expr::Number(d))), length))
    }

    fn word(&mut self, word: String) -> Result<Expr, Fault> {
        let mut letters = word.chars();
        let (first, more) = (letters.next(), letters.next().is_some());
        if more {
            let count = word.chars().count();
            if count > 2 && unit::is_other(&word) && !self.stands_alone() {
                return Err(Fault::Syntax);
            }
            // Inside an expression letters are factors: `xe^x` is x·eˣ.
            if count <= MAX_PRODUCT && !self.stands_alone() {
                let spaced = self.tokens[self.at - 1].spaced;
                let letters = word.chars().enumerate().map(|(at, letter)| Lexeme {
                    token: Token::Word(letter.to_string()),
                    spaced: spaced && at == 0,
                });
                self.at -= 1;
                self.tokens.splice(self.at..=self.at, letters);
                self.at += 1;
                return self.word(word.chars().take(1).collect());
            }
            return match count {
                ..=MAX_PRODUCT => Ok(Expr::Word(word)),
                // A word is a whole answer or none.
                _ if self.tokens.len() == 1 => Ok(Expr::Word(word)),
                _ if self.stands_alone() => Ok(Expr::Text(word)),
                _ => Err(Fault::Syntax),
            };
        }
        if let Some(chosen) = self.chosen(&word) {
            return Ok(chosen);
        }
        match first {
            Some('e') if !self.at_sign('_') => Ok(Expr::Constant(Constant::E)),
            Some('i') if !self.at_sign('_') => Ok(Expr::Constant(Constant::I)),
            _ => self.subscripted(word),
        }
    }

    /// Whether the token just read is all that stands between separators, relations or brackets.
    fn stands_alone(&self) -> bool {
        let edge = |token: Option<&Token>| match token {
            None => true,
            Some(Token::Sign(sign)) => {
                matches!(sign, ',' | ';' | ':' | '∨' | '∧' | '(' | ')' | '⦃' | '⦄' | '{' | '}')
                    || Relation::of(*sign).is_some()
            }
            Some(_) => false,
        };
        let before = self.at.checked_sub(2).and_then(|at| self.tokens.get(at));
        edge(before.map(|lexeme| &lexeme.token)) && edge(self.peek())
    }

    /// A variable with the index behind it.
    fn subscripted(&mut self, mut name: String) -> Result<Expr, Fault> {
        if !self.eat('_') {
            return Ok(Expr::Symbol(name));
        }
        name.push('_');
        if !self.eat('{') {
            let token = self.peek().ok_or(Fault::Syntax)?.clone();
            self.at += 1;
            name.push_str(&index_text(&token));
            return Ok(Expr::Symbol(name));
        }
        let mut depth = 1;
        while depth > 0 {
            let token = self.peek().ok_or(Fault::Syntax)?.clone();
            self.at += 1;
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth -= 1,
                other => name.push_str(&index_text(&other)),
            }
        }
        Ok(Expr::Symbol(name))
    }

    /// What is between TeX's braces.
    pub(super) fn group(&mut self) -> Result<Expr, Fault> {
        self.expect('{')?;
        let bars = std::mem::take(&mut self.bars);
        let braces = std::mem::take(&mut self.braces);
        let mut inner = self.answers()?;
        if self.eat('⊛') {
            let below = self.answers()?;
            inner = Expr::Call(Function::Binomial, vec![inner, below]);
        } else if self.eat('⊘') {
            let below = self.answers()?;
            inner = Expr::Quotient(Box::new(inner), Box::new(below));
        }
        self.bars = bars;
        self.braces = braces;
        self.expect('}')?;
        // Braces around a list, in plain text, are a set's.
        Ok(match inner {
            Expr::List(Separator::Comma, members) => Expr::Set(members),
            other => other,
        })
    }

    fn bracketed(&mut self, open: char) -> Result<Expr, Fault> {
        match open {
            '∞' => {
                self.at += 1;
                return Ok(Expr::Constant(Constant::Infinity));
            }
            '∅' => {
                self.at += 1;
                return Ok(Expr::Named('∅'));
            }
            '{' => return self.group(),
            // Currencies before a number; the quantity reads the unit.
            '|' | '‖' => return self.absolute(open),
            _ => {}
        }
        let closes: &[char] = match open {
            '(' | '[' => &[')', ']'],
            '⦃' => &['⦄'],
            '⟨' => &['⟩'],
            '⌊' => &['⌋'],
            '⌈' => &['⌉'],
            _ => return Err(Fault::Syntax),
        };
        self.at += 1;
        let bars = std::mem::take(&mut self.bars);
        let braces = std::mem::replace(&mut self.braces, open == '⦃');
        if open == '⦃' && self.eat('⦄') {
            self.bars = bars;
            self.braces = braces;
            return Ok(Expr::Named('∅'));
        }
        let inner = self.answers()?;
        let conditioned = open == '⦃' && (self.eat('|') || self.eat(':'));
        self.braces = false;
        let condition = conditioned.then(|| self.answers());
        self.bars = bars;
        self.braces = braces;
        let close = self.sign().filter(|sign| closes.contains(sign)).ok_or(Fault::Syntax)?;
        self.at += 1;
        if let Some(condition) = condition.transpose()? {
            return Ok(set_where(inner, condition));
        }
        Ok(match (open, inner) {
            ('⌊', inner) => Expr::Call(Function::Floor, vec![inner]),
            ('⌈', inner) => Expr::Call(Function::Ceiling, vec![inner]),
            ('⦃', Expr::List(_, members)) => Expr::Set(members),
            ('⦃', Expr::Relation(first, rest)) => {
                Expr::Where(Box::new(Expr::Relation(first, rest)))
            }
            ('⦃', inner) => Expr::Set(vec![inner]),
            (_, Expr::List(Separator::Comma, members)) => Expr::Sequence(open, members, close),
            ('⟨', inner) => Expr::Sequence('⟨', vec![inner], '⟩'),
            ('(', Expr::Number(literal)) if close == ')' && self.at_sign('_') => {
                self.based(&literal.text)?
            }
            ('(', inner) if close == ')' => inner,
            ('[', inner) if close == ']' => inner,
            _ => return Err(Fault::Syntax),
        })
    }

    fn absolute(&mut self, bar: char) -> Result<Expr, Fault> {
        self.at += 1;
        // Put back rather than counted down: a reader that gave up inside may have reset it.
        let outside = self.bars;
        self.bars += 1;
        let inner = self.sum();
        self.bars = outside;
        let inner = inner?;
        self.expect(bar)?;
        Ok(Expr::Call(Function::Abs, vec![inner]))
    }
}

fn index_text(token: &Token) -> String {
    match token {
        Token::Number(literal) => literal.text.clone(),
        Token::Word(text) | Token::Text(text) | Token::Name(text) | Token::Command(text) => {
            text.clone()
        }
        Token::Function(function) => format!("{function:?}").to_lowercase(),
        Token::Sign(sign) => sign.to_string(),
    }
}

fn base_word(word: &str) -> Option<u32> {
    let names = [
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    ];
    let word = word.trim().to_lowercase();
    if word == "sixteen" {
        return Some(16);
    }
    names.iter().position(|name| *name == word).and_then(|at| u32::try_from(at + 2).ok())
}

/// `{x | x > 3}` and `{x ∈ R : x > 3}`.
fn set_where(variable: Expr, condition: Expr) -> Expr {
    match variable {
        // What x is drawn from says nothing when it is all reals.
        Expr::Relation(_, rest)
            if rest.first().is_some_and(|(_, set)| *set != Expr::Named('R')) =>
        {
            let both = vec![Expr::Relation(Box::new(Expr::Text("∈".to_owned())), rest), condition];
            Expr::Where(Box::new(Expr::List(Separator::And, both)))
        }
        _ => Expr::Where(Box::new(condition)),
    }
}
