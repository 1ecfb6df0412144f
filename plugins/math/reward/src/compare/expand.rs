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
        other if other.is_scalar() && upper_signs(&other) == Some(2) => {
            // ±a ± b are four numbers.
            let mut all = Vec::with_capacity(4);
            for first in [false, true] {
                for second in [false, true] {
                    let mut signs = vec![second, first];
                    all.push(signed(&other, &mut || signs.pop().unwrap_or_default()));
                }
            }
            Expr::List(Separator::Or, all)
        }
        other if has_plus_minus(&other) => {
            let both = vec![signed(&other, &mut || false), signed(&other, &mut || true)];
            Expr::List(Separator::Or, both.into_iter().map(matrices).collect())
        }
        Expr::Sequence('[', rows, ']')
            if rows.len() > 1
                && rows.iter().all(|row| matches!(row, Expr::Sequence('[', _, ']'))) =>
        {
            // [[1, 2], [3, 4]]
            let rows = rows.into_iter().map(|row| match row {
                Expr::Sequence(_, members, _) => members,
                other => vec![other],
            });
            Expr::Matrix(rows.collect())
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

/// How many ± it has; none when ∓ ties them together.
fn upper_signs(expr: &Expr) -> Option<usize> {
    let own = match expr {
        Expr::PlusMinus(_, true) => return None,
        Expr::PlusMinus(_, false) => 1,
        _ => 0,
    };
    expr.parts().into_iter().try_fold(own, |total, part| Some(total + upper_signs(part)?))
}

/// The expression with the upper signs, or the lower where `lower` says so, asked once for each.
fn signed(expr: &Expr, lower: &mut dyn FnMut() -> bool) -> Expr {
    let all = |parts: &[Expr], lower: &mut dyn FnMut() -> bool| {
        parts.iter().map(|part| signed(part, lower)).collect::<Vec<_>>()
    };
    let one = |part: &Expr, lower: &mut dyn FnMut() -> bool| Box::new(signed(part, lower));
    match expr {
        Expr::PlusMinus(inner, flipped) => {
            let below = lower();
            let inner = signed(inner, lower);
            if *flipped == below { inner } else { Expr::Negative(Box::new(inner)) }
        }
        Expr::Sum(parts) => Expr::Sum(all(parts, lower)),
        Expr::Product(parts) => Expr::Product(all(parts, lower)),
        Expr::Negative(a) => Expr::Negative(one(a, lower)),
        Expr::Quotient(a, b) => Expr::Quotient(one(a, lower), one(b, lower)),
        Expr::Power(a, b) => Expr::Power(one(a, lower), one(b, lower)),
        Expr::Call(function, parts) => Expr::Call(*function, all(parts, lower)),
        Expr::Percent(a) => Expr::Percent(one(a, lower)),
        Expr::Degrees(a) => Expr::Degrees(one(a, lower)),
        Expr::Quantity(a, unit) => Expr::Quantity(one(a, lower), unit.clone()),
        Expr::Sequence(open, parts, close) => Expr::Sequence(*open, all(parts, lower), *close),
        Expr::Set(parts) => Expr::Set(all(parts, lower)),
        Expr::List(kind, parts) => Expr::List(*kind, all(parts, lower)),
        Expr::Matrix(rows) => Expr::Matrix(rows.iter().map(|row| all(row, lower)).collect()),
        Expr::Relation(first, rest) => {
            let first = one(first, lower);
            Expr::Relation(
                first,
                rest.iter().map(|(relation, side)| (*relation, signed(side, lower))).collect(),
            )
        }
        Expr::Sets(first, rest) => {
            let first = one(first, lower);
            Expr::Sets(
                first,
                rest.iter().map(|(operation, set)| (*operation, signed(set, lower))).collect(),
            )
        }
        Expr::Where(a) => Expr::Where(one(a, lower)),
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
                .filter(|at| {
                    matches!(factors[*at], Expr::Matrix(_) | Expr::Sequence('(' | '⟨', ..))
                })
                .collect();
            match places.as_slice() {
                [at] if factors.iter().enumerate().all(|(i, f)| i == *at || f.is_scalar()) => {
                    // f(x, y) is a function's value and no multiple of a pair.
                    let pair = matches!(factors[*at], Expr::Sequence(..));
                    if pair
                        && factors
                            .iter()
                            .enumerate()
                            .any(|(i, f)| i != *at && !f.symbols().is_empty())
                    {
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
