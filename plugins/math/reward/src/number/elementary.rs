//! Elementary functions of real numbers, to any precision.
//!
//! Series in fixed point after the argument was made small; inverse functions by one correction to
//! what a double's arithmetic says, which leaves so little that few terms of their series are left.

use num_bigint::BigInt;
use num_traits::{One, ToPrimitive, Zero};

use super::real::Real;
use crate::Fault;

/// Bits beyond those asked for.
const GUARD: u64 = 32;

/// The functions at one precision, with the constants that they need.
#[derive(Debug)]
pub struct Elementary {
    /// Bits of the mantissas.
    pub bits: u64,
    pi: Option<Real>,
    ln2: Option<Real>,
}

impl Elementary {
    /// Functions of so many bits.
    pub fn new(bits: u64) -> Self {
        Self { bits, pi: None, ln2: None }
    }

    fn wide(&self) -> u64 {
        self.bits + GUARD
    }

    fn point(&self) -> i64 {
        i64::try_from(self.wide()).unwrap_or(i64::MAX / 8)
    }

    /// π, by Machin's formula.
    pub fn pi(&mut self) -> Real {
        if let Some(pi) = &self.pi {
            return pi.clone();
        }
        let point = self.point() + 8;
        let sum = inverse_tangent(5, point, -1) * 16 - inverse_tangent(239, point, -1) * 4;
        self.pi.insert(Real::scaled(sum, -point)).clone()
    }

    /// ln 2 = 18 artanh(1/26) − 2 artanh(1/4801) + 8 artanh(1/8749)
    fn ln2(&mut self) -> Real {
        if let Some(ln2) = &self.ln2 {
            return ln2.clone();
        }
        let point = self.point() + 8;
        let sum = inverse_tangent(26, point, 1) * 18 - inverse_tangent(4_801, point, 1) * 2
            + inverse_tangent(8_749, point, 1) * 8;
        self.ln2.insert(Real::scaled(sum, -point)).clone()
    }

    /// eˣ
    pub fn exp(&mut self, x: &Real) -> Result<Real, Fault> {
        if x.magnitude() > 21 {
            return Err(Fault::Beyond);
        }
        if x.is_zero() {
            return Ok(Real::whole(1));
        }
        let bits = self.wide() + 24;
        let ln2 = self.ln2();
        let k = x.over(&ln2, 64)?.nearest();
        let r = x.minus(&Real::scaled(k.clone(), 0).times(&ln2, bits), bits);
        // Halved often, the series is short; squared as often, its error grows by as many bits.
        let halvings = 12_i64;
        let point = self.point() + 32;
        let t = r.shifted(-halvings).fixed(-point);
        let one = BigInt::one() << point;
        let (mut sum, mut term, mut n) = (one.clone(), one, 1_u32);
        loop {
            term = (term * &t) >> point;
            term /= n;
            if term.is_zero() || term == BigInt::from(-1) {
                break;
            }
            sum += &term;
            n += 1;
        }
        for _ in 0..halvings {
            sum = (&sum * &sum) >> point;
        }
        let k = k.to_i64().ok_or(Fault::Beyond)?;
        Real::scaled(sum, k - point).rounded(self.bits).bounded()
    }

    /// ln x, of a positive number.
    pub fn ln(&mut self, x: &Real) -> Result<Real, Fault> {
        if x.is_zero() || x.is_negative() {
            return Err(Fault::Undefined);
        }
        // x = y 2ᵏ with y around 1, where doubles serve and nothing cancels.
        let mut k = x.magnitude();
        if x.shifted(-k).to_float() < 0.707 {
            k -= 1;
        }
        let y = x.shifted(-k);
        let guess = Real::float(y.to_float().ln()).ok_or(Fault::Beyond)?;
        let bits = self.wide();
        let ratio = y.times(&self.exp(&guess.negated())?, bits);
        // ln(1+ε) = 2 artanh(ε/(2+ε)), with ε near 2⁻⁵⁰
        let one = Real::whole(1);
        let z = ratio.minus(&one, bits).over(&ratio.plus(&one, bits), bits)?;
        let correction = odd_series(&z, 1, bits)?.shifted(1);
        let whole = Real::whole(k).times(&self.ln2(), bits);
        Ok(whole.plus(&guess, bits).plus(&correction, bits).rounded(self.bits))
    }

