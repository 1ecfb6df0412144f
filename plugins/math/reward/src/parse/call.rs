//! Functions, and commands that take arguments.

use super::Parser;
use super::sum::product_of;
use crate::Fault;
use crate::lex::{Function, Literal, Token};
use crate::syntax::{Constant, Expr};

impl Parser {
    /// A command, of which the name has been read.
    pub(super) fn command(&mut self, name: &str) -> Result<Expr, Fault> {
        if let Some(environment) = name.strip_prefix("begin:") {
            return self.rows(environment);
        }
        if let Some(set) = name.strip_prefix("mathbb:") {
            let mut letters = set.chars();
            return match (letters.next(), letters.next()) {
                (Some(letter @ ('R' | 'Z' | 'N' | 'Q' | 'C')), None) => Ok(Expr::Named(letter)),
                _ => Err(Fault::Syntax),
            };
        }
        match name {
            "frac" => {
                let numerator = self.argument()?;
                let denominator = self.argument()?;
                Ok(Expr::Quotient(Box::new(numerator), Box::new(denominator)))
            }
            "binom" => {
                let above = self.argument()?;
                let below = self.argument()?;
                Ok(Expr::Call(Function::Binomial, vec![above, below]))
            }
            "sqrt" => {
                let degree = if self.eat('[') {
                    let degree = self.sum()?;
                    self.expect(']')?;
                    Some(degree)
                } else {
                    None
                };
                let radicand = self.radicand()?;
                Ok(match degree {
                    None => Expr::Call(Function::Sqrt, vec![radicand]),
                    Some(degree) => Expr::Call(Function::Root, vec![radicand, degree]),
                })
            }
            "cbrt" => {
                let radicand = self.radicand()?;
                let three = Literal::new("3".to_owned()).ok_or(Fault::Syntax)?;
                Ok(Expr::Call(Function::Root, vec![radicand, Expr::Number(three)]))
            }
            _ => Err(Fault::Syntax),
        }
    }

    /// What stands under a root: a group, a bracket, or one number, letter or command.
    fn radicand(&mut self) -> Result<Expr, Fault> {
        match self.peek() {
            Some(Token::Sign('(')) => self.atom(),
            Some(Token::Number(literal)) => {
                let literal = literal.clone();
                self.at += 1;
                Ok(Expr::Number(literal))
            }
            _ => self.argument(),
        }
    }

    /// A command's argument: a group, or the next digit, letter or command, as TeX has it.
    fn argument(&mut self) -> Result<Expr, Fault> {
        self.nested(|parser| match parser.peek() {
            Some(Token::Sign('{')) => parser.group(),
            Some(Token::Number(literal)) => {
                let text = literal.text.clone();
                let (first, rest) = text.split_at(1);
                if let Some(rest) = Literal::new(rest.to_owned()).filter(|_| !rest.is_empty()) {
                    parser.tokens[parser.at].token = Token::Number(rest);
                    parser.tokens[parser.at].spaced = false;
                } else {
                    parser.at += 1;
                }
                Literal::new(first.to_owned()).map(Expr::Number).ok_or(Fault::Syntax)
            }
            Some(Token::Word(word)) if word.is_ascii() && word.len() > 1 => {
                let (first, rest) = word.split_at(1);
                let (first, rest) = (first.to_owned(), rest.to_owned());
                parser.tokens[parser.at].token = Token::Word(rest);
                Ok(match first.as_str() {
                    "e" => Expr::Constant(Constant::E),
                    "i" => Expr::Constant(Constant::I),
                    _ => Expr::Symbol(first),
                })
            }
            Some(Token::Word(_) | Token::Name(_) | Token::Command(_) | Token::Text(_)) => {
                parser.atom()
            }
            _ => Err(Fault::Syntax),
        })
    }

