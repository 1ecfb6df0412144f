//! Sums, products and powers.

use super::Parser;
use crate::Fault;
use crate::lex::{Function, Token};
use crate::syntax::Expr;

impl Parser {
    pub(super) fn sum(&mut self) -> Result<Expr, Fault> {
        self.nested(|parser| {
            let mut terms = vec![parser.term()?];
            while let Some('+' | '-' | '±' | '∓') = parser.sign() {
                terms.push(parser.term()?);
            }
            Ok(if terms.len() == 1 { terms.swap_remove(0) } else { Expr::Sum(terms) })
        })
    }

    /// A product with the signs before it.
    fn term(&mut self) -> Result<Expr, Fault> {
        self.signed(Self::product)
    }

    fn signed(&mut self, read: fn(&mut Self) -> Result<Expr, Fault>) -> Result<Expr, Fault> {
        let mut negative = false;
        loop {
            match self.sign() {
                Some('+') => self.at += 1,
                Some('-') => {
                    self.at += 1;
                    negative = !negative;
                }
                Some(sign @ ('±' | '∓')) => {
                    self.at += 1;
                    let inner = self.nested(|parser| parser.signed(read))?;
                    let flipped = (sign == '∓') != negative;
                    return Ok(Expr::PlusMinus(Box::new(inner), flipped));
                }
                _ => break,
            }
        }
        let value = read(self)?;
        Ok(if negative { Expr::Negative(Box::new(value)) } else { value })
    }

    fn product(&mut self) -> Result<Expr, Fault> {
        let mut value = self.power()?;
        let mut factors: Vec<Expr> = Vec::new();
        loop {
            if self.eat('*') {
                factors.push(value);
                value = self.signed(Self::power)?;
            } else if self.eat('/') {
                // a·b/c is (a·b)/c.
                factors.push(value);
                let divisor = self.signed(Self::power)?;
                value = Expr::Quotient(
                    Box::new(product_of(std::mem::take(&mut factors))),
                    Box::new(divisor),
                );
            } else if self.at_factor(&value) {
                factors.push(value);
                value = self.power()?;
            } else {
                factors.push(value);
                return Ok(product_of(factors));
            }
        }
    }

    /// Whether a factor follows without a sign.
    pub(super) fn at_factor(&self, before: &Expr) -> bool {
        let after_literal = matches!(before, Expr::Number(_) | Expr::Based(..));
        match self.peek() {
            // "1 8" and "x2" are not products; "(x+1)2" and "\pi 2" are.
            Some(Token::Number(_)) => {
                !after_literal && !matches!(before, Expr::Symbol(_) | Expr::Word(_))
            }
            Some(Token::Word(_)) => !self.at_unit(before) && !self.at_relation_word(),
            Some(Token::Name(_) | Token::Function(_)) => true,
            Some(Token::Text(_)) => false,
            Some(Token::Command(name)) => {
                matches!(name.as_str(), "frac" | "sqrt" | "cbrt" | "binom")
                    || name.starts_with("begin:")
            }
            Some(Token::Sign(sign)) => match sign {
                '(' | '{' | '⌊' | '⌈' => true,
                '[' => !self.spaced() || !after_literal,
                '|' | '‖' => self.bars == 0 && !self.braces,
                '∞' => true,
                _ => false,
            },
            None => false,
        }
    }

    fn at_relation_word(&self) -> bool {
        match self.peek() {
            Some(Token::Word(word)) if word == "in" || word == "U" || word == "u" => {
                matches!(self.peek_at(1), Some(Token::Sign('[' | '(' | '⦃')))
            }
            _ => false,
        }
    }

    pub(super) fn power(&mut self) -> Result<Expr, Fault> {
        let base = self.atom()?;
        let base = self.postfix(base)?;
        if !self.at_sign('^') {
            return Ok(base);
        }
        self.at += 1;
        let exponent = self.exponent()?;
        let power = Expr::Power(Box::new(base), Box::new(exponent));
        self.postfix(power)
    }

    /// What stands behind a value: a factorial, a percent sign, degrees, primes.
    fn postfix(&mut self, mut value: Expr) -> Result<Expr, Fault> {
        loop {
            self.steps += 1;
            match self.sign() {
                Some('!') => {
                    self.at += 1;
                    value = Expr::Call(Function::Factorial, vec![value]);
                }
                Some('%') => {
                    self.at += 1;
                    value = Expr::Percent(Box::new(value));
                }
                Some('\'') => {
                    let Expr::Symbol(name) = value else { return Err(Fault::Syntax) };
                    self.at += 1;
                    value = Expr::Symbol(name + "'");
                }
                _ => {
                    let Some(length) = self.degree_sign() else { return Ok(value) };
                    self.at += length;
                    value = Expr::Degrees(Box::new(value));
                    return Ok(value);
                }
            }
            if self.depth_of_postfix(&value) > 8 {
                return Err(Fault::Beyond);
            }
        }
    }

    #[expect(clippy::unused_self, reason = "a rule of the parser")]
    fn depth_of_postfix(&self, value: &Expr) -> u32 {
        let (mut value, mut depth) = (value, 0);
        while let Expr::Call(Function::Factorial, inner) = value
            && let Some(inner) = inner.first()
        {
            value = inner;
            depth += 1;
        }
        while let Expr::Percent(inner) = value {
            value = inner;
            depth += 1;
        }
        depth
    }

    /// The length of `°`, `^\circ` or `^{\circ}`, when one is next.
    pub(super) fn degree_sign(&self) -> Option<usize> {
        let sign = |ahead: usize| match self.peek_at(ahead) {
            Some(Token::Sign(sign)) => Some(*sign),
            _ => None,
        };
        // "90^o"
        let letter =
            |ahead: usize| matches!(self.peek_at(ahead), Some(Token::Word(word)) if word == "o");
        let after_digit = self.at > 0 && matches!(self.tokens[self.at - 1].token, Token::Number(_));
        if after_digit && sign(0) == Some('^') {
            if letter(1) {
                return Some(2);
            }
            if sign(1) == Some('{') && letter(2) && sign(3) == Some('}') {
                return Some(4);
            }
        }
        match (sign(0)?, sign(1), sign(2), sign(3)) {
            ('°', ..) => Some(1),
            ('^', Some('°'), ..) => Some(2),
            ('^', Some('{'), Some('°'), Some('}')) => Some(4),
            _ => None,
        }
    }

    fn exponent(&mut self) -> Result<Expr, Fault> {
        self.nested(|parser| {
            if parser.at_sign('{') {
                return parser.group();
            }
            parser.signed(Self::power)
        })
    }
}

/// The product of some factors.
pub(super) fn product_of(mut factors: Vec<Expr>) -> Expr {
    if factors.len() == 1 { factors.swap_remove(0) } else { Expr::Product(factors) }
}
