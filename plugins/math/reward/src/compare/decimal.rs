//! Rounded decimals.
//!
//! An answer in decimals equals a value that it does not say exactly only as that value rounded to
//! the digits given, of which there must be six behind the point and six that are significant. The
//! same holds the other way round for a reference in decimals, and four significant digits, two of
//! them behind the point, do where the answer is an expression and not decimals itself: whoever
//! wrote the reference has rounded.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Pow, Signed};

use super::Comparison;
use crate::Fault;
use crate::number::complex::Complex;
use crate::number::real::Real;
use crate::number::{exact, terminates};
use crate::syntax::Expr;

/// A decimal as it was written.
struct Decimal {
    value: BigRational,
    places: u32,
    significant: usize,
}

fn decimal(expr: &Expr) -> Option<Decimal> {
    match expr {
        Expr::Number(literal) => Some(Decimal {
            value: literal.value.clone(),
            places: literal.decimals?,
            significant: literal.significant(),
        }),
        Expr::Negative(inner) => {
            let inner = decimal(inner)?;
            Some(Decimal { value: -inner.value, ..inner })
        }
        _ => None,
    }
}

impl Decimal {
    fn has(&self, places: u32, significant: usize) -> bool {
        self.places >= places && self.significant >= significant
    }
}

impl Comparison {
    pub(super) fn same_decimal(&mut self, reference: &Expr, answer: &Expr) -> Result<bool, Fault> {
        let (a, b) = (decimal(reference), decimal(answer));
        match (&a, &b) {
            (None, None) => Ok(false),
            (Some(a), Some(b)) => {
                let (short, long) = if a.places <= b.places { (a, b) } else { (b, a) };
                Ok(short.has(6, 6) && rounds(&long.value, short))
            }
            (None, Some(b)) => Ok(b.has(6, 6) && self.rounds_to(reference, b)?),
            (Some(a), None) => {
                let closed = match exact::value(answer, &mut self.fuel) {
                    Ok(value) => !terminates(&value),
                    Err(_) => true,
                };
                let enough = a.has(6, 6) || (closed && a.has(2, 4));
                Ok(enough && self.rounds_to(answer, a)?)
            }
        }
    }

    fn rounds_to(&mut self, expr: &Expr, to: &Decimal) -> Result<bool, Fault> {
        if !expr.symbols().is_empty() {
            return Ok(false);
        }
        match exact::value(expr, &mut self.fuel) {
            Ok(value) => return Ok(rounds(&value, to)),
            Err(Fault::Inexpressible) => {}
            Err(fault) => return Err(fault),
        }
        match self.value_of(expr) {
            Ok(Complex { re, im }) if im.is_zero() => {
                let target = Real::rational(&to.value, 400);
                let off = re.minus(&target, 400).absolute();
                Ok(off.order(&Real::rational(&half_a_unit(to), 400)).is_le())
            }
            Ok(_) | Err(Fault::Inexpressible | Fault::Undefined) => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

fn rounds(value: &BigRational, to: &Decimal) -> bool {
    (value - &to.value).abs() <= half_a_unit(to)
}

fn half_a_unit(of: &Decimal) -> BigRational {
    BigRational::new(1.into(), Pow::pow(BigInt::from(10), of.places) * 2)
}
