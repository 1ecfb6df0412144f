//! Sets of real numbers: intervals, unions, and inequalities as what they describe.

use num_rational::BigRational;
use num_traits::{Signed, Zero};

use super::scalar::{infinity, replaced};
use super::{Comparison, members};
use crate::Fault;
use crate::lex::{Function, Literal};
use crate::number::exact;
use crate::number::real::Real;
use crate::syntax::{Expr, Relation, Separator, SetOperation};

/// Whether something is a set by its form, and not perhaps a tuple.
pub(super) fn is_set(expr: &Expr) -> bool {
    matches!(expr, Expr::Sets(..) | Expr::Named(_) | Expr::Where(_))
}

/// An end of an interval.
#[derive(Debug, Clone)]
enum End {
    Below,
    At(Real),
    Above,
}

/// Where an interval begins or ends, seen from the left: a closed beginning comes before an open
/// one at the same number, and an open ending before a closed one.
#[derive(Debug, Clone)]
struct Cut {
    end: End,
    /// Whether the number itself is to the left of the cut.
    after: bool,
}

impl Cut {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        use std::cmp::Ordering;
        match (&self.end, &other.end) {
            (End::Below, End::Below) | (End::Above, End::Above) => Ordering::Equal,
            (End::Below, _) | (_, End::Above) => Ordering::Less,
            (End::Above, _) | (_, End::Below) => Ordering::Greater,
            (End::At(x), End::At(y)) => near(x, y).then(self.after.cmp(&other.after)),
        }
    }
}

/// The order of two numbers, equal when no more than rounding is between them.
fn near(x: &Real, y: &Real) -> std::cmp::Ordering {
    let off = x.minus(y, 200);
    if off.magnitude() <= x.magnitude().max(y.magnitude()) - 120 {
        return std::cmp::Ordering::Equal;
    }
    x.order(y)
}

/// Disjoint intervals from left to right, as pairs of cuts.
#[derive(Debug, Clone)]
pub(super) struct RealSet(Vec<(Cut, Cut)>);

impl PartialEq for RealSet {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|((a, b), (c, d))| a.order(c).is_eq() && b.order(d).is_eq())
    }
}

impl RealSet {
    fn all() -> Self {
        Self(vec![(Cut { end: End::Below, after: false }, Cut { end: End::Above, after: false })])
    }

    fn point(x: Real) -> Self {
        let cut = |after| Cut { end: End::At(x.clone()), after };
        Self(vec![(cut(false), cut(true))])
    }

    /// Empty unless the first cut is before the second.
    fn between(low: Cut, high: Cut) -> Self {
        Self(if low.order(&high).is_lt() { vec![(low, high)] } else { Vec::new() })
    }

    fn union(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.0.sort_by(|a, b| a.0.order(&b.0));
        let mut out: Vec<(Cut, Cut)> = Vec::with_capacity(self.0.len());
        for (low, high) in self.0 {
            match out.last_mut() {
                Some((_, end)) if low.order(end).is_le() => {
                    if high.order(end).is_gt() {
                        *end = high;
                    }
                }
                _ => out.push((low, high)),
            }
        }
        Self(out)
    }

    fn complement(&self) -> Self {
        let mut from = Cut { end: End::Below, after: false };
        let mut out = Vec::new();
        for (low, high) in &self.0 {
            out.extend(Self::between(from, low.clone()).0);
            from = high.clone();
        }
        out.extend(Self::between(from, Cut { end: End::Above, after: false }).0);
        Self(out)
    }

    fn intersection(&self, other: &Self) -> Self {
        self.complement().union(other.complement()).complement()
    }
}

/// More intervals are not put together.
const MAX_INTERVALS: usize = 64;

impl Comparison {
    pub(super) fn same_set(&mut self, a: &Expr, b: &Expr) -> Result<bool, Fault> {
        if let (Some(x), Some(y)) = (self.real_set(a)?, self.real_set(b)?) {
            return Ok(x == y);
        }
        // Sets of other things: the same operations on the same sets.
        match (a, b) {
            (Expr::Sets(first, x), Expr::Sets(begin, y)) => {
                let union = |rest: &[(SetOperation, Expr)]| {
                    rest.iter().all(|(operation, _)| *operation == SetOperation::Union)
                };
                let all = |first: &Expr, rest: &[(SetOperation, Expr)]| -> Vec<Expr> {
                    std::iter::once(first.clone())
                        .chain(rest.iter().map(|(_, set)| set.clone()))
                        .collect()
                };
                if union(x) && union(y) {
                    return self.unordered(&all(first, x), &all(begin, y));
                }
                let operations = x.len() == y.len() && x.iter().zip(y).all(|(p, q)| p.0 == q.0);
                Ok(operations && self.ordered(&all(first, x), &all(begin, y))?)
            }
            (Expr::Where(x), Expr::Where(y)) => self.same(x, y),
            _ => Ok(false),
        }
    }

