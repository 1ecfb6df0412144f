//! Several answers, tuples, vectors, matrices.

use super::{Comparison, members, relation};
use crate::Fault;
use crate::syntax::{Expr, Separator};

/// Longer lists are compared in order alone.
const MAX_UNORDERED: usize = 64;

pub(super) fn is_several(expr: &Expr) -> bool {
    matches!(expr, Expr::List(..) | Expr::Set(_) | Expr::Sequence(..) | Expr::Matrix(_))
        || matches!(expr, Expr::Quantity(inner, _) if matches!(**inner, Expr::Sequence(..)))
}

impl Comparison {
    pub(super) fn same_list(&mut self, a: &Expr, b: &Expr) -> Result<bool, Fault> {
        match (a, b) {
            // "10:30 AM"; the half of the day may be left out.
            (Expr::Quantity(x, u), Expr::Quantity(y, v)) => Ok(u == v && self.same(x, y)?),
            (Expr::Quantity(x, _), _) if is_several(x) => self.same(x, b),
            (_, Expr::Quantity(y, _)) if is_several(y) => self.same(a, y),
            (Expr::Sequence(open, x, close), Expr::Sequence(begin, y, end)) => {
                let brackets = (open, close) == (begin, end)
                    || is_angled(*open, *begin)
                    // Three or more are no interval, whatever brackets they stand in.
                    || (x.len() > 2 && round(*open, *close) && round(*begin, *end));
                Ok(brackets && self.ordered(x, y)?)
            }
            (Expr::Matrix(x), Expr::Matrix(y)) => {
                let shape = x.len() == y.len() && x.iter().zip(y).all(|(r, s)| r.len() == s.len());
                let (x, y): (Vec<&Expr>, Vec<&Expr>) =
                    (x.iter().flatten().collect(), y.iter().flatten().collect());
                if !shape {
                    return Ok(false);
                }
                for (p, q) in x.into_iter().zip(y) {
                    if !self.same(p, q)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            // A column or a row is the vector of its entries.
            (Expr::Matrix(rows), Expr::Sequence('(' | '⟨' | '[', y, ')' | '⟩' | ']'))
            | (Expr::Sequence('(' | '⟨' | '[', y, ')' | '⟩' | ']'), Expr::Matrix(rows)) => {
                if rows.len() > 1 && rows[0].len() > 1 {
                    return Ok(false);
                }
                let entries: Vec<Expr> = rows.iter().flatten().cloned().collect();
                if matches!(a, Expr::Matrix(_)) {
                    self.ordered(&entries, y)
                } else {
                    self.ordered(y, &entries)
                }
            }
            // A ratio is also its quotient.
            (Expr::Sequence(':', x, _), other) | (other, Expr::Sequence(':', x, _))
                if other.is_scalar() =>
            {
                let [p, q] = x.as_slice() else { return Ok(false) };
                let quotient = Expr::Quotient(Box::new(p.clone()), Box::new(q.clone()));
                self.same_scalar(&quotient, other)
            }
            // A tuple whose brackets were left out.
            (Expr::Sequence('(', x, ')'), Expr::List(Separator::Comma, y)) => self.ordered(x, y),
            (Expr::List(Separator::Comma, x), Expr::Sequence('(', y, ')')) => self.ordered(x, y),
            (Expr::List(Separator::Comma, x), Expr::Sequence('[', y, ']')) if x.len() > 2 => {
                self.unordered(x, y)
            }
            // A set has each of its members once, however often it is said.
            (Expr::Set(x), Expr::Set(y)) if x.len() != y.len() => {
                Ok(self.covers(x, y)? && self.covers(y, x)?)
            }
            _ => match (members(a), members(b)) {
                (Some(x), Some(y)) => self.unordered(x, y),
                _ => Ok(false),
            },
        }
    }

    pub(super) fn ordered(&mut self, a: &[Expr], b: &[Expr]) -> Result<bool, Fault> {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (x, y) in a.iter().zip(b) {
            if !self.same(x, y)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The same members, as often, in any order.
    pub(super) fn unordered(&mut self, a: &[Expr], b: &[Expr]) -> Result<bool, Fault> {
        if a.len() != b.len() {
            return Ok(false);
        }
        if a.len() > MAX_UNORDERED {
            return self.ordered(a, b);
        }
        // About what each is worth tells most pairs apart at once.
        let mut free = Vec::with_capacity(b.len());
        for y in b {
            free.push((y, self.about(y)?));
        }
        for x in a {
            let mut found = None;
            let worth = self.about(x)?;
            for (at, (y, other)) in free.iter().enumerate() {
                if worth.zip(*other).is_some_and(|(p, q)| far(p, q)) {
                    continue;
                }
                if self.same(x, y)? {
                    found = Some(at);
                    break;
                }
            }
            let Some(at) = found else { return Ok(false) };
            free.remove(at);
        }
        Ok(true)
    }

    /// A number's value as doubles; none for what is no number, or has a unit to be weighed.
    fn about(&mut self, expr: &Expr) -> Result<Option<(f64, f64)>, Fault> {
        let plain = expr.is_scalar()
            && expr.symbols().is_empty()
            && !expr.any(&|part| {
                matches!(part, Expr::Quantity(..) | Expr::Percent(_) | Expr::Degrees(_))
            });
        if !plain {
            return Ok(None);
        }
        match self.value_of(expr) {
            Ok(value) => Ok(Some((value.re.to_float(), value.im.to_float()))),
            Err(Fault::Beyond) if !self.fuel.is_left() => Err(Fault::Beyond),
            Err(_) => Ok(None),
        }
    }

    /// Whether each of the second is one of the first.
    fn covers(&mut self, a: &[Expr], b: &[Expr]) -> Result<bool, Fault> {
        if a.len() > MAX_UNORDERED || b.len() > MAX_UNORDERED {
            return Ok(false);
        }
        for y in b {
            let mut found = false;
            for x in a {
                found = found || self.same(x, y)?;
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lists in which members are assignments, by value or by name.
    pub(super) fn same_assignments(&mut self, a: &Expr, b: &Expr) -> Result<bool, Fault> {
        let (left, right) = (relation::assignments(a), relation::assignments(b));
        match (left, right) {
            // x = 1, y = 2: by name.
            (Some(x), Some(y)) => {
                let (x, y) = (relation::as_relations(&x), relation::as_relations(&y));
                self.unordered(&x, &y)
            }
            (Some(x), None) => self.named_values(&x, b, false),
            (None, Some(y)) => self.named_values(&y, a, true),
            (None, None) => Ok(false),
        }
    }

    /// `x = 1, x = 2` is 1, 2; `x = 1, y = 2` is (1, 2), in the order of the names.
    fn named_values(
        &mut self,
        named: &[(Expr, Expr)],
        other: &Expr,
        swapped: bool,
    ) -> Result<bool, Fault> {
        let one_name = named.windows(2).all(|pair| pair[0].0 == pair[1].0);
        let mut sorted: Vec<&(Expr, Expr)> = named.iter().collect();
        if !one_name {
            sorted.sort_by_key(|(name, _)| format!("{name:?}"));
        }
        let values: Vec<Expr> = sorted.into_iter().map(|(_, value)| value.clone()).collect();
        let (ordered, against) = match other {
            Expr::Sequence('(', members, ')') if !one_name => (true, members),
            Expr::List(_, members) => (!one_name, members),
            Expr::Set(members) if one_name => (false, members),
            _ => return Ok(false),
        };
        let (x, y) = if swapped { (against, &values) } else { (&values, against) };
        if ordered { self.ordered(x, y) } else { self.unordered(x, y) }
    }
}

/// Further apart than rounding to six digits brings them.
fn far(p: (f64, f64), q: (f64, f64)) -> bool {
    let off = |a: f64, b: f64| (a - b).abs() > 1e-2 * a.abs().max(b.abs()).max(1e-9);
    off(p.0, q.0) || off(p.1, q.1)
}

fn is_angled(open: char, begin: char) -> bool {
    matches!((open, begin), ('⟨', '(') | ('(', '⟨'))
}

fn round(open: char, close: char) -> bool {
    matches!((open, close), ('(', ')') | ('[', ']') | ('⟨', '⟩'))
}
