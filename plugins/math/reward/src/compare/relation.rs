//! Equations, assignments, inequalities.

use super::{Comparison, is_or, members};
use crate::Fault;
use crate::syntax::{Expr, Relation};

/// Whether a relation decides how something is compared.
pub(super) fn is_related(expr: &Expr) -> bool {
    match expr {
        Expr::Relation(..) | Expr::Where(_) => true,
        Expr::List(_, members) | Expr::Set(members) => {
            members.iter().any(|member| matches!(member, Expr::Relation(..)))
        }
        _ => false,
    }
}

/// Letters that functions are called by.
const FUNCTIONS: [&str; 12] = ["f", "g", "h", "p", "q", "F", "G", "H", "P", "Q", "A", "V"];

/// What may stand before the equals sign of an answer without being part of it.
fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Symbol(_) | Expr::Text(_) | Expr::Word(_) => true,
        // (x, y), in this order: of (y, x) it is not known which value is meant first.
        Expr::Sequence('(', members, ')') => {
            let names: Vec<&str> = members
                .iter()
                .filter_map(|member| match member {
                    Expr::Symbol(name) => Some(name.as_str()),
                    _ => None,
                })
                .collect();
            names.len() == members.len() && names.is_sorted()
        }
        Expr::Product(factors) => match factors.as_slice() {
            [Expr::Power(function, _), _] => {
                matches!(&**function, Expr::Symbol(f) if FUNCTIONS.contains(&f.as_str()))
            }
            [Expr::Symbol(function), _] if FUNCTIONS.contains(&function.trim_end_matches('\'')) => {
                true
            }
            factors => factors.iter().all(is_name),
        },
        Expr::Sum(parts) => parts.iter().all(is_name),
        Expr::Negative(inner) => is_name(inner),
        Expr::Quotient(a, b) => is_name(a) && is_name(b),
        Expr::Call(_, arguments) => arguments.iter().all(is_name),
        _ => false,
    }
}

/// A name and a value, of `x = 5` and of `x = 10/2 = 5` (the last).
fn assignment(expr: &Expr) -> Option<(&Expr, &Expr)> {
    let Expr::Relation(first, rest) = expr else { return None };
    if !rest.iter().all(|(relation, _)| matches!(relation, Relation::Equal | Relation::About)) {
        return None;
    }
    let (_, last) = rest.last()?;
    if is_name(first) {
        return Some((first, last));
    }
    // 5 = x
    (rest.len() == 1 && is_name(last) && matches!(last, Expr::Symbol(_))).then_some((last, first))
}

/// The assignments of a list in which a name may be said once for all: `x = 1, 2`.
pub(super) fn assignments(expr: &Expr) -> Option<Vec<(Expr, Expr)>> {
    // (x, y) = (1, 2)
    if let Expr::Relation(first, rest) = expr
        && let (
            Expr::Sequence('(', names, ')'),
            [(Relation::Equal, Expr::Sequence('(', values, ')'))],
        ) = (&**first, rest.as_slice())
        && names.len() == values.len()
    {
        return Some(names.iter().cloned().zip(values.iter().cloned()).collect());
    }
    let members = members(expr)?;
    let mut name: Option<Expr> = None;
    let mut found = Vec::with_capacity(members.len());
    for member in members {
        match assignment(member) {
            Some((left, value)) => {
                name = Some(left.clone());
                found.push((left.clone(), value.clone()));
            }
            None if member.is_scalar() || matches!(member, Expr::Sequence(..)) => {
                found.push((name.clone()?, member.clone()))
            }
            None => return None,
        }
    }
    Some(found)
}

pub(super) fn as_relations(assignments: &[(Expr, Expr)]) -> Vec<Expr> {
    let relation = |(name, value): &(Expr, Expr)| {
        Expr::Relation(Box::new(name.clone()), vec![(Relation::Equal, value.clone())])
    };
    assignments.iter().map(relation).collect()
}

