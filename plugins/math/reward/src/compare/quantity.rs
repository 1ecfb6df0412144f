//! Units, percents, degrees, digits in a base.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed};

use super::{Comparison, scalar};
use crate::Fault;
use crate::lex::Literal;
use crate::syntax::Expr;
use crate::unit::Unit;

/// A value and what it is a value of.
struct Quantity {
    value: Expr,
    unit: Option<Unit>,
    percent: bool,
}

fn quantity(expr: &Expr) -> Quantity {
    let degree = || Unit { name: "degree".to_owned() };
    match expr {
        Expr::Quantity(value, unit) => {
            // Units that say nothing: "square units".
            let generic = unit.name.split('^').next() == Some("unit");
            let inner = quantity(value);
            Quantity {
                unit: if generic { inner.unit } else { inner.unit.or_else(|| Some(unit.clone())) },
                ..inner
            }
        }
        Expr::Percent(value) => Quantity { value: (**value).clone(), unit: None, percent: true },
        Expr::Degrees(value) => {
            Quantity { value: (**value).clone(), unit: Some(degree()), percent: false }
        }
        Expr::Negative(inner)
            if matches!(**inner, Expr::Percent(_) | Expr::Degrees(_) | Expr::Quantity(..)) =>
        {
            let inner = quantity(inner);
            Quantity { value: Expr::Negative(Box::new(inner.value)), ..inner }
        }
        other => Quantity { value: other.clone(), unit: None, percent: false },
    }
}

impl Comparison {
    pub(super) fn same_quantity(&mut self, a: &Expr, b: &Expr) -> Result<bool, Fault> {
        if is_plain(a) && is_plain(b) {
            return self.same_scalar(a, b);
        }
        let (x, y) = (quantity(a), quantity(b));
        if x.percent || y.percent {
            if x.unit.is_some() || y.unit.is_some() {
                return Ok(false);
            }
            return self.same_percent(&x, &y);
        }
        match (&x.unit, &y.unit) {
            (Some(u), Some(v))
                if u.is_degree() && v.name == "rad" || u.name == "rad" && v.is_degree() =>
            {
                let plain = |expr: &Expr, q: &Quantity| {
                    if q.unit.as_ref().is_some_and(Unit::is_degree) {
                        radians(expr)
                    } else {
                        q.value.clone()
                    }
                };
                self.same_scalar(&plain(a, &x), &plain(b, &y))
            }
            (Some(u), Some(v)) if u.name != v.name => {
                let Some((one, other)) = u.ratio(v) else { return Ok(false) };
                let left = times(x.value, one);
                let right = times(y.value, other);
                self.same_scalar(&left, &right)
            }
            // An angle without its sign may also be in radians.
            (Some(u), None) | (None, Some(u)) if u.is_degree() => {
                Ok(self.inner(&x.value, &y.value)? || self.same_scalar(&radians(a), &radians(b))?)
            }
            _ => self.inner(&x.value, &y.value),
        }
    }

    /// Values without their units, which may be ratios or other than scalars.
    fn inner(&mut self, a: &Expr, b: &Expr) -> Result<bool, Fault> {
        if a.is_scalar() && b.is_scalar() { self.same_scalar(a, b) } else { self.same(a, b) }
    }

    /// `50%` is one half, and where only one side has the sign also fifty, if that is above one: the
    /// sign may have been left to the question.
    fn same_percent(&mut self, reference: &Quantity, answer: &Quantity) -> Result<bool, Fault> {
        if reference.percent == answer.percent {
            return self.same_scalar(&reference.value, &answer.value);
        }
        let hundredth = |q: &Quantity| {
            if q.percent { Expr::Percent(Box::new(q.value.clone())) } else { q.value.clone() }
        };
        if self.same_scalar(&hundredth(reference), &hundredth(answer))? {
            return Ok(true);
        }
        {
            let above = scalar::rational(&reference.value, self)
                .is_some_and(|q| q.abs() > BigRational::one());
            if !above {
                return Ok(false);
            }
        }
        self.same_scalar(&reference.value, &answer.value)
    }
}

fn is_plain(expr: &Expr) -> bool {
    !matches!(expr, Expr::Quantity(..) | Expr::Percent(_) | Expr::Degrees(_) | Expr::Negative(_))
}

fn radians(expr: &Expr) -> Expr {
    match expr {
        Expr::Quantity(inner, unit) if unit.is_degree() => Expr::Degrees(inner.clone()),
        other => other.clone(),
    }
}

fn times(value: Expr, (numerator, denominator): (i64, i64)) -> Expr {
    let whole = |n: i64| {
        Expr::Number(Literal {
            value: BigRational::from_integer(BigInt::from(n)),
            decimals: None,
            text: n.to_string(),
        })
    };
    Expr::Quotient(
        Box::new(Expr::Product(vec![value, whole(numerator)])),
        Box::new(whole(denominator)),
    )
}

/// Digits in a base equal the same digits in the same base, and nothing else: a conversion is what
/// such problems ask for.
pub(super) fn same_based(a: &Expr, b: &Expr) -> bool {
    let strip = |expr: &Expr| match expr {
        Expr::Quantity(inner, _) => (**inner).clone(),
        other => other.clone(),
    };
    match (strip(a), strip(b)) {
        (Expr::Based(x, p), Expr::Based(y, q)) => x == y && p == q,
        _ => false,
    }
}