    /// A function, of which the name has been read: its index, its power, its argument.
    pub(super) fn call(&mut self, function: Function) -> Result<Expr, Fault> {
        let mut function = function;
        let base = if function == Function::Log && self.eat('_') {
            Some(self.base_of_logarithm()?)
        } else {
            None
        };
        let mut power = None;
        if self.at_sign('^') && self.degree_sign().is_none() {
            self.at += 1;
            let exponent = if self.at_sign('{') { self.group()? } else { self.argument()? };
            match function.inverse() {
                Some(inverse) if is_minus_one(&exponent) => function = inverse,
                _ => power = Some(exponent),
            }
        }
        let arguments = self.arguments(function)?;
        let call = match (function, base, arguments) {
            (Function::Log, Some(base), mut arguments) if arguments.len() == 1 => {
                arguments.push(base);
                Expr::Call(Function::Log, arguments)
            }
            (Function::Log, None, arguments) if arguments.len() == 1 => {
                Expr::Call(Function::Log, arguments)
            }
            (Function::Exp, None, mut arguments) if arguments.len() == 1 => {
                let exponent = arguments.swap_remove(0);
                Expr::Power(Box::new(Expr::Constant(Constant::E)), Box::new(exponent))
            }
            (Function::Gcd | Function::Lcm | Function::Max | Function::Min, None, arguments)
                if !arguments.is_empty() =>
            {
                Expr::Call(function, arguments)
            }
            (Function::Binomial, None, arguments) if arguments.len() == 2 => {
                Expr::Call(function, arguments)
            }
            (Function::Binomial | Function::Log | Function::Exp, ..) => return Err(Fault::Syntax),
            (_, None, arguments) if arguments.len() == 1 => Expr::Call(function, arguments),
            _ => return Err(Fault::Syntax),
        };
        Ok(match power {
            None => call,
            Some(power) => Expr::Power(Box::new(call), Box::new(power)),
        })
    }

    fn base_of_logarithm(&mut self) -> Result<Expr, Fault> {
        // "\log_10 100" means ten, "\log_28" base two of eight.
        if let Some(Token::Number(literal)) = self.peek()
            && matches!(
                self.peek_at(1),
                Some(
                    Token::Number(_)
                        | Token::Word(_)
                        | Token::Name(_)
                        | Token::Command(_)
                        | Token::Sign('(' | '{')
                )
            )
        {
            let literal = literal.clone();
            self.at += 1;
            return Ok(Expr::Number(literal));
        }
        self.argument()
    }

    fn arguments(&mut self, function: Function) -> Result<Vec<Expr>, Fault> {
        match self.sign() {
            Some('(' | '[' | '⦃') => Ok(match self.atom()? {
                Expr::Sequence(_, members, _) | Expr::Set(members) => members,
                one => vec![one],
            }),
            Some('{') => Ok(match self.group()? {
                Expr::Set(members) => members,
                one => vec![one],
            }),
            _ if function == Function::Sqrt => Ok(vec![self.radicand()?]),
            _ => Ok(vec![self.nested(Self::bare_argument)?]),
        }
    }

    /// An argument without brackets: factors, up to the next function or operator.
    fn bare_argument(&mut self) -> Result<Expr, Fault> {
        let negative = self.eat('-');
        let mut factors = vec![self.power()?];
        loop {
            let stop = match self.peek() {
                Some(Token::Function(_)) | None => true,
                Some(Token::Sign('(' | '[')) => {
                    !factors.iter().all(|factor| matches!(factor, Expr::Number(_)))
                }
                Some(Token::Sign('/')) => {
                    let angle = factors.last() == Some(&Expr::Constant(Constant::Pi))
                        && matches!(self.peek_at(1), Some(Token::Number(_)));
                    if angle {
                        self.at += 1;
                        let divisor = self.power()?;
                        let dividend = product_of(std::mem::take(&mut factors));
                        factors.push(Expr::Quotient(Box::new(dividend), Box::new(divisor)));
                    }
                    true
                }
                _ => factors.last().is_none_or(|last| !self.at_factor(last)),
            };
            if stop {
                break;
            }
            factors.push(self.power()?);
        }
        let argument = product_of(factors);
        Ok(if negative { Expr::Negative(Box::new(argument)) } else { argument })
    }

    /// `C(5, 2)` and `P(5, 2)` with numbers.
    pub(super) fn chosen(&mut self, word: &str) -> Option<Expr> {
        let function = match word {
            "C" => Function::Binomial,
            "P" => Function::Permutations,
            _ => return None,
        };
        let number = |ahead: usize| match self.peek_at(ahead) {
            Some(Token::Number(literal)) if literal.is_whole() => {
                Some(Expr::Number(literal.clone()))
            }
            _ => None,
        };
        let sign = |ahead: usize, sign: char| self.peek_at(ahead) == Some(&Token::Sign(sign));
        if !(sign(0, '(') && sign(2, ',') && sign(4, ')')) {
            return None;
        }
        let members = vec![number(1)?, number(3)?];
        self.at += 5;
        Some(Expr::Call(function, members))
    }
}

fn is_minus_one(expr: &Expr) -> bool {
    match expr {
        Expr::Negative(inner) => match &**inner {
            Expr::Number(literal) => literal.text == "1",
            _ => false,
        },
        _ => false,
    }
}
