//! Exact numbers: sums of `q·√n·πᵏ` with rational `q`, square-free `n` and integer `k`.
//!
//! Two values are equal exactly when their terms are, since the terms are linearly independent
//! over the rationals. Whatever would leave this field, or grow past a fixed size, is an error
//! and never an approximation.

use std::collections::BTreeMap;

use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

/// Numerators and denominators stay below this many bits.
const MAX_BITS: u64 = 16_384;
/// A sum has at most this many terms.
const MAX_TERMS: usize = 32;
/// Square factors are searched for in radicands up to this size.
const MAX_RADICAND: u64 = 1_000_000_000_000_000;

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The text is not an expression of this parser's language.
    Syntax,
    /// It is one, but it has no value: a division by zero.
    Undefined,
    /// It is one, but too large, too deep or outside the field.
    Beyond,
}

/// `√radicand · π^pi`.
type Basis = (u64, i32);

/// An exact number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    terms: BTreeMap<Basis, BigRational>,
}

impl Value {
    /// A rational number.
    pub fn rational(value: BigRational) -> Self {
        Self::term((1, 0), value)
    }

    /// An integer.
    pub fn integer(value: impl Into<BigInt>) -> Self {
        Self::rational(BigRational::from_integer(value.into()))
    }

    /// The number π.
    pub fn pi() -> Self {
        Self::term((1, 1), BigRational::one())
    }