    /// sin x and cos x.
    pub fn sin_cos(&mut self, x: &Real) -> Result<(Real, Real), Fault> {
        if x.magnitude() > 60 {
            return Err(Fault::Beyond);
        }
        let bits = self.wide() + 64;
        let half_pi = if x.magnitude() > 20 {
            // More of π is needed than there is.
            Elementary::new(self.bits + 64).pi()
        } else {
            self.pi()
        }
        .shifted(-1);
        let k = x.over(&half_pi, 80)?.nearest();
        let r = x.minus(&Real::scaled(k.clone(), 0).times(&half_pi, bits), bits);
        let point = self.point() + 16;
        let t = r.fixed(-point);
        let square = (&t * &t) >> point;
        let series = |first: BigInt, mut n: u32| {
            let (mut sum, mut term) = (first.clone(), first);
            loop {
                term = -((term * &square) >> point) / (n * (n + 1));
                if term.bits() <= 1 {
                    return sum;
                }
                sum += &term;
                n += 2;
            }
        };
        let sine = Real::scaled(series(t.clone(), 2), -point).rounded(self.bits);
        let cosine = Real::scaled(series(BigInt::one() << point, 1), -point).rounded(self.bits);
        let quarter = (k % 4_i32 + 4_i32) % 4_i32;
        Ok(match quarter.to_u8() {
            Some(0) => (sine, cosine),
            Some(1) => (cosine, sine.negated()),
            Some(2) => (sine.negated(), cosine.negated()),
            _ => (cosine.negated(), sine),
        })
    }

    /// The angle of the point (x, y), in (−π, π].
    pub fn angle(&mut self, y: &Real, x: &Real) -> Result<Real, Fault> {
        if y.is_zero() {
            return match (x.is_zero(), x.is_negative()) {
                (true, _) => Err(Fault::Undefined),
                (_, true) => Ok(self.pi()),
                _ => Ok(Real::zero()),
            };
        }
        if x.is_zero() {
            let half = self.pi().shifted(-1);
            return Ok(if y.is_negative() { half.negated() } else { half });
        }
        if y.magnitude() > x.magnitude() {
            // ±π/2 − the angle seen from the other axis.
            let half = self.pi().shifted(-1);
            let half = if y.is_negative() { half.negated() } else { half };
            let other = x.over(y, self.wide())?;
            return Ok(half.minus(&self.arctan(&other)?, self.bits));
        }
        let ratio = y.over(x, self.wide())?;
        let angle = self.arctan(&ratio)?;
        Ok(match (x.is_negative(), y.is_negative()) {
            (false, _) => angle,
            (true, false) => angle.plus(&self.pi(), self.bits),
            (true, true) => angle.minus(&self.pi(), self.bits),
        })
    }

    /// The arc tangent.
    pub fn arctan(&mut self, x: &Real) -> Result<Real, Fault> {
        if x.magnitude() > 900 {
            let half = self.pi().shifted(-1);
            let half = if x.is_negative() { half.negated() } else { half };
            let rest = Real::whole(1).over(x, self.wide())?;
            return Ok(half.minus(&rest, self.bits));
        }
        if x.magnitude() < -900 {
            return Ok(x.clone());
        }
        let bits = self.wide();
        let guess = Real::float(x.to_float().atan()).ok_or(Fault::Beyond)?;
        let (sine, cosine) = self.sin_cos(&guess)?;
        // tan(a − b) of the angle sought and the guess, without dividing twice.
        let above = x.times(&cosine, bits).minus(&sine, bits);
        let below = cosine.plus(&x.times(&sine, bits), bits);
        let z = above.over(&below, bits)?;
        Ok(guess.plus(&odd_series(&z, -1, bits)?, self.bits))
    }
}