impl Comparison {
    pub(super) fn same_relation(&mut self, a: &Expr, b: &Expr) -> Result<bool, Fault> {
        let (short_a, short_b) = (self.without_estimate(a)?, self.without_estimate(b)?);
        if short_a.is_some() || short_b.is_some() {
            return self.same(short_a.as_ref().unwrap_or(a), short_b.as_ref().unwrap_or(b));
        }
        if let (Expr::Relation(..), Expr::Relation(..)) = (a, b)
            && let Some(same) = self.same_equation(a, b)?
        {
            return Ok(same);
        }
        // x ∈ S is S.
        match (a, b) {
            (Expr::Relation(_, x), Expr::Relation(_, y)) => {
                if let ([(Relation::In, s)], [(Relation::In, t)]) = (x.as_slice(), y.as_slice()) {
                    return self.same(s, t);
                }
            }
            (Expr::Relation(_, x), other) if !is_related(other) => {
                if let [(Relation::In, set)] = x.as_slice()
                    && !is_pair_and_list(set, other)
                {
                    return self.answers(set, other);
                }
            }
            (other, Expr::Relation(_, y)) if !is_related(other) => {
                if let [(Relation::In, set)] = y.as_slice()
                    && !is_pair_and_list(set, other)
                {
                    return self.answers(other, set);
                }
            }
            _ => {}
        }
        let (names, others) = (a.symbols(), b.symbols());
        if (names.is_empty() || others.is_empty() || names == others)
            && let (Some(x), Some(y)) = (self.real_set(a)?, self.real_set(b)?)
        {
            return Ok(x == y);
        }
        match (a, b) {
            (Expr::Relation(..), other) if !is_related(other) => self.last_value(a, other, false),
            (other, Expr::Relation(..)) if !is_related(other) => self.last_value(b, other, true),
            (Expr::Relation(first, x), Expr::Relation(begin, y)) => {
                self.same_inequalities(first, x, begin, y)
            }
            (Expr::Where(x), Expr::Where(y)) => self.same(x, y),
            _ => match (members(a), members(b)) {
                (Some(x), Some(y)) if is_or(a) == is_or(b) || x.len() != y.len() => {
                    Ok(self.unordered(x, y)? || self.same_assignments(a, b)?)
                }
                (Some(_), _) | (_, Some(_)) => self.same_assignments(a, b),
                _ => Ok(false),
            },
        }
    }

    /// Without the estimate behind an exact value, `2√3 ≈ 3.46`, if it is one.
    fn without_estimate(&mut self, expr: &Expr) -> Result<Option<Expr>, Fault> {
        let Expr::Relation(first, rest) = expr else { return Ok(None) };
        let Some(((Relation::About, estimate), sides)) = rest.split_last() else { return Ok(None) };
        let exact = match sides.last() {
            Some((_, side)) => side,
            None if !is_name(first) => &**first,
            None => return Ok(None),
        };
        let closed = |side: &Expr| side.is_scalar() && side.symbols().is_empty();
        if !closed(exact) || !closed(estimate) {
            return Ok(None);
        }
        let (Ok(x), Ok(y)) = (self.value_of(exact), self.value_of(estimate)) else {
            return Ok(None);
        };
        let (x, y) = (x.re.to_float(), y.re.to_float());
        if (x - y).abs() > 0.01 * x.abs() {
            return Ok(None);
        }
        Ok(Some(if sides.is_empty() {
            (**first).clone()
        } else {
            Expr::Relation(first.clone(), sides.to_vec())
        }))
    }