    fn term(basis: Basis, coefficient: BigRational) -> Self {
        let mut terms = BTreeMap::new();
        if !coefficient.is_zero() {
            terms.insert(basis, coefficient);
        }
        Self { terms }
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// The rational number that this is, if it is one.
    pub fn as_rational(&self) -> Option<BigRational> {
        match self.terms.iter().next() {
            None => Some(BigRational::zero()),
            Some(((1, 0), q)) if self.terms.len() == 1 => Some(q.clone()),
            Some(_) => None,
        }
    }

    /// The negative.
    pub fn negate(mut self) -> Self {
        for q in self.terms.values_mut() {
            *q = -std::mem::replace(q, BigRational::zero());
        }
        self
    }

    /// The sum.
    pub fn plus(mut self, other: Self) -> Result<Self, Fault> {
        for (basis, q) in other.terms {
            let sum = match self.terms.remove(&basis) {
                Some(p) => bounded(&p, &q, |p, q| p + q)?,
                None => q,
            };
            if !sum.is_zero() {
                self.terms.insert(basis, sum);
            }
        }
        if self.terms.len() > MAX_TERMS { Err(Fault::Beyond) } else { Ok(self) }
    }

    /// The product.
    pub fn multiply(&self, other: &Self) -> Result<Self, Fault> {
        let mut product = Self { terms: BTreeMap::new() };
        for ((n, j), p) in &self.terms {
            for ((m, k), q) in &other.terms {
                // √n·√m = g·√(n/g · m/g): both are square-free, so the new radicand is too.
                let g = gcd(*n, *m);
                let radicand = (n / g)
                    .checked_mul(m / g)
                    .filter(|r| *r <= MAX_RADICAND)
                    .ok_or(Fault::Beyond)?;
                let pi = j.checked_add(*k).ok_or(Fault::Beyond)?;
                let q = bounded(p, q, |p, q| p * q)? * BigRational::from_integer(g.into());
                product = product.plus(Self::term((radicand, pi), q))?;
            }
        }
        Ok(product)
    }

    /// One over this; a sum of two surds is rationalised, a longer sum is beyond this field's reach.
    pub fn invert(&self) -> Result<Self, Fault> {
        let mut terms = self.terms.iter();
        match (terms.next(), terms.next(), terms.next()) {
            (None, ..) => Err(Fault::Undefined),
            (Some(((n, k), q)), None, _) => {
                // 1/(q√n πᵏ) = √n/(qn) π⁻ᵏ
                let q = (q * BigRational::from_integer((*n).into())).recip();
                Ok(Self::term((*n, k.checked_neg().ok_or(Fault::Beyond)?), q))
            }
            (Some((first, p)), Some((second, q)), None) => {
                let conjugate =
                    Self::term(*first, p.clone()).plus(Self::term(*second, -q.clone()))?;
                let norm = self.multiply(&conjugate)?;
                if norm.terms.len() > 1 {
                    return Err(Fault::Beyond);
                }
                conjugate.multiply(&norm.invert()?)
            }
            _ => Err(Fault::Beyond),
        }
    }

    /// The quotient.
    pub fn divide(&self, other: &Self) -> Result<Self, Fault> {
        self.multiply(&other.invert()?)
    }

    /// This to a rational power: whole powers, and halves of them where the root is exact.
    pub fn power(&self, exponent: &Self) -> Result<Self, Fault> {
        let exponent = exponent.as_rational().ok_or(Fault::Beyond)?;
        let whole = exponent.numer().to_i32().ok_or(Fault::Beyond)?;
        match exponent.denom().to_u32() {
            Some(1) => self.whole_power(whole),
            Some(root @ 2..=64) => self.root(root)?.whole_power(whole),
            _ => Err(Fault::Beyond),
        }
    }

    fn whole_power(&self, exponent: i32) -> Result<Self, Fault> {
        if self.is_zero() && exponent <= 0 {
            return Err(Fault::Undefined);
        }
        let base = if exponent < 0 { self.invert()? } else { self.clone() };
        let mut left = exponent.unsigned_abs();
        if let Some(q) = base.as_rational() {
            let bits = q.numer().bits().max(q.denom().bits());
            if bits > 1 && bits.saturating_mul(u64::from(left)) > MAX_BITS {
                return Err(Fault::Beyond);
            }
            return Ok(Self::rational(Pow::pow(q, left)));
        }
        let (mut square, mut power) = (base, Self::integer(1));
        loop {
            if left & 1 == 1 {
                power = power.multiply(&square)?;
            }
            left >>= 1;
            if left == 0 {
                return Ok(power);
            }
            square = square.multiply(&square)?;
        }
    }

    /// The real root of the given degree, where it is in the field.
    pub fn root(&self, degree: u32) -> Result<Self, Fault> {
        let q = self.as_rational().ok_or(Fault::Beyond)?;
        if q.is_negative() {
            let positive = Self::rational(-q);
            return if degree % 2 == 1 {
                Ok(positive.root(degree)?.negate())
            } else {
                Err(Fault::Beyond)
            };
        }
        if degree == 0 {
            return Err(Fault::Undefined);
        }
        if let (Some(n), Some(d)) = (exact_root(q.numer(), degree), exact_root(q.denom(), degree)) {
            return Ok(Self::rational(BigRational::new(n, d)));
        }
        if degree != 2 {
            return Err(Fault::Beyond);
        }
        // √(n/d) = √(nd)/d
        let product =
            (q.numer() * q.denom()).to_u64().filter(|r| *r <= MAX_RADICAND).ok_or(Fault::Beyond)?;
        let (outside, radicand) = split_square(product);
        Ok(Self::term((radicand, 0), BigRational::new(outside.into(), q.denom().clone())))
    }
}

fn bounded(
    p: &BigRational,
    q: &BigRational,
    operation: impl FnOnce(&BigRational, &BigRational) -> BigRational,
) -> Result<BigRational, Fault> {
    let bits = |x: &BigRational| x.numer().bits() + x.denom().bits();
    if bits(p) + bits(q) > 2 * MAX_BITS { Err(Fault::Beyond) } else { Ok(operation(p, q)) }
}

fn exact_root(value: &BigInt, degree: u32) -> Option<BigInt> {
    let magnitude: &BigUint = value.magnitude();
    let root = magnitude.nth_root(degree);
    (Pow::pow(&root, degree) == *magnitude).then(|| root.into())
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `n = outside² · radicand` with a square-free radicand.
fn split_square(mut n: u64) -> (u64, u64) {
    let (mut outside, mut radicand, mut p) = (1u64, 1u64, 2u64);
    // Past the cube root what is left is a prime, two primes or the square of one.
    while p.saturating_mul(p).saturating_mul(p) <= n {
        let mut times = 0;
        while n.is_multiple_of(p) {
            n /= p;
            times += 1;
        }
        outside *= p.pow(times / 2);
        radicand *= p.pow(times % 2);
        p += if p == 2 { 1 } else { 2 };
    }
    let root = n.isqrt();
    if root * root == n {
        return (outside * root, radicand);
    }
    (outside, radicand * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_split_off() {
        for n in 1..20_000u64 {
            let (outside, radicand) = split_square(n);
            assert_eq!(outside * outside * radicand, n);
            for p in 2..=radicand.isqrt() {
                assert!(!radicand.is_multiple_of(p * p), "{n}: {radicand} holds {p}²");
            }
        }
        assert_eq!(split_square(999_999_937 * 2), (1, 1_999_999_874));
        assert_eq!(split_square(31_607 * 31_607 * 10), (31_607, 10));
    }

    #[test]
    fn surds_are_rationalised() {
        let two = Value::integer(2).root(2).unwrap();
        let sum = Value::integer(1).plus(two.clone()).unwrap();
        // 1/(1+√2) = √2 − 1
        assert_eq!(sum.invert().unwrap(), two.plus(Value::integer(-1)).unwrap());
        assert_eq!(Value::integer(0).invert(), Err(Fault::Undefined));
    }

    #[test]
    fn powers_end_at_once() {
        let nine = Value::integer(9);
        let inner = nine.power(&nine).unwrap();
        assert_eq!(nine.power(&inner), Err(Fault::Beyond));
        assert_eq!(Value::integer(1).power(&Value::integer(i32::MAX)), Ok(Value::integer(1)));
        assert_eq!(
            Value::integer(4).power(&Value::rational(BigRational::new(3.into(), 2.into()))),
            Ok(Value::integer(8))
        );
    }
}
