//! What is written short, written out: ± as two answers, multiples of matrices as matrices.

use crate::syntax::{Expr, Separator};

/// Writes an answer out.
#[must_use]
pub fn expanded(expr: Expr) -> Expr {
    match expr {
        Expr::List(kind, members) => Expr::List(kind, flat(members)),
        Expr::Set(members) => Expr::Set(flat(members)),
        Expr::Relation(first, rest)
            if rest.iter().any(|(_, side)| matches!(side, Expr::Set(_) | Expr::List(..))) =>
        {
            Expr::Relation(
                first,
                rest.into_iter().map(|(relation, side)| (relation, expanded(side))).collect(),
            )
        }
        other if has_plus_minus(&other) => {
            let both = vec![signed(&other, false), signed(&other, true)];
            Expr::List(Separator::Or, both.into_iter().map(matrices).collect())
        }
        other => matrices(other),
    }
}

fn flat(members: Vec<Expr>) -> Vec<Expr> {
    let mut out = Vec::with_capacity(members.len());
    for member in members {
        let split = has_plus_minus(&member);
        match expanded(member) {
            Expr::List(Separator::Or, both) if split => out.extend(both),
            other => out.push(other),
        }
    }
    out
}

fn has_plus_minus(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::PlusMinus(..)))
}

/// The expression with the upper signs, or the lower.
fn signed(expr: &Expr, lower: bool) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(|part| signed(part, lower)).collect::<Vec<_>>();
    let one = |part: &Expr| Box::new(signed(part, lower));
    match expr {
        Expr::PlusMinus(inner, flipped) => {
            let inner = signed(inner, lower);
            if *flipped == lower { inner } else { Expr::Negative(Box::new(inner)) }
        }
        Expr::Sum(parts) => Expr::Sum(all(parts)),
        Expr::Product(parts) => Expr::Product(all(parts)),
        Expr::Negative(a) => Expr::Negative(one(a)),
        Expr::Quotient(a, b) => Expr::Quotient(one(a), one(b)),
        Expr::Power(a, b) => Expr::Power(one(a), one(b)),
        Expr::Call(function, parts) => Expr::Call(*function, all(parts)),
        Expr::Percent(a) => Expr::Percent(one(a)),
        Expr::Degrees(a) => Expr::Degrees(one(a)),
        Expr::Quantity(a, unit) => Expr::Quantity(one(a), unit.clone()),
        Expr::Sequence(open, parts, close) => Expr::Sequence(*open, all(parts), *close),
        Expr::Set(parts) => Expr::Set(all(parts)),
        Expr::List(kind, parts) => Expr::List(*kind, all(parts)),
        Expr::Matrix(rows) => Expr::Matrix(rows.iter().map(|row| all(row)).collect()),
        Expr::Relation(first, rest) => Expr::Relation(
            one(first),
            rest.iter().map(|(relation, side)| (*relation, signed(side, lower))).collect(),
        ),
        Expr::Sets(first, rest) => Expr::Sets(
            one(first),
            rest.iter().map(|(operation, set)| (*operation, signed(set, lower))).collect(),
        ),
        Expr::Where(a) => Expr::Where(one(a)),
        other => other.clone(),
    }
}

/// Carries a factor before a matrix or a vector into it.
fn matrices(expr: Expr) -> Expr {
    match expr {
        Expr::Negative(inner) => match matrices(*inner) {
            inner @ (Expr::Matrix(_) | Expr::Sequence('(' | '⟨', ..)) => {
                each(inner, &|entry| Expr::Negative(Box::new(entry)))
            }
            inner => Expr::Negative(Box::new(inner)),
        },
        Expr::Quotient(above, below) if matches!(*above, Expr::Matrix(_)) => {
            each(*above, &|entry| Expr::Quotient(Box::new(entry), below.clone()))
        }
        Expr::Product(mut factors) => {
            let places: Vec<usize> = (0..factors.len())
                .filter(|at| matches!(factors[*at], Expr::Matrix(_) | Expr::Sequence('(' | '⟨', ..)))
                .collect();
            match places.as_slice() {
                [at] if factors.iter().enumerate().all(|(i, f)| i == *at || f.is_scalar()) => {
                    // f(x, y) is a function's value and no multiple of a pair.
                    if matches!(factors.first(), Some(Expr::Symbol(_))) && factors.len() == 2 {
                        return Expr::Product(factors);
                    }
                    let matrix = factors.remove(*at);
                    each(matrix, &|entry| {
                        let mut product = factors.clone();
                        product.push(entry);
                        Expr::Product(product)
                    })
                }
                _ => Expr::Product(factors),
            }
        }
        Expr::Relation(first, rest) => Expr::Relation(
            first,
            rest.into_iter().map(|(relation, side)| (relation, matrices(side))).collect(),
        ),
        other => other,
    }
}

fn each(matrix: Expr, change: &dyn Fn(Expr) -> Expr) -> Expr {
    match matrix {
        Expr::Matrix(rows) => Expr::Matrix(
            rows.into_iter().map(|row| row.into_iter().map(change).collect()).collect(),
        ),
        Expr::Sequence(open, members, close) => {
            Expr::Sequence(open, members.into_iter().map(change).collect(), close)
        }
        other => other,
    }
}