/// z + s z³/3 + s² z⁵/5 + …, of a small z: artanh for s = 1, arctan for s = −1.
fn odd_series(z: &Real, s: i64, bits: u64) -> Result<Real, Fault> {
    if z.magnitude() > -20 {
        return Err(Fault::Beyond);
    }
    let square = z.times(z, bits).times(&Real::whole(s), bits);
    let (mut sum, mut power, mut n) = (z.clone(), z.clone(), 3);
    let least = z.magnitude() - i64::try_from(bits).unwrap_or(i64::MAX / 8);
    loop {
        power = power.times(&square, bits);
        if power.is_zero() || power.magnitude() < least {
            return Ok(sum);
        }
        sum = sum.plus(&power.over(&Real::whole(n), bits)?, bits);
        n += 2;
    }
}

/// arctan(1/n) for s = −1 or artanh(1/n) for s = 1, times 2 to the `point`.
fn inverse_tangent(n: u32, point: i64, s: i32) -> BigInt {
    let square = n * n;
    let mut power = (BigInt::one() << point) / n;
    let (mut sum, mut k, mut sign) = (power.clone(), 3_u32, s);
    loop {
        power /= square;
        if power.is_zero() {
            return sum;
        }
        sum += &power / k * sign;
        k += 2;
        sign *= s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &Real, b: f64) -> bool {
        (a.to_float() - b).abs() <= 1e-14 * b.abs().max(1e-3)
    }

    #[test]
    fn as_doubles_have_it() {
        let mut f = Elementary::new(160);
        assert!(near(&f.pi(), std::f64::consts::PI));
        for x in [-30.5, -3.2, -1.0, -0.3, 1e-9, 0.1, 0.5, 1.0, 2.0, 3.7, 11.25, 100.5] {
            let real = Real::float(x).unwrap();
            assert!(near(&f.exp(&real).unwrap(), x.exp()), "exp {x}");
            let (s, c) = f.sin_cos(&real).unwrap();
            assert!((s.to_float() - x.sin()).abs() < 1e-13, "sin {x}");
            assert!((c.to_float() - x.cos()).abs() < 1e-13, "cos {x}");
            assert!(near(&f.arctan(&real).unwrap(), x.atan()), "atan {x}");
            if x > 0.0 {
                assert!(near(&f.ln(&real).unwrap(), x.ln()), "ln {x}");
                assert!(near(&real.root(160), x.sqrt()), "sqrt {x}");
            }
            for y in [-2.5, -0.1, 0.4, 50.0] {
                let angle = f.angle(&Real::float(y).unwrap(), &real).unwrap();
                assert!(near(&angle, y.atan2(x)), "atan2 {y} {x}");
            }
        }
    }

    #[test]
    fn identities_hold_to_the_last_bits() {
        for bits in [160_u64, 384] {
            let mut f = Elementary::new(bits);
            let limit = 12 - i64::try_from(bits).unwrap();
            for n in 1..40 {
                let x = Real::whole(n).over(&Real::whole(7), bits).unwrap();
                let (s, c) = f.sin_cos(&x).unwrap();
                let unit = s.times(&s, bits).plus(&c.times(&c, bits), bits);
                assert!(unit.minus(&Real::whole(1), bits).magnitude() < limit, "{n}");
                let e = f.exp(&x).unwrap();
                assert!(f.ln(&e).unwrap().minus(&x, bits).magnitude() < limit + 4, "{n}");
                let root = x.root(bits);
                assert!(root.times(&root, bits).minus(&x, bits).magnitude() < limit + 4, "{n}");
                let four = f.arctan(&Real::whole(1)).unwrap().shifted(2);
                assert!(four.minus(&f.pi(), bits).magnitude() < limit);
            }
        }
    }
}