    /// The real numbers that something describes; none when it does not, as far as this can say.
    pub(super) fn real_set(&mut self, expr: &Expr) -> Result<Option<RealSet>, Fault> {
        Ok(match expr {
            Expr::Named('R') => Some(RealSet::all()),
            Expr::Named('∅') => Some(RealSet(Vec::new())),
            Expr::Sequence(open @ ('(' | '['), ends, close @ (')' | ']')) => {
                let [low, high] = ends.as_slice() else { return Ok(None) };
                let (Some(low), Some(high)) = (self.end(low)?, self.end(high)?) else {
                    return Ok(None);
                };
                let low = Cut { end: low, after: *open == '(' };
                let high = Cut { end: high, after: *close == ']' };
                low.order(&high).is_lt().then(|| RealSet::between(low, high))
            }
            Expr::Set(members) if members.len() <= MAX_INTERVALS => {
                let mut set = RealSet(Vec::new());
                for member in members {
                    let Some(End::At(x)) = self.end(member)? else { return Ok(None) };
                    set = set.union(RealSet::point(x));
                }
                Some(set)
            }
            Expr::Sets(first, rest) if rest.len() <= MAX_INTERVALS => {
                let Some(mut set) = self.real_set(first)? else { return Ok(None) };
                for (operation, other) in rest {
                    let Some(other) = self.real_set(other)? else { return Ok(None) };
                    set = match operation {
                        SetOperation::Union => set.union(other),
                        SetOperation::Intersection => set.intersection(&other),
                        SetOperation::Difference => set.intersection(&other.complement()),
                    };
                }
                Some(set)
            }
            Expr::Where(condition) => match self.real_set(condition)? {
                Some(set) => Some(set),
                None => self.equated(condition)?,
            },
            Expr::Relation(first, rest) => self.described(first, rest)?,
            Expr::List(kind @ (Separator::Or | Separator::And), parts)
                if parts.len() <= MAX_INTERVALS && one_variable(expr) =>
            {
                let mut total: Option<RealSet> = None;
                for part in parts {
                    let set = match self.real_set(part)? {
                        Some(set) => set,
                        None => match self.equated(part)? {
                            Some(set) if *kind == Separator::Or => set,
                            _ => return Ok(None),
                        },
                    };
                    total = Some(match (total, kind) {
                        (None, _) => set,
                        (Some(total), Separator::Or) => total.union(set),
                        (Some(total), _) => total.intersection(&set),
                    });
                }
                total
            }
            _ => None,
        })
    }

    /// `x = 3` as a point, among inequalities.
    fn equated(&mut self, expr: &Expr) -> Result<Option<RealSet>, Fault> {
        if let Expr::Relation(first, rest) = expr
            && let ([(Relation::Equal, value)], Expr::Symbol(_)) = (rest.as_slice(), &**first)
            && let Some(End::At(x)) = self.end(value)?
        {
            return Ok(Some(RealSet::point(x)));
        }
        Ok(None)
    }

    /// A chain of inequalities around one variable.
    fn described(
        &mut self,
        first: &Expr,
        rest: &[(Relation, Expr)],
    ) -> Result<Option<RealSet>, Fault> {
        let mut set = RealSet::all();
        let mut left = first;
        let mut variable: Option<&str> = None;
        for (relation, right) in rest {
            let (inner, relation, bound) = match (subject(left), subject(right)) {
                (Some(_), None) => (left, *relation, right),
                (None, Some(_)) => (right, relation.mirrored(), left),
                (None, None) if rest.len() == 1 => return self.linear(left, *relation, right),
                _ => return Ok(None),
            };
            let Some((name, absolute)) = subject(inner) else { return Ok(None) };
            if variable.is_some_and(|earlier| earlier != name) {
                return Ok(None);
            }
            variable = Some(name);
            if relation == Relation::In {
                let Some(other) = self.real_set(bound)? else { return Ok(None) };
                set = set.intersection(&other);
            } else {
                let Some(end) = self.end(bound)? else { return Ok(None) };
                let Some(half) = half_line(relation, end, absolute) else { return Ok(None) };
                set = set.intersection(&half);
            }
            left = right;
        }
        Ok(variable.map(|_| set))
    }

