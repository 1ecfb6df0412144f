//! What may stand around a number without being part of it: currencies and units.

use super::Parser;
use crate::Fault;
use crate::lex::{Literal, Token};
use crate::syntax::{Constant, Expr};
use crate::unit::{self, Suffix};

impl Parser {
    /// A sum with the currency before it or the unit behind it.
    pub(super) fn quantity(&mut self) -> Result<Expr, Fault> {
        let negative = self.at_sign('-')
            && matches!(self.peek_at(1), Some(Token::Sign('$' | '€' | '£' | '¥')));
        if negative {
            self.at += 1;
        }
        let currency = match self.sign() {
            Some(sign @ ('$' | '€' | '£' | '¥')) => {
                self.at += 1;
                unit::currency(sign)
            }
            _ => match self.peek() {
                Some(Token::Word(word))
                    if matches!(word.as_str(), "USD" | "EUR" | "GBP")
                        && matches!(self.peek_at(1), Some(Token::Number(_))) =>
                {
                    let sign = match word.as_str() {
                        "USD" => '$',
                        "EUR" => '€',
                        _ => '£',
                    };
                    self.at += 1;
                    unit::currency(sign)
                }
                _ => None,
            },
        };
        let mut value = self.sum()?;
        if negative {
            value = Expr::Negative(Box::new(value));
        }
        let mut suffix = self.suffix(&value)?;
        if let Some(currency) = currency {
            suffix = match suffix {
                Suffix::None => Suffix::Unit(currency),
                Suffix::Scale(power, None) => Suffix::Scale(power, Some(currency)),
                // "$5 USD", "$5 dollars", "$12 per hour": the sign says no more than the words.
                other => other,
            };
        }
        Ok(match suffix {
            Suffix::None => value,
            Suffix::Percent => Expr::Percent(Box::new(value)),
            Suffix::Unit(unit) => Expr::Quantity(Box::new(value), unit),
            Suffix::Scale(power, unit) => {
                let zeros = "0".repeat(usize::try_from(power).unwrap_or_default());
                let scale = Literal::new(format!("1{zeros}")).ok_or(Fault::Syntax)?;
                let product = Expr::Product(vec![value, Expr::Number(scale)]);
                match unit {
                    None => product,
                    Some(unit) => Expr::Quantity(Box::new(product), unit),
                }
            }
        })
    }

    /// Reads what is left before the next separator, relation or closing bracket, when it is a unit.
    fn suffix(&mut self, value: &Expr) -> Result<Suffix, Fault> {
        let begins = match self.peek() {
            Some(Token::Text(_)) => value.is_scalar() || matches!(value, Expr::Based(..)),
            Some(Token::Word(_)) => self.at_unit(value) || matches!(value, Expr::Degrees(_)),
            Some(Token::Sign(sign)) => matches!(sign, '$' | '€' | '£' | '¥' | '¢' | '°' | '%'),
            _ => false,
        };
        if !begins || matches!(value, Expr::Text(_)) {
            return Ok(Suffix::None);
        }
        let mut text = String::new();
        if matches!(value, Expr::Degrees(_)) {
            text.push_str("degree ");
        }
        let mut at = self.at;
        while let Some(lexeme) = self.tokens.get(at) {
            match &lexeme.token {
                Token::Text(word) | Token::Word(word) => {
                    text.push(' ');
                    text.push_str(word);
                }
                Token::Name(name) if name == "mu" => text.push_str(" micro"),
                Token::Sign(sign @ ('^' | '/' | '*' | '$' | '€' | '£' | '¥' | '¢' | '%')) => {
                    text.push(*sign);
                }
                Token::Sign('\'') => {}
                Token::Sign('.') => {}
                Token::Sign('{' | '}') => {}
                Token::Sign('-') if text.ends_with('^') => text.push('-'),
                Token::Number(literal) if text.ends_with(['^', '-']) => {
                    text.push_str(&literal.text)
                }
                _ => break,
            }
            at += 1;
        }
        // A closing brace read along belongs to a group around the quantity.
        while at > self.at && self.unbalanced(self.at, at) {
            at -= 1;
        }
        match unit::read(&text) {
            Some(suffix) => {
                self.at = at;
                Ok(suffix)
            }
            None => Err(Fault::Syntax),
        }
    }

    fn unbalanced(&self, from: usize, to: usize) -> bool {
        let mut depth = 0_i32;
        for lexeme in &self.tokens[from..to] {
            match lexeme.token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth -= 1,
                _ => {}
            }
            if depth < 0 {
                return true;
            }
        }
        depth != 0
    }

    /// Whether the letter that is next ends the answer, but for a power, and is the only one in it:
    /// else it is a variable.
    fn lone_letter(&self) -> bool {
        let letters = self.tokens.iter().filter(|lexeme| {
            matches!(lexeme.token, Token::Word(_) | Token::Name(_) | Token::Function(_))
        });
        let mut at = self.at + 1;
        let power = |token: Option<&Token>| match token {
            Some(Token::Number(literal)) => matches!(literal.text.as_str(), "2" | "3"),
            _ => false,
        };
        let token = |at: usize| self.tokens.get(at).map(|lexeme| &lexeme.token);
        if token(at) == Some(&Token::Sign('^')) {
            if power(token(at + 1)) {
                at += 2;
            } else if token(at + 1) == Some(&Token::Sign('{')) && power(token(at + 2)) {
                at += 4;
            }
        }
        letters.count() == 1 && at >= self.tokens.len()
    }

    /// Whether the word that is next is a unit of the number before it, and not a factor.
    pub(super) fn at_unit(&self, before: &Expr) -> bool {
        let Some(Token::Word(word)) = self.peek() else { return false };
        let countable = match before {
            Expr::Number(_) | Expr::Percent(_) | Expr::Degrees(_) => true,
            Expr::Constant(Constant::Pi) => true,
            Expr::Constant(_) | Expr::Symbol(_) | Expr::Word(_) | Expr::Text(_) => false,
            other => !other.any(&|part| matches!(part, Expr::Symbol(_) | Expr::Word(_))),
        };
        if !countable {
            return false;
        }
        let letters = word.chars().count();
        let last = !matches!(
            self.peek_at(1),
            Some(
                Token::Number(_)
                    | Token::Word(_)
                    | Token::Name(_)
                    | Token::Function(_)
                    | Token::Command(_)
                    | Token::Sign('(' | '{' | '_' | '+' | '-' | '*' | '!' | '=')
            )
        );
        match letters {
            1 => {
                self.spaced()
                    && unit::is_letter(word)
                    && matches!(before, Expr::Number(_))
                    && self.lone_letter()
            }
            2 if *before == Expr::Constant(Constant::Pi) => {
                matches!(word.as_str(), "cm" | "mm" | "km" | "ft" | "in" | "yd") && last
            }
            2 => unit::is_known(word) && (last || self.spaced()),
            3 | 4 => unit::is_known(word) || (self.spaced() && matches!(before, Expr::Number(_))),
            _ => true,
        }
    }
}