    /// Two equations; none where one is something else.
    fn same_equation(&mut self, a: &Expr, b: &Expr) -> Result<Option<bool>, Fault> {
        let equation = |expr: &Expr| -> Option<(Expr, Expr)> {
            let Expr::Relation(first, rest) = expr else { return None };
            let equal = rest.iter().all(|(r, _)| matches!(r, Relation::Equal | Relation::About));
            let (_, last) = rest.last()?;
            (equal && (rest.len() == 1 || is_name(first)))
                .then(|| ((**first).clone(), last.clone()))
        };
        let (Some((l, r)), Some((m, s))) = (equation(a), equation(b)) else { return Ok(None) };
        if l == m {
            return self.same(&r, &s).map(Some);
        }
        if r == m && self.same(&l, &s)? || l == s && self.same(&r, &m)? {
            return Ok(Some(true));
        }
        // f(x) = … is y = …
        let function = |name: &Expr| {
            matches!(name, Expr::Product(factors)
                if matches!(factors.as_slice(), [Expr::Symbol(f), Expr::Symbol(_)] if FUNCTIONS.contains(&f.as_str())))
        };
        let ordinate = |name: &Expr| *name == Expr::Symbol("y".to_owned());
        if function(&l) && ordinate(&m) || ordinate(&l) && function(&m) {
            return self.same(&r, &s).map(Some);
        }
        if ![&l, &r, &m, &s].into_iter().all(|side| side.is_scalar()) {
            let texts = matches!((&l, &m), (Expr::Text(_), Expr::Text(_)));
            return Ok(Some(!texts && self.same(&l, &m)? && self.same(&r, &s)?));
        }
        let (f, g) = (difference(&l, &r), difference(&m, &s));
        match self.proportional(&f, &g) {
            Ok(found) => Ok(Some(found.is_some())),
            Err(Fault::Inexpressible) => Ok(Some(false)),
            Err(fault) => Err(fault),
        }
    }

    /// A chain of equations against a value: what the chain ends in, if all that has a value agrees.
    fn last_value(&mut self, chain: &Expr, value: &Expr, swapped: bool) -> Result<bool, Fault> {
        let Expr::Relation(first, rest) = chain else { return Ok(false) };
        let mut compare = |side: &Expr| {
            if swapped { self.same(value, side) } else { self.same(side, value) }
        };
        if let Some((_, last)) = assignment(chain) {
            let sides = rest.iter().map(|(_, side)| side).take(rest.len() - 1);
            for side in sides.filter(|side| side.is_scalar() && side.symbols().is_empty()) {
                if !compare(side)? {
                    return Ok(false);
                }
            }
            return compare(last);
        }
        // 10 + 8 = 18
        let equal = rest.iter().all(|(relation, _)| *relation == Relation::Equal);
        let closed = |side: &Expr| side.is_scalar() && side.symbols().is_empty();
        if !equal || !closed(first) || !rest.iter().all(|(_, side)| closed(side)) {
            return Ok(false);
        }
        for side in std::iter::once(&**first).chain(rest.iter().map(|(_, side)| side)) {
            if !compare(side)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Chains of inequalities: each link of one is a link of the other.
    fn same_inequalities(
        &mut self,
        first: &Expr,
        rest: &[(Relation, Expr)],
        begin: &Expr,
        others: &[(Relation, Expr)],
    ) -> Result<bool, Fault> {
        let links = |first: &Expr, rest: &[(Relation, Expr)]| -> Vec<(Expr, Relation)> {
            let mut left = first.clone();
            let mut links = Vec::with_capacity(rest.len());
            for (relation, right) in rest {
                links.push((difference(&left, right), *relation));
                left = right.clone();
            }
            links
        };
        let (x, mut y) = (links(first, rest), links(begin, others));
        if x.len() != y.len() {
            return Ok(false);
        }
        for (f, relation) in x {
            let mut found = None;
            for (at, (g, other)) in y.iter().enumerate() {
                let sign = match self.proportional(&f, g) {
                    Ok(sign) => sign,
                    Err(Fault::Inexpressible) => None,
                    Err(fault) => return Err(fault),
                };
                let same = match sign {
                    Some(true) => relation == *other,
                    Some(false) => relation == other.mirrored(),
                    None => false,
                };
                if same {
                    found = Some(at);
                    break;
                }
            }
            let Some(at) = found else { return Ok(false) };
            y.remove(at);
        }
        Ok(true)
    }
}

/// An interval is no list of its ends.
fn is_pair_and_list(set: &Expr, other: &Expr) -> bool {
    matches!((set, other), (Expr::Sequence(..), Expr::List(..)))
}

fn difference(left: &Expr, right: &Expr) -> Expr {
    Expr::Sum(vec![left.clone(), Expr::Negative(Box::new(right.clone()))])
}