    /// `2x + 1 > 5`: of one variable, and linear in it.
    fn linear(
        &mut self,
        left: &Expr,
        relation: Relation,
        right: &Expr,
    ) -> Result<Option<RealSet>, Fault> {
        let difference = Expr::Sum(vec![left.clone(), Expr::Negative(Box::new(right.clone()))]);
        let names = difference.symbols();
        let ([name], true) = (names.as_slice(), left.is_scalar() && right.is_scalar()) else {
            return Ok(None);
        };
        let mut values = Vec::with_capacity(4);
        for at in [0, 1, 2, 7] {
            let Some(literal) = Literal::new(at.to_string()) else { return Ok(None) };
            match exact::value(&replaced(&difference, name, &Expr::Number(literal)), &mut self.fuel)
            {
                Ok(value) => values.push(value),
                Err(Fault::Beyond) => return Err(Fault::Beyond),
                Err(_) => return Ok(None),
            }
        }
        let slope = &values[1] - &values[0];
        let straight = |at: i64, value: &BigRational| {
            *value == &values[0] + &slope * BigRational::from_integer(at.into())
        };
        if slope.is_zero() || !straight(2, &values[2]) || !straight(7, &values[3]) {
            return Ok(None);
        }
        let relation = if slope.is_negative() { relation.mirrored() } else { relation };
        let bound = Real::rational(&(-&values[0] / &slope), 160);
        Ok(half_line(relation, End::At(bound), false))
    }

    /// A number or an infinity; none when it has variables or is not real.
    fn end(&mut self, expr: &Expr) -> Result<Option<End>, Fault> {
        match infinity(expr) {
            Some(true) => return Ok(Some(End::Above)),
            Some(false) => return Ok(Some(End::Below)),
            None => {}
        }
        if !expr.is_scalar() || !expr.symbols().is_empty() {
            return Ok(None);
        }
        match self.value_of(expr) {
            Ok(value) if value.im.is_zero() => Ok(Some(End::At(value.re))),
            Ok(_) | Err(Fault::Inexpressible | Fault::Undefined) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// A variable alone, or its absolute value.
fn subject(expr: &Expr) -> Option<(&str, bool)> {
    match expr {
        Expr::Symbol(name) => Some((name, false)),
        Expr::Call(Function::Abs, arguments) => match arguments.as_slice() {
            [Expr::Symbol(name)] => Some((name, true)),
            _ => None,
        },
        _ => None,
    }
}

/// The numbers in a relation to one.
fn half_line(relation: Relation, end: End, absolute: bool) -> Option<RealSet> {
    if absolute {
        let End::At(x) = end else { return None };
        if x.is_negative() {
            return None;
        }
        let below = half_line(relation, End::At(x.clone()), false)?;
        let above = half_line(relation.mirrored(), End::At(x.negated()), false)?;
        return match relation {
            Relation::Less | Relation::AtMost | Relation::Unequal => {
                Some(below.intersection(&above))
            }
            Relation::Greater | Relation::AtLeast => Some(below.union(above)),
            _ => None,
        };
    }
    let at = |after| Cut { end: end.clone(), after };
    let below = Cut { end: End::Below, after: false };
    let above = Cut { end: End::Above, after: false };
    Some(match relation {
        Relation::Less => RealSet::between(below, at(false)),
        Relation::AtMost => RealSet::between(below, at(true)),
        Relation::Greater => RealSet::between(at(true), above),
        Relation::AtLeast => RealSet::between(at(false), above),
        Relation::Unequal => {
            RealSet::between(below, at(false)).union(RealSet::between(at(true), above))
        }
        _ => return None,
    })
}

/// Whether all relations of a list speak of one variable.
fn one_variable(expr: &Expr) -> bool {
    let Some(members) = members(expr) else { return false };
    let mut names: Vec<String> = members.iter().flat_map(Expr::symbols).collect();
    names.sort();
    names.dedup();
    names.len() == 1
}
