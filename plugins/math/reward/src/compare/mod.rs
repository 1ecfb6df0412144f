//! Whether two answers say the same, by kind.
//!
//! `scalar` numbers and expressions; `decimal` rounded ones; `quantity` units and percents;
//! `relation` equations, assignments and inequalities; `set` intervals and their unions; `list`
//! several answers, tuples and matrices; `choice` letters. What is of two kinds differs, unless a
//! rule here says otherwise.

pub mod choice;
mod decimal;
mod expand;
mod list;
mod quantity;
mod relation;
mod scalar;
mod set;

pub use expand::expanded;

use crate::Fault;
use crate::number::Fuel;
use crate::syntax::{Expr, Separator};

/// One comparison, with what it may still spend.
#[derive(Debug, Default)]
pub struct Comparison {
    fuel: Fuel,
}

impl Comparison {
    /// Whether an answer says what the reference says; both are [`expanded`].
    ///
    /// # Errors
    /// When one of them has no value, or one that is too large.
    pub fn answers(&mut self, reference: &Expr, answer: &Expr) -> Result<bool, Fault> {
        self.same(bare(reference), bare(answer))
    }

    /// The same, of parts of answers.
    fn same(&mut self, reference: &Expr, answer: &Expr) -> Result<bool, Fault> {
        self.fuel.spend(1)?;
        let (a, b) = (reference, answer);
        if a == b {
            return Ok(true);
        }
        // "1/2 or 0.5": one answer in several spellings.
        if let (true, Expr::List(Separator::Or, spellings)) = (a.is_scalar(), b) {
            for spelling in spellings {
                if !self.same(a, spelling)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        if relation::is_related(a) || relation::is_related(b) {
            return self.same_relation(a, b);
        }
        if set::is_set(a) || set::is_set(b) {
            return self.same_set(a, b);
        }
        match (a, b) {
            (Expr::Text(_) | Expr::Word(_), Expr::Text(_) | Expr::Word(_)) => {
                Ok(same_words(a, b) || (product(a) && product(b) && self.same_scalar(a, b)?))
            }
            (Expr::Text(text), Expr::Symbol(name)) | (Expr::Symbol(name), Expr::Text(text)) => {
                Ok(text == name)
            }
            (Expr::Text(_), _) | (_, Expr::Text(_)) => Ok(false),
            (Expr::Based(..), _) | (_, Expr::Based(..)) => Ok(quantity::same_based(a, b)),
            _ if list::is_several(a) || list::is_several(b) => self.same_list(a, b),
            _ => self.same_quantity(a, b),
        }
    }
}

/// Without what wraps one answer without changing it: a set or a list of one.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Set(members) | Expr::List(_, members) => match members.as_slice() {
            // {∅} is not ∅.
            [one] if !matches!(one, Expr::Named(_)) => bare(one),
            _ => expr,
        },
        other => other,
    }
}

/// Two letters are a product; three may be one, and are compared as a word.
fn product(expr: &Expr) -> bool {
    matches!(expr, Expr::Word(word) if word.chars().count() == 2)
}

fn same_words(a: &Expr, b: &Expr) -> bool {
    let text = |expr: &Expr| match expr {
        Expr::Text(text) | Expr::Word(text) => {
            let text = text.trim().trim_end_matches('.');
            let cased =
                text.chars().count() < 2 || (product(expr) && !text.eq_ignore_ascii_case("no"));
            let text = if cased { text.to_owned() } else { text.to_lowercase() };
            match text.as_str() {
                "yes" => "true".to_owned(),
                "no" => "false".to_owned(),
                _ => text,
            }
        }
        _ => String::new(),
    };
    text(a) == text(b)
}

/// The members of several answers; of anything else none.
fn members(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::List(_, members) | Expr::Set(members) => Some(members),
        _ => None,
    }
}

/// Whether it is a list by "or".
fn is_or(expr: &Expr) -> bool {
    matches!(expr, Expr::List(Separator::Or, _))
}
