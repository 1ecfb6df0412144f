//! What an answer says: the syntax tree.

use crate::lex::{Function, Literal};
use crate::unit::Unit;

/// An answer, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A literal number.
    Number(Literal),
    /// A number with a name.
    Constant(Constant),
    /// A variable.
    Symbol(String),
    /// A run of letters: a word, or the product of variables.
    Word(String),
    /// A text.
    Text(String),
    /// A sum.
    Sum(Vec<Expr>),
    /// A product.
    Product(Vec<Expr>),
    /// Minus something.
    Negative(Box<Expr>),
    /// A quotient.
    Quotient(Box<Expr>, Box<Expr>),
    /// A power.
    Power(Box<Expr>, Box<Expr>),
    /// ± something, or ∓ where the flag is set.
    PlusMinus(Box<Expr>, bool),
    /// A function's value.
    Call(Function, Vec<Expr>),
    /// A number of hundredths.
    Percent(Box<Expr>),
    /// A number of degrees.
    Degrees(Box<Expr>),
    /// A number and what it is a number of.
    Quantity(Box<Expr>, Unit),
    /// Digits in a base.
    Based(String, u32),
    /// Members between brackets, in order; `'⟨'` for angle brackets, `':'` for ratios and times.
    Sequence(char, Vec<Expr>, char),
    /// A set by its members.
    Set(Vec<Expr>),
    /// Several answers.
    List(Separator, Vec<Expr>),
    /// A matrix by rows.
    Matrix(Vec<Vec<Expr>>),
    /// The first side, then each relation with the side behind it.
    Relation(Box<Expr>, Vec<(Relation, Expr)>),
    /// Sets joined, met or taken away, from the left.
    Sets(Box<Expr>, Vec<(SetOperation, Expr)>),
    /// A set that has a name: R, Z, N, Q, C or ∅.
    Named(char),
    /// The set of what fulfils a condition.
    Where(Box<Expr>),
}

/// Numbers with names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constant {
    /// π.
    Pi,
    /// Euler's number.
    E,
    /// The imaginary unit.
    I,
    /// ∞.
    Infinity,
}

/// What stands between several answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// A comma or a semicolon.
    Comma,
    /// "or".
    Or,
    /// "and".
    And,
}

/// A relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// =
    Equal,
    /// ≠
    Unequal,
    /// <
    Less,
    /// ≤
    AtMost,
    /// >
    Greater,
    /// ≥
    AtLeast,
    /// ∈
    In,
    /// ≈
    About,
}

impl Relation {
    /// The relation of a sign.
    pub fn of(sign: char) -> Option<Self> {
        Some(match sign {
            '=' => Self::Equal,
            '≠' => Self::Unequal,
            '<' => Self::Less,
            '≤' => Self::AtMost,
            '>' => Self::Greater,
            '≥' => Self::AtLeast,
            '∈' => Self::In,
            '≈' => Self::About,
            _ => return None,
        })
    }

    /// The relation with its sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
            other => other,
        }
    }

    /// Whether it orders its sides.
    pub fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::Greater | Self::AtLeast)
    }
}

/// What is done with two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOperation {
    /// ∪
    Union,
    /// ∩
    Intersection,
    /// ∖
    Difference,
}

impl Expr {
    /// The direct parts.
    pub fn parts(&self) -> Vec<&Expr> {
        match self {
            Self::Number(_)
            | Self::Constant(_)
            | Self::Symbol(_)
            | Self::Word(_)
            | Self::Text(_)
            | Self::Based(..)
            | Self::Named(_) => Vec::new(),
            Self::Negative(a)
            | Self::PlusMinus(a, _)
            | Self::Percent(a)
            | Self::Degrees(a)
            | Self::Quantity(a, _)
            | Self::Where(a) => vec![a],
            Self::Quotient(a, b) | Self::Power(a, b) => vec![a, b],
            Self::Sum(parts)
            | Self::Product(parts)
            | Self::Call(_, parts)
            | Self::Sequence(_, parts, _)
            | Self::Set(parts)
            | Self::List(_, parts) => parts.iter().collect(),
            Self::Matrix(rows) => rows.iter().flatten().collect(),
            Self::Relation(first, rest) => {
                std::iter::once(&**first).chain(rest.iter().map(|(_, side)| side)).collect()
            }
            Self::Sets(first, rest) => {
                std::iter::once(&**first).chain(rest.iter().map(|(_, set)| set)).collect()
            }
        }
    }

    /// Whether this or a part of it, at any depth, is as asked.
    pub fn any(&self, is: &dyn Fn(&Expr) -> bool) -> bool {
        is(self) || self.parts().into_iter().any(|part| part.any(is))
    }

    /// Whether it stands for one value, as far as its form says.
    pub fn is_scalar(&self) -> bool {
        matches!(
            self,
            Self::Number(_)
                | Self::Constant(_)
                | Self::Symbol(_)
                | Self::Word(_)
                | Self::Sum(_)
                | Self::Product(_)
                | Self::Negative(_)
                | Self::Quotient(..)
                | Self::Power(..)
                | Self::Call(..)
                | Self::Percent(_)
                | Self::Degrees(_)
                | Self::Quantity(..)
        )
    }

    /// The names of its variables, each once.
    pub fn symbols(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_symbols(&mut found);
        found
    }

    fn collect_symbols(&self, found: &mut Vec<String>) {
        let mut add = |name: String| {
            if !found.contains(&name) {
                found.push(name);
            }
        };
        match self {
            Self::Symbol(name) => add(name.clone()),
            Self::Text(name) => add(format!("text {name}")),
            Self::Word(word) => {
                for letter in word.chars().filter(|c| !matches!(c, 'e' | 'i')) {
                    add(letter.to_string());
                }
            }
            other => {
                for part in other.parts() {
                    part.collect_symbols(found);
                }
            }
        }
    }
}
