//! Floating point of as many bits as asked: a mantissa and a power of two.
//!
//! Every operation keeps `bits` of the mantissa and drops the rest, so that each is right to a few
//! units in the last place; whoever compares leaves forty bits for what gathers.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::Fault;

/// Numbers beyond 2^±this are too large or too small.
const MAX_EXPONENT: i64 = 1 << 20;

/// m · 2ᵉ
#[derive(Debug, Clone, PartialEq)]
pub struct Real {
    m: BigInt,
    e: i64,
}

impl Real {
    /// Zero.
    pub fn zero() -> Self {
        Self { m: BigInt::zero(), e: 0 }
    }

    /// A whole number.
    pub fn whole(n: i64) -> Self {
        Self { m: n.into(), e: 0 }
    }

    /// A mantissa times a power of two.
    pub fn scaled(m: BigInt, e: i64) -> Self {
        Self { m, e }
    }

    /// A rational number, to so many bits.
    pub fn rational(q: &BigRational, bits: u64) -> Self {
        if q.is_integer() {
            return Self { m: q.numer().clone(), e: 0 }.rounded(bits);
        }
        let need =
            i64::try_from(bits).unwrap_or(i64::MAX) + 2 + length(q.denom()) - length(q.numer());
        let shift = need.max(0);
        Self { m: (q.numer() << shift) / q.denom(), e: -shift }.rounded(bits)
    }

    /// A double's value.
    pub fn float(x: f64) -> Option<Self> {
        if !x.is_finite() {
            return None;
        }
        if x == 0.0 {
            return Some(Self::zero());
        }
        // A power of two that makes every double of moderate size whole.
        let (mut scaled, mut e) = (x, 0_i64);
        while scaled.abs() < 4_503_599_627_370_496.0 {
            scaled *= 2.0;
            e -= 1;
        }
        while scaled.abs() >= 9_007_199_254_740_992.0 {
            scaled /= 2.0;
            e += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        Some(Self { m: (scaled as i64).into(), e })
    }

    /// The nearest double; infinite when too large.
    pub fn to_float(&self) -> f64 {
        let extra = length(&self.m) - 60;
        let (m, e) =
            if extra > 0 { (&self.m >> extra, self.e + extra) } else { (self.m.clone(), self.e) };
        let m = m.to_i64().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "the nearest is asked for")]
        let m = m as f64;
        let e = i32::try_from(e.clamp(-2_000, 2_000)).unwrap_or_default();
        // In two steps, so that neither factor overflows before the product does.
        m * 2_f64.powi(e / 2) * 2_f64.powi(e - e / 2)
    }

    /// The mantissa when the exponent is `e`; digits below are dropped.
    pub fn fixed(&self, e: i64) -> BigInt {
        let shift = self.e - e;
        if shift >= 0 { &self.m << shift } else { &self.m >> -shift }
    }

    /// Keeps so many bits.
    #[must_use]
    pub fn rounded(mut self, bits: u64) -> Self {
        let extra = self.m.bits().saturating_sub(bits);
        if extra > 0 {
            self.m >>= extra;
            self.e += i64::try_from(extra).unwrap_or_default();
        }
        self
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.m.is_zero()
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.m.is_negative()
    }

    /// The power of two just above its magnitude; the least there is for zero.
    pub fn magnitude(&self) -> i64 {
        if self.m.is_zero() { i64::MIN / 4 } else { self.e + length(&self.m) }
    }

    /// Fails when it is too large or small to go on with.
    pub fn bounded(self) -> Result<Self, Fault> {
        if !self.is_zero() && self.magnitude().abs() > MAX_EXPONENT {
            return Err(Fault::Beyond);
        }
        Ok(self)
    }

    /// −a
    #[must_use]
    pub fn negated(&self) -> Self {
        Self { m: -&self.m, e: self.e }
    }

    /// |a|
    #[must_use]
    pub fn absolute(&self) -> Self {
        Self { m: self.m.abs(), e: self.e }
    }

    /// a · 2ⁿ
    #[must_use]
    pub fn shifted(&self, n: i64) -> Self {
        Self { m: self.m.clone(), e: self.e + n }
    }

    /// a + b
    #[must_use]
    pub fn plus(&self, other: &Self, bits: u64) -> Self {
        if self.is_zero() {
            return other.clone();
        }
        if other.is_zero() {
            return self.clone();
        }
        let (high, low) =
            if self.magnitude() >= other.magnitude() { (self, other) } else { (other, self) };
        let reach = i64::try_from(bits).unwrap_or(i64::MAX) + 4;
        if high.magnitude() - low.magnitude() > reach {
            return high.clone();
        }
        let e = high.e.min(low.e);
        Self { m: high.fixed(e) + low.fixed(e), e }.rounded(bits)
    }

    /// a − b
    #[must_use]
    pub fn minus(&self, other: &Self, bits: u64) -> Self {
        self.plus(&other.negated(), bits)
    }

    /// a · b
    #[must_use]
    pub fn times(&self, other: &Self, bits: u64) -> Self {
        Self { m: &self.m * &other.m, e: self.e + other.e }.rounded(bits)
    }

    /// a / b
    pub fn over(&self, other: &Self, bits: u64) -> Result<Self, Fault> {
        if other.is_zero() {
            return Err(Fault::Undefined);
        }
        let need = i64::try_from(bits).unwrap_or(i64::MAX) + 2 + length(&other.m) - length(&self.m);
        let shift = need.max(0);
        Ok(Self { m: (&self.m << shift) / &other.m, e: self.e - other.e - shift }.rounded(bits))
    }

    /// √a, of a number that is not negative.
    #[must_use]
    pub fn root(&self, bits: u64) -> Self {
        let need = 2 * i64::try_from(bits).unwrap_or(i64::MAX / 4) + 4 - length(&self.m);
        let mut shift = need.max(0);
        // The exponent that is left must be even.
        shift += (self.e - shift).rem_euclid(2);
        let m = (&self.m << shift).magnitude().sqrt();
        Self { m: m.into(), e: (self.e - shift) / 2 }.rounded(bits)
    }

    /// A whole power, not negative.
    #[must_use]
    pub fn raised(&self, mut exponent: u32, bits: u64) -> Self {
        let (mut base, mut power) = (self.clone(), Self { m: BigInt::one(), e: 0 });
        while exponent > 0 {
            if exponent & 1 == 1 {
                power = power.times(&base, bits);
            }
            exponent >>= 1;
            if exponent > 0 {
                base = base.times(&base, bits);
            }
        }
        power
    }

    /// The whole number nearest to it.
    pub fn nearest(&self) -> BigInt {
        self.plus(&Self { m: BigInt::one(), e: -1 }, 1 << 20).fixed(0)
    }

    /// Which is greater.
    pub fn order(&self, other: &Self) -> Ordering {
        let difference = self.minus(other, 1 << 20);
        difference.m.cmp(&BigInt::zero())
    }
}

fn length(n: &BigInt) -> i64 {
    i64::try_from(n.bits()).unwrap_or(i64::MAX / 8)
}
